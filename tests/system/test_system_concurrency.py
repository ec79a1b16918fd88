"""Many shells on one ledger at the same time, from the very first command on: nothing is lost, nothing counted twice,
nobody is turned away."""

from __future__ import annotations

import subprocess
import time

from real_machine import Machine, entries, finish, wait_until

SHELLS = 10
ROUNDS = 1


def test_ten_shells_start_on_no_ledger_and_every_change_counts_once(machine: Machine) -> None:
    script = f"""
        work() {{
            for round in $(seq {ROUNDS}); do
                rpctl points add -q shared 10 --key "$1-$round" ; echo $?
                rpctl points redeem -q shared 3 --key "$1-$round-back"; echo $?
                rpctl points add -q "own-$1" "$round"; echo $?
                rpctl points add -q shared 1000 --key "all-$round"; echo $?
            done
        }}
        for shell in $(seq {SHELLS}); do work $shell >>statuses 2>>talk & done
        wait
    """
    machine.shell(script).ok()
    assert (machine.work / "talk").read_text() == ""
    assert (machine.work / "statuses").read_text().split() == ["0"] * SHELLS * ROUNDS * 4
    expected = {f"own-{shell}": ROUNDS * (ROUNDS + 1) // 2 for shell in range(1, SHELLS + 1)}
    assert machine.balances() == expected | {"shared": SHELLS * ROUNDS * 7 + ROUNDS * 1000}
    assert machine.verified() == SHELLS * ROUNDS * 3 + ROUNDS
    beside = sorted(path.name for path in machine.ledger.parent.iterdir())
    assert beside == ["ledger.db"]


def test_more_is_never_redeemed_than_there_is_however_many_try(machine: Machine) -> None:
    machine.here("points", "add", "C1", "100").ok()
    tries = [machine.start(["rpctl", "points", "redeem", "C1", "30", "-o", "json"]) for _ in range(12)]
    done = [finish(process) for process in tries]
    assert sorted(one.status for one in done) == [0] * 3 + [6] * 9
    assert {one.error["code"] for one in done if one.status} == {"insufficient_points"}
    assert machine.balance("C1") == 10
    machine.verified()


def test_a_customer_is_created_by_exactly_one_of_many(machine: Machine) -> None:
    tries = [machine.start(["rpctl", "customer", "create", "C1", "--points", "5"]) for _ in range(10)]
    assert sorted(finish(process).status for process in tries) == [0] + [6] * 9
    assert machine.balances() == {"C1": 5}


def test_one_key_from_many_shells_at_once_counts_once_and_all_get_the_same_entry(machine: Machine) -> None:
    command = ["rpctl", "points", "add", "C1", "5", "--key", "k", "-o", "json"]
    done = [finish(process).ok().document for process in [machine.start(command) for _ in range(10)]]
    assert len({one["id"] for one in done}) == 1
    assert machine.balances() == {"C1": 5}


def test_four_imports_of_the_same_file_at_once_apply_every_row_once(machine: Machine) -> None:
    machine.csv("many.csv", (f"C{number % 100},{number % 9 + 1}" for number in range(12_000)))
    tries = [machine.start(["rpctl", "points", "import", "many.csv", "-o", "json"]) for _ in range(4)]
    done = [finish(process) for process in tries]
    assert {one.status for one in done} <= {0, 75}, [one.err for one in done]
    assert sum(one.document["applied"] for one in done if one.status == 0) == 12_000
    assert sum(machine.balances().values()) == sum(number % 9 + 1 for number in range(12_000))
    assert machine.verified() == 12_000


def test_nobody_is_turned_away_while_a_long_import_runs(machine: Machine) -> None:
    machine.csv("many.csv", (f"C{number % 5000},{number % 9 + 1}" for number in range(60_000)))
    machine.here("points", "add", "till", "1000").ok()
    long = machine.start(["rpctl", "points", "import", "many.csv", "-o", "json"], stderr=subprocess.DEVNULL)
    wait_until(lambda: entries(machine.ledger) > 1)
    waited: list[float] = []
    while long.poll() is None and len(waited) < 40:
        started = time.monotonic()
        machine.run("points", "add", "till", "3").ok()
        machine.run("points", "redeem", "till", "1").ok()
        assert machine.run("points", "balance", "till").ok().out == f"{1000 + 2 * len(waited) + 2}\n"
        waited.append(time.monotonic() - started)
    assert len(waited) > 0
    assert finish(long).ok().document["applied"] == 60_000
    assert max(waited) < 20  # three commands; without turns they would wait for the whole import, or be refused
    assert machine.verified() == 60_001 + 2 * len(waited)


def test_reading_shows_one_moment_while_others_write(machine: Machine) -> None:
    machine.csv("pairs.csv", (f"C{number},{sign}5" for number in range(50) for sign in ("", "-")))
    machine.here("points", "add", "C0", "100").ok()
    script = "for n in 1 2 3 4 5 6; do rpctl points import pairs.csv --set reason=$n -q || exit; done"
    writing = machine.start(["bash", "-c", script], stderr=subprocess.DEVNULL)
    reads = 0
    while writing.poll() is None:
        for summary in machine.run("points", "summary", "-o", "jsonl").ok().lines:
            lists = summary["summary"]
            added, redeemed = (sum(e["points"] for e in lists[of]) for of in ("addedPointsList", "redeemedPointsList"))
            assert summary["activePoints"] == added - redeemed
        reads += 1
    assert (finish(writing).status, reads > 0) == (0, True)
    machine.verified()
