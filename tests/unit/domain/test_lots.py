"""An account: which lots a redemption uses, what is active at a moment, and when lots have to be read."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import permutations

import pytest

from rpctl.domain.lots import Account, OpenLot
from rpctl.domain.values import NEVER


def account(*lots: OpenLot) -> Account:
    made = Account()
    for lot in lots:
        made.add(lot)
    return made


def taken(draws: list[tuple[OpenLot, int]] | None) -> list[tuple[int, int]] | None:
    """Places of lots and points."""
    return None if draws is None else [(lot.position, points) for lot, points in draws]


class Store:
    """Lots as a ledger would have them; counts which were read."""

    def __init__(self, *lots: OpenLot, active: dict[int, int] | None = None, readable: bool = True) -> None:
        self.lots = lots
        self.active = active or {}
        self.readable = readable
        self.read: list[int] = []

    def open_lots(self, place: int) -> Iterator[OpenLot]:
        assert self.readable, "The lots were read before they were needed."
        for lot in self.lots:
            self.read.append(lot.position)
            yield OpenLot(lot.valid_until, lot.created_at, lot.position, lot.left)

    def active_points_of(self, place: int, at: int) -> int:
        return self.active[at]


UNREAD = Store(readable=False)


# valid_until, created_at, position, left; in the order in which redemptions use them
ORDER = [
    (50, 9, 6, 1),
    (60, 1, 5, 1),
    (60, 2, 3, 1),
    (60, 2, 4, 1),
    (NEVER, 0, 2, 1),
    (NEVER, 5, 1, 1),
]


@pytest.mark.parametrize("order", [ORDER, ORDER[::-1], ORDER[3:] + ORDER[:3]])
def test_the_earliest_expiry_is_used_first_then_the_oldest_then_the_first_recorded(
    order: list[tuple[int, int, int, int]],
) -> None:
    draws = account(*(OpenLot(*lot) for lot in order)).redeem(6, at=10)
    assert taken(draws) == [(6, 1), (5, 1), (3, 1), (4, 1), (2, 1), (1, 1)]


def test_the_order_does_not_depend_on_whether_lots_were_read_or_added() -> None:
    for read, added, late in permutations([OpenLot(30, 0, 1, 5), OpenLot(20, 0, 2, 5), OpenLot(40, 0, 3, 5)]):
        lots = [OpenLot(lot.valid_until, lot.created_at, lot.position, lot.left) for lot in (read, added, late)]
        made = Account(5, 20, 0, store=Store(lots[0]))
        made.add(lots[1])
        assert made.active_points(20) == sum(lot.left for lot in lots[:2] if lot.valid_until > 20)
        made.add(lots[2])
        assert taken(made.redeem(15, at=0)) == [(2, 5), (1, 5), (3, 5)]


def test_a_redemption_splits_the_last_lot_it_uses() -> None:
    made = account(OpenLot(50, 0, 1, 10), OpenLot(60, 0, 2, 10))
    assert taken(made.redeem(13, at=10)) == [(1, 10), (2, 3)]
    assert taken(made.redeem(7, at=10)) == [(2, 7)]
    assert made.open_points == 0


def test_a_redemption_that_exceeds_what_is_valid_takes_nothing() -> None:
    made = account(OpenLot(10, 0, 1, 100), OpenLot(60, 0, 2, 10))
    assert made.redeem(11, at=10) is None
    assert (made.open_points, made.active_points(10)) == (110, 10)
    assert taken(made.redeem(10, at=10)) == [(2, 10)]


@pytest.mark.parametrize(("at", "expected"), [(49, 30), (50, 20), (51, 20), (59, 20), (60, 5), (NEVER - 1, 5)])
def test_points_are_active_until_the_moment_they_expire(at: int, expected: int) -> None:
    made = account(OpenLot(50, 0, 1, 10), OpenLot(60, 0, 2, 15), OpenLot(NEVER, 0, 3, 5))
    assert made.active_points(at) == expected


def test_what_was_spent_before_an_expiry_is_not_taken_again_by_it() -> None:
    made = account(OpenLot(50, 0, 1, 10), OpenLot(60, 0, 2, 10))
    made.redeem(4, at=10)
    assert [made.active_points(at) for at in (49, 50, 60)] == [16, 10, 0]


def test_a_backdated_redemption_may_use_what_has_expired_since() -> None:
    made = account(OpenLot(50, 0, 1, 10), OpenLot(90, 0, 2, 10))
    assert taken(made.redeem(5, at=80)) == [(2, 5)]
    assert taken(made.redeem(12, at=40)) == [(1, 10), (2, 2)]


@pytest.mark.parametrize(
    ("position", "at", "expected"),
    [(1, 49, (1, 10)), (1, 50, None), (2, 10, (2, 7)), (3, 10, None), (9, 10, None)],
    ids=["whole", "expired", "partly spent", "spent", "unknown"],
)
def test_taking_back_takes_all_that_is_left_and_valid(position: int, at: int, expected: tuple[int, int] | None) -> None:
    made = account(OpenLot(20, 0, 3, 5), OpenLot(50, 0, 1, 10), OpenLot(40, 0, 2, 10))
    made.redeem(8, at=0)
    before = made.open_points
    draw = made.take_back(position, at)
    assert (draw and (draw[0].position, draw[1])) == expected
    assert made.open_points == before - (expected[1] if expected else 0)


def test_lots_are_not_read_to_add_nor_to_ask_before_anything_expires() -> None:
    made = Account(100, no_expiry_before=50, latest_created_at=3, store=UNREAD)
    assert made.active_points(49) == 100
    made.add(OpenLot(40, 5, 9, 10))
    assert (made.open_points, made.no_expiry_before, made.active_points(39)) == (110, 40, 110)


def test_lots_are_not_read_to_refuse_what_exceeds_everything() -> None:
    assert Account(100, no_expiry_before=50, store=UNREAD).redeem(101, at=49) is None


def test_the_store_may_sum_what_is_active_without_lots_being_read() -> None:
    made = Account(100, no_expiry_before=50, store=Store(active={60: 30}, readable=False))
    assert made.active_points(60) == 30
    assert made.redeem(31, at=60) is None


def test_the_store_is_not_asked_for_a_sum_once_it_does_not_know_everything() -> None:
    made = Account(10, 50, 0, store=Store(OpenLot(50, 0, 1, 10)))
    made.add(OpenLot(70, 0, 2, 5))
    assert made.active_points(60) == 5


def test_a_first_redemption_reads_no_more_lots_than_it_uses_and_the_next_reads_them_all_once() -> None:
    store = Store(*(OpenLot(50, 0, position, 10) for position in (1, 2, 3, 4)))
    reads = store.read
    made = Account(40, 50, 0, store=store)
    assert [(lot.position, points) for lot, points in made.redeem(15, at=0) or ()] == [(1, 10), (2, 5)]
    assert reads == [1, 2]
    assert [(lot.position, points) for lot, points in made.redeem(6, at=0) or ()] == [(2, 5), (3, 1)]
    assert made.take_back(3, at=0) is not None
    assert reads == [1, 2, 1, 2, 3, 4]
    assert (made.open_points, made.active_points(0)) == (10, 10)


def test_a_first_redemption_passes_over_what_has_expired() -> None:
    made = Account(20, 50, 0, store=Store(OpenLot(50, 0, 1, 10), OpenLot(60, 0, 2, 10), active={50: 10}))
    assert [(lot.position, points) for lot, points in made.redeem(4, at=50) or ()] == [(2, 4)]
    assert made.active_points(50) == 6


def test_a_lot_that_was_saved_before_the_others_are_read_counts_once() -> None:
    new = OpenLot(20, 0, 2, 30)
    made = Account(10, 50, 0, store=Store(OpenLot(50, 0, 1, 10), OpenLot(20, 0, 2, 30)))
    made.add(new)
    assert made.active_points(20) == 10
    assert taken(made.redeem(40, at=0)) == [(2, 30), (1, 10)]
    assert new.left == 0


@pytest.mark.parametrize(("at", "expected"), [(49, [(1, 10), (2, 2)]), (50, [(2, 12)]), (60, None)])
def test_of_lots_that_are_read_for_it_a_redemption_uses_none_that_has_expired(
    at: int, expected: list[tuple[int, int]] | None
) -> None:
    lots = [OpenLot(50, 0, 1, 10), OpenLot(60, 0, 2, 20)]
    made = Account(30, 50, 0, store=Store(*lots, active={50: 20, 60: 0}))
    assert taken(made.redeem(12, at)) == expected
