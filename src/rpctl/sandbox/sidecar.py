"""The file beside a ledger that keeps what the API has and the ledger has not: a line of JSON for each fact.

It only grows, is readable by its owner alone, and is one sandbox's at a time. A line that was cut off by the end of a
process is dropped.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Protocol

from rpctl.errors import InvalidFile, LedgerBusy

_SUFFIX: Final = "-sandbox"


def sidecar_file(ledger: Path) -> Path:
    """The file beside a ledger."""
    place = ledger.resolve()
    return place.with_name(place.name + _SUFFIX)


def damaged(path: Path, line: int) -> InvalidFile:
    """A line that says nothing."""
    return InvalidFile(
        f"{path} is damaged in line {line}.", "Move it away: what is lost are a tenant's name and ids that were sent."
    )


class Sidecar(Protocol):
    """Where facts are kept."""

    def facts(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """What was kept so far, in order, each with the number of its line."""
        ...

    def keep(self, fact: dict[str, Any]) -> None:
        """One more fact."""
        ...

    def close(self) -> None:
        """Lets go of it."""
        ...


class Nowhere:
    """Beside a ledger that lasts no longer than the process."""

    def facts(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """None."""
        return iter(())

    def keep(self, fact: dict[str, Any]) -> None:
        """Is not kept."""

    def close(self) -> None:
        """There is nothing to let go of."""


class SidecarFile:
    """``LEDGER-sandbox``. Raises `LedgerBusy` where another sandbox has it, and OSError."""

    def __init__(self, ledger: Path) -> None:
        self._path = sidecar_file(ledger)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._file = os.fdopen(descriptor, "r+b", buffering=0)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._file.close()
            raise LedgerBusy(
                f"Another sandbox serves the ledger {ledger}.", "End that one, or name another file with --ledger."
            ) from None

    def facts(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """What was kept so far, in order, each with the number of its line. Raises `InvalidFile`."""
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            self._file.truncate(whole)
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                fact = json.loads(line)
            except ValueError:
                fact = None
            if not isinstance(fact, dict):
                raise damaged(self._path, number)
            yield number, fact

    def keep(self, fact: dict[str, Any]) -> None:
        """One more fact, out of this process when the call returns."""
        self._file.write(json.dumps(fact, separators=(",", ":")).encode() + b"\n")

    def close(self) -> None:
        """Lets another sandbox have it."""
        self._file.close()
