"""Kills a real rpctl again and again at random moments, and starts it again until it is through."""

from __future__ import annotations

import csv
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, NamedTuple

RPCTL: Final = Path(sys.executable).with_name("rpctl")
_PATIENCE_S: Final = 600.0


class Expected(NamedTuple):
    """What a file comes to: rows that are applied, points added and redeemed, and everybody's balance."""

    rows: int
    added: int
    redeemed: int
    balances: dict[str, int]


def write_changes(path: Path, rows: int, seed: int) -> Expected:
    """A file in which about a third of the rows redeem, and never more than there is."""
    rng = random.Random(seed)
    left: defaultdict[str, int] = defaultdict(int)
    added = redeemed = 0
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("customer_id", "points", "reference_id", "valid_until"))
        for row in range(rows):
            customer = f"C{rng.randrange(max(rows // 20, 1)):06d}"
            if left[customer] > 10 and rng.random() < 0.4:
                points = rng.randint(1, left[customer])
                writer.writerow((customer, -points, f"R{row}", ""))
                left[customer] -= points
                redeemed += points
            else:
                points = rng.randint(1, 500)
                writer.writerow((customer, points, f"A{row}", rng.choice(("", "+90d", "+12m"))))
                left[customer] += points
                added += points
    return Expected(rows, added, redeemed, dict(left))


class Home:
    """A home of its own for the program, and its answers."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environ = {
            "HOME": str(folder),
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
        }

    @property
    def ledger(self) -> Path:
        """Where the ledger is that nobody named."""
        return self.folder / ".local/share/rpctl/ledger.db"

    @property
    def copies(self) -> Path:
        """Where copies lie of what was piped in."""
        return self.folder / ".local/state/rpctl/imports"

    def entries(self) -> int:
        """How many entries there are, asked of the database itself."""
        if not self.ledger.exists():
            return 0
        with closing(sqlite3.connect(self.ledger, timeout=_PATIENCE_S)) as connection:
            return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])

    def start(self, *words: str, stdin: Path | None = None) -> subprocess.Popen[bytes]:
        """rpctl with these words, left to itself; ``stdin``: a file from which it reads its standard input."""
        with Path(os.devnull if stdin is None else stdin).open("rb") as reader:
            return subprocess.Popen(
                [RPCTL, *words],
                cwd=self.folder,
                env=self.environ,
                stdin=reader,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def end(self, process: subprocess.Popen[bytes]) -> tuple[int, str, str]:
        """How it ended: status, stdout, stderr."""
        out, err = process.communicate(timeout=_PATIENCE_S)
        return process.returncode, out.decode(), err.decode()

    def json(self, *words: str, statuses: Sequence[int] = (0,)) -> Any:
        """The document that it answers with."""
        status, out, err = self.end(self.start(*words, "-o", "json"))
        assert status in statuses, (words, status, err)
        return json.loads(out)

    def balances(self) -> dict[str, int]:
        """Everybody's active points."""
        return {one["customerId"]: one["activePoints"] for one in self.json("customer", "list")}

    def problems(self) -> list[Any]:
        """What `ledger verify` finds."""
        found: list[Any] = self.json("ledger", "verify", statuses=(0, 3))["problems"]
        return found

    def runs(self) -> list[Any]:
        """The import runs."""
        found: list[Any] = self.json("imports", "list")
        return found


def kill(process: subprocess.Popen[bytes], after_s: float) -> str | None:
    """Kills it after so long: None, or where it had come through by itself what it said on stderr."""
    time.sleep(after_s)
    process.send_signal(signal.SIGKILL)
    _, err = process.communicate(timeout=_PATIENCE_S)
    if process.returncode == -signal.SIGKILL:
        return None
    assert process.returncode == 0, err.decode()
    return str(err.decode())


def kill_until_through(start: Callable[[], subprocess.Popen[bytes]], moments_s: Iterable[float]) -> int:
    """Starts it once for every moment and kills it then, until it is through before its moment comes or there are no
    more moments; then once more if it is not through. How many times it was killed."""
    kills = 0
    for moment_s in moments_s:
        if kill(start(), moment_s) is not None:
            return kills
        kills += 1
    process = start()
    _, err = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0, err.decode()
    return kills
