"""The mirror: the last known truth, how old it is, and what of the outbox it shows already."""

from __future__ import annotations

from decimal import Decimal

import pytest
from counter import DAY, HOUR, NOON, Counter, add, entry_id, has, lot, redeem, truth

from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use
from rpctl.domain.program import Program
from rpctl.domain.values import NEVER
from rpctl.sync.mirror import MirrorState
from rpctl.sync.outbox import State

FULL = Summary(
    "C1",
    12,
    (
        AddedPoints(
            "l1", "C1", 20, NOON, NEVER, 20, 8, (Use("r1", 5), Use("r2")), "o-1", "für Käse", "main", 3, "r0", "t1"
        ),
        AddedPoints("l2", "C1", 1, 0, NOON, 0, untold=("createdAt", "allPointsAfterCreation")),
    ),
    (
        RedeemedPoints("r1", "C1", 5, NOON, 15, "x", 4, "l0", "code", "t2", ("createdAt",)),
        RedeemedPoints("r2", "C1", 3, 1, 12),
    ),
)


def states(till: Counter, *keys: str) -> list[str]:
    return [row.state.value if (row := till.outbox.find(key)) else "none" for key in keys]


def test_where_there_is_no_file_nothing_is_known_and_none_is_made(till: Counter) -> None:
    assert (till.mirror.truth("C1"), till.mirror.options(), till.mirror.program("main")) == (None, None, None)
    assert (till.mirror.state(), list(till.mirror.customers())) == (MirrorState(0, None, False), [])
    assert list(till.folder.iterdir()) == []


def test_what_is_mirrored_comes_back_as_it_was(till: Counter) -> None:
    options = [{"id": "o1", "name": "ä", "metadata": {"version": 4}, "x": [1.5]}, {"id": "o2"}]
    programs = [
        Program("main", factor=Decimal("0.10"), validity_months=12, configured=True),
        Program("b", enabled=False),
    ]
    till.knows(FULL)
    till.mirror.set_options(options)
    for program in programs:
        till.mirror.set_program(program)
    assert till.mirror.truth("C1") == (FULL, NOON)
    found = till.mirror.options() or []
    assert [(one.id, one.version, one.document) for one in found] == [("o1", 4, options[0]), ("o2", 1, options[1])]
    assert [till.mirror.program("main"), till.mirror.program("b"), till.mirror.program("c")] == [*programs, None]


def test_a_truth_is_replaced_by_a_later_one_and_never_by_an_older(till: Counter) -> None:
    till.knows(has(10))
    till.knows(has(20), read_at=NOON + HOUR)
    till.knows(has(30), read_at=NOON + 1)
    assert till.mirror.truth("C1") == (has(20), NOON + HOUR)
    till.mirror.replace([("C1", None)], NOON + 1)
    assert till.mirror.truth("C1") == (has(20), NOON + HOUR)
    till.mirror.replace([("C1", None)], NOON + 2 * HOUR)
    assert till.mirror.truth("C1") is None


def test_what_was_sent_counts_until_the_truth_is_read_after_it(till: Counter) -> None:
    till.knows(has(100))
    till.one(redeem("C1", 30, "a"))
    till.one(redeem("C1", 5, "b"))
    till.now += HOUR
    till.mark(State.SENT, "a")
    till.knows(has(100), read_at=NOON + 1)  # read before it was sent
    assert (states(till, "a", "b"), till.book.active_points("C1")) == (["sent", "waiting"], 65)
    till.knows(has(70), read_at=NOON + HOUR)
    assert (states(till, "a", "b"), till.book.active_points("C1"), till.outbox.touched()) == (
        ["done", "waiting"],
        65,
        [],
    )


def test_what_was_sent_later_is_done_where_the_truth_shows_it(till: Counter) -> None:
    till.one(add("C1", 30, "a"))
    till.one(add("C1", 5, "b"))
    till.now += HOUR
    till.mark(State.SENT, "a", "b")
    till.knows(truth(lot(entry_id("a"), 30)), read_at=NOON + 1)
    assert (states(till, "a", "b"), till.book.active_points("C1")) == (["done", "sent"], 35)


def test_what_was_sent_for_whom_the_service_does_not_have_is_done(till: Counter) -> None:
    till.one(add("C1", 30, "a"))
    till.mark(State.SENT, "a")
    till.mirror.replace([("C1", None)], NOON - 1)
    assert states(till, "a") == ["sent"]
    till.mirror.replace([("C1", None)], NOON)
    assert (states(till, "a"), list(till.book.customers())) == (["done"], [])


def test_what_waits_stays_and_does_not_count_twice_where_a_killed_push_sent_it(till: Counter) -> None:
    till.one(add("C1", 30, "a"))
    till.knows(truth(lot(entry_id("a"), 30)), read_at=NOON + HOUR)
    assert (states(till, "a"), till.book.active_points("C1")) == (["waiting"], 30)


# -- pulls -------------------------------------------------------------------------------------------------


def test_a_pull_removes_whom_it_did_not_see(till: Counter) -> None:
    till.knows(has(1, "gone"), has(2, "stays"))
    till.now += DAY
    pull = till.mirror.begin_pull(till.now)
    assert till.mirror.state() == MirrorState(2, None, True)
    till.mirror.replace([("new", has(3, "new")), ("stays", has(4, "stays"))], till.now, pull=pull)
    till.now += HOUR
    assert till.mirror.finish_pull(pull, till.now) == 1
    assert till.mirror.state() == MirrorState(2, NOON + DAY, False)  # as old as its beginning
    assert list(till.book.customers()) == [("new", 3), ("stays", 4)]


def test_a_pull_that_is_not_finished_leaves_what_it_read_and_removes_nobody(till: Counter) -> None:
    till.knows(has(1, "old"))
    pull = till.mirror.begin_pull(NOON + 1)
    till.mirror.replace([("new", has(3, "new"))], NOON + 1, pull=pull)
    assert till.mirror.state() == MirrorState(2, None, True)
    again = till.mirror.begin_pull(NOON + 2)
    till.mirror.replace([("old", has(5, "old"))], NOON + 2, pull=again)
    assert (again, till.mirror.finish_pull(again, NOON + 2)) == (pull + 1, 1)
    assert list(till.book.customers()) == [("old", 5)]


@pytest.mark.parametrize(("read_at", "stays"), [(NOON + HOUR, True), (NOON - 1, False)], ids=["after", "before"])
def test_whom_a_push_read_after_the_pull_began_stays(till: Counter, read_at: int, stays: bool) -> None:
    pull = till.mirror.begin_pull(NOON)
    till.knows(has(9), read_at=read_at)
    till.mirror.finish_pull(pull, NOON)
    assert (till.mirror.truth("C1") is not None) is stays


def test_a_pull_does_not_take_a_push_back_that_read_later(till: Counter) -> None:
    till.knows(has(100))
    pull = till.mirror.begin_pull(NOON)
    till.knows(has(70), read_at=NOON + HOUR)
    till.mirror.replace([("C1", has(100))], NOON, pull=pull)
    assert till.mirror.finish_pull(pull, NOON) == 0
    assert till.mirror.truth("C1") == (has(70), NOON + HOUR)


def test_many_customers_are_gone_through_page_by_page(till: Counter) -> None:
    names = sorted(f"C{number}" for number in range(1001))
    till.knows(*(has(int(name[1:]) + 1, name) for name in names))
    assert [(one.customer_id, read_at) for one, read_at in till.mirror.customers()] == [(name, NOON) for name in names]
