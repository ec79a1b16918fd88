"""kill -9 at any moment of an import over a bad line: the same command goes on, each row once.

The seed of a run is in the failure's output.
"""

from __future__ import annotations

import random
from pathlib import Path

from killing import Home, kill

from sandbox_client import running
from service_books import Books, Found, write_sheet

KILLS = 4
ROWS = 600
MOST_TRIES = 20
AGAIN = (8, 75)
"""Statuses that ask for the same command once more."""


def test_an_import_that_is_killed_over_a_bad_line_comes_to_what_its_file_says(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    print(f"seed {seed}")
    rng = random.Random(seed)
    home = Home(tmp_path)
    faults = {"fail_rate": 0.05, "lose_answer_rate": 0.05, "rate_limit": 500, "seed": seed}
    with running(token_lifetime_s=10**9, **faults) as service:
        home.environ |= service.environ
        sheet = write_sheet(tmp_path / "changes.csv", ROWS, seed, 80)
        command = ["points", "import", str(sheet.path), "--concurrency"]
        killed = [kill(home.start(*command, rng.choice(("8", "32"))), rng.uniform(0.3, 0.9)) for _ in range(KILLS)]
        statuses = [75]
        while statuses[-1] in AGAIN and len(statuses) < MOST_TRIES:
            status, out, err = home.end(home.start(*command, "32", "-o", "json"))
            statuses.append(status)

        assert None in killed
        assert (statuses[-1], Books(service.exports).compare(sheet)) == (0, Found(0, 0, 0)), (statuses, out, err)
