"""Bytes to rows of cells with line numbers: delimiter, quoting, and what is no CSV at all.

A `Source` can be read as often as wanted and keeps nothing in memory. This module knows nothing of points.
"""

from __future__ import annotations

import csv
import errno
import io
import os
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from typing import BinaryIO, Final, NamedTuple

from rpctl.errors import InvalidFile, StorageFull
from rpctl.importing.columns import is_of_rejects, known_names
from rpctl.importing.content import Content, ContentReader, as_one
from rpctl.importing.plain import NEVER_PLAIN, PlainLines
from rpctl.importing.spool import Spooled

DELIMITERS: Final = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}
_BOM: Final = "\ufeff"
_MAX_LINE_LENGTH: Final = 1 << 20
_RECORDS: Final = 500  # that are read at a time
_PROGRESS_ROWS: Final = 50_000
SAVE_AS_UTF8: Final = "Save it as UTF-8, or name its encoding with --encoding, for example --encoding cp1252."


class _Piece(NamedTuple):
    """Some of a file, in one of two forms: lines from number ``line`` on, each a row with nothing quoted in it, or
    rows as the CSV reader has them with the numbers of their first lines."""

    line: int
    lines: list[str]
    records: list[tuple[int, list[str]]]


class Source:
    """One CSV file, its encoding and delimiter known. Made by `rpctl.importing.opening`.

    ``header``: the cells of its header; ``encoding``: Python's name, fit for writing a like file; ``spooled``: the
    copy that it is read from, where that can be kept.
    """

    def __init__(
        self,
        name: str,
        open_bytes: Callable[[], BinaryIO],
        encoding: str,
        columns: Sequence[str] | None = None,
        spooled: Spooled | None = None,
    ) -> None:
        self.name = name
        self.spooled = spooled
        self.encoding = encoding
        self.delimiter = ","
        self.header: list[str] = list(columns or ())
        self._has_header_row = columns is None
        self._open_bytes = open_bytes
        self._seen: tuple[int, int] | None = None

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Every row after the header with the number of its first line, from 1; lines without any text in
        their cells are passed over.

        Raises `InvalidFile` with a line number for what is not text or not CSV, and where the file was
        changed since it was first read.
        """
        return chain.from_iterable(zip(*block, strict=True) for block in self.blocks())

    def blocks(self) -> Iterator[tuple[Sequence[int], list[list[str]]]]:
        """The same, some hundreds at a time: their lines, and their cells."""
        for line, lines, records in self._pieces():
            if records:
                yield [number for number, _ in records], [cells for _, cells in records]
                continue
            rows = [text.split(self.delimiter) for text in lines]
            if all(map(any, rows)):
                yield range(line, line + len(rows)), rows
            else:
                filled = [(number, cells) for number, cells in enumerate(rows, line) if any(cells)]
                yield [number for number, _ in filled], [cells for _, cells in filled]

    def content(self, on_progress: Callable[[int], None] | None = None, key_at: int | None = None) -> Content:
        """Reads everything once. Raises as `rows` does; ``on_progress`` gets the number of rows so far; ``key_at``:
        the index of the column of keys, if there is one."""
        keys = None if key_at is None else (key_at, key_at == len(self.header) - 1)
        header = self.header if self._has_header_row else None
        if header and _is_no_text(header):
            raise self._not_text([(1, header)])
        content = ContentReader(header, keys)
        for line, lines, records in self._pieces():
            before = content.rows
            try:
                if records:
                    content.add([as_one(cells) for _, cells in records])
                else:
                    content.add_lines(lines, self.delimiter)
            except UnicodeEncodeError:
                raise self._not_text(records or [(at, [text]) for at, text in enumerate(lines, line)]) from None
            if on_progress and content.rows % _PROGRESS_ROWS < content.rows - before:
                on_progress(content.rows)
        return content.content()

    def _not_text(self, records: list[tuple[int, list[str]]]) -> InvalidFile:
        line = next(line for line, cells in records if _is_no_text(cells))
        return InvalidFile(f"{self.name}, line {line}: this is not text.", SAVE_AS_UTF8)

    def _pieces(self) -> Iterator[_Piece]:
        with_header = self._has_header_row
        taken, ended = 0, False
        if self.delimiter not in NEVER_PLAIN:
            with self._text() as text:
                plain = PlainLines(text)
                for lines in plain:
                    skipped = 0
                    if with_header:
                        filled = (at for at, line in enumerate(lines) if line.strip(self.delimiter))
                        skipped = next(filled, len(lines) - 1) + 1
                        with_header = skipped == len(lines) and not lines[-1].strip(self.delimiter)
                    if skipped < len(lines):
                        yield _Piece(plain.taken + skipped + 1, lines[skipped:] if skipped else lines, [])
                taken, ended = plain.taken, plain.ended
        if ended:
            return
        records = self._records(self.delimiter, skip=taken)
        if with_header:
            next(records, None)
        while rows := list(islice(records, _RECORDS)):
            yield _Piece(0, [], rows)

    def find_header(self, mapping: Mapping[str, str], delimiter: str | None) -> None:
        """Settles delimiter and header: of the delimiters the one that yields the most known names.

        ``mapping``: field -> column name, as typed; ``delimiter``: the one that was typed, or None. Raises
        `InvalidFile` where there is no row at all.
        """
        best: tuple[int, int] | None = None
        misread: InvalidFile | None = None
        columns = self.header
        for candidate in [delimiter] if delimiter else DELIMITERS:
            records = self._records(candidate)
            try:
                _, first = next(records, (0, None))
            except InvalidFile as error:
                if not isinstance(error.__cause__, csv.Error):
                    raise
                misread = misread or error  # a wrong delimiter misreads quotes; another may be right
                continue
            finally:
                records.close()
            if first is None:
                raise InvalidFile(f"{self.name} is empty.", "A file needs a header line such as customer_id,points.")
            # Rejects have a header line even where their file had none.
            headed = self._has_header_row or is_of_rejects(first)
            known = known_names(first, mapping) if headed else len(first) == len(columns)
            if best is None or (known, len(first)) > best:
                best = (known, len(first))
                self.delimiter = candidate
                self.header = first if headed else columns
        if best is None:
            assert misread is not None
            raise misread
        self._has_header_row = self._has_header_row or is_of_rejects(self.header)

    def _records(self, delimiter: str, skip: int = 0) -> Generator[tuple[int, list[str]], None, None]:
        """Rows by the CSV reader, of the lines after the first ``skip``."""
        with self._text() as text:
            reader = csv.reader(self._lines(text, skip), delimiter=delimiter, strict=True)
            line = skip + 1
            try:
                for record in reader:
                    if any(record):
                        yield line, record
                    line = skip + reader.line_num + 1
            except csv.Error as error:
                raise self._syntax_error(line, error) from error

    def _lines(self, text: io.TextIOWrapper, skip: int) -> Iterator[str]:
        number = 0
        try:
            while line := text.readline(_MAX_LINE_LENGTH):
                number += 1
                if number == 1:  # a typed encoding leaves it in: utf8, utf-16-le
                    line = line.removeprefix(_BOM)
                if "\0" in line:
                    raise InvalidFile(f"{self.name}, line {number}: this is not text.", SAVE_AS_UTF8)
                if len(line) == _MAX_LINE_LENGTH:
                    raise InvalidFile(
                        f"{self.name}, line {number} is longer than {_MAX_LINE_LENGTH} characters.",
                        "A CSV file with a row a line is wanted.",
                    )
                if number > skip:
                    yield line
        except UnicodeError:
            wrong = self._undecodable_line() or number + 1
            raise InvalidFile(
                f"{self.name}, line {wrong}: this is not {_shown(self.encoding)}.", SAVE_AS_UTF8
            ) from None
        except OSError as error:
            raise unreadable(self.name, error) from error

    @contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        try:
            binary = self._open_bytes()
        except OSError as error:
            raise unreadable(self.name, error) from error
        decoder = "utf-8-sig" if self.encoding == "utf-8" else self.encoding
        with io.TextIOWrapper(binary, encoding=decoder, newline="") as text:
            self._check_unchanged(binary)
            yield text
            self._check_unchanged(binary)

    def _check_unchanged(self, binary: BinaryIO) -> None:
        status = os.fstat(binary.fileno())
        state = (status.st_size, status.st_mtime_ns)
        if state != (self._seen or state):
            raise InvalidFile(f"{self.name} was changed while it was read.", "Run the command again.")
        self._seen = state

    def _undecodable_line(self) -> int | None:
        if not self.encoding.startswith("utf-8"):
            return None
        with self._open_bytes() as binary:
            for number, line in enumerate(iter(lambda: binary.readline(_MAX_LINE_LENGTH), b""), 1):
                try:
                    line.decode()
                except UnicodeDecodeError:
                    return number
        return None

    def _syntax_error(self, line: int, error: csv.Error) -> InvalidFile:
        reason = str(error)
        if "unexpected end of data" in reason or "field larger" in reason:
            what = "a quoted cell that begins here is not closed"
            if "larger" in reason:
                what = f"a cell is longer than {csv.field_size_limit()} characters, or {what}"
        elif "expected after" in reason:
            what = "text follows the closing quote of a cell"
        else:
            what = f"this is no CSV ({reason})"
        return InvalidFile(
            f"{self.name}, line {line}: {what}.", 'A quote inside a quoted cell is written twice: "".', line=line
        )


def unreadable(name: str, error: OSError) -> InvalidFile | StorageFull:
    """The error for a file that the system would not let us read, or copy to read it again."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StorageFull(f"There is no room for a temporary copy of {name}.")
    if isinstance(error, FileNotFoundError):
        return InvalidFile(f"There is no file {name}.", "Check the name.")
    return InvalidFile(f"{name} cannot be read: {os.strerror(error.errno or 0)}.", "Check its permissions.")


def _is_no_text(cells: Sequence[str]) -> bool:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return True
    return False


def _shown(encoding: str) -> str:
    return "UTF-8" if encoding.startswith("utf-8") else encoding.upper()
