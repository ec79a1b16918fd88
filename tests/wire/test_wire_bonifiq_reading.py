"""BonifiQ's points as they are read: in an envelope and bare, every documented field, and what is no answer."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
import respx
from documented_bonifiq import ADDED, C1, REDEEMED, RESULT, envelope, refusal

FORMS: Final[dict[str, Any]] = {
    "bare": RESULT,
    "in an envelope": envelope(),
    "in an envelope without flags": {"Result": RESULT},
    "with a warning": envelope(Severity=1, HasWarning=True, Code="07"),
    "with unknown fields": {**envelope({**RESULT, "Tier": {"Name": "Gold"}}), "Trace": "x"},
    "with as little as can be": {"PointsBalance": 20, "PointHistory": [ADDED, REDEEMED]},
}
SUMMARY: Final = {
    "customerId": "C1",
    "activePoints": 20,
    "summary": {
        "addedPointsList": [
            {
                "id": "71",
                "description": "Order 9",
                "points": 50,
                "createdAt": "2026-01-10T12:30:00.000Z",
                "validUntil": "2026-02-10T12:30:00.000Z",
            }
        ],
        "redeemedPointsList": [
            {"id": "72", "description": "Rescue", "points": 30, "createdAt": "2026-01-12T18:32:18.591Z"}
        ],
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_a_summary_is_read_and_what_is_not_told_is_not_there(
    bonifiq: Any, service: respx.MockRouter, form: str
) -> None:
    """The history comes in any order; a moment without an offset is in the profile's time zone."""
    route = service.get(C1).respond(json=FORMS[form])
    bonifiq.environ["RPCTL_TIME_ZONE"] = "America/Sao_Paulo"
    assert json.loads(bonifiq.ok("points", "summary", "C1", "-o", "json")) == SUMMARY
    assert json.loads(bonifiq.ok("customer", "show", "C1", "-o", "json")) == SUMMARY
    assert bonifiq.ok("points", "balance", "C1") == "20\n"
    assert len(route.calls) == 3


def test_rows_tell_what_was_added_and_what_was_redeemed(bonifiq: Any, service: respx.MockRouter) -> None:
    service.get(C1).respond(json=RESULT)
    rows = bonifiq.ok("points", "summary", "C1", "--fields", "type,points,id,reference-id,usedPoints", "--no-header")
    assert rows == "added\t50\t71\t\t\nredeemed\t30\t72\t\t\n"


def test_the_running_balance_ends_at_the_active_points_and_no_expiry_is_made_up(
    bonifiq: Any, service: respx.MockRouter
) -> None:
    """It is March: the 50 were valid until February, and the service does not tell how many of them were used."""
    service.get(C1).respond(json={**RESULT, "PointsBalance": 0})
    lines = json.loads(bonifiq.ok("points", "history", "C1", "-o", "json"))["history"]
    told = [(line["type"], line["points"], line["balance"]) for line in lines]
    assert told == [("added", 50, 50), ("redeemed", -30, 20), ("unexplained", -20, 0)]
    service.get(C1).respond(json=RESULT)
    lines = json.loads(bonifiq.ok("points", "history", "C1", "-o", "json"))["history"]
    assert [line["balance"] for line in lines] == [50, 20]


ENTRIES: Final[dict[str, tuple[dict[str, Any], dict[str, Any] | None]]] = {
    "cancelled": ({**ADDED, "IsCanceled": True}, None),
    "of no points": ({**ADDED, "Amount": 0}, None),
    "without an amount": ({**ADDED, "Amount": None}, None),
    "of cashback alone": ({"Id": 1, "CashbackAmount": 2.5}, None),
    "with an offset": (
        {"Id": 1, "Amount": 5, "DateReceived": "2026-01-10T09:30:00-03:00"},
        {"id": "1", "description": "", "points": 5, "createdAt": "2026-01-10T12:30:00.000Z"},
    ),
    "of a day": (
        {"Id": 1, "Amount": 5, "DateReceived": "2026-01-10", "PointTypeDescription": "Gift"},
        {"id": "1", "description": "Gift", "points": 5, "createdAt": "2026-01-10T00:00:00.000Z"},
    ),
    "without a date": ({"Id": 1, "Amount": 5}, {"id": "1", "description": "", "points": 5}),
    "with dates that are not set": (
        {"Id": 1, "Amount": 5, "DateReceived": "0001-01-01T00:00:00", "ExpirationDate": "0001-01-01T00:00:00"},
        {"id": "1", "description": "", "points": 5},
    ),
    "that never ends": (
        {**ADDED, "Amount": 5.0, "ExpirationDate": "9999-12-31T23:59:59", "OrderOriginDescription": " "},
        {"id": "71", "description": "Purchase", "points": 5, "createdAt": "2026-01-10T09:30:00.000Z"},
    ),
    "without an id": ({"Amount": 5}, {"description": "", "points": 5}),
    "with half a character": (
        {"Id": "a\ud83d", "Amount": 5, "PointTypeDescription": "\udc00"}, {"id": "a?", "description": "?", "points": 5},
    ),
}  # fmt: skip


@pytest.mark.parametrize("entry", ENTRIES)
def test_an_entry_says_what_the_service_told_and_no_more(bonifiq: Any, service: respx.MockRouter, entry: str) -> None:
    came, shown = ENTRIES[entry]
    service.get(C1).respond(content=json.dumps({**RESULT, "PointHistory": [came]}).encode())
    summary = json.loads(bonifiq.ok("points", "summary", "C1", "-o", "json"))["summary"]
    assert summary == {"addedPointsList": [] if shown is None else [shown], "redeemedPointsList": []}


@pytest.mark.parametrize("history", [None, [], "missing"])
def test_a_customer_without_a_history_has_the_balance_alone(
    bonifiq: Any, service: respx.MockRouter, history: Any
) -> None:
    result = {name: value for name, value in {**RESULT, "PointHistory": history}.items() if value != "missing"}
    service.get(C1).respond(json=result)
    document = json.loads(bonifiq.ok("points", "summary", "C1", "-o", "json"))
    assert document == {**SUMMARY, "summary": {"addedPointsList": [], "redeemedPointsList": []}}


GONE: Final = {**RESULT, "CustomerExists": False, "PointsBalance": 0, "PointHistory": []}
FAILED: Final[dict[str, tuple[Any, int, str]]] = {
    "nobody": (GONE, 5, "customer_not_found"),
    "nobody, and why": ({**GONE, "Error": "No such customer"}, 5, "customer_not_found"),
    "nobody in an envelope": (envelope(GONE), 5, "customer_not_found"),
    "an error, whoever it is": (refusal("02", "Closed", "No", Result=GONE), 6, "request_refused"),
    "an error by its flag": ({"HasError": True, "Result": RESULT}, 6, "request_refused"),
    "an error in words": ({**RESULT, "Error": "Try again"}, 75, "answer_invalid"),
    "a contradiction": (envelope(HasError=True), 75, "answer_invalid"),
    "an unknown severity": (envelope(Severity=7), 75, "answer_invalid"),
    "no balance": ({"CustomerExists": True, "PointHistory": []}, 75, "answer_invalid"),
    "half a point": ({**RESULT, "PointsBalance": 20.5}, 75, "answer_invalid"),
    "a balance in words": ({**RESULT, "PointsBalance": "20"}, 75, "answer_invalid"),
    "a balance that is true": ({**RESULT, "PointsBalance": True}, 75, "answer_invalid"),
    "no result": (envelope(None), 75, "answer_invalid"),
    "a list": ([RESULT], 75, "answer_invalid"),
    "a bare number": (20, 75, "answer_invalid"),
}


@pytest.mark.parametrize("answer", FAILED)
@pytest.mark.parametrize("words", ["points balance", "points summary"])
def test_what_is_no_answer_shows_no_number(bonifiq: Any, service: respx.MockRouter, words: str, answer: str) -> None:
    body, status, code = FAILED[answer]
    service.get(C1).respond(json=body)
    ended = bonifiq(*words.split(), "C1", "-o", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, ended.out, error["code"], error["request"]) == (status, "", code, f"GET {C1}")


ENTRIES_NOT_DOCUMENTED: Final[dict[str, Any]] = {
    "half a point": {**ADDED, "Amount": 1.5},
    "an amount in words": {**ADDED, "Amount": "5"},
    "a date in numbers": {**ADDED, "DateReceived": 1768037400},
    "no date": {**ADDED, "ExpirationDate": "tomorrow"},
    "no entry": 5,
}


@pytest.mark.parametrize("entry", ENTRIES_NOT_DOCUMENTED)
def test_an_entry_that_cannot_be_read_is_named_and_never_guessed(
    bonifiq: Any, service: respx.MockRouter, entry: str
) -> None:
    service.get(C1).respond(json={**RESULT, "PointHistory": [ENTRIES_NOT_DOCUMENTED[entry]]})
    ended = bonifiq("points", "summary", "C1")
    assert (ended.status, ended.out) == (75, "")
    assert f"The answer to GET {C1} is not as documented: PointHistory.0" in ended.err
    assert bonifiq.ok("points", "balance", "C1") == "20\n"


@pytest.mark.parametrize("content", [b"", b"<html></html>", b'{"PointsBalance": 2', b'{"PointsBalance": NaN}'])
def test_what_is_not_json_is_no_answer(bonifiq: Any, service: respx.MockRouter, content: bytes) -> None:
    service.get(C1).respond(content=content)
    assert bonifiq("points", "balance", "C1").status == 75
    service.get(C1).respond(204)
    assert bonifiq("points", "balance", "C1").status == 75


def test_a_customer_that_is_not_there_is_not_created_where_only_existing_ones_are_meant(
    bonifiq: Any, service: respx.MockRouter
) -> None:
    service.get(C1).respond(json=GONE)
    ended = bonifiq("points", "add", "C1", "5", "--existing", "--reason", "x", "-o", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, error["code"]) == (5, "customer_not_found")
    assert {call.request.method for call in service.calls} == {"GET"}
