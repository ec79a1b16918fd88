"""Imports over a service: two at once, order, speed, real orders, a dry run, an undo, unknown outcomes, no secrets."""

from __future__ import annotations

import csv
import json
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from real_machine import RPCTL, Machine, finish, refusal, wait_until

from rpctl.sandbox.application import Application
from sandbox_client import Running, running
from service_books import Books, Found, write_sheet

ORDERS = Path(__file__).parents[1] / "data" / "cdnow-orders-sample.csv"
OF_ORDERS = (
    "--map",
    "order_value=amount",
    "--map",
    "created_at=order_date",
    "--ignore-extra",
    "--date-format=%Y-%m-%d",
)
DAY_MS = 86_400_000


@pytest.fixture
def service() -> Iterator[Running]:
    with running(token_lifetime_s=10**9) as one:
        yield one


@pytest.fixture
def online(machine: Machine, service: Running) -> Machine:
    machine.environ |= service.environ
    return machine


@pytest.fixture
def rpctl(service: Running, command_line: Callable[..., Any]) -> Any:
    """The command line in this process, with the service's clock."""
    made = command_line(**service.environ)
    made.now = service.now
    return made


class Traffic:
    """When changes come to services in this process, and how many requests are under way at most."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.came_s: list[float] = []
        self.under_way = self.most = 0
        answer = Application.__call__

        async def counted(application: Application, abort: Any, scope: Any, receive: Any, send: Any) -> None:
            if scope["method"] == "POST" and "/customer/" in scope["path"]:
                self.came_s.append(time.monotonic())
            self.under_way += 1
            self.most = max(self.most, self.under_way)
            try:
                await answer(application, abort, scope, receive, send)
            finally:
                self.under_way -= 1

        monkeypatch.setattr(Application, "__call__", counted)

    def in_any_second(self) -> int:
        """The most that came within a second."""
        return max(sum(at <= other < at + 1 for other in self.came_s) for at in self.came_s)


def posts(service: Running) -> int:
    return sum(line.startswith("POST /reward-points") for line in list(service.log))


def report_of(ended: Any, status: int = 0) -> dict[str, Any]:
    assert ended.status == status, ended
    return dict(json.loads(ended.out))


# -- two at once ------------------------------------------------------------------------------------------


def test_two_imports_of_one_file_and_one_of_another_machine_apply_each_row_once(
    online: Machine, service: Running
) -> None:
    sheet = write_sheet(online.work / "rows.csv", 150, 1, 40)
    words = [RPCTL, "points", "import", "rows.csv", "-o", "json"]
    first = online.start([*words, "--rate", "200"])
    wait_until(lambda: posts(service) > 5)
    first.send_signal(signal.SIGSTOP)  # or it might be through before the others have begun
    patient = online.start([*words, "--wait"])
    hasty = finish(online.start(words))
    first.send_signal(signal.SIGCONT)
    done = finish(first)
    waited = finish(patient)
    other = finish(online.start(words, environ={"XDG_STATE_HOME": str(online.home / "other")}))

    assert (hasty.status, hasty.out, hasty.error["retryable"]) == (75, "", True)
    assert done.ok().document["applied"] == 150
    assert [one.ok().document["alreadyApplied"] for one in (waited, other)] == [150, 150]
    assert posts(service) == 150
    assert Books(service.exports).compare(sheet) == Found(0, 0, 0)


# -- order and speed --------------------------------------------------------------------------------------


def test_a_redemption_finds_the_points_of_the_line_before_it(online: Machine, service: Running) -> None:
    pairs = [(f"C{customer}", 10 + pair) for pair in range(2) for customer in range(300)]
    online.csv("rows.csv", [f"{who},{sign}{points}" for who, points in pairs for sign in ("", "-")])
    report = online.run("points", "import", "rows.csv", "--concurrency", "32", "-o", "json").ok().document

    assert (report["applied"], report["refused"]) == (1200, 0)
    assert set(Books(service.exports).balances().values()) == {0}


def test_a_rate_is_kept_in_every_second(online: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    online.csv("rows.csv", [f"C{number},5" for number in range(100)])
    traffic = Traffic(monkeypatch)
    report = online.run("points", "import", "rows.csv", "--rate", "50", "-o", "json").ok().document

    assert report["durationS"] > 1.7
    assert len(traffic.came_s) == 100
    assert traffic.in_any_second() <= 53  # what a burst of 20 ms lets through, and the moment that a request takes


def test_one_at_a_time_is_one_at_a_time(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.csv("rows.csv", [f"C{number},5" for number in range(30)])
    traffic = Traffic(monkeypatch)
    with running(latency_s=0.003) as service:
        machine.environ |= service.environ
        machine.run("points", "import", "rows.csv", "--concurrency", "1").ok()

        assert (traffic.most, posts(service)) == (1, 30)
        traffic.most = 0
        machine.csv("other.csv", [f"D{number},5" for number in range(30)])
        machine.run("points", "import", "other.csv", "--concurrency", "4").ok()
        assert traffic.most == 4


def test_a_service_that_is_asked_too_much_is_asked_less(machine: Machine) -> None:
    sheet = write_sheet(machine.work / "rows.csv", 24, 1, 12)
    with running(rate_limit=100) as service:
        machine.environ |= service.environ
        report = machine.run("points", "import", "rows.csv", "--concurrency", "8", "-o", "json").ok().document

        assert report["applied"] == 24
        assert 0 < sum("too many" in line for line in service.log) < 24
        assert Books(service.exports).compare(sheet) == Found(0, 0, 0)


# -- the same as on a ledger ------------------------------------------------------------------------------


def test_real_orders_come_to_the_same_balances_as_on_a_ledger(online: Machine, service: Running) -> None:
    header, *orders = ORDERS.read_text(encoding="utf-8").splitlines()
    some = [order for order in orders if int(order.partition(",")[0]) % 6 == 0]
    online.csv("orders.csv", some, header)
    there = online.run("points", "import", "orders.csv", *OF_ORDERS, "--concurrency", "32", "-o", "json").ok()
    of_a_ledger = ("--offline", "--ledger", "plain.db")
    here = online.run("points", "import", "orders.csv", *OF_ORDERS, *of_a_ledger, "-o", "json").ok()

    counts = ("rows", "applied", "skipped", "refused", "pointsAdded", "pointsRedeemed")
    assert len(some) > 1000
    assert [there.document[name] for name in counts] == [here.document[name] for name in counts]
    assert Books(service.exports).balances() == online.balances(*of_a_ledger)


def test_a_dry_run_foresees_the_run_and_sends_nothing(rpctl: Any, service: Running, home: Path) -> None:
    service.add("C1", 50)
    before = len(service.log)
    rows = ["C1,20", "C1,-60", "C1,-60", "C2,-1", "C3,x", "C3,5", "C3,-5", "C4,2147483648"]
    Path("rows.csv").write_text("\n".join(["customer_id,points", *rows]) + "\n")
    tried = report_of(rpctl("points", "import", "rows.csv", "--dry-run", "--rejects", "tried.csv", "-o", "json"), 3)
    asked = {line.split()[0] for line in service.log[before:] if "/oauth/token" not in line}
    is_made = (home / ".local/state/rpctl/journal.db").exists()
    real = report_of(rpctl("points", "import", "rows.csv", "--rejects", "real.csv", "-o", "json"), 3)

    assert (asked, is_made) == ({"GET"}, False)
    counts = [name for name, value in real.items() if isinstance(value, int) and name not in ("dryRun", "rowsPerS")]
    assert {name: tried[name] for name in counts} == {name: real[name] for name in counts}
    assert (real["applied"], real["refused"], real["alreadyApplied"]) == (4, 4, 0)
    assert Path("tried.csv").read_text() == Path("real.csv").read_text()
    assert Books(service.exports).balances() == {"C1": 10, "C3": 0}


# -- undone -----------------------------------------------------------------------------------------------


def test_an_undo_tells_what_it_reversed_what_it_could_not_and_what_was_refused(
    rpctl: Any, service: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    soon = "2026-03-11T12:00:00Z"
    rows = ["C1,100,", "C2,50,", "C2,-20,", f"C3,40,{soon}", "C4,30,"]
    Path("rows.csv").write_text("\n".join(["customer_id,points,valid_until", *rows]) + "\n")
    run = report_of(rpctl("points", "import", "rows.csv", "-o", "json"))["run"]
    service.redeem("C1", 30)
    service.now += 20 * DAY_MS
    rpctl.now = service.now
    _spends_first(monkeypatch, "C4", 30)
    undone = report_of(rpctl("imports", "undo", run, "--yes", "-o", "json"), 3)

    def bucket(name: str) -> list[tuple[str, int, str]]:
        return [(one["customerId"], one["points"], one["reason"]) for one in undone[name]]

    assert bucket("reversed") == [("C1", 70, "taken_back"), ("C2", 50, "taken_back"), ("C2", 20, "given_back")]
    assert bucket("kept") == [("C1", 30, "spent"), ("C3", 40, "expired")]
    assert bucket("failed") == [("C4", 30, "refused")]
    assert Books(service.exports).balances() == {"C1": 0, "C2": 0, "C3": 0, "C4": 0}
    sent = posts(service)
    assert report_of(rpctl("imports", "undo", run, "--yes", "-o", "json"))["entries"] == 5
    assert rpctl("points", "import", "rows.csv").status == 6
    assert posts(service) == sent
    again = report_of(rpctl("points", "import", "rows.csv", "--again", "-o", "json"), 3)
    assert (again["applied"], again["refused"]) == (4, 1)  # the points of C3 would end before they begin
    assert Books(service.exports).balances() == {"C1": 100, "C2": 30, "C3": 0, "C4": 30}


def _spends_first(monkeypatch: pytest.MonkeyPatch, customer_id: str, points: int) -> None:
    """Somebody else redeems a customer's points just before the next redemption of that customer arrives."""
    answer = Application.__call__
    left = [customer_id]

    async def raced(application: Application, abort: Any, scope: Any, receive: Any, send: Any) -> None:
        async def body() -> dict[str, Any]:
            return {"type": "http.request", "body": json.dumps({"points": points}).encode()}

        async def unheard(_: Any) -> None: ...

        if left and scope["path"].endswith(f"/customer/{customer_id}/redeemPoints"):
            left.clear()
            await answer(application, abort, scope, body, unheard)
        await answer(application, abort, scope, receive, send)

    monkeypatch.setattr(Application, "__call__", raced)


# -- told -------------------------------------------------------------------------------------------------


def test_what_cannot_be_told_is_said_row_by_row_and_never_sent_again(command_line: Callable[..., Any]) -> None:
    dropped = frozenset({"id", "description", "reference-id"})
    with running(token_lifetime_s=10**9, drop_markers=dropped, lose_answer_rate=0.1, seed=2) as service:
        rpctl = command_line(**service.environ)
        rpctl.now = service.now
        sheet = write_sheet(Path("rows.csv"), 60, 3, 12)
        ended = rpctl("points", "import", "rows.csv", "-o", "json")
        report = report_of(ended, 8)
        shown = rpctl.ok("imports", "show", report["run"], "--rows", "--state", "unknown", "-o", "jsonl")
        unknown = [json.loads(line) for line in shown.splitlines()]
        (listed,) = json.loads(rpctl.ok("imports", "list", "-o", "json"))
        sent = posts(service)
        second = report_of(rpctl("points", "import", "rows.csv", "-o", "json"), 8)

        assert report["unknown"] == len(unknown) > 0 < report["waiting"]
        assert report["applied"] + report["unknown"] + report["waiting"] == report["rows"] == len(sheet.names)
        assert {(one["state"], one["code"]) for one in unknown} == {("unknown", "outcome_unknown")}
        assert (listed["run"], listed["state"], listed["unknown"]) == (report["run"], "unfinished", len(unknown))
        assert sent == report["applied"] + report["unknown"]  # each that left was applied, and left once
        assert (second["unknown"], posts(service)) == (report["unknown"], sent)
        assert {one["customerId"] for one in unknown} <= sheet.balances.keys()


def test_the_report_has_its_fields(rpctl: Any) -> None:
    Path("rows.csv").write_text("customer_id,points\nC1,5\nC1,-2\nC1,-9\n")
    report = report_of(rpctl("points", "import", "rows.csv", "-o", "json"), 3)
    measured = {report.pop("durationS"), report.pop("rowsPerS")}

    assert all(value >= 0 for value in measured)
    assert re.fullmatch("[0-9a-f]{12}", report.pop("run"))
    assert report == {
        "schema": "rpctl.import-report/1", "file": "rows.csv", "dryRun": False, "rows": 3, "applied": 2,
        "alreadyApplied": 0, "skipped": 0, "expiredOnArrival": 0, "refused": 1, "unknown": 0, "waiting": 0,
        "pointsAdded": 5, "pointsRedeemed": 2, "rejectsFile": "rows.rejected.csv",
    }  # fmt: skip
    (refused,) = csv.DictReader(Path("rows.rejected.csv").read_text().splitlines())
    assert (refused["line"], refused["error_code"]) == ("4", "insufficient_points")


def test_a_file_is_imported_with_standard_input_closed(online: Machine, service: Running) -> None:
    online.csv("rows.csv", ["C1,5", "C2,7"])
    online.shell("rpctl points import rows.csv <&-").ok()

    assert "Standard input is closed" in refusal(online.shell("rpctl points import - <&-"), 7)
    assert Books(service.exports).balances() == {"C1": 5, "C2": 7}


def test_no_secret_is_told_or_kept_where_others_read(machine: Machine) -> None:
    sheet = write_sheet(machine.work / "rows.csv", 30, 1, 15)
    with running(fail_rate=0.05, lose_answer_rate=0.05, seed=4) as service:
        machine.environ |= service.environ
        ends = [machine.run("-v", "points", "import", "rows.csv", "-o", "json", environ={"RPCTL_DEBUG": "1"})]
        service.now += 20_000_000  # its tokens are of no use any more
        ends += [machine.run("-v", "imports", "undo", ends[0].ok().document["run"], "--yes")]
        ends += [machine.run("-v", "points", "import", "rows.csv", environ={"RPCTL_CLIENT_SECRET": "planted-secret"})]
        tokens = set(service.sandbox._tokens._by_text)
    secrets = {service.exports["RPCTL_CLIENT_SECRET"], "planted-secret", *tokens}
    cache = machine.home / ".cache"
    kept = {path: path.read_bytes() for path in machine.home.parent.rglob("*") if path.is_file()}
    told = b"".join(end.stdout + end.stderr for end in ends)

    assert len(sheet.names) == ends[0].document["applied"]
    assert len(tokens) > 1
    assert [one for one in secrets if one.encode() in told] == []
    assert [
        path for path, text in kept.items() if cache not in path.parents for one in secrets if one.encode() in text
    ] == []
    modes = Counter(path.stat().st_mode & 0o777 for path in kept if machine.home in path.parents)
    assert set(modes) == {0o600}
