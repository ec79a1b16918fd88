"""Every operation as it leaves and as its documented success is read, from the command line down."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qs

import pytest
import respx
from documented import ADDED, MIXIN, OPTION, REDEEMED, SUMMARY

POINTS: Final = "/reward-points"
C1: Final = f"{POINTS}/customer/C1"
OPTIONS: Final = f"{POINTS}/shop/redeemOptions"
PUBLIC: Final = f"{POINTS}/public/customer"
SITE: Final = "/site/shop/sites/main/mixins/couponSettings"


class Sent(NamedTuple):
    """What is compared of a request."""

    method: str
    target: str
    body: Any = None


def sent(service: respx.MockRouter) -> list[Sent]:
    """The requests so far, in order, without the tokens' own."""
    requests = [call.request for call in service.calls if call.request.url.path != "/oauth/token"]
    return [
        Sent(one.method, one.url.raw_path.decode(), json.loads(one.content) if one.content else None)
        for one in requests
    ]


def documented(service: respx.MockRouter) -> None:
    """Every operation answers with its documented success."""
    service.get(f"{POINTS}/summaryBatch").respond(json=[SUMMARY])
    service.get(C1).respond(json=2000)
    service.post(C1).respond(200)
    service.delete(C1).respond(200)
    service.get(f"{C1}/summary").respond(json=SUMMARY)
    service.post(f"{C1}/addPoints").respond(201)
    service.post(f"{C1}/redeemPoints").respond(201)
    service.get(PUBLIC).respond(json=2000)
    service.get(f"{PUBLIC}/summary").respond(json=SUMMARY)
    service.post(f"{PUBLIC}/redeem").respond(json={"code": "LLS-232394"})
    service.get(OPTIONS).respond(json=[OPTION])
    service.post(OPTIONS).respond(json=[OPTION])
    service.put(f"{OPTIONS}/6650a1").respond(200)
    service.delete(f"{OPTIONS}/6650a1").respond(204)
    service.get(SITE).respond(json=MIXIN)
    service.patch(SITE).respond(204)


READ_SUMMARY: Final = Sent("GET", f"{C1}/summary")
LEARNING: Final = [READ_SUMMARY, READ_SUMMARY]
"""A first change is read back, and once more where it is not shown: here it never is."""

OPERATIONS: Final[dict[str, tuple[list[str], list[Sent]]]] = {
    "1": (["points", "summary", "-o", "json"], [Sent("GET", f"{POINTS}/summaryBatch")]),
    "1 as a list of customers": (["customer", "list"], [Sent("GET", f"{POINTS}/summaryBatch")]),
    "2": (["points", "balance", "C1"], [Sent("GET", C1)]),
    "3": (["customer", "create", "C1"], [Sent("POST", C1, {"customerId": "C1"})]),
    "3 in another site with points": (
        ["customer", "create", "C1", "--points", "5", "--site", "north & south", "--key", "k", "-q", "--description",
         "Welcome", "--valid-until", "never", "--reference", "r-1"],
        [READ_SUMMARY, Sent("POST", f"{C1}?siteCode=north+%26+south", {
            "customerId": "C1",
            "startPoints": {
                "id": "9b4ce1d9", "points": 5, "reference-id": "r-1", "description": "Welcome [rp-",
                "validUntil": "9999-12-31T23:59:59.999Z",
            },
        }), *LEARNING],
    ),
    "4": (
        ["customer", "delete", "C1", "--confirm", "C1"],
        [Sent("GET", C1), READ_SUMMARY, READ_SUMMARY, Sent("DELETE", C1)],
    ),
    "5": (["points", "summary", "C1"], [READ_SUMMARY]),
    "6": (
        ["points", "add", "C1", "50"],
        [Sent("POST", f"{C1}/addPoints?siteCode=main", {"id": "", "points": 50, "description": "points added [rp-"}),
         *LEARNING],
    ),
    "6 with everything": (
        ["points", "add", "C1", "50", "--reference", "order-9", "--description", "Für 9", "--valid-until", "2027-01-31",
         "--created-at", "2026-01-01", "--site", "north", "--key", "order-9"],
        [READ_SUMMARY],  # which tells that the key is in already
    ),
    "6 of an order's value": (
        ["points", "add", "C1", "--order-value", "100.50", "--existing", "--reference", "order-10", "--key", "order-10",
         "--description", "Für 10", "--valid-until", "2027-01-31", "--created-at", "2026-01-01"],
        [READ_SUMMARY, Sent("GET", SITE), Sent("POST", f"{C1}/addPoints?siteCode=main", {
            "id": "", "points": 10, "reference-id": "order-10", "description": "Für 10 [rp-",
            "createdAt": "2026-01-01T00:00:00.000Z", "validUntil": "2027-01-31T23:59:59.999Z",
        }), *LEARNING],
    ),
    "7": (
        ["points", "redeem", "C1", "20", "--description", "At the till"],
        [Sent("POST", f"{C1}/redeemPoints", {"id": "", "points": 20, "description": "At the till [rp-"}), *LEARNING],
    ),
    "8": (["me", "balance"], [Sent("GET", PUBLIC)]),
    "9": (["me", "summary"], [Sent("GET", f"{PUBLIC}/summary")]),
    "10": (
        ["me", "redeem", "6650a1", "--site", "north"],
        [Sent("GET", f"{PUBLIC}/summary"), Sent("POST", f"{PUBLIC}/redeem?siteCode=north", {"id": "6650a1"})],
    ),
    "11": (["options", "list"], [Sent("GET", OPTIONS)]),
    "11 for one": (["options", "show", "6650a1"], [Sent("GET", OPTIONS)]),
    "12": (
        ["options", "create", "--name", "10 Euro", "--points", "90", "--amount", "10.50", "--currency", "EUR"],
        [Sent("GET", OPTIONS), Sent("POST", OPTIONS, {
            "type": "coupon", "name": "10 Euro", "points": 90, "id": "",
            "coupon": {
                "name": "10 Euro", "discountType": "ABSOLUTE", "discountAbsolute": {"amount": 10.5, "currency": "EUR"},
                "allowAnonymous": False,
            },
        })],
    ),
    "13": (
        ["options", "update", "6650a1", "--points", "80"],
        [Sent("GET", OPTIONS), Sent("PUT", f"{OPTIONS}/6650a1", {**OPTION, "points": 80}), Sent("GET", OPTIONS)],
    ),
    "14": (
        ["options", "delete", "6650a1", "--yes"],
        [Sent("GET", OPTIONS), Sent("DELETE", f"{OPTIONS}/6650a1")],
    ),
    "the program": (["program", "show"], [Sent("GET", SITE)]),
    "the program of another site": (
        ["program", "show", "--site", "a/b"], [Sent("GET", SITE.replace("/main/", "/a%2Fb/"))],
    ),
    "the program's change": (
        ["program", "set", "--factor", "0.2", "--validity-months", "none"],
        [Sent("GET", SITE), Sent("PATCH", SITE, {
            "rewardpoints": {**MIXIN["rewardpoints"], "orderValueToRewardPointsFactor": 0.2, "validityInMonths": None},
        })],
    ),
}  # fmt: skip


def _without_markers(body: Any) -> Any:
    """A body whose own ids and tokens, which depend on a random key, are cut off."""
    body = deepcopy(body)
    points = body.get("startPoints", body) if isinstance(body, dict) else {}
    if "points" in points and "coupon" not in points:
        points["id"] = ""
        points["description"] = points["description"].partition("[rp-")[0] + "[rp-"
    elif "coupon" in points and points["id"] != OPTION["id"]:
        points["id"] = ""
    return body


@pytest.mark.parametrize("operation", OPERATIONS)
def test_the_request_is_the_documented_one(online: Any, service: respx.MockRouter, operation: str) -> None:
    words, expected = OPERATIONS[operation]
    documented(service)
    service.get(SITE.replace("/main/", "/a%2Fb/")).respond(json=MIXIN)
    ended = online(*words)
    assert ended.status == 0, ended.err
    found = [one._replace(body=_without_markers(one.body)) for one in sent(service)]
    assert found == [one._replace(body=_without_markers(one.body)) for one in expected]


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_request_carries_the_tenant_and_the_right_token(
    online: Any, service: respx.MockRouter, operation: str
) -> None:
    documented(service)
    service.get(SITE.replace("/main/", "/a%2Fb/")).respond(json=MIXIN)
    online(*OPERATIONS[operation][0])
    token = "Bearer Customer-T0ken" if OPERATIONS[operation][0][0] == "me" else "Bearer T0ken"
    for call in service.calls:
        assert call.request.headers.get_list("Authorization") == [token]
        assert call.request.headers.get_list("Emporix-Tenant") == ["shop"]
        assert call.request.headers["Accept"] == "application/json"
        assert call.request.headers["Cache-Control"] == "no-cache"  # what is read decides what is sent
        if call.request.content:
            assert call.request.headers["Content-Type"] == "application/json"


READING: Final = {"1", "1 as a list of customers", "2", "5", "11", "11 for one"}
VIEW: Final = "rewardspoints.rewardpoints_view tenant=shop"
MANAGE: Final = "rewardspoints.rewardpoints_manage rewardspoints.rewardpoints_view tenant=shop"
SITE_SCOPE: Final = "site.site_manage tenant=shop"


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if OPERATIONS[one][0][0] != "me"])
def test_no_more_scopes_are_asked_for_than_the_command_needs(
    online: Any, service: respx.MockRouter, operation: str
) -> None:
    documented(service)
    service.get(SITE.replace("/main/", "/a%2Fb/")).respond(json=MIXIN)
    token = service.post("/oauth/token").respond(json={"access_token": "new", "expires_in": 14399})
    del online.environ["RPCTL_ACCESS_TOKEN"]
    ended = online(*OPERATIONS[operation][0], RPCTL_CLIENT_ID="id", RPCTL_CLIENT_SECRET="s3cret")
    assert ended.status == 0, ended.err
    scopes = [parse_qs(call.request.content.decode())["scope"][0] for call in token.calls]
    if operation == "6 of an order's value":
        assert scopes == [MANAGE, SITE_SCOPE]
    elif "program" in operation:
        assert scopes == [SITE_SCOPE]
    else:
        assert scopes == [VIEW if operation in READING else MANAGE]


def test_a_trace_shows_requests_and_no_token(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    service.post("/oauth/token").respond(json={"access_token": "An0ther-T0ken", "expires_in": 14399})
    ended = online(
        "points", "add", "C1", "50", "-v", RPCTL_ACCESS_TOKEN="", RPCTL_CLIENT_ID="id", RPCTL_CLIENT_SECRET="s3cret"
    )
    assert ended.status == 0
    assert f"trace: > POST https://api.example{C1}/addPoints?siteCode=main\n" in ended.err
    assert "trace: > POST https://api.example/oauth/token\n" in ended.err
    assert not any(secret in ended.err + ended.out for secret in ("T0ken", "s3cret", "Bearer"))


def test_a_trace_shows_where_things_go_and_quiet_does_not_take_it_back(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    ended = online("points", "balance", "C1", "-v", "-q")
    assert (ended.status, ended.out) == (0, "2000\n")
    lines = [line.partition(" (")[0] for line in ended.err.splitlines()]
    assert lines == [
        "trace: profile none", "trace: backend emporix", "trace: url https://api.example", "trace: site main",
        "trace: time_zone UTC", f"trace: > GET https://api.example{C1}", f"trace: < 200 GET {C1}",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [
    "me balance", "me summary", "me redeem 6650a1", "api GET /reward-points/summaryBatch", "api POST /reward-points/x",
])  # fmt: skip
@pytest.mark.parametrize("ledger", [[], ["--ledger", "other.db"], ["--offline"]])
def test_what_only_a_service_does_is_refused_by_name_on_a_ledger(
    online: Any, service: respx.MockRouter, words: str, ledger: list[str]
) -> None:
    if ledger != ["--offline"]:
        del online.environ["RPCTL_BACKEND"], online.environ["RPCTL_URL"], online.environ["RPCTL_TENANT"]
    ended = online(*words.split(), *ledger, "-o", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, ended.out, error["code"]) == (6, "", "unsupported_operation")
    verb = " ".join(words.split()[: 2 if words.startswith("me") else 1])
    why = "cannot be done offline: " if ledger == ["--offline"] else "works on a service, and "
    assert error["message"].startswith(f"`rpctl {verb}` {why}")
    assert len(service.calls) == 0


@pytest.mark.parametrize("words", ["me balance", "me redeem 6650a1", "api POST /reward-points/x"])
def test_a_ledger_next_to_a_service_is_a_wrong_use_here_too(online: Any, service: respx.MockRouter, words: str) -> None:
    ended = online(*words.split(), "--ledger", "other.db")
    assert (ended.status, ended.out, len(service.calls)) == (2, "", 0)


# -- what is read -----------------------------------------------------------------------------------------


def _document(online: Any, *words: str) -> Any:
    return json.loads(online.ok(*words, "-o", "json"))


def test_a_number_of_points_is_read_bare(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    assert [online.ok("points", "balance", "C1", "-o", form) for form in ("tsv", "json")] == ["2000\n", "2000\n"]
    assert online.ok("me", "balance") == "2000\n"


@pytest.mark.parametrize("body", [b"0", b"-5", b" 7 \n", b"2147483647"])
def test_any_integer_is_a_number_of_points(online: Any, service: respx.MockRouter, body: bytes) -> None:
    service.get(C1).respond(content=body)
    assert online.ok("points", "balance", "C1") == f"{int(body)}\n"


UTC_SUMMARY: Final = json.loads(json.dumps(SUMMARY).replace("+00:00", "Z"))


def test_a_summary_is_the_documented_payload_field_for_field(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    assert _document(online, "points", "summary", "C1") == UTC_SUMMARY
    assert _document(online, "points", "summary") == [UTC_SUMMARY]
    assert _document(online, "me", "summary") == UTC_SUMMARY
    assert _document(online, "customer", "list") == [{"customerId": "C1", "activePoints": 20}]


def _summary(added: list[Any] | None, redeemed: list[Any] | None, **more: Any) -> dict[str, Any]:
    lists = {"addedPointsList": added, "redeemedPointsList": redeemed}
    return {**SUMMARY, "summary": {name: one for name, one in lists.items() if one is not None}, **more}


def _entries(online: Any, service: respx.MockRouter, summary: dict[str, Any]) -> dict[str, Any]:
    service.get(f"{C1}/summary").respond(json=summary)
    service.get(f"{POINTS}/summaryBatch").respond(json=[summary])
    one = _document(online, "points", "summary", "C1")
    assert [one] == _document(online, "points", "summary")
    lists: dict[str, Any] = one["summary"]
    return lists


@pytest.mark.parametrize("redeemed", [None, []])
def test_a_summary_without_redemptions(online: Any, service: respx.MockRouter, redeemed: Any) -> None:
    assert _entries(online, service, _summary([ADDED], redeemed))["redeemedPointsList"] == []


def test_a_summary_with_null_lists(online: Any, service: respx.MockRouter) -> None:
    summary = {**SUMMARY, "summary": {"addedPointsList": None, "redeemedPointsList": None}}
    assert _entries(online, service, summary) == {"addedPointsList": [], "redeemedPointsList": []}


def test_fields_that_came_over_time_harm_nobody(online: Any, service: respx.MockRouter) -> None:
    new = {"aNewField": {"deep": [1]}}
    lists = _entries(online, service, _summary([ADDED | new], [REDEEMED | new], **new))
    assert lists == UTC_SUMMARY["summary"]


def test_only_the_points_of_an_entry_are_sure_to_be_there(online: Any, service: respx.MockRouter) -> None:
    lists = _entries(online, service, _summary([{"points": 5}], [{"points": 3}]))
    assert (lists["addedPointsList"][0]["points"], lists["redeemedPointsList"][0]["points"]) == (5, 3)
    assert (lists["addedPointsList"][0]["usedWith"], lists["addedPointsList"][0]["reference-id"]) == ([], None)
    made_up = {"createdAt", "allPointsAfterCreation", "usedPoints", "validUntil"}
    assert not made_up & (lists["addedPointsList"][0].keys() | lists["redeemedPointsList"][0].keys())


@pytest.mark.parametrize("field", ["createdAt", "allPointsAfterCreation", "usedPoints"])
def test_a_field_that_the_service_leaves_out_is_left_out_and_no_other(
    online: Any, service: respx.MockRouter, field: str
) -> None:
    def bare(entry: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in entry.items() if name != field}

    lists = _entries(online, service, _summary([bare(ADDED), ADDED], [bare(REDEEMED), REDEEMED]))
    (added,), (redeemed,) = UTC_SUMMARY["summary"].values()
    assert lists == {"addedPointsList": [bare(added), added], "redeemedPointsList": [bare(redeemed), redeemed]}


@pytest.mark.parametrize("words", ["points summary C1", "points summary", "customer list", "me summary"])
@pytest.mark.parametrize("summary", [
    {"customerId": "C1", "activePoints": 20}, {**SUMMARY, "summary": {}}, {**SUMMARY, "summary": None},
    {**SUMMARY, "summary": {"redeemedPointsList": [REDEEMED]}}, {**SUMMARY, "summary": {"addedPoints": [ADDED]}},
])  # fmt: skip
def test_a_summary_without_the_list_that_is_always_there_is_no_summary(
    online: Any, service: respx.MockRouter, words: str, summary: dict[str, Any]
) -> None:
    service.get(f"{C1}/summary").respond(json=summary)
    service.get(f"{PUBLIC}/summary").respond(json=summary)
    service.get(f"{POINTS}/summaryBatch").respond(json=[summary])
    ended = online(*words.split(), "-o", "jsonl")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, ended.out, error["code"]) == (75, "", "answer_invalid")


def test_a_change_is_not_sent_again_because_of_a_summary_that_is_none(online: Any, service: respx.MockRouter) -> None:
    route = service.post(f"{C1}/addPoints").respond(502)
    service.get(f"{C1}/summary").respond(json={**SUMMARY, "summary": {}})
    assert (online("points", "add", "C1", "50").status, len(route.calls)) == (8, 1)


@pytest.mark.parametrize("field", ["usedWith", "reference-id", "description", "validUntil", "createdAt"])
def test_null_is_as_good_as_absent(online: Any, service: respx.MockRouter, field: str) -> None:
    absent = {name: value for name, value in ADDED.items() if name != field}
    assert _entries(online, service, _summary([ADDED | {field: None}], None)) == _entries(
        online, service, _summary([absent], None)
    )


@pytest.mark.parametrize("written", [
    "2023-05-11T18:32:18.591+00:00", "2023-05-11T18:32:18.591Z", "2023-05-11T20:32:18.591+02:00",
    "2023-05-11T18:32:18.591", "2023-05-11T18:32:18.591999Z", "2023-05-11T18:32:18.591+0000",
])  # fmt: skip
def test_an_instant_is_the_same_however_it_is_written(online: Any, service: respx.MockRouter, written: str) -> None:
    lists = _entries(online, service, _summary([ADDED | {"createdAt": written, "validUntil": written}], None))
    assert lists["addedPointsList"][0]["createdAt"] == "2023-05-11T18:32:18.591Z"
    assert lists["addedPointsList"][0]["validUntil"] == "2023-05-11T18:32:18.591Z"


def test_a_customer_who_never_had_points_has_none(online: Any, service: respx.MockRouter) -> None:
    from documented import NOT_FOUND

    service.get(PUBLIC).respond(404, json=NOT_FOUND)
    service.get(f"{PUBLIC}/summary").respond(404, json=NOT_FOUND)
    assert online.ok("me", "balance") == "0\n"
    assert _document(online, "me", "summary")["activePoints"] == 0


def test_a_coupons_code_is_shown(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    assert _document(online, "me", "redeem", "6650a1") == {"code": "LLS-232394"}


# -- redeem options ---------------------------------------------------------------------------------------


def test_an_option_is_shown_with_every_field_that_came(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    assert _document(online, "options", "list") == [OPTION]
    assert _document(online, "options", "show", "6650a1") == OPTION


@pytest.mark.parametrize("words", ["options list", "options show 6650a1"])
def test_an_options_fields_keep_the_services_order(online: Any, service: respx.MockRouter, words: str) -> None:
    def backwards(value: Any) -> Any:
        return {name: backwards(value[name]) for name in reversed(value)} if isinstance(value, dict) else value

    turned = backwards(OPTION)
    service.get(OPTIONS).respond(json=[turned])
    shown = _document(online, *words.split())
    assert json.dumps(shown) == json.dumps([turned] if words == "options list" else turned)


@pytest.mark.parametrize("metadata", [{}, {"metadata": None}])
def test_an_option_without_metadata_has_version_1(online: Any, service: respx.MockRouter, metadata: Any) -> None:
    bare = {name: value for name, value in OPTION.items() if name != "metadata"} | metadata
    documented(service)
    service.get(OPTIONS).respond(json=[bare])
    assert _document(online, "options", "show", "6650a1")["metadata"] == {"version": 1}
    online.ok("options", "update", "6650a1", "--points", "80")
    assert sent(service)[-2].body == {**bare, "points": 80, "metadata": {"version": 1}}


def test_an_update_sends_the_version_that_was_read_and_what_only_the_service_knows(
    online: Any, service: respx.MockRouter
) -> None:
    documented(service)
    online.ok("options", "update", "6650a1", "--percent", "15")
    expected = deepcopy(OPTION)
    expected["coupon"]["discountPercentage"] = 15
    assert sent(service)[1] == Sent("PUT", f"{OPTIONS}/6650a1", expected)


def test_a_decimal_of_an_option_stays_as_it_is(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    online.ok("options", "update", "6650a1", "--points", "80")
    assert b'"aNewField": {"deep": 0.1}' in service.calls[1].request.content


def test_the_option_that_was_made_is_found_in_the_answer_by_its_id(online: Any, service: respx.MockRouter) -> None:
    service.get(OPTIONS).respond(json=[OPTION])
    route = service.post(OPTIONS)
    route.side_effect = lambda request: respx.MockResponse(200, json=[OPTION, json.loads(request.content)])
    made = _document(online, "options", "create", "--name", "New", "--points", "5", "--percent", "1")
    assert (made["name"], made["id"]) == ("New", sent(service)[1].body["id"])


# -- the program ------------------------------------------------------------------------------------------


def test_the_program_is_read_from_the_sites_mixin(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    assert _document(online, "program", "show") == {
        "schema": "rpctl.program/1", "siteCode": "main", "enabled": True, "orderValueToRewardPointsFactor": 0.1,
        "validityInMonths": 12, "codePrefix": "LLS", "configured": True,
    }  # fmt: skip


DEFAULTS: Final = {
    "schema": "rpctl.program/1", "siteCode": "main", "enabled": True, "orderValueToRewardPointsFactor": 1,
    "validityInMonths": None, "codePrefix": None,
}  # fmt: skip


@pytest.mark.parametrize(("mixin", "configured"), [
    ({"referral": {}}, False), ({"rewardpoints": None}, False), ({"rewardpoints": {}}, True),
    ({"rewardpoints": {"validityInMonths": None, "codePrefix": None, "enabled": None}}, True),
])  # fmt: skip
def test_what_is_not_set_has_its_default(
    online: Any, service: respx.MockRouter, mixin: dict[str, Any], configured: bool
) -> None:
    service.get(SITE).respond(json=mixin)
    assert _document(online, "program", "show") == {**DEFAULTS, "configured": configured}


def test_a_mixin_that_does_not_exist_yet_is_made(online: Any, service: respx.MockRouter) -> None:
    from documented import NOT_FOUND

    service.get(SITE).respond(404, json=NOT_FOUND)
    service.patch(SITE).respond(404, json=NOT_FOUND)
    service.put(SITE).respond(201)
    assert _document(online, "program", "show")["configured"] is False
    changed = _document(online, "program", "set", "--factor", "0.1")
    assert (changed["orderValueToRewardPointsFactor"], changed["configured"]) == (0.1, True)
    assert sent(service)[-1] == Sent("PUT", SITE, {"rewardpoints": {"orderValueToRewardPointsFactor": 0.1}})


@pytest.mark.parametrize(("factor", "written"), [("0.1", b"0.1"), ("2", b"2"), ("0.30", b"0.3"), ("1.15", b"1.15")])
def test_a_factor_leaves_digit_for_digit_and_foreign_keys_stay(
    online: Any, service: respx.MockRouter, factor: str, written: bytes
) -> None:
    documented(service)
    online.ok("program", "set", "--factor", factor)
    body = service.calls.last.request.content
    assert b'"orderValueToRewardPointsFactor": ' + written + b"," in body
    assert b'"aNewField": {"ratio": 0.3, "list": [1, 2.5]}' in body
    assert json.loads(body).keys() == {"rewardpoints"}  # the mixin's other keys are not ours to send


def test_points_of_an_orders_value_are_counted_without_floats(online: Any, service: respx.MockRouter) -> None:
    documented(service)  # 3 x 0.1 is 0.30000000000000004 in floats, and 0.29 x 100 is 28.999999999999996
    service.get(SITE).respond(content=b'{"rewardpoints": {"orderValueToRewardPointsFactor": 0.29}}')
    online.ok("points", "add", "C1", "--order-value", "100", "-q")
    assert [one.body["points"] for one in sent(service) if one.method == "POST"] == [29]
