"""One byte of a file, held by one process at a time: the system lets go of it with the process.

The file is empty and is never removed: whoever had it open would go on locking what nobody else sees. Two holders in
one process do not exclude each other.
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

_FLOCK: Final = "hhqqi4x"  # Linux, 64 bits: l_type, l_whence, l_start, l_len, l_pid


class Held(Exception):
    """Another process holds it; ``pid`` says which, where the system tells."""

    def __init__(self, pid: int | None) -> None:
        super().__init__(pid)
        self.pid = pid

    @property
    def who(self) -> str:
        """`` (pid 17)``, or nothing."""
        return f" (pid {self.pid})" if self.pid else ""


class Locks:
    """The bytes of the file at ``path``, which is made with its folder when the first is held.

    One object per file and process: where a process closes a file, the system lets go of all that it held there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: int | None = None

    @contextmanager
    def hold(self, at: int, *, wait: bool = False) -> Iterator[None]:
        """Holds the byte at ``at`` (0 to 2**62) until the end of the context; ``wait``: until another process lets
        go. Raises `Held`, OSError."""
        if self._opened is None:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._opened = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        descriptor = self._opened
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB), 1, at)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            raise Held(_holder(descriptor, at)) from None
        try:
            yield
        finally:
            fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, at)

    def close(self) -> None:
        """Lets go of everything."""
        if self._opened is not None:
            os.close(self._opened)
            self._opened = None


def _holder(descriptor: int, at: int) -> int | None:
    if sys.platform != "linux" or sys.maxsize < 2**32:
        return None
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, at, 1, 0)
    try:
        kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(descriptor, fcntl.F_GETLK, asked))
    except OSError:
        return None
    return pid if kind != fcntl.F_UNLCK and pid > 0 else None  # 0: a process of another container
