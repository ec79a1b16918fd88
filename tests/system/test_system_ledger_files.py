"""Ledger files as they are found: none of ours, newer, read-only, damaged, in odd places, on a full disk. What is not
ours stays as it is; what was booked is never lost; nobody sees a traceback."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import pytest
from real_machine import Machine, entries, finish, refusal, wait_until

COMMANDS = [
    ["points", "add", "C1", "5"],
    ["points", "balance", "C1"],
    ["customer", "list"],
    ["ledger", "verify"],
    ["ledger", "info"],
    ["ledger", "export"],
    ["imports", "list"],
    ["program", "show"],
]


def another_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("CREATE TABLE entries (a); INSERT INTO entries VALUES (1); PRAGMA user_version = 1")


def newer_ledger(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript("PRAGMA application_id = 0x52504C47; PRAGMA user_version = 99; CREATE TABLE a (b)")


FOREIGN: dict[str, tuple[Callable[[Path], object], str]] = {
    "an empty file": (lambda path: path.write_bytes(b""), "not an rpctl ledger"),
    "a text": (lambda path: path.write_text("dear diary\n" * 100), "not an rpctl ledger"),
    "another database": (another_database, "not an rpctl ledger"),
    "half a header": (lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(50)), "not an rpctl ledger"),
    "a newer ledger": (newer_ledger, "of version 99"),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_no_ledger_of_this_program_is_refused_and_left_to_the_byte(machine: Machine, kind: str) -> None:
    make, why = FOREIGN[kind]
    path = machine.work / "found.db"
    make(path)
    before = path.read_bytes()
    for words in COMMANDS:
        assert why in refusal(machine.here(*words, "--ledger", path), 7)
    assert why in refusal(machine.run(*COMMANDS[0], "--ledger", path), 7)
    assert path.read_bytes() == before
    assert [one.name for one in machine.work.iterdir()] == ["found.db"]


def test_a_folder_in_the_ledgers_place_is_said_to_be_one(machine: Machine) -> None:
    (machine.work / "found.db").mkdir()
    for words in COMMANDS[:2]:
        assert "Is a directory" in refusal(machine.run(*words, "--ledger", "found.db"), 7)


def test_a_ledger_that_was_named_and_is_not_there_is_made_by_writing_only(machine: Machine) -> None:
    assert refusal(machine.run("points", "balance", "C1", "--ledger", "new/l.db"), 7) == "There is no ledger new/l.db."
    assert list(machine.work.iterdir()) == []
    machine.run("points", "add", "C1", "5", "--ledger", "new/l.db").ok()
    made = machine.work / "new/l.db"
    assert (made.stat().st_mode & 0o777, made.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_a_link_to_nowhere_is_refused_and_stays(machine: Machine) -> None:
    link = machine.work / "found.db"
    link.symlink_to("nowhere.db")
    for words in COMMANDS[:2]:
        refusal(machine.run(*words, "--ledger", link), 7)
    assert [one.name for one in machine.work.iterdir()] == ["found.db"]
    assert link.is_symlink()


def test_a_link_to_a_ledger_is_that_ledger(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5").ok()
    link = machine.work / "link.db"
    link.symlink_to(machine.ledger)
    machine.run("points", "add", "C1", "6", "--ledger", link).ok()
    assert link.is_symlink()
    assert machine.balance("C1") == 11
    assert machine.verified() == 2


def test_a_folder_that_cannot_be_made_is_named(machine: Machine) -> None:
    machine.file("file", "")
    refusal(machine.run("points", "add", "C1", "5", "--ledger", "file/l.db"), 7)
    refusal(machine.run("points", "add", "C1", "5", "--ledger", "/proc/l.db"), 7)


@pytest.mark.parametrize("what", ["file", "folder", "both"])
def test_a_read_only_ledger_is_read_and_says_so_when_written(
    machine: Machine, obeying_permissions: list[str], what: str
) -> None:
    machine.here("points", "add", "C1", "5").ok()
    before = machine.ledger.read_bytes()
    if what != "folder":
        machine.ledger.chmod(0o400)
    if what != "file":
        machine.ledger.parent.chmod(0o500)
    for words in COMMANDS[1:]:
        assert (machine.run(*words, prefix=obeying_permissions).status, words) == (0, words)
    assert machine.run("points", "balance", "C1", prefix=obeying_permissions).out == "5\n"
    for words in (
        COMMANDS[0],
        ["points", "redeem", "C1", "1"],
        ["customer", "create", "C2"],
        ["program", "set", "--factor=2"],
    ):
        assert "read-only" in refusal(machine.run(*words, prefix=obeying_permissions), 7)
    machine.csv("changes.csv", ["C1,10"])
    assert "read-only" in refusal(machine.run("points", "import", "changes.csv", prefix=obeying_permissions), 7)
    machine.ledger.parent.chmod(0o700)
    assert machine.ledger.read_bytes() == before
    assert [one.name for one in machine.ledger.parent.iterdir()] == [machine.ledger.name]


def test_an_unreadable_ledger_is_said_to_be_so(machine: Machine, obeying_permissions: list[str]) -> None:
    machine.here("points", "add", "C1", "5").ok()
    machine.ledger.chmod(0)
    for words in COMMANDS[:2]:
        assert "Permission denied" in refusal(machine.run(*words, prefix=obeying_permissions), 7)


def test_a_read_only_folder_in_which_a_killed_writer_left_its_log_is_read(
    machine: Machine, obeying_permissions: list[str]
) -> None:
    machine.here("points", "add", "C1", "5").ok()
    machine.csv("many.csv", (f"C{number},1" for number in range(30_000)))
    process = machine.start(["rpctl", "points", "import", "many.csv"])
    wait_until(lambda: entries(machine.ledger) > 1)
    process.send_signal(signal.SIGKILL)
    finish(process)
    left = entries(machine.ledger)
    machine.ledger.parent.chmod(0o500)
    assert machine.run("points", "balance", "C1", prefix=obeying_permissions).ok().out in ("5\n", "6\n")
    exported = machine.run("ledger", "export", "-o", "jsonl", prefix=obeying_permissions).ok()
    assert len(exported.lines) == left
    machine.ledger.parent.chmod(0o700)
    machine.verified()


# -- a full disk ------------------------------------------------------------------------------------------


def fill(folder: Path) -> Path:
    """Leaves not a byte."""
    path = folder / "fill"
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))
    with path.open("ab", buffering=0) as file, suppress(OSError):
        while True:
            file.write(b"\0")
    return path


def test_on_a_full_disk_nothing_is_lost_and_the_same_command_goes_through_later(
    machine: Machine, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("1m")
    at = ("--ledger", str(disk / "ledger.db"))
    machine.run("points", "add", "C1", "5", *at).ok()
    before = machine.export(*at)
    filled = fill(disk)
    again = ("points", "add", "C1", "7", "--key", "seven", *at)
    for _ in range(2):
        refusal(machine.run(*again), 75)
    error = machine.run(*again, "-o", "json").error
    assert (error["code"], error["retryable"]) == ("storage_full", True)
    filled.unlink()
    assert machine.export(*at) == before
    for _ in range(2):
        assert machine.run(*again, "-o", "json").ok().document["allPointsAfterCreation"] == 12
    assert (machine.verified(*at), machine.balance("C1", *at)) == (2, 12)


def test_no_ledger_can_be_made_on_a_full_disk_and_none_is_left_half_made(
    machine: Machine, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("1m")
    at = ("--ledger", str(disk / "ledger.db"))
    filled = fill(disk)
    refusal(machine.run("points", "add", "C1", "5", "--key", "k", *at), 75)
    assert [one.name for one in disk.iterdir()] == ["fill"]
    filled.unlink()
    machine.run("points", "add", "C1", "5", "--key", "k", *at).ok()
    assert machine.balance("C1", *at) == 5


def test_an_import_that_fills_the_disk_is_finished_by_the_same_command(
    machine: Machine, small_disk: Callable[[str], Path]
) -> None:
    disk = small_disk("8m")
    rows = 40_000
    at = ("--ledger", str(disk / "ledger.db"))
    machine.csv("many.csv", (f"C{number % 1000},{number % 9 + 1}" for number in range(rows)))
    machine.run("points", "add", "C0", "5", *at).ok()
    done = machine.run("points", "import", "many.csv", *at)
    refusal(done, 75)
    assert 1 < entries(disk / "ledger.db") < 1 + rows
    finish(machine.start(["mount", "-o", "remount,size=256m", str(disk)])).ok()
    document = machine.run("points", "import", "many.csv", "-o", "json", *at).ok().document
    assert (document["applied"], document["alreadyApplied"]) == (rows, 0)
    assert machine.verified(*at) == 1 + rows
    assert sum(machine.balances(*at).values()) == 5 + sum(number % 9 + 1 for number in range(rows))


def test_rejects_that_find_no_room_are_not_left_by_halves(machine: Machine, small_disk: Callable[[str], Path]) -> None:
    disk = small_disk("1m")
    (disk / "changes.csv").write_text("customer_id,points,description\nC1,5,\n" + f"C2,x,{'y' * 500}\n" * 900)
    filled = fill(disk)
    refusal(machine.run("points", "import", disk / "changes.csv"), 75)
    assert sorted(one.name for one in disk.iterdir()) == ["changes.csv", "fill"]
    filled.unlink()
    shutil.move(disk / "changes.csv", machine.work)
    done = machine.run("points", "import", "changes.csv", "-o", "json")
    assert (done.status, done.document["refused"]) == (3, 900)
    assert machine.balances() == {"C1": 5}


def test_an_answer_that_finds_no_room_is_told_and_the_key_to_find_out_with_it(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5").ok()
    done = machine.shell("rpctl points add C1 7 -o json >/dev/full")
    assert (done.status, done.error["code"]) == (75, "output_lost")
    key = done.error["hint"].split("--key ")[1].split(":")[0]
    machine.run("points", "add", "C1", "7", "--key", key).ok()
    assert machine.balance("C1") == 12
    for words in ("points summary", "points history C1", "ledger export -o csv", "customer list", "--help"):
        refusal(machine.shell(f"rpctl {words} >/dev/full"), 75)


# -- damage -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger of some size."""
    machine = Machine(tmp_path_factory.mktemp("sound"))
    machine.csv(
        "many.csv",
        (f"C{number},{number % 9 + 1},{'x' * 40}" for number in range(5_000)),
        "customer_id,points,description",
    )
    machine.run("points", "import", "many.csv").ok()
    return machine.ledger


@pytest.mark.parametrize("where", [2, 5, 9])
def test_a_damaged_page_is_found_and_nobody_sees_a_traceback(machine: Machine, sound: Path, where: int) -> None:
    path = machine.work / "damaged.db"
    shutil.copy(sound, path)
    page = path.stat().st_size * where // 10 // 4096 * 4096
    with path.open("r+b") as file:
        file.seek(page)
        file.write(os.urandom(4096))
    verified = machine.run("ledger", "verify", "--ledger", path)
    assert verified.status in (3, 7), verified.err
    for words in [*COMMANDS, ["points", "import", "-"], ["ledger", "backup", "copy.db"], ["points", "summary"]]:
        done = machine.here(*words, "--ledger", path, stdin=b"customer_id,points\nC4000,1\n")
        assert (done.status in (0, 3, 5, 7), "Traceback" in done.err, "Unexpected" in done.err) == (
            True,
            False,
            False,
        ), (
            words,
            done.err,
        )


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.99])
def test_a_ledger_that_was_cut_off_is_found(machine: Machine, sound: Path, keep: float) -> None:
    path = machine.work / "cut.db"
    shutil.copy(sound, path)
    os.truncate(path, int(path.stat().st_size * keep))
    assert machine.run("ledger", "verify", "--ledger", path).status in (3, 7)
    for words in COMMANDS:
        done = machine.here(*words, "--ledger", path)
        assert done.status in (0, 3, 5, 7), (words, done.err)


@pytest.mark.parametrize(
    "harm",
    [
        "UPDATE entries SET points = points + 1 WHERE seq = 100",
        "UPDATE entries SET description = 'another' WHERE seq = 100",
        "UPDATE holdings SET remaining = remaining + 1 WHERE entry = 100",
        "DELETE FROM holdings WHERE entry = 100",
        "UPDATE keys SET key = zeroblob(16) WHERE entry = 100",
        "DELETE FROM entries WHERE seq = 100",
        "UPDATE customers SET open_points = open_points + 1000 WHERE seq = 100",
        "UPDATE entries SET customer = 7 WHERE seq = 100",
    ],
)
def test_a_ledger_that_someone_changed_by_hand_is_found_out(machine: Machine, sound: Path, harm: str) -> None:
    path = machine.work / "changed.db"
    shutil.copy(sound, path)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute(harm).rowcount == 1
        connection.commit()
    done = machine.here("ledger", "verify", "--ledger", path, "-o", "json")
    assert (done.status, len(done.document["problems"]) > 0) == (3, True)


def test_a_damaged_ledger_is_restored_from_its_backup_and_kept(machine: Machine, sound: Path) -> None:
    path = machine.work / "l.db"
    shutil.copy(sound, path)
    at = ("--ledger", str(path))
    machine.run("ledger", "backup", "good.db", *at).ok()
    before = machine.export(*at)
    path.write_bytes(path.read_bytes()[:4096] + os.urandom(path.stat().st_size - 4096))
    damaged = path.read_bytes()
    kept = machine.run("ledger", "restore", "good.db", "--yes", "-o", "json", *at).ok().document["keptBefore"]
    assert machine.export(*at) == before
    assert (machine.work / kept).read_bytes() == damaged
