"""A clock to set, and a ledger that is told the time by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.domain.values import Instant, parse_instant

MARCH: Final = parse_instant("2026-03-01")


@dataclass
class Clock:
    """A clock that stands still until it is set."""

    now: Instant = MARCH

    def __call__(self) -> Instant:
        return self.now

    def set(self, text: str) -> None:
        self.now = parse_instant(text)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Iterator[LedgerBackend]:
    """An empty ledger whose coupon codes are N1, N2, ..."""
    numbers = count(1)
    setting = Setting(clock, "tester", "0", coupon_code=lambda: f"N{next(numbers)}")
    backend = LedgerBackend(tmp_path / "ledger.db", setting)
    yield backend
    backend.close()
