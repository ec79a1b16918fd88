"""BonifiQ's two calls on the wire: a customer's points changed and read, and what can be demanded of them."""

from __future__ import annotations

from http.client import RemoteDisconnected
from pathlib import Path
from typing import Any

import pytest

from rpctl.sandbox.bonifiq import codes
from sandbox_client import START, Reply, Running, running

DAY_MS = 86_400_000
NOTHING = {
    "CustomerExists": False,
    "InternalId": "",
    "PointsBalance": 0,
    "PointsToExpire": [],
    "CashbackBalance": 0,
    "RedeemKey": None,
    "PointHistory": [],
    "Name": None,
    "Error": None,
}
LOST = (RemoteDisconnected, ConnectionResetError)


def balance(api: Running, customer_id: str) -> int:
    """What the other API says that a customer has."""
    return int(api.points("GET", f"/customer/{customer_id}").body)


def said(reply: Reply) -> tuple[int, Any, Any, Any, Any]:
    """Status, Severity, Code, HasWarning, HasError."""
    found = reply.json
    return reply.status, found["Severity"], found["Code"], found["HasWarning"], found["HasError"]


SUCCESS = (200, 0, "00", False, False)


def refused(code: str) -> tuple[int, int, str, bool, bool]:
    """What is said where a change is refused with that code."""
    return 200, 2, code, False, True


# -- reading ----------------------------------------------------------------------------------------------


def test_an_unknown_customer_is_told_as_such_and_is_no_error(api: Running) -> None:
    reply = api.bonifiq("GET", "nobody@example.org")

    assert reply.json == {
        "Result": NOTHING,
        "ErrorMessage": None,
        "ErrorCode": None,
        "Code": "00",
        "CodeName": "Success",
        "Severity": 0,
        "HasWarning": False,
        "HasError": False,
    }
    assert (reply.status, reply.headers["content-type"]) == (200, "application/json")


def test_both_apis_show_the_same_points(api: Running) -> None:
    api.add("both", 10, validUntil="2026-09-01T00:00:00Z", description="lunch", **{"reference-id": "o1"})
    api.add("both", 5, validUntil="2026-06-01T00:00:00Z", description="")
    api.add("both", 5, validUntil="2026-06-01T00:00:00Z")
    api.redeem("both", 7)
    assert said(api.change("both", 3, "both-1", CustomerReason="a gift")) == SUCCESS

    result = api.bonifiq("GET", "both").json["Result"]

    assert (result["CustomerExists"], result["PointsBalance"]) == (True, 16)
    assert result["PointsToExpire"] == [
        {"Points": 3, "When": "2026-06-01T00:00:00.000Z"},
        {"Points": 10, "When": "2026-09-01T00:00:00.000Z"},
    ]
    assert [
        (one["Amount"], one["PointType"], one["PointTypeDescription"], one["ExpirationDate"])
        for one in result["PointHistory"]
    ] == [
        (10, 0, "lunch", "2026-09-01T00:00:00.000Z"),
        (5, 0, "", "2026-06-01T00:00:00.000Z"),
        (5, 0, "points added", "2026-06-01T00:00:00.000Z"),
        (-7, 1, "points redeemed", None),
        (3, 0, "a gift", None),
    ]
    assert balance(api, "both") == 16


def test_an_entry_has_every_documented_field(api: Running) -> None:
    result = api.change("fields", 3, "fields-1").json["Result"]

    (entry,) = result["PointHistory"]
    assert isinstance(entry.pop("Id"), int)
    assert entry == {
        "IsCanceled": False,
        "DateReceived": "2026-03-01T12:00:00.000Z",
        "ExpirationDate": None,
        "Amount": 3,
        "CashbackAmount": 0,
        "BranchId": None,
        "BranchName": None,
        "OrderOriginDescription": None,
        "PointType": 0,
        "PointTypeDescription": "points added",
    }
    assert set(result) == set(NOTHING)
    assert len(result["InternalId"]) == 16
    assert result["InternalId"] != api.change("fields-of-another", 3, "fields-2").json["Result"]["InternalId"]


def test_points_that_ended_are_neither_counted_nor_about_to_expire(api: Running) -> None:
    api.add("ended", 5, validUntil="2026-03-02T12:00:00Z")
    api.now = START + DAY_MS

    result = api.bonifiq("GET", "ended").json["Result"]

    assert (result["PointsBalance"], result["PointsToExpire"]) == (0, [])
    assert [one["Amount"] for one in result["PointHistory"]] == [5]


# -- changing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("customer_id", ["new@example.org", "a/b c%2F", "Ünïcode"])
def test_adding_creates_a_customer_of_any_id(customer_id: str, api: Running) -> None:
    reply = api.change(customer_id, 10, f"create {customer_id}")

    assert said(reply) == SUCCESS
    assert (reply.json["CodeName"], reply.json["ErrorMessage"], reply.json["ErrorCode"]) == ("Success", None, None)
    assert reply.json["Result"] == api.bonifiq("GET", customer_id).json["Result"]
    assert (customer_id, 10) in list(api.sandbox.data.backend.customers())


def test_removing_takes_what_ends_first(api: Running) -> None:
    api.change("remover", 10, "remover-1")
    api.add("remover", 5, validUntil="2026-06-01T00:00:00Z")

    result = api.change("remover", -7, "remover-2").json["Result"]

    assert (result["PointsBalance"], result["PointsToExpire"]) == (8, [])
    assert [one["Amount"] for one in result["PointHistory"]] == [10, 5, -7]


def test_a_change_keeps_its_reason_to_itself(api: Running) -> None:
    reply = api.change("reasoned", 5, "reasoned-1", Reason="between us\x07", CustomerReason="for you", Unknown=[1])

    assert said(reply) == SUCCESS
    assert b"between us" not in reply.body
    assert api.summary("reasoned")["summary"]["addedPointsList"][0]["description"] == "for you"


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        (None, "points added"),
        ("", "points added"),
        (" \t\r\n", "points added"),
        ("<b></b>", "points added"),
        ("<b>Thank <i class='x'>you</i></b><!-- x --><br/>", "Thank you"),
        ("<<b>b>bold", "bold"),
        ("5 < 6 > 4", "5 < 6 > 4"),
        ("x\x00\x1by", "xy"),
        ("ä" * 255, "ä" * 255),
    ],
)
def test_the_customer_is_shown_a_text_or_the_default(sent: str | None, shown: str, api: Running) -> None:
    result = api.change(f"shown {sent!r:.40}", 1, f"shown {sent!r:.40}", CustomerReason=sent).json["Result"]

    assert [one["PointTypeDescription"] for one in result["PointHistory"]] == [shown]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"Points": 0}, "12"),
    ({"Points": 0, "OperationType": 1}, "12"),
    ({"Points": -5, "OperationType": 0}, "14"),
    ({"Points": 5, "OperationType": 1}, "14"),
    ({"Points": None}, "11"),
    ({"Points": "5"}, "11"),
    ({"Points": 5.0}, "11"),
    ({"Points": True}, "11"),
    ({"Points": 2_147_483_648}, "11"),
    ({"Points": -2_147_483_649, "OperationType": 1}, "11"),
    ({"Points": -2_147_483_648, "OperationType": 1}, "21"),
    ({"Points": 2_147_483_647}, "22"),
    ({"Points": -11, "OperationType": 1}, "21"),
    ({"OperationType": 2}, "13"),
    ({"OperationType": None}, "13"),
    ({"OperationType": False}, "13"),
    ({"OperationType": "0"}, "13"),
    ({"Reason": None}, "15"),
    ({"Reason": " "}, "15"),
    ({"Reason": 5}, "15"),
    ({"Reason": "x" * 2001}, "15"),
    ({"ChangeKey": None}, "16"),
    ({"ChangeKey": ""}, "16"),
    ({"ChangeKey": "  "}, "16"),
    ({"ChangeKey": 5}, "16"),
    ({"ChangeKey": "\ud800"}, "16"),
    ({"CustomerReason": "x" * 256}, "18"),
    ({"CustomerReason": 5}, "18"),
    ({"CustomerReason": "\udfff"}, "18"),
]


@pytest.mark.parametrize(("wrong", "code"), WRONG)
def test_a_change_that_is_wrong_is_refused_and_uses_up_no_key(wrong: dict[str, Any], code: str, api: Running) -> None:
    customer_id = f"wrong {sorted(wrong.items())!a:.60}"
    api.change(customer_id, 10, f"{customer_id} before")

    reply = api.change(customer_id, 5, customer_id, **wrong)

    assert said(reply) == refused(code)
    assert reply.json["ErrorMessage"] == reply.json["Result"]["Error"] is not None
    assert reply.json["ErrorCode"] == int(code)
    assert [one["Amount"] for one in reply.json["Result"]["PointHistory"]] == [10]
    assert api.change(customer_id, 5, customer_id).json["Result"]["PointsBalance"] == 15


def test_each_kind_of_outcome_has_a_code_and_a_name_of_its_own() -> None:
    found = [one for one in vars(codes).values() if isinstance(one, codes.Code)]

    assert len(found) > 12
    assert len({one.code for one in found}) == len({one.name for one in found}) == len(found)
    assert [one for one in found if len(one.code) != 2 or not one.code.isdigit()] == []


def test_removing_from_an_unknown_customer_says_that_there_is_none(api: Running) -> None:
    reply = api.change("never-had", -5, "never-had-1")

    assert said(reply) == refused("20")
    assert reply.json["CodeName"] == "CustomerNotFound"
    assert reply.json["Result"] == {**NOTHING, "Error": reply.json["ErrorMessage"]}
    assert api.bonifiq("GET", "never-had").json["Result"] == NOTHING


def test_a_customer_id_that_cannot_be_one_is_refused(api: Running) -> None:
    for customer_id in ("x" * 256, "a\tb"):
        assert said(api.change(customer_id, 5, customer_id)) == refused("10")
        assert api.bonifiq("GET", customer_id).json["Result"] == NOTHING


def test_a_program_that_is_switched_off_adds_nothing_and_still_removes(api: Running) -> None:
    api.change("switched", 10, "switched-1")
    api.sandbox.data.backend.set_program("main", {"enabled": False})
    try:
        added, removed = api.change("switched", 5, "switched-2"), api.change("switched", -4, "switched-3")
    finally:
        api.sandbox.data.backend.set_program("main", {"enabled": True})

    assert (said(added), said(removed)) == (refused("23"), SUCCESS)
    assert removed.json["Result"]["PointsBalance"] == 6


@pytest.mark.parametrize(
    ("customer_id", "changes"),
    [
        ("keyed", {}),
        ("keyed", {"Points": 6}),
        ("keyed", {"Points": -1, "OperationType": 1}),
        ("keyed", {"Points": 0, "Reason": ""}),
        ("keyed too", {}),
    ],
)
def test_a_key_that_was_used_changes_nothing_whatever_the_body(
    customer_id: str, changes: dict[str, Any], api: Running
) -> None:
    api.change("keyed", 5, "ADD-keyed-5-1")
    before = list(api.sandbox.data.backend.customers())

    reply = api.change(customer_id, 5, "ADD-keyed-5-1", **changes)

    assert said(reply) == refused("17")
    assert reply.json["CodeName"] == "ChangeKeyAlreadyUsed"
    assert list(api.sandbox.data.backend.customers()) == before
    assert ("keyed", 5) in before


def test_a_deleted_customer_s_keys_stay_used(api: Running) -> None:
    api.change("deleted", 5, "deleted-1")
    api.points("DELETE", "/customer/deleted")

    reply = api.change("deleted", 5, "deleted-1")

    assert (said(reply), reply.json["Result"]["CustomerExists"]) == (refused("17"), False)


def test_a_key_is_another_with_other_letters_or_blanks(api: Running) -> None:
    for number, key in enumerate(["near", "Near", "near ", " near"], 1):
        assert api.change("near", 1, key).json["Result"]["PointsBalance"] == number


# -- what is no business outcome --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "media_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"Points": NaN}', "application/json", 400),
        (b"[" * 100_000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b"null", "application/json", 400),
        (b"{}", "text/plain", 415),
    ],
)
def test_a_body_that_cannot_be_read_is_a_bad_request(body: bytes, media_type: str, status: int, api: Running) -> None:
    reply = api.bonifiq("POST", "bad", body, media_type=media_type)

    assert (reply.status, list(reply.json)) == (status, ["ErrorMessage"])


@pytest.mark.parametrize("credentials", [None, "{}", "{}:", ":{}", "{}:no", "no:{}", "{1}:{0}", "é:é", ":"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_token_and_key_nothing_is_answered(method: str, credentials: str | None, api: Running) -> None:
    token, key = api.exports["RPCTL_CLIENT_ID"], api.exports["RPCTL_CLIENT_SECRET"]
    sent = credentials and credentials.format(key if credentials[0] in ":n" else token, key)

    reply = api.bonifiq(method, "stranger", {}, credentials=sent)

    assert (reply.status, reply.headers["www-authenticate"]) == (401, 'Basic realm="BonifiQ"')
    assert list(reply.json) == ["ErrorMessage"]
    assert token.encode() not in reply.body
    assert key.encode() not in reply.body


@pytest.mark.parametrize("header", ["Basic", "Basic ", "Basic !!!", "Basic é", "Bearer {}", "{}"])
def test_other_words_in_the_header_are_no_credentials(header: str, api: Running) -> None:
    reply = api.bonifiq("GET", "stranger", credentials=None, Authorization=header.format(api.token()))

    assert (reply.status, reply.headers["www-authenticate"]) == (401, 'Basic realm="BonifiQ"')


def test_paths_and_methods_are_the_documented_ones(api: Running) -> None:
    other = api.send("GET", "/v1/pvt/customer/C1/points")
    wrong = api.bonifiq("DELETE", "C1")
    long = api.send("GET", f"/v1/{'x' * 11_000}")

    assert [(one.status, list(one.json)) for one in (other, wrong, long)] == [
        (404, ["ErrorMessage"]),
        (405, ["ErrorMessage"]),
        (414, ["ErrorMessage"]),
    ]
    assert wrong.headers["allow"] == "GET, POST"
    assert list(api.send("GET", "/v2").json) != ["ErrorMessage"]


def test_neither_credentials_nor_bodies_are_logged(api: Running) -> None:
    api.change("logged@example.org", 5, "logged-1", Reason="private")

    assert api.log[-1].startswith("POST /v1/pvt/Customer/logged%40example.org/points 200 ")
    words = ("private", "logged-1", api.exports["RPCTL_CLIENT_SECRET"], "Basic")
    assert [word for word in words if any(word in line for line in api.log)] == []


# -- on demand --------------------------------------------------------------------------------------------


def test_outcomes_come_in_the_order_in_which_they_were_demanded(api: Running) -> None:
    api.demand(None, {"Severity": 1}, {"Severity": 2})
    api.demand({"Severity": 0, "Code": "07", "CodeName": "Fine"})

    replies = [api.change("in order", 1, f"in order {number}") for number in range(5)]

    assert [said(one) for one in replies] == [
        SUCCESS,
        (200, 1, "01", True, False),
        refused("99"),
        (200, 0, "07", False, False),
        SUCCESS,
    ]
    assert [one.json["Result"]["PointsBalance"] for one in replies] == [1, 2, 2, 3, 4]


def test_a_demanded_warning_is_a_change_that_was_made(api: Running) -> None:
    api.demand({"Severity": 1, "Code": "31", "CodeName": "NotIdeal", "ErrorMessage": "well"}, {"Severity": 1})

    reply, unknown = api.change("warned", 5, "warned-1"), api.change("warned not", -5, "warned-2")

    assert said(reply) == (200, 1, "31", True, False)
    assert (reply.json["CodeName"], reply.json["ErrorMessage"], reply.json["Result"]["Error"]) == (
        "NotIdeal", "well", None,
    )  # fmt: skip
    assert balance(api, "warned") == 5
    assert said(unknown) == refused("20")  # what the rules refuse is not made


def test_a_demanded_error_does_nothing_and_leaves_the_key_free(api: Running) -> None:
    says = {"Code": "42", "CodeName": "Odd", "ErrorMessage": "no", "ErrorCode": None, "HasError": False}
    api.demand({"Severity": 2, **says})

    reply = api.change("erred", 5, "erred-1")

    assert {name: reply.json[name] for name in says} == says
    assert (reply.json["Severity"], reply.json["Result"]) == (2, {**NOTHING, "Error": "no"})
    assert said(api.change("erred", 5, "erred-1")) == SUCCESS


def test_a_refused_change_can_use_up_its_key(tmp_path: Path) -> None:
    ledger = tmp_path / "trial.db"
    with running(ledger=ledger) as api:
        api.demand({"Severity": 2, "uses_key": True}, {"Severity": 2, "uses_key": True})
        assert said(api.change("C1", 5, "burnt")) == refused("99")
        assert said(api.change("C1", 5, "", Points=0)) == refused("99")
        assert said(api.change("C1", 5, "burnt")) == refused("17")
        assert said(api.change("C1", 5, "other")) == SUCCESS
    with running(ledger=ledger) as api:
        assert said(api.change("C1", 5, "burnt")) == refused("17")
        assert said(api.change("C1", 5, "other")) == refused("17")
        assert balance(api, "C1") == 5


def test_a_demanded_status_does_nothing(api: Running) -> None:
    api.demand({"status": 503})

    reply = api.change("unavailable", 5, "unavailable-1")

    assert (reply.status, list(reply.json)) == (503, ["ErrorMessage"])
    assert said(api.change("unavailable", 5, "unavailable-1")) == SUCCESS


@pytest.mark.parametrize("body", [None, {}, [1], "text", 5, {"Severity": 2, "HasError": True}])
def test_a_demanded_body_is_answered_as_it_is_to_a_change_that_was_made(body: Any, api: Running) -> None:
    api.demand({"body": body})

    reply = api.change(f"body {body}", 5, f"body {body}")

    assert (reply.status, reply.json) == (200, body)
    assert api.bonifiq("GET", f"body {body}").json["Result"]["PointsBalance"] == 5


def test_an_answer_that_is_to_be_lost_is_one_to_a_change_that_was_made(api: Running) -> None:
    api.demand({"lost": True})

    with pytest.raises(LOST):
        api.change("lost", 5, "lost-1")

    assert balance(api, "lost") == 5
    assert ("POST", "/v1/pvt/Customer/lost/points", 0) in api.sandbox.application.requests
    assert any(line.endswith(" ms  fault: answer lost") for line in api.log)
    assert said(api.change("lost", 5, "lost-1")) == refused("17")


def test_neither_reads_nor_strangers_nor_bodies_that_cannot_be_read_take_an_outcome(api: Running) -> None:
    api.demand({"Severity": 2})

    assert said(api.bonifiq("GET", "taker")) == SUCCESS
    assert api.bonifiq("POST", "taker", {}, credentials=None).status == 401
    assert api.bonifiq("POST", "taker", b"{").status == 400
    assert said(api.change("taker", 5, "taker-1")) == refused("99")


@pytest.mark.parametrize(
    "demand",
    [
        {},
        {"Severity": 1},
        [{}],
        [5],
        [[]],
        [{"Severity": 3}],
        [{"Severity": True}],
        [{"Severity": None}],
        [{"Code": "42"}],
        [{"Severity": 1, "Code": 42}],
        [{"status": 200}],
        [{"status": 500, "Severity": 2}],
        [{"Severity": 2, "lost": True}],
        [{"Severity": 2, "body": 1}],
        [{"Severity": 1, "uses_key": True}],
        [{"uses_key": True}],
        [{"unknown": 1}],
        [None, {"Severity": 1}, {"severity": 1}],
    ],
)
def test_an_outcome_that_is_not_known_is_refused_and_none_of_its_list_waits(demand: Any, api: Running) -> None:
    reply = api.send("POST", "/sandbox/bonifiq/next", demand, token=None)

    assert (reply.status, list(reply.json)) == (400, ["ErrorMessage"])
    assert api.send("POST", "/sandbox/bonifiq/next", [], token=None).json == {"waiting": 0}


# -- as wished --------------------------------------------------------------------------------------------


def test_what_a_used_key_is_answered_with_can_be_chosen() -> None:
    with running(key_used_code="42", key_used_name="Duplicated") as api:
        api.change("C1", 5, "same")
        for customer_id in ("C1", "C2"):
            reply = api.change(customer_id, 5, "same")
            assert said(reply) == refused("42")
            assert (reply.json["CodeName"], reply.json["ErrorCode"]) == ("Duplicated", 42)


def test_the_envelope_can_be_left_out_where_all_went_well() -> None:
    with running(bare=True) as api:
        changed = api.change("C1", 5, "k1").json
        api.demand({"Severity": 1})

        assert changed == api.bonifiq("GET", "C1").json
        assert (set(changed), changed["PointsBalance"]) == (set(NOTHING), 5)
        assert api.bonifiq("GET", "nobody").json == NOTHING
        assert said(api.change("C1", 5, "k2")) == (200, 1, "01", True, False)
        assert said(api.change("C1", 5, "k1")) == refused("17")


def test_so_many_changes_come_with_a_warning_the_same_ones_for_a_seed() -> None:
    def warned(seed: int) -> list[bool]:
        with running(warn_rate=0.5, seed=seed) as api:
            replies = [api.change("C1", 1, f"k{number}").json for number in range(24)]
            assert said(api.bonifiq("GET", "C1")) == SUCCESS
            assert replies[-1]["Result"]["PointsBalance"] == 24
            assert {one["CodeName"] for one in replies if one["HasWarning"]} == {"CustomerNotNotified"}
            assert all(one["ErrorMessage"] for one in replies if one["Severity"] == 1)
            return [one["Severity"] == 1 for one in replies]

    first = warned(1)
    assert 6 < first.count(True) < 18
    assert first == warned(1)
    assert first != warned(2)


def test_faults_meet_these_calls_too() -> None:
    with running(fail_rate=1) as api:
        for reply in (api.change("C1", 5, "k1"), api.bonifiq("GET", "C1")):
            assert (reply.status, list(reply.json)) == (500, ["ErrorMessage"])
        assert list(api.sandbox.data.backend.customers()) == []
        assert api.log[-1].endswith(" ms  fault: failed")
    with running(lose_answer_rate=1) as api:
        with pytest.raises(LOST):
            api.change("C1", 5, "k1")
        assert list(api.sandbox.data.backend.customers()) == [("C1", 5)]
    with running(rate_limit=1) as api:
        assert said(api.change("C1", 5, "k1")) == SUCCESS
        reply = api.change("C1", 5, "k2")
        assert (reply.status, reply.headers["retry-after"], list(reply.json)) == (429, "1", ["ErrorMessage"])
        assert list(api.sandbox.data.backend.customers()) == [("C1", 5)]


def test_a_customer_s_text_that_is_dropped_is_not_kept() -> None:
    with running(drop_markers=frozenset({"description"})) as api:
        result = api.change("C1", 5, "k1", CustomerReason="mine").json["Result"]

        assert [one["PointTypeDescription"] for one in result["PointHistory"]] == ["points added"]


def test_a_client_of_bonifiq_is_told_what_it_needs() -> None:
    with running(backend="bonifiq") as api:
        assert list(api.exports) == [
            "RPCTL_BACKEND",
            "RPCTL_URL",
            "RPCTL_TENANT",
            "RPCTL_CLIENT_ID",
            "RPCTL_CLIENT_SECRET",
            "RPCTL_SETTLE_S",
        ]
        assert api.exports["RPCTL_BACKEND"] == "bonifiq"
        assert said(api.bonifiq("GET", "C1")) == SUCCESS
        api.add("C1", 5)  # the other API is served all the same


def test_the_ledger_stays_sound(api: Running) -> None:
    api.change("sound", 5, "sound-1")
    api.change("sound", -3, "sound-2")
    api.change("sound", 5, "sound-1")

    assert list(api.sandbox.data.backend.verify().problems()) == []
