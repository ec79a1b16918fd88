"""The canonical form of a change: the same for the same request, another for every other one."""

from __future__ import annotations

from decimal import Decimal
from itertools import combinations

import pytest

from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.values import parse_when

ADD = AddPoints("C1", "key", 50, reference_id="9", valid_until=parse_when("+90d"))


def test_the_canonical_form_of_each_kind() -> None:
    # The forms are in every ledger that exists, as digests: they are never to change.
    forms = {
        ADD: "add\x1fC1\x1f50\x1f9\x1f+90d",
        AddPoints("C1", "key", order_value=Decimal("29.330")): "add\x1fC1\x1fv29.33\x1f\x1f",
        RedeemPoints("C1", "key", 50, reference_id="9"): "redeem\x1fC1\x1f50\x1f9\x1f",
        RedeemPoints("C1", "key", option_id="o"): "redeem\x1fC1\x1foption o\x1f\x1f",
        Reverse("C1", "entry", "key"): "reverse\x1fC1\x1fentry\x1f\x1f",
    }
    assert {change: change.canonical() for change in forms} == forms


@pytest.mark.parametrize(
    "other",
    [
        ADD._replace(key="another"),
        ADD._replace(description="text", reason="why"),
        ADD._replace(created_at=5),
        ADD._replace(site_code="elsewhere"),
        ADD._replace(customers=Customers.EXISTING),
    ],
)
def test_what_does_not_count_for_the_request_is_not_in_it(other: AddPoints) -> None:
    assert other.canonical() == ADD.canonical()


def test_different_requests_have_different_forms() -> None:
    changes: list[Change] = [
        ADD,
        ADD._replace(customer_id="C2"),
        ADD._replace(points=51),
        ADD._replace(points=None, order_value=Decimal(50)),
        ADD._replace(reference_id=None),
        ADD._replace(reference_id="90"),
        ADD._replace(valid_until=None),
        ADD._replace(valid_until=parse_when("+3m")),
        RedeemPoints("C1", "key", 50, reference_id="9"),
        RedeemPoints("C1", "key", option_id="50", reference_id="9"),
        Reverse("C1", "50", "key"),
    ]
    assert [(a, b) for a, b in combinations(changes, 2) if a.canonical() == b.canonical()] == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("12.5", "12.50", True),
        ("100", "1E+2", True),
        ("100", "100.00", True),
        ("0", "0.00", True),
        ("10", "1", False),
        ("12.5", "12.51", False),
        ("1234567890123456789012345678901234567.8", "1234567890123456789012345678901234567.9", False),
    ],
)
def test_order_values_are_the_same_when_they_are_equal(one: str, other: str, same: bool) -> None:
    forms = [AddPoints("C1", "key", order_value=Decimal(value)).canonical() for value in (one, other)]
    assert (forms[0] == forms[1]) is same


def test_a_date_counts_as_it_was_typed() -> None:
    typed = [ADD._replace(valid_until=parse_when(text)) for text in ("2027-01-31", "2027-01-31T00:00:00Z")]
    assert [change.canonical().rpartition("\x1f")[2] for change in typed] == ["2027-01-31", "2027-01-31T00:00:00Z"]
