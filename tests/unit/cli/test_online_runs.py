"""imports list, show and prune where imports went to a service: neither the service nor a token is needed for them."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.port import FileContent, Sending, target_of
from rpctl.delivery.journal import Delivery, Journal, State
from rpctl.delivery.runs import JournalRuns
from rpctl.domain.values import parse_instant
from sandbox_client import running

URL, TENANT = "http://127.0.0.1:9", "shop"  # where nobody answers
NOON = parse_instant("2026-03-01T12:00:00Z")
RUN = "3f9c00000000"
COLUMNS = ["line", "customerId", "operation", "points", "state", "sentAt", "key", "code", "message"]


@pytest.fixture
def rpctl(command_line: Callable[..., Any]) -> Any:
    return command_line(RPCTL_BACKEND="emporix", RPCTL_URL=URL, RPCTL_TENANT=TENANT)


@pytest.fixture
def journal(home: Path) -> Iterator[Journal]:
    with closing(Journal(home / ".local/state/rpctl/journal.db", target_of(URL, TENANT))) as one:
        yield one


def row(line: int, state: State, **more: Any) -> Delivery:
    sending = Sending("add", f"C{line}", line, f"id-{line}", f"rp-{line}", description="for Jane")._replace(**more)
    told = ("insufficient_points", "Jane has 0 points.") if state is State.REFUSED else None
    return Delivery(f"k{line}", "f" * 64, state, 0 if state is State.PLANNED else NOON, sending, "", RUN, line, told)


@pytest.fixture
def recorded(journal: Journal, home: Path) -> JournalRuns:
    """A stopped import of five rows that was piped in, one in each state."""
    copy = home / ".local/state/rpctl/imports" / f"{RUN}.csv"
    copy.parent.mkdir(parents=True)
    copy.write_text("customer_id,points,description\nC2,2,for Jane\n", encoding="utf-8")
    runs = JournalRuns(journal)
    counts = {"rows": 5, "applied": 1, "alreadyApplied": 0, "refused": 1, "unknown": 2, "rejectsFile": None}
    report = {"schema": "rpctl.import-report/1", "file": "standard input", **counts}
    request = {"path": str(copy), "spooled": True, "options": {"set": {"description": "for Jane"}}}
    runs.start_run(RUN, NOON, "standard input", FileContent(b"\x01" * 32, 0, b"s"), report, request)
    journal.write_all(row(line, state) for line, state in enumerate(State, 2))
    return runs


def error_of(ended: Any) -> dict[str, Any]:
    return dict(json.loads(ended.err.splitlines()[-1])["error"])


# -- list and show ----------------------------------------------------------------------------------------


def test_where_nothing_was_imported_there_is_nothing_and_nothing_is_made(rpctl: Any, home: Path) -> None:
    assert rpctl.ok("imports", "list", "-o", "json") == "[]\n"
    assert rpctl("imports", "show", "x").status == 5
    assert rpctl("imports", "show", "x", "--rows", "-o", "json").out == ""
    assert json.loads(rpctl.ok("imports", "prune", "--yes", "-o", "json"))["runs"] == []
    assert not (home / ".local/state/rpctl/journal.db").exists()


@pytest.mark.usefixtures("recorded")
def test_runs_are_listed_for_their_service_alone(rpctl: Any) -> None:
    (listed,) = json.loads(rpctl.ok("imports", "list", "-o", "json"))
    assert (listed["run"], listed["state"], listed["file"]) == (RUN, "unfinished", "standard input")
    assert rpctl.ok("imports", "list", "-o", "json", RPCTL_TENANT="other") == "[]\n"
    assert rpctl.ok("imports", "list", "-o", "json", "--offline") == "[]\n"


@pytest.mark.usefixtures("recorded")
def test_a_run_is_shown_with_the_number_of_rows_in_each_state(rpctl: Any) -> None:
    shown = json.loads(rpctl.ok("imports", "show", RUN[:4], "-o", "json"))
    assert (shown["run"], shown["applied"], shown["pointsTakenBack"]) == (RUN, 1, None)
    assert shown["input"].endswith(f"{RUN}.csv")
    assert shown["states"] == {"planned": 1, "sending": 1, "applied": 1, "refused": 1, "unknown": 1}


def test_a_ledgers_run_has_no_states(command_line: Callable[..., Any]) -> None:
    rpctl = command_line()
    Path("a.csv").write_text("customer_id,points\nC1,5\n")
    rpctl.ok("points", "import", "a.csv")
    run = json.loads(rpctl.ok("imports", "list", "-o", "json"))[0]["run"]

    assert "states" not in json.loads(rpctl.ok("imports", "show", run, "-o", "json"))
    refused = rpctl("imports", "show", run, "--rows", "-o", "json")
    assert (refused.status, error_of(refused)["code"]) == (6, "unsupported_operation")
    assert "rejects file" in error_of(refused)["hint"]


@pytest.mark.usefixtures("recorded")
def test_the_profile_must_say_which_service(rpctl: Any) -> None:
    missing = rpctl("imports", "list", "-o", "json", RPCTL_TENANT="")
    both = rpctl("imports", "list", "--ledger", "x.db", "-o", "json")

    assert (missing.status, error_of(missing)["code"]) == (7, "invalid_config")
    assert (both.status, error_of(both)["code"]) == (2, "usage")


# -- rows -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("recorded")
def test_rows_are_told_in_every_format(rpctl: Any) -> None:
    rows = json.loads(rpctl.ok("imports", "show", RUN, "--rows", "-o", "json"))
    assert [list(one) for one in rows] == [COLUMNS] * 5
    assert [(one["line"], one["state"]) for one in rows] == [(line, str(state)) for line, state in enumerate(State, 2)]
    assert [one["sentAt"] for one in rows] == [None, *["2026-03-01T12:00:00.000Z"] * 4]
    refused = {"code": "insufficient_points", "message": "Jane has 0 points.", "key": "k5", "points": 5}
    assert refused.items() <= rows[3].items()

    lines = [json.loads(line) for line in rpctl.ok("imports", "show", RUN, "--rows", "-o", "jsonl").splitlines()]
    assert lines == rows
    table = rpctl("imports", "show", RUN, "--rows", tty=True, COLUMNS="200", NO_COLOR="1").out
    assert table.split()[:6] == ["line", "customerId", "operation", "points", "state", "sent"]
    assert "2026-03-01 12:00" in table
    for name, delimiter in (("tsv", "\t"), ("csv", ",")):
        text = rpctl.ok("imports", "show", RUN, "--rows", "-o", name)
        header, *cells = csv.reader(io.StringIO(text), delimiter=delimiter)
        assert (header, cells[3][:5]) == (COLUMNS, ["5", "C5", "add", "5", "refused"])


@pytest.mark.usefixtures("recorded")
def test_where_there_is_no_room_the_customer_and_the_state_stay(rpctl: Any) -> None:
    shown = rpctl("imports", "show", RUN, "--rows", tty=True, COLUMNS="34", NO_COLOR="1")

    assert shown.out.split("\n")[0].split() == ["line", "customerId", "points", "state"]
    assert "no room for" in shown.err


def test_rows_are_picked_by_their_states(rpctl: Any, recorded: JournalRuns) -> None:
    def picked(states: str) -> list[str]:
        rows = json.loads(rpctl.ok("imports", "show", RUN, "--rows", "--state", states, "-o", "json"))
        return [one["state"] for one in rows]

    assert picked("unknown, refused") == ["refused", "unknown"]
    assert picked("applied") == ["applied"]
    wrong = rpctl("imports", "show", RUN, "--rows", "--state", "lost", "-o", "json")
    assert (wrong.status, wrong.out, error_of(wrong)["code"]) == (2, "", "invalid_value")
    assert error_of(wrong)["hint"] == "States: planned, sending, applied, refused, unknown."
    assert rpctl("imports", "show", RUN, "--state", "applied").status == 2


def test_a_redemption_and_a_new_customers_points_are_told_apart(
    rpctl: Any, recorded: JournalRuns, journal: Journal
) -> None:
    journal.write_all([row(7, State.APPLIED, kind="redeem"), row(8, State.APPLIED, kind="create")])
    rows = json.loads(rpctl.ok("imports", "show", RUN, "--rows", "-o", "json"))

    assert [one["operation"] for one in rows[-2:]] == ["redeem", "add"]


@pytest.mark.usefixtures("recorded")
def test_a_wrong_id_is_told_before_a_header(rpctl: Any) -> None:
    ended = rpctl("imports", "show", "x", "--rows", "-o", "csv")

    assert (ended.status, ended.out) == (5, "")


def test_what_an_import_sent_is_told_by_row(command_line: Callable[..., Any]) -> None:
    with running(token_lifetime_s=10**9) as served:
        rpctl = command_line(**served.environ)
        rpctl.now = served.now
        Path("a.csv").write_text("customer_id,points\nC1,5\nC1,-2\nC2,-9\n")
        imported = rpctl("points", "import", "a.csv", "-o", "json")
        run = json.loads(imported.out)["run"]
    shown = json.loads(rpctl.ok("imports", "show", run, "-o", "json"))
    rows = json.loads(rpctl.ok("imports", "show", run, "--rows", "-o", "json"))

    assert (imported.status, shown["applied"], shown["states"]["applied"]) == (3, 2, 2)
    assert [(one["line"], one["customerId"], one["operation"], one["points"]) for one in rows][:2] == [
        (2, "C1", "add", 5),
        (3, "C1", "redeem", 2),
    ]


# -- prune ------------------------------------------------------------------------------------------------


def kept_text(home: Path) -> bytes:
    return b"".join(path.read_bytes() for path in (home / ".local/state/rpctl").rglob("*") if path.is_file())


def test_prune_removes_text_of_what_is_settled(rpctl: Any, recorded: JournalRuns, journal: Journal, home: Path) -> None:
    rpctl.at("2026-09-01T00:00:00Z")
    assert json.loads(rpctl.ok("imports", "prune", "--yes", "-o", "json"))["runs"] == []  # it is unfinished
    dry = json.loads(rpctl.ok("imports", "prune", "--all", "--dry-run", "-o", "json"))
    assert ([one["run"] for one in dry["runs"]], dry["copies"]) == ([RUN], 1)
    assert rpctl("imports", "prune", "--all").status == 6
    assert rpctl("imports", "prune", "--all", "--yes", RPCTL_READ_ONLY="1").status == 6
    pruned = rpctl("imports", "prune", "--all", "--yes", "-o", "json")
    assert ([one["run"] for one in json.loads(pruned.out)["runs"]], pruned.status) == ([RUN], 0)
    assert f"run {RUN} keeps the text of changes whose outcome is not known (2)" in pruned.err
    assert list((home / ".local/state/rpctl/imports").iterdir()) == []

    journal.write_all([], [row(line, State.APPLIED) for line in (3, 6)])
    again = rpctl("imports", "prune", "--all", "--yes", "-o", "json")
    assert len(json.loads(again.out)["runs"]) == 1
    assert "keeps the text" not in again.err
    assert b"Jane" not in kept_text(home)
    assert json.loads(rpctl.ok("imports", "prune", "--all", "--yes", "-o", "json"))["runs"] == []
    shown = json.loads(rpctl.ok("imports", "show", RUN, "-o", "json"))
    assert (shown["applied"], shown["input"], shown["states"]["applied"]) == (1, None, 3)
    rows = json.loads(rpctl.ok("imports", "show", RUN, "--rows", "-o", "json"))
    assert [(one["key"], one["points"]) for one in rows] == [(f"k{n}", n) for n in range(2, 7)]
    assert {one["message"] for one in rows} <= {None, ""}  # the code is what an undoing goes by, and no text of anybody


def test_prune_leaves_what_another_process_works_on(
    rpctl: Any, recorded: JournalRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rpctl.locks import Held, Locks

    def held(*_: Any, **__: Any) -> Any:
        raise Held(17)

    rpctl.at("2026-09-01T00:00:00Z")
    monkeypatch.setattr(Locks, "hold", held)
    ended = rpctl("imports", "prune", "--all", "--yes", "-o", "json")

    assert (json.loads(ended.out)["runs"], f"run {RUN} is under way" in ended.err) == ([], True)
    assert recorded.kept_run(RUN).request is not None


def test_a_pruned_run_cannot_be_resumed_and_says_so(rpctl: Any, recorded: JournalRuns) -> None:
    rpctl.at("2026-09-01T00:00:00Z")
    rpctl.ok("imports", "prune", "--all", "--yes", "-q")
    ended = rpctl("imports", "resume", RUN, "-o", "json", RPCTL_ACCESS_TOKEN="t")

    assert (ended.status, error_of(ended)["code"]) == (7, "invalid_file")
