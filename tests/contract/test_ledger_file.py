"""The ledger as a file: made once by many, upgraded with a backup, refused and left alone where it is none."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

import pytest

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.ledger.migrations import MIGRATIONS
from rpctl.backends.ledger.sql import file
from rpctl.domain.changes import AddPoints
from rpctl.domain.outcomes import Applied
from rpctl.domain.values import parse_instant
from rpctl.errors import LedgerUnusable

NOW = parse_instant("2026-03-01")
LATEST = len(MIGRATIONS)
BACKUP = f"ledger.db.v{LATEST}.bak"
SECOND = "CREATE TABLE second (\n  name TEXT\n) STRICT;\nINSERT INTO second VALUES ('made; by the second step');"
OF_VERSION_1 = """
INSERT INTO import_runs (run, started_at, file, content, generation, sample, keys, report, first_entry)
  VALUES ('r1', 1, 'f.csv', x'00', 0, x'', '', '{}', 1);
INSERT INTO customers (seq, customer_id, open_points) VALUES (1, 'C1', 7);
INSERT INTO origins VALUES (1, 'who', '0', 'r1');
INSERT INTO entries (seq, customer, kind, points, created_at, valid_until, balance_after, origin, recorded_at, key,
    fingerprint, salt, digest)
  VALUES (1, 1, 1, 7, 1, 4611686018427387904, 7, 1, 1, zeroblob(16), zeroblob(16), zeroblob(16), zeroblob(32));
INSERT INTO keys VALUES (zeroblob(16), 1);
INSERT INTO holdings VALUES (1, 0, 4611686018427387904, 1, 1, 7);
"""
BROKEN = "CREATE TABLE third (name TEXT) STRICT;\nINSERT INTO nowhere VALUES (1);"


def backend(path: Path) -> LedgerBackend:
    return LedgerBackend(path, Setting(lambda: NOW, "tester", "0"))


def book(path: Path, key: str) -> str:
    """Adds a point and says how it went; also the work of the processes below."""
    ledger = backend(path)
    try:
        (outcome,) = ledger.apply([AddPoints("C1", key, 1)])
        return type(outcome).__name__
    finally:
        ledger.close()


def points(path: Path) -> int:
    ledger = backend(path)
    try:
        return ledger.active_points("C1")
    finally:
        ledger.close()


def tables(path: Path) -> tuple[int, bool]:
    """The version of the file, and whether the second step is in."""
    with closing(sqlite3.connect(path)) as db:
        second = db.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'second'").fetchone()[0]
        return db.execute("PRAGMA user_version").fetchone()[0], bool(second)


def upgrade(path: Path, *steps: str) -> None:
    file.open_file(path, write=True, migrations=[*MIGRATIONS, *steps]).close()


def in_processes(work: Callable[..., object], jobs: list[tuple[object, ...]]) -> list[object]:
    """Starts all jobs at once, each in a process of its own, and collects what they return."""
    with multiprocessing.get_context("spawn").Pool(len(jobs)) as pool:
        results = pool.starmap(work, jobs, chunksize=1)
        pool.close()
        pool.join()
    return results


# -- making ------------------------------------------------------------------------------------------------


def test_a_new_ledger_is_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    before = os.umask(0)
    try:
        book(path, "a")
    finally:
        os.umask(before)
    assert {entry.name: oct(stat.S_IMODE(entry.stat().st_mode)) for entry in (path.parent, path)} == {
        "new": "0o700",
        "ledger.db": "0o600",
    }
    assert list(path.parent.iterdir()) == [path]


def test_reading_makes_no_file(tmp_path: Path) -> None:
    ledger = backend(tmp_path / "new" / "ledger.db")
    assert list(ledger.customers()) == []
    ledger.close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_read_as_empty_is_made_by_the_first_write(tmp_path: Path) -> None:
    ledger = backend(tmp_path / "ledger.db")
    assert list(ledger.customers()) == []
    assert isinstance(ledger.apply([AddPoints("C1", "a", 1)])[0], Applied)
    ledger.close()
    assert points(tmp_path / "ledger.db") == 1


def test_eight_processes_that_make_the_same_new_ledger_all_succeed(tmp_path: Path) -> None:
    path = tmp_path / "new" / "ledger.db"
    assert in_processes(book, [(path, f"key {n}") for n in range(8)]) == ["Applied"] * 8
    assert points(path) == 8
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["ledger.db"]
    ledger = backend(path)
    assert list(ledger.verify().problems()) == []
    ledger.close()


def test_eight_processes_with_one_key_apply_it_once(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    outcomes = in_processes(book, [(path, "key")] * 8)
    assert sorted(map(str, outcomes)) == ["AlreadyApplied"] * 7 + ["Applied"]
    assert points(path) == 1


# -- upgrading ---------------------------------------------------------------------------------------------


def test_an_upgrade_keeps_what_is_there_and_leaves_a_backup_of_before(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    book(path, "a")
    upgrade(path, SECOND)
    assert tables(path) == (LATEST + 1, True)
    backup = tmp_path / BACKUP
    assert tables(backup) == (LATEST, False)
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    assert points(backup) == 1
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT sum(points) FROM entries").fetchone() == (1,)
        assert db.execute("SELECT name FROM second").fetchall() == [("made; by the second step",)]


def test_a_ledger_of_the_first_version_keeps_its_entries_and_its_import_runs(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    file.create_file(path, MIGRATIONS[:1])
    with closing(sqlite3.connect(path)) as db:
        db.executescript(OF_VERSION_1)
    ledger = backend(path)
    assert ledger.active_points("C1") == 7
    assert [run["run"] for run in ledger.runs()] == ["r1"]
    assert [type(one) for one in ledger.apply([AddPoints("C1", "b", 1)])] == [Applied]
    assert file.integrity(ledger.tables()[0].connection) == []
    ledger.close()
    assert (tables(path)[0], tables(tmp_path / "ledger.db.v1.bak")[0]) == (LATEST, 1)


def test_a_ledger_that_is_up_to_date_is_not_copied(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    book(path, "a")
    upgrade(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_step_that_fails_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    book(path, "a")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        upgrade(path, SECOND, BROKEN)
    assert tables(path) == (LATEST, False)
    assert points(path) == 1


def test_a_backup_of_an_earlier_upgrade_does_not_stand_for_this_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    book(path, "a")
    with pytest.raises(sqlite3.OperationalError, match="nowhere"):
        upgrade(path, BROKEN)
    book(path, "b")
    upgrade(path, SECOND)
    backups = sorted(path.parent.glob("*.bak*"))
    assert [points(backup) for backup in backups] == [1, 2]


def test_eight_processes_that_upgrade_at_once_do_it_once_with_one_backup(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    book(path, "a")
    in_processes(upgrade, [(path, SECOND)] * 8)
    assert tables(path) == (LATEST + 1, True)
    assert [backup.name for backup in path.parent.glob("*.bak*")] == [BACKUP]


def test_who_waited_for_another_ones_upgrade_does_not_repeat_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    book(path, "a")
    with closing(sqlite3.connect(path, isolation_level=None)) as other, ThreadPoolExecutor() as threads:
        other.execute("BEGIN IMMEDIATE")
        upgrades = [threads.submit(upgrade, path, SECOND) for _ in range(2)]
        wait(upgrades, timeout=0.5)
        assert not any(upgrade.done() for upgrade in upgrades)
        other.execute("ROLLBACK")
        assert [upgrade.result() for upgrade in upgrades] == [None, None]
    assert tables(path) == (LATEST + 1, True)
    assert [backup.name for backup in path.parent.glob("*.bak*")] == [BACKUP]


def test_several_steps_are_one_upgrade(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    book(path, "a")
    upgrade(path, SECOND, "CREATE TABLE third (name TEXT) STRICT;")
    assert tables(path) == (LATEST + 2, True)
    assert [backup.name for backup in path.parent.glob("*.bak*")] == [BACKUP]


# -- refusing ----------------------------------------------------------------------------------------------


def newer(path: Path) -> None:
    book(path, "a")
    upgrade(path, SECOND)
    path.with_name(BACKUP).unlink()


def another_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE customers (seq INTEGER)")


def cut_short(path: Path) -> None:
    book(path, "a")
    path.write_bytes(path.read_bytes()[:99])


UNUSABLE: dict[str, Callable[[Path], object]] = {
    "a newer ledger": newer,
    "another database": another_database,
    "the first bytes of a ledger": cut_short,
    "text": lambda path: path.write_text("customer,points\nC1,50\n" * 20, encoding="utf-8"),
    "nothing in it": lambda path: path.touch(),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("make", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("how", ["reading", "writing"])
def test_what_is_no_ledger_of_ours_is_refused_and_left_as_it_is(
    tmp_path: Path, make: Callable[[Path], object], how: str
) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    before = {entry.name: entry.read_bytes() for entry in tmp_path.iterdir() if entry.is_file()}
    ledger = backend(path)
    with pytest.raises(LedgerUnusable):
        if how == "writing":
            ledger.apply([AddPoints("C1", "a", 1)])
        else:
            ledger.active_points("C1")
    ledger.close()
    assert before == {entry.name: entry.read_bytes() for entry in tmp_path.iterdir() if entry.is_file()}
    assert [entry.name for entry in tmp_path.iterdir()] == ["ledger.db"]
