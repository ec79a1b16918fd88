"""An answer leaves at once, whatever it consists of."""

from __future__ import annotations

import socket
import time

from sandbox_client import Running

_ASKED = 10
_HELD_BACK_S = 0.04


def test_no_piece_of_an_answer_waits_for_word_of_the_one_before(api: Running) -> None:
    asked = (f"GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {api.token()}\r\n\r\n").encode()
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        started_s = time.monotonic()
        for _ in range(_ASKED):
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)  # word comes as late as it may
            connection.sendall(asked)
            answer = b""
            while not answer.endswith(b"}"):
                answer += connection.recv(65_536)
        took_s = time.monotonic() - started_s
    assert took_s < _ASKED * _HELD_BACK_S / 2, took_s
