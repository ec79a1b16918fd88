"""A ledger that lives as long as the process: the same rules, the same code, no file."""

from __future__ import annotations

from pathlib import Path

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.ledger.sql import file
from rpctl.backends.ledger.sql.balances import Balances


class MemoryLedger(LedgerBackend):
    """A ledger without a file. Its name is shown in errors only."""

    def __init__(self, setting: Setting) -> None:
        super().__init__(Path("memory"), setting)
        self._memory: Balances | None = Balances(file.in_memory(), self.path)

    def balances(self, *, write: bool = False, make: bool = True) -> Balances:  # noqa: ARG002 - there is only one way
        """The tables in memory."""
        assert self._memory is not None
        return self._memory

    def close(self) -> None:
        """Everything is gone."""
        if self._memory is not None:
            self._memory.connection.close()
            self._memory = None
