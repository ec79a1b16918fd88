"""Folders of our own in which something is made or tried: gone at the end, and where the process was killed, gone
with the next one made beside it, for they hold whole ledgers. Nothing that is in use is ever swept away.

A folder is in use as long as its maker holds its lock, which the system lets go of whatever ends the process.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_PREFIX: Final = ".rpctl-"
_PURPOSES: Final = ("new", "rehearsal")


@contextmanager
def workplace(folder: Path, purpose: str = "new") -> Iterator[Path]:
    """A new folder, 0700, in ``folder``, after leftovers of others there were swept up. Raises `OSError`."""
    sweep(folder)
    place, lock = _make(folder.absolute(), purpose)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)
        os.close(lock)


def sweep(folder: Path) -> None:
    """Removes what killed processes of the same user left in ``folder``."""
    try:
        with os.scandir(folder) as found:
            places = [one.path for one in found if _is_ours(one.name)]
    except OSError:
        return
    for place in places:
        with suppress(OSError):  # in use, another user's, gone meanwhile, or on a file system without locks
            lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
            try:
                if os.fstat(lock).st_uid == os.geteuid():
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(place, ignore_errors=True)
            finally:
                os.close(lock)


def _is_ours(name: str) -> bool:
    return any(name.startswith(f"{_PREFIX}{purpose}-") for purpose in _PURPOSES)


def _make(folder: Path, purpose: str) -> tuple[Path, int]:
    while True:
        place = folder / f"{_PREFIX}{purpose}-{os.urandom(6).hex()}"
        place.mkdir(mode=0o700)
        try:
            lock = os.open(place, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue  # taken for a leftover before it was locked
        with suppress(OSError):  # without locks nobody sweeps either
            fcntl.flock(lock, fcntl.LOCK_EX)
        if place.exists():
            return place, lock
        os.close(lock)
