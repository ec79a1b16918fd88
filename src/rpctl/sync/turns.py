"""Who pushes or pulls: one process at a time for each ledger and service, by a lock that the system lets go of with
the process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from rpctl.errors import ImportUnderWay, SyncUnderWay

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend


@contextmanager
def alone(ledger: LedgerBackend, target: str, *, wait: bool) -> Iterator[None]:
    """Nobody else sends what is in this ledger to those books, or fetches them; ``wait``: until another process is done
    with that. Raises `SyncUnderWay`, `LedgerUnusable`, `StorageFull`."""
    with ExitStack() as turn:
        try:
            # No file's cells have this digest: it shares the claims of imports.
            turn.enter_context(ledger.claim(hashlib.sha256(f"sync {target}".encode()).digest(), wait=wait))
        except ImportUnderWay as error:
            who = f" (pid {error.details['pid']})" if "pid" in error.details else ""
            raise SyncUnderWay(f"Another process{who} is pushing or pulling.", **error.details) from None
        yield
