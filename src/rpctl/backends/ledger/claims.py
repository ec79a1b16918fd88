"""Who works on the import of a file: one process at a time, by a lock that the system lets go of with the process.

Beside the ledger lies ``LEDGER-imports``, an empty file, of which every content of a file has one byte of its own to
lock. It is never removed: whoever had it open would go on locking what nobody else sees. Two imports inside one
process do not exclude each other; a process runs one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rpctl.backends.ledger.sql import faults
from rpctl.errors import ImportUnderWay

_SUFFIX: Final = "-imports"
_FLOCK: Final = "hhqqi4x"  # Linux, 64 bits: l_type, l_whence, l_start, l_len, l_pid


def claim_file(ledger: Path) -> Path:
    """The file whose bytes are locked."""
    place = ledger.resolve()
    return place.with_name(place.name + _SUFFIX)


@contextmanager
def claim(ledger: Path, content: bytes, *, wait: bool) -> Iterator[None]:
    """Holds the claim on a file by the digest of its cells; ``wait``: until another process lets go of it.

    Raises `ImportUnderWay`, whose details tell the other process, and `LedgerUnusable`, `StorageFull`.
    """
    path = claim_file(ledger)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise faults.unusable(ledger, error, "written") from error
    try:
        _lock(descriptor, ledger, int.from_bytes(content[:8], "big") >> 2, wait=wait)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int, ledger: Path, at: int, *, wait: bool) -> None:
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, at)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise faults.unusable(ledger, error, "locked") from error
        pid = _holder(descriptor, at)
        busy = ImportUnderWay(f"Another process{f' (pid {pid})' if pid else ''} is at work on this file.")
        busy.details |= {"pid": pid} if pid else {}
        raise busy from None


def _holder(descriptor: int, at: int) -> int | None:
    """The process that has the byte, where the system tells it."""
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, at, 1, 0)
    try:
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:
        return None
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None  # 0: a process of another container
