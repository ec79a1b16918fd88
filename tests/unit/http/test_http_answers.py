"""What an answer may look like, and what is none: the same for both ways that requests go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from rpctl.backends.port import Unsettled
from rpctl.backends.watch import Watch
from rpctl.errors import TimedOut
from servers import Talk, reply, silent

Make = Callable[..., Any]

WHOLE = {
    "with its length": b"HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nbody",
    "without a reason": b"HTTP/1.1 201 \r\ncontent-length:4\r\n\r\nbody",
    "in pieces": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n3;x=y\r\nody\r\n0\r\n\r\n",
    "with trailers": b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\nX: y\r\nZ:\r\n\r\n",
    "after another": b"HTTP/1.1 103 Early\r\nX: y\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nbody",
    "up to the end": b"HTTP/1.1 201 Created\r\n\r\nbody",
    "of old": b"HTTP/1.0 201 Created\r\nContent-Length: 4\r\n\r\nbody",
    "and the end": b"HTTP/1.1 201 Created\r\nConnection: Close\r\nContent-Length: 4\r\n\r\nbody",
}


@pytest.mark.parametrize("every_s", [None, 0.0])
@pytest.mark.parametrize("how", WHOLE)
def test_an_answer_may_come_in_many_ways(client: Make, serve: Make, how: str, every_s: float | None) -> None:
    def behave(talk: Talk) -> None:
        while talk.request():
            talk.send(WHOLE[how]) if every_s is None else talk.drip(WHOLE[how], every_s)
            if how in ("up to the end", "of old", "and the end"):
                return

    made = client(serve(behave).url)
    for _ in range(2):
        answer = made.http.request("POST", "/points", safe=False)
        assert (answer.status, answer.body) == (201, b"body")


@pytest.mark.parametrize("status", [204, 304])
def test_some_answers_have_no_body(client: Make, serve: Make, status: int) -> None:
    def behave(talk: Talk) -> None:
        while talk.request():
            talk.send(b"HTTP/1.1 %d Whatever\r\n\r\n" % status)

    server = serve(behave)
    made = client(server.url)
    assert [made.http.request("POST", "/points", safe=False).status for _ in range(2)] == [status] * 2
    assert server.connections == 1


HEAD = b"HTTP/1.1 201 Created\r\n"
NONE = {
    "another version": b"HTTP/2 201 Created\r\nContent-Length: 0\r\n\r\n",
    "no status": b"HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n",
    "a header without a name": HEAD + b": x\r\nContent-Length: 0\r\n\r\n",
    "no header": HEAD + b"whatever\r\nContent-Length: 0\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nbody!",
    "a length below zero": HEAD + b"Content-Length: -4\r\n\r\nbody",
    "a piece without a length": HEAD + b"Transfer-Encoding: chunked\r\n\r\nbody\r\n0\r\n\r\n",
    "a piece that is longer": HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\nbody\r\n0\r\n\r\n",
    "pieces without an end": HEAD + b"Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n",
    "a coding that nobody knows": HEAD + b"Transfer-Encoding: rot13\r\n\r\nobql",
    "a head without an end": HEAD + b"X: y\r\n" * 50_000,
    "something else from now on": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
}


@pytest.mark.parametrize("how", NONE)
def test_what_is_no_answer_settles_nothing_and_nothing_is_sent_again(client: Make, serve: Make, how: str) -> None:
    def behave(talk: Talk) -> None:
        talk.request()
        talk.send(NONE[how])

    server = serve(behave)
    with pytest.raises(Unsettled) as lost:
        client(server.url).http.request("POST", "/points", safe=False)
    assert (lost.value.answered, lost.value.answer, len(server.got)) == (False, ("POST /points", None), 1)


@pytest.mark.parametrize("client", ["directly"], indirect=True)  # httpx believes it
def test_what_nobody_asked_for_answers_nothing_later(client: Make, serve: Make) -> None:
    def behave(talk: Talk) -> None:
        talk.request()
        talk.send(reply(201) + reply(400))
        if talk.request():
            talk.send(reply(201))

    server = serve(behave)
    made = client(server.url)
    for _ in range(2):
        assert made.http.request("POST", "/points", safe=False).status == 201
    assert server.connections == 2


@pytest.mark.parametrize("client", ["directly"], indirect=True)  # httpx lets the pieces win
def test_an_answer_with_two_lengths_is_none(client: Make, serve: Make) -> None:
    both = HEAD + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    server = serve(lambda talk: talk.request() and talk.send(both))
    with pytest.raises(Unsettled):
        client(server.url).http.request("POST", "/points", safe=False)
    assert len(server.got) == 1


def test_an_answer_that_comes_before_the_request_is_whole_is_one_or_none(client: Make, serve: Make) -> None:
    def behave(talk: Talk) -> None:
        talk._more()  # its beginning
        talk.send(reply(413))
        talk.reset()

    server = serve(behave)
    try:
        answer = client(server.url).http.request("POST", "/points", content=b"x" * 20_000_000, safe=False)
    except Unsettled:  # it was lost with the connection
        pass
    else:
        assert answer.status == 413
    assert server.connections == 1


# -- the watch --------------------------------------------------------------------------------------------


def test_the_watch_calls_in_time_and_not_what_is_done() -> None:
    watch, called = Watch(), []
    later = watch.begin(60.0, lambda: called.append("later"))
    time.sleep(0.02)  # by now its thread waits
    done = watch.begin(0.05, lambda: called.append("done"))
    started_s = time.monotonic()
    watch.begin(0.3, lambda: called.append(time.monotonic() - started_s))
    watch.begin(0.1, lambda: called.append(time.monotonic() - started_s))
    watch.end(done)
    time.sleep(0.6)
    watch.end(later)
    watch.rest()
    assert called == [pytest.approx(0.1, abs=0.1), pytest.approx(0.3, abs=0.1)]


def _has_watches(expected: int, within_s: float = 5.0) -> None:
    """Soon there are so many threads of watches: those of other tests take a moment to end."""
    deadline_s = time.monotonic() + within_s
    while found := sum(one.name == "watch" for one in threading.enumerate()) - expected:
        assert time.monotonic() < deadline_s, found
        time.sleep(0.005)


def test_the_watch_leaves_no_thread_when_it_rests() -> None:
    _has_watches(0)
    watch = Watch()
    done = watch.begin(60.0, lambda: None)
    try:
        watch.rest()
        time.sleep(0.1)
        _has_watches(1)  # something is watched
    finally:
        watch.end(done)
        watch.rest()
    _has_watches(0, within_s=0.3)  # and not when it looks again


def test_the_watch_begins_anew_after_it_has_ended() -> None:
    watch, called = Watch(), []
    for number in range(2):
        watch.begin(0.01, lambda number=number: called.append(number))
        time.sleep(0.7)
    assert called == [0, 1]


def test_a_watch_over_one_client_cuts_no_other(client: Make, serve: Make) -> None:
    mute, fine = client(serve(silent).url, whole_s=0.2), client(serve(lambda talk: talk.wait()).url, whole_s=1.0)
    for made, whole_s in ((mute, 0.2), (fine, 1.0)):
        started_s = time.monotonic()
        with pytest.raises(TimedOut):
            made.http.request("GET", "/points")
        assert time.monotonic() - started_s >= whole_s - 0.05
