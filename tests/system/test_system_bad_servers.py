"""The installed program against servers that behave badly, on real sockets: each command ends in its time with the
right exit status, one line that says what happened and at most one that says what to do, and sends no change twice."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Final

import pytest
from real_machine import Done, Machine

from servers import Behaviour, Certificate, Got, Server, Talk, answering, closing, refusing, reply, silent

BALANCE: Final = ("points", "balance", "C1")
SUMMARY: Final = ("points", "summary", "-o", "jsonl")
ADD: Final = ("points", "add", "C1", "50")
PATIENT_S: Final = 3.0
BRIEF_S: Final = 0.4
"""How long a request may take: where an answer comes, and where none comes or there is time to try again."""

PAGE: Final = b"<!DOCTYPE html><html><body><h1>Welcome to nginx!</h1></body></html>"
ADDED: Final = {"addedPointsList": [{"id": "x", "points": 5, "createdAt": "2026-01-01T00:00:00Z"}]}
FAULT: Final = {
    "fault": {"faultstring": "Invalid access token", "detail": {"errorcode": "oauth.v2.InvalidAccessToken"}}
}


Make = Callable[..., Server]


def ask(machine: Machine, url: str, *words: str, timeout_s: float = PATIENT_S, **environ: str) -> Done:
    """The installed program with a ready token, ended in its time."""
    surroundings = {
        "RPCTL_BACKEND": "emporix", "RPCTL_URL": url, "RPCTL_TENANT": "shop", "RPCTL_ACCESS_TOKEN": "T0ken",
        "RPCTL_TIMEOUT_S": str(timeout_s), "RPCTL_SETTLE_S": "0", **environ,
    }  # fmt: skip
    started_s = time.monotonic()
    done = machine.run(*words, environ=surroundings)
    requests = 2 if words == ADD else 1  # the change, and the look at what became of it
    assert time.monotonic() - started_s < requests * timeout_s + 5
    return done


def error_of(done: Done, status: int) -> str:
    """What happened, after the checks that hold for every error; for JSON, its code."""
    assert done.status == status, done.err
    assert "Traceback" not in done.err
    assert "T0ken" not in done.err
    said = [line for line in done.err.splitlines() if not line.startswith("note: ")]
    if said[-1].startswith("{"):
        assert len(said) == 1
        return str(json.loads(said[0])["error"]["code"])
    kinds = [line.partition(": ")[0] for line in said]
    assert kinds in (["error"], ["error", "hint"]), done.err
    return said[0].removeprefix("error: ")


# -- no connection ----------------------------------------------------------------------------------------

COMMANDS: Final = pytest.mark.parametrize("words", [BALANCE, SUMMARY, ADD], ids=["balance", "summary", "add"])


@COMMANDS
def test_where_nobody_listens_nothing_was_sent(machine: Machine, words: tuple[str, ...]) -> None:
    url = refusing()
    said = error_of(ask(machine, url, *words, timeout_s=BRIEF_S), 75)
    host = url.removeprefix("http://")
    refused = ("service_unreachable", f"{host} cannot be reached: Connection refused.")
    assert said in refused or said.startswith(f"No connection to {host} was made in time"), said  # a busy machine


@COMMANDS
def test_a_host_that_does_not_exist_is_named(machine: Machine, words: tuple[str, ...]) -> None:
    said = error_of(ask(machine, "https://api.rpctl-test.invalid", *words, timeout_s=BRIEF_S), 75)
    assert said == "service_unreachable" or said.startswith("There is no host api.rpctl-test.invalid: "), said


@COMMANDS
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    machine: Machine, serve: Make, certificate: Certificate, words: tuple[str, ...]
) -> None:
    server = serve(answering(reply(200, 5)), tls=certificate.context)
    said = error_of(ask(machine, server.url, *words), 7)
    assert said == "tls_failed" or "is not trusted: self-signed certificate" in said
    assert server.got == []


@COMMANDS
def test_a_server_that_speaks_no_tls_gets_nothing(machine: Machine, serve: Make, words: tuple[str, ...]) -> None:
    seen: list[bytes] = []

    def plain(talk: Talk) -> None:
        seen.append(talk._connection.recv(65_536))
        talk.send(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    said = error_of(ask(machine, serve(plain).url.replace("http:", "https:"), *words), 7)
    assert said == "tls_failed" or "does not speak TLS as it should" in said
    assert b"T0ken" not in b"".join(seen)


def test_a_handshake_that_never_ends_sends_nothing(machine: Machine, serve: Make) -> None:
    server = serve(lambda talk: talk.wait())
    error_of(ask(machine, server.url.replace("http:", "https:"), *ADD, timeout_s=BRIEF_S), 75)


# -- what is no answer ------------------------------------------------------------------------------------


def _drips(talk: Talk) -> None:
    talk.request()
    talk.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000)


def _resets(talk: Talk) -> None:
    talk.request()
    talk.reset()


def _breaks_off(talk: Talk) -> None:
    talk.request()
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n[")


NO_ANSWERS: Final[Mapping[str, tuple[Behaviour, str]]] = {
    "a page": (answering(reply(200, PAGE, Content_Type="text/html")), "answer_invalid"),
    "half a JSON": (answering(reply(200, b'[{"customerId": "C1", "act')), "answer_invalid"),
    "10 MB of garbage": (answering(reply(200, b"\x8f\x00garbage" * 1_200_000)), "answer_invalid"),
    "nothing at all": (silent, "timed_out"),
    "a byte at a time": (_drips, "timed_out"),
    "closed at once": (lambda talk: None, "service_unavailable"),
    "closed after the request": (closing, "service_unavailable"),
    "reset": (_resets, "service_unavailable"),
    "broken off": (_breaks_off, "service_unavailable"),
    "no HTTP": (answering(b"220 mail.example ESMTP\r\n\r\n"), "service_unavailable"),
}
ANSWERED: Final = ("a page", "half a JSON", "10 MB of garbage")
OF_A_LIST: Final = (*ANSWERED, "nothing at all", "closed after the request", "broken off")


def patience_s(how: str) -> float:
    return PATIENT_S if how in ANSWERED else BRIEF_S


@pytest.mark.parametrize(
    ("words", "how"), [*(((*BALANCE, "-o", "json"), how) for how in NO_ANSWERS), *((SUMMARY, how) for how in OF_A_LIST)]
)
def test_a_question_without_an_answer_is_temporary(
    machine: Machine, serve: Make, words: tuple[str, ...], how: str
) -> None:
    behave, code = NO_ANSWERS[how]
    done = ask(machine, serve(behave).url, *words, timeout_s=patience_s(how))
    assert done.out == ""
    # The last of several tries may be left no time at all on a busy machine.
    assert error_of(done, 75) in (code, "timed_out" if code == "service_unavailable" else code)


@pytest.mark.parametrize("how", NO_ANSWERS)
def test_a_change_without_an_answer_is_sent_once_and_its_outcome_unknown(
    machine: Machine, serve: Make, how: str
) -> None:
    server = serve(NO_ANSWERS[how][0])
    done = ask(machine, server.url, *ADD, timeout_s=patience_s(how))
    said = error_of(done, 8)
    assert said.startswith("Whether the change with key ")
    assert f"rpctl points add --key={said.split()[5]} C1 50" in done.err.splitlines()[-1]
    assert server.count("POST") == (0 if how == "closed at once" else 1)


def test_the_same_change_again_is_not_sent_again_by_itself(machine: Machine, serve: Make) -> None:
    def mute_to_changes(got: Got) -> bytes:
        if got.method == "POST":
            return reply(502, PAGE, Content_Type="text/html")
        return reply(200, {"customerId": "C1", "activePoints": 5, "summary": ADDED})

    server = serve(answering(mute_to_changes))
    for _ in range(2):
        error_of(ask(machine, server.url, *ADD, "--key", "order-9"), 8)
    assert server.count("POST") == 1


# -- refusals ---------------------------------------------------------------------------------------------


class Tokens:
    """Gives out tokens for the secret ``right``; ``answer`` is what everything else gets."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.given = 0

    def __call__(self, got: Got) -> bytes:
        if got.target != "/oauth/token":
            return self._answer
        if b"client_secret=right" not in got.body:
            return reply(401, {"error": "invalid_client"})
        self.given += 1
        return reply(200, {"access_token": f"T0ken-{self.given}", "token_type": "Bearer", "expires_in": 14399})


def credentials(secret: str) -> dict[str, str]:
    return {"RPCTL_ACCESS_TOKEN": "", "RPCTL_CLIENT_ID": "client-1", "RPCTL_CLIENT_SECRET": secret}


@COMMANDS
def test_a_wrong_secret_sends_nothing_else(machine: Machine, serve: Make, words: tuple[str, ...]) -> None:
    server = serve(answering(Tokens(reply(200, 5))))
    done = ask(machine, server.url, *words, **credentials("wr0ng-s3cret"))
    said = error_of(done, 4)
    assert said == "credentials_wrong" or "client-1" in said
    assert "wr0ng" not in done.err
    assert [got.target for got in server.got] == ["/oauth/token"]


@COMMANDS
def test_an_expired_token_is_renewed_once(machine: Machine, serve: Make, words: tuple[str, ...]) -> None:
    server = serve(answering(Tokens(reply(401, FAULT))))
    said = error_of(ask(machine, server.url, *words, **credentials("right")), 4)
    assert said in ("token_refused", "The service does not accept the token: Invalid access token.")
    assert [got.target == "/oauth/token" for got in server.got] == [True, False, True, False]
    used = [got.headers.get("authorization") for got in server.got if got.target != "/oauth/token"]
    assert used == ["Bearer T0ken-1", "Bearer T0ken-2"]


def test_a_ready_token_that_expired_is_not_tried_again(machine: Machine, serve: Make) -> None:
    server = serve(answering(reply(401, FAULT)))
    error_of(ask(machine, server.url, *ADD), 4)
    assert len(server.got) == 1


@COMMANDS
def test_a_scope_that_was_revoked_is_named(machine: Machine, serve: Make, words: tuple[str, ...]) -> None:
    scope = "rewardspoints.rewardpoints_manage" if words == ADD else "rewardspoints.rewardpoints_view"
    body = {
        "code": 403, "status": "Forbidden", "message": "Scope validation failed",
        "details": [f"Missing required scopes '[{scope}, saasag.x]'"],
    }  # fmt: skip
    server = serve(answering(reply(403, body)))
    said = error_of(ask(machine, server.url, *words), 6)
    assert said == "missing_scope" or f"lack the scope {scope} for " in said
    assert len(server.got) == 1


@pytest.mark.parametrize(("answer", "status", "code"), [
    (reply(403, {"code": 403, "status": "Forbidden", "message": "Tenant shop is unknown"}), 6, "request_refused"),
    (reply(404, PAGE, Content_Type="text/html"), 5, "not_found"),
])  # fmt: skip
@pytest.mark.parametrize("words", [BALANCE, ADD], ids=["balance", "add"])
def test_an_unknown_tenant_is_refused(
    machine: Machine, serve: Make, words: tuple[str, ...], answer: bytes, status: int, code: str
) -> None:
    server = serve(answering(answer))
    assert error_of(ask(machine, server.url, *words, RPCTL_OUTPUT="json"), status) == code
    assert server.count("POST") == (words == ADD)


@COMMANDS
def test_a_redirect_is_not_followed(machine: Machine, serve: Make, words: tuple[str, ...]) -> None:
    other = serve(answering(reply(200, 5)))
    server = serve(answering(reply(307, Location=f"{other.url}/reward-points")))
    error_of(ask(machine, server.url, *words), 6)
    assert (len(server.got), other.connections) == (1, 0)
