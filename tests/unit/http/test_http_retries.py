"""What is tried again and what is not: only a change that is known not to have been applied is sent twice."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import Any

import httpx
import pytest

from rpctl.backends.port import Unsettled
from rpctl.errors import ServiceUnavailable, ServiceUnreachable, TimedOut
from servers import Server, answering, closing, full, in_turn, refusing, reply, silent

Make = Callable[..., Any]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_what_is_safe_is_tried_again_until_it_is_answered(client: Make, serve: Make, status: int) -> None:
    server = serve(in_turn(reply(status), reply(status), reply(200, 7)))
    answer = client(server.url).http.request("GET", "/points")
    assert (answer.status, answer.body, len(server.got)) == (200, b"7", 3)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 408, 409, 301, 501, 505])
def test_an_answer_that_stays_the_same_is_not_asked_for_again(client: Make, serve: Make, status: int) -> None:
    server = serve(answering(reply(status)))
    assert client(server.url).http.request("GET", "/points").status == status
    assert len(server.got) == 1


def test_pauses_grow_up_to_a_limit_and_the_last_answer_is_returned(client: Make, serve: Make) -> None:
    server = serve(answering(reply(503)))
    made = client(server.url, whole_s=60.0)
    assert made.http.request("GET", "/points").status == 503
    assert made.pauses == [0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 8.0]
    assert len(server.got) == 8


def test_pauses_differ_between_programs(client: Make, serve: Make) -> None:
    server = serve(in_turn(reply(503), reply(503), reply(200, 1)))
    made = client(server.url)
    lots = iter([0.0, 0.5])
    made.http._waiting = made.http._waiting._replace(jitter=lambda: next(lots, 1.0))
    made.http.request("GET", "/points")
    assert made.pauses == pytest.approx([0.1, 0.3])


def test_a_change_is_sent_again_after_429(client: Make, serve: Make) -> None:
    server = serve(in_turn(reply(429, Retry_After="1"), reply(201)))
    made = client(server.url)
    assert made.http.request("POST", "/points", json={"points": 5}, safe=False).status == 201
    assert [got.body for got in server.got] == [b'{"points": 5}'] * 2
    assert made.pauses == [1.2]


def test_a_change_is_sent_again_after_a_connection_that_never_was(client: Make) -> None:
    made = client(refusing(), whole_s=60.0)
    with pytest.raises(ServiceUnreachable) as error:
        made.http.request("POST", "/points", json={}, safe=False)
    assert (made.pauses, error.value.request) == ([0.2, 0.4, 0.8], "POST /points")  # who is not there is told soon


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_a_change_is_not_sent_again_after_a_failure(client: Make, serve: Make, status: int) -> None:
    server = serve(in_turn(reply(status), reply(201)))
    assert client(server.url).http.request("POST", "/points", json={}, safe=False).status == status
    assert len(server.got) == 1


def _resetting(talk: Any) -> None:
    talk.request()
    talk.reset()


def _half(talk: Any) -> None:
    talk.request()
    talk.send(b"HTTP/1.1 201 Created\r\nContent-Length: 100\r\n\r\nhalf")


def _garbage(talk: Any) -> None:
    talk.request()
    talk.send(b"\x00\x01 no HTTP at all\r\n\r\n")


LOST = {"closed": closing, "reset": _resetting, "half a body": _half, "garbage": _garbage}


@pytest.mark.parametrize("how", LOST)
def test_a_change_whose_answer_is_lost_is_unsettled_and_sent_once(client: Make, serve: Make, how: str) -> None:
    server = serve(LOST[how])
    with pytest.raises(Unsettled, match="broke before POST /points was answered") as lost:
        client(server.url).http.request("POST", "/points", json={}, safe=False)
    assert (lost.value.answered, len(server.got)) == (False, 1)


@pytest.mark.parametrize("how", LOST)
def test_a_question_whose_answer_is_lost_is_asked_again(client: Make, serve: Make, how: str) -> None:
    server = serve(LOST[how])
    with pytest.raises(ServiceUnavailable) as error:
        client(server.url, whole_s=60.0).http.request("GET", "/points")
    assert (error.value.request, len(server.got)) == ("GET /points", 8)


def test_a_connection_that_the_server_has_closed_meanwhile_carries_no_change(client: Make, serve: Make) -> None:
    def once(talk: Any) -> None:
        talk.request()
        talk.send(reply(201))

    server = serve(once)
    made = client(server.url)
    for _ in range(3):
        assert made.http.request("POST", "/points", json={}, safe=False).status == 201
        time.sleep(0.05)
    assert (server.connections, len(server.got)) == (3, 3)


def test_a_change_without_an_answer_in_time_is_unsettled_and_sent_once(client: Make, serve: Make) -> None:
    server = serve(silent)
    with pytest.raises(Unsettled, match="did not answer POST /points in time") as lost:
        client(server.url, whole_s=0.3).http.request("POST", "/points", json={}, safe=False)
    assert (lost.value.answered, len(server.got)) == (False, 1)
    assert lost.value.answer == ("POST /points", None)
    assert 0.2 < lost.value.since_s < 2  # what is waited for afterwards is so much shorter


def test_a_question_without_an_answer_in_time_ends(client: Make, serve: Make) -> None:
    server = serve(silent)
    with pytest.raises(TimedOut) as error:
        client(server.url, whole_s=0.3).http.request("GET", "/points")
    assert (error.value.request, len(server.got)) == ("GET /points", 1)


def test_a_change_that_never_got_a_connection_in_time_was_not_sent(client: Make) -> None:
    with full() as url, pytest.raises((ServiceUnreachable, TimedOut)) as error:
        client(url, whole_s=0.5).http.request("POST", "/points", json={}, safe=False)
    assert error.value.request == "POST /points"


def test_a_change_that_never_got_past_the_handshake_was_not_sent(client: Make, serve: Make) -> None:
    server: Server = serve(lambda talk: talk.wait())
    for _ in range(3):  # the watch over the whole and the handshake's own time-out run out together
        with pytest.raises((ServiceUnreachable, TimedOut)):
            client(server.url.replace("http:", "https:"), whole_s=0.2).http.request("POST", "/x", json={}, safe=False)
    assert server.got == []


def test_a_handshake_that_was_cut_short_is_no_fault_of_the_other_sides_tls() -> None:
    from rpctl.backends.unanswered import Lost, told_of

    cut = httpx.ConnectError("cut")
    cut.__cause__ = ssl.SSLEOFError(8, "EOF occurred in violation of protocol")
    error = told_of(Lost(cut, None, 0.5, is_late=True, is_own=True), "POST /points", "https://api.test", safe=False)
    assert isinstance(error, TimedOut)
    assert error.message == "No connection to api.test was made in time; POST /points was not sent."


@pytest.mark.parametrize("status", [429, 500, 503])
def test_what_is_to_be_sent_once_only_is_not_even_sent_again_after_429(client: Make, serve: Make, status: int) -> None:
    server = serve(in_turn(reply(status, Retry_After="0"), reply(201)))
    made = client(server.url)
    assert made.http.request("POST", "/points", safe=False, once_only=True).status == status
    assert (made.pauses, len(server.got)) == ([], 1)


@pytest.mark.parametrize(("asked", "paused"), [("0", 0.2), ("3", 3.2), (" 2 ", 2.2)])
def test_retry_after_is_obeyed(client: Make, serve: Make, asked: str, paused: float) -> None:
    server = serve(in_turn(reply(503, Retry_After=asked), reply(200, 1)))
    made = client(server.url)
    made.http.request("GET", "/points")
    assert made.pauses == pytest.approx([paused])


@pytest.mark.parametrize("asked", ["6", "3600", "99999999999999999999"])
def test_retry_after_beyond_the_whole_time_is_not_waited_for(client: Make, serve: Make, asked: str) -> None:
    server = serve(answering(reply(429, Retry_After=asked)))
    made = client(server.url, whole_s=5.0)
    assert made.http.request("GET", "/points").status == 429
    assert (made.pauses, len(server.got)) == ([], 1)


@pytest.mark.parametrize("ahead_s", [3, 40])
def test_a_retry_after_that_is_a_date_is_obeyed(client: Make, serve: Make, ahead_s: int) -> None:
    server = serve(in_turn(reply(503, Retry_After=formatdate(time.time() + ahead_s, usegmt=True)), reply(200, 1)))
    made = client(server.url, whole_s=60.0)
    assert made.http.request("GET", "/points").status == 200
    assert made.pauses == [pytest.approx(ahead_s + 0.2, abs=1.5)]  # a date has no parts of a second


def test_a_date_that_is_past_is_waited_for_no_longer(client: Make, serve: Make) -> None:
    server = serve(in_turn(reply(429, Retry_After="Wed, 21 Oct 2015 07:28:00 GMT"), reply(201)))
    made = client(server.url)
    assert made.http.request("POST", "/points", safe=False).status == 201
    assert made.pauses == [0.2]


def test_a_date_beyond_the_whole_time_is_not_waited_for(client: Make, serve: Make) -> None:
    server = serve(answering(reply(503, Retry_After="Wed, 21 Oct 2099 07:28:00 GMT")))
    made = client(server.url)
    assert made.http.request("GET", "/points").status == 503
    assert (made.pauses, len(server.got)) == ([], 1)


NO_TIMES = ["soon", "-1", "1.5", "²", "Wed, 41 Oct 2099 07:28:00 GMT", "1 Oct 99999999999 07:28:00 GMT", ""]


@pytest.mark.parametrize("asked", NO_TIMES)
def test_a_retry_after_that_is_neither_seconds_nor_a_date_changes_nothing(
    client: Make, serve: Make, asked: str
) -> None:
    answer = reply(503).replace(b"\r\n", b"\r\nRetry-After: " + asked.encode() + b"\r\n", 1)
    made = client(serve(in_turn(answer, reply(200, 1))).url)
    made.http.request("GET", "/points")
    assert made.pauses == pytest.approx([0.2])


def test_trying_again_ends_with_the_whole_time(client: Make, serve: Make) -> None:
    server = serve(answering(reply(503)))
    made = client(server.url, whole_s=0.5)
    made.http._waiting = made.http._waiting._replace(jitter=lambda: 0.0)
    started_s = time.monotonic()
    made.http._waiting = made.http._waiting._replace(sleep=time.sleep)
    assert made.http.request("GET", "/points").status == 503
    assert time.monotonic() - started_s < 4
    assert 2 <= len(server.got) <= 4  # at 0, 0.1, 0.3 s, and whatever a busy machine makes of it


# -- whoever slows down all of its requests ----------------------------------------------------------------


@pytest.mark.parametrize(("asked", "retry_after_s"), [("7", 7.0), (None, None), ("soon", None)])
def test_who_is_not_patient_is_told_of_429_at_once(
    client: Make, serve: Make, asked: str | None, retry_after_s: float | None
) -> None:
    server = serve(answering(reply(429, **({"Retry_After": asked} if asked else {}))))
    made = client(server.url)
    answer = made.http.request("POST", "/points", safe=False, patient=False)
    assert (answer.status, answer.retry_after_s) == (429, retry_after_s)
    assert (made.pauses, len(server.got)) == ([], 1)


def test_what_429_asks_for_may_be_a_date(client: Make, serve: Make) -> None:
    server = serve(answering(reply(429, Retry_After=formatdate(time.time() + 40, usegmt=True))))
    answer = client(server.url).http.request("POST", "/points", safe=False, patient=False)
    assert answer.retry_after_s == pytest.approx(40, abs=2)


def test_who_is_not_patient_tries_to_connect_as_often_as_anybody(client: Make) -> None:
    made = client(refusing(), whole_s=60.0)
    with pytest.raises(ServiceUnreachable):
        made.http.request("POST", "/points", safe=False, patient=False)
    assert made.pauses == [0.2, 0.4, 0.8]


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_who_is_not_patient_does_not_send_a_change_again_after_a_failure_either(
    client: Make, serve: Make, status: int
) -> None:
    server = serve(in_turn(reply(status), reply(201)))
    assert client(server.url).http.request("POST", "/points", safe=False, patient=False).status == status
    assert len(server.got) == 1
