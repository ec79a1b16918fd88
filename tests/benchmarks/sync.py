"""A pull of very many customers, and a push of what was recorded offline against an import of the same file online.

    python tests/benchmarks/sync.py [--customers 100000] [--changes 10000] [--runs 3] [--latency 20ms] [--width 32]

The pull is a process of its own: its largest resident memory and its seconds. Pushes and imports have a fresh service
and a fresh home each and are taken in turn; rates are changes a second of the whole process, and every sum is checked
on both sides. Some five minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from online import sandbox
from pairs import clean_environ

MOST_MIB = 256
CUSTOMERS_OF_A_DAY = 2_000


def main() -> None:
    """Measures in a temporary home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--changes", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--latency", default="20ms")
    parser.add_argument("--width", type=int, default=32)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        till = Till(Path(name))
        till.pull(wanted.customers)
        rows = till.day(wanted.changes)
        contenders: dict[str, Callable[[str, int], float]] = {"push": till.push, "import": till.online}
        found: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(wanted.runs):
            for contender, measure in contenders.items():
                till.begin_anew()
                found[contender].append(rows / measure(wanted.latency, wanted.width))
        ratios = [ours / theirs for ours, theirs in zip(found["push"], found["import"], strict=True)]
        rate = {name: statistics.median(rates) for name, rates in found.items()}
        print(
            f"{rows:,} changes, {wanted.width} at a time, {wanted.latency}: push {rate['push']:.0f}/s, import"
            f" {rate['import']:.0f}/s, a ratio of {statistics.median(ratios):.2f}; single runs"
            f" {[f'{ratio:.2f}' for ratio in ratios]}"
        )


class Till:
    """A machine that is online now and then."""

    def __init__(self, folder: Path) -> None:
        self.rpctl = str(Path(sys.executable).with_name("rpctl"))
        self.folder = folder
        self.home = folder / "home"
        self.file = folder / "day.csv"
        self.balances: dict[str, int] = {}
        self.begin_anew()

    def begin_anew(self) -> None:
        """An empty home."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        self.environ = {**clean_environ(self.home), "RPCTL_KEYRING": "off"}

    def pull(self, customers: int) -> None:
        """Prints how much memory and time it takes to fetch so many customers, and the same a second time."""
        loaded = self.folder / "customers.csv"
        loaded.write_text("customer_id,points\n" + "".join(f"C{at:07d},{at % 97 + 1}\n" for at in range(customers)))
        with sandbox(self.rpctl, self.environ, "--load", str(loaded)) as exported:
            for which in ("first", "second"):
                self._pull(which, customers, self.environ | exported)
            listed = self._json(exported, "customer", "list", "--offline")
        assert listed == {f"C{at:07d}": at % 97 + 1 for at in range(customers)}, "the sums are wrong"

    def _pull(self, which: str, customers: int, environ: dict[str, str]) -> None:
        began_s = time.perf_counter()
        process = subprocess.Popen([self.rpctl, "sync", "pull", "-q"], env=environ, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        took_s, peak_mib = time.perf_counter() - began_s, usage.ru_maxrss / 1024
        assert process.returncode == 0, "the pull failed"
        print(f"{which} pull of {customers:,} customers: {peak_mib:.0f} MiB, {took_s:.1f} s", flush=True)
        assert peak_mib <= MOST_MIB, f"more than {MOST_MIB} MiB"

    def day(self, changes: int) -> int:
        """A file of so many changes, a quarter of which redeem what is there."""
        lines = []
        for at in range(changes):
            customer, points = f"D{at * 7 % CUSTOMERS_OF_A_DAY:05d}", at % 97 + 1
            left = self.balances.get(customer, 0)
            change = -min(points, left) if at % 4 == 3 and left else points
            self.balances[customer] = left + change
            lines.append(f"{customer},{change}\n")
        self.file.write_text("customer_id,points\n" + "".join(lines))
        return changes

    def push(self, latency: str, width: int) -> float:
        """Seconds that the push of the file takes, which was recorded before."""
        with sandbox(self.rpctl, self.environ, "--latency", latency) as exported:
            self._run(exported, "points", "import", str(self.file), "--offline")
            took_s = self._run(exported, "sync", "push", "--concurrency", str(width))
            assert self._json(exported, "customer", "list", "--offline") == self.balances, "the sums here are wrong"
            assert self._json(exported, "customer", "list") == self.balances, "the sums there are wrong"
        return took_s

    def online(self, latency: str, width: int) -> float:
        """Seconds that the import of the same file takes."""
        with sandbox(self.rpctl, self.environ, "--latency", latency) as exported:
            took_s = self._run(exported, "points", "import", str(self.file), "--concurrency", str(width))
            assert self._json(exported, "customer", "list") == self.balances, "the sums are wrong"
        return took_s

    def _run(self, exported: dict[str, str], *words: str) -> float:
        began_s = time.perf_counter()
        subprocess.run([self.rpctl, *words, "-q"], env=self.environ | exported, check=True, stdout=subprocess.DEVNULL)
        return time.perf_counter() - began_s

    def _json(self, exported: dict[str, str], *words: str) -> dict[str, int]:
        listed = subprocess.check_output([self.rpctl, *words, "-q", "-o", "json"], env=self.environ | exported)
        return {one["customerId"]: one["activePoints"] for one in json.loads(listed)}


if __name__ == "__main__":
    main()
