"""Who may go next: of those that share a name, such as a customer or a key, one at a time and in their order. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Generic, Protocol, TypeVar


class Named(Protocol):
    """Something with names that others may share."""

    @property
    def names(self) -> Sequence[str]:
        """At least one."""
        ...


T = TypeVar("T", bound=Named)


class Lanes(Generic[T]):
    """Keeps the order within each name, and none between different ones."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[T]] = {}
        self._ready: deque[T] = deque()

    @property
    def ready(self) -> int:
        """How many may go now."""
        return len(self._ready)

    def add(self, one: T) -> None:
        """The next in order."""
        is_first = True
        for name in one.names:
            queue = self._queues.get(name)
            if queue is None:
                self._queues[name] = deque((one,))
            else:
                queue.append(one)
                is_first = False
        if is_first:
            self._ready.append(one)

    def take(self) -> T:
        """One that may go; those that share a name with it wait until it is `done`. Raises IndexError."""
        return self._ready.popleft()

    def put_back(self, one: T) -> None:
        """What was taken may go once more, before all others."""
        self._ready.appendleft(one)

    def done(self, one: T) -> None:
        """What was taken is done with: those behind it move up."""
        freed = []
        for name in one.names:
            queue = self._queues[name]
            queue.popleft()
            if queue:
                freed.append(queue[0])
            else:
                del self._queues[name]
        for at, other in enumerate(freed):
            is_first = all(self._queues[name][0] is other for name in other.names)
            if is_first and not any(other is before for before in freed[:at]):
                self._ready.append(other)
