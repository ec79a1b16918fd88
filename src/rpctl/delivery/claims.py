"""The keys that one process works on: claimed as long as anything of it does."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rpctl.delivery.journal import Journal


class Claims:
    """Claims on many keys, counted: within one process a lock does not exclude, but its end would end all."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._held: dict[str, tuple[ExitStack, int]] = {}

    def take(self, key: str) -> None:
        """Once more. Raises `DeliveryUnderWay`."""
        held = self._held.get(key)
        if held is None:
            stack = ExitStack()
            stack.enter_context(self._journal.claim(key))
            held = stack, 0
        self._held[key] = held[0], held[1] + 1

    def release(self, key: str) -> None:
        """Once less; what is not held is left alone."""
        stack, count = self._held.pop(key, (ExitStack(), 0))
        if count > 1:
            self._held[key] = stack, count - 1
        else:
            stack.close()

    def close(self) -> None:
        """Lets go of all."""
        for stack, _ in self._held.values():
            stack.close()
        self._held.clear()
