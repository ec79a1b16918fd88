"""kill -9 at any moment of an import, of an undo and of what is piped in: the same command goes on, exactly once.

The seed of a run is in the failure's output: every assertion that fails comes after it was printed.
"""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest
from killing import Expected, Home, kill, kill_until_through, write_changes

ROWS = 20_000
KILLS = 5
QUIET_S = 0.25  # loading takes that long; a kill before it would test nothing


@pytest.fixture
def seed() -> int:
    chosen = random.SystemRandom().randrange(1_000_000)
    print(f"seed {chosen}")
    return chosen


@pytest.fixture
def crashing(tmp_path: Path) -> Home:
    return Home(tmp_path)


def moments(seed: int, whole_s: float) -> list[float]:
    """Within the time that the whole takes: each start comes some way, and none is likely to come through."""
    rng = random.Random(seed)
    return [QUIET_S + rng.uniform(0, 0.7) * max(whole_s - QUIET_S, 0.1) for _ in range(KILLS)]


def a_whole_one_takes_s(folder: Path, file: str, rows: Path) -> float:
    """How long the same takes when nobody kills it, in a home of its own."""
    (folder / "whole").mkdir()
    home = Home(folder / "whole")
    started = time.monotonic()
    assert home.end(home.start("points", "import", file, stdin=rows))[0] == 0
    return time.monotonic() - started


def test_an_import_killed_again_and_again_comes_to_the_same(crashing: Home, tmp_path: Path, seed: int) -> None:
    rows = tmp_path / "changes.csv"
    expected = write_changes(rows, ROWS, seed)
    whole_s = a_whole_one_takes_s(tmp_path, str(rows), rows)
    kills = kill_until_through(lambda: crashing.start("points", "import", str(rows)), moments(seed, whole_s))
    assert kills
    _is_exact(crashing, expected)


def test_what_was_piped_in_is_gone_on_with_by_its_run(crashing: Home, tmp_path: Path, seed: int) -> None:
    rows = tmp_path / "changes.csv"
    expected = write_changes(rows, ROWS, seed)
    whole_s = a_whole_one_takes_s(tmp_path, "-", rows)
    copies = crashing.copies
    moment_s = QUIET_S
    while not crashing.runs():
        kill(crashing.start("points", "import", "-", stdin=rows), moment_s)
        moment_s += 0.02
    run = crashing.runs()[0]["run"]
    kept = [path.name for path in copies.glob("[!.]*")]
    assert kept in ([], [f"{run}.csv"])
    again = ("imports", "resume", run) if kept else ("points", "import", "-")  # no copy: nothing was applied yet
    kills = kill_until_through(lambda: crashing.start(*again, stdin=rows), moments(seed, whole_s))
    assert kills
    _is_exact(crashing, expected)
    assert list(copies.glob("[!.]*")) == []


def test_an_undo_killed_again_and_again_takes_everything_back_once(crashing: Home, tmp_path: Path, seed: int) -> None:
    rows = tmp_path / "changes.csv"
    expected = write_changes(rows, ROWS, seed)
    before = dict.fromkeys(sorted(expected.balances)[:3], 1000)
    for customer, points in before.items():
        crashing.json("points", "add", customer, str(points))
    run = crashing.json("points", "import", str(rows))["run"]
    undo = ("imports", "undo", run, "--yes")
    assert kill_until_through(lambda: crashing.start(*undo), [QUIET_S + 0.06 * n for n in range(KILLS)])
    report = crashing.json(*undo)
    assert {customer: points for customer, points in crashing.balances().items() if points} == before
    assert (report["entriesReversed"], report["kept"], report["failed"]) == (ROWS, [], [])
    assert (report["pointsTakenBack"], report["pointsGivenBack"]) == (expected.added, expected.redeemed)
    assert crashing.problems() == []


def _is_exact(home: Home, expected: Expected) -> None:
    (run,) = home.runs()
    counted = {name: run[name] for name in ("rows", "applied", "alreadyApplied", "pointsAdded", "pointsRedeemed")}
    assert counted == {
        "rows": expected.rows,
        "applied": expected.rows,
        "alreadyApplied": 0,
        "pointsAdded": expected.added,
        "pointsRedeemed": expected.redeemed,
    }
    assert run["state"] == "finished"
    assert home.balances() == expected.balances
    assert home.problems() == []
