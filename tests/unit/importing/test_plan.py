"""Rows to changes: the grammar of cells."""

from __future__ import annotations

from datetime import UTC
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.domain.values import NEVER, format_instant
from rpctl.errors import InvalidValue
from rpctl.importing.columns import understand
from rpctl.importing.plan import Grammar, Planner, Reject

HEADER = "customer_id,points,operation,order_value,valid_until,created_at,reference_id,reason,key,site_code"


def plan(header: str = HEADER, grammar: Grammar | None = None, **cells: str) -> AddPoints | RedeemPoints | Reject:
    names = header.split(",")
    row = [{"customer_id": "C1", "key": "k1", **cells}.get(name, "") for name in names]
    columns = understand(names, {}, {})
    return Planner(columns, grammar or Grammar(UTC), b"digest").plan(row, 1)[1]


def added(change: object) -> AddPoints:
    assert isinstance(change, AddPoints), change
    return change


@pytest.mark.parametrize(
    ("cell", "points"),
    [("5", 5), ("5.0", 5), ("5.00", 5), (" 5 ", 5), ("+5", 5), ("007", 7), ("2147483647", 2_147_483_647)],
)
def test_points_are_whole_numbers(cell: str, points: int) -> None:
    assert plan(points=cell) == AddPoints("C1", "k1", points)


@pytest.mark.parametrize("cell", ["-5", "-5.0", " -5"])
def test_negative_points_redeem(cell: str) -> None:
    assert plan(points=cell) == RedeemPoints("C1", "k1", 5)


@pytest.mark.parametrize(
    "cell",
    [
        "0",
        "-0",
        "0.0",
        "1.5",
        "1e3",
        "99999999999",
        "2147483648",
        "1,000",
        "1.000",
        "five",
        "5 0",
        "²",
        "٥",
        "--5",
        "NaN",
    ],
)
def test_what_is_no_number_of_points_is_rejected_by_name(cell: str) -> None:
    reject = plan(points=cell)
    assert isinstance(reject, Reject)
    assert (reject.code, repr(cell) in reject.message) == ("invalid_value", True)


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("add", AddPoints),
        ("ADD", AddPoints),
        ("Credit", AddPoints),
        ("earn", AddPoints),
        ("", AddPoints),
        ("redeem", RedeemPoints),
        (" Redeem ", RedeemPoints),
        ("debit", RedeemPoints),
        ("burn", RedeemPoints),
        ("deduct", RedeemPoints),
    ],
)
def test_an_operation_decides_with_positive_points(operation: str, kind: type) -> None:
    assert plan(points="5", operation=operation) == kind("C1", "k1", 5)


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        ({"points": "-5", "operation": "redeem"}, "The points -5 are negative"),
        ({"points": "-5", "operation": "add"}, "The points -5 are negative"),
        ({"points": "5", "operation": "transfer"}, "'transfer' is neither add nor redeem"),
        ({"order_value": "5", "operation": "redeem"}, "An order value adds points"),
        ({}, "has no points"),
        ({"order_value": "-29.33"}, "-29.33 is negative"),
        ({"order_value": "29,33"}, "--decimal-comma"),
        ({"order_value": "1e3"}, "'1e3' is not a number"),
        ({"points": "5", "customer_id": ""}, "The customer id is empty"),
        ({"points": "5", "customer_id": "1.2E+11"}, "scientific notation"),
        ({"points": "5", "customer_id": "a\nb"}, "control or invisible"),
        ({"points": "5", "key": "a\u200bb"}, "The key"),
        ({"points": "5", "reference_id": "a\tb"}, "The reference id"),
        ({"points": "5", "valid_until": "31.01.2027"}, "'31.01.2027' is not a date"),
        ({"points": "5", "created_at": "+90d"}, "'+90d' is not a date"),
        ({"points": "-5", "valid_until": "2027-01-31"}, "A redemption has no validity"),
        ({"points": "5", "reason": "a\x1bb"}, "The reason has a control character"),
        ({"points": "5", "site_code": "a\tb"}, "The site code"),
    ],
)
def test_a_bad_cell_rejects_its_row_and_says_why(cells: dict[str, str], says: str) -> None:
    reject = plan(**cells)
    assert isinstance(reject, Reject)
    assert says in reject.message


def test_an_order_value_counts_where_points_are_empty() -> None:
    assert plan(order_value="29.33") == AddPoints("C1", "k1", order_value=Decimal("29.33"))
    assert plan(points="5", order_value="29.33") == AddPoints("C1", "k1", 5)


def test_a_bare_date_is_the_end_of_that_day_for_a_validity_and_its_start_for_a_creation() -> None:
    berlin = Grammar(ZoneInfo("Europe/Berlin"))
    change = added(plan(grammar=berlin, points="5", valid_until="2027-01-31", created_at="2026-01-31"))
    assert change.valid_until is not None and change.valid_until.instant is not None and change.created_at is not None
    assert format_instant(change.valid_until.instant) == "2027-01-31T22:59:59.999Z"
    assert format_instant(change.created_at) == "2026-01-30T23:00:00.000Z"


@pytest.mark.parametrize(
    ("cell", "when"),
    [
        ("never", (NEVER, None, None)),
        ("+90d", (None, 90, None)),
        ("+12m", (None, None, 12)),
        ("Unlimited", (NEVER, None, None)),
    ],
)
def test_a_validity_may_be_relative_or_none(cell: str, when: tuple[int | None, ...]) -> None:
    until = added(plan(points="5", valid_until=cell)).valid_until
    assert until is not None
    assert (until.instant, until.days, until.months) == when


def test_other_dates_are_read_by_a_format() -> None:
    grammar = Grammar(UTC, date_format="%d.%m.%Y")
    change = added(plan(grammar=grammar, points="5", valid_until="31.01.2027", created_at="01.02.2026"))
    assert change == added(plan(points="5", valid_until="2027-01-31", created_at="2026-02-01"))
    assert added(plan(grammar=grammar, points="5", valid_until="+90d")).valid_until is not None
    assert isinstance(plan(grammar=grammar, points="5", valid_until="2027-01-31"), Reject)
    with_time = Grammar(UTC, date_format="%d.%m.%Y %H:%M")
    change = added(plan(grammar=with_time, points="5", valid_until="31.01.2027 10:30"))
    assert change.valid_until is not None and change.valid_until.instant is not None
    assert format_instant(change.valid_until.instant) == "2027-01-31T10:30:00.000Z"


def test_a_decimal_comma_is_read_where_it_was_announced() -> None:
    comma = Grammar(UTC, decimal_comma=True)
    assert plan(grammar=comma, points="5,0") == AddPoints("C1", "k1", 5)
    assert plan(grammar=comma, order_value="29,33") == AddPoints("C1", "k1", order_value=Decimal("29.33"))
    assert isinstance(plan(grammar=comma, order_value="29.33"), Reject)


@pytest.mark.parametrize(
    ("row", "says"),
    [
        (["C1"], "The row has 1 of 2 cells."),
        (["C1", "5", "hello", " world"], "4 cells where the header has 2; too many are 'hello', ' world'."),
    ],
)
def test_a_row_of_another_width_is_rejected(row: list[str], says: str) -> None:
    planner = Planner(understand(["customer_id", "points"], {}, {}), Grammar(UTC), b"digest")
    key, reject = planner.plan(row, 1)
    assert isinstance(reject, Reject)
    assert (reject.code, key) == ("wrong_cell_count", planner.derived_key(1))
    assert says in reject.message


def test_keys_are_derived_from_content_and_place_and_no_spreadsheet_takes_them_for_numbers() -> None:
    columns = understand(["customer_id", "points"], {}, {})
    one, other = (Planner(columns, Grammar(UTC), content) for content in (b"one", b"other"))
    keys = [one.derived_key(1), one.derived_key(2), other.derived_key(1)]
    assert len(set(keys)) == 3
    assert all(key.startswith("row-") for key in keys)
    assert one.plan(["C1", "5"], 2)[0] == keys[1]


def test_a_constant_is_a_cell_of_every_row() -> None:
    columns = understand(["customer_id"], {}, {"points": "5", "operation": "redeem", "reason": "closing"})
    key, change = Planner(columns, Grammar(UTC), b"digest").plan(["C1"], 1)
    assert change == RedeemPoints("C1", key, 5, reason="closing")


@pytest.mark.parametrize(
    "constants",
    [
        {"points": "1.5"},
        {"valid_until": "soon"},
        {"operation": "steal"},
        {"customer_id": "a\tb"},
        {"reason": "\udcff"},
        {"description": "x" * 10_000},
    ],
)
def test_an_impossible_constant_is_refused_at_once(constants: dict[str, str]) -> None:
    columns = understand(["customer_id", "points"], {}, constants)
    with pytest.raises(InvalidValue, match="--set"):
        Planner(columns, Grammar(UTC), b"digest")


@pytest.mark.parametrize("form", ["%Q", "dd.mm.yyyy", "%d.%"])
def test_an_impossible_date_format_is_refused_at_once(form: str) -> None:
    with pytest.raises(InvalidValue, match="--date-format"):
        Planner(understand(["customer_id", "points"], {}, {}), Grammar(UTC, date_format=form), b"digest")


def test_an_action_that_looks_like_a_redemption_is_not_booked_as_points_added() -> None:
    planner = Planner(understand(["Email", "Points", "Action"], {}, {}), Grammar(UTC), b"digest")
    assert isinstance(planner.plan(["a@example.org", "5", "Bonus"], 1)[1], AddPoints)
    assert isinstance(planner.plan(["a@example.org", "5", "Redeem"], 2)[1], Reject)
