"""Imports from end to end on a ledger: once, in batches, with rejects, dry, strict, interrupted."""

from __future__ import annotations

import csv
import io
import itertools
import stat
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.ledger import backend as backend_module
from rpctl.backends.ledger import bulk
from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied
from rpctl.domain.values import parse_instant
from rpctl.errors import (
    AlreadyImported,
    InvalidFile,
    InvalidValue,
    LedgerBusy,
    OutputExists,
    OutputLost,
    RpctlError,
    RunNotFound,
    StorageFull,
)
from rpctl.importing import overlap, passing, plain
from rpctl.importing import rejects as rejects_module
from rpctl.importing.options import ImportOptions, Listener
from rpctl.importing.report import Report
from rpctl.importing.run import import_file

SAMPLE = Path(__file__).parents[2] / "data" / "cdnow-orders-sample.csv"
MIXED = "customer_id,points\nC1,100\nC2,abc\nC1,-30\nC2,-5\n"
NOW = parse_instant("2026-03-01T12:00:00Z")


class Desk:
    """A ledger and a folder for files; `run` imports one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backend = LedgerBackend(folder / "ledger.db", Setting(lambda: NOW, "tester", "0"))
        self.notes: list[str] = []
        self._ids = (f"run-{n}" for n in itertools.count(1))

    def file(self, text: str | bytes, name: str = "points.csv") -> Path:
        path = self.folder / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def run(self, source: Any, **options: Any) -> Report:
        path = self.file(source) if isinstance(source, str | bytes) else source
        listener = Listener(on_note=self.notes.append)
        return import_file(
            path,
            str(getattr(path, "name", "-")),
            ImportOptions(**options),
            self.backend,
            self.backend,
            lambda: NOW,
            lambda: next(self._ids),
            listener,
        )

    def balances(self) -> dict[str, int]:
        return dict(self.backend.customers())

    def rejects(self, name: str = "points.rejected.csv") -> list[str]:
        return (self.folder / name).read_text(encoding="utf-8-sig").splitlines()

    def codes(self) -> list[str]:
        return [row["error_code"] for row in csv.DictReader(self.rejects())]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.backend.close()


def counts(report: Report) -> dict[str, int]:
    """The counts that are not 0, by their names in the document."""
    names = ("rows", "applied", "alreadyApplied", "skipped", "expiredOnArrival", "refused", "unknown")
    return {name: report.document()[name] for name in names if report.document()[name]}


def test_real_orders_are_applied_once_however_often_they_are_imported(desk: Desk, tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "map": {"order_value": "amount", "created_at": "order_date"},
        "ignore_extra": True,
        "rejects": tmp_path / "rejected.csv",
    }
    assert counts(desk.run(SAMPLE, **options)) == {"rows": 6919, "applied": 6911, "skipped": 8}
    balances = desk.balances()
    assert sum(balances.values()) > 200_000
    again = desk.run(SAMPLE, **options)
    assert counts(again) == {"rows": 6919, "alreadyApplied": 6911, "skipped": 8}
    assert (again.exit_status, again.points_added, desk.balances()) == (0, 0, balances)


def test_good_rows_are_applied_and_bad_ones_go_to_the_rejects_file(desk: Desk, tmp_path: Path) -> None:
    report = desk.run(MIXED)
    assert counts(report) == {"rows": 4, "applied": 2, "refused": 2}
    assert (report.exit_status, report.points_added, report.points_redeemed) == (3, 100, 30)
    assert desk.balances() == {"C1": 70}
    header, *rows = desk.rejects()
    assert header == "customer_id,points,key,line,error_code,error"
    assert [row.split(",")[:2] + row.split(",")[3:5] for row in rows] == [
        ["C2", "abc", "3", "invalid_value"],
        ["C2", "-5", "5", "customer_not_found"],
    ]
    assert report.rejects_file == tmp_path / "points.rejected.csv"
    assert stat.S_IMODE(report.rejects_file.stat().st_mode) == 0o600


def test_the_document_has_its_fields(desk: Desk) -> None:
    assert desk.run("customer_id,points\nC1,100\n").document() == {
        "schema": "rpctl.import-report/1",
        "run": "run-1",
        "file": "points.csv",
        "dryRun": False,
        "rows": 1,
        "applied": 1,
        "alreadyApplied": 0,
        "skipped": 0,
        "expiredOnArrival": 0,
        "refused": 0,
        "unknown": 0,
        "waiting": 0,
        "pointsAdded": 100,
        "pointsRedeemed": 0,
        "durationS": 0.0,
        "rowsPerS": 1000,
        "rejectsFile": None,
    }


def test_without_a_reject_there_is_no_rejects_file(desk: Desk, tmp_path: Path) -> None:
    desk.run("customer_id,points\nC1,100\n")
    assert sorted(path.name for path in tmp_path.glob("*.csv")) == ["points.csv"]


@pytest.mark.parametrize("key", ["", ",key"])
def test_corrected_rejects_are_imported_as_they_are_and_never_counted_again(desk: Desk, key: str) -> None:
    original = f"customer_id,points{key}\nC1,10{key and ',a'}\nC2,-5{key and ',b'}\nC3,x{key and ',c'}\n"
    desk.run(original)
    path = desk.folder / "points.rejected.csv"
    corrected = path.read_text().replace("-5", "25").replace(",x,", ",30,").replace("C3,x", "C3,30")
    path.rename(desk.folder / "kept.csv")
    report = desk.run(desk.file(corrected, "corrected.csv"))
    assert counts(report) == {"rows": 2, "applied": 2}
    assert desk.balances() == {"C1": 10, "C2": 25, "C3": 30}
    again = desk.run(original)
    assert counts(again) == {"rows": 3, "alreadyApplied": 1, "refused": 2}
    assert desk.codes() == ["key_reused", "invalid_value"]
    assert desk.balances() == {"C1": 10, "C2": 25, "C3": 30}
    assert counts(desk.run(desk.folder / "corrected.csv")) == {"rows": 2, "alreadyApplied": 2}


def test_a_key_column_under_another_name_keeps_the_keys_in_the_rejects(desk: Desk) -> None:
    desk.run("customer_id,points,txn\nC1,x,t-1\nC1,y,\n", map={"key": "txn"})
    header, first, second = desk.rejects()
    assert header == "customer_id,points,txn,key,line,error_code,error"
    assert first.startswith("C1,x,t-1,t-1,2,invalid_value")
    assert second.startswith("C1,y,row-")


@pytest.mark.parametrize("again", [{"map": {"key": "txn"}, "ignore_extra": True}, {"ignore_extra": True}])
@pytest.mark.parametrize("key", ["", ",key"])
def test_rejects_keep_their_keys_with_and_without_the_mapping(desk: Desk, again: dict[str, Any], key: str) -> None:
    first = {"map": {"key": "txn"}, "ignore_extra": True}
    original = f"customer_id,points,txn{key}\nC1,-5,t-1{key and ',x'}\n"
    assert counts(desk.run(original, **first)) == {"rows": 1, "refused": 1}
    desk.backend.apply([AddPoints("C1", "before", 100)])
    rejects = desk.folder / "points.rejected.csv"
    assert counts(desk.run(rejects, **again)) == {"rows": 1, "applied": 1}
    assert counts(desk.run(original, **first)) == {"rows": 1, "alreadyApplied": 1}
    assert desk.balances() == {"C1": 95}


def test_a_column_called_key_may_be_something_else(desk: Desk) -> None:
    mapping = {"map": {"reference_id": "key"}}
    assert counts(desk.run("customer_id,points,key\nC1,-5,order-1\n", **mapping)) == {"rows": 1, "refused": 1}
    carried = "options: --map reference_id=key"
    assert desk.rejects()[0] == f"customer_id,points,key,idempotency_key,line,error_code,error,{carried}"
    assert desk.rejects()[1].startswith("C1,-5,order-1,row-")
    desk.backend.apply([AddPoints("C1", "before", 100)])
    assert counts(desk.run(desk.folder / "points.rejected.csv", **mapping)) == {"rows": 1, "applied": 1}
    assert counts(desk.run("customer_id,points,key\nC1,-5,order-1\n", **mapping)) == {"rows": 1, "alreadyApplied": 1}


def test_a_column_that_rejects_bring_along_has_no_other_meaning(desk: Desk) -> None:
    for field in ("key", "reason"):
        with pytest.raises(InvalidFile, match="of its own"):
            desk.run("customer_id,points,Error\nC1,x,t1\n", map={field: "error"})
    assert not desk.backend.path.exists()


@pytest.mark.parametrize("rejected", [1, 2_000])
def test_a_disk_without_room_for_the_rejects_says_so_and_what_is_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, rejected: int
) -> None:
    full = Path("/dev/full").open("r+b")  # noqa: SIM115 - closed with the rejects
    monkeypatch.setattr(rejects_module.tempfile, "TemporaryFile", lambda **_: full)
    with pytest.raises(StorageFull) as caught:
        desk.run("customer_id,points\nC1,5\n" + f"C2,{'x' * 50}\n" * rejected)
    assert (caught.value.details["run"], desk.balances()) == ("run-1", {"C1": 5})
    assert desk.backend.run("run-1")["finishedAt"] is None


def test_rejects_keep_encoding_delimiter_cells_and_quoted_line_breaks(desk: Desk) -> None:
    cell = '"=HYPERLINK(""x"")\nJosé; ü"'
    report = desk.run(f"customer_id;points;reason\nC1;x;{cell}\nC2;1;a;b\nC3\n".encode("utf-16"))
    assert report.rejects_file is not None
    text = report.rejects_file.read_bytes().decode("utf-16")
    assert text.startswith(f"customer_id;points;reason;key;line;error_code;error\nC1;x;{cell};row-")
    assert [counts(desk.run(report.rejects_file))["refused"], text.count("wrong_cell_count")] == [3, 2]


def test_rejects_never_replace_another_file_and_nothing_is_applied(desk: Desk) -> None:
    desk.file("precious", "points.rejected.csv")
    for strict, dry_run in ((False, False), (True, False), (False, True)):
        with pytest.raises(OutputExists):
            desk.run(MIXED, strict=strict, dry_run=dry_run)
    assert (desk.balances(), desk.backend.runs(), desk.rejects()) == ({}, [], ["precious"])
    assert counts(desk.run("customer_id,points\nC1,1\n")) == {"rows": 1, "applied": 1}


def test_the_rejects_of_a_dry_run_are_not_in_the_way_of_the_real_one(desk: Desk) -> None:
    dry = desk.run(MIXED, dry_run=True)
    before = desk.rejects()
    real = desk.run(MIXED)
    again = desk.run(MIXED)
    assert [dry.exit_status, real.exit_status, again.exit_status] == [3, 3, 3]
    assert [counts(dry), counts(again)] == [counts(real), {"rows": 4, "alreadyApplied": 2, "refused": 2}]
    assert desk.rejects() == before


def test_a_dry_run_changes_nothing_and_records_no_run(desk: Desk) -> None:
    report = desk.run(MIXED, dry_run=True)
    assert (report.document()["dryRun"], report.run) == (True, None)
    assert (report.points_added, report.points_redeemed) == (100, 30)
    assert (desk.balances(), desk.backend.runs()) == ({}, [])
    assert not desk.backend.path.exists()


def test_strict_applies_all_or_nothing(desk: Desk) -> None:
    report = desk.run(MIXED, strict=True)
    assert counts(report) == {"rows": 4, "refused": 2}
    assert (report.exit_status, report.points_added, desk.balances(), desk.backend.runs()) == (3, 0, {}, [])
    assert len(desk.rejects()) == 3
    assert counts(desk.run("customer_id,points\nC1,1\n", strict=True)) == {"rows": 1, "applied": 1}


class Others:
    """Somebody who redeems from C1 after the rehearsal, before the first row is applied."""

    def __init__(self, desk: Desk, monkeypatch: pytest.MonkeyPatch, points: int) -> None:
        self.desk = desk
        self.start_run = desk.backend.start_run
        self.change = RedeemPoints("C1", "theirs", points)
        monkeypatch.setattr(desk.backend, "start_run", self)

    def __call__(self, *arguments: Any) -> None:
        self.start_run(*arguments)
        assert isinstance(self.desk.backend.apply([self.change])[0], Applied | AlreadyApplied)


@pytest.mark.parametrize("limit", [None, 1])
@pytest.mark.parametrize("batch", [1, 1_000])
def test_strict_applies_nothing_even_if_others_change_the_ledger_after_the_rehearsal(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, batch: int, limit: int | None
) -> None:
    monkeypatch.setattr(passing, "BATCH_ROWS", batch)
    desk.backend.apply([AddPoints("C1", "before", 100)])
    Others(desk, monkeypatch, 60)
    text = "customer_id,points,order_value\nC2,10,\nC3,,0.5\nC1,-50,\nC4,10,\n"
    report = desk.run(text, strict=True, max_errors=limit)
    assert counts(report)["refused"] == 1
    assert (report.exit_status, report.points_added, report.overtaken_at_line) == (3, 0, 2)
    assert (desk.balances(), desk.codes()) == ({"C1": 40}, ["insufficient_points"])
    assert desk.backend.run("run-1")["finishedAt"] is None
    assert list(desk.backend.verify().problems()) == []


def test_strict_stops_at_the_first_transaction_with_a_refusal_and_tells_where(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_MOST_ROWS", 50)  # 10 by the rules
    monkeypatch.setattr(bulk, "_WHOLE_ROWS", 1)
    desk.backend.apply([AddPoints("C1", "before", 100)])
    Others(desk, monkeypatch, 60)
    rows = [f"A{n},1\n" for n in range(35)]
    rows[14] = "C1,-50\n"
    text = "customer_id,points\n" + "".join(rows)
    report = desk.run(text, strict=True)
    assert counts(report) == {"rows": 20, "applied": 10, "refused": 1}
    assert (report.exit_status, report.overtaken_at_line) == (3, 12)
    assert desk.balances() == {"C1": 40} | {f"A{n}": 1 for n in range(10)}
    recorded = desk.backend.run("run-1")
    assert (recorded["finishedAt"], recorded["applied"]) == (None, 10)
    desk.backend.apply([AddPoints("C1", "more", 100)])
    (desk.folder / "points.rejected.csv").unlink()
    assert counts(desk.run(text, strict=True)) == {"rows": 35, "applied": 35}
    assert desk.notes[-1] == "Going on with run run-1: 10 rows are in already."
    assert desk.balances()["C1"] == 90


def test_an_order_value_that_earns_nothing_does_not_stop_a_strict_run(desk: Desk) -> None:
    report = desk.run("customer_id,order_value\nC1,0.5\nC1,5\n", strict=True)
    assert (counts(report), desk.balances()) == ({"rows": 2, "applied": 1, "skipped": 1}, {"C1": 5})


@pytest.mark.parametrize(("bad", "code"), [("x", "invalid_value"), ("-5", "customer_not_found")])
def test_max_errors_stops_at_the_row_that_is_one_too_many(desk: Desk, bad: str, code: str) -> None:
    rows = [f"A{n},1\nB{n},{bad}\n" for n in range(10)]
    report = desk.run("customer_id,points\n" + "".join(rows), max_errors=3)
    assert counts(report) == {"rows": 6, "applied": 3, "refused": 3}
    assert report.stopped_at_line == 7
    assert desk.notes[-1].startswith("Stopped after line 7: 3 rows were refused")
    assert desk.backend.run("run-1")["finishedAt"] is None
    assert all(code in row for row in desk.rejects()[1:])


def test_max_errors_is_a_number_from_1(desk: Desk) -> None:
    with pytest.raises(InvalidValue):
        desk.run(MIXED, max_errors=0)


def test_two_equal_rows_are_two_changes_and_a_repeated_key_is_one(desk: Desk) -> None:
    assert counts(desk.run("customer_id,points\nC1,10\nC1,10\n")) == {"rows": 2, "applied": 2}
    report = desk.run("customer_id,points,key\nC2,10,k\nC2,10,k\nC2,11,k\nC2,10,\n")
    assert counts(report) == {"rows": 4, "applied": 2, "alreadyApplied": 1, "refused": 1}
    assert desk.balances() == {"C1": 20, "C2": 20}
    assert ",4,key_reused," in desk.rejects()[1]


def test_a_resave_by_a_spreadsheet_is_the_same_file(desk: Desk) -> None:
    desk.run("customer_id,points\nC1,10\n")
    resaved = '"customer_id";"points"\r\n"C1";"10"\r\n;\r\n'.encode("utf-8-sig")
    assert counts(desk.run(resaved)) == {"rows": 1, "alreadyApplied": 1}
    assert desk.notes == ["The delimiter is a semicolon."]


def test_a_file_without_a_header_counts_once_whatever_its_columns_are_called(desk: Desk) -> None:
    text = "C1,10\nC1,10\n"
    assert counts(desk.run(text, columns=("customer_id", "points"))) == {"rows": 2, "applied": 2}
    assert counts(desk.run(text, columns=("Customer_ID", "points"))) == {"rows": 2, "alreadyApplied": 2}
    assert counts(desk.run(text, columns=("email", "order_value"))) == {"rows": 2, "refused": 2}
    assert (desk.codes(), desk.balances()) == (["key_reused"] * 2, {"C1": 20})


def test_points_that_are_past_their_validity_are_counted(desk: Desk) -> None:
    text = "customer_id,points,created_at,valid_until\nC1,10,2024-01-01,2025-01-01\n"
    assert counts(desk.run(text)) == {"rows": 1, "applied": 1, "expiredOnArrival": 1}
    assert desk.balances() == {"C1": 0}


def test_the_standard_input_is_imported(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert counts(desk.run(io.BytesIO(MIXED.encode()))) == {"rows": 4, "applied": 2, "refused": 2}
    assert len(desk.rejects("stdin.rejected.csv")) == 3


def test_what_a_backend_refuses_later_harms_no_other_row(desk: Desk) -> None:
    report = desk.run("customer_id,points,created_at\nC1,10,2030-01-01\nC1,5,\n")
    assert counts(report) == {"rows": 2, "applied": 1, "refused": 1}
    assert "later than now" in desk.rejects()[1]


def test_an_unusable_file_changes_nothing_at_all(desk: Desk) -> None:
    for text in ('customer_id,points\nC1,5\n"C2,6\n', "customer_id\nC1\n", "customer_id,points,colour\nC1,1,red\n"):
        with pytest.raises(InvalidFile):
            desk.run(text)
    assert not desk.backend.path.exists()


def test_rejects_need_a_place_before_anything_is_applied(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile, match="no directory"):
        desk.run(MIXED, rejects=tmp_path / "absent" / "r.csv")
    assert desk.balances() == {}


def test_an_interrupted_run_is_recorded_and_the_same_command_goes_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passing, "BATCH_ROWS", 10)
    text = "customer_id,points\nbad,x\n" + "".join(f"C{n},1\n" for n in range(34))
    apply, calls = desk.backend.apply, []

    def stopping(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return apply(*arguments, **options)

    monkeypatch.setattr(desk.backend, "apply", stopping)
    with pytest.raises(KeyboardInterrupt):
        desk.run(text)
    recorded = desk.backend.run("run-1")
    assert (recorded["finishedAt"], recorded["rows"], recorded["applied"]) == (None, 20, 19)
    assert not (desk.folder / "points.rejected.csv").exists()
    assert desk.notes == ["At least 19 rows are in (run run-1)."]
    gone_on = desk.run(text)
    assert counts(gone_on) == {"rows": 35, "applied": 34, "refused": 1}
    assert (gone_on.points_added, desk.notes[-1]) == (34, "Going on with run run-1: 19 rows are in already.")
    assert desk.backend.run("run-1")["finishedAt"] is not None
    assert [run["run"] for run in desk.backend.runs()] == ["run-1"]


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (LedgerBusy("Busy."), "Run the same command again: it goes on where it stopped."),
        (StorageFull("Full."), StorageFull.default_hint),
        (RunNotFound("Restored.", "Import again."), "Import again."),
    ],
)
def test_an_error_in_the_middle_tells_how_many_rows_are_in(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, error: RpctlError, hint: str
) -> None:
    monkeypatch.setattr(passing, "BATCH_ROWS", 10)
    apply, calls = desk.backend.apply, []

    def failing(*arguments: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise error
        return apply(*arguments, **options)

    monkeypatch.setattr(desk.backend, "apply", failing)
    with pytest.raises(type(error)) as caught:
        desk.run("customer_id,points\nbad,x\n" + "".join(f"C{n},1\n" for n in range(34)))
    assert caught.value.message.endswith(". Before that 19 rows were applied (run run-1).")
    assert (caught.value.hint, caught.value.details) == (hint, {"run": "run-1", "applied": 19})


def test_an_error_before_the_first_batch_claims_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def busy(*_: Any, **__: Any) -> Any:
        raise LedgerBusy("Busy.")

    monkeypatch.setattr(desk.backend, "apply", busy)
    with pytest.raises(LedgerBusy) as caught:
        desk.run("customer_id,points\nC1,1\n")
    assert (caught.value.message, caught.value.hint) == ("Busy.", LedgerBusy.default_hint)


def test_a_file_that_comes_into_the_way_of_the_rejects_meanwhile_does_not_hide_what_was_applied(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    start_run = desk.backend.start_run

    def start(*arguments: Any) -> None:
        start_run(*arguments)
        desk.file("precious", "points.rejected.csv")

    monkeypatch.setattr(desk.backend, "start_run", start)
    with pytest.raises(OutputLost) as caught:
        desk.run(MIXED)
    assert "Before that 2 rows were applied" in caught.value.message
    assert "--rejects" in str(caught.value.hint)
    assert (desk.rejects(), desk.balances()) == (["precious"], {"C1": 70})
    assert desk.backend.run("run-1")["finishedAt"] is None
    again = desk.run(desk.folder / "points.csv", rejects=desk.folder / "other.csv")
    assert counts(again) == {"rows": 4, "applied": 2, "refused": 2}


@pytest.mark.parametrize("many", [True, False])
@pytest.mark.parametrize("wrong", [0, 1, 99, 100])
def test_memory_does_not_grow_with_rows(desk: Desk, monkeypatch: pytest.MonkeyPatch, wrong: int, *, many: bool) -> None:
    monkeypatch.setattr(passing, "BATCH_ROWS", 100)
    monkeypatch.setattr(plain, "_BLOCK_CHARACTERS", 1_000)
    monkeypatch.setattr(overlap, "SAMPLE_ROWS", 100)
    monkeypatch.setattr(bulk, "_MOST_ROWS", 300)
    monkeypatch.setattr(bulk, "_WHOLE_ROWS", 1)
    monkeypatch.setattr(bulk, "_MOST_BATCHES", 3)
    monkeypatch.setattr(backend_module, "_BULK_ROWS", 1 if many else 10_000)
    peaks = []
    for rows in (1_000, 4_000):
        sign = ["x" if n % 100 < wrong else "" for n in range(rows)]
        text = "customer_id,points\n" + "".join(f"C{n % 50},{sign[n]}{n + 1}\n" for n in range(rows))
        path = desk.file(text, f"{rows}.csv")
        del text, sign
        tracemalloc.start()
        desk.run(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.5, peaks


@pytest.mark.parametrize("rows", [40, 1_200])
def test_what_a_killed_run_applied_last_does_not_count_twice_from_a_changed_file(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    class Killed(BaseException):
        """Nothing of the command is done after it."""

    def kill(*_: object, **__: object) -> None:
        raise Killed

    text = "customer_id,points\n" + "".join(f"C{n},{n + 1}\n" for n in range(rows))
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(desk.backend, "save_run", kill)
        desk.run(text)
    (run,) = desk.backend.runs()
    assert (run["state"], run["applied"], desk.balances()["C9"]) == ("unfinished", 0, 10)
    changed = desk.file(text.replace("C7,8\n", "C7,80\n"), "changed.csv")
    with pytest.raises(AlreadyImported, match="applied some under other keys and has not finished") as refused:
        desk.run(changed)
    assert f"`rpctl imports undo {run['run']}`" in str(refused.value.hint)
    assert (desk.balances()["C7"], desk.balances()["C9"]) == (8, 10)
