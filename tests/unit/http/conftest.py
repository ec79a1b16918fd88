"""Clients with a trace and pauses that are told instead of slept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from rpctl.backends.http import Http, Waiting


class Client:
    """An `Http` with what it told: the pauses that it made and the lines of its trace."""

    def __init__(self, url: str, whole_s: float) -> None:
        self.pauses: list[float] = []
        self.trace: list[str] = []
        waiting = Waiting(whole_s, self.pauses.append, lambda: 1.0)
        self.http = Http(url, {"Emporix-Tenant": "shop"}, waiting, self.trace.append)


@pytest.fixture
def client() -> Iterator[Callable[..., Client]]:
    """Makes clients; ``whole_s``: how long a request may take."""
    made: list[Client] = []

    def make(url: str, whole_s: float = 5.0) -> Client:
        made.append(Client(url, whole_s))
        return made[-1]

    yield make
    for one in made:
        one.http.close()


@pytest.fixture(autouse=True)
def _no_thread_is_left(request: pytest.FixtureRequest) -> Iterator[None]:
    before = set(threading.enumerate())
    request.getfixturevalue("client")
    request.getfixturevalue("serve")
    yield
    # the fixtures above end after this one: what is looked at here is the client's watch, not a server's threads
    deadline_s = time.monotonic() + 2
    while left := [one for one in threading.enumerate() if one not in before and isinstance(one, threading.Timer)]:
        assert time.monotonic() < deadline_s, left
        time.sleep(0.005)
