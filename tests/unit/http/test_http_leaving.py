"""When a request leaves: who is told, since when it is under way, and what its token on the way does to it."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import respx

from rpctl.auth.credentials import Account, Credentials, Folders
from rpctl.backends.port import Unsettled
from rpctl.errors import (
    AnswerInvalid,
    CredentialsWrong,
    JournalUnusable,
    RateLimited,
    ServiceUnavailable,
    ServiceUnreachable,
)
from servers import Got, Talk, answering, in_turn, refusing, reply, silent

Make = Callable[..., Any]

TOKEN = "/oauth/token"
MIB = 1024 * 1024


def _auth(url: str) -> httpx.Auth:
    environ = {"RPCTL_KEYRING": "off", "RPCTL_CLIENT_SECRET": "s3cret"}
    return Credentials(Account(url, "shop", "kLm3"), environ, Folders(None, None), lambda: 0).service(["view"])


class Service:
    """Gives ``tokens`` in turn to who asks for one and ``answers`` to everything else; the last of each stays."""

    def __init__(self, tokens: list[bytes], answers: list[bytes]) -> None:
        self._left = {True: tokens, False: answers}

    def __call__(self, got: Got) -> bytes:
        left = self._left[got.target == TOKEN]
        return left.pop(0) if len(left) > 1 else left[0]


def _tokens(*numbers: int) -> list[bytes]:
    return [reply(200, {"access_token": f"T0ken-{number}", "expires_in": 14399}) for number in numbers]


# -- who is told ------------------------------------------------------------------------------------------


def test_whoever_wants_to_know_is_told_before_each_sending(client: Make, serve: Make) -> None:
    server = serve(in_turn(reply(429), reply(429), reply(201)))
    there: list[int] = []
    client(server.url).http.request("POST", "/points", safe=False, leaving=lambda: there.append(len(server.got)))
    assert there == [0, 1, 2]


def test_a_request_for_a_token_is_not_the_one_that_leaves(client: Make, serve: Make) -> None:
    server = serve(answering(Service(_tokens(1, 2), [reply(401), reply(201)])))
    there: list[list[str]] = []

    def leaving() -> None:
        there.append([got.target for got in server.got])

    client(server.url).http.request("POST", "/points", auth=_auth(server.url), safe=False, leaving=leaving)
    assert there == [[TOKEN], [TOKEN, "/points", TOKEN]]


def test_where_there_is_no_token_nothing_leaves(client: Make, serve: Make) -> None:
    server = serve(answering(Service([reply(401, {"error": "invalid_client"})], [reply(201)])))
    told: list[None] = []
    with pytest.raises(CredentialsWrong):
        client(server.url).http.request(
            "POST", "/points", auth=_auth(server.url), safe=False, leaving=lambda: told.append(None)
        )
    assert ([got.target for got in server.got], told) == ([TOKEN], [])


def test_what_the_one_who_is_told_raises_ends_it_before_anything_is_sent(client: Make, serve: Make) -> None:
    server = serve(answering(reply(201)))
    made = client(server.url)

    def leaving() -> None:
        raise JournalUnusable("The journal cannot be written.")

    with pytest.raises(JournalUnusable):
        made.http.request("POST", "/points", safe=False, leaving=leaving)
    assert (server.got, made.pauses) == ([], [])
    assert made.http.request("POST", "/points", safe=False).status == 201  # the client is as good as new


def _slow_tunnel_to(port: int, delay_s: float) -> Callable[[Talk], None]:
    def behave(talk: Talk) -> None:
        if talk.request():
            time.sleep(delay_s)
            talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            talk.tunnel(port)

    return behave


def test_a_connection_that_takes_long_makes_it_leave_later(
    client: Make, serve: Make, certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    monkeypatch.setattr("rpctl.backends.departure._SOON_S", 0.3)
    server = serve(silent, tls=certificate.context)
    monkeypatch.setenv("https_proxy", serve(_slow_tunnel_to(server.port, 0.5)).url)
    left_s: list[float] = []
    started_s = time.monotonic()
    with pytest.raises(Unsettled) as lost:
        client("https://api.test", whole_s=1.1).http.request(
            "POST", "/points", safe=False, leaving=lambda: left_s.append(time.monotonic() - started_s)
        )
    assert len(left_s) == 2
    assert left_s[1] > 0.45
    assert lost.value.since_s < 1.1 - 0.4


def test_a_handshake_that_takes_long_makes_it_leave_later(
    client: Make, serve: Make, certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.backends.departure._SOON_S", 0.3)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    server = serve(silent, tls=certificate.context)

    def slow(talk: Talk) -> None:
        time.sleep(0.5)
        talk.tunnel(server.port)

    url = serve(slow).url.replace("http:", "https:")
    there: list[int] = []
    with pytest.raises(Unsettled) as lost:
        client(url, whole_s=1.1).http.request(
            "POST", "/points", safe=False, leaving=lambda: there.append(len(server.got))
        )
    assert there == [0, 0]
    assert lost.value.since_s < 1.1 - 0.4


def test_a_slow_token_is_no_time_that_the_change_is_under_way(client: Make, serve: Make) -> None:
    def behave(talk: Talk) -> None:
        while got := talk.request():
            if got.target == TOKEN:
                time.sleep(0.5)
                talk.send(_tokens(1)[0])

    server = serve(behave)
    with pytest.raises(Unsettled) as lost:
        client(server.url, whole_s=1.0).http.request("POST", "/points", auth=_auth(server.url), safe=False)
    assert [got.target for got in server.got] == [TOKEN, "/points"]
    assert lost.value.since_s < 0.95  # it is cut after a second, of which the token took a half
    assert lost.value.answer == ("POST /points", None)


# -- tokens on the way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("safe", [True, False])
def test_a_service_that_gives_no_token_yet_is_asked_again(client: Make, serve: Make, safe: bool) -> None:
    tokens = [reply(503), reply(429), reply(500), *_tokens(1)]
    server = serve(answering(Service(tokens, [reply(201)])))
    made = client(server.url)
    assert made.http.request("POST", "/points", auth=_auth(server.url), safe=safe).status == 201
    assert [got.target for got in server.got] == [TOKEN] * 4 + ["/points"]
    assert made.pauses == [0.2, 0.4, 0.8]


@pytest.mark.parametrize(("status", "error"), [(503, ServiceUnavailable), (429, RateLimited)])
def test_a_service_that_never_gives_a_token_is_asked_for_as_long_as_the_whole_may_take(
    client: Make, serve: Make, status: int, error: type[Exception]
) -> None:
    server = serve(answering(Service([reply(status)], [reply(201)])))
    made = client(server.url, whole_s=60.0)
    with pytest.raises(error):
        made.http.request("POST", "/points", auth=_auth(server.url), safe=False)
    assert [got.target for got in server.got] == [TOKEN] * 8
    brief = client(server.url, whole_s=0.1)
    with pytest.raises(error):
        brief.http.request("POST", "/points", auth=_auth(server.url), safe=False)
    assert (brief.pauses, len(server.got)) == ([], 9)


def test_a_token_that_cannot_be_renewed_yet_is_asked_for_again_and_the_change_not_lost(
    client: Make, serve: Make
) -> None:
    tokens = [*_tokens(1), reply(503), *_tokens(2)]
    server = serve(answering(Service(tokens, [reply(401), reply(401), reply(201)])))
    made = client(server.url)
    assert made.http.request("POST", "/points", auth=_auth(server.url), safe=False).status == 201


def test_where_nobody_gives_tokens_it_is_told_as_soon_as_for_any_request(client: Make) -> None:
    url = refusing()
    made = client(url, whole_s=60.0)
    with pytest.raises(ServiceUnreachable):
        made.http.request("POST", "/points", auth=_auth(url), safe=False)
    assert made.pauses == [0.2, 0.4, 0.8]


def test_requests_for_tokens_stand_in_the_trace_without_a_secret(client: Make, serve: Make) -> None:
    tokens = [reply(503), *_tokens(1, 2)]
    server = serve(answering(Service(tokens, [reply(401), reply(200, 7)])))
    made = client(server.url)
    made.http.request("GET", "/points", auth=_auth(server.url))
    lines = [line.partition(" (")[0] for line in made.trace]
    asked, points = [f"> POST {server.url}{TOKEN}", f"< 200 POST {TOKEN}"], f"> GET {server.url}/points"
    assert lines == [
        asked[0], f"< 503 POST {TOKEN}", "* trying again in 0.2 s",
        *asked, points, "< 401 GET /points", *asked, points, "< 200 GET /points",
    ]  # fmt: skip
    assert all(line.endswith(" ms)") for line in made.trace if line.startswith("<"))
    assert not any(secret in line for line in made.trace for secret in ("T0ken", "s3cret", "kLm3", "Bearer"))


def test_a_request_for_a_token_may_take_as_long_as_any(client: Make) -> None:
    url = "http://127.0.0.1:9"
    with respx.mock(base_url=url) as router:
        token = router.post(TOKEN).respond(json={"access_token": "T0ken", "expires_in": 14399})
        points = router.get("/points").respond(200)
        client(url, whole_s=7.0).http.request("GET", "/points", auth=_auth(url))
    assert token.calls.last.request.extensions["timeout"] == points.calls.last.request.extensions["timeout"]


# -- what answers to nothing may be -----------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 401, 503])
def test_an_answer_to_a_request_for_a_token_has_a_size(client: Make, serve: Make, status: int) -> None:
    endless = reply(status, b" " * MIB + b'{"access_token": "T0ken", "expires_in": 14399}')
    server = serve(answering(Service([endless], [reply(200, 7)])))
    with pytest.raises(AnswerInvalid, match="too long") as error:
        client(server.url).http.request("POST", "/points", auth=_auth(server.url), safe=False)
    assert error.value.request == f"POST {TOKEN}"
    assert [got.target for got in server.got] == [TOKEN]


def test_a_long_token_answer_within_that_is_read(client: Make, serve: Make) -> None:
    long = reply(200, b" " * (MIB - 100) + b'{"access_token": "T0ken", "expires_in": 14399}')
    server = serve(answering(Service([long], [reply(200, 7)])))
    assert client(server.url).http.request("GET", "/points", auth=_auth(server.url)).body == b"7"


def test_a_packed_token_is_unpacked(client: Make, serve: Make) -> None:
    packed = gzip.compress(b'{"access_token": "T0ken", "expires_in": 14399}')
    server = serve(answering(Service([reply(200, packed, Content_Encoding="gzip")], [reply(200, 7)])))
    assert client(server.url).http.request("GET", "/points", auth=_auth(server.url)).body == b"7"


def test_a_packed_answer_to_a_request_for_a_token_has_a_smaller_size(client: Make, serve: Make) -> None:
    packed = gzip.compress(b" " * 64 * MIB)
    assert MIB / 32 < len(packed) < MIB
    server = serve(answering(Service([reply(200, packed, Content_Encoding="gzip")], [reply(200, 7)])))
    with pytest.raises(AnswerInvalid, match="too long"):
        client(server.url).http.request("GET", "/points", auth=_auth(server.url))


@pytest.mark.parametrize("path", ["request", "stream"])
def test_a_refusal_of_the_token_has_a_size(client: Make, serve: Make, path: str) -> None:
    server = serve(answering(Service(_tokens(1, 2), [reply(401, b"x" * (MIB + 1))])))
    made, auth = client(server.url).http, _auth(server.url)
    with pytest.raises(AnswerInvalid):
        if path == "request":
            made.request("GET", "/points", auth=auth)
        else:
            with made.stream("/points", auth=auth):
                pass
    assert [got.target for got in server.got] == [TOKEN, "/points"]


def test_every_other_answer_may_be_longer(client: Make, serve: Make) -> None:
    server = serve(answering(Service(_tokens(1), [reply(200, b"x" * (2 * MIB)), reply(403, b"x" * (2 * MIB))])))
    made, auth = client(server.url).http, _auth(server.url)
    assert [len(made.request("GET", "/points", auth=auth).body) for _ in range(2)] == [2 * MIB] * 2
