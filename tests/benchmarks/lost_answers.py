"""A script's loop over a bad line: each command repeated while it is told to, and in the end the balances compared.

    python tests/benchmarks/lost_answers.py [--adds 500] [--redemptions 200] [--drop-marker FIELD] [--seed 7]

Prints how often commands ended with which status, and whether the service's balances are those of the changes that were
reported as applied. Real processes; some ten minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from online import sandbox
from pairs import clean_environ

TRIES = 60


def main() -> None:
    """Plays the loop in a temporary home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--adds", type=int, default=500)
    parser.add_argument("--redemptions", type=int, default=200)
    parser.add_argument("--seed", default="7")
    parser.add_argument("--drop-marker", action="append", default=[])
    wanted = parser.parse_args()
    rpctl = str(Path(sys.executable).with_name("rpctl"))
    options = ["--seed", wanted.seed, "--lose-answer-rate", "0.3", "--fail-rate", "0.2"]
    options += [word for field in wanted.drop_marker for word in ("--drop-marker", field)]
    statuses: Counter[int] = Counter()
    balances: Counter[str] = Counter()
    unsettled: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        environ = {**clean_environ(Path(folder)), "RPCTL_KEYRING": "off"}
        with sandbox(rpctl, environ, *options) as exported:
            environ |= exported | {"RPCTL_SETTLE_S": "0.1"}

            def change(verb: str, customer: str, points: int, key: str) -> None:
                words = [rpctl, "points", verb, customer, str(points), "--key", key, "-q"]
                for _ in range(TRIES):
                    status = subprocess.run(words, env=environ, capture_output=True, check=False).returncode
                    statuses[status] += 1
                    if status not in (8, 75):
                        break
                if status == 0:
                    balances[customer] += points if verb == "add" else -points
                else:
                    unsettled.append(f"{verb} {key}: {status}")

            redeemed = 0
            for number in range(wanted.adds):
                customer = f"C{number % 20}"
                change("add", customer, number % 7 + 10, f"add-{number}")
                while redeemed * wanted.adds < (number + 1) * wanted.redemptions:
                    change("redeem", customer, 5, f"redeem-{redeemed}")
                    redeemed += 1
            found = read_balances(rpctl, environ)
    print(f"dropped {wanted.drop_marker}: statuses {dict(statuses)}; unsettled {unsettled}")
    print(f"{len(balances)} customers, {sum(balances.values())} points reported as applied: ", end="")
    print("the service has the same" if found == dict(balances) else f"THE SERVICE HAS {sum(found.values())}")
    sys.exit(found != dict(balances))


def read_balances(rpctl: str, environ: dict[str, str]) -> dict[str, int]:
    """The balances that the service tells, asked until it answers."""
    while True:
        done = subprocess.run([rpctl, "customer", "list", "-o", "json"], env=environ, capture_output=True, check=False)
        if done.returncode == 0:
            return {one["customerId"]: one["activePoints"] for one in json.loads(done.stdout)}


if __name__ == "__main__":
    main()
