"""Whether imports that are killed over a bad line come to what their files say, each row once.

    python tests/benchmarks/storm.py [--backend bonifiq] [--rounds 200] [--rows 2000] [--seed N]

Against one service that fails one request in twenty, loses one answer in twenty and takes 500 requests a second. Each
round has a file of new customers, one kill at a random moment, and the same command until it is through; then the
service's entries and balances are compared with the file. Real processes; some ten seconds a round. Every other round
begins with an empty journal and is killed early, while what the service does with repeated changes is being learned.
BonifiQ tells of no key, so that its entries are read where the sandbox's other API shows them.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from online import sandbox
from pairs import clean_environ

from service_books import Books, write_sheet

WIDTHS = ("8", "32")
FAULTS = ("--fail-rate", "0.05", "--lose-answer-rate", "0.05", "--rate-limit", "500")
SETTLE_S = "0.3"  # on loopback what a killed process sent is there at once
FIRST_S = 0.2
EARLY_S = 1.2
WHAT_IT_NEEDS = {"emporix": (), "bonifiq": ("--set", "reason=storm")}
"""What an import says besides its file, by backend."""
KILLED = -9
AGAIN = (KILLED, 8, 75)
MOST_TRIES = 30
TOLD_EVERY = 20


class Tally:
    """What the rounds so far came to."""

    def __init__(self) -> None:
        self.rounds = self.kills = self.lost = self.doubled = self.others = 0
        self.statuses: Counter[int] = Counter()
        self.unfinished: list[int] = []
        self.began_s = time.monotonic()

    @property
    def is_right(self) -> bool:
        """Whether nothing deviates."""
        return not (self.lost or self.doubled or self.others or self.unfinished)

    def __str__(self) -> str:
        return (
            f"{self.rounds} rounds, {self.kills} kills, exit statuses {dict(sorted(self.statuses.items()))}, rows lost"
            f" {self.lost}, rows twice {self.doubled}, customers with other balances {self.others}, rounds not finished"
            f" {self.unfinished}; {time.monotonic() - self.began_s:.0f} s"
        )


def main() -> int:
    """Plays the rounds in a temporary home; 0 where everything adds up."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", choices=tuple(WHAT_IT_NEEDS), default="emporix")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    args = parser.parse_args()
    print(f"{args.backend}, seed {args.seed}", flush=True)
    rng = random.Random(args.seed)
    tally = Tally()
    rpctl = str(Path(sys.executable).with_name("rpctl"))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environ = {**clean_environ(folder), "RPCTL_KEYRING": "off"}
        with sandbox(rpctl, environ, *FAULTS, "--seed", str(args.seed), "--backend", args.backend) as exported:
            environ |= exported | {"RPCTL_SETTLE_S": SETTLE_S}
            within_s = 5.0
            for number in range(args.rounds):
                within_s = _round(number, args, rng, tally, within_s, (rpctl, folder, environ))
                if (number + 1) % TOLD_EVERY == 0:
                    print(tally, flush=True)
    print(f"{tally}: {'everything adds up' if tally.is_right else 'SOMETHING DEVIATES'}")
    return 0 if tally.is_right else 1


def _round(
    number: int,
    args: argparse.Namespace,
    rng: random.Random,
    tally: Tally,
    within_s: float,
    where: tuple[str, Path, Mapping[str, str]],
) -> float:
    """One file, killed once. How long it may take, from how long it took: the next kill is within that."""
    rpctl, folder, environ = where
    prefix = f"{number:04d}-"
    sheet = write_sheet(folder / "changes.csv", args.rows, args.seed, max(args.rows // 20, 1), prefix)
    words = [rpctl, "points", "import", str(sheet.path), *WHAT_IT_NEEDS[args.backend]]
    words += ["--concurrency", rng.choice(WIDTHS)]
    is_new = bool(number % 2)
    if is_new:
        environ = {**environ, "XDG_STATE_HOME": str(folder / f"state-{number}")}
    after_s = rng.uniform(FIRST_S, EARLY_S if is_new else within_s)
    began_s = time.monotonic()
    status, said = _ended(words, environ, after_s)
    tally.kills += status == KILLED
    tries = 1
    while status in AGAIN and tries < MOST_TRIES:
        tally.statuses[status] += 1
        status, said = _ended(words, environ, None)
        tries += 1
    tally.statuses[status] += 1
    took_s = time.monotonic() - began_s
    tally.rounds += 1
    if status != 0:
        tally.unfinished.append(number)
        print(f"round {number} ended with {status}: {said}", flush=True)
    found = Books(environ).compare(sheet, prefix)
    if any(found):
        print(f"round {number}, killed after {after_s:.3f} s ({' '.join(words[-2:])}): {found}", flush=True)
    tally.lost, tally.doubled = tally.lost + found.lost, tally.doubled + found.doubled
    tally.others += found.other_balances
    return max(took_s - 1.5, 1.0)  # what the second process needs to start and to look for what was lost


def _ended(words: Sequence[str], environ: Mapping[str, str], after_s: float | None) -> tuple[int, str]:
    """Runs it, killed after so long: its status and what it said on stderr."""
    process = subprocess.Popen(words, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        _, said = process.communicate(timeout=after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        _, said = process.communicate()
    return process.returncode, said


if __name__ == "__main__":
    sys.exit(main())
