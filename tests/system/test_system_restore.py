"""Restoring a ledger on which others work, and what an erasure leaves: whatever was reported done is in the ledger
or in a file beside it."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from real_machine import Machine, finish, refusal, wait_until

WRITERS = 4
RESTORES = 6


def references(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {row[0] for row in connection.execute("SELECT reference_id FROM entries WHERE reference_id IS NOT NULL")}


def test_what_was_reported_done_during_restores_is_in_the_ledger_or_kept_beside_it(machine: Machine) -> None:
    machine.csv("many.csv", (f"C{number},1" for number in range(5_000)))
    machine.here("points", "import", "many.csv", "-q").ok()
    machine.here("ledger", "backup", "backup.db").ok()
    script = f"""
        work() {{
            for n in $(seq 1000); do
                test -e stop && return
                rpctl points add -q C$1 1 --key "$1-$n" --reference "$1-$n" && echo "$1-$n"
            done
        }}
        for writer in $(seq {WRITERS}); do work $writer >>done 2>>talk & done
        wait
    """
    done = machine.work / "done"
    writing = machine.start(["bash", "-c", script])
    for _ in range(RESTORES):
        size = done.stat().st_size if done.exists() else 0
        wait_until(lambda size=size: done.exists() and done.stat().st_size > size)
        machine.run("ledger", "restore", "backup.db", "--yes").ok()
    machine.file("stop", "")
    finish(writing).ok()
    assert (machine.work / "talk").read_text() == ""
    kept = list(machine.ledger.parent.glob("*before-restore*"))
    assert len(kept) == RESTORES
    reported = set(done.read_text().split())
    assert len(reported) >= RESTORES
    assert reported - set.union(*map(references, [machine.ledger, *kept])) == set()
    machine.verified()


@pytest.mark.parametrize("words", [(), ("--yes",)])
def test_a_backup_that_is_not_there_is_said_before_anybody_is_asked(machine: Machine, words: tuple[str, ...]) -> None:
    machine.here("points", "add", "C1", "5").ok()
    said = refusal(machine.run("ledger", "restore", "none.db", *words), 7)
    assert said == "The backup none.db cannot be read: No such file or directory."


@pytest.mark.parametrize("words", [(), ("--yes",)])
def test_what_is_no_ledger_is_not_replaced_by_one(machine: Machine, words: tuple[str, ...]) -> None:
    machine.here("points", "add", "C1", "5").ok()
    machine.here("ledger", "backup", "backup.db").ok()
    notes = machine.file("notes.txt", "dear diary\n" * 100)
    said = refusal(machine.run("ledger", "restore", "backup.db", "--ledger", notes, *words), 7)
    assert said == f"{notes} is not an rpctl ledger."
    assert notes.read_text() == "dear diary\n" * 100
    assert sorted(one.name for one in machine.work.iterdir()) == ["backup.db", "notes.txt"]


def test_a_read_only_ledger_is_not_replaced(machine: Machine, obeying_permissions: list[str]) -> None:
    machine.here("points", "add", "C1", "5").ok()
    machine.here("ledger", "backup", "backup.db").ok()
    machine.here("points", "add", "C1", "6").ok()
    machine.ledger.chmod(0o400)
    before = machine.ledger.read_bytes()
    done = machine.run("ledger", "restore", "backup.db", "--yes", prefix=obeying_permissions)
    assert "read-only" in refusal(done, 7)
    assert machine.ledger.read_bytes() == before
    assert [one.name for one in machine.ledger.parent.iterdir()] == ["ledger.db"]


def test_a_backup_into_a_folder_that_is_not_there_speaks_of_the_copy(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5").ok()
    done = machine.run("ledger", "backup", "nodir/x.db")
    assert refusal(done, 7) == "The copy nodir/x.db cannot be written: No such file or directory."
    assert "--ledger" not in done.err


def test_a_killed_dry_run_leaves_nothing_beyond_the_next_one(machine: Machine) -> None:
    machine.csv("many.csv", (f"C{number},1" for number in range(20_000)))
    machine.here("points", "add", "C1", "5").ok()
    process = machine.start(["rpctl", "points", "import", "many.csv", "--dry-run"])
    wait_until(lambda: list(machine.ledger.parent.glob(".rpctl-rehearsal-*/ledger.db")))
    process.send_signal(signal.SIGKILL)
    finish(process)
    assert len(list(machine.ledger.parent.glob(".rpctl-*"))) == 1
    machine.csv("one.csv", ["C1,1"])
    machine.run("points", "import", "one.csv", "--dry-run").ok()
    assert [one.name for one in machine.ledger.parent.iterdir()] == ["ledger.db"]


def test_a_dry_run_needs_no_folder_that_may_be_written(machine: Machine, obeying_permissions: list[str]) -> None:
    machine.here("points", "add", "C1", "5").ok()
    machine.csv("one.csv", ["C1,1"])
    temporary = machine.work / "tmp"
    temporary.mkdir()
    machine.ledger.parent.chmod(0o500)
    done = machine.run(
        *("points", "import", "one.csv", "--dry-run", "-o", "json"),
        prefix=obeying_permissions,
        environ={"TMPDIR": str(temporary)},
    )
    assert done.ok().document["applied"] == 1
    assert list(temporary.iterdir()) == []
    machine.ledger.parent.chmod(0o700)
    assert [one.name for one in machine.ledger.parent.iterdir()] == ["ledger.db"]


def test_a_deletion_while_someone_reads_ends_soon_and_verify_finishes_it(machine: Machine) -> None:
    machine.here("points", "add", "Personal-Name", "5").ok()
    with closing(sqlite3.connect(machine.ledger, isolation_level=None)) as reading:
        reading.execute("BEGIN")
        reading.execute("SELECT * FROM entries").fetchall()
        started = time.monotonic()
        machine.run("customer", "delete", "Personal-Name", "--confirm", "Personal-Name").ok()
        assert time.monotonic() - started < 15
        assert "may still hold text of deleted customers" in machine.run("ledger", "verify").ok().err
        reading.execute("COMMIT")
        assert "deleted customers" not in machine.run("ledger", "verify").ok().err
        for path in machine.ledger.parent.iterdir():
            assert b"Personal-Name" not in path.read_bytes()


def test_a_ledger_on_a_full_disk_is_read(machine: Machine, small_disk: Callable[[str], Path]) -> None:
    at = ("--ledger", str(small_disk("1m") / "ledger.db"))
    machine.run("points", "add", "C1", "5", *at).ok()
    fill = Path(at[1]).with_name("fill")
    with fill.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    assert machine.run("points", "balance", "C1", *at).ok().out == "5\n"
    machine.run("ledger", "verify", *at).ok()
    refusal(machine.run("points", "add", "C1", "7", "--key", "seven", *at), 75)
    fill.unlink()
    machine.run("points", "add", "C1", "7", "--key", "seven", *at).ok()
    assert (machine.balance("C1", *at), machine.verified(*at)) == (12, 2)
    assert [one.name for one in fill.parent.iterdir()] == ["ledger.db"]
