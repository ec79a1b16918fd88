"""Copies of what can be read only once (a pipe): kept until the import run that reads them has finished.

A copy is written under a temporary name, reaches the disk whole, and only then gets the name of its run; so whatever
has such a name is whole. What a killed process left under a temporary name goes with the next copy made beside it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Final

_UNFINISHED: Final = ".spooling-"
_SUFFIX: Final = ".csv"
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Spooled:
    """One copy, 0600. It is removed at the end unless `keep` gave it a name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kept = False

    def open(self) -> BinaryIO:
        """The copy's bytes from the start."""
        return self.path.open("rb")

    def place_of(self, run: str) -> Path:
        """Where the copy lies once `keep` has put it there."""
        return self.path.with_name(run + _SUFFIX)

    def keep(self, run: str) -> None:
        """Gives the copy the name of its run; an earlier copy of the same run gives way. Raises `OSError`."""
        place = self.place_of(run)
        self.path.replace(place)
        self.path, self.kept = place, True
        _sync(place.parent)


@contextmanager
def spooled(folder: Path, stream: BinaryIO) -> Iterator[Spooled | None]:
    """A copy of all that the stream gives, in ``folder``, which is made 0700 where it is not there.

    None, and nothing read, where no file can be made there. Raises `OSError` for what goes wrong after that.
    """
    made = _make(folder)
    if made is None:
        yield None
        return
    path, descriptor = made
    copy = Spooled(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
            file.flush()
            os.fsync(file.fileno())
            yield copy  # open as long as it has its temporary name: whoever sweeps finds it locked
    finally:
        if not copy.kept:
            path.unlink(missing_ok=True)


def sweep(folder: Path) -> None:
    """Removes what killed processes of the same user left half copied, and nothing that is in use."""
    try:
        leftovers = [path for path in folder.iterdir() if path.name.startswith(_UNFINISHED)]
    except OSError:
        return
    for path in leftovers:
        with suppress(OSError):  # in use, another user's, or gone meanwhile
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()
            finally:
                os.close(descriptor)


def _make(folder: Path) -> tuple[Path, int] | None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        sweep(folder)
        while True:
            path = folder / f"{_UNFINISHED}{os.urandom(6).hex()}"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            with suppress(OSError):  # without locks nobody sweeps either
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if path.exists():
                return path, descriptor
            os.close(descriptor)  # taken for a leftover before it was locked
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise
        return None


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
