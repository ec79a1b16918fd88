"""Imports over a service that are stopped by signals, cut lines, full disks, sleep: each row once, and what to do said.

Real processes; the service, and the line to it, are in the test's own.
"""

from __future__ import annotations

import resource
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_machine import RPCTL, Done, Machine, finish, refusal, wait_until

from relay import Relay, relay
from sandbox_client import Running, running
from service_books import Books, Found, Sheet, write_sheet

ROWS = 120
CUSTOMERS = 40
RATE = ("--rate", "150")  # slow enough to be caught in the middle


@pytest.fixture
def service() -> Iterator[Running]:
    with running() as one:
        yield one


@pytest.fixture
def sheet(machine: Machine) -> Sheet:
    return write_sheet(machine.work / "rows.csv", ROWS, 1, CUSTOMERS)


@pytest.fixture
def online(machine: Machine, service: Running) -> Machine:
    """A machine that works on the service."""
    machine.environ |= service.environ
    return machine


@pytest.fixture
def line(machine: Machine, service: Running) -> Iterator[Relay]:
    """The line of a machine to the service."""
    with relay(service.port) as one:
        machine.environ |= service.environ | {"RPCTL_URL": one.url}
        yield one


def posts(service: Running) -> int:
    """How many changes of points reached the service."""
    return sum(line.startswith("POST /reward-points") for line in list(service.log))


def begin(machine: Machine, service: Running, *words: str | Path, **more: object) -> subprocess.Popen[bytes]:
    """An import of the sheet that is under way, a quarter done."""
    process = machine.start([RPCTL, "points", "import", *(words or ("rows.csv",)), *RATE], **more)  # type: ignore[arg-type]
    before = posts(service)
    wait_until(lambda: posts(service) >= before + ROWS // 4 or process.poll() is not None)
    return process


def again(machine: Machine, *words: str) -> Done:
    """The same command, at full speed."""
    return machine.run(*(words or ("points", "import", "rows.csv")), "-o", "json")


def is_right(service: Running, sheet: Sheet) -> bool:
    found = Books(service.exports).compare(sheet)
    assert found == Found(0, 0, 0)
    return True


# -- signals ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_import_says_so_and_is_finished_by_the_same_command(
    online: Machine, service: Running, sheet: Sheet, sent: signal.Signals, status: int
) -> None:
    process = begin(online, service)
    process.send_signal(sent)
    done = finish(process)

    assert "same command" in done.err
    assert refusal(done, status) == ("Interrupted." if sent == signal.SIGINT else "Stopped by the system.")
    assert posts(service) < ROWS
    assert again(online).ok().document["applied"] == ROWS
    assert is_right(service, sheet)


def test_ctrl_c_ends_the_wait_for_what_was_not_answered(machine: Machine) -> None:
    sheet = write_sheet(machine.work / "rows.csv", 12, 1, 1)  # one customer: all wait for the one that was lost
    with running(lose_answer_rate=0.2, seed=3) as service:
        machine.environ |= service.environ
        process = machine.start([RPCTL, "points", "import", "rows.csv"], environ={"RPCTL_SETTLE_S": "60"})
        wait_until(lambda: any(line.startswith("POST") and "lost" in line for line in list(service.log)))
        time.sleep(0.1)
        began_s = time.monotonic()
        process.send_signal(signal.SIGINT)
        done = finish(process)

        assert time.monotonic() - began_s < 2
        assert refusal(done, 130) == "Interrupted."
        assert again(machine).ok().document["applied"] == 12
        assert is_right(service, sheet)


def test_what_was_piped_in_is_gone_on_with_by_its_run(online: Machine, service: Running, sheet: Sheet) -> None:
    with sheet.path.open("rb") as rows:
        process = begin(online, service, "-", stdin=rows)
    process.kill()
    finish(process)
    (run,) = online.run("imports", "list", "-o", "json").ok().document

    assert (run["state"], run["file"]) == ("unfinished", "standard input")
    assert again(online, "imports", "resume", run["run"]).ok().document["applied"] == ROWS
    assert is_right(service, sheet)


# -- the line ---------------------------------------------------------------------------------------------


def test_a_run_waits_for_a_service_that_goes_away_for_a_while(
    machine: Machine, service: Running, line: Relay, sheet: Sheet
) -> None:
    process = begin(machine, service)
    line.cut()
    time.sleep(1.2)
    line.mend()

    assert finish(process).ok()
    assert is_right(service, sheet)


def test_a_service_that_stays_away_ends_the_run_for_now(
    machine: Machine, service: Running, line: Relay, sheet: Sheet
) -> None:
    process = begin(machine, service, environ={"RPCTL_TIMEOUT_S": "1"})
    line.cut()
    done = finish(process)

    assert done.status == 75, done.err
    assert done.err.splitlines()[-1].startswith("hint: ")
    assert "Traceback" not in done.err
    line.mend()
    assert again(machine).ok().document["applied"] == ROWS
    assert is_right(service, sheet)


def test_a_laptop_that_slept_while_its_connections_went_carries_on(
    machine: Machine, service: Running, line: Relay, sheet: Sheet
) -> None:
    process = begin(machine, service)
    process.send_signal(signal.SIGSTOP)
    line.cut()
    line.mend()
    time.sleep(1.2)  # longer than a row may wait to leave once it was written
    process.send_signal(signal.SIGCONT)
    done = finish(process)

    assert done.status in (0, 75), done.err
    assert "Traceback" not in done.err
    report = again(machine).ok().document
    assert report["applied"] + report["alreadyApplied"] == ROWS
    assert is_right(service, sheet)


def test_a_token_that_expires_on_the_way_is_asked_for_once_more(
    online: Machine, service: Running, sheet: Sheet
) -> None:
    process = begin(online, service, "rows.csv", "--concurrency", "8")
    service.now += 20_000 * 1000
    done = finish(process)

    assert done.ok()
    asked = Counter(line.split(" ")[1] for line in service.log if "/oauth/token" in line)
    assert asked == {"/oauth/token": 2}
    assert is_right(service, sheet)


# -- the journal ------------------------------------------------------------------------------------------


def test_without_a_journal_nothing_is_sent(online: Machine, service: Running, sheet: Sheet) -> None:
    journal = online.home / ".local/state/rpctl/journal.db"
    journal.mkdir(parents=True)
    done = online.run("points", "import", "rows.csv")

    assert str(journal) in refusal(done, 7)
    assert posts(service) == 0
    journal.rmdir()
    assert again(online).ok().document["applied"] == ROWS
    assert is_right(service, sheet)


def test_a_journal_that_cannot_grow_ends_the_run_and_the_next_one_finishes(
    online: Machine, service: Running, sheet: Sheet
) -> None:
    largest = 120_000

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    process = online.start([RPCTL, "points", "import", "rows.csv"], preexec_fn=limit)
    done = finish(process)

    assert done.status in (7, 75), done.err
    assert "journal.db" in refusal(done, done.status)
    assert 0 < posts(service) < ROWS
    assert again(online).ok().document["applied"] == ROWS
    assert is_right(service, sheet)


def test_a_full_disk_ends_the_run_and_the_next_one_finishes(
    online: Machine, service: Running, sheet: Sheet, small_disk: object
) -> None:
    disk = small_disk("160k")  # type: ignore[operator]
    online.environ["XDG_STATE_HOME"] = str(disk)
    done = online.run("points", "import", "rows.csv")

    assert "disk is full" in refusal(done, done.status)
    assert 0 < posts(service) < ROWS
    subprocess.run(["mount", "-o", "remount,size=4m", disk], check=True)
    assert again(online).ok().document["applied"] == ROWS
    assert is_right(service, sheet)
