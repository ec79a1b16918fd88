"""The journal: what it keeps, for whom, and what it does to files that are none."""

from __future__ import annotations

import multiprocessing
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rpctl.backends.port import Sending
from rpctl.delivery.journal import Delivery, Journal, State
from rpctl.errors import DeliveryUnderWay, JournalBusy, JournalUnusable

SENDING = Sending("add", "C1", 50, "id-1", "rp-1", description="späte Sendung\n2", valid_until=2**62)
ROW = Delivery("k1", "f" * 64, State.SENDING, 1_700_000_000_000, SENDING)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    one = Journal(tmp_path / "state/journal.db", "https://a shop")
    yield one
    one.close()


def test_a_row_comes_back_as_it_was_written(journal: Journal) -> None:
    journal.write(ROW)

    assert journal.find("k1") == ROW
    assert journal.find("k2") is None


def test_a_key_has_one_row(journal: Journal) -> None:
    journal.write(ROW)
    journal.write(ROW._replace(state=State.APPLIED))

    found = journal.find("k1")
    assert found is not None
    assert (found.state, found.is_open) == (State.APPLIED, False)


def test_what_is_open_is_told_by_customer_in_the_order_of_sending(journal: Journal) -> None:
    rows = [("a", State.SENDING, 3), ("b", State.UNKNOWN, 1), ("c", State.APPLIED, 2), ("d", State.PLANNED, 0)]
    for key, state, at in [*rows, ("e", State.REFUSED, 0)]:
        journal.write(ROW._replace(key=key, state=state, sent_at=at))
    journal.write(ROW._replace(key="z", sending=SENDING._replace(customer_id="C2")))

    assert [row.key for row in journal.unsettled("C1")] == ["b", "a"]
    assert [row.key for row in journal.all_unsettled()] == ["b", "a", "z"]


def test_targets_do_not_see_each_other(journal: Journal) -> None:
    journal.write(ROW)
    journal.learn("add", {"id": 1})
    with closing(Journal(journal.path, "https://a other")) as other:
        assert (other.find("k1"), other.all_unsettled(), other.markers("add")) == (None, [], {})


def test_what_was_learned_is_kept_by_kind_and_can_change(journal: Journal) -> None:
    journal.learn("add", {"id": 1, "description": 60})
    journal.learn("add", {"id": 0})

    assert journal.markers("add") == {"id": 0, "description": 60}
    assert journal.markers("redeem") == {}


def test_a_row_is_on_disk_before_write_returns(journal: Journal) -> None:
    journal.write(ROW)

    with closing(sqlite3.connect(journal.path)) as other:
        assert other.execute("SELECT key, state FROM deliveries").fetchall() == [("k1", "sending")]
        assert other.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._connection().execute("PRAGMA synchronous").fetchone() == (2,)


def test_files_are_private(journal: Journal) -> None:
    journal.write(ROW)
    with journal.claim("k1"):
        kept = {path.name: path.stat().st_mode & 0o777 for path in journal.path.parent.iterdir()}

    assert set(kept.values()) == {0o600}
    assert journal.path.parent.stat().st_mode & 0o777 == 0o700


def _claim(path: Path, key: str, told: multiprocessing.Queue[str]) -> None:
    with closing(Journal(path, "https://a shop")) as other:
        try:
            with other.claim(key):
                told.put("claimed")
        except DeliveryUnderWay as busy:
            told.put(busy.message)


def told_by_another(path: Path, key: str) -> str:
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[str] = context.Queue()
    process = context.Process(target=_claim, args=(path, key, told))
    process.start()
    said = told.get(timeout=20)
    process.join(timeout=20)
    return said


def test_a_key_is_claimed_by_one_process_and_freed_at_the_end(journal: Journal) -> None:
    with journal.claim("k1"):
        with journal.claim("k2"):
            pass  # letting go of one key lets go of no other
        assert "is sending the change with the key k1" in told_by_another(journal.path, "k1")
        assert told_by_another(journal.path, "k2") == "claimed"
    assert told_by_another(journal.path, "k1") == "claimed"


@pytest.mark.parametrize("content", [b"no journal", b"SQLite format 3\0 but broken"])
def test_a_file_that_is_none_is_left_as_it_is(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(content)
    with closing(Journal(path, "t")) as journal, pytest.raises(JournalUnusable):
        journal.find("k1")

    assert path.read_bytes() == content


@pytest.mark.parametrize(("kind", "version", "why"), [(0x72706A6C, 9, "is newer"), (7, 1, "is no journal")])
def test_a_newer_journal_and_another_database_are_left_as_they_are(
    kind: int, version: int, why: str, tmp_path: Path
) -> None:
    path = tmp_path / "journal.db"
    with closing(sqlite3.connect(path)) as made:
        made.executescript(f"PRAGMA application_id={kind}; PRAGMA user_version={version}; CREATE TABLE t (x)")
    before = path.read_bytes()
    with closing(Journal(path, "t")) as journal, pytest.raises(JournalUnusable, match=why):
        journal.find("k1")

    assert path.read_bytes() == before


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with closing(Journal(tmp_path / "file/journal.db", "t")) as journal, pytest.raises(JournalUnusable):
        journal.write(ROW)


def test_a_deleted_customer_is_forgotten_and_the_keys_are_not(journal: Journal) -> None:
    for key, state in (("done", State.APPLIED), ("open", State.SENDING), ("none", State.REFUSED)):
        journal.write(ROW._replace(key=key, state=state, sending=SENDING._replace(reverses="entry of C1")))
    journal.write(ROW._replace(key="other", state=State.APPLIED, sending=SENDING._replace(customer_id="C2")))
    journal.forget("C1")

    for key in ("done", "open", "none"):
        found = journal.find(key)
        assert found is not None
        assert (found.is_forgotten, found.is_open, found.fingerprint) == (True, False, ROW.fingerprint)
        assert found.sending.description is None
    other = journal.find("other")
    assert other is not None
    assert not other.is_forgotten
    journal.close()
    assert b"C1" not in b"".join(path.read_bytes() for path in journal.path.parent.iterdir())


@pytest.mark.parametrize(
    ("state", "is_told"),
    [
        (State.APPLIED, True),
        (State.SENDING, True),
        (State.UNKNOWN, True),
        (State.REFUSED, False),
        (State.PLANNED, False),
    ],
)
def test_what_takes_an_entry_back_is_known_by_the_entry(state: State, is_told: bool, journal: Journal) -> None:
    journal.write(ROW._replace(state=state, sending=SENDING._replace(reverses="e1")))

    assert (journal.reversal_of("e1") is not None) is is_told
    assert journal.reversal_of("e2") is None


def test_a_journal_that_another_process_keeps_is_busy_and_not_unusable(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.journal._BUSY_S", 0.05)
    journal.write(ROW)
    journal.close()
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalBusy):
            journal.write(ROW)
