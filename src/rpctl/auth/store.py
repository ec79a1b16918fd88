"""What `auth login` stores: in the system's keyring, or where there is none in a file that only its owner reads.

Beside each secret in the keyring lies a record without it, so that a ready token that was never stored costs no
question to the keyring. The keyring's library is loaded when the keyring is asked, and each question ends within
a time-out: without a desktop, or with a locked one, some backends wait for ever.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeVar

from rpctl.auth.account import Account, digest
from rpctl.auth.private_files import NotPrivate, read_private, write_private
from rpctl.auth.secrets import Kind, Place, Secret, checked
from rpctl.errors import InvalidConfig, StorageFull, Temporary

T = TypeVar("T")

SERVICE: Final = "rpctl"
"""Under this name the keyring shows what is ours."""

SWITCH: Final = "RPCTL_KEYRING"
TIMEOUT: Final = "RPCTL_KEYRING_TIMEOUT_S"
TIMEOUT_S: Final = 3.0
THE_KEYRING: Final = "the keyring"

_UNSAFE: Final = ("keyring.backends.fail", "keyring.backends.null", "keyrings.alt.")
_SCHEMA: Final = "rpctl.credential/1"


class NoKeyring(Exception):
    """Why there is no keyring to ask; the text follows "the keyring: "."""


class Keyring:
    """The system's keyring. Once it has not answered it is not asked again.

    ``load`` opens it, on another thread; by default `system_keyring`.
    """

    def __init__(self, environ: Mapping[str, str], load: Callable[[], Any] | None = None) -> None:
        self._environ = environ
        self._load = load
        self._opened: Any = None
        self._why: str | None = None

    @property
    def told(self) -> str:
        """Its name for people, with why it cannot be asked where that has shown."""
        return THE_KEYRING if self._why is None else f"{THE_KEYRING} ({self._why})"

    def absence(self, user: str) -> str | None:
        """Why nothing can be stored for ``user``; ``None`` where the keyring answers. Raises `InvalidConfig`."""
        try:
            self._ask(lambda keyring: keyring.get_password(SERVICE, user))
        except NoKeyring as why:
            return str(why)
        return None

    def read(self, user: str) -> str | None:
        """What is stored, ``None`` where nothing is. Raises `NoKeyring`, and `InvalidConfig` for a wrong variable."""
        value = self._ask(lambda keyring: keyring.get_password(SERVICE, user))
        return value if isinstance(value, str) and value else None

    def write(self, user: str, value: str) -> None:
        """Stores, and looks whether it is there. Raises `NoKeyring`."""

        def store(keyring: Any) -> bool:
            keyring.set_password(SERVICE, user, value)
            return bool(keyring.get_password(SERVICE, user) == value)

        if not self._ask(store):
            raise NoKeyring("it does not keep what it is given")

    def delete(self, user: str) -> bool:
        """Takes out what is stored; whether there was something. Raises `NoKeyring`."""

        def delete(keyring: Any) -> bool:
            if keyring.get_password(SERVICE, user) is None:
                return False
            keyring.delete_password(SERVICE, user)
            return True

        return self._ask(delete)

    def _ask(self, question: Callable[[Any], T]) -> T:
        timeout_s = self._check_variables()
        if self._why is not None:
            raise NoKeyring(self._why)
        import threading

        answers: list[T] = []
        failures: list[str] = []

        def work() -> None:
            try:
                if self._opened is None:
                    self._opened = (self._load or system_keyring)()
                answers.append(question(self._opened))
            except NoKeyring as absent:
                failures.append(str(absent))
            except Exception as error:  # whatever a backend of the machine's raises; its text may hold anything
                failures.append("it is locked" if "Locked" in type(error).__name__ else f"{type(error).__name__}")

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        thread.join(timeout_s)
        if answers:
            return answers[0]
        self._why = failures[0] if failures else f"it did not answer within {timeout_s:g} seconds"
        raise NoKeyring(self._why)

    def _check_variables(self) -> float:
        switch = self._environ.get(SWITCH, "").lower()
        if switch in ("off", "0", "no", "false"):
            self._why = f"{SWITCH} turns it off"
        elif switch not in ("", "on", "1", "yes", "true"):
            raise InvalidConfig(f"{SWITCH} is neither on nor off.", "Allowed: on, off.", variable=SWITCH)
        text = self._environ.get(TIMEOUT, "")
        try:
            timeout_s = float(text) if text else TIMEOUT_S
        except ValueError:
            timeout_s = 0.0
        if not 0.1 <= timeout_s <= 600:
            raise InvalidConfig(
                f"{TIMEOUT} is no number of seconds.", "Allowed: a number from 0.1 to 600.", variable=TIMEOUT
            )
        return timeout_s


def system_keyring() -> Any:
    """The machine's keyring. Raises `NoKeyring` where there is none that protects what it keeps."""
    import logging

    logging.getLogger("keyring").addHandler(logging.NullHandler())  # its complaints are for nobody's screen
    import keyring

    chosen = keyring.get_keyring()
    for one in getattr(chosen, "backends", None) or [chosen]:
        if not f"{type(one).__module__}.".startswith(tuple(name.rstrip(".") + "." for name in _UNSAFE)):
            return one
    raise NoKeyring("this machine has none")


class Store:
    """What was stored for one account. ``folder`` is where the records lie, ``None`` where there is no home."""

    def __init__(self, account: Account, folder: Path | None, keyring: Keyring) -> None:
        self.account = account
        self.keyring = keyring
        self._folder = folder

    def places(self, kind: Kind) -> Sequence[Place]:
        """The keyring and the file, as places to look for a secret."""
        found = [Place(self.keyring.told, lambda: self._from_keyring(kind))]
        if self._folder is not None:
            found.append(Place(str(self.file(kind)), lambda: self._from_file(kind)))
        return found

    def file(self, kind: Kind) -> Path:
        """Where the record of this lies, or would. Raises `InvalidConfig` where there is no home."""
        if self._folder is None:
            raise InvalidConfig(
                "There is no home directory to store credentials in.",
                "Set HOME, or hand the secret over by a variable.",
            )
        return self._folder / f"{digest(kind.value, *self._words)}.json"

    def absence(self, kind: Kind) -> str | None:
        """Why the keyring cannot store this; ``None`` where it can."""
        return self.keyring.absence(self.account.named(kind.value))

    def put(self, kind: Kind, secret: Secret, *, in_file: bool) -> str:
        """Stores in the keyring or the file, in place of what was stored before; tells where, in words.

        Raises `Temporary` where the keyring does not take it, `InvalidConfig` where the file cannot be written.
        """
        record = {
            "schema": _SCHEMA, "credential": kind.value, "url": self.account.url, "tenant": self.account.tenant,
            "clientId": self.account.client_id, "in": "file" if in_file else "keyring",
        }  # fmt: skip
        if in_file:
            record["secret"] = secret.reveal()
        else:
            try:
                self.keyring.write(self.account.named(kind.value), secret.reveal())
            except NoKeyring as why:
                raise Temporary(
                    f"The keyring does not take the {kind.value}: {why}.",
                    "Unlock it and log in again; with RPCTL_KEYRING=off a file takes its place.",
                ) from None
        file = self.file(kind)
        try:
            write_private(file, json.dumps(record).encode())
        except OSError as error:
            raise _unwritable(file, error) from error
        return str(file) if in_file else THE_KEYRING

    def remove(self, kind: Kind) -> list[str]:
        """Takes out what was stored; the places in words.

        Raises `Temporary` where something is in the keyring and it does not answer; the file is gone then.
        """
        record = self._record(kind, strict=False)
        removed = []
        try:
            if (kind is Kind.CLIENT_SECRET or record.get("in") == "keyring") and self.keyring.delete(
                self.account.named(kind.value)
            ):
                removed.append(THE_KEYRING)
        except NoKeyring as why:
            if record.get("in") == "keyring":
                raise Temporary(
                    f"The {kind.value} is still in the keyring: {why}.", "Unlock it and try again."
                ) from None
        if self._folder is not None:
            file = self.file(kind)
            try:
                file.unlink()
            except FileNotFoundError:
                pass
            except OSError as error:
                raise _unwritable(file, error) from error
            else:
                if record.get("in") != "keyring":
                    removed.append(str(file))
        return removed

    @property
    def _words(self) -> tuple[str, str, str]:
        return self.account.url, self.account.tenant, self.account.client_id or ""

    def _from_keyring(self, kind: Kind) -> Secret | None:
        if kind is not Kind.CLIENT_SECRET and self._record(kind).get("in") != "keyring":
            return None
        try:
            value = self.keyring.read(self.account.named(kind.value))
        except NoKeyring:
            return None
        return checked(kind, value, THE_KEYRING) if value else None

    def _from_file(self, kind: Kind) -> Secret | None:
        value = self._record(kind).get("secret")
        return checked(kind, value, str(self.file(kind))) if isinstance(value, str) and value else None

    def _record(self, kind: Kind, *, strict: bool = True) -> dict[str, Any]:
        if self._folder is None:
            return {}
        file = self.file(kind)
        try:
            content = read_private(file)
            record = json.loads(content) if content is not None else {}
        except NotPrivate as why:
            if strict:
                raise InvalidConfig(
                    f"{file} holds a {kind.value} and {why}.",
                    f"If nobody has read it, `chmod 600 {file}`; else `rpctl auth logout` and a new secret.",
                ) from None
            return {}
        except (OSError, ValueError, RecursionError) as error:
            if strict:
                reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else "it is damaged"
                raise InvalidConfig(f"{file} cannot be read: {reason}.", "`rpctl auth login` writes it anew.") from None
            return {}
        return record if isinstance(record, dict) else {}


def _unwritable(file: Path, error: OSError) -> InvalidConfig | StorageFull:
    import errno

    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"{file} cannot be written: the disk is full.")
    return InvalidConfig(f"{file} cannot be written: {error.strerror or error}.", "Check the folder's permissions.")
