"""Who may go next: in order within each customer and each key, and side by side otherwise."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rpctl.delivery.lanes import Lanes


class Row(NamedTuple):
    """``names`` as ``customer`` and ``key`` of a row of a file."""

    number: int
    customer: str
    key: str

    @property
    def names(self) -> tuple[str, str]:
        return f"c{self.customer}", f"k{self.key}"


def rows(*described: str) -> list[Row]:
    """``"A1"``: customer A, key 1."""
    return [Row(number, one[0], one[1:]) for number, one in enumerate(described)]


def filled(*described: str) -> tuple[Lanes[Row], list[Row]]:
    lanes, all_of_them = Lanes[Row](), rows(*described)
    for row in all_of_them:
        lanes.add(row)
    return lanes, all_of_them


def take_all(lanes: Lanes[Row]) -> list[int]:
    return [lanes.take().number for _ in range(lanes.ready)]


def test_different_customers_go_side_by_side() -> None:
    lanes, _ = filled("A1", "B2", "C3")
    assert take_all(lanes) == [0, 1, 2]


def test_a_customers_rows_go_one_after_the_other_in_their_order() -> None:
    lanes, (first, second, third) = filled("A1", "A2", "A3")
    assert take_all(lanes) == [0]
    lanes.done(first)
    assert take_all(lanes) == [1]
    lanes.done(second)
    assert take_all(lanes) == [2]
    lanes.done(third)
    assert lanes.ready == 0


def test_one_key_of_two_customers_goes_one_after_the_other() -> None:
    lanes, (first, _) = filled("A1", "B1")
    assert take_all(lanes) == [0]
    lanes.done(first)
    assert take_all(lanes) == [1]


def test_what_waits_for_two_waits_for_both() -> None:
    lanes, (one, other, _) = filled("A1", "B2", "A2")
    assert take_all(lanes) == [0, 1]
    lanes.done(one)
    assert lanes.ready == 0
    lanes.done(other)
    assert take_all(lanes) == [2]


def test_what_waits_for_one_by_both_names_is_ready_once() -> None:
    lanes, (first, second) = filled("A1", "A1")
    assert take_all(lanes) == [0]
    lanes.done(first)
    assert take_all(lanes) == [1]
    lanes.done(second)
    assert lanes.ready == 0


def test_both_rows_that_one_was_in_the_way_of_are_freed() -> None:
    lanes, (first, _, _) = filled("A1", "A2", "B1")
    assert take_all(lanes) == [0]
    lanes.done(first)
    assert take_all(lanes) == [1, 2]


def test_what_comes_later_waits_for_what_is_taken() -> None:
    lanes, (first,) = filled("A1")
    assert take_all(lanes) == [0]
    lanes.add(Row(1, "A", "2"))
    assert lanes.ready == 0
    lanes.done(first)
    assert take_all(lanes) == [1]


def test_what_is_put_back_goes_before_all_others_and_still_holds_its_place() -> None:
    lanes, (first, _, _) = filled("A1", "B2", "A3")
    lanes.put_back(lanes.take())
    assert take_all(lanes) == [0, 1]
    lanes.done(first)
    assert take_all(lanes) == [2]


def test_there_is_nothing_to_take_where_nothing_is_ready() -> None:
    with pytest.raises(IndexError):
        Lanes[Row]().take()


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ABC"), st.sampled_from("1234")), max_size=25),
    st.randoms(use_true_random=False),
)
def test_whatever_is_done_first_the_order_holds_and_nobody_is_left(described: list[tuple[str, str]], chance) -> None:  # type: ignore[no-untyped-def]
    lanes, waiting = Lanes[Row](), [Row(number, *one) for number, one in enumerate(described)]
    under_way: list[Row] = []
    came: defaultdict[str, list[int]] = defaultdict(list)
    while waiting or under_way or lanes.ready:
        step = chance.random()
        if waiting and step < 0.4:
            lanes.add(waiting.pop(0))
        elif lanes.ready and step < 0.7:
            under_way.append(lanes.take())
            for name in under_way[-1].names:
                came[name].append(under_way[-1].number)
        elif under_way:
            lanes.done(under_way.pop(chance.randrange(len(under_way))))
        assert max(Counter(name for row in under_way for name in row.names).values(), default=0) <= 1

    assert sum(map(len, came.values())) == 2 * len(described)
    assert all(numbers == sorted(numbers) for numbers in came.values())
