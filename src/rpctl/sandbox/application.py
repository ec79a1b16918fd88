"""The ASGI application: reads a request, has it answered, and does to the answer what faults and latency demand.

Everything below it is plain functions: one process, one thread, one request at a time, so that nothing needs a lock.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from email.utils import formatdate
from typing import Any, Final, NamedTuple, Protocol

from rpctl.domain.values import Instant
from rpctl.errors import RpctlError
from rpctl.sandbox.answers import Answer, Refusal
from rpctl.sandbox.faults import Fault, Faults, RateLimit
from rpctl.sandbox.request import Request
from rpctl.sandbox.router import Route, Router

MAX_BODY: Final = 10 * 1024 * 1024
MAX_URL: Final = 10 * 1024
_DRAINED: Final = 10 * MAX_BODY  # so much of a body that is too large is read, so that its sender reads the answer
_REMEMBERED: Final = 100_000

Message = Mapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Manners(Protocol):
    """How an API words what goes wrong outside its handlers."""

    def unknown_path(self, path: str) -> Answer:
        """There is nothing at that path."""
        ...

    def wrong_method(self, path: str, allowed: str) -> Answer:
        """The path has other methods."""
        ...

    def too_large(self, path: str) -> Answer:
        """The body is larger than 10 MB."""
        ...

    def too_long(self, path: str) -> Answer:
        """The URL is longer than 10 KB."""
        ...

    def too_many(self, path: str, retry_after_s: int) -> Answer:
        """More requests in a second than are allowed."""
        ...

    def failed(self, path: str) -> Answer:
        """Something inside went wrong."""
        ...


class Done(NamedTuple):
    """An answer, and what the log says beside it; ``lost``: nobody gets it."""

    answer: Answer
    mark: str = ""
    lost: bool = False
    delayed: bool = True
    told: bool = True


class Application:
    """Serves what the router knows; ``manners`` tells those of the API that a path belongs to. ``log`` gets a line a
    request, which never has a secret or a body in it; ``requests`` are those so far: method, path, status (0 where the
    answer was lost)."""

    def __init__(
        self,
        router: Router,
        manners: Callable[[str], Manners],
        clock: Callable[[], Instant],
        log: Callable[[str], None],
        faults: Faults,
        rate_limit: RateLimit | None = None,
        latency_s: float = 0,
    ) -> None:
        self.requests: deque[tuple[str, str, int]] = deque(maxlen=_REMEMBERED)
        self._router = router
        self._manners = manners
        self._clock = clock
        self._log = log
        self._faults = faults
        self._rate_limit = rate_limit
        self._latency_s = latency_s
        self._date = (0, b"")

    async def __call__(self, abort: Callable[[], None], scope: Message, receive: Receive, send: Send) -> None:
        """One request of a connection; ``abort`` closes it as it is."""
        loop = asyncio.get_running_loop()
        arrived = loop.time()
        body = await _read(receive)
        if body is None:
            return
        method: str = scope["method"]
        path: str = scope["raw_path"].decode("latin-1")
        done = self._done(method, path, scope, body)
        if self._latency_s and done.delayed:
            await asyncio.sleep(arrived + self._latency_s - loop.time())
        if done.told:  # before whoever asked can know of it
            self.requests.append((method, path, 0 if done.lost else done.answer.status))
            spent_ms = (loop.time() - arrived) * 1000
            self._log(f"{method} {path} {done.answer.status} {spent_ms:.0f} ms{done.mark}")
        if done.lost:
            abort()
            await receive()  # until the connection is gone: nothing may be answered any more
        else:
            await self._send(done.answer, send)

    def _done(self, method: str, path: str, scope: Message, body: bytes) -> Done:
        """Does what was asked for, or refuses it."""
        raw_path = scope["raw_path"]
        if len(raw_path) + len(scope["query_string"]) > MAX_URL:
            return Done(self._manners(path).too_long(path))
        try:
            found = self._router.find(raw_path)
        except UnicodeDecodeError:
            found = None
        if found is None:
            return Done(self._manners(path).unknown_path(path))
        route = found.routes.get(method)
        if route is None:
            return Done(self._manners(path).wrong_method(path, ", ".join(sorted(found.routes))))
        request = Request(method, path, found.ids, scope["query_string"], scope["headers"], body)
        if not route.is_api:
            answer, mark = self._handled(route, request)
            return Done(answer, mark, delayed=not route.is_own, told=not route.is_own)
        return self._operation(route, request)

    def _operation(self, route: Route, request: Request) -> Done:
        fault = self._faults.next()
        if self._rate_limit is not None and (wait_s := self._rate_limit.take()) is not None:
            return Done(self._manners(request.path).too_many(request.path, int(wait_s) + 1), "  fault: too many")
        if fault is Fault.FAILED:
            return Done(self._manners(request.path).failed(request.path), f"  fault: {fault.value}")
        answer, mark = self._handled(route, request)
        if fault is Fault.ANSWER_LOST or answer.lost:
            return Done(answer, f"{mark}  fault: {Fault.ANSWER_LOST.value}", lost=True)
        return Done(answer, mark)

    def _handled(self, route: Route, request: Request) -> tuple[Answer, str]:
        try:
            if len(request.body) > MAX_BODY:
                return self._manners(request.path).too_large(request.path), ""
            if route.authorize is not None:
                route.authorize(request)
            return route.handler(request), ""
        except Refusal as refusal:
            return refusal.answer, ""
        except RpctlError as error:
            return self._manners(request.path).failed(request.path), f"  error: {error.message}"
        except Exception as error:  # the edge: whatever is left is a mistake of ours, and serving goes on
            return self._manners(request.path).failed(request.path), f"  bug: {type(error).__name__}: {error}"

    async def _send(self, answer: Answer, send: Send) -> None:
        headers = [*answer.headers, (b"date", self._date_now())]
        body = answer.body
        if isinstance(body, bytes):
            headers.append((b"content-length", b"%d" % len(body)))
            await send({"type": "http.response.start", "status": answer.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await self._stream(body, send)

    async def _stream(self, pieces: Iterator[bytes], send: Send) -> None:
        """What a piece raises goes through: the connection is closed then, and half a document looks like half."""
        for piece in pieces:
            await send({"type": "http.response.body", "body": piece, "more_body": True})
            await asyncio.sleep(0)  # others' turn
        await send({"type": "http.response.body", "body": b""})

    def _date_now(self) -> bytes:
        second = self._clock() // 1000
        if second != self._date[0]:
            self._date = second, formatdate(second, usegmt=True).encode()
        return self._date[1]


async def _read(receive: Receive) -> bytes | None:
    """The body, or of one that is too large so much that this can be told; None where the sender went away."""
    parts = []
    size = 0
    more = True
    while more and size <= _DRAINED:
        message = await receive()
        if message["type"] != "http.request":
            return None
        part = message.get("body", b"")
        if size <= MAX_BODY:
            parts.append(part)
        size += len(part)
        more = message.get("more_body", False)
    return b"".join(parts)
