"""Listens on loopback and hands what arrives to the application, until it is told to end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from rpctl.sandbox.application import Application

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol
else:
    try:
        from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol as Protocol
    except ImportError:  # the faster one is not installed
        from uvicorn.protocols.http.h11_impl import H11Protocol as Protocol

HOST: Final = "127.0.0.1"
_BACKLOG: Final = 1024
_HEADERS_LIMIT: Final = 64 * 1024
_IDLE_S: Final = 75
_LAST_S: Final = 1
_SILENT: Final[dict[str, Any]] = {
    "version": 1,
    "disable_existing_loggers": False,
    "loggers": {name: {"level": "CRITICAL", "propagate": False} for name in ("uvicorn", "uvicorn.error")},
}


class _Connection(Protocol):
    """Tells the application how to close the connection as it is."""

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self.app = partial(self.app, transport.abort)


class _Server(uvicorn.Server):
    """Leaves signals to whoever runs it, and ends without waiting for the next look at the clock."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._end = asyncio.Event()

    def end(self) -> None:
        """No more requests; those under way have a second."""
        self.should_exit = True
        self._end.set()

    async def main_loop(self) -> None:
        await self._end.wait()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(port: int) -> socket.socket:
    """A socket that listens on loopback; port 0 is any free one. Raises OSError."""
    # The protocol is named: only where it is does asyncio send the pieces of an answer without waiting for the other
    # side's word on the one before, which takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
    except BaseException:
        listener.close()
        raise
    return listener


def serve(application: Application, listener: socket.socket, announce: Callable[[Callable[[], None]], None]) -> None:
    """Serves until SIGTERM or SIGINT comes, or what ``announce`` was given is called; ``announce`` is called as soon
    as an end by signal would be an orderly one. In a thread that is not the main one no signal is heard."""
    asyncio.run(_serve(application, listener, announce))


async def _serve(
    application: Application, listener: socket.socket, announce: Callable[[Callable[[], None]], None]
) -> None:
    config = uvicorn.Config(
        application,
        http=_Connection,
        ws="none",
        lifespan="off",
        interface="asgi3",
        log_config=_SILENT,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_IDLE_S,
        timeout_graceful_shutdown=_LAST_S,
        h11_max_incomplete_event_size=_HEADERS_LIMIT,
        backlog=_BACKLOG,
    )
    server = _Server(config)
    loop = asyncio.get_running_loop()

    for number in (signal.SIGTERM, signal.SIGINT):
        # A shell ignores SIGINT for what it runs in the background, and so do we then.
        if signal.getsignal(number) is not signal.SIG_IGN:
            try:
                loop.add_signal_handler(number, server.end)
            except (RuntimeError, ValueError):
                break  # not the main thread
    announce(partial(_call, loop, server.end))
    await server.serve(sockets=[listener])


def _call(loop: asyncio.AbstractEventLoop, end: Callable[[], None]) -> None:
    loop.call_soon_threadsafe(end)
