"""A shop without a line: a ledger file, a clock to set, and the books of a service that cannot be reached."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.port import Sending
from rpctl.delivery.journal import Journal
from rpctl.delivery.requests import marks_of
from rpctl.domain.changes import AddPoints, Change, RedeemPoints, Reverse
from rpctl.domain.outcomes import Outcome
from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary
from rpctl.domain.values import NEVER, Instant, parse_instant, parse_when
from rpctl.errors import InvalidValue
from rpctl.sync.book import OfflineBook
from rpctl.sync.mirror import Mirror
from rpctl.sync.outbox import Outbox, State, Waiting
from rpctl.sync.runs import OfflineRuns

TARGET: Final = "https://service shop"
NOON: Final = parse_instant("2026-03-01T12:00:00Z")
HOUR: Final = 3_600_000
DAY: Final = 24 * HOUR
ALL: Final = frozenset({"options", "program", "customers", "dates", "references", "reversals", "everybody"})


def add(customer: str, points: int | None, key: str, *, until: str | None = None, **more: Any) -> AddPoints:
    return AddPoints(customer, key, points, valid_until=None if until is None else parse_when(until), **more)


def redeem(customer: str, points: int, key: str, **more: Any) -> RedeemPoints:
    return RedeemPoints(customer, key, points, **more)


def reverse(customer: str, entry: str, key: str) -> Reverse:
    return Reverse(customer, entry, key)


def lot(name: str, points: int, *, used: int = 0, until: Instant = NEVER, **more: Any) -> AddedPoints:
    return AddedPoints(name, "C1", points, NOON - 30 * DAY, until, points, used, **more)


def truth(*entries: Entry, active: int | None = None, customer: str = "C1") -> Summary:
    """What the service told at noon; active is what is left of the lots that had not ended by then."""
    added = tuple(one for one in entries if isinstance(one, AddedPoints))
    left = sum(one.left for one in added if one.valid_until > NOON)
    redeemed = tuple(one for one in entries if isinstance(one, RedeemedPoints))
    return Summary(customer, left if active is None else active, added, redeemed)


def has(points: int, customer: str = "C1") -> Summary:
    """A customer with so many points that never end."""
    return truth(lot(f"first of {customer}", points), customer=customer)


def entry_id(key: str) -> str:
    """The id that a change's entry will have."""
    return marks_of(TARGET, key)[0]


@dataclass
class Rules:
    """A service's; ``refused``: what it is known not to take, by customer."""

    capabilities: frozenset[str] = ALL
    refused: str = ""

    def check(self, sending: Sending) -> None:
        if sending.customer_id == self.refused:
            raise InvalidValue("The service takes no such customer.")


@dataclass
class Counter:
    """One machine. `again` is another process on it."""

    folder: Path
    now: Instant = NOON
    rules: Rules = field(default_factory=Rules)
    target: str = TARGET

    def __post_init__(self) -> None:
        self.ledger = LedgerBackend(self.folder / "shop.db", Setting(lambda: self.now, "till", "0"))
        self.journal = Journal(self.folder / "journal.db", self.target)
        self.book = OfflineBook(self.ledger, self.target, self.rules, self.journal)
        self.outbox = Outbox(self.ledger, self.target)
        self.mirror = Mirror(self.ledger, self.target)
        self.runs = OfflineRuns(self.ledger, self.target)
        self.run_ids: Iterator[str] = (f"run-{number}" for number in itertools.count(1))

    def again(self, target: str = TARGET) -> Counter:
        return Counter(self.folder, self.now, self.rules, target)

    def close(self) -> None:
        self.ledger.close()
        self.journal.close()

    def knows(self, *summaries: Summary, read_at: Instant | None = None) -> None:
        self.mirror.replace([(one.customer_id, one) for one in summaries], self.now if read_at is None else read_at)

    def one(self, change: Change) -> Outcome:
        (outcome,) = self.book.apply([change])
        return outcome

    def rows(self) -> list[Waiting]:
        return self.outbox.open_rows(limit=10_000)

    def mark(self, state: State, *keys: str) -> None:
        told = ("insufficient_points", "too few") if state is State.CONFLICT else None
        rows = [self.outbox.find(key) for key in keys]
        self.outbox.mark([(row.position, state, told) for row in rows if row is not None])
