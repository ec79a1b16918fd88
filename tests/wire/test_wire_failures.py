"""Every documented failure of every operation, with its documented body: what the command says and how it ends."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import pytest
import respx
from documented import (
    EXISTS,
    FAILED,
    FORBIDDEN,
    FORBIDDEN_SITE,
    FORBIDDEN_TO_MANAGE,
    NOT_FOUND,
    PROBLEM,
    STALE,
    SUMMARY,
    UNAUTHORIZED,
    VALIDATION,
)
from test_wire_operations import C1, OPTIONS, POINTS, PUBLIC, SITE, documented

from rpctl.auth.credentials import Account, Credentials, Folders
from rpctl.backends.emporix.backend import EmporixBackend
from rpctl.backends.emporix.storefront import Storefront
from rpctl.backends.http import Http, Waiting
from rpctl.backends.port import Sending, Unsettled
from rpctl.errors import CustomerNotFound, NotFound, Refused


class Said(NamedTuple):
    """An error as a program reads it, without what is the same for all; {} in the message is the request."""

    exit_status: int
    code: str
    message: str
    hint: str
    details: dict[str, Any] = {}  # noqa: RUF012 -- nobody writes to it


VIEW, MANAGE = ([f"{room}.rewardpoints_{what}" for room in ("rewardspoints", "saasag")] for what in ("view", "manage"))
GRANT: Final = "Grant the scope to the API key in the service's administration, then `rpctl auth login` again."
CHECK: Final = "Nothing was changed; check what was asked for."
LATER: Final = "Run the same command again later."

REFUSED: Final = Said(6, "request_refused", "The service refuses {}: Invalid request content.", CHECK)
INVALID: Final = Said(
    6, "request_refused",
    "The service refuses {}: There are validation errors; tenant: size must be between 3 and 16; "
    "points: must be greater than 0.", CHECK,
    {"serviceDetails": ["tenant: size must be between 3 and 16", "points: must be greater than 0"]},
)  # fmt: skip
EXPIRED: Final = Said(
    4, "token_refused", "The service does not accept the token: Invalid access token.",
    "`rpctl auth status` tells where the token came from and when it expires.",
)  # fmt: skip
NO_VIEW: Final = Said(
    6, "missing_scope", "The credentials lack the scope rewardspoints.rewardpoints_view for {}.", GRANT,
    {"missingScopes": VIEW},
)  # fmt: skip
NO_MANAGE: Final = NO_VIEW._replace(
    message=NO_VIEW.message.replace("_view", "_manage"), details={"missingScopes": MANAGE}
)
NO_SITE: Final = NO_VIEW._replace(
    message="The credentials lack the scope site.site_manage for {}.", details={"missingScopes": ["site.site_manage"]}
)
ABSENT: Final = Said(
    5, "customer_not_found", "There is no customer C1.",
    "Check the id; `rpctl customer list --search TEXT` finds customers.", {"customerId": "C1"},
)  # fmt: skip
NO_OPTION: Final = Said(
    5, "option_not_found", "Redeem option 6650a1 cannot be had: No reward points found for customer 202429132",
    "`rpctl options list` shows what there is.",
)  # fmt: skip
THERE: Final = Said(
    6,
    "customer_exists",
    "Customer C1 exists.",
    "`rpctl points add` adds to an existing customer.",
    {"customerId": "C1"},
)
CHANGED: Final = Said(
    6, "stale_version", "Redeem option 6650a1 is at version 3; the update was made from version 2.",
    "Read it again with `rpctl options show ID` and repeat the update on what is there now.",
    {"currentVersion": 3, "sentVersion": 2},
)  # fmt: skip
TOO_FEW: Final = Said(
    6, "insufficient_points", "Customer C1 has 20 points, fewer than the 21 to redeem.",
    "Nothing was taken; `rpctl points explain CUSTOMER` shows lot by lot what is left.",
    {"customerId": "C1", "requested": 21, "available": 20},
)  # fmt: skip
BROKEN: Final = Said(75, "service_unavailable", "The service failed at {}: Internal Server Error.", LATER)

READ: Final = [(401, UNAUTHORIZED, EXPIRED), (403, FORBIDDEN, NO_VIEW), (500, FAILED, BROKEN)]
WRITTEN: Final = [(401, UNAUTHORIZED, EXPIRED), (403, FORBIDDEN_TO_MANAGE, NO_MANAGE)]
BAD: Final = [(400, PROBLEM, REFUSED), (400, VALIDATION, INVALID)]
SETTINGS: Final = [(401, UNAUTHORIZED, EXPIRED), (403, FORBIDDEN_SITE, NO_SITE), (500, FAILED, BROKEN)]

OPERATIONS: Final[list[tuple[str, str, str, str, list[tuple[int, Any, Said]]]]] = [
    ("1", "points summary", "GET", f"{POINTS}/summaryBatch", READ),
    ("1 as a list", "customer list", "GET", f"{POINTS}/summaryBatch", READ),
    ("2", "points balance C1", "GET", C1, [*READ, (404, NOT_FOUND, ABSENT)]),
    ("3", "customer create C1", "POST", C1, [*BAD, *WRITTEN, (409, EXISTS, THERE)]),
    ("3 with points", "customer create C1 --points 5", "POST", C1, [*BAD, *WRITTEN, (409, EXISTS, THERE)]),
    ("4", "customer delete C1 --confirm C1", "DELETE", C1, WRITTEN),
    ("5", "points summary C1", "GET", f"{C1}/summary", [*READ, (404, NOT_FOUND, ABSENT)]),
    ("6", "points add C1 50", "POST", f"{C1}/addPoints", [*BAD, *WRITTEN]),
    ("7", "points redeem C1 20", "POST", f"{C1}/redeemPoints", [*BAD, *WRITTEN]),
    ("7 of too many", "points redeem C1 21", "POST", f"{C1}/redeemPoints", [(400, PROBLEM, TOO_FEW)]),
    ("8", "me balance", "GET", PUBLIC, READ),
    ("9", "me summary", "GET", f"{PUBLIC}/summary", READ),
    ("10", "me redeem 6650a1", "POST", f"{PUBLIC}/redeem", [*BAD, *WRITTEN[1:], (404, NOT_FOUND, NO_OPTION)]),
    ("11", "options list", "GET", OPTIONS, READ),
    ("12", "options create --name X --points 9 --percent 1", "POST", OPTIONS, [*BAD, *WRITTEN]),
    ("13", "options update 6650a1 --points 80", "PUT", f"{OPTIONS}/6650a1", [*BAD, *WRITTEN]),
    ("14", "options delete 6650a1 --yes", "DELETE", f"{OPTIONS}/6650a1", WRITTEN),
    ("program", "program show", "GET", SITE, SETTINGS),
    ("program's change", "program set --factor 2", "PATCH", SITE, [*SETTINGS, (400, PROBLEM, REFUSED)]),
]
CASES: Final = [
    pytest.param(words, method, path, *failure, id=f"{name}: {failure[0]} {failure[2].code}")
    for name, words, method, path, failures in OPERATIONS
    for failure in failures
]


def _error(ended: Any) -> dict[str, Any]:
    assert ended.out == ""
    error: dict[str, Any] = json.loads(ended.err.splitlines()[-1])["error"]
    return error


@pytest.mark.parametrize(("words", "method", "path", "status", "body", "said"), CASES)
def test_a_documented_failure_ends_as_it_should(
    online: Any, service: respx.MockRouter, words: str, method: str, path: str, status: int, body: Any, said: Said
) -> None:
    documented(service)
    route = service.request(method, path).respond(status, json=body)
    ended = online(*words.split(), "-o", "json")
    assert ended.status == said.exit_status, ended.err
    request = f"{method} {path}"
    assert _error(ended) == {
        "code": said.code,
        "message": said.message.format(request),
        "hint": said.hint,
        "exitStatus": said.exit_status,
        "httpStatus": status,
        "request": request,
        "retryable": said.exit_status == 75,
        "details": said.details,
    }
    assert len(route.calls) == 1


def test_an_option_that_was_changed_meanwhile_is_not_updated(online: Any, service: respx.MockRouter) -> None:
    from documented import OPTION

    before = {**OPTION, "metadata": {"version": 2}}
    service.get(OPTIONS).side_effect = [respx.MockResponse(json=[before]), respx.MockResponse(json=[OPTION])]
    route = service.put(f"{OPTIONS}/6650a1").respond(409, json=STALE)
    error = _error(online("options", "update", "6650a1", "--points", "80", "-o", "json"))
    found = (error["exitStatus"], error["code"], error["message"], error["hint"], error["details"])
    assert found == CHANGED
    assert (error["httpStatus"], error["request"]) == (409, f"PUT {OPTIONS}/6650a1")
    assert [json.loads(call.request.content)["metadata"]["version"] for call in route.calls] == [2]


def test_a_bad_request_for_a_balance_is_settled_by_the_summary(online: Any, service: respx.MockRouter) -> None:
    documented(service)
    service.get(C1).respond(400, json=PROBLEM)
    assert online.ok("points", "balance", "C1") == "20\n"
    service.get(f"{C1}/summary").respond(404, json=NOT_FOUND)
    assert _error(online("points", "balance", "C1", "-o", "json"))["code"] == "customer_not_found"


# -- what a failure leaves of a change ---------------------------------------------------------------------


@pytest.fixture
def backend(service: respx.MockRouter) -> EmporixBackend:
    return EmporixBackend(_patient(), _credentials(), "shop", writing=True)


def _patient() -> Http:
    """A client with all the time to send again what may be sent again."""
    return Http("https://api.example", {"Emporix-Tenant": "shop"}, Waiting(60.0, lambda pause_s: None))


def _credentials() -> Credentials:
    environ = {"RPCTL_ACCESS_TOKEN": "T0ken", "RPCTL_CUSTOMER_TOKEN": "Customer-T0ken"}
    return Credentials(Account("https://api.example", "shop", None), environ, Folders(None, None), lambda: 0)


OPTION_SENT: Final = {
    "name": "X", "points": 5, "coupon": {"name": "X", "discountType": "PERCENT", "discountPercentage": 1},
}  # fmt: skip


def _sent(one: EmporixBackend, kind: str) -> None:
    one.send(Sending(kind, "C1", 5, "id", "rp-0"), lambda: None)


CHANGES: Final[dict[str, Any]] = {
    "3": ("POST", C1, lambda one: one.create_customer("C1")),
    "3 with points": ("POST", C1, lambda one: _sent(one, "create")),
    "4": ("DELETE", C1, lambda one: one.delete_customer("C1")),
    "6": ("POST", f"{C1}/addPoints", lambda one: _sent(one, "add")),
    "7": ("POST", f"{C1}/redeemPoints", lambda one: _sent(one, "redeem")),
    "12": ("POST", OPTIONS, lambda one: one.create_option(OPTION_SENT)),
    "13": ("PUT", f"{OPTIONS}/6650a1", lambda one: one.update_option("6650a1", 3, OPTION_SENT)),
    "14": ("DELETE", f"{OPTIONS}/6650a1", lambda one: one.delete_option("6650a1")),
}

GATEWAYS_FAULT: Final = {
    "fault": {"faultstring": "Unavailable", "detail": {"errorcode": "messaging.adaptors.http.flow.ServiceUnavailable"}}
}
PAGE: Final = b"<html><body><h1>503 Service Temporarily Unavailable</h1></body></html>"
FAILURES: Final[dict[str, tuple[int, dict[str, Any], bool]]] = {
    "500 as documented": (500, {"json": FAILED}, True),
    "500 in other words": (500, {"json": {"status": 500, "message": "Internal Server Error"}}, False),
    "500 with half the words": (500, {"json": {"timestamp": "now", "status": 500, "error": "x"}}, False),
    "503 of the service": (503, {"json": {**FAILED, "status": 503, "error": "Service Unavailable"}}, False),
    "502 of the service": (502, {"json": FAILED}, False),
    "500 of a gateway": (500, {"json": GATEWAYS_FAULT}, False),
    "503 of a gateway": (503, {"json": GATEWAYS_FAULT}, False),
    "503 as a page": (503, {"content": PAGE, "headers": {"Retry-After": "1"}}, False),
    "500 without a body": (500, {}, False),
    "502": (502, {"content": PAGE}, False),
    "504": (504, {"json": FAILED}, False),
    "a page in place of success": (200, {"content": PAGE, "content_type": "text/html"}, False),
    "a page that does not say so": (200, {"content": b"\n <!doctype html>"}, False),
    "202": (202, {}, False),
    "302": (302, {"headers": {"Location": "https://api.example/done"}}, False),
    "303": (303, {"headers": {"Location": "https://api.example/done"}}, False),
    "408": (408, {"json": {"status": 408, "message": "Request Timeout"}}, False),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize("change", CHANGES)
def test_a_change_that_is_not_clearly_answered_is_unsettled_and_sent_once(
    backend: EmporixBackend, service: respx.MockRouter, change: str, failure: str
) -> None:
    documented(service)
    method, path, do = CHANGES[change]
    status, answer, answered = FAILURES[failure]
    answer = dict(answer)
    kind = {"Content-Type": answer.pop("content_type")} if "content_type" in answer else {}
    route = service.request(method, path).respond(status, headers=answer.pop("headers", {}) | kind, **answer)
    with pytest.raises(Unsettled) as lost:
        do(backend)
    assert (lost.value.answered, len(route.calls)) == (answered, 1)
    assert lost.value.answer == (f"{method} {path}", status)


REFUSALS: Final = [300, 301, 304, 307, 308, 400, 405, 409, 410, 418, 425, 451]


@pytest.mark.parametrize("status", REFUSALS)
@pytest.mark.parametrize("change", CHANGES)
def test_every_other_refusal_of_a_change_is_one(
    backend: EmporixBackend, service: respx.MockRouter, change: str, status: int
) -> None:
    documented(service)
    method, path, do = CHANGES[change]
    route = service.request(method, path).respond(status, headers={"Location": "https://api.example/"})
    with pytest.raises(Refused) as refused:
        do(backend)
    assert (refused.value.http_status, len(route.calls)) == (status, 1)


@pytest.mark.parametrize("change", ["3 with points", "6", "7"])
def test_a_change_of_points_tells_when_it_leaves(
    backend: EmporixBackend, service: respx.MockRouter, change: str
) -> None:
    method, path, _ = CHANGES[change]
    route = service.request(method, path)
    route.side_effect = [respx.MockResponse(429), respx.MockResponse(200 if change == "3 with points" else 201)]
    left: list[int] = []
    kind = {"3 with points": "create", "6": "add", "7": "redeem"}[change]
    backend.send(Sending(kind, "C1", 5, "id", "rp-0"), lambda: left.append(len(route.calls)))
    assert left == [0, 1]


@pytest.mark.parametrize("failure", FAILURES)
def test_an_exchange_that_is_not_clearly_answered_is_unsettled_and_sent_once(
    service: respx.MockRouter, failure: str
) -> None:
    status, answer, _ = FAILURES[failure]
    answer = {name: value for name, value in answer.items() if name in ("json", "content")}
    route = service.post(f"{PUBLIC}/redeem").respond(status, **answer)
    storefront = Storefront(_patient(), _credentials())
    with pytest.raises(Unsettled):
        storefront.redeem("6650a1", "main")
    assert len(route.calls) == 1


# -- gateways ---------------------------------------------------------------------------------------------

UNKNOWN_PATHS: Final[dict[str, dict[str, Any]]] = {
    "a page": {"content": b"<html>404 page not found</html>", "headers": {"Content-Type": "text/html"}},
    "nothing": {},
    "text": {"content": b"default backend - 404"},
    "a gateway's fault": {"json": {"fault": {"faultstring": "Unable to identify proxy for host", "detail": {}}}},
    "the framework's word": {"json": {**FAILED, "status": 404, "error": "Not Found", "message": "No message"}},
}
ASKING: Final = ["points balance C1", "points summary C1", "me balance", "me summary", "program show"]


@pytest.mark.parametrize("body", UNKNOWN_PATHS)
@pytest.mark.parametrize("words", ASKING)
def test_a_404_that_is_not_the_services_own_says_nothing_of_customers(
    online: Any, service: respx.MockRouter, words: str, body: str
) -> None:
    service.route().respond(404, **UNKNOWN_PATHS[body])
    error = _error(online(*words.split(), "-o", "json"))
    assert (error["exitStatus"], error["code"], error["httpStatus"]) == (5, "not_found", 404)
    assert error["hint"] == "Check the ids, the tenant and the URL."


def _without_type() -> dict[str, Any]:
    return {name: value for name, value in NOT_FOUND.items() if name != "type"}


@pytest.mark.parametrize(("body", "certain"), [
    (NOT_FOUND, True), (_without_type(), False), ({**NOT_FOUND, "type": "about:blank"}, False),
    ({**NOT_FOUND, "type": None}, False), ({"message": "no Route matched with those values"}, False),
])  # fmt: skip
def test_nobody_but_the_service_in_its_documented_words_says_that_a_customer_is_not_there(
    backend: EmporixBackend, service: respx.MockRouter, body: Any, certain: bool
) -> None:
    service.get(C1).respond(404, json=body)
    service.get(f"{C1}/summary").respond(404, json=body)
    for ask in (backend.active_points, backend.summary):
        with pytest.raises(NotFound) as absent:
            ask("C1")
        assert isinstance(absent.value, CustomerNotFound) is certain


@pytest.mark.parametrize(("body", "status"), [
    ({"status": 404, "message": "Mixin not found"}, 0), ({"code": 404, "status": "Not Found", "message": "none"}, 5),
    (NOT_FOUND, 0), ({"message": "Not Found"}, 5), ({"fault": {"faultstring": "no"}, "status": 404, "message": "x"}, 5),
])  # fmt: skip
def test_a_site_without_settings_is_told_from_a_wrong_address(
    online: Any, service: respx.MockRouter, body: Any, status: int
) -> None:
    service.route().respond(404, json=body)
    assert online("program", "show").status == status


@pytest.mark.parametrize("words", ["points add C1 50", "points redeem C1 50", "customer create C1 --points 50"])
@pytest.mark.parametrize("body", [_without_type(), {"message": "no Route matched with those values"}])
def test_a_change_whose_customer_is_not_there_in_other_words_is_not_sent_again(
    online: Any, service: respx.MockRouter, words: str, body: Any
) -> None:
    route = service.route(method="POST").respond(502)
    service.get(f"{C1}/summary").respond(404, json=body)
    error = _error(online(*words.split(), "-o", "json"))
    assert (error["exitStatus"], error["code"], len(route.calls)) == (8, "outcome_unknown", 1)
    assert (error["httpStatus"], error["request"]) == (502, f"POST {route.calls[0].request.url.path}")


def test_a_change_whose_customer_is_not_there_in_the_documented_words_is_sent_again(
    online: Any, service: respx.MockRouter
) -> None:
    route = service.post(f"{C1}/addPoints")
    route.side_effect = [respx.MockResponse(502), respx.MockResponse(201)]
    service.get(f"{C1}/summary").respond(404, json=NOT_FOUND)
    assert online("points", "add", "C1", "50", "-q").status == 0
    bodies = [json.loads(call.request.content) for call in route.calls]
    assert (len(bodies), bodies[0]) == (2, bodies[1])  # under the same marks


@pytest.mark.parametrize("status", [302, 303, 408, 500, 504])
def test_what_an_unclear_answer_says_nothing_of_is_settled_by_reading(
    online: Any, service: respx.MockRouter, status: int
) -> None:
    route = service.post(f"{C1}/addPoints").respond(status, headers={"Location": "https://api.example/done"})

    def summary(request: Any) -> respx.MockResponse:
        added = [json.loads(call.request.content) for call in route.calls]
        return respx.MockResponse(json={**SUMMARY, "summary": {"addedPointsList": added}})

    service.get(f"{C1}/summary").side_effect = summary
    made = json.loads(online.ok("points", "add", "C1", "50", "-o", "json"))
    assert (made["points"], made["id"]) == (50, json.loads(route.calls[0].request.content)["id"])
    assert len(route.calls) == 1


@pytest.mark.parametrize("status", [302, 303, 408])
def test_what_an_unclear_answer_says_nothing_of_and_reading_neither_is_unknown(
    online: Any, service: respx.MockRouter, status: int
) -> None:
    documented(service)  # other entries are there, and nobody knows whether marks are kept
    route = service.post(f"{C1}/addPoints").respond(status, headers={"Location": "https://api.example/done"})
    error = _error(online("points", "add", "C1", "50", "-o", "json"))
    found = error["exitStatus"], error["code"], error["httpStatus"], error["request"], len(route.calls)
    assert found == (8, "outcome_unknown", status, f"POST {C1}/addPoints", 1)


@pytest.mark.parametrize("status", [301, 307, 308])
def test_another_redirect_of_a_change_is_a_refusal(online: Any, service: respx.MockRouter, status: int) -> None:
    documented(service)
    route = service.post(f"{C1}/addPoints").respond(status, headers={"Location": "https://elsewhere.example/"})
    error = _error(online("points", "add", "C1", "50", "-o", "json"))
    assert (error["exitStatus"], error["code"], len(route.calls)) == (6, "request_refused", 1)


UNCLEAR: Final = [302, 303, 408, 500, 502, 503, 504]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("status", UNCLEAR)
def test_a_raw_change_that_is_answered_unclearly_prints_the_answer_and_is_unknown(
    online: Any, service: respx.MockRouter, method: str, status: int
) -> None:
    route = service.request(method, f"{C1}/addPoints").respond(status, json=FAILED)
    ended = online("api", method, f"{C1}/addPoints", "-o", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, error["code"], len(route.calls)) == (8, "outcome_unknown", 1)
    assert json.loads(ended.out) == FAILED


@pytest.mark.parametrize(("status", "exit_status"), [(302, 6), (408, 6), (500, 75), (503, 75)])
def test_a_raw_question_that_is_answered_unclearly_changed_nothing(
    online: Any, service: respx.MockRouter, status: int, exit_status: int
) -> None:
    service.get(C1).respond(status, json=FAILED)
    assert online("api", "GET", C1).status == exit_status


@pytest.mark.parametrize(("status", "exit_status"), [(301, 6), (307, 6), (409, 6), (429, 75)])
def test_a_raw_change_that_is_refused_is_not_unknown_and_sent_once(
    online: Any, service: respx.MockRouter, status: int, exit_status: int
) -> None:
    route = service.post(f"{C1}/addPoints").respond(status, headers={"Retry-After": "0"})
    assert online("api", "POST", f"{C1}/addPoints", RPCTL_TIMEOUT_S="5").status == exit_status
    assert len(route.calls) == 1


def test_a_change_is_not_sent_again_because_of_a_404_that_is_not_the_services_own(
    online: Any, service: respx.MockRouter
) -> None:
    route = service.post(f"{C1}/addPoints").respond(502)
    service.get(f"{C1}/summary").respond(404, content=b"<html>404 page not found</html>")
    assert online("points", "add", "C1", "50").status == 8
    assert len(route.calls) == 1


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
@pytest.mark.parametrize(("body", "kind"), [(PAGE, "text/html"), (b"", None), (b'{"half', "application/json")])
def test_a_gateways_answer_to_a_question_is_temporary(
    online: Any, service: respx.MockRouter, status: int, body: bytes, kind: str | None
) -> None:
    headers = {"Retry-After": "120"} | ({"Content-Type": kind} if kind else {})
    service.get(C1).respond(status, content=body, headers=headers)
    error = _error(online("points", "balance", "C1", "-o", "json"))
    code = "rate_limited" if status == 429 else "service_unavailable"
    assert (error["exitStatus"], error["code"], error["httpStatus"]) == (75, code, status)
    assert f"status {status}" in error["message"]
    assert "<" not in error["message"]
    assert error["hint"] == "Run the same command again in 120 s."


def test_a_change_that_may_not_be_made_so_often_was_not_made(online: Any, service: respx.MockRouter) -> None:
    route = service.post(f"{C1}/addPoints").respond(429, headers={"Retry-After": "120"})
    error = _error(online("points", "add", "C1", "50", "-o", "json"))
    assert (error["exitStatus"], error["code"], len(route.calls)) == (75, "rate_limited", 1)


NO_ANSWERS: Final = [PAGE, b"", b'{"half', b'"text"', b'{"message": "hello"}', b"[1, 2", b"\xff\xfe", b"20.5"]
QUESTIONS: Final = [*ASKING, "points summary", "customer list", "options list"]


@pytest.mark.parametrize(("words", "body"), [
    (words, body) for words in QUESTIONS for body in NO_ANSWERS
    if (words, body) != ("program show", b'{"message": "hello"}')  # a mixin may hold anything, and nothing of ours
])  # fmt: skip
def test_a_success_that_is_not_the_services_is_no_answer(
    online: Any, service: respx.MockRouter, words: str, body: bytes
) -> None:
    service.route().respond(200, content=body)
    error = json.loads(online(*words.split(), "-o", "jsonl").err.splitlines()[-1])["error"]
    assert (error["exitStatus"], error["code"], error["httpStatus"]) == (75, "answer_invalid", 200)


@pytest.mark.parametrize("asked", ["soon", "²", "-1", "1\t2", "Wed, 21 Oct 2099 07:28:00 GMT", "9" * 20])
def test_a_retry_after_that_is_no_number_of_seconds_is_not_repeated(
    online: Any, service: respx.MockRouter, asked: str
) -> None:
    service.get(C1).respond(503, headers={"Retry-After": asked.encode()})
    assert _error(online("points", "balance", "C1", "-o", "json"))["hint"] == LATER


@pytest.mark.parametrize("status", [201, 204, 206])
def test_another_success_than_the_documented_one_is_no_answer(
    online: Any, service: respx.MockRouter, status: int
) -> None:
    service.route().respond(status, json=SUMMARY)
    assert _error(online("points", "summary", "C1", "-o", "json"))["code"] == "answer_invalid"
    assert _error(online("points", "summary", "-o", "json"))["code"] == "answer_invalid"


def test_a_redirect_is_refused_and_says_where_to(online: Any, service: respx.MockRouter) -> None:
    service.get(C1).respond(302, headers={"Location": "https://elsewhere.example/"})
    error = _error(online("points", "balance", "C1", "-o", "json"))
    assert (error["exitStatus"], error["code"], error["httpStatus"]) == (6, "request_refused", 302)
    assert "elsewhere.example" in error["message"]
    assert error["hint"] == "If that is its new place, set the profile's url to it."


def test_what_the_service_says_is_one_line_of_bearable_length(online: Any, service: respx.MockRouter) -> None:
    service.get(C1).respond(403, json={"message": "Line\nafter \x1b[31mline " + "x" * 5000, "details": ["y" * 5000]})
    ended = online("points", "balance", "C1")
    said = ended.err.splitlines()
    assert [line.partition(":")[0] for line in said] == ["error", "hint"]
    assert len(said[0]) < 500
    assert "\x1b" not in ended.err


@pytest.mark.parametrize("body", ["[]", "7", "null", '{"details": [1, null, {}]}', '{"message": {"a": 1}}', "[" * 5000])
@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 418, 500])
def test_an_error_body_of_any_shape_is_survived(online: Any, service: respx.MockRouter, status: int, body: str) -> None:
    service.get(C1).respond(status, content=body.encode())
    service.get(f"{C1}/summary").respond(status, content=body.encode())
    ended = online("points", "balance", "C1")
    assert ended.status in (4, 5, 6, 75)
    assert f"status {status}" in ended.err
