"""Samples of files: exact for short ones, close for long ones."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from rpctl.importing import overlap
from rpctl.importing.overlap import Sample, share_of


def sample(rows: Iterable[int]) -> bytes:
    made = Sample()
    texts = [b"row %d" % row for row in rows]
    for start in range(0, len(texts), 700):
        made.add(texts[start : start + 700])
    return made.to_bytes()


@pytest.mark.parametrize(
    ("new", "earlier", "share"),
    [
        (range(4), range(4), 1.0),
        (range(4), range(2), 0.5),
        (range(4), range(4, 8), 0.0),
        (range(2), range(100), 1.0),
        ([], range(4), 0.0),
        (range(4), [], 0.0),
        ([1, 1, 1, 2], [1], 0.5),
    ],
)
def test_short_files_are_compared_row_by_row(new: Iterable[int], earlier: Iterable[int], share: float) -> None:
    assert share_of(sample(new), sample(earlier)) == share


@pytest.mark.parametrize(
    ("new", "earlier", "least", "most"),
    [
        (range(20_000), range(20_000), 1.0, 1.0),
        (range(20_000), range(10_000), 0.4, 0.6),
        (range(10_000), range(50_000), 1.0, 1.0),
        (range(20_000), range(20_000, 40_000), 0.0, 0.0),
        (range(500), range(20_000), 1.0, 1.0),
    ],
)
def test_long_files_are_compared_by_their_samples(
    monkeypatch: pytest.MonkeyPatch, new: range, earlier: range, least: float, most: float
) -> None:
    monkeypatch.setattr(overlap, "SAMPLE_ROWS", 1_000)
    ours, theirs = sample(new), sample(earlier)
    assert len(ours) <= 8_000
    assert least <= share_of(ours, theirs) <= most
