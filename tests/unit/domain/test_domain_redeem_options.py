"""The rules of redeem options and their coupon templates."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from rpctl.domain.redeem_options import RedeemOption, check_exchangeable, check_option, issue, merge
from rpctl.errors import InvalidValue, NotExchangeable

EUROS = {"amount": 5, "currency": "EUR"}
COUPON = {"name": "c", "discountType": "PERCENT", "discountPercentage": 10}
OPTION = {"name": "o", "points": 50, "coupon": COUPON}


def with_coupon(**fields: Any) -> dict[str, Any]:
    return {**OPTION, "coupon": {**COUPON, **fields}}


def absolute(money: Any) -> dict[str, Any]:
    return {**OPTION, "coupon": {"name": "c", "discountType": "ABSOLUTE", "discountAbsolute": money}}


def test_a_sound_option_is_kept_with_its_defaults_and_unknown_fields() -> None:
    document = {**with_coupon(ours=[1]), "description": "d", "theirs": {"a": None}, "type": "coupon"}
    expected = {**document, "coupon": {**document["coupon"], "allowAnonymous": False}}
    assert check_option(document) == expected
    assert check_option({"name": "o", "points": 1}) == {"type": "coupon", "name": "o", "points": 1}


def test_what_only_the_backend_sets_is_left_out() -> None:
    document = {**with_coupon(code="X", status="USED"), "id": "1", "metadata": {"version": 4}}
    assert check_option(document) == check_option(OPTION)


def test_the_document_that_was_passed_in_is_not_changed() -> None:
    document = {**with_coupon(restrictions={"validFor": ["C1"]}), "id": "1"}
    before = deepcopy(document)
    check_option(document)["coupon"]["restrictions"]["validFor"].append("C2")
    assert document == before


ALLOWED: dict[str, Any] = {
    "the fewest points": {**OPTION, "points": 1},
    "the most points": {**OPTION, "points": 2_147_483_647},
    "no coupon": {"name": "o", "points": 1},
    "no percent": with_coupon(discountPercentage=0),
    "all percent": with_coupon(discountPercentage=100),
    "a fraction of a percent": with_coupon(discountPercentage=12.5),
    "an amount": absolute(EUROS),
    "no amount": absolute({"amount": 0, "currency": "EUR"}),
    "free shipping": {**OPTION, "coupon": {"name": "c", "discountType": "FREE_SHIPPING"}},
    "any number of redemptions": with_coupon(maxRedemptions=-1, maxRedemptionsPerCustomer=-1),
    "some redemptions": with_coupon(maxRedemptions=0, maxRedemptionsPerCustomer=3),
    "anonymous": with_coupon(allowAnonymous=True, maxRedemptionsPerCustomer=-1),
    "anonymous, and an empty limit": with_coupon(allowAnonymous=True, maxRedemptionsPerCustomer=None),
    "anonymous for nobody in particular": with_coupon(allowAnonymous=True, restrictions={"validFor": []}),
    "for some customers": with_coupon(restrictions={"validFor": ["C1"]}),
    "for a moment": with_coupon(restrictions={"validFrom": "2026-01-01", "validUntil": "2026-01-01"}),
    "for a time": with_coupon(restrictions={"validFrom": "2026-01-01T00:00:00Z", "validUntil": None}),
    "from a value on": with_coupon(restrictions={"minOrderValue": EUROS}),
}


@pytest.mark.parametrize("document", ALLOWED.values(), ids=ALLOWED)
def test_an_option_may_have(document: dict[str, Any]) -> None:
    assert check_option(document)["points"] == document["points"]


REFUSED: dict[str, tuple[Any, str]] = {
    "no document": ([], "JSON object"),
    "no name": ({"points": 1}, "name"),
    "a blank name": ({**OPTION, "name": " "}, "name"),
    "a number for a name": ({**OPTION, "name": 5}, "name"),
    "a list for a description": ({**OPTION, "description": []}, "description"),
    "an empty type": ({**OPTION, "type": None}, "type"),
    "no points": ({"name": "o"}, "points"),
    "points 0": ({**OPTION, "points": 0}, "points"),
    "too many points": ({**OPTION, "points": 2_147_483_648}, "points"),
    "points as text": ({**OPTION, "points": "50"}, "points"),
    "points with a point": ({**OPTION, "points": 50.0}, "points"),
    "points true": ({**OPTION, "points": True}, "points"),
    "a coupon that is none": ({**OPTION, "coupon": "c"}, "coupon is"),
    "a coupon without name": ({**OPTION, "coupon": {"discountType": "PERCENT"}}, "coupon.name"),
    "a discount of no type": ({**OPTION, "coupon": {"name": "c"}}, "discountType"),
    "a discount of another type": (with_coupon(discountType="percent"), "discountType"),
    "percent without a number": (with_coupon(discountPercentage=None), "discountPercentage"),
    "percent as text": (with_coupon(discountPercentage="10"), "discountPercentage"),
    "percent true": (with_coupon(discountPercentage=True), "discountPercentage"),
    "more than all percent": (with_coupon(discountPercentage=100.1), "discountPercentage"),
    "less than no percent": (with_coupon(discountPercentage=-1), "discountPercentage"),
    "percent that is no number": (with_coupon(discountPercentage=float("nan")), "discountPercentage"),
    "percent and an amount": (with_coupon(discountAbsolute=EUROS), "discountAbsolute"),
    "free shipping and percent": (with_coupon(discountType="FREE_SHIPPING"), "discountPercentage"),
    "an amount without amount": (absolute({"currency": "EUR"}), "discountAbsolute"),
    "an amount without currency": (absolute({"amount": 5}), "currency"),
    "an amount in small letters": (absolute({"amount": 5, "currency": "eur"}), "currency"),
    "an amount as text": (absolute({"amount": "5", "currency": "EUR"}), "discountAbsolute"),
    "percent without end": (with_coupon(discountPercentage=10**400), "discountPercentage"),
    "an amount below 0": (absolute({"amount": -1, "currency": "EUR"}), "discountAbsolute"),
    "an amount that is no number": (absolute({"amount": float("nan"), "currency": "EUR"}), "discountAbsolute"),
    "an amount below everything": (
        absolute({"amount": float("-inf"), "currency": "EUR"}),
        "discountAbsolute",
    ),
    "an amount without end": (absolute({"amount": float("inf"), "currency": "EUR"}), "discountAbsolute"),
    "no amount at all": (absolute(None), "discountAbsolute"),
    "anonymous that is not said clearly": (with_coupon(allowAnonymous="yes"), "allowAnonymous"),
    "anonymous and a limit": (with_coupon(allowAnonymous=True, maxRedemptionsPerCustomer=1), "allowAnonymous"),
    "anonymous for some": (with_coupon(allowAnonymous=True, restrictions={"validFor": ["C1"]}), "allowAnonymous"),
    "a limit below -1": (with_coupon(maxRedemptions=-2), "maxRedemptions"),
    "a limit with a point": (with_coupon(maxRedemptionsPerCustomer=1.5), "maxRedemptionsPerCustomer"),
    "restrictions that are none": (with_coupon(restrictions=[]), "restrictions is"),
    "customers that are no list": (with_coupon(restrictions={"validFor": "C1"}), "validFor"),
    "customers that are numbers": (with_coupon(restrictions={"validFor": [1]}), "validFor"),
    "a date that is none": (with_coupon(restrictions={"validFrom": "soon"}), "soon"),
    "a date that is a number": (with_coupon(restrictions={"validUntil": 5}), "validUntil"),
    "an end before the start": (
        with_coupon(restrictions={"validFrom": "2026-01-02", "validUntil": "2026-01-01"}),
        "before validFrom",
    ),
    "a least value without currency": (with_coupon(restrictions={"minOrderValue": {"amount": 1}}), "currency"),
}


@pytest.mark.parametrize(("document", "named"), REFUSED.values(), ids=REFUSED)
def test_an_option_may_not_have(document: Any, named: str) -> None:
    with pytest.raises(InvalidValue, match=named):
        check_option(document)


# -- exchange ----------------------------------------------------------------------------------------------


def option(coupon: Any) -> RedeemOption:
    return RedeemOption("o1", 1, {"name": "o", "points": 50, "coupon": coupon})


@pytest.mark.parametrize("kind", ["PERCENT", "ABSOLUTE"])
def test_points_are_exchanged_for_percent_and_absolute_coupons(kind: str) -> None:
    check_exchangeable(option({"discountType": kind}), "C1", 0)


@pytest.mark.parametrize("coupon", [{"discountType": "FREE_SHIPPING"}, {}, None, "PERCENT"])
def test_points_are_exchanged_for_no_other_coupon(coupon: Any) -> None:
    with pytest.raises(NotExchangeable, match="o1"):
        check_exchangeable(option(coupon), "C1", 0)


def test_an_issued_coupon_is_the_template_with_code_and_owner() -> None:
    template = {**COUPON, "restrictions": {"validFor": ["C1"]}}
    coupon = issue(option(template), "C1", "SHOP-1")
    state = {"code": "SHOP-1", "issuedTo": "C1", "redemptionCount": 0, "status": "VALID"}
    assert (coupon.code, coupon.option_id, coupon.customer_id) == ("SHOP-1", "o1", "C1")
    assert coupon.document == {**template, **state}


# -- changing ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"a": 1, "b": {"c": 2, "d": [3]}}),
        ({"a": 5}, {"a": 5, "b": {"c": 2, "d": [3]}}),
        ({"a": None}, {"b": {"c": 2, "d": [3]}}),
        ({"x": None}, {"a": 1, "b": {"c": 2, "d": [3]}}),
        ({"b": {"c": 5}}, {"a": 1, "b": {"c": 5, "d": [3]}}),
        ({"b": {"c": None, "e": 1}}, {"a": 1, "b": {"d": [3], "e": 1}}),
        ({"b": {"d": []}}, {"a": 1, "b": {"c": 2, "d": []}}),
        ({"b": 7}, {"a": 1, "b": 7}),
        ({"a": {"n": 1, "m": None}}, {"a": {"n": 1}, "b": {"c": 2, "d": [3]}}),
        ({"n": {"m": None}}, {"a": 1, "b": {"c": 2, "d": [3]}, "n": {}}),
    ],
)
def test_only_what_is_named_is_changed(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    old: dict[str, Any] = {"a": 1, "b": {"c": 2, "d": [3]}}
    merged = merge(old, changes)
    assert merged == expected
    assert old == {"a": 1, "b": {"c": 2, "d": [3]}}
