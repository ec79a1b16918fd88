"""A service that gives out tokens on a real socket, a keyring in memory, and a clock to set."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs

SECRET = "s3cret-that-nobody-may-see"


class Asked(NamedTuple):
    """A request as the service got it."""

    method: str
    path: str
    authorization: str | None
    form: dict[str, str]


class Service:
    """Gives out ``token-1``, ``token-2`` ... and answers everything else with 200, or 401 for a token in ``refused``.

    ``answers`` are given in turn to requests for a token, in place of its own: status and body. It thinks for
    ``delay_s`` about each.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.refused: set[str] = set()
        self.answers: list[tuple[int, bytes]] = []
        self.life_s = 14_399
        self.delay_s = 0.0
        self.secret = SECRET
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @property
    def forms(self) -> list[dict[str, str]]:
        """The forms that asked for tokens."""
        return [asked.form for asked in self.asked if asked.path == "/oauth/token"]

    @property
    def used(self) -> list[str | None]:
        """The authorizations of the other requests."""
        return [asked.authorization for asked in self.asked if asked.path != "/oauth/token"]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, asked: Asked) -> tuple[int, bytes]:
        if asked.path != "/oauth/token":
            token = (asked.authorization or "").removeprefix("Bearer ")
            return (401, b'{"fault": {}}') if not token or token in self.refused else (200, b"2000")
        time.sleep(self.delay_s)
        if self.answers:
            return self.answers.pop(0)
        if asked.form.get("client_secret") != self.secret:
            return 401, json.dumps({"error": "invalid_client", "said": asked.form.get("client_secret")}).encode()
        token = {"access_token": f"token-{len(self.forms)}", "token_type": "Bearer", "expires_in": self.life_s}
        return 200, json.dumps(token).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # or each body waits 40 ms for its head to be acknowledged

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                form = {name: values[0] for name, values in parse_qs(body).items()}
                asked = Asked(self.command, self.path, self.headers.get("Authorization"), form)
                service.asked.append(asked)
                status, content = service.answer(asked)
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST  # noqa: N815

            def log_message(self, *words: Any) -> None:
                pass

        return Handler


class MemoryKeyring:
    """A keyring as the library gives it."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self.questions = 0

    def get_password(self, service: str, user: str) -> str | None:
        self.questions += 1
        return self.kept.get((service, user))

    def set_password(self, service: str, user: str, value: str) -> None:
        self.kept[service, user] = value

    def delete_password(self, service: str, user: str) -> None:
        del self.kept[service, user]


class Clock:
    """Milliseconds since 1970, as the test sets them."""

    def __init__(self) -> None:
        self.now = 1_772_366_400_000

    def __call__(self) -> int:
        return self.now
