"""Operations 8 to 10 on the wire: the signed-in customer's own points."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox_client import Running

COUPON: dict[str, Any] = {
    "name": "10 Euro",
    "discountType": "ABSOLUTE",
    "discountAbsolute": {"amount": 10, "currency": "EUR"},
}


@pytest.fixture
def option(api: Running) -> str:
    """The id of an option for 90 points."""
    made = api.points(
        "POST", f"/{api.tenant}/redeemOptions", {"type": "coupon", "name": "10", "points": 90, "coupon": COUPON}
    )
    return str(made.json[0]["id"])


def test_my_points_are_those_of_my_token(api: Running) -> None:
    api.add("me", 1153, id="e1")
    api.add("other", 7)

    assert api.as_customer("me", "GET", "").body == b"1153"
    assert api.as_customer("me", "GET", "/summary").json == api.summary("me")
    assert api.as_customer("other", "GET", "").body == b"7"


def test_who_never_had_points_is_not_found(api: Running) -> None:
    for path in ("", "/summary"):
        answer = api.as_customer("never-had", "GET", path)
        assert (answer.status, answer.json["message"]) == (404, "No reward points found for customer never-had")


def test_points_become_a_coupon_code(api: Running, option: str) -> None:
    api.add("buyer", 100)

    answer = api.as_customer("buyer", "POST", "/redeem?siteCode=main", {"id": option})

    assert answer.status == 200
    assert list(answer.json) == ["code"]
    assert api.as_customer("buyer", "GET", "").body == b"10"
    other = api.as_customer("buyer", "POST", "/redeem", {"id": option})
    assert (other.status, other.json["detail"]) == (
        400,
        "Customer buyer has 10 points, fewer than the 90 to redeem.",
    )


def test_a_site_s_coupon_codes_begin_with_its_prefix(api: Running, option: str) -> None:
    api.add("prefixed", 90)
    mixin = f"/site/{api.tenant}/sites/with-prefix/mixins/couponSettings"
    assert api.send("PUT", mixin, {"rewardpoints": {"codePrefix": "LLS"}}).status == 201

    code = api.as_customer("prefixed", "POST", "/redeem?siteCode=with-prefix", {"id": option}).json["code"]

    assert code.startswith("LLS-")


def test_what_there_is_none_of_is_not_found(api: Running, option: str) -> None:
    api.add("seeker", 100)

    no_option = api.as_customer("seeker", "POST", "/redeem", {"id": "nothing"})
    no_customer = api.as_customer("newcomer", "POST", "/redeem", {"id": option})

    assert (no_option.status, no_option.json["message"]) == (404, "No redeem option found with id nothing")
    assert (no_customer.status, no_customer.json["type"]) == (404, "resource_not_found")
    assert api.as_customer("seeker", "GET", "").body == b"100"


def test_free_shipping_is_not_to_be_had_for_points(api: Running) -> None:
    api.add("shipper", 100)
    document = {"type": "coupon", "name": "free", "points": 1, "coupon": {"name": "f", "discountType": "FREE_SHIPPING"}}
    made = api.points("POST", f"/{api.tenant}/redeemOptions", document)

    answer = api.as_customer("shipper", "POST", "/redeem", {"id": made.json[0]["id"]})

    assert answer.status == 400
    assert answer.json["detail"].endswith("points are exchanged for PERCENT and ABSOLUTE coupons only.")
    assert answer.json["instance"] == "/public/customer/redeem"


@pytest.mark.parametrize("body", [{}, {"id": None}, {"id": 5}, {"id": ""}])
def test_an_exchange_names_its_option(body: dict[str, Any], api: Running) -> None:
    answer = api.as_customer("buyer", "POST", "/redeem", body)

    assert (answer.status, answer.json["details"][0]["field"]) == (400, "id")


OPERATIONS = [("GET", ""), ("GET", "/summary"), ("POST", "/redeem")]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("holder", ["service", "employee"])
def test_the_storefront_is_for_customers_only(method: str, path: str, holder: str, api: Running) -> None:
    answer = api.points(method, f"/public/customer{path}", token=api.token(holder))

    assert answer.status == answer.json["code"] == 403
    assert answer.json["details"] == ["This is for a token of a customer only"]


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("tenant", [None, "another"])
def test_a_customer_s_token_needs_its_tenant_beside_it(
    method: str, path: str, tenant: str | None, api: Running
) -> None:
    answer = api.points(method, f"/public/customer{path}", {}, token=api.token("me"), tenant=tenant)

    fault = {"faultstring": "Invalid access token", "detail": {"errorcode": "oauth.v2.InvalidAccessToken"}}
    assert (answer.status, answer.json) == (401, {"fault": fault})
