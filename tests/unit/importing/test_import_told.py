"""What the person who imports is told when others work on the same ledger meanwhile."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.ledger import bulk
from rpctl.backends.ledger.backend import LedgerBackend
from rpctl.domain.changes import RedeemPoints


@pytest.fixture
def overtaken(monkeypatch: pytest.MonkeyPatch, rpctl: Any) -> None:
    """C1 has 100 points, of which somebody takes 60 after the rehearsal and before the first row is applied."""
    rpctl.ok("points", "add", "C1", "100")
    start_run = LedgerBackend.start_run

    def start(self: LedgerBackend, *arguments: Any) -> None:
        start_run(self, *arguments)
        self.apply([RedeemPoints("C1", "theirs", 60)])

    monkeypatch.setattr(LedgerBackend, "start_run", start)
    monkeypatch.setattr(bulk, "_MOST_ROWS", 10)  # 2 by the rules
    monkeypatch.setattr(bulk, "_WHOLE_ROWS", 1)


@pytest.mark.usefixtures("overtaken")
@pytest.mark.parametrize(
    ("rows", "applied", "says"),
    [
        ("C2,1\nC1,-50\n", 0, "nothing was applied: others changed the ledger"),
        ("C2,1\nC3,1\nC1,-50\nC4,1\nC5,1\n", 2, "2 rows before line 4 were applied"),
    ],
)
def test_strict_says_what_others_made_of_it_even_quietly(
    rpctl: Any, tmp_path: Path, rows: str, applied: int, says: str
) -> None:
    file = tmp_path / "spend.csv"
    file.write_text(f"customer_id,points\n{rows}")
    status, out, err = rpctl("points", "import", str(file), "--strict", "-o", "json", "-q")
    document = json.loads(out)
    assert (status, document["applied"], document["refused"]) == (3, applied, 1)
    assert says in err
    assert len(json.loads(rpctl.ok("customer", "list", "-o", "json"))) == 1 + applied
