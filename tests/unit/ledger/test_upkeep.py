"""Looking after the ledger file: what a restore keeps, replaces and refuses; what an erasure leaves; leftovers."""

from __future__ import annotations

import fcntl
import os
import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rpctl.backends.ledger import upkeep
from rpctl.backends.ledger.backend import LedgerBackend
from rpctl.backends.ledger.sql import file
from rpctl.backends.ledger.workplace import sweep, workplace
from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.outcomes import Refused
from rpctl.errors import InvalidFile, LedgerUnusable, NotFound

CONNECT = sqlite3.connect


@pytest.fixture
def other(ledger: LedgerBackend) -> Iterator[LedgerBackend]:
    """Another process's view of the same ledger."""
    backend = LedgerBackend(ledger.path, ledger.setting)
    yield backend
    backend.close()


@pytest.fixture
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who erases waits for readers a tenth as long as in earnest."""
    monkeypatch.setattr("rpctl.backends.ledger.sql.books._LOG_PATIENCE_MS", 100)


def add(backend: LedgerBackend, key: str, customer: str = "C1", points: int = 1) -> None:
    backend.apply([AddPoints(customer, key, points)])


def balance(path: Path, like: LedgerBackend, customer: str = "C1") -> int:
    backend = LedgerBackend(path, like.setting)
    try:
        return backend.active_points(customer)
    finally:
        backend.close()


def contents(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir() if one.is_file()}


# -- restore -----------------------------------------------------------------------------------------------


def test_what_others_write_while_a_restore_keeps_the_old_state_comes_after_the_restore(
    ledger: LedgerBackend, other: LedgerBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    add(ledger, "second", points=10)
    writing = threading.Thread(target=lambda: (add(other, "meanwhile", points=100), other.close()))
    copy = file.copy_file

    def copy_then_let_others_in(*words: object, **named: object) -> None:
        copy(*words, **named)  # type: ignore[arg-type]
        writing.start()
        writing.join(0.5)

    monkeypatch.setattr(file, "copy_file", copy_then_let_others_in)
    monkeypatch.setattr(sqlite3, "connect", lambda *a, **k: CONNECT(*a, **{**k, "check_same_thread": False}))
    kept = upkeep.restore(ledger, tmp_path / "backup.db")
    writing.join()
    assert kept is not None
    assert (balance(kept, ledger), ledger.active_points("C1")) == (11, 101)
    assert list(ledger.verify().problems()) == []


def test_a_restore_whose_copy_of_the_old_state_fails_changes_nothing(
    ledger: LedgerBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    add(ledger, "second")
    failure = OSError(28, "No space left on device")

    def fail(*words: object, **named: object) -> None:
        raise failure

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr(file, "copy_file", fail)
        upkeep.restore(ledger, tmp_path / "backup.db")
    assert ledger.active_points("C1") == 2
    add(ledger, "third")
    assert ledger.active_points("C1") == 3


def test_two_restores_in_one_millisecond_keep_both_states(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    add(ledger, "second")
    kept = [upkeep.restore(ledger, tmp_path / "backup.db") for _ in range(2)]
    assert [balance(one, ledger) for one in kept if one] == [2, 1]


def test_a_restore_makes_a_ledger_where_there_is_none(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    new = LedgerBackend(tmp_path / "new" / "l.db", ledger.setting)
    assert upkeep.restore(new, tmp_path / "backup.db") is None
    assert new.active_points("C1") == 1
    new.close()


def test_a_restore_goes_where_a_link_leads(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    add(ledger, "second")
    ledger.close()
    damage(ledger.path)
    link = tmp_path / "links" / "link.db"
    link.parent.mkdir()
    link.symlink_to(ledger.path)
    linked = LedgerBackend(link, ledger.setting)
    upkeep.restore(linked, tmp_path / "backup.db")
    linked.close()
    assert link.is_symlink()
    assert ledger.active_points("C1") == 1


def damage(path: Path) -> None:
    """Leaves the header, and nothing behind it that SQLite can read."""
    content = path.read_bytes()
    path.write_bytes(content[:100] + b"\xff" * (len(content) - 100))


def test_a_damaged_ledger_is_replaced_and_kept_to_the_byte_with_its_log(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    ledger.close()
    damage(ledger.path)
    damaged = ledger.path.read_bytes()
    log = ledger.path.with_name("ledger.db-wal")
    log.write_bytes(b"what a killed process left")
    kept = upkeep.restore(ledger, tmp_path / "backup.db")
    assert kept is not None
    assert kept.read_bytes() == damaged
    assert kept.with_name(kept.name + "-wal").read_bytes() == b"what a killed process left"
    assert {oct(one.stat().st_mode & 0o777) for one in (kept, kept.with_name(kept.name + "-wal"))} == {"0o600"}
    assert ledger.active_points("C1") == 1
    assert list(ledger.verify().problems()) == []


def test_a_damaged_ledger_is_replaced_when_nobody_has_it_open_any_more(
    ledger: LedgerBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    ledger.close()
    damage(ledger.path)
    before = ledger.path.read_bytes()
    monkeypatch.setattr(file, "BUSY_TIMEOUT_S", 0.1)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        with ledger.path.open("rb") as held:
            fcntl.lockf(held, fcntl.LOCK_SH, 510, 0x40000002)  # as SQLite does for as long as a ledger is open
            os.write(writer, b".")
            threading.Event().wait(60)
        os._exit(0)
    try:
        os.read(reader, 1)
        with pytest.raises(file.LedgerBusy):
            upkeep.restore(ledger, tmp_path / "backup.db")
        assert ledger.path.read_bytes() == before
        assert not list(tmp_path.glob("*before-restore*"))
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)
    upkeep.restore(ledger, tmp_path / "backup.db")
    assert ledger.active_points("C1") == 1


def text(path: Path) -> None:
    path.write_text("dear diary\n" * 100)


def newer(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.executescript("PRAGMA application_id = 0x52504C47; PRAGMA user_version = 99; CREATE TABLE a (b)")


def another_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE a (b)")


REFUSED: dict[str, Callable[[Path], object]] = {
    "a text": text,
    "a newer ledger": newer,
    "another database": another_database,
    "an empty file": lambda path: path.touch(),
    "a link to nowhere": lambda path: path.symlink_to("nowhere"),
    "a folder": lambda path: path.mkdir(),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("how", [upkeep.check_restore, upkeep.restore])
def test_a_restore_replaces_nothing_but_a_ledger_of_ours(
    ledger: LedgerBackend, tmp_path: Path, what: str, how: Callable[[LedgerBackend, Path], object]
) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    place = tmp_path / "place"
    place.mkdir()
    REFUSED[what](place / "found.db")
    before = contents(place)
    with pytest.raises(LedgerUnusable):
        how(LedgerBackend(place / "found.db", ledger.setting), tmp_path / "backup.db")
    assert contents(place) == before
    assert [one.name for one in place.iterdir()] == ["found.db"]


def test_a_restore_does_not_replace_a_read_only_ledger(
    ledger: LedgerBackend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    add(ledger, "second")
    ledger.close()
    before = contents(tmp_path)
    monkeypatch.setattr(file, "is_writable", lambda path: False)
    for how in (upkeep.check_restore, upkeep.restore):
        with pytest.raises(LedgerUnusable, match="read-only"):
            how(ledger, tmp_path / "backup.db")
    assert contents(tmp_path) == before


def test_a_file_with_our_header_and_no_tables_is_no_backup(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first")
    with closing(sqlite3.connect(tmp_path / "backup.db")) as db:
        db.executescript("PRAGMA application_id = 0x52504C47; PRAGMA user_version = 1")
    with pytest.raises(InvalidFile, match="not an rpctl ledger"):
        upkeep.restore(ledger, tmp_path / "backup.db")
    assert ledger.active_points("C1") == 1


# -- whose fault it is -------------------------------------------------------------------------------------


def test_what_is_wrong_with_a_copy_or_a_backup_is_said_of_it(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first")
    with pytest.raises(LedgerUnusable) as caught:
        upkeep.backup(ledger, tmp_path / "nodir" / "x.db")
    assert caught.value.message == f"The copy {tmp_path}/nodir/x.db cannot be written: No such file or directory."
    assert caught.value.hint == "Check the permissions of its folder, or name another file."
    with pytest.raises(InvalidFile) as missing:
        upkeep.restore(ledger, tmp_path / "none.db")
    assert missing.value.message == f"The backup {tmp_path}/none.db cannot be read: No such file or directory."


def test_a_damaged_ledger_is_said_to_be_damaged_when_it_is_copied(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first")
    ledger.close()
    damage(ledger.path)
    with pytest.raises(LedgerUnusable, match=f"The ledger {ledger.path} is damaged"):
        upkeep.backup(ledger, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


# -- erasure -----------------------------------------------------------------------------------------------


@pytest.fixture
def careless_build(monkeypatch: pytest.MonkeyPatch) -> None:
    """SQLite as built without SECURE_DELETE: free space keeps what was in it unless one asks."""

    def connect(*words: object, **named: object) -> sqlite3.Connection:
        connection: sqlite3.Connection = CONNECT(*words, **named)  # type: ignore[call-overload]
        connection.execute("PRAGMA secure_delete = OFF")
        return connection

    monkeypatch.setattr(sqlite3, "connect", connect)


def test_every_connection_overwrites_what_it_frees(careless_build: None, ledger: LedgerBackend) -> None:
    add(ledger, "first")
    for write in (True, False):
        ledger.close()
        connection = ledger.balances(write=write).connection
        assert connection.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_pages_split_before_a_deletion_keep_no_copy_of_the_id(careless_build: None, ledger: LedgerBackend) -> None:
    shuffled = random.Random(3)
    ids = [f"person-{shuffled.randrange(10**8):08d}-{'x' * shuffled.randrange(30)}" for _ in range(3000)]
    for at in range(0, len(ids), 500):
        ledger.apply([AddPoints(one, f"key of {one}", 1) for one in ids[at : at + 500]], entries=False)
    gone = shuffled.sample(ids, 100)
    for customer_id in gone:
        ledger.delete_customer(customer_id)
    ledger.close()
    content = ledger.path.read_bytes()
    assert [one for one in gone if one[:15].encode() in content] == []


def in_files(folder: Path, text: str) -> list[str]:
    """The files of the folder that hold the text."""
    return sorted(name for name, content in contents(folder).items() if text.encode() in content)


@pytest.mark.usefixtures("_hasty")
def test_a_deletion_while_someone_reads_says_soon_that_the_log_is_not_empty(
    ledger: LedgerBackend, other: LedgerBackend, tmp_path: Path
) -> None:
    add(ledger, "first", "Personal-Name")
    summaries = other.balances().connection
    summaries.execute("BEGIN")
    summaries.execute("SELECT * FROM entries").fetchall()
    started = time.monotonic()
    tombstone = ledger.delete_customer("Personal-Name")
    assert (tombstone.erased_fully, tombstone.points_left) == (False, 1)
    assert time.monotonic() - started < 10
    assert in_files(tmp_path, "Personal-Name") != []
    assert not upkeep.empty_log(ledger)
    summaries.execute("COMMIT")  # the process stays, and has the ledger open
    assert upkeep.empty_log(ledger)
    assert in_files(tmp_path, "Personal-Name") == []


@pytest.mark.usefixtures("_hasty")
def test_a_later_deletion_finishes_an_earlier_one(ledger: LedgerBackend, other: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first", "Personal-Name")
    add(ledger, "second", "Another-Name")
    reading = other.balances().connection
    reading.execute("BEGIN")
    reading.execute("SELECT * FROM entries").fetchall()
    assert not ledger.delete_customer("Personal-Name").erased_fully
    reading.execute("COMMIT")
    assert ledger.delete_customer("Another-Name").erased_fully
    assert in_files(tmp_path, "-Name") == []


@pytest.mark.usefixtures("_hasty")
def test_the_last_to_close_the_ledger_finishes_a_deletion(
    ledger: LedgerBackend, other: LedgerBackend, tmp_path: Path
) -> None:
    add(ledger, "first", "Personal-Name")
    reading = other.balances().connection
    reading.execute("BEGIN")
    reading.execute("SELECT * FROM entries").fetchall()
    assert not ledger.delete_customer("Personal-Name").erased_fully
    ledger.close()
    assert in_files(tmp_path, "Personal-Name") != []
    other.close()
    assert in_files(tmp_path, "Personal-Name") == []


def test_a_deletion_alone_is_complete(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first", "Personal-Name")
    assert ledger.delete_customer("Personal-Name").erased_fully
    assert in_files(tmp_path, "Personal-Name") == []


@pytest.mark.usefixtures("_hasty")
def test_a_log_that_is_not_empty_is_nothing_to_speak_of_without_a_deletion(
    ledger: LedgerBackend, other: LedgerBackend
) -> None:
    assert upkeep.empty_log(ledger)
    add(ledger, "first")
    reading = other.balances().connection
    reading.execute("BEGIN")
    reading.execute("SELECT * FROM entries").fetchall()
    add(ledger, "second")
    assert upkeep.empty_log(ledger)


def test_copies_beside_the_ledger_are_named(ledger: LedgerBackend, tmp_path: Path) -> None:
    assert upkeep.copies_beside(ledger.path) == []
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    kept = upkeep.restore(ledger, tmp_path / "backup.db")
    (tmp_path / "ledger.db.v1.bak").touch()
    (tmp_path / "ledger.db.v1.bak1").touch()
    (tmp_path / "other.db.v1.bak").touch()
    copies = [kept, tmp_path / "ledger.db.v1.bak", tmp_path / "ledger.db.v1.bak1"]
    assert upkeep.copies_beside(ledger.path) == copies
    link = tmp_path / "links"
    link.mkdir()
    (link / "link.db").symlink_to(ledger.path)
    assert upkeep.copies_beside(link / "link.db") == copies


# -- leftovers ---------------------------------------------------------------------------------------------


@pytest.fixture
def killed(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Leaves in the folder what a process that is killed leaves; or one that goes on, with ``alive``."""
    children: list[int] = []

    def leave(purpose: str, *, alive: bool = False) -> Path:
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            with workplace(tmp_path, purpose) as place:
                (place / "ledger.db").write_text("Personal-Name")
                os.write(writer, place.name.encode())
                threading.Event().wait(60)
            os._exit(0)
        place = tmp_path / os.read(reader, 100).decode()
        os.close(reader)
        os.close(writer)
        if alive:
            children.append(child)
        else:
            os.kill(child, 9)
            os.waitpid(child, 0)
        assert (place / "ledger.db").read_text() == "Personal-Name"
        return place

    yield leave
    for child in children:
        os.kill(child, 9)
        os.waitpid(child, 0)


DOINGS: dict[str, Callable[[LedgerBackend, Path], object]] = {
    "a dry run": lambda ledger, folder: ledger.rehearsal().__enter__() and None,
    "a backup": lambda ledger, folder: upkeep.backup(ledger, folder / "another.db"),
    "a restore": lambda ledger, folder: upkeep.restore(ledger, folder / "backup.db"),
    "a deletion": lambda ledger, folder: ledger.delete_customer("C1"),
    "a new ledger": lambda ledger, folder: add(LedgerBackend(folder / "new.db", ledger.setting), "first"),
}


@pytest.mark.parametrize("doing", DOINGS)
def test_what_killed_processes_left_is_swept_up_and_what_is_in_use_stays(
    ledger: LedgerBackend, tmp_path: Path, killed: Callable[..., Path], doing: str
) -> None:
    add(ledger, "first")
    upkeep.backup(ledger, tmp_path / "backup.db")
    left = [killed("rehearsal"), killed("new")]
    used = killed("rehearsal", alive=True)
    DOINGS[doing](ledger, tmp_path)
    assert [place.exists() for place in left] == [False, False]
    assert (used / "ledger.db").exists()


def test_ordinary_work_looks_for_no_leftovers(
    ledger: LedgerBackend, killed: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    add(ledger, "first")
    ledger.close()
    left = killed("rehearsal")
    add(ledger, "second")
    assert ledger.active_points("C1") == 2
    assert left.exists()


def test_leftovers_of_others_and_links_are_not_swept_up(
    tmp_path: Path, killed: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = killed("rehearsal")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "file").touch()
    (tmp_path / ".rpctl-new-link").symlink_to(elsewhere)
    (tmp_path / ".rpctl-new-file").touch()
    (tmp_path / ".rpctl-config").mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(os, "geteuid", lambda: -2)
        sweep(tmp_path)
    assert theirs.exists()
    sweep(tmp_path)
    assert not theirs.exists()
    assert (elsewhere / "file").exists()
    assert sorted(one.name for one in tmp_path.iterdir()) == [
        ".rpctl-config",
        ".rpctl-new-file",
        ".rpctl-new-link",
        "elsewhere",
    ]


def test_a_folder_that_was_swept_up_before_it_was_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, taken = fcntl.flock, []

    def be_late(descriptor: int, how: int) -> None:
        if not taken:
            (early,) = tmp_path.iterdir()
            taken.append(early)
            early.rmdir()
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", be_late)
    with workplace(tmp_path) as place:
        assert (place.is_dir(), place == taken[0]) == (True, False)
    assert list(tmp_path.iterdir()) == []


def test_a_rehearsal_is_for_its_owner_alone_and_gone_at_the_end(ledger: LedgerBackend, tmp_path: Path) -> None:
    add(ledger, "first")
    with ledger.rehearsal() as copy:
        add(copy, "second")  # type: ignore[arg-type]
        (place,) = tmp_path.glob(".rpctl-*")
        assert oct(place.stat().st_mode & 0o777) == "0o700"
        assert copy.active_points("C1") == 2
    assert ledger.active_points("C1") == 1
    assert not list(tmp_path.glob(".rpctl-*"))


# -- what makes a ledger -----------------------------------------------------------------------------------


CHANGING_WHAT_IS_THERE: dict[str, Callable[[LedgerBackend], object]] = {
    "redeeming": lambda ledger: refused(ledger, RedeemPoints("C1", "k", 5)),
    "exchanging": lambda ledger: refused(ledger, RedeemPoints("C1", "k", option_id="o")),
    "reversing": lambda ledger: refused(ledger, Reverse("C1", "0" * 32, "k")),
    "adding to an existing customer": lambda ledger: refused(
        ledger, AddPoints("C1", "k", 5, customers=Customers.EXISTING)
    ),
    "deleting a customer": lambda ledger: ledger.delete_customer("C1"),
    "updating an option": lambda ledger: ledger.update_option("o", 1, OPTION),
    "deleting an option": lambda ledger: ledger.delete_option("o"),
}
OPTION = {"name": "A", "points": 10, "coupon": {"name": "T", "discountType": "PERCENT", "discountPercentage": 10}}


def refused(ledger: LedgerBackend, change: Change) -> None:
    (outcome,) = ledger.apply([change])
    assert isinstance(outcome, Refused)
    raise outcome.error


@pytest.mark.parametrize("what", CHANGING_WHAT_IS_THERE)
def test_what_only_changes_what_is_there_makes_no_ledger(ledger: LedgerBackend, tmp_path: Path, what: str) -> None:
    named = LedgerBackend(tmp_path / "new" / "typo.db", ledger.setting, must_exist=True)
    with pytest.raises(LedgerUnusable, match="There is no ledger"):
        CHANGING_WHAT_IS_THERE[what](named)
    with pytest.raises(NotFound):
        CHANGING_WHAT_IS_THERE[what](ledger)
    assert list(tmp_path.iterdir()) == []
    add(ledger, "first")
    assert balance(ledger.path, ledger) == 1


MAKING: dict[str, Callable[[LedgerBackend], object]] = {
    "adding": lambda ledger: add(ledger, "k"),
    "creating a customer with points": lambda ledger: ledger.apply(
        [RedeemPoints("C2", "r", 5), AddPoints("C1", "k", 5, customers=Customers.NEW)]
    ),
    "creating a customer": lambda ledger: ledger.create_customer("C1"),
    "creating an option": lambda ledger: ledger.create_option(OPTION),
    "setting the program": lambda ledger: ledger.set_program("main", {"enabled": True}),
}


@pytest.mark.parametrize("what", MAKING)
def test_what_creates_something_makes_the_ledger(ledger: LedgerBackend, what: str) -> None:
    named = LedgerBackend(ledger.path, ledger.setting, must_exist=True)
    MAKING[what](named)
    named.close()
    assert ledger.path.exists()
