"""How an order becomes points, and how long they live."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rpctl.domain.program import Program
from rpctl.domain.values import MAX_POINTS, NEVER, format_instant, parse_instant
from rpctl.errors import EarnsNothing, InvalidValue


@pytest.mark.parametrize(
    ("order_value", "factor", "expected"),
    [
        ("29.33", "1", 29),
        ("29.99", "1", 29),
        ("1", "1", 1),
        ("29.33", "0.1", 2),
        ("9.99", "3", 29),
        ("0.1", "30", 3),
        ("0.29", "100", 29),
        ("1.1", "10", 11),
        ("4.35", "100", 435),
        ("2147483647.99", "1", MAX_POINTS),
        ("2.99999999999999999999999999999999999999", "1", 2),
        ("0.0000000000000000000000000000000000001", "10000000000000000000000000000000000000", 1),
    ],
)
def test_points_are_the_order_value_times_the_factor_rounded_down(order_value: str, factor: str, expected: int) -> None:
    assert Program(factor=Decimal(factor)).points_for(Decimal(order_value)) == expected


@pytest.mark.parametrize(
    ("order_value", "factor"),
    [("0", "1"), ("0.99", "1"), ("100", "0"), ("0.99999999999999999999999999999999999999", "1")],
)
def test_less_than_a_point_is_none(order_value: str, factor: str) -> None:
    with pytest.raises(EarnsNothing, match=order_value):
        Program(factor=Decimal(factor)).points_for(Decimal(order_value))


def test_more_points_than_fit_are_refused() -> None:
    with pytest.raises(InvalidValue, match="2147483648"):
        Program().points_for(Decimal(2_147_483_648))


@pytest.mark.parametrize(
    ("months", "expected"),
    [(1, "2026-02-28T10:00:00.000Z"), (12, "2027-01-31T10:00:00.000Z"), (0, "2026-01-31T10:00:00.000Z")],
)
def test_the_default_validity_is_calendar_months_from_the_start(months: int, expected: str) -> None:
    start = parse_instant("2026-01-31T10:00:00Z")
    assert format_instant(Program(validity_months=months).default_validity(start)) == expected


def test_without_a_validity_points_never_expire() -> None:
    assert Program().default_validity(0) == NEVER


def test_a_site_without_settings_has_the_defaults() -> None:
    assert Program("main") == Program("main", True, Decimal(1), None, None, False)
