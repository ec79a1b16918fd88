"""Servers on real sockets that behave as badly as they are told: silent, dripping, closing, garbled, without trust.

Nothing of rpctl is imported here. Every server is on loopback, counts what it is asked, and leaves no thread behind.
"""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

PATIENCE_S: Final = 20.0
PHRASES: Final = {200: "OK", 201: "Created", 204: "No Content", 302: "Found", 404: "Not Found"}


class Got(NamedTuple):
    """A request as it came over the wire; names of headers are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


class Talk:
    """One connection, from the server's side."""

    def __init__(self, connection: socket.socket, server: Server) -> None:
        self._connection = connection
        self._server = server
        self._left = b""

    def request(self) -> Got | None:
        """The next request, with its body; None where the other side is gone."""
        while b"\r\n\r\n" not in self._left:
            if not self._more():
                return None
        head, _, self._left = self._left.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        length = int(headers.get("content-length", "0"))
        while len(self._left) < length:
            if not self._more():
                return None
        body, self._left = self._left[:length], self._left[length:]
        got = Got(method, target, headers, body)
        self._server.got.append(got)
        return got

    def send(self, content: bytes) -> None:
        self._connection.sendall(content)

    def drip(self, content: bytes, every_s: float = 0.02) -> None:
        """A byte at a time, until the other side or the server has had enough."""
        for at in range(len(content)):
            if self._server.ending.wait(every_s):
                return
            self.send(content[at : at + 1])

    def wait(self) -> None:
        """Nothing at all, until the other side is gone or the server ends."""
        self._connection.settimeout(0.05)
        while not self._server.ending.is_set():
            try:
                if not self._connection.recv(65_536):
                    return
            except TimeoutError:
                continue

    def reset(self) -> None:
        """Ends the connection as a machine that lost its memory does."""
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
        self._connection.close()

    def tunnel(self, port: int) -> None:
        """Carries bytes both ways between this connection and a port of this machine."""
        with socket.create_connection(("127.0.0.1", port)) as other:
            back = threading.Thread(target=_carry, args=(other, self._connection))
            back.start()
            _carry(self._connection, other)
            back.join(PATIENCE_S)

    def _more(self) -> bool:
        some = self._connection.recv(65_536)
        self._left += some
        return bool(some)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while some := source.recv(65_536):
            target.sendall(some)
    for one in (source, target):
        with suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


Behaviour = Callable[[Talk], None]


class Server:
    """Listens on loopback and gives each connection, on a thread of its own, to ``behave``. ``got`` is what was asked,
    ``connections`` how often someone came."""

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.got: list[Got] = []
        self.connections = 0
        self.ending = threading.Event()
        self._behave = behave
        self._tls = tls
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = int(self._listener.getsockname()[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._threads.append(threading.Thread(target=self._accept))
        self._threads[0].start()

    def count(self, method: str, path: str = "/reward-points") -> int:
        """How many requests with that method came to paths that begin so."""
        return sum(got.method == method and got.target.startswith(path) for got in self.got)

    def close(self) -> None:
        self.ending.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            connection.settimeout(PATIENCE_S)
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection:
                self._behave(Talk(connection, self))


def reply(status: int, body: Any = b"", /, **headers: str) -> bytes:
    """An answer as bytes; ``body`` other than bytes is sent as JSON. Names of headers with ``_`` for ``-``."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = {} if isinstance(body, bytes) else {"Content-Type": "application/json"}
    lines = {**kind, "Content-Length": str(len(content)), **{k.replace("_", "-"): v for k, v in headers.items()}}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status} {PHRASES.get(status, 'Whatever')}\r\n{head}\r\n".encode("latin-1") + content


def answering(answer: Callable[[Got], bytes] | bytes) -> Behaviour:
    """Answers every request of a connection."""

    def behave(talk: Talk) -> None:
        while got := talk.request():
            talk.send(answer if isinstance(answer, bytes) else answer(got))

    return behave


def in_turn(*answers: bytes | None) -> Behaviour:
    """The first request gets the first answer and so on, the last one for all that follow; None: the connection is
    closed instead."""
    left = list(answers)

    def behave(talk: Talk) -> None:
        while talk.request():
            answer = left.pop(0) if len(left) > 1 else left[0]
            if answer is None:
                return
            talk.send(answer)

    return behave


def silent(talk: Talk) -> None:
    """Takes a request and never says anything."""
    talk.request()
    talk.wait()


def closing(talk: Talk) -> None:
    """Takes a request and closes."""
    talk.request()


def refusing() -> str:
    """Where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def full() -> Iterator[str]:
    """A port whose queue is full: who connects is not even refused."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = int(listener.getsockname()[1])
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.setblocking(False)
            with suppress(BlockingIOError):
                one.connect(("127.0.0.1", port))
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            for one in waiting:
                one.close()


class Certificate(NamedTuple):
    """A certificate of one's own, for 127.0.0.1 and api.test, and a server's context that shows it."""

    file: Path
    context: ssl.SSLContext


def self_signed(folder: Path) -> Certificate:
    """Makes one with openssl."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=api.test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:api.test", "-keyout", key,
         "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return Certificate(certificate, context)
