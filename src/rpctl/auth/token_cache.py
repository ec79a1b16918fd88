"""Keeps access tokens between commands, in files of their owner's, and lets one process ask for all.

What is here may be lost at any time: a file that is damaged, not ours or readable by others is one without a
token, and where nothing can be written everything goes on without a cache.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rpctl.auth.account import Account, digest
from rpctl.auth.private_files import NotPrivate, make_private_folder, read_private, write_private

_SCHEMA: Final = "rpctl.token/1"
_MARGIN_MS: Final = 60_000
_PATIENCE_S: Final = 20.0
_PAUSE_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Token:
    """An access token. ``issued`` and ``expires`` are milliseconds since 1970; ``scopes`` are those asked for."""

    value: str = field(repr=False)
    issued: int
    expires: int
    scopes: tuple[str, ...] = ()

    def is_good(self, now: int) -> bool:
        """Whether it can still be used: until a minute before it expires, of a short life until its last tenth."""
        return self.issued <= now < self.expires - min(_MARGIN_MS, (self.expires - self.issued) // 10)


class TokenCache:
    """The tokens of one account. ``folder`` is the cache directory, ``None`` for no cache."""

    def __init__(self, account: Account, folder: Path | None) -> None:
        self._account = account
        self._folder = None if folder is None else folder / "tokens"

    def read(self, scopes: Sequence[str]) -> Token | None:
        """The token for these scopes, expired or not."""
        return None if self._folder is None else self._token(self._file(scopes))

    def write(self, token: Token) -> None:
        """Keeps a token for its scopes, where that is possible."""
        if self._folder is None:
            return
        document = {
            "schema": _SCHEMA, "account": list(self._account), "scopes": sorted(token.scopes),
            "issued": token.issued, "expires": token.expires, "accessToken": token.value,
        }  # fmt: skip
        with suppress(OSError):
            write_private(self._file(token.scopes), json.dumps(document).encode())

    def all(self) -> list[Token]:
        """Every token of the account."""
        found = [self._token(file) for file in self._files()]
        return [token for token in found if token is not None]

    def clear(self) -> int:
        """Forgets the account's tokens; how many there were."""
        cleared = 0
        for file in self._files():
            if self._token(file) is not None:
                with suppress(OSError):
                    file.unlink()
                    cleared += 1
        return cleared

    @contextmanager
    def turn(self, scopes: Sequence[str]) -> Iterator[None]:
        """Only one process at a time asks for a token for these scopes. Who has waited for long goes on regardless."""
        descriptor = self._lock_file(scopes)
        if descriptor is None:
            yield
            return
        import fcntl

        try:
            give_up_s = time.monotonic() + _PATIENCE_S
            while time.monotonic() < give_up_s:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    time.sleep(_PAUSE_S)
                except OSError:  # a file system without locks
                    break
            yield
        finally:
            os.close(descriptor)

    def _lock_file(self, scopes: Sequence[str]) -> int | None:
        if self._folder is None:
            return None
        try:
            make_private_folder(self._folder)
            flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
            return os.open(self._file(scopes).with_suffix(".lock"), flags, 0o600)
        except OSError:
            return None

    def _file(self, scopes: Sequence[str]) -> Path:
        assert self._folder is not None
        url, tenant, client_id = self._account
        return self._folder / f"{digest(url, tenant, client_id or '', *sorted(scopes))}.json"

    def _files(self) -> list[Path]:
        try:
            return [] if self._folder is None else sorted(self._folder.glob("*.json"))
        except OSError:
            return []

    def _token(self, file: Path) -> Token | None:
        try:
            content = read_private(file)
            document = json.loads(content) if content else {}
        except (NotPrivate, OSError, ValueError, RecursionError):
            return None
        return self._of(document) if isinstance(document, dict) else None

    def _of(self, document: dict[str, Any]) -> Token | None:
        value, scopes = document.get("accessToken"), document.get("scopes")
        issued, expires = document.get("issued"), document.get("expires")
        if document.get("schema") != _SCHEMA or document.get("account") != list(self._account):
            return None
        if not (is_token(value) and type(issued) is type(expires) is int and isinstance(scopes, list)):
            return None
        return Token(str(value), int(issued), int(expires), tuple(map(str, scopes)))


def is_token(value: object) -> bool:
    """Whether a header can carry this: visible ASCII."""
    return isinstance(value, str) and value.isascii() and value.isprintable() and " " not in value and bool(value)
