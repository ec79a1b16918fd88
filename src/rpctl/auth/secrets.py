"""Where a secret or a ready token can come from, and which place wins.

Places are looked at one after the other, and the first that has something wins; what comes later is not even
opened, so that an environment variable never waits for a keyring. An empty variable or file has nothing.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Final, NamedTuple, NoReturn

from rpctl.errors import InvalidConfig, InvalidValue, RpctlError

if TYPE_CHECKING:
    from rpctl.auth.store import Store

MAX_BYTES: Final = 65_536
SYSTEMD_NAME: Final = "rpctl-client-secret"
"""The file that systemd's LoadCredential= puts into ``$CREDENTIALS_DIRECTORY``."""


class Kind(Enum):
    """What a command can be authenticated with; the value is how a person calls it."""

    CLIENT_SECRET = "client secret"  # noqa: S105
    EMPLOYEE_TOKEN = "employee token"  # noqa: S105
    CUSTOMER_TOKEN = "customer token"  # noqa: S105


VARIABLES: Final[Mapping[Kind, str]] = {
    Kind.CLIENT_SECRET: "RPCTL_CLIENT_SECRET",
    Kind.EMPLOYEE_TOKEN: "RPCTL_ACCESS_TOKEN",
    Kind.CUSTOMER_TOKEN: "RPCTL_CUSTOMER_TOKEN",
}
"""The variable that holds each of them."""

SECRET_FILE: Final = "RPCTL_CLIENT_SECRET_FILE"  # noqa: S105
CREDENTIALS_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"


class Secret:
    """A value that shows itself only to who asks for it by `reveal`; ``source`` tells where it came from."""

    __slots__ = ("_value", "source")

    def __init__(self, value: str, source: str) -> None:
        self._value = value
        self.source = source

    def reveal(self) -> str:
        """The value, for the one place that sends or stores it."""
        return self._value

    def __repr__(self) -> str:
        return f"<secret from {self.source}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not to be written anywhere")


class Place(NamedTuple):
    """Somewhere a secret can be. ``name`` is for people; ``look`` answers None where there is nothing, and raises
    `InvalidConfig` where something is there that cannot be used."""

    name: str
    look: Callable[[], Secret | None]


def places(kind: Kind, environ: Mapping[str, str], store: Store) -> Sequence[Place]:
    """The places where this can be, the strongest first."""
    found: list[Place] = []
    if kind is Kind.CLIENT_SECRET:
        found.append(Place(SECRET_FILE, lambda: _named_file(environ)))
        found.append(Place(f"${CREDENTIALS_DIRECTORY}/{SYSTEMD_NAME}", lambda: _of_systemd(environ)))
    variable = VARIABLES[kind]
    found.append(Place(variable, lambda: _of_variable(kind, variable, environ)))
    found.extend(store.places(kind))
    return found


def first(kind: Kind, where: Sequence[Place]) -> Secret | None:
    """The first that there is. Raises `InvalidConfig` where a place has something that cannot be used."""
    return next((found for place in where if (found := _look(kind, place)) is not None), None)


class Held(NamedTuple):
    """A place that has something; ``problem`` says why it cannot be used."""

    source: str
    problem: str | None = None


def all_held(kind: Kind, where: Sequence[Place]) -> Iterator[Held]:
    """Every place that has something, the winner first: for people who wonder."""
    for place in where:
        try:
            found = _look(kind, place)
        except RpctlError as error:
            yield Held(place.name, error.message)
        else:
            if found is not None:
                yield Held(found.source)


def checked(kind: Kind, value: str, source: str) -> Secret:
    """A secret or token that can be sent. Raises `InvalidValue`, which does not show it.

    A client secret is any text without control characters; a token is visible ASCII, as a header carries it.
    """
    if kind is Kind.CLIENT_SECRET:
        if not value.isprintable():
            raise InvalidValue(
                f"The {kind.value} from {source} holds a line break or another control character.",
                "It is one line; check what it was copied from.",
            )
    elif not re.fullmatch(r"[!-~]+", value):
        raise InvalidValue(
            f"The {kind.value} from {source} holds a space, a line break or a character that no token has.",
            "Give the token alone, without the word Bearer before it.",
        )
    return Secret(value, source)


def text_of(kind: Kind, content: bytes, source: str) -> str:
    """The text of a file or stream: UTF-8, without the line end at its end. Raises `InvalidValue`."""
    if len(content) > MAX_BYTES:
        raise InvalidValue(f"The {kind.value} from {source} is longer than {MAX_BYTES} bytes.")
    try:
        return content.decode().removeprefix("\ufeff").rstrip("\r\n")
    except UnicodeDecodeError:
        raise InvalidValue(f"The {kind.value} from {source} is not UTF-8 text.") from None


def read_file(kind: Kind, path: str, source: str) -> Secret | None:
    """What a file that someone named holds; ``None`` where it is empty.

    The path itself is shown only where there is such a file: what was put in its place may be the secret.
    Raises `InvalidConfig` for one that is not there, cannot be read, or may be read by every user of the machine.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as stream:
            about = os.fstat(descriptor)
            if S_ISREG(about.st_mode) and about.st_mode & 0o004:
                from shlex import quote

                raise InvalidConfig(
                    f"Every user of this machine may read the file that {source} names.",
                    f"Run `chmod o= {quote(path)}`; in a container, mount it with mode 0400.",
                )
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        why = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is no path"
        raise InvalidConfig(f"The file that {source} names cannot be read: {why}.", "Check its path.") from None
    text = text_of(kind, content, source)
    return checked(kind, text, source) if text else None


def _look(kind: Kind, place: Place) -> Secret | None:
    try:
        return place.look()
    except InvalidValue as error:  # typed nowhere: the surroundings are wrong, not the command line
        raise InvalidConfig(error.message, error.hint, credential=kind.value) from None


def _named_file(environ: Mapping[str, str]) -> Secret | None:
    path = environ.get(SECRET_FILE)
    return read_file(Kind.CLIENT_SECRET, path, SECRET_FILE) if path else None


def _of_systemd(environ: Mapping[str, str]) -> Secret | None:
    folder = environ.get(CREDENTIALS_DIRECTORY, "")
    file = Path(folder, SYSTEMD_NAME)
    if not folder.startswith("/") or not file.exists():
        return None
    return read_file(Kind.CLIENT_SECRET, str(file), f"${CREDENTIALS_DIRECTORY}/{SYSTEMD_NAME}")


def _of_variable(kind: Kind, variable: str, environ: Mapping[str, str]) -> Secret | None:
    text = environ.get(variable, "").rstrip("\r\n")
    return checked(kind, text, variable) if text else None
