"""What the undoing of an import comes to for one customer: worked examples on the books of a service."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from shop import DAY, NOON, Shop

from rpctl.backends.port import Sending
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.requests import marks_of, reversal_of
from rpctl.delivery.takeback import EXPIRED, REVERSED_BEFORE, SPENT, Takeback
from rpctl.domain.points import Summary
from rpctl.domain.values import NEVER


class Desk:
    """A customer's books, and the rows of the run that is undone."""

    def __init__(self) -> None:
        self.shop = Shop()
        self.rows: list[Delivery] = []

    def others(self, kind: str, points: int, until: int | None = None) -> None:
        """Somebody else's entry."""
        self.shop.book(Sending(kind, "C1", points, f"theirs {len(self.shop.entries('C1'))}", "", valid_until=until))

    def run(self, kind: str, points: int, until: int | None = None, *, books: bool = True) -> None:
        """The run's next row."""
        line = len(self.rows) + 2
        key = f"k{line}"
        sending = Sending(kind, "C1", points, *marks_of(self.shop.target, key), valid_until=until)
        if books:
            self.shop.book(sending)
        self.rows.append(Delivery(key, "f", State.APPLIED, NOON, sending, run="run", line=line))

    def reverse(self, entry_id: str, kind: str, points: int) -> None:
        """What `points reverse` does."""
        self.shop.book(Sending(kind, "C1", points, *marks_of(self.shop.target, reversal_of(entry_id))))

    def entry_id(self, line: int) -> str:
        return self.rows[line - 2].sending.entry_id

    def plan(self, summary: Summary | None = None) -> list[Delivery]:
        summary = summary or self.shop.books_of("C1")
        return Takeback("run", self.shop.target, summary, self.shop.now).plan(self.rows[::-1])


@pytest.fixture
def desk() -> Desk:
    return Desk()


def told(planned: list[Delivery]) -> list[tuple[Any, ...]]:
    """What is sent as kind, points and line, and what is left as why, points and line."""
    return [
        (row.sending.kind if row.state is State.PLANNED else row.told and row.told[0], row.sending.points, row.line)
        for row in planned
    ]


def done(desk: Desk, planned: list[Delivery]) -> list[tuple[int, int]]:
    """Points and end of the lots with something in them, after the service did what was planned."""
    for row in planned:
        if row.state is State.PLANNED:
            assert row.sending.kind == "add" or desk.shop.balance("C1") >= row.sending.points
            desk.shop.book(row.sending)
    return [(lot.left, lot.valid_until) for lot in desk.shop.books_of("C1").added if lot.left]


def test_what_was_added_and_not_used_is_taken_back(desk: Desk) -> None:
    desk.others("add", 30)
    desk.run("add", 50)
    planned = desk.plan()
    (row,) = planned

    assert told(planned) == [("redeem", 50, 2)]
    assert (row.sending.reverses, row.sending.short, row.sending.customer_id) == (desk.entry_id(2), 0, "C1")
    assert (row.sending.entry_id, row.sending.token) == marks_of(desk.shop.target, reversal_of(desk.entry_id(2)))
    assert (row.key, row.run, row.line, row.sent_at) == (reversal_of(desk.entry_id(2)), "run", 2, 0)
    assert row.sending.description == "reversal"
    done(desk, planned)
    assert desk.shop.balance("C1") == 30


def test_what_others_spent_is_left(desk: Desk) -> None:
    desk.run("add", 50)
    desk.others("redeem", 20)
    planned = desk.plan()

    assert told(planned) == [("redeem", 30, 2), (SPENT, 20, 2)]
    assert planned[0].sending.short == 20
    assert (planned[1].sending.customer_id, planned[1].sending.reverses) == ("C1", desk.entry_id(2))
    assert len({row.key for row in planned}) == 2


def test_points_of_others_are_not_drawn_on(desk: Desk) -> None:
    desk.run("add", 50, NOON + DAY)
    desk.others("redeem", 50)
    desk.others("add", 500)
    assert told(desk.plan()) == [(SPENT, 50, 2)]


def test_what_was_redeemed_is_given_back_until_the_longest_lived_of_its_lots(desk: Desk) -> None:
    desk.others("add", 10, NOON + DAY)
    desk.others("add", 10, NOON + 9 * DAY)
    desk.others("add", 10, NOON + 20 * DAY)
    desk.run("redeem", 15)
    planned = desk.plan()
    (row,) = planned

    assert told(planned) == [("add", 15, 2)]
    assert (row.sending.valid_until, row.sending.reverses) == (NOON + 9 * DAY, desk.entry_id(2))
    assert row.sending.description == "reversal"
    assert done(desk, planned) == [(5, NOON + 9 * DAY), (10, NOON + 20 * DAY), (15, NOON + 9 * DAY)]


def test_a_redemption_of_points_that_never_end_is_given_back_without_end(desk: Desk) -> None:
    desk.others("add", 10)
    desk.run("redeem", 10)
    assert desk.plan()[0].sending.valid_until == NEVER


@pytest.mark.parametrize("ends", [NOON + DAY, NOON + DAY - 1])
def test_a_redemption_of_points_that_would_have_ended_is_not_given_back(ends: int, desk: Desk) -> None:
    desk.others("add", 10, ends)
    desk.run("redeem", 10)
    desk.shop.now = NOON + DAY
    assert told(desk.plan()) == [(EXPIRED, 10, 2)]


def test_a_lot_that_has_ended_is_left(desk: Desk) -> None:
    desk.others("add", 100)
    desk.run("add", 50, NOON + DAY)
    desk.others("redeem", 20)
    desk.shop.now = NOON + DAY
    assert told(desk.plan()) == [(SPENT, 20, 2), (EXPIRED, 30, 2)]
    assert len({row.key for row in desk.plan()}) == 2


def test_a_runs_own_redemption_is_given_back_before_its_lot_is_taken(desk: Desk) -> None:
    desk.run("add", 100)
    desk.run("redeem", 60)
    planned = desk.plan()

    assert told(planned) == [("add", 60, 3), ("redeem", 100, 2)]
    assert done(desk, planned) == []


def test_of_what_is_given_back_no_more_is_taken_than_the_lot_lacks(desk: Desk) -> None:
    desk.others("add", 50, NOON + 30 * DAY)
    desk.run("add", 100, NOON + 90 * DAY)
    desk.run("redeem", 60)  # 50 of theirs, 10 of its own
    planned = desk.plan()

    assert told(planned) == [("add", 60, 3), ("redeem", 100, 2)]
    done(desk, planned)
    assert desk.shop.balance("C1") == 50


def test_what_was_given_back_is_taken_for_one_lot_only(desk: Desk) -> None:
    desk.run("add", 30)
    desk.run("add", 30)
    desk.others("redeem", 35)
    desk.run("redeem", 20)
    desk.others("add", 500)
    planned = desk.plan()  # 5 are left of the second, 20 come back, 35 others spent

    assert told(planned) == [("add", 20, 4), ("redeem", 25, 3), (SPENT, 5, 3), (SPENT, 30, 2)]
    done(desk, planned)
    assert desk.shop.balance("C1") == 500


def test_what_an_earlier_rows_redemption_gives_back_is_not_there_for_a_later_row(desk: Desk) -> None:
    desk.others("add", 20)
    desk.run("redeem", 20)
    desk.run("add", 30)
    desk.others("redeem", 10)
    assert told(desk.plan()) == [("redeem", 20, 3), (SPENT, 10, 3), ("add", 20, 2)]


def test_several_lots_are_taken_though_the_service_draws_on_others_first(desk: Desk) -> None:
    """Each amount counts on the lot's own rest, whichever lots the service takes."""
    desk.others("add", 25, NOON + DAY)
    desk.run("add", 10, NOON + 20 * DAY)
    desk.run("add", 20, NOON + 10 * DAY)
    desk.run("add", 40, NOON + 30 * DAY)
    planned = desk.plan()

    assert told(planned) == [("redeem", 40, 4), ("redeem", 20, 3), ("redeem", 10, 2)]
    done(desk, planned)
    assert desk.shop.balance("C1") == 25


def test_no_more_is_taken_than_can_be_redeemed(desk: Desk) -> None:
    """The service says that fewer points are active than its lots have left."""
    desk.run("add", 50)
    desk.run("add", 50)
    summary = replace(desk.shop.books_of("C1"), active_points=60)
    assert told(desk.plan(summary)) == [("redeem", 50, 3), ("redeem", 10, 2), (SPENT, 40, 2)]


@pytest.mark.parametrize("kept", [{"ids"}, {"texts"}])
@pytest.mark.parametrize("kind", ["add", "redeem"])
def test_what_was_reversed_before_is_left(kind: str, kept: set[str], desk: Desk) -> None:
    desk.shop.keeps = frozenset(kept)
    desk.others("add", 40)
    desk.run(kind, 30)
    desk.run("add", 5)
    summary = desk.shop.books_of("C1")
    entry = next(one for one in summary.entries() if one.points == 30)
    desk.reverse(entry.id, "redeem" if kind == "add" else "add", 30)

    assert told(desk.plan()) == [("redeem", 5, 3), (REVERSED_BEFORE, 30, 2)]
    assert desk.plan()[1].sending.reverses == entry.id


def test_of_an_entry_that_is_not_there_nothing_is_decided(desk: Desk) -> None:
    desk.run("add", 30, books=False)
    desk.run("add", 20)
    planned = desk.plan()

    assert told(planned) == [("redeem", 20, 3)]
    assert told(desk.plan(Summary("C1", 0))) == []


def test_an_entry_is_taken_back_by_the_id_that_the_service_gave_it(desk: Desk) -> None:
    desk.shop.keeps = frozenset({"texts"})
    desk.run("add", 30)
    (row,) = desk.plan()
    entry_id = desk.shop.books_of("C1").added[0].id

    assert entry_id.startswith("own-")
    assert (row.sending.reverses, row.key) == (entry_id, reversal_of(entry_id))
