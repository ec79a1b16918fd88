"""What can be wrong with a ledger file, told by the system or by SQLite, as errors of ours."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from rpctl.errors import LedgerBusy, LedgerUnusable, RpctlError, StorageFull

BUSY_TIMEOUT_S: Final = 30.0
"""How long a change waits for its turn."""


class LedgerDamaged(LedgerUnusable):
    """The file is a ledger, and SQLite cannot read it any more."""


def exists(path: Path) -> bool:
    """Whether there is anything under this name, a link to nowhere included. Raises `LedgerUnusable`."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise unusable(path, error, "read") from error
    return True


def is_writable(path: Path) -> bool:
    """Whether the system lets us write the ledger, and beside it, where SQLite keeps its log."""
    return all(os.access(place, os.W_OK, effective_ids=True) for place in (path, path.parent))


def not_a_ledger(path: Path) -> LedgerUnusable:
    """The refusal of a file that is something else."""
    return LedgerUnusable(
        f"{path} is not an rpctl ledger.", "It was left as it is. Name another file with --ledger FILE."
    )


def read_only(path: Path) -> LedgerUnusable:
    """The refusal to write where the system lets us read only."""
    return LedgerUnusable(
        f"The ledger {path} is read-only.",
        "Check the permissions of the file and its folder, or name another ledger with --ledger FILE.",
    )


@contextmanager
def translated(path: Path, noun: str = "ledger") -> Iterator[None]:
    """Turns SQLite's errors into ours, the most specific first; ``noun``: what the file is to the user."""
    try:
        yield
    except sqlite3.Error as error:
        raise translate(path, error, noun) from error


def unusable(path: Path, error: OSError, what: str, noun: str = "ledger") -> RpctlError:
    """The error for a file that the system would not let us make or write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"The disk of {path} is full.")
    return LedgerUnusable(
        f"The {noun} {path} cannot be {what}: {os.strerror(error.errno or 0)}.",
        f"Check the permissions of its folder, or name {_another(noun)}.",
    )


def primary_code(error: sqlite3.Error) -> int:
    """SQLite's result code without what it adds to it."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def translate(path: Path, error: sqlite3.Error, noun: str = "ledger") -> RpctlError:
    """One error of SQLite as ours. Raises the error itself where it can only be a bug."""
    code = primary_code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerBusy(f"The {noun} {path} was busy for {BUSY_TIMEOUT_S:.0f} seconds.")
    full = code == sqlite3.SQLITE_FULL
    if full or (code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(path)):
        return StorageFull(f"The disk of the {noun} {path} is full.")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        if exists(path) and not is_writable(path):  # read without locks: a writer may have come in between
            return LedgerBusy(
                f"The {noun} {path} could not be read: someone is writing it, or it is damaged.",
                "Try again; `rpctl ledger verify`, run by someone who may write it, tells which.",
            )
        return LedgerDamaged(
            f"The {noun} {path} is damaged: {error}.",
            "Keep it as it is; `rpctl ledger restore FILE` brings back a backup.",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return LedgerUnusable(
            f"The {noun} {path} cannot be opened or written: {error}.",
            f"Check the permissions of the file and its folder, or name {_another(noun)}.",
        )
    raise error


def _is_full(path: Path) -> bool:
    with suppress(OSError):
        room = os.statvfs(path.parent)
        return room.f_bavail * room.f_frsize < 65_536
    return False


def _another(noun: str) -> str:
    return "another ledger with --ledger FILE" if noun == "ledger" else "another file"
