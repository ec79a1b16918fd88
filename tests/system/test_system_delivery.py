"""Every change once, over a service that fails, loses answers and forgets markers; several machines and processes."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from sandbox_client import Running, running

RPCTL = str(Path(sys.executable).with_name("rpctl"))
TRIES = 60


@pytest.fixture
def service() -> Iterator[Running]:
    with running(token_lifetime_s=10**9) as one:
        yield one


def surroundings(service: Running, settle_s: str = "0") -> dict[str, str]:
    return {**service.exports, "RPCTL_SETTLE_S": settle_s, "RPCTL_KEYRING": "off"}


@contextmanager
def answering_late(service: Running, latency_s: float) -> Iterator[None]:
    """The service keeps its answers for so long, and does so only while it matters."""
    service.sandbox.application._latency_s = latency_s
    yield
    service.sandbox.application._latency_s = 0


def posts(service: Running, customer_id: str) -> int:
    """How many changes of a customer's points reached the service."""
    made = [path for method, path, _ in service.sandbox.application.requests if method == "POST"]
    return sum(f"/customer/{customer_id}/" in path for path in made)


class Loop:
    """A script that repeats each command while it is told to, and keeps the books of what was reported as applied."""

    def __init__(self, rpctl: Any) -> None:
        self.rpctl = rpctl
        self.statuses: Counter[int] = Counter()
        self.balances: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()

    def change(self, verb: str, customer_id: str, points: int, key: str) -> None:
        for _ in range(TRIES):
            status = self.rpctl("points", verb, customer_id, str(points), "--key", key, "-q").status
            self.statuses[status] += 1
            if status not in (8, 75):
                break
        if status == 0:
            self.balances[customer_id] += points if verb == "add" else -points
        else:
            assert status in (8, 6), (verb, key, status)
            self.unknown[customer_id] += status == 8

    def play(self, adds: int, redemptions: int) -> None:
        every = adds // redemptions
        for number in range(adds):
            customer_id = f"C{number % 9}"
            self.change("add", customer_id, number % 7 + 10, f"add-{number}")
            if number % every == every - 1:
                self.change("redeem", customer_id, 5, f"redeem-{number}")


def balances(service: Running) -> dict[str, int]:
    """What the service says, asked until it answers."""
    for _ in range(TRIES):
        with suppress(OSError, HTTPException):
            found = service.points("GET", "/summaryBatch")
            if found.status == 200:
                return {one["customerId"]: one["activePoints"] for one in found.json}
    raise AssertionError("the service never answered")


@pytest.mark.parametrize("dropped", ["", "id", "description", "reference-id"])
def test_a_loop_over_a_bad_line_ends_with_the_right_balances(dropped: str, command_line: Callable[..., Any]) -> None:
    faults = {"fail_rate": 0.2, "lose_answer_rate": 0.3, "seed": 5}
    with running(token_lifetime_s=10**9, drop_markers=frozenset(filter(None, [dropped])), **faults) as service:
        loop = Loop(command_line(**surroundings(service)))
        loop.play(60, 20)

        assert loop.unknown == Counter()
        assert balances(service) == dict(loop.balances)
        assert any(mark == "answer lost" for mark in re.findall(r"fault: ([a-z ]+)", "\n".join(service.log)))


def test_without_any_marker_nothing_is_sent_again_and_what_cannot_be_told_is_said(
    command_line: Callable[..., Any],
) -> None:
    dropped = frozenset({"id", "description", "reference-id"})
    with running(token_lifetime_s=10**9, drop_markers=dropped, lose_answer_rate=0.3, seed=3) as service:
        rpctl = command_line(**surroundings(service))
        for number in range(3):  # one after the other, so that the service has something of each kind
            rpctl("points", "add", "C1", "1", "--key", f"first-{number}", "-q")
        before = balances(service)["C1"]
        statuses = Counter(rpctl("points", "add", "C1", "10", "--key", f"k{number}").status for number in range(30))

        assert set(statuses) == {0, 8}
        assert balances(service)["C1"] - before == 300  # each was applied, none twice


def test_an_unknown_outcome_hints_at_the_command_that_finds_out(command_line: Callable[..., Any]) -> None:
    with running(token_lifetime_s=10**9, fail_rate=0.5, seed=1) as service:
        for number in range(30):  # machines that know nothing of this service yet, until a sending fails
            rpctl = command_line(f"m{number}", **surroundings(service))
            ended = rpctl("--no-color", "points", "add", "C1", "5", "--description", "--", "-o", "json", "--")
            if ended.status == 8:
                break
        error = json.loads(ended.err.splitlines()[-1])["error"]
        key = re.search(r"--key=([0-9a-f]{24})", error["hint"])

        assert (error["code"], error["httpStatus"]) == ("outcome_unknown", 500)
        assert error["request"] == "POST /reward-points/customer/C1/addPoints"
        assert key is not None
        hinted = f"rpctl --no-color points add --key={key[1]} C1 5 --description -- -o json --"
        assert error["hint"] == f"This finds out, and counts once: {hinted}"


def test_where_no_mark_survives_the_hint_promises_nothing(command_line: Callable[..., Any]) -> None:
    dropped = frozenset({"id", "description"})
    with running(token_lifetime_s=10**9, drop_markers=dropped, lose_answer_rate=0.5, seed=1) as service:
        rpctl = command_line(**surroundings(service))
        ends = [rpctl("points", "add", "C1", "1", "-o", "json") for _ in range(20)]
        hints = [json.loads(one.err.splitlines()[-1])["error"]["hint"] for one in ends if one.status == 8]

        assert "This service keeps no marks to tell by" in hints[-1]


def test_a_key_counts_once_on_two_machines(service: Running, command_line: Callable[..., Any]) -> None:
    here, there = (command_line(machine, **surroundings(service)) for machine in ("here", "there"))
    for verb, points in (("add", "50"), ("redeem", "20")):
        first = here("points", verb, "C1", points, "--key", f"{verb}-1", "-o", "json")
        second = there("points", verb, "C1", points, "--key", f"{verb}-1", "-o", "json")

        assert (first.status, second.status) == (0, 0)
        assert second.out == first.out
        assert "is in already; nothing changed" in second.err

    assert balances(service) == {"C1": 30}


def test_a_key_means_the_same_on_two_machines(service: Running, command_line: Callable[..., Any]) -> None:
    here, there = (command_line(machine, **surroundings(service)) for machine in ("here", "there"))
    here("points", "add", "C1", "50", "--key", "k")

    assert there("points", "add", "C1", "51", "--key", "k").status == 6
    assert here("points", "add", "C1", "51", "--key", "k").status == 6
    assert balances(service) == {"C1": 50}


def test_a_refused_change_does_not_use_up_its_key(service: Running, command_line: Callable[..., Any]) -> None:
    rpctl = command_line(**surroundings(service))
    rpctl.ok("points", "add", "C1", "5")

    assert rpctl("points", "redeem", "C1", "9", "--key", "k").status == 6
    rpctl.ok("points", "add", "C1", "5")
    assert rpctl("points", "redeem", "C1", "9", "--key", "k").status == 0
    assert balances(service) == {"C1": 1}


def started(service: Running, home: Path, *words: str, settle_s: str = "0") -> subprocess.Popen[str]:
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", **surroundings(service, settle_s)}
    return subprocess.Popen([RPCTL, *words], env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_with_one_key_count_once(home: Path) -> None:
    with running(token_lifetime_s=10**9, latency_s=0.3) as service:
        both = [started(service, home, "points", "add", "C1", "50", "--key", "k") for _ in range(2)]
        ended = [(process.communicate(timeout=30), process.returncode) for process in both]

        assert sorted(status for _, status in ended) in ([0, 75], [0, 0])
        assert balances(service) == {"C1": 50}
        assert posts(service, "C1") == 1


def states(home: Path) -> list[str]:
    """The states of what a machine has sent for C1, as its journal has them."""
    journal = home / ".local/state/rpctl/journal.db"
    with suppress(sqlite3.Error), closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as connection:
        return [state for (state,) in connection.execute("SELECT state FROM deliveries WHERE customer_id = 'C1'")]
    return []


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_command_that_is_stopped_in_mid_request_counts_once_with_the_hinted_key(
    stop: signal.Signals, service: Running, home: Path
) -> None:
    started(service, home, "points", "add", "C0", "1").communicate(timeout=30)  # a token is at hand from now on
    with answering_late(service, 0.4):
        words = ["points", "add", "C1", "50", *(["--key", "k"] if stop == signal.SIGKILL else [])]
        process = started(service, home, *words)
        wait_for(lambda: states(home) == ["sending"])
        time.sleep(0.1)  # the request is on its way, and the service takes its time
        process.send_signal(stop)
        _, err = process.communicate(timeout=30)
    if stop != signal.SIGKILL:
        assert process.returncode == 128 + stop
        found = re.search(r"--key ([0-9a-f]{24})", err)
        assert found, err
        words += ["--key", found[1]]
    again = started(service, home, *words, settle_s="0.5")
    _, err = again.communicate(timeout=30)

    assert again.returncode == 0, err
    assert "is in already" in err
    assert posts(service, "C1") == 1
    assert balances(service) == {"C0": 1, "C1": 50}


def test_an_unfinished_change_of_the_customer_is_settled_before_a_new_one(service: Running, home: Path) -> None:
    started(service, home, "points", "add", "C0", "1").communicate(timeout=30)
    with answering_late(service, 0.3):
        process = started(service, home, "points", "add", "C1", "50", "--key", "k")
        wait_for(lambda: states(home) == ["sending"])
        time.sleep(0.1)
        process.kill()
        process.communicate(timeout=30)
    other = started(service, home, "points", "redeem", "C1", "50", "--key", "r", settle_s="0.5")
    _, err = other.communicate(timeout=30)

    assert other.returncode == 0, err
    assert "key k of customer C1, sent earlier, is in" in err
    assert balances(service) == {"C0": 1, "C1": 0}


def test_the_journal_comes_before_the_request(service: Running, command_line: Callable[..., Any], home: Path) -> None:
    rpctl = command_line(**surroundings(service))
    journal = home / ".local/state/rpctl/journal.db"
    journal.parent.mkdir(parents=True)
    journal.write_text("this is no journal")

    ended = rpctl("points", "add", "C1", "50", "-o", "json")

    assert json.loads(ended.err.splitlines()[-1])["error"]["code"] == "journal_unusable"
    assert (ended.status, posts(service, "C1"), journal.read_text()) == (7, 0, "this is no journal")


def test_nothing_of_the_journal_is_for_others(service: Running, command_line: Callable[..., Any], home: Path) -> None:
    command_line(**surroundings(service)).ok("points", "add", "C1", "50")

    folder = home / ".local/state/rpctl"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o077 for path in folder.iterdir()} == dict.fromkeys(
        ("journal.db", "journal.db-keys"), 0
    )
