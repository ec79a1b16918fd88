"""History where changes are dated back: whatever was recorded, the lines add up, the last one to what is active."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.domain.changes import AddPoints, Change, RedeemPoints, Reverse
from rpctl.domain.outcomes import Applied
from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use
from rpctl.domain.values import NEVER, Instant, format_instant, parse_instant, parse_when
from rpctl.reports.history import Line, history

DAY = 86_400_000
START = parse_instant("2026-01-01")


class Book:
    """A real ledger with one customer and a clock to set, counted in days since the start."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.backend = LedgerBackend(folder / "ledger.db", Setting(lambda: self.now, "tester", "0"))
        # Nobody cuts the power here, and waiting for the disk would take most of the time.
        self.backend.tables(write=True)[0].connection.execute("PRAGMA synchronous = OFF")
        self._keys = 0

    def add(self, points: int, *, made: int | None = None, until: int | None = None) -> str | None:
        valid_until = parse_when("never" if until is None else format_instant(START + until * DAY))
        return self._apply(AddPoints("C1", self._key(), points, valid_until=valid_until, created_at=instant(made)))

    def redeem(self, points: int, *, made: int | None = None) -> str | None:
        return self._apply(RedeemPoints("C1", self._key(), points, created_at=instant(made)))

    def reverse(self, entry_id: str) -> str | None:
        return self._apply(Reverse("C1", entry_id, self._key()))

    def summary(self) -> Summary:
        return self.backend.summary("C1")

    def lines(self) -> list[tuple[str, int, int, int]]:
        """Type, day, points and balance of each line."""
        return [
            (line.kind, (line.at - START) // DAY, line.points, line.balance)
            for line in history(self.summary(), self.now)
        ]

    def _key(self) -> str:
        self._keys += 1
        return f"key {self._keys}"

    def _apply(self, change: Change) -> str | None:
        (outcome,) = self.backend.apply([change])
        return outcome.entry.id if isinstance(outcome, Applied) and outcome.entry else None


def instant(day: int | None) -> Instant | None:
    return None if day is None else START + day * DAY


@contextmanager
def opened() -> Iterator[Book]:
    with tempfile.TemporaryDirectory() as folder:
        book = Book(Path(folder))
        try:
            yield book
        finally:
            book.backend.close()


@pytest.fixture
def book() -> Iterator[Book]:
    with opened() as book:
        yield book


def test_a_redemption_dated_before_an_expiry_brings_back_what_had_not_expired_by_then(book: Book) -> None:
    book.now += 50 * DAY
    book.add(100, made=0, until=30)
    book.add(10, made=35)
    book.redeem(40, made=19)

    assert book.lines() == [
        ("added", 0, 100, 100),
        ("expired", 30, -100, 0),
        ("added", 35, 10, 10),
        ("backdated", 19, 100, 110),
        ("redeemed", 19, -40, 70),
        ("backdated", 35, -60, 10),
    ]
    assert book.backend.active_points("C1") == 10


def test_a_line_for_a_backdated_change_carries_the_id_of_that_change(book: Book) -> None:
    book.now += 50 * DAY
    book.add(100, made=0, until=30)
    book.add(10, made=35)
    redemption = book.redeem(40, made=19)

    found = [line.entry.id for line in history(book.summary(), book.now) if line.kind == "backdated"]

    assert found == [redemption, redemption]


def test_what_was_used_before_the_end_does_not_expire(book: Book) -> None:
    book.add(100, until=30)
    book.now += 10 * DAY
    book.redeem(40)
    book.now += 30 * DAY
    book.add(1)

    assert book.lines() == [
        ("added", 0, 100, 100),
        ("redeemed", 10, -40, 60),
        ("expired", 30, -60, 0),
        ("added", 40, 1, 1),
    ]


def test_points_dated_back_beyond_their_own_end_come_and_expire(book: Book) -> None:
    book.now += 50 * DAY
    book.add(10, made=35)
    book.add(100, made=0, until=30)

    assert book.lines() == [("added", 35, 10, 10), ("added", 0, 100, 110), ("expired", 30, -100, 10)]


def test_a_backdated_change_between_dates_with_no_expiry_needs_no_line_of_its_own(book: Book) -> None:
    book.now += 50 * DAY
    book.add(100, made=10, until=60)
    book.add(10, made=5)
    book.redeem(30, made=7)

    assert book.lines() == [("added", 10, 100, 100), ("added", 5, 10, 110), ("redeemed", 7, -30, 80)]


def test_old_points_recorded_newest_first_are_told_without_a_backdated_line(book: Book) -> None:
    book.now += 50 * DAY
    for made in (30, 20, 10, 0):
        book.add(5, made=made, until=made + 10)

    assert [kind for kind, *_ in book.lines()] == ["added"] * 4 + ["expired"] * 4


def test_of_points_that_expired_and_were_used_up_since_nothing_expires_again(book: Book) -> None:
    book.now += 50 * DAY
    book.add(100, made=0, until=30)
    book.add(10, made=35)
    book.redeem(100, made=19)

    assert book.lines()[-2:] == [("backdated", 19, 100, 110), ("redeemed", 19, -100, 10)]


def test_a_clock_that_stepped_back_ends_the_lines_at_its_own_time(book: Book) -> None:
    book.now += 50 * DAY
    book.add(100, made=0, until=30)
    book.add(10)
    book.now = START + 20 * DAY

    assert book.lines()[-2:] == [("added", 50, 10, 10), ("backdated", 20, 100, 110)]
    assert book.backend.active_points("C1") == 110


# -- numbers that do not add up -----------------------------------------------------------------------------


def lot(name: str, points: int, made: int, until: int | None, after: int, used: int = 0, *by: Use) -> AddedPoints:
    end = NEVER if until is None else START + until * DAY
    return AddedPoints(name, "C1", points, START + made * DAY, end, after, used, by)


def told(summary: Summary, now: int) -> list[tuple[str, str, int, int]]:
    lines = history(summary, START + now * DAY)
    return [(line.kind, line.entry.id, line.points, line.balance) for line in lines]


def test_a_stored_balance_that_does_not_follow_is_led_up_to_by_the_difference() -> None:
    summary = Summary("C1", 12, (lot("a", 10, 0, None, 10), lot("b", 5, 1, None, 18)))

    assert told(summary, 2) == [
        ("added", "a", 10, 10),
        ("unexplained", "b", 3, 13),
        ("added", "b", 5, 18),
        ("unexplained", "b", -6, 12),
    ]


def test_where_it_is_not_told_what_used_a_lot_what_is_left_in_the_end_expires() -> None:
    summary = Summary("C1", 0, (lot("a", 10, 0, 5, 10, 7),), (RedeemedPoints("r", "C1", 7, START + DAY, 3),))

    assert told(summary, 9) == [("added", "a", 10, 10), ("redeemed", "r", -7, 3), ("expired", "a", -3, 0)]


def test_where_only_the_redemption_is_named_the_amounts_follow_from_the_order_of_use() -> None:
    early, late = lot("early", 10, 0, 5, 10, 10, Use("r")), lot("late", 10, 0, 9, 20, 2, Use("r"))
    summary = Summary("C1", 0, (late, early), (RedeemedPoints("r", "C1", 12, START + DAY, 8),))
    ledger = replace(
        summary,
        added=(replace(late, used_with=(Use("r", 2),)), replace(early, used_with=(Use("r", 10),))),
    )

    assert told(summary, 9) == told(ledger, 9)
    assert told(summary, 9)[-1] == ("expired", "late", -8, 0)


def test_amounts_that_do_not_come_to_what_was_used_are_not_believed() -> None:
    summary = Summary(
        "C1", 0, (lot("a", 10, 0, 5, 10, 4, Use("r", 3)),), (RedeemedPoints("r", "C1", 4, START + DAY, 6),)
    )

    assert told(summary, 9) == [("added", "a", 10, 10), ("redeemed", "r", -4, 6), ("expired", "a", -6, 0)]


# -- whatever is recorded -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """``later``: days that pass before it. ``made``: its date in days before now, None for now. ``lives``: days
    from its date on that added points are valid, None for ever. ``target``: which earlier entry is reversed."""

    verb: str
    points: int
    later: int
    made: int | None
    lives: int | None
    target: int


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from(["add", "add", "add", "redeem", "redeem", "redeem", "reverse"]),
        st.integers(1, 30),
        st.sampled_from([0, 0, 1, 5, 20, -3]),
        st.sampled_from([None, None, 0, 1, 2, 5, 10, 20, 40]),
        st.sampled_from([None, 0, 1, 3, 8, 15, 30]),
        st.integers(0, 10),
    ),
    max_size=14,
)


def recorded(book: Book, steps: list[Step]) -> None:
    book.add(1, until=0)  # the customer is there from the beginning
    entries: list[str] = []
    for step in steps:
        book.now += step.later * DAY
        today = (book.now - START) // DAY
        made = None if step.made is None else today - step.made
        done: str | None = None
        if step.verb == "add":
            # What is made now may be dated later than now where the clock stepped back: such an end is refused.
            until = None if step.lives is None else (today if made is None else made) + step.lives
            done = book.add(step.points, made=made, until=until)
        elif step.verb == "redeem":
            done = book.redeem(step.points, made=made)
        elif entries:
            done = book.reverse(entries[step.target % len(entries)])
        entries += [done] if done else []


def check(lines: list[Line], summary: Summary) -> None:
    changes = [line for line in lines if line.kind in ("added", "redeemed")]
    assert summary.entries() == [line.entry for line in changes]
    assert [line.balance for line in lines[:1]] == [line.points for line in lines[:1]]
    assert all(before.balance + line.points == line.balance for before, line in pairwise(lines))
    assert summary.active_points == lines[-1].balance == sum(line.points for line in lines)
    assert [line for line in lines if line.kind == "unexplained" or line.balance < 0] == []
    for line, after in zip(lines, [*lines[1:], None], strict=True):
        entry, stored = line.entry, line.entry.all_points_after_creation
        if line not in changes:
            assert line.points != 0
        elif isinstance(entry, AddedPoints) and entry.valid_until <= entry.created_at:
            assert (after and (after.kind, after.entry, after.balance)) == ("expired", entry, stored)
        else:
            assert stored == line.balance
    expired = [line.entry.id for line in lines if line.kind == "expired"]
    assert len(expired) == len(set(expired))


@settings(deadline=None, max_examples=200)
@given(steps=STEPS, later=st.sampled_from([0, 1, 10, 100, -5]))
def test_every_line_follows_from_the_one_before_and_the_last_is_what_is_active(steps: list[Step], later: int) -> None:
    with opened() as book:
        recorded(book, steps)
        book.now += later * DAY
        summary = book.summary()

        check(list(history(summary, book.now)), summary)

        assert book.backend.active_points("C1") == summary.active_points


@settings(deadline=None, max_examples=100)
@given(steps=STEPS)
def test_without_the_amounts_of_uses_the_same_is_told(steps: list[Step]) -> None:
    with opened() as book:
        recorded(book, steps)
        summary = book.summary()
    vague = replace(
        summary,
        added=tuple(
            replace(lot, used_with=tuple(Use(use.redemption_id) for use in lot.used_with)) for lot in summary.added
        ),
    )

    def told(of: Summary) -> list[tuple[str, Instant, int, int]]:
        return [(line.kind, line.at, line.points, line.balance) for line in history(of, book.now)]

    assert told(summary) == told(vague)
