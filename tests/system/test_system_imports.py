"""One import of a file at a time, between real processes; what a stop leaves of what was piped in; a real terminal."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from real_machine import RPCTL, Conversation, Machine, entries, finish, has_open, refusal, wait_until, write_lock

ROWS = 20_000


def many(machine: Machine, name: str = "many.csv") -> Path:
    return machine.csv(name, (f"C{number % 200},{number % 9 + 1}" for number in range(ROWS)))


@contextmanager
def importing(machine: Machine, *words: str | Path, **how: object) -> Iterator[subprocess.Popen[bytes]]:
    """An import that is in its middle, and kept there by somebody who holds the ledger's write lock."""
    process = machine.start([RPCTL, "points", "import", *words, "-o", "json"], **how)
    wait_until(machine.ledger.exists)
    wait_until(lambda: entries(machine.ledger) > 0)
    with write_lock(machine.ledger):
        yield process


def test_a_second_import_of_the_same_file_is_told_who_is_at_it(machine: Machine) -> None:
    file = many(machine)
    resaved = machine.csv("resaved.csv", (f'"C{number % 200}","{number % 9 + 1}"' for number in range(ROWS)))
    with importing(machine, file) as first:
        (run,) = machine.run("imports", "list", "-o", "json").ok().document
        for words in (
            ("points", "import", resaved),
            ("imports", "resume", run["run"]),
            ("imports", "undo", run["run"], "-y"),
        ):
            done = machine.run(*words)
            assert refusal(done, 75).endswith(f" is under way in another process (pid {first.pid}).")
            assert f"Import run {run['run']} of " in done.err
        error = machine.run("points", "import", resaved, "-o", "json").error
        assert (error["code"], error["retryable"]) == ("import_under_way", True)
        assert error["details"] == {"run": run["run"], "pid": first.pid}
        assert machine.run("points", "import", resaved, "--dry-run").status == 0  # it changes nothing
    assert finish(first).ok().document["applied"] == ROWS


def test_who_waits_finds_everything_in(machine: Machine) -> None:
    file = many(machine)
    with importing(machine, file) as first:
        second = machine.start([RPCTL, "points", "import", file, "--wait", "-o", "json"])
        wait_until(lambda: has_open(second, Path(f"{machine.ledger}-imports")))
    assert finish(first).ok().document["applied"] == ROWS
    done = finish(second).ok()
    assert (done.document["alreadyApplied"], "Waiting for it." in done.err) == (ROWS, True)
    assert machine.verified() == ROWS


def test_other_files_do_not_wait(machine: Machine) -> None:
    with importing(machine, many(machine)) as first:
        other = machine.start([RPCTL, "points", "import", machine.csv("other.csv", ["X,5"]), "-o", "json"])
        wait_until(lambda: has_open(other, Path(f"{machine.ledger}-imports")))
    assert finish(other).ok().document["applied"] == 1
    finish(first).ok()


def test_the_claim_of_a_killed_process_is_gone_with_it(machine: Machine) -> None:
    file = many(machine)
    with importing(machine, file) as first:
        first.send_signal(signal.SIGKILL)
        finish(first)
    machine.run("points", "import", file).ok()
    assert (machine.verified(), len(machine.run("imports", "list", "-o", "json").ok().document)) == (ROWS, 1)


def test_the_file_of_claims_is_empty_private_and_no_copy_of_the_ledger(machine: Machine) -> None:
    machine.run("points", "import", machine.csv("a.csv", ["C1,5"])).ok()
    claims = Path(f"{machine.ledger}-imports")
    assert (claims.stat().st_mode & 0o777, claims.stat().st_size) == (0o600, 0)
    assert "copies" not in machine.run("customer", "delete", "C1", "--confirm", "C1").ok().err
    machine.run("ledger", "backup", "b.db").ok()
    machine.run("ledger", "restore", "b.db", "--yes").ok()
    assert machine.run("points", "import", "a.csv", "-o", "json").document["refused"] == 1  # deleted, and stays so


def test_nothing_is_made_beside_what_is_no_ledger(machine: Machine) -> None:
    other = machine.file("notes.txt", "precious")
    assert "is not an rpctl ledger" in refusal(
        machine.run("points", "import", machine.csv("a.csv", ["C1,5"]), "--ledger", str(other)), 7
    )
    assert (sorted(path.name for path in machine.work.iterdir()), other.read_text()) == (
        ["a.csv", "notes.txt"],
        "precious",
    )


def test_reading_and_trying_out_need_no_file_of_claims(machine: Machine) -> None:
    machine.run("points", "add", "C1", "5").ok()
    machine.run("imports", "list").ok()
    machine.run("imports", "prune", "--dry-run").ok()
    machine.run("points", "import", machine.csv("a.csv", ["C1,5"]), "--dry-run").ok()
    assert sorted(path.name for path in machine.ledger.parent.iterdir()) == ["ledger.db"]


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_what_was_piped_in_is_gone_on_with_after_any_signal(
    machine: Machine, sent: signal.Signals, status: int
) -> None:
    with many(machine).open("rb") as rows, importing(machine, "-", stdin=rows) as process:
        process.send_signal(sent)
        done = finish(process)
    (run,) = machine.run("imports", "list", "-o", "json").ok().document
    assert (done.status, run["state"]) == (status, "unfinished")
    if status > 0:
        assert done.error["hint"].startswith(f"`rpctl imports resume {run['run']}` goes on where it stopped")
    document = machine.run("imports", "resume", run["run"], "-o", "json").ok().document
    assert (document["applied"], document["alreadyApplied"], machine.verified()) == (ROWS, 0, ROWS)
    assert list((machine.home / ".local/state/rpctl/imports").iterdir()) == []


def test_a_kill_while_copying_leaves_nothing_to_go_on_with_and_the_next_copy_sweeps_it_up(machine: Machine) -> None:
    reader, writer = os.pipe()
    process = machine.start([RPCTL, "points", "import", "-"], stdin=reader)
    os.close(reader)
    os.write(writer, b"customer_id,points\nC1,5\n")
    folder = machine.home / ".local/state/rpctl/imports"
    wait_until(lambda: folder.exists() and list(folder.iterdir()))
    (half,) = folder.iterdir()
    assert half.name.startswith(".spooling-")
    with half.open("rb") as copy, pytest.raises(BlockingIOError):  # nobody sweeps it away as long as it grows
        fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
    process.send_signal(signal.SIGKILL)
    finish(process)
    os.close(writer)
    assert (list(folder.iterdir()), machine.ledger.exists()) == ([half], False)
    machine.run("points", "import", "-", stdin="customer_id,points\nC2,7\n").ok()
    assert (list(folder.iterdir()), machine.balances()) == ([], {"C2": 7})


def test_a_terminal_shows_how_far_an_import_its_resumption_and_an_undo_are(machine: Machine) -> None:
    file = machine.csv("many.csv", (f"C{number % 2000},{number % 9 + 1}" for number in range(60_000)))

    def interrupt(person: Conversation) -> None:
        person.wait_for(" s left")
        person.type("\x03")

    done = machine.on_terminal("points", "import", str(file), talk=interrupt)
    assert (done.status, "applying " in done.out, " of 60,000 rows (" in done.out) == (130, True, True)
    (run,) = machine.run("imports", "list", "-o", "json").ok().document
    done = machine.on_terminal("imports", "resume", run["run"])
    assert (done.status, "applying " in done.out, "Going on with run" in done.out) == (0, True, True)

    def agree(person: Conversation) -> None:
        person.wait_for("Type yes to go on:")
        person.type("yes\n")

    done = machine.on_terminal("imports", "undo", run["run"], talk=agree)
    assert (done.status, "undoing " in done.out, " of 60,000 rows (" in done.out) == (0, True, True)
    assert set(machine.balances().values()) == {0}
