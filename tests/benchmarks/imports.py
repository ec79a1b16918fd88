"""How fast a file is imported, against SQLite's own shell reading the same file into one table with two indexes.

Every figure is the median of a few runs taken in turn. ``--memory`` measures the largest resident memory instead,
``--locks`` how long other writers wait meanwhile.
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
from typing import Final

from changes import write_changes
from pairs import clean_environ, run_s

RPCTL: Final = str(Path(sys.executable).with_name("rpctl"))
_TABLE: Final = """
CREATE TABLE changes
  (customer_id TEXT, points INTEGER, reference_id TEXT, description TEXT, valid_until TEXT, key TEXT);
CREATE UNIQUE INDEX changes_key ON changes (key);
CREATE INDEX changes_customer ON changes (customer_id);
"""
_SHELLS: Final = 16


class Bench:
    """A folder for files, ledgers and the table of the shell."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        self.rows = rows
        self.environ = clean_environ(folder)

    def file(self, name: str, rows: int | None = None, *, redeem: float = 0.0, hot: int = 0, seed: int = 1) -> Path:
        """A file of changes, written once."""
        path = self.folder / f"{name}.csv"
        if not path.exists():
            write_changes(path, rows or self.rows, redeem=redeem, hot=hot, seed=seed)
        return path

    def shell_s(self, file: Path) -> float:
        """Seconds that the shell of SQLite takes for the file, the table being there."""
        table = self.folder / "table.db"
        self._remove(table)
        subprocess.run(["sqlite3", str(table), _TABLE], check=True)
        return run_s(["sqlite3", str(table), f".import --csv --skip 1 {file} changes"], self.environ)

    def import_s(self, file: Path, ledger: Path, *, fresh: bool = True) -> float:
        """Seconds that the import takes, and that every row of the file is in after it."""
        if fresh:
            self._remove(ledger)
        started_s = time.perf_counter()
        done = subprocess.run(self.command(file, ledger), env=self.environ, capture_output=True, check=True)
        took_s = time.perf_counter() - started_s
        report = json.loads(done.stdout)
        assert report["rows"] == report["applied"] + report["alreadyApplied"], report
        return took_s

    def command(self, file: Path, ledger: Path) -> list[str]:
        """The import of a file into a ledger."""
        return [RPCTL, "points", "import", str(file), "--ledger", str(ledger), "-o", "json", "-q"]

    def _remove(self, path: Path) -> None:
        for suffix in ("", "-wal", "-shm", "-journal", "-imports"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)


def speed(bench: Bench, runs: int, large: int) -> None:
    """Prints the ratios of import times."""
    plain, redeem = bench.file("plain"), bench.file("redeem", redeem=0.2)
    hot, ledger = bench.file("hot", hot=bench.rows // 10), bench.folder / "bench.db"
    base = bench.folder / "large.db"
    if large:
        bench.import_s(bench.file("large", large, seed=2), base)
    cases: dict[str, Callable[[], float]] = {
        "sqlite3 .import": lambda: bench.shell_s(plain),
        "plain": lambda: bench.import_s(plain, ledger),
        "plain, all in already": lambda: bench.import_s(plain, ledger, fresh=False),
        "a tenth for one customer": lambda: bench.import_s(hot, ledger),
        "20 % redemptions": lambda: bench.import_s(redeem, ledger),
    }
    if large:
        cases[f"plain, into {large:,} entries"] = lambda: _into_copy(bench, plain, base, ledger)
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for run in range(runs):
        for name, case in cases.items():
            seconds[name].append(case())
            print(f"  run {run + 1}: {name}: {seconds[name][-1]:.1f} s", file=sys.stderr, flush=True)
    medians = {name: statistics.median(taken) for name, taken in seconds.items()}
    shell_s, plain_s = medians["sqlite3 .import"], medians["plain"]
    print(f"{bench.rows:,} rows, medians of {runs}")
    for name, median in medians.items():
        print(f"{name}: {median:.1f} s = {median / shell_s:.2f} x sqlite3 .import, {median / plain_s:.2f} x plain")


def _into_copy(bench: Bench, file: Path, base: Path, ledger: Path) -> float:
    shutil.copyfile(base, ledger)
    try:
        return bench.import_s(file, ledger, fresh=False)
    finally:
        ledger.unlink()


def memory(bench: Bench, sizes: list[int]) -> None:
    """Prints the largest resident memory of imports of these sizes."""
    for rows in sizes:
        path = bench.file(f"memory-{rows}", rows)
        ledger = bench.folder / "memory.db"
        process = subprocess.Popen(bench.command(path, ledger), env=bench.environ, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        assert status == 0
        print(
            f"{rows:,} rows: {usage.ru_maxrss / 1024:.0f} MiB, {usage.ru_utime + usage.ru_stime:.0f} s of CPU",
            flush=True,
        )
        for path_ in (path, ledger):
            path_.unlink()


def locks(bench: Bench) -> None:
    """Prints how long single additions of sixteen shells take while a file is imported; none may be refused."""
    path, ledger = bench.file("plain"), bench.folder / "shared.db"
    subprocess.run(
        [RPCTL, "points", "add", "till-0", "1", "--ledger", str(ledger), "-q"], env=bench.environ, check=True
    )
    script = (
        'for i in $(seq 1000000); do [ -e "$3" ] && exit 0; s=$(date +%s%N);'
        ' "$0" points add "till-$1" 1 --ledger "$2" -q >&2 || { echo refused; exit 1; };'
        " e=$(date +%s%N); echo $(( (e - s) / 1000000 )); done"
    )
    stop = bench.folder / "stop"
    shells = [
        subprocess.Popen(
            ["bash", "-c", script, RPCTL, str(number), str(ledger), str(stop)],
            env=bench.environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(_SHELLS)
    ]  # fmt: skip
    took_s = bench.import_s(path, ledger, fresh=False)
    stop.touch()
    waits_ms: list[int] = []
    for shell in shells:
        out, errors = shell.communicate()
        assert "refused" not in out, errors
        waits_ms += map(int, out.split())
    waits_ms.sort()
    print(
        f"{bench.rows:,} rows in {took_s:.1f} s while {_SHELLS} shells made {len(waits_ms):,} additions, none refused; "
        f"each took (median, 99 %, longest) {statistics.median(waits_ms):.0f}, {waits_ms[len(waits_ms) * 99 // 100]}, "
        f"{waits_ms[-1]} ms"
    )
    subprocess.run([RPCTL, "ledger", "verify", "--ledger", str(ledger)], env=bench.environ, check=True)
    added = subprocess.run(
        [RPCTL, "customer", "list", "--search", "till-", "--ledger", str(ledger), "-o", "json"],
        env=bench.environ, capture_output=True, check=True,
    )  # fmt: skip
    assert sum(one["activePoints"] for one in json.loads(added.stdout)) == len(waits_ms) + 1


def main() -> None:
    """Reads the arguments and runs one of the three."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--large", type=int, default=5_000_000, help="entries of the large ledger; 0: without it")
    parser.add_argument("--memory", type=int, nargs="*", metavar="ROWS")
    parser.add_argument("--locks", action="store_true")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), args.rows)
        if args.memory is not None:
            memory(bench, args.memory or [1_000_000, 3_000_000, 10_000_000])
        elif args.locks:
            locks(bench)
        else:
            speed(bench, args.runs, args.large)


if __name__ == "__main__":
    main()
