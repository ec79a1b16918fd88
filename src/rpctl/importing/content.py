"""What a file holds, told by its parsed cells and never by its bytes: a digest, and a sample of its rows.

A spreadsheet's re-save with another encoding, delimiter or other line ends is the same file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from rpctl.importing.overlap import Sample

CELL_END: Final = "\x1f"
_ROW_END: Final = "\x1e"
_ESCAPED: Final = str.maketrans({"\x1d": "\x1d0", _ROW_END: "\x1d1", CELL_END: "\x1d2"})
_NO_HEADER: Final = "\x1d"  # like no row, in which another character follows it


@dataclass(frozen=True, slots=True)
class Content:
    """What a file holds: the digest of its parsed cells, the number of its rows, header aside, and a sample of them.

    The digest is the same for the same cells in another encoding, with other line ends or another delimiter. Of
    what was typed nothing is in it, names for the columns of a file without a header line included. ``keyless``: rows
    whose cell in a column of keys is empty.
    """

    digest: bytes
    rows: int
    sample: bytes
    keyless: int = 0

    def of_generation(self, generation: int) -> bytes:
        """The digest from which the rows' keys come when the same file is meant anew for the n-th time."""
        if not generation:
            return self.digest
        return blake2b(self.digest + b"%d" % generation, digest_size=16, person=b"rpctl again").digest()


def as_one(cells: Sequence[str]) -> str:
    """A row as one text, another one for every other row."""
    text = CELL_END.join(cells)
    if text.count(CELL_END) != len(cells) - 1 or "\x1d" in text or _ROW_END in text:
        text = CELL_END.join([cell.translate(_ESCAPED) for cell in cells])
    return text


class ContentReader:
    """Takes the rows of a file. ``header``: None where it has none; ``key_at``: the index of the column of keys, if
    there is one, and whether it is the last."""

    def __init__(self, header: Sequence[str] | None, key_at: tuple[int, bool] | None) -> None:
        self._key_at = key_at
        self._digest = blake2b(digest_size=16, person=b"rpctl rows")
        self._sample = Sample()
        self._keyless = 0
        self.rows = 0
        self._digest.update(_encoded([_NO_HEADER if header is None else as_one(header)]))

    def add(self, rows: Sequence[str]) -> None:
        """Some rows as `as_one` makes them. Raises `UnicodeEncodeError` for what is not text."""
        self._take(_encoded(rows), rows, CELL_END)

    def add_lines(self, lines: Sequence[str], delimiter: str) -> None:
        """Some lines that need no CSV reader (`rpctl.importing.plain`); those without any text in their cells are no
        rows. Raises `UnicodeEncodeError` for what is not text."""
        text = _ROW_END.join(lines).replace(delimiter, CELL_END) + _ROW_END
        # Lines without any text begin with the end of a cell, as only few others do, or are empty.
        if text[0] == CELL_END or _ROW_END + CELL_END in text or not all(lines):
            self.add([row for row in text[:-1].split(_ROW_END) if row.strip(CELL_END)])
        else:
            self._take(text.encode(), lines, delimiter)

    def _take(self, encoded: bytes, rows: Sequence[str], delimiter: str) -> None:
        self._digest.update(encoded)
        self._sample.add(encoded.split(_ROW_END.encode())[:-1])
        self.rows += len(rows)
        if self._key_at is None:
            return
        at, is_last = self._key_at
        if is_last:
            keys = [row.rpartition(delimiter)[2] if row.count(delimiter) >= at else "" for row in rows]
        else:
            keys = ["".join(row.split(delimiter, at + 1)[at : at + 1]) for row in rows]
        if not all(map(str.strip, keys)):
            self._keyless += sum(not key.strip() for key in keys)

    def content(self) -> Content:
        """What was taken so far."""
        return Content(self._digest.digest(), self.rows, self._sample.to_bytes(), self._keyless)


def _encoded(rows: Sequence[str]) -> bytes:
    return (_ROW_END.join(rows) + _ROW_END).encode() if rows else b""
