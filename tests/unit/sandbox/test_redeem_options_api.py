"""Operations 11 to 14 on the wire: redeem options, their rules and their versions."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox_client import MANAGE, VIEW, Running

PERCENT: dict[str, Any] = {
    "type": "coupon",
    "name": "10 %",
    "points": 90,
    "coupon": {"name": "ten", "discountType": "PERCENT", "discountPercentage": 10},
    "new-field": {"kept": [1, 2]},
}


def of(api: Running, option_id: str = "") -> str:
    """The path of the options, or of one."""
    return f"/{api.tenant}/redeemOptions" + (f"/{option_id}" if option_id else "")


def made(api: Running, **more: Any) -> dict[str, Any]:
    """A new option."""
    answer = api.points("POST", of(api), {**PERCENT, **more})
    assert answer.status == 200
    (option,) = answer.json
    return dict(option)


def test_creating_answers_with_the_option_in_an_array(api: Running) -> None:
    option = made(api)

    assert option.pop("id")
    assert option.pop("metadata") == {
        "version": 1,
        "createdAt": "2026-03-01T12:00:00.000Z",
        "modifiedAt": "2026-03-01T12:00:00.000Z",
    }
    assert option.pop("coupon") == {**PERCENT["coupon"], "allowAnonymous": False}
    assert option == {name: value for name, value in PERCENT.items() if name != "coupon"}


def test_an_id_that_was_sent_is_kept_and_is_not_to_be_had_twice(api: Running) -> None:
    assert made(api, id="mine")["id"] == "mine"

    again = api.points("POST", of(api), {**PERCENT, "id": "mine"})

    assert (again.status, again.json["detail"]) == (400, "A redeem option mine exists.")


def test_everybody_may_list_and_sees_the_same(api: Running) -> None:
    option = made(api)

    for holder in ("service", "employee", "some-customer"):
        listed = api.points("GET", of(api), token=api.token(holder))
        assert listed.status == 200
        assert option in listed.json


def test_an_update_takes_the_place_of_the_whole_option(api: Running) -> None:
    option = made(api)
    option["points"] = 80
    del option["new-field"]
    api.now += 1000

    answer = api.points("PUT", of(api, option["id"]), option)

    assert (answer.status, answer.body) == (200, b"")
    (now,) = [one for one in api.points("GET", of(api)).json if one["id"] == option["id"]]
    assert (now["points"], now["metadata"]["version"]) == (80, 2)
    assert now["metadata"]["modifiedAt"] == "2026-03-01T12:00:01.000Z"
    assert "new-field" not in now


def test_a_stale_version_is_refused_in_words_of_its_own(api: Running) -> None:
    option = made(api)
    assert api.points("PUT", of(api, option["id"]), option).status == 200

    answer = api.points("PUT", of(api, option["id"]), {**option, "points": 1})

    why = (
        f"The resource that was requested for update with id = {option['id']} has changed. "
        "Please retry your request with valid version"
    )
    assert (answer.status, answer.json) == (
        409,
        {"status": 409, "message": "RedeemOption not Updated", "details": {"message": why}},
    )


@pytest.mark.parametrize(
    ("metadata", "field"),
    [(None, "metadata.version"), ({}, "metadata.version"), ({"version": "1"}, "metadata.version"), ([1], "metadata")],
)
def test_an_update_names_the_version_that_it_read(metadata: Any, field: str, api: Running) -> None:
    option = {**made(api), "metadata": metadata}

    answer = api.points("PUT", of(api, option["id"]), option)

    assert (answer.status, answer.json["details"][0]["field"]) == (400, field)


def test_updating_what_is_not_there_is_a_problem(api: Running) -> None:
    answer = api.points("PUT", of(api, "nothing"), {**PERCENT, "metadata": {"version": 1}})

    assert (answer.status, answer.json["detail"]) == (400, "There is no redeem option nothing.")


def test_only_an_employee_deletes_and_twice_is_no_harm(api: Running) -> None:
    option = made(api)

    for token in (api.token(), api.token("some-customer")):
        assert api.points("DELETE", of(api, option["id"]), token=token).status == 403
    for _ in range(2):
        answer = api.points("DELETE", of(api, option["id"]), token=api.token("employee"))
        assert (answer.status, answer.body) == (204, b"")
    assert option["id"] not in [one["id"] for one in api.points("GET", of(api)).json]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"type": 7}, "type"),
        ({"type": None}, "type"),
        ({"points": None}, "points"),
        ({"points": "90"}, "points"),
        ({"points": 0}, "points"),
        ({"id": 5}, "id"),
        ({"pointsAfterCoupon": "x"}, "pointsAfterCoupon"),
        ({"coupon": "x"}, "coupon"),
        ({"coupon": {"discountType": "PERCENT", "discountPercentage": 1}}, "coupon.name"),
        ({"coupon": {"name": "n", "discountType": "GIFT"}}, "coupon.discountType"),
        ({"coupon": {"name": "n", "discountType": "PERCENT", "discountPercentage": 101}}, "coupon.discountPercentage"),
        ({"coupon": {"name": "n", "discountType": "ABSOLUTE"}}, "coupon.discountAbsolute"),
        (
            {
                "coupon": {
                    "name": "n",
                    "discountType": "ABSOLUTE",
                    "discountAbsolute": {"amount": 1, "currency": "euro"},
                }
            },
            "coupon.discountAbsolute.currency",
        ),
        ({"coupon": {**PERCENT["coupon"], "allowAnonymous": "no"}}, "coupon.allowAnonymous"),
        (
            {"coupon": {**PERCENT["coupon"], "allowAnonymous": True, "maxRedemptionsPerCustomer": 1}},
            "coupon.allowAnonymous",
        ),
        ({"coupon": {**PERCENT["coupon"], "maxRedemptions": -2}}, "coupon.maxRedemptions"),
    ],
)
def test_an_option_that_breaks_a_rule_names_the_field(change: dict[str, Any], field: str, api: Running) -> None:
    answer = api.points("POST", of(api), {**PERCENT, **change})

    assert (answer.status, answer.json["type"]) == (400, "validation_violation")
    assert [one["field"] for one in answer.json["details"]] == [field]


def test_options_of_another_tenant_are_forbidden(api: Running) -> None:
    for method, path in (("GET", ""), ("POST", ""), ("PUT", "/x"), ("DELETE", "/x")):
        answer = api.points(method, f"/another/redeemOptions{path}", PERCENT, token=api.token("employee"))
        assert (answer.status, answer.json["details"]) == (403, ["The token is not for tenant 'another'"])


def test_options_are_written_with_the_scope_for_it(api: Running) -> None:
    assert api.points("GET", of(api), token=api.token_with(VIEW)).status == 200
    assert api.points("GET", of(api), token=api.token_with(MANAGE)).status == 403
    assert api.points("POST", of(api), PERCENT, token=api.token_with(VIEW)).status == 403
    assert api.points("PUT", of(api, "x"), PERCENT, token=api.token_with(VIEW)).status == 403
    answer = api.points("DELETE", of(api, "x"), token=api.token_with(VIEW, holder="employee"))
    assert answer.json["details"] == [
        "Missing required scopes '[rewardspoints.rewardpoints_manage, saasag.rewardpoints_manage]'"
    ]
