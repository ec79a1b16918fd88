"""A ledger that is restored while a long-lived process works on it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rpctl.backends.ledger import upkeep
from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.port import FileContent
from rpctl.domain.changes import AddPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied
from rpctl.errors import RunNotFound

SETTING = Setting(clock=lambda: 1_700_000_000_000, who="tester", version="0")


def add(n: int) -> AddPoints:
    return AddPoints("C1", f"key-{n}", points=n)


def test_an_import_whose_run_was_restored_away_stops_by_name(tmp_path: Path) -> None:
    working, other = LedgerBackend(tmp_path / "l.db", SETTING), LedgerBackend(tmp_path / "l.db", SETTING)
    working.apply([add(1)])
    upkeep.backup(other, tmp_path / "backup.db")
    working.start_run("run-1", 0, "f.csv", FileContent(b"digest", 0, b""), {}, {})
    working.apply([add(2)], run="run-1")
    upkeep.restore(other, tmp_path / "backup.db")
    with pytest.raises(RunNotFound, match="restored meanwhile"):
        working.apply([add(3)], run="run-1")
    assert working.active_points("C1") == 1
    assert list(working.verify().problems()) == []
    working.close()
    other.close()


def test_keys_are_known_by_the_ledger_that_is_there_now(tmp_path: Path) -> None:
    elsewhere = LedgerBackend(tmp_path / "elsewhere.db", SETTING)
    elsewhere.apply([add(1)])
    upkeep.backup(elsewhere, tmp_path / "backup.db")
    elsewhere.close()
    working, other = LedgerBackend(tmp_path / "l.db", SETTING), LedgerBackend(tmp_path / "l.db", SETTING)
    working.apply([add(5)])
    upkeep.restore(other, tmp_path / "backup.db")
    first, second = working.apply([add(1), add(5)])
    assert isinstance(first, AlreadyApplied)
    assert isinstance(second, Applied)
    assert working.active_points("C1") == 6
    working.close()
    other.close()
