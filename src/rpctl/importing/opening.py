"""A file or a pipe as a `Source`: its encoding, copies of what can be read only once, and what is no text at all."""

from __future__ import annotations

import io
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, BinaryIO, Final

from rpctl.errors import InvalidFile, InvalidValue
from rpctl.importing.reader import SAVE_AS_UTF8, Source, unreadable
from rpctl.importing.spool import Spooled, spooled

_UTF8_BOM: Final = b"\xef\xbb\xbf"
_UNPACK: Final = "Unpack it and pipe it in: {} FILE | rpctl points import -"
_PACKED: Final = (
    (b"PK\x03\x04", "a spreadsheet or a zip archive", "Save the sheet as CSV (UTF-8), or unpack the archive."),
    (b"\xd0\xcf\x11\xe0", "a spreadsheet of an old kind", "Save the sheet as CSV (UTF-8)."),
    (b"\x1f\x8b", "compressed with gzip", _UNPACK.format("gzip -dc")),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", _UNPACK.format("zstd -dc")),
    (b"\xfd7zXZ\x00", "compressed with xz", _UNPACK.format("xz -dc")),
    (b"BZh91AY&SY", "compressed with bzip2", _UNPACK.format("bzip2 -dc")),
    (b"%PDF-", "a PDF", "A CSV file is wanted."),
)
_LOOK_AHEAD_BYTES: Final = 1 << 16


@contextmanager
def open_source(
    file: Path | BinaryIO,
    name: str,
    *,
    encoding: str | None = None,
    delimiter: str | None = None,
    mapping: Mapping[str, str] | None = None,
    columns: Sequence[str] | None = None,
    spool: Path | None = None,
) -> Iterator[Source]:
    """A file or stream as a `Source`; what can be read only once (a pipe) is first copied to the folder ``spool``
    (`Source.spooled`), or where that is None or cannot be written, to a temporary file without a name.

    ``name`` stands for it in messages; ``encoding``, ``delimiter``: None = found from the content; ``mapping``:
    field -> column name; ``columns``: names for a file without a header line. Raises `InvalidFile` for a file
    that is absent, a directory, unreadable, empty or not text; `InvalidValue` for an unknown encoding or an
    impossible delimiter; `StorageFull`.
    """
    _check_encoding(encoding)
    if delimiter is not None and (len(delimiter) != 1 or delimiter in '"\r\n\0'):
        raise InvalidValue(f"{delimiter!r} is not a delimiter.", "It is one character, such as , ; | or a tab.")
    with _readable_again(file, name, spool) as (open_bytes, copy):
        try:
            with open_bytes() as binary:
                start = binary.read(_LOOK_AHEAD_BYTES)
        except OSError as error:
            raise unreadable(name, error) from error
        if not start:
            raise InvalidFile(f"{name} is empty.", "A file needs a header line such as customer_id,points.")
        _refuse_packed(start, name)
        if encoding is None or start.startswith(_UTF8_BOM):  # nothing typed says otherwise: rejects may have come to it
            encoding = _found_encoding(start, name)
        source = Source(name, open_bytes, encoding, columns, copy)
        source.find_header(mapping or {}, delimiter)
        yield source


def _found_encoding(start: bytes, name: str) -> str:
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\0" in start:
        raise InvalidFile(f"{name} is not a text file.", f"A CSV file is wanted. {SAVE_AS_UTF8}")
    return "utf-8-sig" if start.startswith(_UTF8_BOM) else "utf-8"


def _refuse_packed(start: bytes, name: str) -> None:
    for magic, what, hint in _PACKED:
        if start.startswith(magic):
            raise InvalidFile(f"{name} is {what}, not a CSV file.", hint)


def _check_encoding(encoding: str | None) -> None:
    if encoding is None:
        return
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=encoding).close()
    except LookupError:
        raise InvalidValue(f"{encoding!r} is not an encoding.", "Write it like utf-8, utf-16 or cp1252.") from None


@contextmanager
def _readable_again(
    file: Path | BinaryIO, name: str, spool: Path | None
) -> Iterator[tuple[Callable[[], BinaryIO], Spooled | None]]:
    if isinstance(file, Path):
        try:
            mode = file.stat().st_mode
        except OSError as error:
            raise unreadable(name, error) from error
        if stat.S_ISDIR(mode):
            raise InvalidFile(f"{name} is a directory.", "Name a CSV file.")
        if stat.S_ISREG(mode):
            yield lambda: file.open("rb"), None
            return
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(file.open("rb")) if isinstance(file, Path) else file
            copy = None if spool is None else stack.enter_context(spooled(spool, stream))
            open_bytes = copy.open if copy else _copied(stream, stack.enter_context(tempfile.TemporaryFile()))
        except OSError as error:
            raise unreadable(name, error) from error
        yield open_bytes, copy


def _copied(stream: BinaryIO, copy: IO[bytes]) -> Callable[[], BinaryIO]:
    shutil.copyfileobj(stream, copy)
    copy.flush()

    def again() -> BinaryIO:
        descriptor = os.dup(copy.fileno())
        os.lseek(descriptor, 0, os.SEEK_SET)
        return os.fdopen(descriptor, "rb")

    return again
