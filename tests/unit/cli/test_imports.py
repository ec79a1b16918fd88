"""imports resume, undo, prune: what the commands do, say and end with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.ledger.backend import LedgerBackend
from rpctl.importing import passing

HEADER = "customer_id,points\n"


def file(name: str, *rows: str) -> str:
    Path(name).write_text(HEADER + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return name


def text(*rows: str) -> str:
    return HEADER + "".join(f"{row}\n" for row in rows)


def runs(rpctl: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(rpctl.ok("imports", "list", "-o", "json"))
    return found


def latest(rpctl: Any) -> str:
    return str(runs(rpctl)[0]["run"])


def balances(rpctl: Any) -> dict[str, int]:
    found = json.loads(rpctl.ok("customer", "list", "-o", "json"))
    return {one["customerId"]: one["activePoints"] for one in found}


def error(err: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(err.splitlines()[-1])["error"]
    return found


@pytest.fixture
def stopping(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Batches of two rows; put N in the list, and the N-th batch from now on is interrupted."""
    monkeypatch.setattr(passing, "BATCH_ROWS", 2)
    apply, left = LedgerBackend.apply, [0]

    def stop(self: LedgerBackend, *arguments: Any, **how: Any) -> Any:
        left[0] -= how.get("run") is not None
        if left[0] == 0 and how.get("run") is not None:
            raise KeyboardInterrupt
        return apply(self, *arguments, **how)

    monkeypatch.setattr(LedgerBackend, "apply", stop)
    return left


def spool(home: Path) -> list[Path]:
    return sorted((home / ".local/state/rpctl/imports").glob("*"))


# -- resume -----------------------------------------------------------------------------------------------


def test_a_stopped_run_is_gone_on_with_by_its_id_from_anywhere(
    rpctl: Any, stopping: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stopping[0] = 2
    status, out, err = rpctl("points", "import", file("a.csv", "C1,5", "C2,x", "C1,-2", "C3,7"), "--set", "reason=till")
    assert (status, out, "the same command goes on" in err) == (130, "", True)
    run = latest(rpctl)
    assert runs(rpctl)[0]["state"] == "unfinished"
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ended = rpctl("imports", "resume", run[:6], "-o", "json")
    document = json.loads(ended.out)
    assert (ended.status, document["run"], document["rows"], document["applied"]) == (3, run, 4, 3)
    assert (document["pointsAdded"], document["pointsRedeemed"], document["refused"]) == (12, 2, 1)
    assert f"Going on with run {run}: 1 rows are in already." in ended.err
    assert (tmp_path / "a.rejected.csv").exists()
    reasons = [json.loads(line)["reason"] for line in rpctl.ok("ledger", "export", "-o", "jsonl").splitlines()]
    assert (reasons, balances(rpctl), len(runs(rpctl))) == (["till"] * 3, {"C1": 3, "C3": 7}, 1)


def test_a_run_that_has_finished_has_nothing_left(rpctl: Any) -> None:
    rpctl.ok("points", "import", file("a.csv", "C1,5"))
    ended = rpctl("imports", "resume", latest(rpctl), "-o", "json")
    assert (ended.status, json.loads(ended.out)["applied"]) == (0, 1)
    assert "nothing is left" in ended.err
    assert balances(rpctl) == {"C1": 5}


def test_a_run_that_is_not_there_is_not_found(rpctl: Any) -> None:
    rpctl.ok("points", "add", "C1", "5")
    for verb in ("resume", "undo"):
        status, _, err = rpctl("imports", verb, "abc", "-o", "json")
        assert (status, error(err)["code"]) == (5, "run_not_found")


@pytest.mark.parametrize("there", [None, "C1,5\nC1,5\nC1,6\n"])
def test_a_file_that_is_gone_or_another_one_is_refused(rpctl: Any, stopping: list[int], there: str | None) -> None:
    stopping[0] = 2
    rpctl("points", "import", file("a.csv", "C1,5", "C1,5", "C1,5"))
    Path("a.csv").unlink()
    if there is not None:
        Path("a.csv").write_text(HEADER + there)
    status, _, err = rpctl("imports", "resume", latest(rpctl))
    assert status == 7
    assert ("There is no file a.csv" if there is None else "is not what it was when import run") in err
    assert balances(rpctl) == {"C1": 10}


def test_a_resumed_run_may_have_another_limit_and_another_place_for_rejects(rpctl: Any) -> None:
    file("a.csv", "C1,x", "C1,5", "C2,x", "C2,7")
    assert rpctl("points", "import", "a.csv", "--max-errors", "1").status == 3
    stopped = rpctl("imports", "resume", latest(rpctl), "--max-errors", "2", "--rejects", "second.csv")
    assert (stopped.status, balances(rpctl), runs(rpctl)[0]["state"]) == (3, {"C1": 5}, "unfinished")
    assert rpctl("imports", "resume", latest(rpctl), "--max-errors", "9", "--rejects", "third.csv").status == 3
    assert (balances(rpctl), runs(rpctl)[0]["state"]) == ({"C1": 5, "C2": 7}, "finished")
    assert len(Path("third.csv").read_text().splitlines()) == 3


def test_rows_that_name_a_key_twice_count_once_in_a_run_that_was_stopped(rpctl: Any, stopping: list[int]) -> None:
    Path("k.csv").write_text("customer_id,points,key\n" + "C1,5,a\nC1,5,a\nC2,7,b\nC1,5,a\nC3,9,c\n")
    for batch in (2, 3):
        stopping[0] = batch
        assert rpctl("points", "import", "k.csv").status == 130
    document = json.loads(rpctl.ok("points", "import", "k.csv", "-o", "json"))
    assert (document["applied"], document["alreadyApplied"], document["pointsAdded"]) == (3, 2, 21)


def test_points_that_came_in_expired_are_counted_by_the_run_that_goes_on(rpctl: Any, stopping: list[int]) -> None:
    Path("e.csv").write_text("customer_id,points,created_at,valid_until\n" + "C1,5,2024-01-01,2025-01-01\n" * 3)
    stopping[0] = 2
    rpctl("points", "import", "e.csv")
    rpctl.at("2026-04-01T00:00:00Z")
    document = json.loads(rpctl.ok("points", "import", "e.csv", "-o", "json"))
    assert (document["applied"], document["expiredOnArrival"]) == (3, 3)


def test_rows_of_another_run_are_not_the_run_s_own(rpctl: Any, stopping: list[int]) -> None:
    rpctl.ok("points", "import", file("a.csv", "C1,1", "C1,2", "C1,3", "C1,4"))
    stopping[0] = 2
    assert rpctl("points", "import", "a.csv").status == 130
    document = json.loads(rpctl.ok("points", "import", "a.csv", "-o", "json"))
    assert (document["applied"], document["alreadyApplied"], len(runs(rpctl))) == (0, 4, 2)


# -- what is piped in -------------------------------------------------------------------------------------


def test_what_was_piped_in_is_kept_until_its_run_has_finished(rpctl: Any, stopping: list[int], home: Path) -> None:
    stopping[0] = 2
    status, _, err = rpctl("points", "import", "-", stdin=text("C1,5", "C2,6", "C3,7"))
    run = latest(rpctl)
    assert (status, f"hint: `rpctl imports resume {run}` goes on where it stopped" in err) == (130, True)
    (copy,) = spool(home)
    assert (copy.name, copy.stat().st_mode & 0o777, copy.parent.stat().st_mode & 0o777) == (f"{run}.csv", 0o600, 0o700)
    document = json.loads(rpctl.ok("imports", "resume", run, "-o", "json"))
    assert (document["file"], document["applied"], spool(home)) == ("standard input", 3, [])


def test_rejects_of_what_was_piped_in_go_where_they_would_have_gone(
    rpctl: Any, stopping: list[int], home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun_in, elsewhere = tmp_path / "here", tmp_path / "elsewhere"
    begun_in.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(begun_in)
    stopping[0] = 2
    rpctl("points", "import", "-", stdin=text("C1,5", "C2,x", "C3,7", "C4,9"))
    monkeypatch.chdir(elsewhere)
    status, _, err = rpctl("imports", "resume", latest(rpctl))
    rejects = begun_in / "stdin.rejected.csv"
    assert (status, str(rejects) in err, "C2,x" in rejects.read_text()) == (3, True, True)
    assert (spool(home), list(elsewhere.iterdir())) == ([], [])


def test_the_same_piped_in_again_goes_on(rpctl: Any, stopping: list[int], home: Path) -> None:
    stopping[0] = 2
    rpctl("points", "import", "-", stdin=text("C1,5", "C2,6", "C3,7"))
    resaved = text("C1,5", "C2,6", "C3,7").replace(",", ";")
    document = json.loads(rpctl.ok("points", "import", "-", "-o", "json", stdin=resaved))
    assert (document["applied"], len(runs(rpctl)), spool(home)) == (3, 1, [])


def test_a_dry_run_and_a_file_that_is_refused_leave_no_copy(rpctl: Any, home: Path) -> None:
    rpctl.ok("points", "import", "-", "--dry-run", stdin=text("C1,5"))
    assert rpctl("points", "import", "-", stdin="colour\nred\n").status == 7
    assert spool(home) == []


def test_a_deletion_tells_of_copies_that_may_hold_the_customer(rpctl: Any, stopping: list[int], home: Path) -> None:
    stopping[0] = 2
    rpctl("points", "import", "-", stdin=text("C1,5", "C2,6", "C3,7"))
    assert str(spool(home)[0]) in rpctl("customer", "delete", "C1", "--confirm", "C1").err
    rpctl.ok("imports", "prune", "--all", "--older-than", "0d", "--yes")
    assert "copies" not in rpctl("customer", "delete", "C2", "--confirm", "C2").err


def test_a_copy_that_was_lost_is_told(rpctl: Any, stopping: list[int], home: Path) -> None:
    stopping[0] = 2
    rpctl("points", "import", "-", stdin=text("C1,5", "C2,6", "C3,7"))
    spool(home)[0].unlink()
    status, _, err = rpctl("imports", "resume", latest(rpctl))
    assert (status, "Pipe the same content in again" in err) == (7, True)


def test_without_a_place_for_the_copy_the_import_goes_through_and_says_so(rpctl: Any, home: Path) -> None:
    (home / ".local").mkdir()
    (home / ".local/state").write_text("in the way")
    ended = rpctl("points", "import", "-", stdin=text("C1,5"))
    assert (ended.status, "No copy of standard input can be kept" in ended.err) == (0, True)
    assert balances(rpctl) == {"C1": 5}


# -- undo -------------------------------------------------------------------------------------------------


def test_an_import_is_undone_and_counts_again_only_when_it_is_meant_to(rpctl: Any) -> None:
    file("a.csv", "C1,100", "C1,-60", "C2,5")
    rpctl.ok("points", "import", "a.csv")
    run = latest(rpctl)
    document = json.loads(rpctl.ok("imports", "undo", run, "--yes", "-o", "json"))
    assert {name: document[name] for name in ("schema", "run", "file", "entries", "entriesReversed")} == {
        "schema": "rpctl.undo-report/1",
        "run": run,
        "file": "a.csv",
        "entries": 3,
        "entriesReversed": 3,
    }
    assert (document["pointsTakenBack"], document["pointsGivenBack"]) == (105, 60)
    assert document["reversed"] == [
        {"customerId": "C1", "points": 100, "reason": "taken_back"},
        {"customerId": "C1", "points": 60, "reason": "given_back"},
        {"customerId": "C2", "points": 5, "reason": "taken_back"},
    ]
    assert (document["kept"], document["failed"], balances(rpctl)) == ([], [], {"C1": 0, "C2": 0})
    assert [one["state"] for one in runs(rpctl)] == ["undone"]
    status, _, err = rpctl("points", "import", "a.csv", "-o", "json")
    refused = error(err)
    assert (status, refused["code"], refused["details"]["run"]) == (6, "already_imported", run)
    assert f"Import run {run} of a.csv was undone on 2026-03-01" in refused["message"]
    assert "--again" in refused["hint"]
    assert json.loads(rpctl.ok("points", "import", "a.csv", "--again", "-o", "json"))["applied"] == 3
    assert json.loads(rpctl.ok("points", "import", "a.csv", "-o", "json"))["alreadyApplied"] == 3
    assert balances(rpctl) == {"C1": 40, "C2": 5}
    assert "everything holds" in rpctl("ledger", "verify").err


def test_undone_again_nothing_happens(rpctl: Any) -> None:
    rpctl.ok("points", "import", file("a.csv", "C1,100"))
    rpctl.ok("points", "redeem", "C1", "30")
    run = latest(rpctl)
    first = rpctl("imports", "undo", run, "-y", "-o", "json")
    assert (first.status, json.loads(first.out)["kept"]) == (3, [{"customerId": "C1", "points": 30, "reason": "spent"}])
    before = rpctl.ok("ledger", "export", "-o", "jsonl")
    again = rpctl("imports", "undo", run, "-o", "json")  # nobody is asked for nothing
    assert (again.status, "was undone on 2026-03-01; nothing was changed" in again.err) == (0, True)
    assert json.loads(again.out)["kept"] == json.loads(first.out)["kept"]
    assert rpctl.ok("ledger", "export", "-o", "jsonl") == before


def test_a_dry_run_of_an_undo_shows_the_same_and_changes_nothing(rpctl: Any) -> None:
    rpctl.ok("points", "import", file("a.csv", "C1,100", "C2,9"))
    rpctl.ok("points", "redeem", "C1", "30")
    before = rpctl.ok("ledger", "export", "-o", "jsonl")
    dry = rpctl("imports", "undo", latest(rpctl), "--dry-run", "-o", "json")
    assert (dry.status, rpctl.ok("ledger", "export", "-o", "jsonl")) == (3, before)
    real = rpctl("imports", "undo", latest(rpctl), "-y", "-o", "json")
    assert {**json.loads(dry.out), "dryRun": False} == json.loads(real.out)


def test_nobody_to_ask_is_a_refusal_with_the_command_that_goes_through(rpctl: Any) -> None:
    rpctl.ok("points", "import", file("a.csv", "C1,100"))
    run = latest(rpctl)
    status, _, err = rpctl("imports", "undo", run, "-o", "json")
    assert (status, error(err)["code"], f"rpctl imports undo --yes {run}" in error(err)["hint"]) == (
        6,
        "consent_missing",
        True,
    )
    assert rpctl("imports", "undo", run, stdin="no\n", tty=True).status == 6
    assert balances(rpctl) == {"C1": 100}
    assert rpctl("imports", "undo", run, stdin="yes\n", tty=True).status == 0
    assert balances(rpctl) == {"C1": 0}


def test_an_unfinished_run_that_was_undone_is_not_gone_on_with(rpctl: Any, stopping: list[int]) -> None:
    stopping[0] = 2
    rpctl("points", "import", file("a.csv", "C1,5", "C2,6", "C3,7"))
    run = latest(rpctl)
    ended = rpctl("imports", "undo", run, "-y")
    assert (ended.status, "it is not gone on with any more" in ended.err) == (0, True)
    for command in (("points", "import", "a.csv"), ("imports", "resume", run)):
        status, _, err = rpctl(*command)
        assert (status, "was undone on 2026-03-01" in err, "--again" in err) == (6, True, True)
    assert balances(rpctl) == {"C1": 0, "C2": 0}
    rpctl.ok("points", "import", "a.csv", "--again")
    assert balances(rpctl) == {"C1": 5, "C2": 6, "C3": 7}


def test_an_undo_that_was_stopped_goes_on_and_tells_the_whole(rpctl: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from rpctl.backends.ledger import undoing

    monkeypatch.setattr(undoing, "BATCH_ENTRIES", 2)
    rpctl.ok("points", "import", file("a.csv", *(f"C{n},10" for n in range(7))))
    some, calls = LedgerBackend.undo_some, []

    def stop(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return some(*arguments)

    monkeypatch.setattr(LedgerBackend, "undo_some", stop)
    ended = rpctl("imports", "undo", latest(rpctl), "-y")
    assert (ended.status, "At least 4 entries" in ended.err, runs(rpctl)[0]["state"]) == (130, True, "undoing")
    assert rpctl("points", "import", "a.csv").status == 6
    document = json.loads(rpctl.ok("imports", "undo", latest(rpctl), "-y", "-o", "json"))
    assert (document["entriesReversed"], document["pointsTakenBack"], len(document["reversed"])) == (7, 70, 7)


def test_a_later_run_of_the_same_file_that_still_counts_is_named(rpctl: Any) -> None:
    file("a.csv", "C1,5", "C2,-3")
    assert rpctl("points", "import", "a.csv").status == 3
    first = latest(rpctl)
    rpctl.at("2026-03-02T12:00:00Z")
    rpctl.ok("points", "add", "C2", "10")
    rpctl.ok("points", "import", "a.csv", "--rejects", "none.csv")
    rpctl.ok("imports", "undo", latest(rpctl), "-y")
    assert f"Import run {first} of the same file still counts: undo it first." in rpctl("points", "import", "a.csv").err


def test_what_went_with_a_deleted_customer_is_counted(rpctl: Any) -> None:
    rpctl.ok("points", "import", file("a.csv", "C1,5", "C2,6", "C2,7"))
    rpctl.ok("customer", "delete", "C2", "--confirm", "C2")
    document = json.loads(rpctl.ok("imports", "undo", latest(rpctl), "-y", "-o", "json"))
    assert (document["entries"], document["entriesDeleted"], balances(rpctl)) == (1, 2, {"C1": 0})
    assert "everything holds" in rpctl("ledger", "verify").err


def test_a_run_that_applied_nothing_is_not_undone(rpctl: Any) -> None:
    file("a.csv", "C1,5")
    rpctl.ok("points", "import", "a.csv")
    rpctl.ok("points", "import", "a.csv")
    ended = rpctl("imports", "undo", latest(rpctl), "-y")
    assert (ended.status, "there is nothing to undo" in ended.err) == (0, True)
    assert json.loads(rpctl.ok("points", "import", "a.csv", "-o", "json"))["alreadyApplied"] == 1


def test_a_read_only_profile_only_shows_what_an_undo_would_come_to(rpctl: Any) -> None:
    rpctl.ok("points", "import", file("a.csv", "C1,5"))
    run, ledger = latest(rpctl), Path(rpctl.environ["HOME"]) / ".local/share/rpctl/ledger.db"
    rpctl.ok("profile", "create", "audit", "--read-only")
    where = ("--profile", "audit", "--ledger", str(ledger))
    assert rpctl("imports", "undo", run, "--dry-run", *where).status == 0
    assert rpctl("imports", "undo", run, "-y", *where).status == 6
    assert rpctl("imports", "resume", run, *where).status == 6
    assert balances(rpctl) == {"C1": 5}


def test_the_table_of_an_undo_has_a_line_a_customer_and_reason(rpctl: Any) -> None:
    rpctl.ok("points", "import", file("a.csv", "C1,100"))
    rpctl.ok("points", "redeem", "C1", "30")
    ended = rpctl("imports", "undo", latest(rpctl), "-y", "-o", "tsv")
    assert ended.out.splitlines() == [
        "bucket\tcustomerId\tpoints\treason",
        "reversed\tC1\t70\ttaken_back",
        "kept\tC1\t30\tspent",
    ]
    assert "reversed: entries 1, points taken back 70, given back 0" in ended.err


# -- prune ------------------------------------------------------------------------------------------------


def test_prune_removes_text_and_keeps_what_guards_against_counting_twice(rpctl: Any, tmp_path: Path) -> None:
    path = tmp_path / "Jane Doe"
    path.mkdir()
    rpctl.ok("points", "import", file(str(path / "a.csv"), "C1,5"), "--set", "reason=for Jane Doe's birthday")
    run = latest(rpctl)
    assert rpctl.ok("imports", "prune", "--yes") == "run\tstartedAt\tfinishedAt\tfile\tcopyBytes\n"
    rpctl.at("2026-06-01T00:00:00Z")
    dry = json.loads(rpctl.ok("imports", "prune", "--dry-run", "-o", "json"))
    assert ([one["run"] for one in dry["runs"]], dry["dryRun"]) == ([run], True)
    assert rpctl("imports", "prune").status == 6
    pruned = json.loads(rpctl.ok("imports", "prune", "--yes", "-o", "json"))
    assert (pruned["schema"], [one["run"] for one in pruned["runs"]]) == ("rpctl.prune-report/1", [run])
    shown = json.loads(rpctl.ok("imports", "show", run, "-o", "json"))
    assert (shown["file"], shown["input"], shown["applied"]) == ("a.csv", None, 1)
    for part in (Path(rpctl.environ["HOME"]) / ".local/share/rpctl").iterdir():
        assert b"/Jane Doe" not in part.read_bytes()
    again = json.loads(rpctl.ok("points", "import", str(path / "a.csv"), "--set", "reason=x", "-o", "json"))
    assert again["alreadyApplied"] == 1
    rpctl.at("2026-09-01T00:00:00Z")
    assert len(json.loads(rpctl.ok("imports", "prune", "--yes", "-o", "json"))["runs"]) == 1
    assert json.loads(rpctl.ok("imports", "prune", "--yes", "-o", "json"))["runs"] == []


def test_prune_leaves_unfinished_runs_unless_they_are_named(rpctl: Any, stopping: list[int], home: Path) -> None:
    stopping[0] = 2
    rpctl("points", "import", "-", stdin=text("C1,5", "C2,6", "C3,7"))
    rpctl.at("2026-09-01T00:00:00Z")
    assert json.loads(rpctl.ok("imports", "prune", "--yes", "-o", "json"))["runs"] == []
    (copy,) = spool(home)
    size = copy.stat().st_size
    pruned = json.loads(rpctl.ok("imports", "prune", "--all", "--older-than", "3m", "--yes", "-o", "json"))
    assert (pruned["copies"], pruned["bytes"], spool(home)) == (1, size, [])
    status, _, err = rpctl("imports", "resume", latest(rpctl))
    assert (status, "it was pruned" in err) == (7, True)
    document = json.loads(rpctl.ok("points", "import", "-", "-o", "json", stdin=text("C1,5", "C2,6", "C3,7")))
    assert (document["applied"], len(runs(rpctl))) == (3, 1)


@pytest.mark.parametrize("age", ["90", "1y", "-3d", "", "d"])
def test_an_age_is_in_days_or_months(rpctl: Any, age: str) -> None:
    assert rpctl("imports", "prune", f"--older-than={age}").status == 2
