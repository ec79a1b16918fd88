"""Whether an import that is killed again and again comes to what its file says, to the point, and each row once."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

from killing import Expected, Home, kill, write_changes


def main() -> int:
    """Kills, goes on, checks; 0 where everything adds up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--piped", action="store_true", help="read it from standard input, and go on by its run")
    parser.add_argument("--undo", action="store_true", help="kill its undoing in the same way after that")
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    rng = random.Random(args.seed)
    wrong: list[str] = []
    kills = 0
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "changes.csv"
        expected = write_changes(rows, args.rows, args.seed)
        while kills < args.kills and not wrong:  # an import may be through before it was killed often enough
            home = Home(Path(folder) / f"home-{rng.getrandbits(48):x}")
            home.folder.mkdir()
            kills += _killed_import(home, rows, expected, args.kills - kills, rng, piped=args.piped, wrong=wrong)
            if args.undo:
                _killed_undo(home, rows, args.kills, rng, wrong)
    print(f"{kills} kills in all; " + ("\n".join(wrong) or "everything adds up"))
    return 1 if wrong else 0


def _killed_import(
    home: Home, rows: Path, expected: Expected, most: int, rng: random.Random, *, piped: bool, wrong: list[str]
) -> int:
    kills = _campaign(home, ["points", "import", "-" if piped else str(rows)], rows, most, rng, resume=piped)
    (run,) = home.runs()
    wrong += [
        f"{name} is {run[name]}, not {wanted}"
        for name, wanted in (
            ("state", "finished"),
            ("rows", expected.rows),
            ("applied", expected.rows),
            ("alreadyApplied", 0),
            ("pointsAdded", expected.added),
            ("pointsRedeemed", expected.redeemed),
        )
        if run[name] != wanted
    ]
    wrong += ["the balances differ"] * (home.balances() != expected.balances)
    wrong += [f"ledger verify: {problem}" for problem in home.problems()]
    print(f"import: {kills} kills, {run['applied']:,} rows applied, {len(wrong)} deviations", flush=True)
    return kills


def _killed_undo(home: Home, rows: Path, most: int, rng: random.Random, wrong: list[str]) -> None:
    command = ["imports", "undo", home.runs()[0]["run"], "--yes"]
    kills = _campaign(home, command, rows, most, rng, resume=False)
    left = sum(home.balances().values())
    wrong += [f"{left} points are left after the undo"] * (left != 0)
    wrong += [f"ledger verify: {problem}" for problem in home.problems()]
    print(f"undo: {kills} kills, {left} points left, {len(wrong)} deviations", flush=True)


def _campaign(home: Home, command: list[str], rows: Path, kills: int, rng: random.Random, *, resume: bool) -> int:
    """Starts the command until it is through, killed at most so often; it always comes a little further."""
    killed, within_s, furthest, in_vain, started = 0, 1.0, 0, 0, time.monotonic()
    while True:
        left = kills - killed
        ended = kill(home.start(*command, stdin=rows), rng.uniform(0.1, within_s)) if left else None
        if not left:
            status, _, err = home.end(home.start(*command, stdin=rows))
            assert status == 0, err
            ended = err
        if ended is not None:
            return killed
        killed += 1
        found = home.runs() if home.ledger.exists() else []
        if resume and found and (home.copies / f"{found[0]['run']}.csv").exists():
            command = ["imports", "resume", found[0]["run"]]
        if killed % 10 == 0:
            in_s = time.monotonic() - started
            print(f"  {killed} kills, {home.entries():,} entries, {in_s:.0f} s", flush=True)
        # What is in is looked at again every time: it gets longer only where it no longer comes beyond that.
        there = home.entries()
        in_vain = 0 if there > furthest else in_vain + 1
        furthest = max(furthest, there)
        if in_vain == 2:
            in_vain, within_s = 0, within_s + 0.3


if __name__ == "__main__":
    sys.exit(main())
