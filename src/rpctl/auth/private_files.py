"""Files that nobody but their owner reads: 0600 in folders of 0700, written in one step."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from stat import S_ISREG
from typing import Final

MAX_BYTES: Final = 65_536
"""No secret and no token is longer."""


class NotPrivate(Exception):
    """The file belongs to somebody else, others may read it, or it is no plain file. The text says which."""


def read_private(file: Path) -> bytes | None:
    """What a private file holds; ``None`` where there is none.

    Raises `NotPrivate`, and OSError for a file that cannot be read or is longer than `MAX_BYTES`.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with os.fdopen(descriptor, "rb") as stream:
        about = os.fstat(descriptor)
        if not S_ISREG(about.st_mode):
            raise NotPrivate("it is no plain file")
        if about.st_uid != os.geteuid():
            raise NotPrivate("it belongs to another user")
        if about.st_mode & 0o077:
            raise NotPrivate("other users may read it")
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(f"it is longer than {MAX_BYTES} bytes")
    return content


def write_private(file: Path, content: bytes) -> None:
    """Puts a file in the old one's place in one step; its folders are made where they are missing. Raises OSError."""
    make_private_folder(file.parent)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=".", suffix=".new")  # 0600 from its first byte
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(descriptor)
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def make_private_folder(folder: Path) -> None:
    """Makes a folder and those above it that are missing, for the owner only. Raises OSError."""
    missing = [part for part in (folder, *folder.parents) if not part.exists()]
    for part in reversed(missing):
        part.mkdir(mode=0o700, exist_ok=True)
