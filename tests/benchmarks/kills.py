"""Whether an import that is killed again and again comes to what its file says, to the point, and each row once."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "crash"))

from killing import Home, kill, write_changes


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
    with tempfile.TemporaryDirectory() as folder:
        home, rows = Home(Path(folder)), Path(folder) / "changes.csv"
        expected = write_changes(rows, args.rows, args.seed)
        command = ["points", "import", "-" if args.piped else str(rows)]
        kills = _campaign(home, command, rows, args.kills, rng, resume=args.piped)
        (run,) = home.runs()
        wrong = [
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
        if args.undo:
            kills = _campaign(home, ["imports", "undo", run["run"], "--yes"], rows, args.kills, rng, resume=False)
            left = sum(home.balances().values())
            wrong += [f"{left} points are left after the undo"] * (left != 0)
            wrong += [f"ledger verify: {problem}" for problem in home.problems()]
            print(f"undo: {kills} kills, {left} points left, {len(wrong)} deviations", flush=True)
    print("\n".join(wrong) or "everything adds up")
    return 1 if wrong else 0


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
