"""A request ends within its time, whatever comes; an answer has a size; a long list may take long."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import respx

from rpctl.backends.http import MAX_ANSWER_BYTES
from rpctl.backends.port import Unsettled
from rpctl.errors import AnswerInvalid, ServiceUnavailable, TimedOut
from servers import Got, answering, reply

Make = Callable[..., Any]

HEAD = b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000
BODY = b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"


def _drips_headers(talk: Any) -> None:
    talk.request()
    talk.drip(HEAD)


def _drips_body(talk: Any) -> None:
    talk.request()
    talk.send(BODY)
    talk.drip(b"1" * 10_000)


def _drips_error(talk: Any) -> None:
    talk.request()
    talk.send(BODY.replace(b"200 OK", b"400 Bad"))
    talk.drip(b"1" * 10_000)


DRIPS = {"headers": _drips_headers, "body": _drips_body}


@pytest.mark.parametrize("where", DRIPS)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_what_drips_is_ended_with_the_whole_time(client: Make, serve: Make, where: str, method: str) -> None:
    server = serve(DRIPS[where])
    started_s = time.monotonic()
    with pytest.raises(TimedOut if method == "GET" else Unsettled, match="in time"):
        client(server.url, whole_s=0.4).http.request(method, "/points", safe=method == "GET")
    assert 0.3 < time.monotonic() - started_s < 4
    assert len(server.got) == 1


def test_over_tls_too(client: Make, serve: Make, certificate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    server = serve(_drips_body, tls=certificate.context)
    started_s = time.monotonic()
    with pytest.raises(TimedOut):
        client(server.url, whole_s=0.5).http.request("GET", "/points")
    assert time.monotonic() - started_s < 4


@pytest.mark.parametrize("client", ["by httpx"], indirect=True)  # which says what it would do
@pytest.mark.parametrize(("whole_s", "connect_s"), [(600.0, 10.0), (2.0, 2.0)])
def test_an_answer_may_take_all_the_time_that_was_allowed_and_a_connection_less(
    client: Make, whole_s: float, connect_s: float
) -> None:
    with respx.mock:
        route = respx.get("http://127.0.0.1:9/points").respond(200)
        client("http://127.0.0.1:9", whole_s=whole_s).http.request("GET", "/points")
    allowed = route.calls.last.request.extensions["timeout"]
    assert (allowed["read"], allowed["write"]) == pytest.approx((whole_s, whole_s), abs=0.5)
    assert allowed["connect"] == pytest.approx(connect_s, abs=0.5)


def test_an_error_of_a_list_that_drips_is_ended_too(client: Make, serve: Make) -> None:
    server = serve(_drips_error)
    with pytest.raises(TimedOut), client(server.url, whole_s=0.4).http.stream("/points"):
        pass


def test_an_error_of_a_list_that_breaks_off_is_told(client: Make, serve: Make) -> None:
    def behave(talk: Any) -> None:
        talk.request()
        talk.send(BODY.replace(b"200 OK", b"500 No") + b"half")

    server = serve(behave)
    with pytest.raises(ServiceUnavailable) as error, client(server.url).http.stream("/points"):
        pass
    assert error.value.request == "GET /points"


def test_a_list_may_take_longer_than_the_whole_as_long_as_it_comes(client: Make, serve: Make) -> None:
    def behave(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n")
        talk.drip(b"1" * 30, every_s=0.03)

    with client(serve(behave).url, whole_s=0.5).http.stream("/points") as (answer, readable):
        assert (answer.status, answer.body) == (200, b"")
        assert b"".join(iter(lambda: readable.read(4), b"")) == b"1" * 30


def test_a_list_that_stops_coming_ends(client: Make, serve: Make) -> None:
    def behave(talk: Any) -> None:
        talk.request()
        talk.send(BODY + b"[")
        talk.wait()

    with (
        client(serve(behave).url, whole_s=0.3).http.stream("/points") as (_, readable),
        pytest.raises(ServiceUnavailable, match="middle of GET /points"),
    ):
        while readable.read(10):
            pass


def test_a_list_that_breaks_in_the_middle_says_so(client: Make, serve: Make) -> None:
    def behave(talk: Any) -> None:
        talk.request()
        talk.send(BODY + b"[1,")

    with client(serve(behave).url).http.stream("/points") as (_, readable):
        assert readable.read(3) == b"[1,"
        with pytest.raises(ServiceUnavailable, match="middle of GET /points"):
            readable.read(3)


def test_a_list_is_asked_for_again_only_before_it_begins(client: Make, serve: Make) -> None:
    answers = iter([reply(503), reply(429, Retry_After="0"), reply(200, [1])])
    server = serve(answering(lambda got: next(answers)))
    with client(server.url).http.stream("/points") as (answer, readable):
        assert (answer.status, readable.read()) == (200, b"[1]")
    assert len(server.got) == 3


# -- size -------------------------------------------------------------------------------------------------


def _chunked(piece: bytes, times: int) -> Callable[[Any], None]:
    def behave(talk: Any) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(times):
            talk.send(b"%x\r\n%b\r\n" % (len(piece), piece))

    return behave


def test_an_answer_that_never_ends_is_given_up(client: Make, serve: Make) -> None:
    server = serve(_chunked(b"x" * 100_000, 100_000))
    with pytest.raises(AnswerInvalid, match="longer than 1 MiB") as error:
        client(server.url).http.request("GET", "/points", limit=1024 * 1024)
    assert (error.value.request, error.value.http_status) == ("GET /points", 200)


def test_an_answer_to_a_change_that_never_ends_settles_nothing(client: Make, serve: Make) -> None:
    server = serve(_chunked(b"x" * 100_000, 100_000))
    with pytest.raises(Unsettled) as lost:
        client(server.url).http.request("POST", "/points", limit=1024 * 1024, safe=False)
    assert (lost.value.answered, len(server.got)) == (False, 1)


def _packed(got: Got) -> bytes:
    return reply(200, gzip.compress(b"2000"), Content_Encoding="gzip")


def test_a_packed_answer_is_unpacked(client: Make, serve: Make) -> None:
    assert client(serve(answering(_packed)).url).http.request("GET", "/points").body == b"2000"


@cache
def _bomb(layers: int) -> bytes:
    """An answer of 256 MiB, packed once for all tests: that takes longer than they do."""
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(1 << 20)) for _ in range(256)) + packer.flush()
    for _ in range(layers - 1):
        bomb = gzip.compress(bomb)
    return reply(200, bomb, Content_Encoding=", ".join(["gzip"] * layers))


@pytest.mark.parametrize("layers", [1, 2])
def test_a_packed_answer_of_enormous_size_is_given_up_early(client: Make, serve: Make, layers: int) -> None:
    import resource

    server = serve(answering(_bomb(layers)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(AnswerInvalid):
        client(server.url).http.request("GET", "/points")
    grown_mib = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mib < 4 * MAX_ANSWER_BYTES / 1024 / 1024, grown_mib


@pytest.mark.parametrize("safe", [True, False])
def test_what_cannot_be_unpacked_is_no_answer(client: Make, serve: Make, safe: bool) -> None:
    server = serve(answering(reply(200, b"not packed", Content_Encoding="gzip")))
    with pytest.raises(AnswerInvalid if safe else Unsettled, match="unpacked"):
        client(server.url).http.request("GET", "/points", safe=safe)


def test_a_list_that_cannot_be_unpacked_is_no_answer(client: Make, serve: Make) -> None:
    server = serve(answering(reply(200, b"not packed", Content_Encoding="gzip")))
    with client(server.url).http.stream("/points") as (_, readable), pytest.raises(AnswerInvalid, match="unpacked"):
        readable.read()
