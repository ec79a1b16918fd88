"""The site's mixin: the program in it, and what is others' in it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from sandbox_client import MANAGE, SITE, VIEW, Running

FOREIGN: dict[str, Any] = {
    "codePrefix": "ED",
    "length": 3,
    "referral": {"codePrefix": "E", "value": 8},
    "metadata": {"schema": "https://example.test/couponSettingsSiteMixIn.v4"},
}
OURS: dict[str, Any] = {
    "codePrefix": "T",
    "orderValueToRewardPointsFactor": 0.1,
    "enabled": True,
    "validityInMonths": 2,
}


def of(api: Running, site: str) -> str:
    """The mixin's path."""
    return f"/site/{api.tenant}/sites/{site}/mixins/couponSettings"


def test_a_site_without_the_mixin_has_none_to_read_or_change(api: Running) -> None:
    for method in ("GET", "PATCH"):
        answer = api.send(method, of(api, "bare"), {"rewardpoints": {}})
        assert (answer.status, answer.json["message"]) == (404, "Site bare has no mixin couponSettings")


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_it_is_made_once_and_then_replaced(method: str, api: Running) -> None:
    site = of(api, f"made-{method.lower()}")

    assert [api.send(method, site, {**FOREIGN, "rewardpoints": OURS}).status for _ in range(2)] == [201, 204]
    assert api.send("GET", site).json == {**FOREIGN, "rewardpoints": OURS}


def test_only_what_is_sent_is_changed(api: Running) -> None:
    site = of(api, "changed")
    api.send("PUT", site, {**FOREIGN, "rewardpoints": {**OURS, "unknown": 1}})

    answer = api.send("PATCH", site, {"rewardpoints": {"enabled": False, "orderValueToRewardPointsFactor": 2}})

    assert (answer.status, answer.body) == (204, b"")
    changed = {**OURS, "unknown": 1, "enabled": False, "orderValueToRewardPointsFactor": 2}
    assert api.send("GET", site).json == {**FOREIGN, "rewardpoints": changed}


def test_it_is_the_program_by_which_points_are_added(api: Running) -> None:
    site = of(api, "program")
    api.send("PUT", site, {"rewardpoints": OURS})
    program = api.sandbox.data.backend.program("program")
    assert (program.factor, program.validity_months, program.code_prefix) == (Decimal("0.1"), 2, "T")

    assert api.points("POST", "/customer/by-site/addPoints?siteCode=program", {"points": 5}).status == 201
    (lot,) = api.summary("by-site")["summary"]["addedPointsList"]
    assert lot["validUntil"] == "2026-05-01T12:00:00.000Z"

    api.send("PATCH", site, {"rewardpoints": {"enabled": False}})
    for path, body in (("/addPoints", {"points": 5}), ("", {"startPoints": {"points": 5}})):
        refused = api.points("POST", f"/customer/by-nobody{path}?siteCode=program", body)
        assert (refused.status, refused.json["detail"]) == (400, "The reward program of site program is disabled.")
    assert api.points("POST", "/customer/by-site/redeemPoints?siteCode=program", {"points": 5}).status == 201


def test_a_program_that_was_set_in_the_ledger_shows_in_it(api: Running) -> None:
    api.sandbox.data.backend.set_program("from-ledger", {"factor": Decimal("1.5")})

    assert api.send("GET", of(api, "from-ledger")).json == {
        "rewardpoints": {"enabled": True, "orderValueToRewardPointsFactor": 1.5}
    }


@pytest.mark.parametrize(
    ("ours", "field"),
    [
        ([], "rewardpoints"),
        ({"enabled": "yes"}, "rewardpoints.enabled"),
        ({"orderValueToRewardPointsFactor": -1}, "rewardpoints.orderValueToRewardPointsFactor"),
        ({"orderValueToRewardPointsFactor": "2"}, "rewardpoints.orderValueToRewardPointsFactor"),
        ({"validityInMonths": 0}, "rewardpoints.validityInMonths"),
        ({"validityInMonths": 1.5}, "rewardpoints.validityInMonths"),
        ({"codePrefix": 5}, "rewardpoints.codePrefix"),
    ],
)
def test_what_is_wrong_with_the_program_is_named(ours: Any, field: str, api: Running) -> None:
    answer = api.send("PUT", of(api, "wrong"), {"rewardpoints": ours})

    assert (answer.status, [one["field"] for one in answer.json["details"]]) == (400, [field])
    assert api.send("GET", of(api, "wrong")).status == 404


def test_it_has_a_scope_of_its_own_and_a_tenant(api: Running) -> None:
    missing = api.send("GET", of(api, "main"), token=api.token_with(VIEW, MANAGE))
    foreign = api.send("GET", of(api, "main").replace(api.tenant, "another"))

    assert (missing.status, missing.json["details"]) == (403, ["Missing required scopes '[site.site_manage]'"])
    assert (foreign.status, foreign.json["details"]) == (403, ["The token is not for tenant 'another'"])
    assert api.send("GET", of(api, "main"), token=api.token_with(SITE)).status == 404
    assert api.send("GET", of(api, "no")).json["details"][0]["field"] == "siteCode"


def test_what_the_ledger_changed_since_shows_among_what_was_sent(api: Running) -> None:
    api.send("PUT", of(api, "both"), {**FOREIGN, "rewardpoints": OURS})
    api.sandbox.data.backend.set_program("both", {"factor": Decimal(3)})

    shown = api.send("GET", of(api, "both")).json
    assert shown == {**FOREIGN, "rewardpoints": {**OURS, "orderValueToRewardPointsFactor": 3}}
