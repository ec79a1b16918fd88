"""Imports while the service is out of reach: the same command, the same report, and every row waits once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from counter import NOON, Counter, has

from rpctl.backends.port import ImportRuns
from rpctl.delivery.journal import Delivery
from rpctl.delivery.journal import State as Sent
from rpctl.delivery.runs import JournalRuns
from rpctl.errors import AlreadyImported, RunNotFound
from rpctl.importing import passing
from rpctl.importing.options import ImportOptions, Listener
from rpctl.importing.report import Report
from rpctl.importing.run import import_file, resume_run
from rpctl.sync.outbox import State
from rpctl.sync.runs import RunsBeside

ROWS = 95


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Rows of 10 customers that add, and of one that redeems; 20 a batch."""
    monkeypatch.setattr(passing, "BATCH_ROWS", 20)
    path = tmp_path / "points.csv"
    rows = [f"C{at % 10},{at % 5 + 1},o-{at}" for at in range(ROWS - 5)] + ["C1,-2,"] * 5
    path.write_text("customer_id,points,reference_id\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return path


def run(
    till: Counter,
    path: Path,
    on_progress: Callable[..., None] | None = None,
    runs: ImportRuns | None = None,
    **options: Any,
) -> Report:
    listener = Listener(on_progress=on_progress) if on_progress else Listener()
    return import_file(
        path, path.name, ImportOptions(**options), till.book, runs or till.runs, lambda: till.now,
        lambda: next(till.run_ids),
        listener,
    )  # fmt: skip


def counts(report: Report) -> tuple[int, int, int]:
    return report.applied, report.already_applied, report.refused


class Killed(BaseException):
    """Whatever ends the process."""


def killed_after(rows: int) -> Callable[..., None]:
    def on_progress(phase: str, done: int, total: int | None) -> None:
        if phase == "applying" and done >= rows:
            raise Killed

    return on_progress


def test_every_row_waits_with_its_run_and_line(till: Counter, file: Path) -> None:
    report = run(till, file)
    rows = till.rows()
    assert (counts(report), report.points_added, report.points_redeemed) == ((ROWS, 0, 0), 270, 10)
    assert [row.line for row in rows] == list(range(2, ROWS + 2))
    assert {row.run for row in rows} == {"run-1"}
    assert sum(points for _, points in till.book.customers()) == 260
    (kept,) = till.runs.runs()
    assert (kept["run"], kept["state"], kept["applied"]) == ("run-1", "finished", ROWS)


def test_the_same_file_once_more_changes_nothing(till: Counter, file: Path) -> None:
    run(till, file)
    assert counts(run(till, file)) == (0, ROWS, 0)
    assert len(till.rows()) == ROWS


@pytest.mark.parametrize("after", [1, 41, ROWS])
def test_a_killed_import_goes_on_with_the_same_command(till: Counter, other: Counter, file: Path, after: int) -> None:
    with pytest.raises(Killed):
        run(till, file, killed_after(after))
    assert 0 < len(till.rows()) <= ROWS
    assert till.runs.has_entries("run-1")
    report = run(other, file)
    assert (report.run, counts(report)) == ("run-1", (ROWS, 0, 0))
    assert (len(other.rows()), len({row.key for row in other.rows()})) == (ROWS, ROWS)
    assert [kept["state"] for kept in other.runs.runs()] == ["finished"]


def test_a_killed_import_is_resumed_by_its_id_although_rows_were_sent_meanwhile(till: Counter, file: Path) -> None:
    with pytest.raises(Killed):
        run(till, file, killed_after(40))
    till.mark(State.SENT, *(row.key for row in till.rows()[:10]))
    report = resume_run("run-1", {}, lambda _: till.book, till.runs, lambda: till.now)
    assert report is not None
    assert counts(report) == (ROWS, 0, 0)
    assert (len(till.rows()), till.outbox.counts().sent) == (ROWS - 10, 10)


def test_a_dry_run_and_a_strict_one_that_fails_leave_nothing(till: Counter, file: Path) -> None:
    assert counts(run(till, file, dry_run=True)) == (ROWS, 0, 0)
    assert till.rows() == []
    file.write_text(file.read_text(encoding="utf-8") + "C9,-999,\n", encoding="utf-8")
    assert run(till, file, strict=True).refused == 1
    assert till.rows() == []


def test_what_is_more_than_there_is_goes_to_the_rejects(till: Counter, tmp_path: Path) -> None:
    till.knows(has(100))
    path = tmp_path / "redeem.csv"
    path.write_text("customer_id,points\nC1,-60\nC1,-60\nC8,-1\nC1,-40\n", encoding="utf-8")
    assert counts(run(till, path)) == (2, 0, 2)
    rejects = (tmp_path / "redeem.rejected.csv").read_text(encoding="utf-8-sig")
    assert [code in rejects for code in ("insufficient_points", "customer_not_found")] == [True, True]
    assert till.book.active_points("C1") == 0


def test_rows_that_were_sent_before_the_line_was_lost_are_in(till: Counter, file: Path) -> None:
    elsewhere = Counter(file.parent / "elsewhere")
    run(elsewhere, file)
    before = elsewhere.rows()[:30]
    elsewhere.close()
    for row in before:  # as an import over the service left them
        till.journal.write(Delivery(row.key, row.fingerprint, Sent.APPLIED, NOON, row.sending))
    assert counts(run(till, file)) == (ROWS - 30, 30, 0)
    assert len(till.rows()) == ROWS - 30


def test_other_books_and_the_ledgers_own_have_other_runs(till: Counter, file: Path) -> None:
    run(till, file)
    second = till.again("https://service other")
    second.run_ids = iter(["run-2"])
    assert counts(run(second, file)) == (ROWS, 0, 0)
    second.close()
    assert [kept["run"] for kept in till.runs.runs()] == ["run-1"]
    assert (till.ledger.runs(), list(till.ledger.earlier_runs())) == ([], [])
    with pytest.raises(RunNotFound):
        till.ledger.kept_run("run-1")


def test_what_is_pruned_keeps_what_has_to_be_sent(till: Counter, file: Path) -> None:
    run(till, file)
    first, second, *_ = till.rows()
    till.mark(State.SENT, first.key)
    till.mirror.replace([(first.sending.customer_id, None)], NOON)
    till.runs.forget_request("run-1")
    done, waits = till.outbox.find(first.key), till.outbox.find(second.key)
    assert done is not None
    assert waits is not None
    assert (done.state, done.sending.reference_id, waits.sending.reference_id) == (State.DONE, None, "o-1")
    assert till.runs.kept_run("run-1").request is None


def test_what_was_given_up_is_not_among_what_a_run_recorded(till: Counter, file: Path) -> None:
    with pytest.raises(Killed):
        run(till, file, killed_after(20))
    till.mark(State.CONFLICT, till.rows()[0].key)
    till.outbox.drop(None)
    assert till.runs.go_on("run-1", {}).entries == 19
    assert counts(run(till, file)) == (ROWS, 0, 0)
    assert len(till.rows()) == ROWS


# -- online before, or after -------------------------------------------------------------------------------


def imported_online(till: Counter, file: Path) -> JournalRuns:
    """The same file was imported over the service, every row of it."""
    elsewhere = Counter(file.parent / "elsewhere")
    run(elsewhere, file)
    kept, rows = elsewhere.runs.kept_run("run-1"), elsewhere.rows()
    elsewhere.close()
    online = JournalRuns(till.journal)
    online.start_run("online", NOON, kept.file, kept.content, kept.report, {})
    online.save_run("online", kept.report, NOON)
    sent = [Delivery(row.key, row.fingerprint, Sent.APPLIED, NOON, row.sending, run="online") for row in rows]
    till.journal.write_all(sent)
    return online


def test_a_file_that_was_imported_online_counts_offline_only_when_it_is_meant_anew(till: Counter, file: Path) -> None:
    runs = RunsBeside(till.runs, imported_online(till, file))
    assert counts(run(till, file, runs=runs)) == (0, ROWS, 0)
    assert counts(run(till, file, runs=runs, again=True)) == (ROWS, 0, 0)
    assert [kept["run"] for kept in runs.runs()] == ["run-2", "run-1"]


@pytest.mark.parametrize("is_offline", [True, False], ids=["online before", "offline before"])
def test_a_longer_export_of_the_same_rows_is_refused_wherever_they_are_in(
    till: Counter, file: Path, is_offline: bool
) -> None:
    if is_offline:
        runs = RunsBeside(till.runs, imported_online(till, file))
    else:
        run(till, file)
        runs = RunsBeside(JournalRuns(till.journal), till.runs)
    longer = file.with_name("longer.csv")
    longer.write_text(file.read_text(encoding="utf-8") + "C1,5,o-new\n", encoding="utf-8")
    with pytest.raises(AlreadyImported, match=r"points\.csv"):
        run(till, longer, runs=runs)


def test_a_run_that_stopped_elsewhere_is_not_gone_on_with_here(till: Counter, file: Path) -> None:
    with pytest.raises(Killed):
        run(till, file, killed_after(40))
    earlier = next(RunsBeside(JournalRuns(till.journal), till.runs).earlier_runs())
    assert (earlier.run, earlier.finished, earlier.applied) == ("run-1", True, 40)
