"""What a customer has while the service is out of reach, as tables: the truth, what waits on top, what is left."""

from __future__ import annotations

from typing import Any

import pytest
from counter import DAY, HOUR, NOON, has, lot, truth

from rpctl.backends.port import Sending
from rpctl.domain.points import RedeemedPoints, Summary, Use
from rpctl.domain.values import NEVER, Instant
from rpctl.sync.standing import Standing, no_expiry_before

LATER = NOON + DAY


def sending(kind: str, points: int, name: str, at: Instant | None = NOON + HOUR, **more: Any) -> Sending:
    return Sending(kind, "C1", points, f"id {name}", f"token {name}", created_at=at, key=f"key {name}", **more)


def plus(points: int, name: str = "a", **more: Any) -> Sending:
    return sending("add", points, name, **more)


def minus(points: int, name: str = "r", **more: Any) -> Sending:
    return sending("redeem", points, name, **more)


def standing(before: Summary | None, *rows: Sending) -> Standing:
    found = Standing("C1", before, NOON)
    for row in rows:
        found.count(row, NOON + HOUR)
    return found


SOON = lot("soon", 30, until=NOON + 2 * HOUR)
LONG = lot("long", 50)
OVER = lot("over", 7, until=NOON - HOUR)
UNTOLD = lot("untold", 80, until=NOON + HOUR, untold=("usedPoints",))

BALANCES: dict[str, tuple[Summary | None, list[Sending], int, int]] = {
    # the truth, what waits, active an hour after it was read, and a day after
    "nothing": (None, [], 0, 0),
    "the truth alone": (truth(SOON, LONG), [], 80, 50),
    "a lot that had ended": (truth(OVER, LONG), [], 50, 50),
    "added to nobody known": (None, [plus(5)], 5, 5),
    "an addition that ends": (has(10), [plus(5), plus(6, "b", valid_until=NOON + 3 * HOUR)], 21, 15),
    "an addition whose end the program says": (has(10), [plus(6, ends_at=NOON + 3 * HOUR)], 16, 10),
    "the earliest end goes first": (truth(SOON, LONG), [minus(30)], 50, 50),
    "and then the next": (truth(SOON, LONG), [minus(40)], 40, 40),
    "in recording order": (truth(SOON, LONG), [plus(5), minus(10), minus(25, "s")], 50, 50),
    "a dated redemption uses what ended since": (truth(OVER, LONG), [minus(7, at=NOON - 2 * HOUR)], 50, 50),
    "an undated one uses what is there": (truth(OVER, LONG), [minus(7, at=None)], 43, 43),
    "less than what waits takes": (has(10), [minus(30)], 0, 0),
    "what is added makes up for it first": (has(10), [minus(30), plus(25)], 5, 5),
    "and not more than it": (has(10), [minus(30), plus(15), plus(15, "b")], 10, 10),
    "used points are not told": (truth(UNTOLD, active=60), [minus(10)], 50, 50),
    "more than the lots say": (truth(LONG, active=90), [], 90, 90),
    "less than the lots say": (truth(SOON, LONG, active=60), [], 60, 30),
    "nothing at all of what lots say": (truth(SOON, LONG, active=0), [plus(3)], 3, 3),
    "a negative balance": (truth(LONG, active=-5), [plus(3)], 3, 3),
    "the truth has it by its id": (truth(lot("id a", 50)), [plus(50)], 50, 50),
    "by its token": (truth(lot("x", 50, token="token a")), [plus(50)], 50, 50),
    "by its key as reference": (truth(lot("x", 50, reference_id="key a")), [plus(50, reference_id="key a")], 50, 50),
    "another order's reference": (truth(lot("x", 50, reference_id="o-1")), [plus(50, reference_id="o-1")], 100, 100),
    "what reverses is taken like any other": (truth(SOON, LONG), [minus(20, reverses="long")], 60, 50),
    "what gives back what is not known to be taken": (has(10), [plus(20, reverses="id gone")], 10, 10),
    "what gives back what waits": (has(10), [minus(4), plus(4, reverses="id r")], 10, 10),
}


@pytest.mark.parametrize(("before", "rows", "soon", "later"), BALANCES.values(), ids=BALANCES)
def test_what_is_left(before: Summary | None, rows: list[Sending], soon: int, later: int) -> None:
    found = standing(before, *rows)
    assert (found.active_at(NOON + HOUR), found.active_at(LATER)) == (soon, later)
    assert found.summary(LATER).active_points == later


def test_a_clock_that_was_set_back_brings_no_points_back() -> None:
    assert standing(truth(OVER, LONG)).active_at(NOON - 2 * HOUR) == 50


def test_what_waits_are_entries_in_recording_order_that_add_up() -> None:
    before = truth(SOON, LONG, RedeemedPoints("spent", "C1", 3, NOON - DAY, 80))
    found = standing(before, plus(5, reference_id="o-7"), minus(40))
    summary = found.summary(NOON + HOUR)
    last = summary.entries()[-2:]
    assert [(one.id, one.points, one.all_points_after_creation) for one in last] == [("id a", 5, 85), ("id r", 40, 45)]
    assert [one.position for one in summary.entries()] == [1, 2, 3, 4, 5]
    assert {one.id: (one.used_points, one.used_with) for one in summary.added} == {
        "soon": (30, (Use("id r", 30),)),
        "long": (10, (Use("id r", 10),)),
        "id a": (0, ()),
    }
    assert summary.find("id a").description == "points for order o-7"
    assert sum(one.left for one in summary.added) == summary.active_points


def test_the_entry_of_a_change_is_found_wherever_it_is() -> None:
    found = standing(truth(lot("x", 50, token="token a")), plus(50), minus(20))
    names = [
        one.id if one else None for one in (found.find(plus(50)), found.find(minus(20)), found.find(minus(1, "z")))
    ]
    assert names == ["x", "id r", None]


@pytest.mark.parametrize(
    ("before", "moment"),
    [
        (truth(SOON, LONG), NOON + 2 * HOUR),
        (truth(OVER, LONG), NEVER),
        (truth(lot("used", 9, used=9, until=NOON + 1), LONG), NEVER),
        (truth(UNTOLD, active=60), NEVER),
    ],
    ids=["one ends", "one has ended", "one is used up", "not told"],
)
def test_until_when_a_balance_holds(before: Summary, moment: Instant) -> None:
    assert no_expiry_before(before, NOON) == moment
