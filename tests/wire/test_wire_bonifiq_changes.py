"""BonifiQ's change of points: every field that is sent, and every outcome that an answer can have."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator
from typing import Any, Final

import pytest
import respx
from documented import URL
from documented_bonifiq import C1, RESULT, USED, envelope, refusal
from test_wire_ids import IDS, encoded

from rpctl.auth.credentials import Account, Credentials, Folders
from rpctl.backends.bonifiq.backend import BonifiqBackend
from rpctl.backends.http import Http, Waiting
from rpctl.backends.port import Receipt, Sending, Unsettled
from rpctl.errors import CredentialsWrong, NotFound, RateLimited, RequestRefused, RpctlError
from servers import Got, Server, answering, reply

BASIC: Final = f"Basic {base64.b64encode(b'Api-T0ken:Api-k3y').decode()}"


def add(points: int = 5) -> Sending:
    return Sending("add", "C1", points, "id", "rp-0", description="Thanks", key="k-1", reason="goodwill")


@pytest.fixture
def backend(service: respx.MockRouter) -> Iterator[BonifiqBackend]:
    """The port, with all the time to send again what may be sent again."""
    credentials = Credentials(
        Account(URL, "Api-T0ken", "Api-T0ken"), {"RPCTL_CLIENT_SECRET": "Api-k3y"}, Folders(None, None), lambda: 0,
        has_tokens=False,
    )  # fmt: skip
    made = BonifiqBackend(
        Http(URL, {}, Waiting(60.0, lambda pause_s: None)), credentials, "Api-T0ken", lambda: pytest.fail("no zone")
    )
    yield made
    made.close()


# -- what is sent ------------------------------------------------------------------------------------------

SENT: Final[dict[str, tuple[list[str], dict[str, Any]]]] = {
    "added": (
        ["points", "add", "C1", "50", "--reason", "goodwill", "--key", "ADD-C1-50-9"],
        {"Points": 50, "OperationType": 0, "Reason": "goodwill", "ChangeKey": "ADD-C1-50-9", "CustomerReason": None},
    ),
    "with everything": (
        ["points", "add", "C1", "2147483647", "--reason", "até já", "--key", "k", "--description", "Olá, 5 < 6"],
        {"Points": 2147483647, "OperationType": 0, "Reason": "até já", "ChangeKey": "k",
         "CustomerReason": "Olá, 5 < 6"},
    ),
    "redeemed": (
        ["points", "redeem", "C1", "30", "--reason", "till 4", "--key", "k", "--description", "At the till"],
        {"Points": -30, "OperationType": 1, "Reason": "till 4", "ChangeKey": "k", "CustomerReason": "At the till"},
    ),
    "of an order's value": (
        ["points", "add", "C1", "--order-value", "29.99", "--factor", "0.5", "--reason", "order", "--key", "k"],
        {"Points": 14, "OperationType": 0, "Reason": "order", "ChangeKey": "k", "CustomerReason": None},
    ),
    "with a blank description": (
        ["points", "add", "C1", "5", "--reason", "x", "--key", "k", "--description", "  "],
        {"Points": 5, "OperationType": 0, "Reason": "x", "ChangeKey": "k", "CustomerReason": None},
    ),
}  # fmt: skip


@pytest.mark.parametrize("change", SENT)
def test_a_change_leaves_as_documented(bonifiq: Any, service: respx.MockRouter, change: str) -> None:
    words, body = SENT[change]
    route = service.post(C1)
    route.side_effect = [respx.MockResponse(json=envelope()), respx.MockResponse(json=USED)]

    ended = bonifiq(*words, "-q")

    assert (ended.status, ended.err, {call.request.method for call in service.calls}) == (0, "", {"POST"})
    sent = [json.loads(call.request.content) for call in route.calls]
    assert sent == [body] * len(sent)  # a second time to learn what a used key is answered
    for call in route.calls:
        headers = call.request.headers
        assert headers["Authorization"] == BASIC
        assert (headers["Content-Type"], headers["Accept"]) == ("application/json", "application/json")
        assert "Emporix-Tenant" not in headers


def test_the_first_addition_is_repeated_once_to_learn_what_a_used_key_is_answered(
    bonifiq: Any, service: respx.MockRouter
) -> None:
    done, used = respx.MockResponse(json=envelope()), respx.MockResponse(json=USED)
    route = service.post(C1)
    route.side_effect = [done, used, done]
    bonifiq.ok("points", "add", "C1", "5", "--reason", "x", "--key", "k-1")
    bonifiq.ok("points", "add", "C1", "5", "--reason", "x", "--key", "k-2")
    assert [json.loads(call.request.content)["ChangeKey"] for call in route.calls] == ["k-1", "k-1", "k-2"]


def test_without_a_key_the_change_has_one_of_its_own(bonifiq: Any, service: respx.MockRouter) -> None:
    route = service.post(C1)
    route.side_effect = [
        respx.MockResponse(json=envelope()), respx.MockResponse(json=USED), respx.MockResponse(json=envelope()),
    ]  # fmt: skip
    noted = [bonifiq("points", "add", "C1", "5", "--reason", "x").err.splitlines()[-1] for _ in range(2)]
    keys = [json.loads(call.request.content)["ChangeKey"] for call in route.calls]
    assert [f"note: key {key}" for key in (keys[0], keys[-1])] == noted
    assert keys[0] != keys[-1]


@pytest.fixture
def listening() -> Iterator[Server]:
    """BonifiQ on a real socket, where everybody is known."""

    def answer(got: Got) -> bytes:
        return reply(200, RESULT if got.method == "GET" else envelope())

    with Server(answering(answer)) as server:
        yield server


@pytest.mark.parametrize("twin", [False, True], ids=["httpx", "the short way"])
def test_a_customers_id_is_one_segment_encoded_once_and_the_same_credentials_go_both_ways(
    listening: Server, twin: bool
) -> None:
    url = listening.url
    credentials = Credentials(
        Account(url, "T", "Api-T0ken"), {"RPCTL_CLIENT_SECRET": "Api-k3y"}, Folders(None, None), lambda: 0,
        has_tokens=False,
    )  # fmt: skip
    first = BonifiqBackend(Http(url, {}, Waiting(20.0)), credentials, "T", lambda: pytest.fail("no zone"))
    one = first.twin() if twin else first
    for customer in IDS:
        one.send(add()._replace(customer_id=customer), lambda: None)
        assert one.active_points(customer) == 20
    one.close()
    targets = [f"/v1/pvt/Customer/{encoded(customer)}/points" for customer in IDS for _ in range(2)]
    assert [got.target for got in listening.got] == targets
    assert {got.headers["authorization"] for got in listening.got} == {BASIC}


# -- what is refused before anything is sent ---------------------------------------------------------------

UNSENT: Final[dict[str, tuple[str, int, str]]] = {
    "without a reason": ("points add C1 5", 2, "BonifiQ takes no change of points without a reason."),
    "with a blank reason": ("points redeem C1 5 --reason ''", 2, "takes no change of points without a reason"),
    "with a tag": ("points add C1 5 --reason x --description '<b>Hi</b>'", 2, "BonifiQ strips HTML tags"),
    "with half a tag": ("points add C1 5 --reason x --description 'Hi <script'", 2, "BonifiQ strips HTML tags"),
    "too long": (f"points add C1 5 --reason x --description {'x' * 256}", 2, "has 256 characters"),
    "too long as it counts": (f"points add C1 5 --reason x --description {'😀' * 128}", 2, "has 256 characters"),
    "too many points": ("points add C1 2147483648 --reason x", 2, "is not a number of points"),
    "no points": ("points redeem C1 0 --reason x", 2, "is not a number of points"),
    "with a reference": ("points add C1 5 --reason x --reference r", 6, "keeps no references"),
    "with a date": ("points add C1 5 --reason x --created-at 2026-01-01", 6, "dates changes itself"),
    "of a redemption": ("points redeem C1 5 --reason x --created-at 2026-01-01", 6, "dates changes itself"),
    "with an end": ("points add C1 5 --reason x --valid-until never", 6, "decides when points end"),
    "in a site": ("points add C1 5 --reason x --site main", 6, "`rpctl points add --site`"),
    "for a coupon": ("points redeem C1 --option 1 --reason x", 6, "`rpctl points redeem --option`"),
    "of an order's value": ("points add C1 --order-value 5 --reason x", 2, "no program that says"),
    "that earns nothing": ("points add C1 --order-value 1 --factor 0.5 --reason x", 6, "earns no point"),
    "of no factor": ("points add C1 --order-value 1 --factor 0 --reason x", 2, "A factor of 0 earns nothing."),
    "of a factor alone": ("points add C1 5 --factor 2 --reason x", 2, "--factor says what an order value earns."),
    "to another path": ("points add .. 5 --reason x", 2, "in a path it means another one"),
}


@pytest.mark.parametrize("change", UNSENT)
def test_what_would_be_lost_or_refused_is_not_sent(bonifiq: Any, service: respx.MockRouter, change: str) -> None:
    words, status, message = UNSENT[change]
    ended = bonifiq(*shlex.split(words))
    assert (ended.status, ended.out, len(service.calls)) == (status, "", 0), ended.err
    assert message in ended.err.splitlines()[0]
    assert ended.err.splitlines()[1].startswith("hint: ")


@pytest.mark.parametrize("description", ["x" * 255, "😀" * 127, "5 < 6", "a <3 b", ""])
def test_what_the_customer_can_be_shown_is_sent(bonifiq: Any, service: respx.MockRouter, description: str) -> None:
    route = service.post(C1)
    route.side_effect = [respx.MockResponse(json=envelope()), respx.MockResponse(json=USED)]
    bonifiq.ok("points", "add", "C1", "5", "--reason", "x", "--description", description)
    assert json.loads(route.calls[0].request.content)["CustomerReason"] == (description or None)


# -- successes ---------------------------------------------------------------------------------------------

WARNED: Final = "LimitNear (07): Near the limit."
SUCCESSES: Final[dict[str, tuple[Any, Receipt]]] = {
    "as documented": (envelope(), Receipt(None, 20)),
    "with the severity alone": ({"Severity": 0}, Receipt()),
    "without a result": (envelope(None), Receipt()),
    "without a balance": (envelope({"CustomerExists": True}), Receipt()),
    "with half a point": (envelope({"PointsBalance": 0.5}), Receipt()),
    "with a balance as a decimal": (envelope({"PointsBalance": 20.0}), Receipt(None, 20)),
    "with a legacy code": (envelope(ErrorCode=4), Receipt(None, 20)),
    "with words that mean nothing": (envelope(ErrorMessage="Error!"), Receipt(None, 20)),
    "with more than documented": ({**envelope(), "TraceId": "x", "Extra": [1]}, Receipt(None, 20)),
    "by HasError alone": ({"HasError": False}, Receipt()),
    "by HasError without severity": (envelope(Severity=None), Receipt(None, 20)),
    "a bare result": (RESULT, Receipt(None, 20)),
    "a bare balance": ({"PointsBalance": 7}, Receipt(None, 7)),
    "a result in an envelope that says nothing": ({"Result": RESULT}, Receipt(None, 20)),
    "warned": (
        envelope(Severity=1, HasWarning=True, Code="07", CodeName="LimitNear", ErrorMessage="Near the\n limit."),
        Receipt(WARNED, 20),
    ),
    "warned by the flag alone": (
        {"HasWarning": True, "Code": "07", "CodeName": "LimitNear", "ErrorMessage": "Near the limit."}, Receipt(WARNED),
    ),
    "warned, and success": (
        envelope(HasWarning=True, Code="07", CodeName="LimitNear", ErrorMessage="Near the limit."),
        Receipt(WARNED, 20),
    ),
    "warned without words": (envelope(Severity=1, Code="07", CodeName=None), Receipt("code 07", 20)),
    "warned of nothing": ({"Severity": 1}, Receipt("the service warns without saying of what")),
}  # fmt: skip


@pytest.mark.parametrize("success", SUCCESSES)
def test_a_success_is_one_and_a_warning_is_a_remark(
    backend: BonifiqBackend, service: respx.MockRouter, success: str
) -> None:
    body, receipt = SUCCESSES[success]
    route = service.post(C1).respond(json=body)
    assert backend.send(add(), lambda: None) == receipt
    assert len(route.calls) == 1


def test_a_warning_is_told_and_the_change_is_in(bonifiq: Any, service: respx.MockRouter) -> None:
    warned = envelope(Severity=1, HasWarning=True, Code="07", CodeName="LimitNear", ErrorMessage="Near the limit.")
    service.post(C1).side_effect = [respx.MockResponse(json=warned), respx.MockResponse(json=USED)]
    ended = bonifiq("points", "add", "C1", "5", "--reason", "x", "--key", "k", "-o", "json")
    assert ended.status == 0
    assert f"note: {WARNED}\n" in ended.err
    assert json.loads(ended.out)["points"] == 5


# -- refusals ----------------------------------------------------------------------------------------------

REFUSED: Final[dict[str, tuple[Any, tuple[str, str], str]]] = {
    "as documented": (refusal("03", "CustomerNotFound", "No such customer"), ("03", "CustomerNotFound"),
                      "CustomerNotFound (03): No such customer."),
    "with the severity alone": ({"Severity": 2}, ("", ""), "no reason is given."),
    "by HasError alone": ({"HasError": True, "Code": "03"}, ("03", ""), "code 03: no reason is given."),
    "by HasError though it warns": ({"HasError": True, "HasWarning": True}, ("", ""), "no reason is given."),
    "with a warning beside": (refusal("03", "X", "No", HasWarning=True), ("03", "X"), "X (03): No."),
    "without a flag": ({"Severity": 2, "Code": "03", "CodeName": "X"}, ("03", "X"), "X (03): no reason is given."),
    "with a code that is a number": ({"Severity": 2, "Code": 3, "CodeName": None}, ("3", ""),
                                     "code 3: no reason is given."),
    "with a result all the same": (refusal("03", "X", "No", Result=RESULT), ("03", "X"), "X (03): No."),
}  # fmt: skip


@pytest.mark.parametrize("refused", REFUSED)
def test_a_refusal_carries_its_outcome_and_nothing_is_read_from_its_words(
    backend: BonifiqBackend, service: respx.MockRouter, refused: str
) -> None:
    body, outcome, said = REFUSED[refused]
    route = service.post(C1).respond(json=body)
    with pytest.raises(RequestRefused) as caught:
        backend.send(add(), lambda: None)
    error = caught.value
    assert (error.outcome, error.http_status, error.request) == (outcome, 200, f"POST {C1}")
    assert error.message == f"The service refuses POST {C1}: {said}"
    assert len(route.calls) == 1


def test_a_refusal_tells_a_program_all_that_came(bonifiq: Any, service: respx.MockRouter) -> None:
    service.post(C1).respond(json=refusal("09", "PeriodClosed", "Not today", ErrorCode=12))
    ended = bonifiq("points", "add", "C1", "5", "--reason", "x", "-o", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, error["code"], error["httpStatus"]) == (6, "request_refused", 200)
    assert error["details"] == {"code": "09", "codeName": "PeriodClosed", "severity": 2, "errorCode": 12}


@pytest.mark.parametrize("output", ["table", "json"])
def test_what_the_service_says_is_cleaned_before_it_is_shown(
    bonifiq: Any, service: respx.MockRouter, output: str
) -> None:
    body = refusal("03", "X\x1b[2J", "No\r\n\u202e\ud83d such [red]thing")
    service.post(C1).respond(content=json.dumps(body).encode())
    ended = bonifiq("points", "add", "C1", "5", "--reason", "x", "-o", output)
    assert ended.status == 6
    assert "such [red]thing" in ended.err
    assert not set(ended.err) & set("\x1b\r\u202e\ud83d")


def test_a_redemption_of_too_many_points_is_told_with_both_numbers(bonifiq: Any, service: respx.MockRouter) -> None:
    service.post(C1).respond(json=refusal("05", "Whatever", "No"))
    service.get(C1).respond(json=RESULT)
    ended = bonifiq("points", "redeem", "C1", "21", "--reason", "x", "-o", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, error["code"]) == (6, "insufficient_points")
    assert error["details"] == {"customerId": "C1", "requested": 21, "available": 20}
    assert error["hint"] == "Nothing was taken; `rpctl points history CUSTOMER` shows what the service tells."


STATUSES: Final[dict[int, tuple[type[RpctlError], str]]] = {
    400: (RequestRefused, "The service refuses {}: Bad thing."),
    401: (CredentialsWrong, "BonifiQ does not accept the API token and its key: Bad thing."),
    403: (RequestRefused, "The service forbids {}: Bad thing."),
    404: (NotFound, "The service does not know what {} asks for: Bad thing."),
    405: (RequestRefused, "The service refuses {}: Bad thing."),
    301: (RequestRefused, "The service redirects {} to https://other.example/; credentials are sent nowhere else."),
}


@pytest.mark.parametrize("status", STATUSES)
def test_every_other_status_is_a_refusal_of_the_request_and_has_no_outcome(
    backend: BonifiqBackend, service: respx.MockRouter, status: int
) -> None:
    kind, message = STATUSES[status]
    body = {"ErrorMessage": "Bad thing", "Severity": 2, "Code": "17"}
    answer = {"json": body, "headers": {"Location": "https://other.example/"}}
    posted, read = service.post(C1).respond(status, **answer), service.get(C1).respond(status, **answer)
    for request, ask in (("POST", lambda: backend.send(add(), lambda: None)), ("GET", lambda: backend.summary("C1"))):
        with pytest.raises(kind) as caught:
            ask()
        assert caught.value.message == message.format(f"{request} {C1}")
        assert (caught.value.http_status, getattr(caught.value, "outcome", None)) == (status, None)
    assert (len(posted.calls), len(read.calls)) == (1, 1)


def test_credentials_that_are_not_accepted_end_with_4_and_say_what_to_do(
    bonifiq: Any, service: respx.MockRouter
) -> None:
    route = service.route().respond(401)
    for words in (["points", "balance", "C1"], ["points", "add", "C1", "5", "--reason", "x", "--key", "k"]):
        ended = bonifiq(*words)
        assert (ended.status, ended.out) == (4, "")
        assert "BonifiQ does not accept the API token and its key" in ended.err
        assert "`rpctl auth login`" in ended.err
        assert not any(secret in ended.err for secret in ("Api-k3y", BASIC.split()[1]))
    assert len(route.calls) == 2  # asked once each: another try would have the same credentials


def test_a_service_that_asks_to_slow_down_is_waited_for(backend: BonifiqBackend, service: respx.MockRouter) -> None:
    route = service.post(C1)
    slow = respx.MockResponse(429, headers={"Retry-After": "2"})
    route.side_effect = [slow, respx.MockResponse(json=envelope()), slow]
    left: list[int] = []
    assert backend.send(add(), lambda: left.append(len(route.calls))) == Receipt(None, 20)
    assert left == [0, 1]
    with pytest.raises(RateLimited) as limited:
        backend.send(add(), lambda: None, patient=False)
    assert limited.value.retry_after_s == 2


# -- what says nothing -------------------------------------------------------------------------------------

PAGE: Final = b"<html><body>200 OK</body></html>"
UNCLEAR: Final[dict[str, tuple[int, dict[str, Any], bool]]] = {
    "a page": (200, {"content": PAGE, "headers": {"Content-Type": "text/html"}}, False),
    "nothing": (200, {}, False),
    "not JSON": (200, {"content": b"OK"}, False),
    "cut off": (200, {"content": b'{"Severity": 0, "HasErr'}, False),
    "a number": (200, {"json": 20}, False),
    "a list": (200, {"json": [envelope()]}, False),
    "an empty object": (200, {"json": {}}, False),
    "an unknown severity": (200, {"json": envelope(Severity=3)}, False),
    "a negative severity": (200, {"json": envelope(Severity=-1)}, False),
    "a severity in words": (200, {"json": envelope(Severity="0")}, False),
    "a severity that is true": (200, {"json": envelope(Severity=True)}, False),
    "a severity of half": (200, {"json": envelope(Severity=0.5)}, False),
    "success and error": (200, {"json": envelope(HasError=True)}, False),
    "warning and error": (200, {"json": envelope(Severity=1, HasError=True)}, False),
    "error and no error": (200, {"json": envelope(Severity=2)}, False),
    "a flag in words": (200, {"json": envelope(HasError="false")}, False),
    "nobody there": (200, {"json": {**RESULT, "CustomerExists": False}}, False),
    "an error in a bare result": (200, {"json": {**RESULT, "Error": "Try again"}}, False),
    "an error in an envelope that says nothing": (200, {"json": {"Result": {**RESULT, "Error": "No"}}}, False),
    "words alone": (200, {"json": {"Result": RESULT, "ErrorMessage": "Key was used"}}, False),
    "a legacy code alone": (200, {"json": {"Result": RESULT, "ErrorCode": 3}}, False),
    "a code alone": (200, {"json": {"Code": "00", "CodeName": "Success"}}, False),
    "no warning alone": (200, {"json": {"HasWarning": False}}, False),
    "NaN": (200, {"content": b'{"Severity": 0, "Result": {"PointsBalance": NaN}}'}, False),
    "very deep": (200, {"content": b"[" * 100_000}, False),
    "created": (201, {"json": envelope()}, False),
    "accepted": (202, {}, False),
    "no content": (204, {}, False),
    "elsewhere": (302, {"headers": {"Location": f"{URL}/done"}}, False),
    "see other": (303, {"headers": {"Location": f"{URL}/done"}}, False),
    "timed out": (408, {}, False),
    "failed": (500, {"json": {"message": "An error has occurred."}}, False),
    "failed, in its own words": (500, {"json": refusal("99", "Failure", "Sorry")}, True),
    "failed, and says success": (500, {"json": envelope()}, False),
    "a gateway's page": (502, {"content": PAGE}, False),
    "unavailable": (503, {"content": PAGE, "headers": {"Retry-After": "1"}}, False),
    "too late": (504, {}, False),
}


@pytest.mark.parametrize("answer", UNCLEAR)
def test_an_answer_that_says_nothing_settles_nothing_and_nothing_is_sent_again(
    backend: BonifiqBackend, service: respx.MockRouter, answer: str
) -> None:
    status, how, answered = UNCLEAR[answer]
    route = service.post(C1).respond(status, **how)
    with pytest.raises(Unsettled) as lost:
        backend.send(add(), lambda: None)
    assert (lost.value.answered, lost.value.answer, len(route.calls)) == (answered, (f"POST {C1}", status), 1)


def test_an_answer_that_is_too_long_settles_nothing(backend: BonifiqBackend, service: respx.MockRouter) -> None:
    body = json.dumps(envelope()).encode() + b" " * 33 * 1024 * 1024
    service.post(C1).respond(content=body)
    with pytest.raises(Unsettled):
        backend.send(add(), lambda: None)


def test_what_cannot_be_told_ends_with_8_and_the_command_that_finds_out(
    bonifiq: Any, service: respx.MockRouter
) -> None:
    service.post(C1).respond(502)
    ended = bonifiq("points", "add", "C1", "5", "--reason", "x", "--key", "k")
    assert (ended.status, ended.out) == (8, "")
    assert "Whether the change with key k is in cannot be told" in ended.err
    assert "rpctl points add C1 5 --reason x --key k" in ended.err


def test_a_lost_answer_is_found_out_about_by_sending_it_again(bonifiq: Any, service: respx.MockRouter) -> None:
    """The key that the service keeps makes that harmless: first it is learned what a used one is answered."""
    done = respx.MockResponse(json=envelope())
    used = respx.MockResponse(json=USED)
    route = service.post(C1)
    route.side_effect = [done, used, respx.MockResponse(502), used]
    bonifiq.ok("points", "add", "C1", "5", "--reason", "x", "--key", "k-1")
    ended = bonifiq("points", "add", "C1", "5", "--reason", "x", "--key", "k-2", "-o", "json")
    assert (ended.status, len(route.calls)) == (0, 4), ended.err
    assert [json.loads(call.request.content)["ChangeKey"] for call in route.calls] == ["k-1", "k-1", "k-2", "k-2"]


def test_a_key_that_somebody_else_used_is_refused(bonifiq: Any, service: respx.MockRouter) -> None:
    used = respx.MockResponse(json=USED)
    service.post(C1).side_effect = [respx.MockResponse(json=envelope()), used, used]
    bonifiq.ok("points", "add", "C1", "5", "--reason", "x", "--key", "k-1")
    ended = bonifiq("points", "add", "C1", "5", "--reason", "x", "--key", "theirs", "-o", "json")
    assert (ended.status, json.loads(ended.err.splitlines()[-1])["error"]["code"]) == (6, "key_reused")


def test_a_trace_shows_requests_and_no_secret(bonifiq: Any, service: respx.MockRouter) -> None:
    service.post(C1).side_effect = [respx.MockResponse(json=envelope()), respx.MockResponse(json=USED)]
    ended = bonifiq("points", "add", "C1", "5", "--reason", "x", "-v")
    assert ended.status == 0
    assert f"trace: > POST {URL}{C1}\n" in ended.err
    hidden = ("Api-k3y", BASIC.split()[1], "Basic", "T0ken:")
    assert not any(secret in ended.err + ended.out for secret in hidden)
