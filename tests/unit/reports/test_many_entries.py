"""A customer with very many entries: reports take time in step with them, not with their square."""

from __future__ import annotations

import time
from dataclasses import replace
from random import Random

import pytest

from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use
from rpctl.domain.values import parse_instant
from rpctl.reports.explain import explain
from rpctl.reports.history import history

LOTS = 25_000
HOUR = 3_600_000
START = parse_instant("2020-01-01")
END = START + 3 * LOTS * HOUR
UNHURRIED_S = 5.0  # a fifth of it is enough; the square takes three times as long and more


def everything(*, shuffled: bool = False) -> Summary:
    """A lot an hour, each valid for half the time there is and half used at once; the dates in order or anyhow."""
    dates = [START + hour * HOUR for hour in range(LOTS)]
    if shuffled:
        Random(1).shuffle(dates)
    lots, redemptions = [], []
    for at, date in enumerate(dates):
        until, use = date + LOTS // 2 * HOUR, (Use(f"r{at}", 4),)
        lots.append(AddedPoints(f"a{at}", "C1", 10, date, until, 0, 4, use, position=2 * at))
        redemptions.append(RedeemedPoints(f"r{at}", "C1", 4, date, 0, position=2 * at + 1))
    return Summary("C1", 0, tuple(lots), tuple(redemptions))


def took_s(started: float) -> float:
    return time.process_time() - started


def test_fifty_thousand_entries_are_explained_in_no_time() -> None:
    summary = stored_as_expected(everything())
    started = time.process_time()

    found = explain(summary, END)

    assert took_s(started) < UNHURRIED_S
    assert (len(found.lots), found.mismatch) == (LOTS, None)


@pytest.mark.parametrize("shuffled", [False, True], ids=["by date", "shuffled"])
def test_fifty_thousand_entries_are_told_in_no_time_and_few_lines(shuffled: bool) -> None:
    summary = everything(shuffled=shuffled)
    started = time.process_time()

    lines = sum(line.kind != "unexplained" for line in history(summary, END))

    assert took_s(started) < UNHURRIED_S
    assert 3 * LOTS <= lines <= (4 if shuffled else 3) * LOTS


def stored_as_expected(summary: Summary) -> Summary:
    """With the balances that there are when every lot expires half the time after it came."""
    half = LOTS // 2
    before = [6 * min(at, half - 1) for at in range(LOTS)]
    return replace(
        summary,
        added=tuple(
            replace(lot, all_points_after_creation=was + 10) for lot, was in zip(summary.added, before, strict=True)
        ),
        redeemed=tuple(
            replace(one, all_points_after_creation=was + 6) for one, was in zip(summary.redeemed, before, strict=True)
        ),
    )
