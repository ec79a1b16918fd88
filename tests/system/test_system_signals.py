"""Ctrl-C, SIGTERM, SIGKILL at any moment: what was done is recorded, the same command goes on, nothing counts twice."""

from __future__ import annotations

import random
import signal
import time

import pytest
from real_machine import Conversation, Machine, entries, finish, has_open, refusal, wait_until, write_lock

ROWS = 30_000
FIRST = 10_000  # rows of the first transaction of an import
POINTS = {f"C{customer}": sum(n % 9 + 1 for n in range(customer, ROWS, 200)) for customer in range(200)}


@pytest.mark.parametrize(("sent", "times"), [(signal.SIGINT, 3), (signal.SIGTERM, 3), (signal.SIGKILL, 4)])
def test_an_import_that_is_stopped_again_and_again_is_finished_by_the_same_command(
    machine: Machine, sent: signal.Signals, times: int
) -> None:
    file = machine.csv("many.csv", (f"C{number % 200},{number % 9 + 1}" for number in range(ROWS)))
    command = ["rpctl", "points", "import", str(file), "-o", "tsv"]
    stopped = 0
    for _ in range(times):
        process = machine.start(command)
        wait_until(lambda process=process: process.poll() is not None or has_open(process, file))
        time.sleep(random.uniform(0, 0.5))
        process.send_signal(sent)
        done = finish(process)
        if done.status == 0 or done.out:  # it was quicker than the signal: the report is there
            continue
        stopped += 1
        if sent == signal.SIGKILL:
            said = [line for line in done.err.splitlines() if not line.startswith("note: Going on with run ")]
            assert (done.status, done.out, said) == (-9, "", [])
        else:
            status, message = (130, "Interrupted.") if sent == signal.SIGINT else (143, "Stopped by the system.")
            assert message == refusal(done, status)
    document = machine.run("points", "import", file, "-o", "json").ok().document
    assert document["applied"] + document["alreadyApplied"] == ROWS
    assert machine.balances() == POINTS
    assert machine.verified() == ROWS
    runs = machine.run("imports", "list", "-o", "json").ok().document
    assert all(run["state"] == "finished" for run in runs)
    assert sum(run["applied"] for run in runs) == ROWS
    assert len(runs) <= 1 + times - stopped


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_run_stays_recorded_as_unfinished_with_its_counts(
    machine: Machine, sent: signal.Signals, status: int
) -> None:
    rows = 12 * FIRST
    file = machine.csv("many.csv", (f"C{number % 200},{number % 9 + 1}" for number in range(rows)))
    process = machine.start(["rpctl", "points", "import", str(file)])
    wait_until(machine.ledger.exists)
    wait_until(lambda: entries(machine.ledger) > FIRST)  # the second is in, so what the first did is counted
    with write_lock(machine.ledger):  # or it might be done before the signal comes
        process.send_signal(sent)
        assert finish(process).status == status
    [run] = machine.run("imports", "list", "-o", "json").ok().document
    there = machine.verified()
    assert run["finishedAt"] is None
    assert FIRST <= run["applied"] <= there < rows
    document = machine.run("points", "import", file, "-o", "json").ok().document
    assert (document["run"], document["alreadyApplied"], document["applied"]) == (run["run"], 0, rows)


def test_a_single_change_that_is_killed_at_any_moment_counts_once(machine: Machine) -> None:
    for number in range(12):
        process = machine.start(["rpctl", "points", "add", "C1", "5", "--key", "k"])
        time.sleep(number * 0.015)
        process.send_signal(signal.SIGKILL)
        finish(process)
    machine.run("points", "add", "C1", "5", "--key", "k").ok()
    assert machine.balances() == {"C1": 5}
    assert machine.verified() == 1


@pytest.mark.parametrize(("sent", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_waiting_for_the_ledger_ends_when_it_is_told_to_and_the_hint_carries_the_key(
    machine: Machine, sent: signal.Signals, status: int
) -> None:
    machine.here("points", "add", "C1", "5").ok()
    with write_lock(machine.ledger):
        process = machine.start(["rpctl", "points", "add", "C1", "7", "-o", "json"])
        wait_until(lambda: has_open(process, machine.ledger))
        time.sleep(0.3)
        started = time.monotonic()
        process.send_signal(sent)
        done = finish(process)
        waited = time.monotonic() - started
    assert (done.status, done.out, waited < 10) == (status, "", True)
    key = done.error["hint"].split("--key ")[1].split(":")[0]
    machine.run("points", "add", "C1", "7", "--key", key).ok()
    assert machine.balance("C1") == 12


def test_ctrl_c_at_a_question_does_nothing(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5").ok()

    def interrupt(person: Conversation) -> None:
        person.wait_for("to go on:")
        person.type("\x03")

    done = machine.on_terminal("customer", "delete", "C1", talk=interrupt)
    assert done.status == 130
    assert "Interrupted." in done.out
    assert "Traceback" not in done.out
    assert machine.balances() == {"C1": 5}


@pytest.mark.parametrize("answer", ["no\n", "\n", "c1\n", "yes\n", "\x04", "C1 C1\n"])
def test_any_other_answer_than_the_one_asked_for_does_nothing(machine: Machine, answer: str) -> None:
    machine.here("points", "add", "C1", "5").ok()

    def reply(person: Conversation) -> None:
        person.wait_for("Type C1 to go on:")
        person.type(answer)

    done = machine.on_terminal("customer", "delete", "C1", talk=reply)
    assert (done.status, "Nothing was done." in done.out) == (6, True)
    assert machine.balances() == {"C1": 5}


def test_the_answer_asked_for_acts(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5").ok()

    def reply(person: Conversation) -> None:
        person.wait_for("Type C1 to go on:")
        person.type("C1\n")

    assert machine.on_terminal("customer", "delete", "C1", talk=reply).status == 0
    assert machine.balances() == {}


def test_ctrl_c_while_the_program_is_still_loading_ends_it_without_a_traceback(machine: Machine) -> None:
    process = machine.start(["rpctl", "points", "balance", "C1"], environ={"PYTHONVERBOSE": "1"})
    assert process.stderr is not None
    said = b""
    while b"import 'typer" not in said:
        line = process.stderr.readline()
        assert line, "it ended before"
        said += line
    process.send_signal(signal.SIGINT)
    done = finish(process)
    assert done.status in (-signal.SIGINT, 130)
    assert "Traceback" not in done.err


def test_a_background_job_that_ignores_ctrl_c_goes_on(machine: Machine) -> None:
    script = "trap '' INT; exec rpctl points import many.csv -o json"
    file = machine.csv("many.csv", (f"C{number % 200},1" for number in range(ROWS)))
    process = machine.start(["bash", "-c", script])
    wait_until(lambda: has_open(process, file))
    process.send_signal(signal.SIGINT)
    assert finish(process).ok().document["applied"] == ROWS


def test_a_terminal_that_is_closed_leaves_a_sound_ledger(machine: Machine) -> None:
    file = machine.csv("many.csv", (f"C{number % 200},{number % 9 + 1}" for number in range(ROWS)))
    process = machine.start(["rpctl", "points", "import", str(file)])
    wait_until(lambda: has_open(process, file))
    time.sleep(0.2)
    process.send_signal(signal.SIGHUP)
    finish(process)
    machine.run("points", "import", file).ok()
    assert machine.balances() == POINTS
    assert machine.verified() == ROWS
