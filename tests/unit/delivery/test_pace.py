"""How fast requests may leave, with a clock of the test's own."""

from __future__ import annotations

import pytest

from rpctl.delivery.pace import Pace

FAR = 1_000.0


def leaves(pace: Pace, from_s: float, to_s: float, most: float = FAR) -> list[float]:
    """When requests leave that wait for nothing but the pace and for a service that takes ``most`` a second."""
    now_s, left = from_s, []
    while now_s < to_s:
        if pace.allows(now_s) > 0:
            pace.left(now_s, 1)
            left.append(now_s)
            now_s += 1 / most
        else:
            now_s += max(pace.wait_s(now_s), 0.0001)
    return left


def test_without_a_limit_all_may_leave() -> None:
    pace = Pace()
    pace.left(0.0, 1_000)
    assert (pace.allows(0.0) >= 1_000, pace.wait_s(0.0), pace.rate) == (True, 0.0, None)


@pytest.mark.parametrize("limit", [0.5, 2, 30, 400])
def test_no_more_leave_than_the_limit_allows(limit: float) -> None:
    left = leaves(Pace(limit), 100.0, 110.0, 1_000_000)
    assert limit * 10 - 1 <= len(left) <= limit * 10 * 1.01 + 1
    for at in range(100, 110):
        assert sum(at <= one < at + 1 for one in left) <= limit * 1.02 + 1


def test_what_was_not_used_is_not_saved_up() -> None:
    pace = Pace(100)
    pace.left(0.0, 1)
    assert pace.allows(50.0) <= 3


def test_several_that_leave_at_once_are_paid_for() -> None:
    pace = Pace(10)
    pace.left(0.0, 5)
    assert (pace.allows(0.0), pace.wait_s(0.0)) == (0, pytest.approx(0.5))
    assert pace.allows(0.5) == 1


def test_all_wait_as_long_as_the_service_asks() -> None:
    pace = Pace()
    leaves(pace, 0.0, 1.0, 100)
    pace.slow_down(1.0, 0.99, 7.5)
    assert (pace.allows(1.0), pace.allows(8.49), pace.wait_s(1.0)) == (0, 0, pytest.approx(7.5))
    assert pace.allows(8.5) == 1


def test_where_it_does_not_say_how_long_all_wait_a_second() -> None:
    pace = Pace()
    pace.slow_down(10.0, 9.9, None)
    assert (pace.allows(10.9), pace.wait_s(10.0), pace.allows(11.0)) == (0, pytest.approx(1.0), 1)


def test_a_longer_pause_is_not_shortened_by_a_later_one() -> None:
    pace = Pace()
    pace.pause(0.0, 10.0)
    pace.pause(1.0, 2.0)
    assert pace.wait_s(1.0) == pytest.approx(9.0)


def test_it_goes_on_at_a_lower_rate_than_was_refused() -> None:
    pace = Pace()
    leaves(pace, 0.0, 2.0, 100)
    pace.slow_down(2.0, 1.99, 1.0)
    assert pace.rate == pytest.approx(70, rel=0.1)
    assert 60 <= len(leaves(pace, 3.0, 4.0)) <= 80


def test_many_answers_to_one_burst_slow_it_down_once() -> None:
    pace = Pace()
    leaves(pace, 0.0, 2.0, 100)
    pace.slow_down(2.0, 1.99, 1.0)
    rate = pace.rate
    for left_s in (1.9, 1.95, 2.0):
        pace.slow_down(2.01, left_s, 1.0)
    assert pace.rate == rate


def test_refused_again_it_slows_down_again() -> None:
    pace = Pace()
    leaves(pace, 0.0, 2.0, 100)
    pace.slow_down(2.0, 1.99, 1.0)
    before = pace.rate or 0.0
    leaves(pace, 3.0, 4.0)
    pace.slow_down(4.0, 3.9, 1.0)
    soon = pace.rate or 0.0
    assert soon < before * 0.8  # far too fast: as much slower once more
    leaves(pace, 5.0, 35.0)
    later = pace.rate or 0.0
    pace.slow_down(35.0, 34.9, 1.0)
    assert later * 0.8 < (pace.rate or 0.0) < later  # it was nearly right


def test_the_rate_rises_soon_to_a_little_below_what_was_refused_and_stays_there() -> None:
    pace = Pace()
    leaves(pace, 0.0, 2.0, 100)
    pace.slow_down(2.0, 1.99, 1.0)
    leaves(pace, 3.0, 10.0)
    assert pace.rate == pytest.approx(90, rel=0.1)
    risen = pace.rate
    leaves(pace, 10.0, 21.0)
    assert pace.rate == risen


def test_after_a_while_it_rises_beyond_and_in_the_end_is_forgotten() -> None:
    pace = Pace()
    leaves(pace, 0.0, 2.0, 20)
    pace.slow_down(2.0, 1.99, 1.0)
    leaves(pace, 3.0, 40.0)
    assert 20 < (pace.rate or 0.0) < 40
    leaves(pace, 40.0, 140.0)
    assert pace.rate is None


def test_a_service_that_refuses_everything_is_still_asked_once_a_second() -> None:
    pace = Pace()
    now_s = 0.0
    for _ in range(30):
        pace.left(now_s, 1)
        pace.slow_down(now_s + 0.1, now_s, None)
        now_s += 0.1 + pace.wait_s(now_s + 0.1)
    assert (pace.rate, now_s < 31 * 1.2) == (1.0, True)


def test_what_was_asked_for_holds_where_the_service_would_take_more() -> None:
    pace = Pace(5)
    leaves(pace, 0.0, 2.0)
    pace.slow_down(2.0, 1.99, 1.0)
    assert (pace.rate or 0.0) < 5
    leaves(pace, 3.0, 200.0)
    assert pace.rate == 5
