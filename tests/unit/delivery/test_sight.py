"""What a service has already, found by the marks of the changes that were announced."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

import pytest
from shop import NOON, Shop

from rpctl.backends.port import Sending
from rpctl.delivery.requests import marks_of
from rpctl.delivery.sight import Seen, Sight
from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary
from rpctl.domain.values import NEVER
from rpctl.errors import StorageFull


@pytest.fixture
def sight() -> Iterator[Sight]:
    sight = Sight(10)
    yield sight
    sight.close()


def probe(key: str = "k", customer: str = "C1", points: int = 50, kind: str = "add", **more: Any) -> Sending:
    return Sending(kind, customer, points, *marks_of(Shop.target, key), **more)


def lot(entry_id: str = "its own", points: int = 50, **more: Any) -> AddedPoints:
    return AddedPoints(entry_id, "C1", points, NOON, NEVER, 0, **more)


def redemption(entry_id: str = "its own", points: int = 50, **more: Any) -> RedeemedPoints:
    return RedeemedPoints(entry_id, "C1", points, NOON, 0, **more)


def see(sight: Sight, *entries: Entry, customer: str = "C1", points: int = 0) -> None:
    added = tuple(one for one in entries if isinstance(one, AddedPoints))
    sight.see(Summary(customer, points, added, tuple(one for one in entries if isinstance(one, RedeemedPoints))))


ID, TOKEN = marks_of(Shop.target, "k")


# -- found ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "found"),
    [
        (lot(ID), Seen("add", 50, None, "C1")),
        (lot(token=TOKEN, reference_id="order-1"), Seen("add", 50, "order-1", "C1")),
        (lot(ID, 7, token=TOKEN), Seen("add", 7, None, "C1")),
        (redemption(ID), Seen("redeem", 50, None, "C1")),
        (redemption(token=TOKEN), Seen("redeem", 50, None, "C1")),
        (lot(), None),
        (lot(description=TOKEN), None),
    ],
)
def test_an_entry_is_found_by_its_id_or_its_token(entry: Entry, found: Seen | None, sight: Sight) -> None:
    sight.announce(probe(), "k")
    see(sight, lot("another"), entry, redemption("another too"))
    assert sight.find(probe(), "k") == found


def test_another_key_does_not_find_it(sight: Sight) -> None:
    for key in ("k", "l"):
        sight.announce(probe(key), key)
    see(sight, lot(ID))
    assert sight.find(probe("l"), "l") is None


def test_what_another_customer_has_under_the_key_is_found_where_the_customer_has_nothing(sight: Sight) -> None:
    for customer in ("C1", "C3"):
        sight.announce(probe("k", customer), "k")
    see(sight, lot(ID, 7), customer="C2")
    assert sight.find(probe(), "k") == Seen("add", 7, None, "C2")
    see(sight, lot(ID, 8), customer="C3")
    see(sight, lot(ID, 9), customer="C1")
    assert [(sight.find(probe("k", who), "k") or lot()).points for who in ("C1", "C3")] == [9, 8]


def test_a_reference_counts_only_where_it_is_the_key(sight: Sight) -> None:
    asked, other = probe("order-1", reference_id="order-1"), probe("k", reference_id="order-1")
    sight.announce(asked, "order-1")
    sight.announce(other, "k")
    see(sight, lot(reference_id="order-1"))

    assert sight.find(asked, "order-1") == Seen("add", 50, "order-1", "C1")
    assert sight.find(other, "k") is None
    assert sight.find(probe("order-1"), "order-1") is None


@pytest.mark.parametrize("entry", [lot(points=7, reference_id="order-1"), redemption("order-1")])
def test_an_order_that_the_service_booked_by_itself_is_not_ours(entry: Entry, sight: Sight) -> None:
    asked = probe("order-1", reference_id="order-1")
    sight.announce(asked, "order-1")
    see(sight, entry)
    assert sight.find(asked, "order-1") is None


def test_a_reference_is_that_customers(sight: Sight) -> None:
    asked = probe("order-1", "C2", reference_id="order-1")
    sight.announce(asked, "order-1")
    sight.announce(probe("k"), "k")
    see(sight, lot(reference_id="order-1"))
    assert sight.find(asked, "order-1") is None


def test_what_was_not_announced_is_not_kept(sight: Sight) -> None:
    sight.announce(probe(), "k")
    see(sight, lot(marks_of(Shop.target, "l")[0]), customer="C2", points=5)
    assert (sight.find(probe("l"), "l"), sight.active_points("C2"), sight.active_points("C1")) == (None, None, None)


def test_many_are_found_and_only_those() -> None:
    sight = Sight(3_000)
    probes = {f"k{number}": probe(f"k{number}", f"C{number % 50}") for number in range(3_000)}
    for key, one in probes.items():
        sight.announce(one, key)
    for customer in range(50):
        its = [key for number, key in enumerate(probes) if number % 50 == customer and number % 3 == 0]
        see(sight, *[lot(probes[key].entry_id) for key in its], customer=f"C{customer}")

    found = [key for key, one in probes.items() if sight.find(one, key)]
    assert found == [f"k{number}" for number in range(0, 3_000, 3)]
    assert sight.copies == 0
    sight.close()


def test_entries_of_one_mark_are_counted(sight: Sight) -> None:
    sight.announce(probe(), "k")
    sight.announce(probe("l"), "l")
    assert sight.copies == 0
    theirs = [lot(f"own-{number}", token=TOKEN) for number in range(3)]
    see(sight, *theirs, lot(marks_of(Shop.target, "l")[0]), lot("other"), lot("other"))
    assert sight.copies == 1


def test_a_customer_who_is_listed_twice_has_nothing_twice(sight: Sight) -> None:
    sight.announce(probe(), "k")
    for _ in range(2):
        see(sight, lot(ID, token=TOKEN), points=50)
    assert (sight.copies, sight.active_points("C1")) == (0, 50)


def test_one_order_in_two_entries_is_no_copy(sight: Sight) -> None:
    sight.announce(probe("order-1", reference_id="order-1"), "order-1")
    see(sight, lot("a", reference_id="order-1"), lot("b", reference_id="order-1"))
    assert sight.copies == 0


# -- rehearsed --------------------------------------------------------------------------------------------


def test_balances_are_what_was_seen_and_then_what_is_booked(sight: Sight) -> None:
    for customer in ("C1", "C2", "C3"):
        sight.announce(probe(customer=customer), "k")
    see(sight, points=30)
    sight.book("C1", -20)
    sight.book("C2", 5)
    assert [sight.active_points(customer) for customer in ("C1", "C2", "C3")] == [10, 5, None]


def test_a_key_is_remembered_with_what_was_asked_under_it(sight: Sight) -> None:
    sight.ask_under("k", "f")
    assert (sight.asked_under("k"), sight.asked_under("l")) == ("f", None)


def test_nothing_of_a_rehearsal_lasts(sight: Sight) -> None:
    sight.announce(probe(), "k")
    see(sight, lot(ID), points=30)
    for _ in range(2):
        with sight.rehearsing():
            assert (sight.active_points("C1"), sight.asked_under("k")) == (30, None)
            sight.book("C1", 7)
            sight.ask_under("k", "f")
            assert (sight.active_points("C1"), sight.asked_under("k")) == (37, "f")
    with pytest.raises(ZeroDivisionError), sight.rehearsing():
        sight.book("C1", 7)
        raise ZeroDivisionError

    assert (sight.active_points("C1"), sight.asked_under("k")) == (30, None)
    assert sight.find(probe(), "k") is not None


def test_a_full_disk_is_told(sight: Sight) -> None:
    class Full:
        def execute(self, *_: object) -> None:
            raise sqlite3.OperationalError("database or disk is full")

        def close(self) -> None:
            pass

    sight.close()
    sight._connection = Full()  # type: ignore[assignment]
    with pytest.raises(StorageFull, match="disk full"):
        sight.book("C1", 1)
