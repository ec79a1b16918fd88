"""Import runs in the journal: what is recorded of them, who may work on one, what is forgotten; and the upgrade of the
file."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.port import FileContent, Sending
from rpctl.delivery.journal import Delivery, Journal, State
from rpctl.delivery.runs import JournalRuns
from rpctl.domain.values import parse_instant
from rpctl.errors import ImportUnderWay, JournalBusy, JournalUnusable, RunNotFound
from rpctl.importing.request import request_of

TARGET = "https://a shop"
NOON = parse_instant("2026-03-01T12:00:00Z")
CONTENT = FileContent(b"\x01" * 32, 0, b"sample", "")
REQUEST = {"path": "/home/jane/points.csv", "spooled": False, "options": {"set": {"description": "Jane's"}}}
REPORT = {"file": "/home/jane/points.csv", "applied": 3, "alreadyApplied": 1, "rejectsFile": "/home/jane/r.csv"}
SENDING = Sending("add", "C1", 50, "id-1", "rp-1", description="for Jane", reference_id="order of Jane")


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    with closing(Journal(tmp_path / "state/journal.db", TARGET)) as one:
        yield one


@pytest.fixture
def runs(journal: Journal) -> JournalRuns:
    return JournalRuns(journal)


def start(runs: JournalRuns, run: str = "run1", at: int = NOON, content: FileContent = CONTENT) -> None:
    runs.start_run(run, at, "/home/jane/points.csv", content, REPORT, REQUEST)


def row(line: int, state: State, run: str | None = "run1", **more: Any) -> Delivery:
    told = ("rule", "Jane has none") if state in (State.REFUSED, State.UNKNOWN) else None
    sent_at = 0 if state is State.PLANNED else NOON + line
    return Delivery(f"k{line}", "f" * 64, state, sent_at, SENDING._replace(**more), "", run, line, told)


ALL = [row(line, state) for line, state in enumerate(State, 2)]


def kept_text(journal: Journal) -> bytes:
    """What is in the file and in SQLite's log beside it."""
    return b"".join(path.read_bytes() for path in journal.path.parent.iterdir())


# -- recorded ---------------------------------------------------------------------------------------------


def test_a_run_comes_back_as_it_was_recorded(runs: JournalRuns) -> None:
    start(runs)
    kept = runs.kept_run("ru")

    assert (kept.run, kept.started_at, kept.finished_at, kept.content) == ("run1", NOON, None, CONTENT)
    assert (kept.report, kept.request, kept.undo) == (REPORT, REQUEST, None)
    assert runs.run("run1")["state"] == "unfinished"


def test_how_a_run_ended_is_recorded(runs: JournalRuns) -> None:
    start(runs)
    runs.save_run("run1", {**REPORT, "applied": 4}, None)
    assert (runs.run("run1")["applied"], runs.run("run1")["state"]) == (4, "unfinished")
    runs.save_run("run1", {**REPORT, "applied": 5}, NOON + 1000)

    shown = runs.run("run1")
    assert (shown["applied"], shown["state"], shown["finishedAt"]) == (5, "finished", "2026-03-01T12:00:01.000Z")


def test_runs_are_told_the_latest_first(runs: JournalRuns) -> None:
    for run, at in (("b", NOON), ("a", NOON + 5), ("c", NOON)):
        start(runs, run, at)

    assert [one["run"] for one in runs.runs()] == ["a", "c", "b"]
    earlier = list(runs.earlier_runs())
    assert [one.run for one in earlier] == ["a", "c", "b"]
    assert (earlier[0].applied, earlier[0].own, earlier[0].finished, earlier[0].content) == (4, 3, False, CONTENT)


def test_an_id_that_none_or_several_have_is_told(runs: JournalRuns) -> None:
    with pytest.raises(RunNotFound):
        runs.run("x")
    start(runs, "ab1")
    start(runs, "ab2")
    with pytest.raises(RunNotFound, match="2 import runs begin"):
        runs.kept_run("ab")
    with pytest.raises(RunNotFound):
        runs.kept_run("x")
    with pytest.raises(RunNotFound):
        runs.go_on("x", REQUEST)


def test_targets_do_not_see_each_others_runs(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    journal.write_all(ALL)
    with closing(Journal(journal.path, "https://a other")) as elsewhere:
        others = JournalRuns(elsewhere)
        assert (others.runs(), list(others.earlier_runs())) == ([], [])
        assert (list(others.rows("run1")), sum(others.states("run1").values())) == ([], 0)
        assert (others.has_entries("run1"), others.unsettled("run1")) == (False, 0)
        others.save_run("run1", {"applied": 99}, NOON)
        for asked in (others.run, others.kept_run, others.forget_request):
            with pytest.raises(RunNotFound):
                asked("run1")
        with pytest.raises(RunNotFound):
            others.go_on("run1", {})

    assert runs.kept_run("run1").report == REPORT
    assert runs.kept_run("run1").request == REQUEST


def test_reading_makes_no_file(journal: Journal, runs: JournalRuns) -> None:
    assert (runs.runs(), list(runs.earlier_runs()), runs.has_entries("r"), list(runs.rows("r"))) == ([], [], False, [])
    assert (sum(runs.states("r").values()), runs.unsettled("r")) == (0, 0)
    runs.empty_log()
    with pytest.raises(RunNotFound):
        runs.kept_run("r")

    assert not journal.path.parent.exists()


def test_what_goes_on_is_told_how_many_of_its_rows_are_in(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    assert not runs.has_entries("run1")
    others = [row(20, State.APPLIED, "run2"), row(21, State.APPLIED, None), row(22, State.APPLIED, reverses="id-1")]
    journal.write_all([*ALL, *others])
    so_far = runs.go_on("run1", {**REQUEST, "path": None})

    assert so_far.entries == 1
    assert so_far.last_position >= 2**62
    assert runs.has_entries("run1")
    assert runs.kept_run("run1").request == {**REQUEST, "path": None}


def test_what_was_reversed_or_refused_is_no_entry(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    journal.write_all([one for one in ALL if one.state in (State.PLANNED, State.REFUSED)])
    journal.write(row(22, State.APPLIED, reverses="id-1"))

    assert not runs.has_entries("run1")


@pytest.mark.parametrize("state", [State.SENDING, State.UNKNOWN])
def test_what_may_be_in_may_count(state: State, journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    journal.write(row(2, state))

    assert runs.has_entries("run1")


def test_the_report_of_a_stopped_run_waits_for_nobody(
    journal: Journal, runs: JournalRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.journal._BUSY_S", 1.0)
    start(runs)
    with closing(sqlite3.connect(journal.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        for at_once in (True, False):
            began_s = time.monotonic()
            with pytest.raises(JournalBusy):
                runs.save_run("run1", REPORT, None, at_once=at_once)
            assert (time.monotonic() - began_s < 0.8) is at_once
    runs.save_run("run1", REPORT, NOON)


def test_what_fails_half_way_is_taken_back(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    with pytest.raises(ZeroDivisionError), journal.transaction() as connection:
        connection.execute("DELETE FROM import_runs")
        raise ZeroDivisionError
    with pytest.raises(JournalUnusable):  # the same id twice
        start(runs)

    assert len(runs.runs()) == 1


def test_a_report_is_kept_together_with_what_is_settled(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    journal.write_all([row(2, State.SENDING)])
    journal.write_all([], [row(2, State.APPLIED)], ("run1", '{"applied": 7}'))

    assert runs.kept_run("run1").report == {"applied": 7}
    assert runs.states("run1")["applied"] == 1


# -- rows -------------------------------------------------------------------------------------------------


def test_rows_are_told_in_the_order_of_the_file(journal: Journal, runs: JournalRuns) -> None:
    journal.write_all(reversed(ALL))
    journal.write_all([row(30, State.APPLIED, kind="redeem"), row(7, State.APPLIED, kind="create", points=7)])
    rows = list(runs.rows("run1"))

    assert [one.line for one in rows] == [2, 3, 4, 5, 6, 7, 30]
    assert [one.operation for one in rows][-2:] == ["add", "redeem"]
    assert [one.state for one in rows][:5] == list(State)
    first, refused = rows[0], rows[3]
    assert (first.sent_at, first.told, first.customer_id, first.points, first.key) == (None, None, "C1", 50, "k2")
    assert (refused.sent_at, refused.told) == (NOON + 5, ("rule", "Jane has none"))


def test_rows_can_be_picked_by_their_state(journal: Journal, runs: JournalRuns) -> None:
    journal.write_all(ALL)

    assert [one.line for one in runs.rows("run1", [State.UNKNOWN, State.REFUSED])] == [5, 6]
    assert list(runs.rows("run1", [])) == []


def test_states_are_counted_and_all_are_named(journal: Journal, runs: JournalRuns) -> None:
    journal.write_all([*ALL, row(9, State.APPLIED), row(10, State.APPLIED, reverses="id-1")])

    assert runs.states("run1") == {"planned": 1, "sending": 1, "applied": 2, "refused": 1, "unknown": 1}


def test_what_a_deleted_customer_left_is_no_row(journal: Journal, runs: JournalRuns) -> None:
    journal.write_all([*ALL, row(9, State.APPLIED, customer_id="C2"), row(10, State.APPLIED, reverses="id-1")])
    journal.forget("C1")

    assert [one.line for one in runs.rows("run1")] == [9]
    assert runs.states("run1") == {"planned": 0, "sending": 0, "applied": 1, "refused": 0, "unknown": 0}


def test_rows_are_found_by_their_run_alone(journal: Journal, runs: JournalRuns) -> None:
    asked: list[str] = []
    with journal.reading() as connection:
        connection.set_trace_callback(asked.append)
        list(runs.rows("run1"))
        runs.states("run1")
        runs.has_entries("run1")
        runs.unsettled("run1")
        connection.set_trace_callback(None)
        plans = [
            step[3] for sql in asked if "deliveries" in sql for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
        ]

    assert sum("of_run" in plan for plan in plans) == 4
    assert not [plan for plan in plans if "ORDER BY" in plan or "SCAN deliveries" in plan or "PRIMARY KEY" in plan]


# -- claimed ----------------------------------------------------------------------------------------------


def _claim(path: Path, target: str, content: bytes, told: multiprocessing.Queue[Any]) -> None:
    with closing(Journal(path, target)) as journal:
        try:
            with JournalRuns(journal).claim(content, wait=False):
                told.put("claimed")
        except ImportUnderWay as busy:
            told.put(busy.details["pid"])


def told_by_another(path: Path, target: str, content: bytes) -> Any:
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[Any] = context.Queue()
    process = context.Process(target=_claim, args=(path, target, content, told))
    process.start()
    said = told.get(timeout=20)
    process.join(timeout=20)
    return said


def test_a_file_is_claimed_by_one_process_for_these_books(journal: Journal, runs: JournalRuns) -> None:
    mine, other = b"\x01" * 32, b"\x02" * 32
    with runs.claim(mine, wait=False):
        with JournalRuns(journal).claim(other, wait=False):
            pass  # letting go of one lets go of no other
        assert told_by_another(journal.path, TARGET, mine) == os.getpid()
        assert told_by_another(journal.path, TARGET, other) == "claimed"
        assert told_by_another(journal.path, "https://a other", mine) == "claimed"
    assert told_by_another(journal.path, TARGET, mine) == "claimed"
    assert journal.path.with_name("journal.db-imports").stat().st_mode & 0o777 == 0o600


def test_beside_what_is_no_journal_nothing_is_made(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    path.write_bytes(b"no journal")
    with closing(Journal(path, TARGET)) as journal:
        claim = JournalRuns(journal).claim(b"\x01" * 32, wait=False)
        with pytest.raises(JournalUnusable), claim:
            pass

    assert [one.name for one in tmp_path.iterdir()] == ["journal.db"]


# -- forgotten --------------------------------------------------------------------------------------------


def test_what_is_forgotten_is_text_and_nothing_that_guards(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    runs.save_run("run1", REPORT, NOON + 1)
    settled = [row(2, State.SENDING), row(3, State.SENDING), row(4, State.SENDING)]
    journal.write_all(settled)  # each writing of a row leaves the one before in the file
    states = (State.APPLIED, State.REFUSED, State.PLANNED)
    after = [one._replace(state=state) for one, state in zip(settled, states, strict=True)]
    journal.write_all([one._replace(told=("rule", "Jane has none")) for one in after])
    runs.forget_request("run1")
    runs.empty_log()

    kept = runs.kept_run("run1")
    assert (kept.request, kept.undo, kept.file, kept.content, kept.finished_at) == (
        None, None, "points.csv", CONTENT, NOON + 1,
    )  # fmt: skip
    assert kept.report == {**REPORT, "file": "points.csv", "rejectsFile": None}
    bare = SENDING._replace(description=None, reference_id=None)
    assert [journal.find(one.key) for one in after] == [one._replace(sending=bare, told=("rule", "")) for one in after]
    text = kept_text(journal)
    assert b"Jane" not in text
    assert b"jane" not in text


def test_other_runs_and_single_changes_keep_their_text(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    start(runs, "run2")
    others = [row(20, State.APPLIED, "run2"), row(21, State.REFUSED, None)]
    journal.write_all([row(2, State.APPLIED), *others])
    runs.forget_request("run1")

    assert runs.kept_run("run2").request == REQUEST
    assert [journal.find(one.key) for one in others] == others


def test_what_may_have_to_be_sent_again_keeps_its_text(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    open_rows = [row(2, State.SENDING), row(3, State.UNKNOWN)]
    journal.write_all([*open_rows, row(4, State.APPLIED)])
    runs.forget_request("run1")

    assert [journal.find(one.key) for one in open_rows] == open_rows
    assert runs.unsettled("run1") == 2
    request = runs.kept_run("run1").request  # so that the run is looked at again
    assert request is not None
    assert request_of(request).path is None
    journal.write_all([], [one._replace(state=State.APPLIED) for one in open_rows])
    runs.forget_request("run1")
    runs.empty_log()
    assert runs.kept_run("run1").request is None
    assert b"Jane" not in kept_text(journal)


def test_a_reference_by_which_a_change_is_found_stays(journal: Journal, runs: JournalRuns) -> None:
    start(runs)
    journal.write(row(2, State.APPLIED, reference_id="k2"))
    runs.forget_request("run1")

    found = journal.find("k2")
    assert found is not None
    assert found.sending == SENDING._replace(description=None, reference_id="k2")


# -- the file of the version before -----------------------------------------------------------------------


FIRST = """
CREATE TABLE deliveries (
    target TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'sending', 'applied', 'refused', 'unknown')),
    sent_at INTEGER NOT NULL,
    ticks TEXT NOT NULL,
    reverses TEXT,
    sending TEXT NOT NULL,
    PRIMARY KEY (target, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX reversals ON deliveries (target, reverses) WHERE reverses IS NOT NULL;
CREATE INDEX unsettled ON deliveries (target, customer_id) WHERE state IN ('sending', 'unknown');
CREATE TABLE markers (
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    marker TEXT NOT NULL,
    reach INTEGER NOT NULL CHECK (reach >= 0),
    PRIMARY KEY (target, kind, marker)
) STRICT, WITHOUT ROWID;
"""


def first_version(path: Path) -> None:
    """A journal as the first version made it, with a row and what was learned."""
    path.parent.mkdir(parents=True)
    with closing(sqlite3.connect(path)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.executescript(f"{FIRST} PRAGMA application_id = {0x72706A6C}; PRAGMA user_version = 1;")
        sending = '{"kind": "add", "customer_id": "C1", "points": 5, "entry_id": "id-1", "token": "rp-1"}'
        made.execute(
            "INSERT INTO deliveries VALUES (?, 'k1', 'print', 'C1', 'unknown', 17, 'boot 5', NULL, ?)",
            (TARGET, sending),
        )
        made.execute("INSERT INTO markers VALUES (?, 'add', 'id', 1)", (TARGET,))
        made.commit()


def test_rows_of_the_first_version_survive(journal: Journal, runs: JournalRuns) -> None:
    first_version(journal.path)
    expected = Delivery("k1", "print", State.UNKNOWN, 17, Sending("add", "C1", 5, "id-1", "rp-1"), "boot 5")

    assert journal.find("k1") == expected
    assert journal.all_unsettled() == [expected]
    assert journal.markers("add") == {"id": 1}
    start(runs)
    journal.write_all([row(2, State.APPLIED)])
    assert (len(runs.runs()), len(list(runs.rows("run1")))) == (1, 1)
    with closing(sqlite3.connect(journal.path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (3,)


def test_an_upgrade_that_fails_leaves_the_file_as_it_was(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    first_version(journal.path)
    with monkeypatch.context() as broken:
        broken.setattr("rpctl.delivery.journal._VERSIONS", (FIRST, "CREATE TABLE half (x);\nBROKEN;\n"))
        with pytest.raises(JournalUnusable):
            journal.find("k1")

    with closing(sqlite3.connect(journal.path)) as other:
        assert other.execute("PRAGMA user_version").fetchone() == (1,)
        assert other.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'half'").fetchone() == (0,)
    assert journal.find("k1") is not None


def test_two_processes_may_upgrade_at_once(journal: Journal) -> None:
    first_version(journal.path)
    context = multiprocessing.get_context("spawn")
    told: multiprocessing.Queue[Any] = context.Queue()
    content = [bytes([number]) * 32 for number in range(4)]
    processes = [context.Process(target=_claim, args=(journal.path, TARGET, one, told)) for one in content]
    for process in processes:
        process.start()
    assert [told.get(timeout=30) for _ in processes] == ["claimed"] * 4
    for process in processes:
        process.join(timeout=20)
    assert journal.find("k1") is not None
