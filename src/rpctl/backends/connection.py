"""One connection to a service, for changes that are sent by the thousand: HTTP/1.1 by hand, in a fifth of the time.

It follows nothing, goes through no proxy and unpacks nothing. An answer that it does not understand to the last byte is
none at all: what is not proven is never guessed.
"""

from __future__ import annotations

import re
import select
import socket
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Final, NamedTuple

_SOME: Final = 65_536
_LONGEST_HEAD: Final = 100 * 1024
_IDLE_S: Final = 5.0
_STATUS: Final = re.compile(r"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n\0]*)?")
_FIELD: Final = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\r\n\0]*?)[ \t]*")
_LENGTH: Final = re.compile("[0-9]{1,15}")
_CHUNK: Final = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[^\r\n\0]*)?")


class NoAnswer(Exception):
    """What came is no answer, or not a whole one; the message says why."""


class TooLong(Exception):
    """The answer's body is longer than was allowed; ``status`` is what it begins with."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class Fields(Mapping[str, str]):
    """An answer's headers by their names, in whatever case; of one that comes twice, both with a comma between."""

    def __init__(self, lines: list[str]) -> None:
        self._values: dict[str, str] = {}
        for line in lines:
            field = _FIELD.fullmatch(line)
            if field is None:
                raise NoAnswer("a line of its head is no header")
            name, value = field[1].lower(), field[2]
            before = self._values.get(name)
            self._values[name] = value if before is None else f"{before}, {value}"

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


class Request(NamedTuple):
    """A request as it is sent, but for the host, what it may be packed with and its length. ``target``: its path and
    query, encoded. Nothing of it is checked."""

    method: str
    target: str
    headers: Sequence[tuple[str, str]]
    content: bytes | None


class Received(NamedTuple):
    """A whole answer, its body as it came."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class Connection:
    """A connection to ``host``, over TLS where there is a ``trust``; for one thread. Times are of `time.monotonic`."""

    def __init__(self, host: str, port: int, trust: ssl.SSLContext | None) -> None:
        self._host = host
        self._port = port
        self._trust = trust
        is_usual = port == (443 if trust else 80)
        self._beginning = f"Host: {host}{'' if is_usual else f':{port}'}\r\nAccept-Encoding: identity\r\n"
        self._socket: socket.socket | None = None
        self._left = b""
        self._used_s = 0.0

    def is_open(self) -> bool:
        """Whether the next request can go this way: the other side has not closed it, nor said what nobody asked."""
        if self._socket is None:
            return False
        if time.monotonic() - self._used_s < _IDLE_S and not _has_something(self._socket):
            return True
        self.close()
        return False

    def open(self, ends_s: float) -> None:
        """Connects anew. Raises OSError (`TimeoutError` and what TLS finds wrong among them): nothing was sent."""
        self.close()
        opened = socket.create_connection((self._host, self._port), _left_s(ends_s))
        try:
            opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._trust is not None:
                opened.settimeout(_left_s(ends_s))
                opened = self._trust.wrap_socket(opened, server_hostname=self._host)
        except BaseException:
            opened.close()
            raise
        self._socket, self._used_s = opened, time.monotonic()

    def ask(self, request: Request, ends_s: float, limit: int) -> Received:
        """Sends a whole request and returns the answer. ``limit``: bytes of its body. After an error the connection is
        closed, and the request may have arrived. Raises OSError, `TimeoutError`, `NoAnswer`, `TooLong`."""
        assert self._socket is not None
        self._left = b""
        try:
            self._socket.settimeout(_left_s(ends_s))
            with suppress(ConnectionError):  # who closes early may have said why
                self._socket.sendall(self._written(request))
            received, goes_on = self._receive(ends_s, limit)
        except BaseException:
            self.close()
            raise
        if goes_on and not self._left:
            self._used_s = time.monotonic()
        else:
            self.close()
        return received

    def close(self) -> None:
        """Closes it, if it is open."""
        if self._socket is not None:
            with suppress(OSError):
                self._socket.close()
            self._socket = None

    def _written(self, request: Request) -> bytes:
        method, target, headers, content = request
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
        length = "" if content is None and method == "GET" else f"Content-Length: {len(content or b'')}\r\n"
        head = f"{method} {target} HTTP/1.1\r\n{self._beginning}{lines}{length}\r\n"
        return head.encode("ascii") + (content or b"")

    # -- answers ---------------------------------------------------------------------------------------

    def _receive(self, ends_s: float, limit: int) -> tuple[Received, bool]:
        """The answer, and whether the connection can be used again."""
        minor, status, fields = self._head(ends_s)
        while status < 200:
            if status == 101:
                raise NoAnswer("it speaks something else from now on")
            minor, status, fields = self._head(ends_s)
        coding, length = fields.get("transfer-encoding"), fields.get("content-length")
        goes_on = minor == "1" and "close" not in fields.get("connection", "").lower()
        if status in (204, 304):
            body = b""
        elif coding is not None:
            if coding.lower() != "chunked" or length is not None:
                raise NoAnswer("how long it is cannot be told")
            body = self._chunks(status, ends_s, limit)
        elif length is not None:
            if not _LENGTH.fullmatch(length):
                raise NoAnswer("how long it is cannot be told")
            body = self._exactly(int(length), status, ends_s, limit)
        else:
            body, goes_on = self._all(status, ends_s, limit), False
        return Received(status, list(fields.items()), body), goes_on

    def _head(self, ends_s: float) -> tuple[str, int, Fields]:
        head = self._until(b"\r\n\r\n", ends_s).decode("latin-1")
        first, *lines = head.split("\r\n")
        status = _STATUS.fullmatch(first)
        if status is None:
            raise NoAnswer("it does not begin as one")
        return status[1], int(status[2]), Fields(lines)

    def _chunks(self, status: int, ends_s: float, limit: int) -> bytes:
        pieces, left = [], limit
        while True:
            size = _CHUNK.fullmatch(self._until(b"\r\n", ends_s))
            if size is None:
                raise NoAnswer("a piece does not say how long it is")
            length = int(size[1], 16)
            if length == 0:
                break
            pieces.append(self._exactly(length, status, ends_s, left))
            left -= length
            if self._until(b"\r\n", ends_s):
                raise NoAnswer("a piece is longer than it says")
        while self._until(b"\r\n", ends_s):
            pass  # trailers
        return b"".join(pieces)

    def _exactly(self, length: int, status: int, ends_s: float, limit: int) -> bytes:
        if length > limit:
            raise TooLong(status)
        pieces, missing = [self._left], length - len(self._left)
        while missing > 0:
            pieces.append(self._more(ends_s))
            missing -= len(pieces[-1])
        whole = b"".join(pieces)
        self._left = whole[length:]
        return whole[:length]

    def _all(self, status: int, ends_s: float, limit: int) -> bytes:
        pieces, length = [self._left], len(self._left)
        while length <= limit:
            piece = self._some(ends_s)
            if not piece:
                self._left = b""
                return b"".join(pieces)
            pieces.append(piece)
            length += len(piece)
        raise TooLong(status)

    def _until(self, mark: bytes, ends_s: float) -> bytes:
        found = self._left.find(mark)
        while found < 0:
            if len(self._left) > _LONGEST_HEAD:
                raise NoAnswer("its head has no end")
            self._left += self._more(ends_s)
            found = self._left.find(mark)
        before, self._left = self._left[:found], self._left[found + len(mark) :]
        return before

    def _more(self, ends_s: float) -> bytes:
        piece = self._some(ends_s)
        if not piece:
            raise NoAnswer("it ends in the middle" if self._left else "there is none")
        return piece

    def _some(self, ends_s: float) -> bytes:
        assert self._socket is not None
        self._socket.settimeout(_left_s(ends_s))
        return self._socket.recv(_SOME)


def _left_s(ends_s: float) -> float:
    left_s = ends_s - time.monotonic()
    if left_s <= 0:
        raise TimeoutError("there is no time left")
    return left_s


def _has_something(one: socket.socket) -> bool:
    waiting = select.poll()
    waiting.register(one, select.POLLIN)
    return bool(waiting.poll(0))
