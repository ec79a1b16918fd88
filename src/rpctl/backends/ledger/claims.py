"""Who works on the import of a file: one process at a time, by a lock that the system lets go of with the process.

Beside the ledger lies ``LEDGER-imports``, an empty file, of which every content of a file has one byte of its own to
lock. Two imports inside one process do not exclude each other; a process runs one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Final

from rpctl.backends.import_runs import claim_byte
from rpctl.backends.ledger.sql import faults
from rpctl.locks import Locks

_SUFFIX: Final = "-imports"


def claim_file(ledger: Path) -> Path:
    """The file whose bytes are locked."""
    place = ledger.resolve()
    return place.with_name(place.name + _SUFFIX)


@contextmanager
def claim(ledger: Path, content: bytes, *, wait: bool) -> Iterator[None]:
    """Holds the claim on a file by the digest of its cells; ``wait``: until another process lets go of it.

    Raises `ImportUnderWay`, whose details tell the other process, and `LedgerUnusable`, `StorageFull`.
    """
    with closing(Locks(claim_file(ledger))) as locks, ExitStack() as claimed:
        try:
            claim_byte(claimed, locks, content, wait=wait)
        except OSError as error:
            raise faults.unusable(ledger, error, "written") from error
        yield
