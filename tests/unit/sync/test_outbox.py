"""The outbox: in recording order, what is sent, refused, tried again, given up, and forgotten with its customer."""

from __future__ import annotations

import pytest
from counter import HOUR, NOON, Counter, add, entry_id, has, redeem, reverse

from rpctl.domain.outcomes import Applied, Refused
from rpctl.errors import NotFound
from rpctl.sync.outbox import Counts, State


def keys(rows: object) -> list[str]:
    return [row.key for row in rows]  # type: ignore[attr-defined]


@pytest.fixture
def stocked(till: Counter) -> Counter:
    """C1 and C2 take turns."""
    till.knows(has(100), has(100, "C2"))
    for key, customer in (("a", "C1"), ("b", "C2"), ("c", "C1"), ("d", "C2")):
        till.one(redeem(customer, 5, key))
    return till


def test_where_there_is_no_file_nothing_waits_and_none_is_made(till: Counter) -> None:
    outbox = till.outbox
    assert (outbox.waiting(), outbox.conflicts(), outbox.open_rows(), outbox.touched()) == ([], [], [], [])
    assert (outbox.counts(), outbox.held_back(), outbox.find("a")) == (Counts(0, 0, 0, 0, None), 0, None)
    assert list(till.folder.iterdir()) == []


def test_what_waits_is_told_with_all_that_was_recorded(till: Counter) -> None:
    till.now += HOUR
    till.one(add("C1", 5, "a", reference_id="o-1", description="für Käse"))
    (row,) = till.outbox.waiting()
    assert (row.key, row.state, row.recorded_at, row.is_known, row.who) == (
        "a",
        State.WAITING,
        NOON + HOUR,
        False,
        "till",
    )
    assert (row.run, row.line, row.told) == (None, None, None)
    sending = row.sending
    assert (sending.kind, sending.customer_id, sending.points, sending.key) == ("add", "C1", 5, "a")
    assert (sending.entry_id, sending.created_at, sending.site_code) == (entry_id("a"), NOON + HOUR, "main")
    assert (sending.reference_id, sending.description) == ("o-1", "für Käse")


def test_what_waits_comes_in_recording_order_page_by_page(stocked: Counter) -> None:
    first = stocked.outbox.waiting(limit=3)
    assert keys(first) == ["a", "b", "c"]
    assert keys(stocked.outbox.waiting(first[-1].position)) == ["d"]
    assert stocked.outbox.counts() == Counts(4, 0, 0, 2, NOON)


def test_other_books_in_the_same_file_are_others(stocked: Counter) -> None:
    second = stocked.again("https://service other")
    second.one(add("C1", 1, "a"))
    assert (len(second.outbox.waiting()), len(stocked.outbox.waiting()), second.book.active_points("C1")) == (1, 4, 1)
    second.close()


def test_behind_a_conflict_only_its_customer_waits(stocked: Counter) -> None:
    stocked.mark(State.CONFLICT, "a")
    assert keys(stocked.outbox.waiting()) == ["b", "d"]
    assert (stocked.outbox.held_back(), keys(stocked.outbox.conflicts())) == (1, ["a"])
    assert keys(stocked.outbox.open_rows()) == ["a", "b", "c", "d"]
    assert stocked.outbox.counts() == Counts(3, 1, 0, 2, NOON)
    assert stocked.outbox.conflicts()[0].told == ("insufficient_points", "too few")


def test_a_conflict_does_not_count_and_one_that_is_tried_again_does(stocked: Counter) -> None:
    stocked.mark(State.CONFLICT, "a")
    assert stocked.book.active_points("C1") == 95
    assert stocked.outbox.retry(["a"]) == 1
    assert (stocked.book.active_points("C1"), keys(stocked.outbox.waiting())) == (90, ["a", "b", "c", "d"])
    assert stocked.outbox.waiting()[0].told is None


def test_what_is_given_up_frees_its_customer_and_its_key(stocked: Counter) -> None:
    stocked.mark(State.CONFLICT, "a", "b")
    assert stocked.outbox.drop(["a"]) == 1
    assert (keys(stocked.outbox.waiting()), keys(stocked.outbox.conflicts())) == (["c"], ["b"])
    assert stocked.outbox.find("a") is None
    assert isinstance(stocked.one(redeem("C1", 7, "a")), Applied)
    assert stocked.outbox.drop(None) == 1
    assert stocked.outbox.retry(None) == 0
    assert keys(stocked.outbox.waiting()) == ["c", "d", "a"]


def test_with_what_is_given_up_goes_what_would_have_reversed_it(till: Counter) -> None:
    till.knows(has(100))
    till.one(redeem("C1", 30, "a"))
    till.one(reverse("C1", entry_id("a"), "b"))
    till.one(redeem("C1", 1, "c"))
    till.mark(State.CONFLICT, "a")
    assert till.book.active_points("C1") == 99  # what would give back the 30 does not count either
    assert till.outbox.drop(["a"]) == 2
    assert (keys(till.rows()), till.book.active_points("C1")) == (["c"], 99)


@pytest.mark.parametrize("wrong", ["a", "nobody's"], ids=["one that waits", "one that is not there"])
def test_only_conflicts_are_tried_again_or_given_up(stocked: Counter, wrong: str) -> None:
    stocked.mark(State.CONFLICT, "b")
    for settle in (stocked.outbox.retry, stocked.outbox.drop):
        with pytest.raises(NotFound, match=wrong):
            settle(["b", wrong])
    assert keys(stocked.outbox.conflicts()) == ["b"]


def test_what_does_not_wait_any_more_is_not_marked_again(stocked: Counter) -> None:
    stocked.mark(State.SENT, "a")
    stocked.mark(State.CONFLICT, "a")
    row = stocked.outbox.find("a")
    assert row is not None
    assert (row.state, row.told) == (State.SENT, None)
    assert (stocked.outbox.counts(), stocked.outbox.touched()) == (Counts(3, 0, 1, 2, NOON), ["C1"])


def test_a_change_is_found_by_the_entry_that_it_makes(stocked: Counter) -> None:
    found = stocked.outbox.find_entry("C1", entry_id("c"))
    assert found is not None
    assert (found.key, stocked.outbox.find_entry("C1", "x")) == ("c", None)


def test_of_a_deleted_customer_the_keys_stay_and_nothing_else(stocked: Counter) -> None:
    stocked.one(add("C1", 5, "e", description="ein Geheimnis"))
    stocked.mark(State.SENT, "a")
    stocked.outbox.forget("C1")
    stocked.mirror.forget("C1")
    assert keys(stocked.rows()) == ["b", "d"]
    outcome = stocked.one(add("C1", 5, "e", description="ein Geheimnis"))
    assert isinstance(outcome, Refused)
    assert outcome.error.code == "customer_deleted"
    stocked.close()
    assert [b"Geheimnis" in one.read_bytes() for one in stocked.folder.glob("shop.db*")] == [False]


def test_the_outbox_is_no_part_of_the_ledgers_own_books(stocked: Counter) -> None:
    assert (list(stocked.ledger.customers()), list(stocked.ledger.verify().problems())) == ([], [])
