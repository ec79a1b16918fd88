"""Tokens: how they are had, what they allow, when they end."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox_client import FORM, MANAGE, SITE, VIEW, Running, running

FAULT = {"fault": {"faultstring": "Invalid access token", "detail": {"errorcode": "oauth.v2.InvalidAccessToken"}}}


def test_the_answer_has_the_documented_fields(api: Running) -> None:
    with running() as one:
        found = one.login()

        token = found.json.pop("access_token")
        assert len(token) == 48
        assert {**found.json, "access_token": None} == {
            "access_token": None,
            "token_type": "Bearer",
            "expires_in": 14399,
            "session_idle_time": 120,
            "scope": f"tenant={one.tenant} {VIEW} {MANAGE} {SITE}",
            "refresh_token": "",
            "refresh_token_expires_in": 0,
        }
        assert one.points("POST", "/customer/C1/addPoints", {"points": 1}, token=token, tenant=None).status == 201


def test_each_token_is_another(api: Running) -> None:
    assert api.login().json["access_token"] != api.login().json["access_token"]


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (VIEW, [VIEW]),
        (f"{MANAGE} {VIEW}", [VIEW, MANAGE]),
        ("order.order_manage", []),
        ("tenant={}", [VIEW, MANAGE, SITE]),
    ],
)
def test_scopes_that_are_asked_for_are_granted_if_the_client_has_them(
    asked: str, granted: list[str], api: Running
) -> None:
    answer = api.login(scope=asked.format(api.tenant))

    assert answer.json["scope"].split() == [f"tenant={api.tenant}", *granted]
    reads = api.points("GET", "/summaryBatch", token=answer.json["access_token"])
    assert reads.status == (200 if VIEW in granted else 403)


@pytest.mark.parametrize(
    "wrong",
    [{"client_secret": "no"}, {"client_secret": ""}, {"client_secret": "é"}, {"client_id": "x"}, {"scope": "tenant=x"}],
)
def test_a_wrong_client_gets_none(wrong: dict[str, str], api: Running) -> None:
    answer = api.login(**wrong)

    assert answer.status == 401
    assert answer.json["fault"]["detail"]["errorcode"] == "oauth.v2.InvalidClientIdentifier"


def test_only_the_documented_grant_is_given(api: Running) -> None:
    for grant in ("password", ""):
        assert api.login(grant_type=grant).status == 400
    assert api.send("POST", "/oauth/token", {"grant_type": "client_credentials"}).status == 415
    assert api.send("POST", "/oauth/token", b"\xff=\xfe&grant_type", media_type=FORM).status == 400


@pytest.mark.parametrize("header", [None, "Bearer nothing", "Bearer", "Basic {}", "{}"])
def test_without_a_token_that_was_issued_nothing_is_answered(header: str | None, api: Running) -> None:
    more = {} if header is None else {"Authorization": header.format(api.token())}
    paths = [
        "/reward-points/summaryBatch",
        "/reward-points/public/customer",
        f"/site/{api.tenant}/sites/main/mixins/couponSettings",
    ]

    for path in [*paths, f"/reward-points/{api.tenant}/redeemOptions"]:
        answer = api.send("GET", path, token=None, **more)
        assert (answer.status, answer.json) == (401, FAULT)


def test_the_scheme_is_read_in_any_case(api: Running) -> None:
    assert (
        api.send("GET", "/reward-points/summaryBatch", token=None, Authorization=f"bearer {api.token()}").status == 200
    )


def test_a_token_ends_after_its_life() -> None:
    with running(token_lifetime_s=60) as one:
        answer = one.login()
        token = answer.json["access_token"]
        assert answer.json["expires_in"] == 60
        customer = one.token("C1")
        one.add("C1", 5)

        one.now += 59_999
        assert one.points("GET", "/customer/C1", token=token).status == 200
        assert one.as_customer("C1", "GET", "").status == 200
        one.now += 1
        assert one.points("GET", "/customer/C1", token=token).json == FAULT
        assert one.points("GET", "/public/customer", token=customer).json == FAULT


def test_any_token_can_be_made_for_a_test(api: Running) -> None:
    api.add("C1", 1)
    short = api.token_with(VIEW, expires_in=5)
    employee = api.token_with(VIEW, holder="employee")

    assert api.points("GET", "/customer/C1", token=short).status == 200
    api.now += 5_000
    assert api.points("GET", "/customer/C1", token=short).status == 401
    assert api.points("GET", "/customer/C1", token=employee).status == 200
    for tenant in (None, "another"):
        assert api.points("GET", "/customer/C1", token=employee, tenant=tenant).json == FAULT


@pytest.mark.parametrize(
    "body", [{"scopes": "x"}, {"scopes": [1]}, {"expires_in": -1}, {"holder": "customer"}, {"holder": 1}]
)
def test_a_token_that_cannot_be_made_says_why(body: dict[str, Any], api: Running) -> None:
    answer = api.send("POST", "/sandbox/token", body, token=None)

    assert (answer.status, answer.json["details"][0]["field"]) == (400, next(iter(body)))


def test_the_exported_customer_token_is_that_of_c1(api: Running) -> None:
    answer = api.points("GET", "/public/customer/summary", token=api.exports["RPCTL_CUSTOMER_TOKEN"])

    assert answer.json.get("customerId", answer.json.get("message"))[-2:] == "C1"


def test_a_customer_token_can_be_for_any_id(api: Running) -> None:
    api.add("a%2Fb", 3)

    assert api.as_customer("a%2Fb", "GET", "").body == b"3"
