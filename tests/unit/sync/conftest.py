"""A counter of one's own in a temporary folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from counter import Counter


@pytest.fixture
def till(tmp_path: Path) -> Iterator[Counter]:
    counter = Counter(tmp_path)
    yield counter
    counter.close()


@pytest.fixture
def other(till: Counter) -> Iterator[Counter]:
    """Another process with the same ledger file."""
    counter = till.again()
    yield counter
    counter.close()
