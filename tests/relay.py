"""A line to a server on loopback that can be cut, with everything that is on its way, and mended on the same port.

Nothing of rpctl is imported here.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

_HOST = "127.0.0.1"
_BYTES = 65_536
_PATIENCE_S = 10


class Relay:
    """Hands on what comes to ``url`` to ``port``, in a thread of its own."""

    def __init__(self, port: int) -> None:
        self._behind = port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._port = 0
        self.mend()

    @property
    def url(self) -> str:
        """Where it listens, or did."""
        return f"http://{_HOST}:{self._port}"

    def mend(self) -> None:
        """Listens again."""
        self._do(self._listen())

    def cut(self) -> None:
        """Nobody listens any more, and all connections end where they are."""
        self._do(self._end())

    def close(self) -> None:
        """Cut for good."""
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_S)
        self._loop.close()

    def _do(self, what: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(what, self._loop).result(_PATIENCE_S)

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connected, _HOST, self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _end(self) -> None:
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._ends.add(writer)
        try:
            far_reader, far_writer = await asyncio.open_connection(_HOST, self._behind)
        except OSError:
            writer.transport.abort()
            return
        self._ends.add(far_writer)
        await asyncio.gather(self._pass_on(reader, far_writer), self._pass_on(far_reader, writer))
        self._ends -= {writer, far_writer}

    @staticmethod
    async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(_BYTES):
                writer.write(some)
                await writer.drain()
        writer.close()


@contextmanager
def relay(port: int) -> Iterator[Relay]:
    """A line to that port until the end of the context."""
    one = Relay(port)
    try:
        yield one
    finally:
        one.close()
