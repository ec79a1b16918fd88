"""How many rows of a file stood in an earlier one: a sample of row digests, small however long the file is.

A longer export of the same orders is another file, so its rows get other keys and would count twice. The sample
keeps the smallest digests of a file's rows. Two samples are comparable below the smaller of their upper ends,
where each of them is complete.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final
from zlib import crc32

SAMPLE_ROWS: Final = 16_384
"""A shorter file is sampled whole; the sample takes 8 bytes a row."""


class Sample:
    """Takes the rows of one file, each as bytes, and keeps the smallest digests."""

    def __init__(self) -> None:
        self._kept: set[int] = set()
        self._limit = 2**64

    def add(self, rows: Sequence[bytes]) -> None:
        """Some rows of the file."""
        limit = self._limit >> 32
        for row in [row for row in rows if crc32(row) <= limit]:  # a cheap digest decides for most of them
            number = (crc32(row) << 32) | int.from_bytes(blake2b(row, digest_size=4).digest(), "big")
            if number < self._limit:
                self._kept.add(number)
        if len(self._kept) >= 2 * SAMPLE_ROWS:
            self._cut()

    def to_bytes(self) -> bytes:
        """The sample as it is stored: ascending, 8 bytes each, the most significant first."""
        self._cut()
        numbers = array("Q", sorted(self._kept))
        if sys.byteorder == "little":
            numbers.byteswap()
        return numbers.tobytes()

    def _cut(self) -> None:
        if len(self._kept) > SAMPLE_ROWS:
            smallest = sorted(self._kept)[:SAMPLE_ROWS]
            self._kept, self._limit = set(smallest), smallest[-1]


def share_of(new: bytes, earlier: bytes) -> float:
    """Which share of the different rows of ``new`` stood in ``earlier``, from 0 to 1; 0 where nothing can be told."""
    ours, theirs = _numbers(new), _numbers(earlier)
    ends = [numbers[-1] for numbers in (ours, theirs) if len(numbers) == SAMPLE_ROWS]
    comparable = {number for number in ours if not ends or number <= min(ends)}
    return len(comparable.intersection(theirs)) / len(comparable) if comparable else 0.0


def _numbers(sample: bytes) -> array[int]:
    numbers = array("Q", sample)
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers
