"""kill -9 at any moment of an import over a bad line: the same command goes on, each row once.

The seed of a run is in the failure's output.
"""

from __future__ import annotations

import random
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from killing import Home

from sandbox_client import Running, running
from service_books import Books, Found, write_sheet

EARLY = 3  # changes, at most, before the first kill: what the service does with repeated ones is being learned then
KILLS = 3
ROWS = 300
BETWEEN = 60  # changes, at most, from one kill to the next: all come before the end
MOST_TRIES = 20
AGAIN = (8, 75)
"""Statuses that ask for the same command once more."""
CHANGES = ("POST /reward-points", "POST /v1/pvt/Customer")


def kill_at(process: subprocess.Popen[bytes], service: Running, changes: int) -> None:
    """Kills it the moment that so many more changes have come to the service: others are on their way then."""
    heard = len(service.log)
    deadline = time.monotonic() + 30
    while changes > 0 and time.monotonic() < deadline:
        time.sleep(0.0005)
        new = service.log[heard:]
        heard += len(new)
        changes -= sum(line.startswith(CHANGES) for line in new)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(("backend", "more"), [("emporix", ()), ("bonifiq", ("--set", "reason=why"))])
def test_an_import_that_is_killed_over_a_bad_line_comes_to_what_its_file_says(
    tmp_path: Path, backend: Any, more: tuple[str, ...]
) -> None:
    """BonifiQ's entries are read where the sandbox's other API shows them: it tells of no key."""
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    rng = random.Random(seed)
    home = Home(tmp_path)
    faults = {"fail_rate": 0.05, "lose_answer_rate": 0.05, "rate_limit": 500, "seed": seed, "backend": backend}
    with running(token_lifetime_s=10**9, **faults) as service:
        home.environ |= service.environ
        sheet = write_sheet(tmp_path / "changes.csv", ROWS, seed, 45)
        command = ["points", "import", str(sheet.path), *more, "--concurrency"]
        for changes in (rng.randint(1, EARLY), *(rng.randint(5, BETWEEN) for _ in range(KILLS - 1))):
            kill_at(home.start(*command, rng.choice(("8", "32"))), service, changes)
        statuses = [75]
        while statuses[-1] in AGAIN and len(statuses) < MOST_TRIES:
            status, out, err = home.end(home.start(*command, "32", "-o", "json"))
            statuses.append(status)

        assert (statuses[-1], Books(service.exports).compare(sheet)) == (0, Found(0, 0, 0)), (statuses, out, err)
