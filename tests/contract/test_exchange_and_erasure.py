"""Coupons for points that were really worth something, and deletions that leave nobody's name behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.domain.outcomes import Applied, Refused
from rpctl.domain.values import parse_instant
from rpctl.errors import InvalidValue, NotExchangeable

NOW = parse_instant("2026-06-15T12:00:00Z")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[LedgerBackend]:
    backend = LedgerBackend(tmp_path / "l.db", Setting(clock=lambda: NOW, who="tester", version="0"))
    backend.apply([AddPoints(customer, f"start-{customer}", points=100) for customer in ("anna", "ben")])
    yield backend
    backend.close()


def option(ledger: LedgerBackend, **restrictions: Any) -> str:
    coupon = {"name": "ten", "discountType": "PERCENT", "discountPercentage": 10, "restrictions": restrictions}
    return ledger.create_option({"name": "ten", "points": 40, "coupon": coupon}).id


def exchange(ledger: LedgerBackend, customer: str, option_id: str) -> Any:
    return ledger.apply([RedeemPoints(customer, f"x-{customer}-{option_id}", option_id=option_id)])[0]


@pytest.mark.parametrize(
    "restrictions",
    [
        {"validUntil": "2026-06-15T11:59:59.999Z"},
        {"validUntil": "2020-01-01T00:00:00Z"},
        {"validFor": ["anna"]},
    ],
)
def test_no_points_are_taken_for_a_coupon_that_the_customer_cannot_use(
    ledger: LedgerBackend, restrictions: dict[str, Any]
) -> None:
    outcome = exchange(ledger, "ben", option(ledger, **restrictions))
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, NotExchangeable)
    assert ledger.active_points("ben") == 100


@pytest.mark.parametrize("restrictions", [{"validUntil": "2026-06-15T12:00:00.001Z"}, {"validFor": ["ben"]}, {}])
def test_a_coupon_that_the_customer_can_use_is_issued(ledger: LedgerBackend, restrictions: dict[str, Any]) -> None:
    assert isinstance(exchange(ledger, "ben", option(ledger, **restrictions)), Applied)
    assert ledger.active_points("ben") == 60


def test_a_deleted_customer_is_named_by_no_option_and_no_coupon(ledger: LedgerBackend, tmp_path: Path) -> None:
    option_id = option(ledger, validFor=["anna", "ben"])
    for customer in ("anna", "ben"):
        assert isinstance(exchange(ledger, customer, option_id), Applied)
    ledger.delete_customer("anna")
    (left,) = ledger.options()
    names = left.document["coupon"]["restrictions"]["validFor"]
    assert (names[1], left.version) == ("ben", 2)
    assert names[0].startswith("deleted-")
    assert "anna" not in json.dumps(left.document)
    ledger.close()
    assert b"anna" not in (tmp_path / "l.db").read_bytes()


def test_a_coupon_for_one_customer_is_not_for_everybody_once_that_one_is_deleted(ledger: LedgerBackend) -> None:
    option_id = option(ledger, validFor=["anna"])
    ledger.delete_customer("anna")
    assert isinstance(exchange(ledger, "ben", option_id), Refused)


def test_fields_that_are_not_read_only_are_kept(ledger: LedgerBackend) -> None:
    coupon = {"name": "c", "discountType": "FREE_SHIPPING", "redemptionCount": 4, "future": [1]}
    made = ledger.create_option({"name": "n", "points": 5, "pointsAfterCoupon": 7, "coupon": coupon})
    assert made.document["pointsAfterCoupon"] == 7
    assert (made.document["coupon"]["redemptionCount"], made.document["coupon"]["future"]) == (4, [1])


@pytest.mark.parametrize("option_id", [" x", "x" * 256, "a\nb"])
def test_an_option_id_that_no_command_could_name_is_refused(ledger: LedgerBackend, option_id: str) -> None:
    with pytest.raises(InvalidValue):
        ledger.create_option({"id": option_id, "name": "n", "points": 5})
