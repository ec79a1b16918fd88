"""Clients with a trace and pauses that are told instead of slept; each test with both ways that requests go."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from rpctl.backends.http import Http, Waiting


class Client:
    """An `Http` with what it told: the pauses that it made and the lines of its trace."""

    def __init__(self, url: str, whole_s: float, *, is_twin: bool) -> None:
        self.pauses: list[float] = []
        self.trace: list[str] = []
        waiting = Waiting(whole_s, self.pauses.append, lambda: 1.0)
        http = Http(url, {"Emporix-Tenant": "shop"}, waiting, self.trace.append)
        self.http = http.twin() if is_twin else http


@pytest.fixture(params=["by httpx", "directly"])
def client(request: pytest.FixtureRequest) -> Iterator[Callable[..., Client]]:
    """Makes clients; ``whole_s``: how long a request may take."""
    made: list[Client] = []

    def make(url: str, whole_s: float = 5.0) -> Client:
        made.append(Client(url, whole_s, is_twin=request.param == "directly"))
        return made[-1]

    yield make
    for one in made:
        one.http.close()
    deadline_s = time.monotonic() + 2
    while left := [one for one in threading.enumerate() if one.name == "watch"]:
        assert time.monotonic() < deadline_s, left
        time.sleep(0.005)
