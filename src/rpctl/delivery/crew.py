"""Threads that talk to a service, each with a client of its own: one shared pool of connections is many times slower.

They know nothing of the journal: what is to be done comes in as a function of the service, and what came of it goes out
to the one thread that decides.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from rpctl.backends.port import Service

Work = Callable[["Service"], Any]


class Answer(NamedTuple):
    """What came of some work: what it returned, or the error that it raised. ``subject``: what it was about."""

    subject: Any
    work: Work | None
    value: Any = None
    error: BaseException | None = None


class Crew:
    """``size`` threads, started when there is work for them; ``open_service`` makes each its own service, and is called
    by the thread itself. They end with the process."""

    def __init__(self, open_service: Callable[[], Service], size: int) -> None:
        self.size = size
        self._open_service = open_service
        self._tasks: SimpleQueue[tuple[Any, Work] | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self.under_way = 0

    def hand(self, subject: Any, work: Work) -> None:
        """Work for whoever is free; its `Answer` comes by `hear`."""
        self.under_way += 1
        if len(self._threads) < min(self.size, self.under_way):
            thread = threading.Thread(target=self._serve, daemon=True, name=f"delivery {len(self._threads) + 1}")
            self._threads.append(thread)
            thread.start()
        self._tasks.put((subject, work))

    def tell(self, subject: Any, value: Any) -> None:
        """For a thread at work: something to be heard before its answer."""
        self._answers.put(Answer(subject, None, value))

    def hear(self, timeout_s: float) -> list[Answer]:
        """The answers so far; waits so long for the first."""
        heard = []
        with suppress(Empty):
            heard.append(self._answers.get(timeout=max(timeout_s, 0.0)))
            while True:
                heard.append(self._answers.get_nowait())
        self.under_way -= sum(answer.work is not None for answer in heard)
        return heard

    def withdraw(self) -> list[Any]:
        """The subjects of the work that nobody has begun: it is not done any more."""
        withdrawn = []
        with suppress(Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None:
                    withdrawn.append(task[0])
        self.under_way -= len(withdrawn)
        return withdrawn

    def close(self) -> None:
        """Whoever is free goes home; nobody is waited for."""
        for _ in self._threads:
            self._tasks.put(None)
        self._threads = []

    def _serve(self) -> None:
        service: Service | None = None
        while (task := self._tasks.get()) is not None:
            subject, work = task
            try:
                if service is None:
                    service = self._open_service()
                answer = Answer(subject, work, work(service))
            except BaseException as error:  # whatever it is, the thread that decides is to know
                answer = Answer(subject, work, error=error)
            self._answers.put(answer)
        if service is not None:
            service.close()
