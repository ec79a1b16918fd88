"""The answer of a write is read before the write is seen by others."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.domain.changes import AddPoints


def test_the_entry_is_read_in_the_transaction_that_wrote_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backend = LedgerBackend(tmp_path / "l.db", Setting(clock=lambda: 0, who="tester", version="0"))
    read = LedgerBackend._with_entry
    inside: list[bool] = []

    def watched(self: LedgerBackend, *words: Any) -> Any:
        inside.append(self.balances().connection.in_transaction)
        return read(self, *words)

    monkeypatch.setattr(LedgerBackend, "_with_entry", watched)
    backend.apply([AddPoints("C1", "k1", points=5)])
    backend.close()
    assert inside == [True]
