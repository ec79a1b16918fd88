"""What a service has of the rows of a file, read over HTTP until it answers, and files whose rows can be told apart.

Nothing of rpctl is imported here. A row's description is its name, so that an entry tells which row it is of, whatever
mark stands behind it.
"""

from __future__ import annotations

import csv
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Mapping
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError
from urllib.request import Request, urlopen

_TRIES: Final = 200
_PAUSE_S: Final = 0.02


class Sheet(NamedTuple):
    """A file of changes and what it comes to: the names of its rows, points added and redeemed, everybody's balance."""

    path: Path
    names: list[str]
    added: int
    redeemed: int
    balances: dict[str, int]


def write_sheet(path: Path, rows: int, seed: int, customers: int, prefix: str = "") -> Sheet:
    """A file in which about a third of the rows redeem, never more than there is at that place; ``prefix``: what the
    names of customers and rows begin with."""
    rng = random.Random(f"{seed}/{prefix}")
    left: defaultdict[str, int] = defaultdict(int)
    added = redeemed = 0
    names = [f"{prefix}row-{row}" for row in range(rows)]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("customer_id", "points", "description"))
        for name in names:
            customer = f"{prefix}C{rng.randrange(customers):04d}"
            is_redeemed = left[customer] > 0 and rng.random() < 0.4
            points = -rng.randint(1, left[customer]) if is_redeemed else rng.randint(1, 500)
            writer.writerow((customer, points, name))
            left[customer] += points
            added, redeemed = added + max(points, 0), redeemed + max(-points, 0)
    return Sheet(path, names, added, redeemed, dict(left))


class Found(NamedTuple):
    """Where a service differs from a sheet: how many rows are not there, how many are there more than once, and how
    many customers have another balance."""

    lost: int
    doubled: int
    other_balances: int


class Books:
    """The books of the service that an environment (``RPCTL_URL``, ``RPCTL_TENANT``) names."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._url = environ["RPCTL_URL"]
        self._tenant = environ["RPCTL_TENANT"]
        self._token = ""

    def summaries(self) -> list[dict[str, Any]]:
        """Everybody's, asked for until they come."""
        for _ in range(_TRIES):
            with suppress(OSError, HTTPException, HTTPError):
                self._token = self._token or self._ask("/sandbox/token", b'{"holder": "service"}')["access_token"]
                return list(self._ask("/reward-points/summaryBatch"))
            time.sleep(_PAUSE_S)
        raise AssertionError("the service never answered")

    def balances(self) -> dict[str, int]:
        """Everybody's active points."""
        return {one["customerId"]: one["activePoints"] for one in self.summaries()}

    def compare(self, sheet: Sheet, prefix: str = "") -> Found:
        """How what it has differs from a sheet, of customers whose ids begin with ``prefix``."""
        theirs = [one for one in self.summaries() if one["customerId"].startswith(prefix)]
        balances = {one["customerId"]: one["activePoints"] for one in theirs}
        entries = Counter(
            entry["description"].split()[0]
            for one in theirs
            for entries in one["summary"].values()
            for entry in entries
        )
        named = set(sheet.names)
        doubled = sum(count - 1 for count in entries.values()) + sum(name not in named for name in entries)
        who = balances.keys() | sheet.balances.keys()
        others = sum(balances.get(one) != sheet.balances.get(one) for one in who)
        return Found(sum(name not in entries for name in sheet.names), doubled, others)

    def _ask(self, path: str, body: bytes | None = None) -> Any:
        headers = {"Content-Type": "application/json", "Emporix-Tenant": self._tenant}
        headers |= {"Authorization": f"Bearer {self._token}"} if self._token else {}
        with urlopen(Request(self._url + path, body, headers), timeout=20) as answer:
            return json.load(answer)
