"""The configuration file as values: reads it, and refuses what is wrong in it by file, profile and key.

    current = "shop"                  # the profile that works when none is named

    [profiles.shop]
    backend = "ledger"
    time_zone = "Europe/Berlin"
    site = "main"
    production = true
    read_only = false
    ledger = "/srv/points/shop.db"

    [profiles.live]
    backend = "emporix"
    url = "https://api.emporix.io"
    tenant = "acme"
    client_id = "kLm3vXq9"
    timeout_s = 60
    settle_s = 30

    [profiles.loja]
    backend = "bonifiq"
    client_id = "the API token"

A file that is not there is one without profiles. This module never writes (`rpctl.config.editing` does), and
holds no secret: a message names a key that is wrong, and shows a value only of a key that it knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from rpctl.config import allowed
from rpctl.errors import InvalidConfig, ProfileNotFound

MAX_BYTES: Final = 1_048_576
_ELSEWHERE: Final = "RPCTL_CONFIG names another configuration file."


class Profile(NamedTuple):
    """A profile as it stands in the file; ``None`` means that it says nothing and the default holds.

    ``ledger`` is a path as written: absolute, beginning with ``~/``, or relative to the file's directory.
    """

    name: str
    backend: str | None = None
    time_zone: str | None = None
    site: str | None = None
    production: bool | None = None
    read_only: bool | None = None
    ledger: str | None = None
    url: str | None = None
    tenant: str | None = None
    client_id: str | None = None
    timeout_s: float | None = None
    settle_s: float | None = None


KEYS: Final[Mapping[str, Callable[[object], object]]] = {
    "backend": allowed.backend,
    # Whether there is such a zone is asked only of the profile that is used: the question costs milliseconds.
    "time_zone": allowed.zone_text,
    "site": allowed.site,
    "production": allowed.boolean,
    "read_only": allowed.boolean,
    "ledger": allowed.path_text,
    "url": allowed.url,
    "tenant": allowed.tenant,
    "client_id": allowed.client_id,
    "timeout_s": allowed.timeout_s,
    "settle_s": allowed.settle_s,
}
"""The keys of a profile and what each may be, in the order in which they are written."""


class Profiles(NamedTuple):
    """What a configuration file says. ``current`` may name a profile that is gone; using it is the error."""

    file: Path
    current: str | None
    by_name: Mapping[str, Profile]

    def get(self, name: str) -> Profile:
        """The profile of this name. Raises `ProfileNotFound`, which names the ones there are."""
        if name in self.by_name:
            return self.by_name[name]
        names = list(self.by_name)
        raise ProfileNotFound(
            f"There is no profile {name!r} in {self.file}.", self.which_are_there(), profile=name, profiles=names
        )

    def which_are_there(self) -> str:
        """The hint after a name that is not one of these."""
        if not self.by_name:
            return "There are none yet; `rpctl profile create NAME` makes one."
        return f"There are: {', '.join(self.by_name)}."


def load(file: Path) -> Profiles:
    """All that the file says, checked.

    Raises `InvalidConfig` for a file that cannot be read, is a directory, longer than 1 MiB, not UTF-8 or not
    TOML (with the line), and for an unknown key, backend or value in it.
    """
    text = read(file)
    return Profiles(file, None, {}) if text is None else parse(text, file)


def read(file: Path) -> str | None:
    """The file's text, line ends as they are; ``None`` where there is no file. Raises `InvalidConfig`."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except IsADirectoryError:
        raise InvalidConfig(f"{file} is a directory, not a configuration file.", _ELSEWHERE, file=str(file)) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidConfig(f"{file} cannot be read: {reason}.", _ELSEWHERE, file=str(file)) from error
    if len(content) > MAX_BYTES:
        raise InvalidConfig(f"{file} is longer than 1 MiB.", _ELSEWHERE, file=str(file))
    try:
        # Some editors begin a UTF-8 file with a byte order mark.
        return content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise InvalidConfig(
            f"{file} is not UTF-8 text (at line {line}).", "Save it as UTF-8.", file=str(file), line=line
        ) from None


def parse(text: str, file: Path) -> Profiles:
    """What this text of ``file`` says. Raises `InvalidConfig`."""
    if not text.strip():
        return Profiles(file, None, {})
    document = _document(text, file)
    for key in document:
        if key not in ("current", "profiles"):
            raise InvalidConfig(
                f"{file} has an unknown key {key!r}.",
                "Allowed: current, and tables [profiles.NAME].",
                file=str(file),
                key=key,
                allowed=["current", "profiles"],
            )
    current = document.get("current")
    if current is not None:
        try:
            current = allowed.profile_name(current)
        except allowed.NotAllowed as wrong:
            raise refused(f"`current` in {file}", current, wrong, file=str(file), key="current") from None
    tables = document.get("profiles", {})
    if not isinstance(tables, dict):
        raise InvalidConfig(
            f"`profiles` in {file} is not a table.", "Write each as [profiles.NAME].", file=str(file), key="profiles"
        )
    return Profiles(file, current, {name: _profile(file, name, table) for name, table in tables.items()})


def refused(where: str, value: object, wrong: allowed.NotAllowed, **details: Any) -> InvalidConfig:
    """The error for a value that a place in the configuration or an RPCTL_* variable cannot have."""
    return InvalidConfig(
        f"{where} cannot be {wrong.told or allowed.shown(value)}.", f"Allowed: {wrong.allowed}.", **details
    )


def _profile(file: Path, name: str, table: object) -> Profile:
    try:
        allowed.profile_name(name)
    except allowed.NotAllowed as wrong:
        raise refused(f"A profile's name in {file}", name, wrong, file=str(file), profile=name) from None
    if not isinstance(table, dict):
        raise InvalidConfig(
            f"Profile {name!r} in {file} is not a table.",
            f"Write it as [profiles.{name}] with a line for each key.",
            file=str(file),
            profile=name,
        )
    for key, value in table.items():
        facts = {"file": str(file), "profile": name, "key": key}
        if key not in KEYS:
            raise InvalidConfig(
                f"Profile {name!r} in {file} has an unknown key {key!r}.",
                f"Allowed: {', '.join(KEYS)}.",
                allowed=list(KEYS),
                **facts,
            )
        try:
            KEYS[key](value)
        except allowed.NotAllowed as wrong:
            raise refused(f"{key} of profile {name!r} in {file}", value, wrong, **facts) from None
    return Profile(name, **table)


def _document(text: str, file: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    # Beside its own error tomllib lets through a number with thousands of digits and brackets nested as deep.
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a value is too long or too deep"
        facts: dict[str, Any] = {"file": str(file)}
        line = reason.partition("(at line ")[2].partition(",")[0]
        if line.isdecimal():
            facts["line"] = int(line)
        raise InvalidConfig(
            f"{file} is not valid TOML: {reason}.", "Correct that line; text needs quotes around it.", **facts
        ) from None
