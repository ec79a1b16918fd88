"""What was recorded without a line, pushed by real processes that are killed, stopped, or two at once, and pulls that
break off. The service is in the test's own process."""

from __future__ import annotations

import asyncio
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from real_machine import PATIENCE_S, RPCTL, Machine, finish, refusal, wait_until

from rpctl.sandbox.application import Application
from sandbox_client import Running, running
from service_books import Books, Found, Sheet, write_sheet

ROWS = 120
SLOW = ("--rate", "150")  # enough to be caught in the middle
PUSH = (RPCTL, "sync", "push")


@pytest.fixture
def service() -> Iterator[Running]:
    with running(token_lifetime_s=10**9) as one:
        one.now = time.time_ns() // 1_000_000 + 3_600_000  # it stands still, and nothing is dated after it
        yield one


@pytest.fixture
def till(machine: Machine, service: Running) -> Machine:
    """A machine that may be out of the service's reach."""
    machine.environ |= service.environ
    return machine


@pytest.fixture
def sheet(till: Machine) -> Sheet:
    """A file that is recorded, a third of whose rows redeem what rows before them added."""
    sheet = write_sheet(till.work / "rows.csv", ROWS, 1, 40)
    report = till.here("points", "import", "rows.csv", "--offline", "-o", "json").ok().document
    assert (report["applied"], report["refused"]) == (ROWS, 0)
    return sheet


def posts(service: Running) -> int:
    """How many changes of points reached the service."""
    return sum(line.startswith("POST /reward-points") for line in list(service.log))


def begin(till: Machine, service: Running, changes: int) -> subprocess.Popen[bytes]:
    """A push that is under way: so many changes came."""
    process = till.start([*PUSH, *SLOW, "-o", "json"])
    before = posts(service)
    wait_until(lambda: posts(service) >= before + changes or process.poll() is not None)
    return process


def status(till: Machine) -> dict[str, Any]:
    return dict(till.here("sync", "status", "-o", "json").ok().document)


def is_right(till: Machine, service: Running, sheet: Sheet) -> bool:
    """Each change is in once, nothing waits, and both sides have the same."""
    books = Books(service.exports)
    assert books.compare(sheet) == Found(0, 0, 0)
    assert (status(till)["waiting"], status(till)["conflicts"]) == (0, 0)
    assert till.balances("--offline") == books.balances() == sheet.balances
    return True


def test_a_push_that_is_killed_again_and_again_sends_each_change_once(
    till: Machine, service: Running, sheet: Sheet
) -> None:
    balances = till.balances("--offline")
    for changes in (1, 30, 5):
        process = begin(till, service, changes)
        process.send_signal(signal.SIGKILL)
        assert finish(process).status == -signal.SIGKILL
        assert till.balances("--offline") == balances  # whether it was sent or not, it counts once
    assert 0 < posts(service) < ROWS
    last = till.run("sync", "push", "-o", "json").ok().document

    assert (last["conflicts"], last["unknown"]) == (0, 0)
    assert 0 < last["alreadySent"] < ROWS / 2
    assert is_right(till, service, sheet)
    sent = posts(service)
    assert till.here("sync", "push", "-o", "json").ok().document["waiting"] == 0
    assert posts(service) == sent


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_push_that_is_stopped_goes_on_with_the_same_command(
    till: Machine, service: Running, sheet: Sheet, number: signal.Signals, ends: int
) -> None:
    process = begin(till, service, 30)
    process.send_signal(number)
    stopped = finish(process)
    left = status(till)["waiting"]

    assert (stopped.status, stopped.out, stopped.error["exitStatus"]) == (ends, "", ends)
    assert "Traceback" not in stopped.err
    assert "the same command" in stopped.error["hint"]
    assert 0 < left < ROWS
    last = till.here("sync", "push", "-o", "json").ok().document
    assert last["sent"] + last["alreadySent"] == last["waiting"] == left
    assert is_right(till, service, sheet)


def test_two_pushes_at_once_are_one(till: Machine, service: Running, sheet: Sheet) -> None:
    first = begin(till, service, 5)
    first.send_signal(signal.SIGSTOP)  # or it might be through before the others have begun
    patient = till.start([*PUSH, "--wait", "-o", "json"])
    hasty = till.run("sync", "push", "-o", "json")
    pulling = till.run("sync", "pull", "-o", "json")
    recorded = till.run("points", "add", "C0001", "7", "--description", "late", "--key", "late", "--offline", "-q")
    first.send_signal(signal.SIGCONT)
    done, waited = finish(first).ok().document, finish(patient).ok().document

    for refused in (hasty, pulling):
        assert (refused.status, refused.out, refused.error["code"]) == (75, "", "sync_under_way")
        assert (refused.error["retryable"], "--wait" in refused.error["hint"]) == (True, True)
    assert recorded.status == 0  # the till goes on meanwhile
    assert done["sent"] + waited["sent"] == ROWS + 1
    assert done["alreadySent"] + waited["alreadySent"] == 0
    assert posts(service) == ROWS + 1
    assert till.balances("--offline") == Books(service.exports).balances()
    assert status(till)["waiting"] == 0


def test_another_machine_with_the_same_changes_sends_none_twice(till: Machine, service: Running, sheet: Sheet) -> None:
    """A copy of the till's ledger on a machine without its journal, as after a move."""
    process = begin(till, service, 30)
    process.send_signal(signal.SIGKILL)
    finish(process)
    moved = {"XDG_STATE_HOME": str(till.home / "moved")}
    document = till.run("sync", "push", "-o", "json", environ=moved).ok().document

    assert document["alreadySent"] > 0
    assert is_right(till, service, sheet)


# -- pull -------------------------------------------------------------------------------------------------


def mirrored(till: Machine) -> dict[str, int]:
    """What each customer is known to have, asked of the database itself."""
    with closing(sqlite3.connect(till.ledger, timeout=10)) as database:
        return dict(database.execute("SELECT customer_id, active_points FROM mirror"))


@pytest.mark.parametrize("end", ["of the service", "of the pull"])
def test_a_pull_that_breaks_off_keeps_what_it_read_and_removes_nobody(
    till: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    loaded = tmp_path / "loaded.csv"
    loaded.write_text("customer_id,points\n" + "".join(f"C{number:04d},5\n" for number in range(1000)))
    with running(token_lifetime_s=10**9, load=loaded) as service:
        till.environ |= service.environ
        first = till.here("sync", "pull", "-o", "json").ok().document
        service.add("C0000", 1)
        service.add("C0999", 1)
        service.points("DELETE", "/customer/C0001")
        service.points("DELETE", "/customer/C0998")
        monkeypatch.setattr(Application, "_stream", _breaks_off if end == "of the service" else _stalls)
        process = till.start([RPCTL, "sync", "pull"], environ={"RPCTL_TIMEOUT_S": "30"})
        wait_until(lambda: mirrored(till)["C0000"] == 6 or process.poll() is not None)
        if end == "of the pull":
            process.kill()
        stopped = finish(process)
        kept, pulled_at = mirrored(till), status(till)["mirror"]["pulledAt"]
        monkeypatch.undo()
        again = till.here("sync", "pull", "-o", "json").ok().document

    assert (first["customers"], first["removed"], pulled_at) == (1000, 0, first["pulledAt"])
    assert refusal(stopped, 75) if end == "of the service" else stopped.status == -signal.SIGKILL
    assert (len(kept), kept["C0000"], kept["C0001"], kept["C0998"], kept["C0999"]) == (1000, 6, 5, 5, 5)
    assert (again["customers"], again["removed"]) == (998, 2)
    whole = mirrored(till)
    assert (len(whole), whole["C0000"], whole["C0999"]) == (998, 6, 6)


async def _half(pieces: Iterator[bytes], send: Any) -> None:
    for piece in islice(pieces, 10):  # of 20
        await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _breaks_off(_: Application, pieces: Iterator[bytes], send: Any) -> None:
    await _half(pieces, send)
    raise ConnectionError("the service ends")


async def _stalls(_: Application, pieces: Iterator[bytes], send: Any) -> None:
    await _half(pieces, send)
    await asyncio.sleep(PATIENCE_S)
