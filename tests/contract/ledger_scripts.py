"""Rows of changes for the property tests, and a ledger's answers in the words of the naive one.

Hypothesis draws `Step` values that know nothing of what went before; a `Script` turns them into changes that
repeat, reuse and reverse what was sent earlier, so that every example can be made smaller.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from naive_ledger import DAY

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.ledger.digests import Digests, entry_id
from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused
from rpctl.domain.points import AddedPoints, Entry, Summary
from rpctl.domain.values import format_instant, parse_instant, parse_when

START = parse_instant("2026-01-31T10:00:00Z")
CUSTOMERS = ("A", "B", "C")
_NAMES = ("A", "A", "A", "A", "B", "B", "C")  # most meet: their changes are to act on each other
OPTIONS = {
    "percent": {
        "points": 12,
        "coupon": {"name": "p", "discountType": "PERCENT", "discountPercentage": 10},
    },
    "shipping": {"points": 5, "coupon": {"name": "s", "discountType": "FREE_SHIPPING"}},
}


@dataclass(frozen=True)
class Step:
    """One change to be. ``old``: the place of an earlier change that lends its key (or with ``again`` is sent
    once more as it was); ``target``: the place of the earlier change whose entry is reversed."""

    verb: str
    customer: str = "A"
    points: int = 1
    order_value: Decimal | None = None
    option: str | None = None
    until: str | None = None
    days_ago: int | None = None
    customers: Customers = Customers.ANY
    reference: str | None = None
    old: int | None = None
    target: int = 0
    stranger: bool = False


_until = st.one_of(
    st.sampled_from([None, None, "never", "+1m", "+12m"]),
    st.integers(1, 40).map("+{}d".format),
    st.integers(-3, 60).map(lambda days: format_instant(START + days * DAY)),
)
_days_ago = st.sampled_from([None] * 6 + [-1, 0, 1, 2, 3, 5, 10, 20])
_old = st.sampled_from([None] * 20 + [0, 1, 2, 5])
_add = st.builds(
    Step,
    st.just("add"),
    st.sampled_from(_NAMES),
    points=st.integers(1, 30),
    order_value=st.one_of(st.none(), st.none(), st.decimals(0, 40, places=2)),
    until=_until,
    days_ago=_days_ago,
    customers=st.sampled_from([Customers.ANY] * 8 + [Customers.EXISTING, Customers.NEW]),
    reference=st.sampled_from([None, "order-1"]),
    old=_old,
)
_redeem = st.builds(
    Step,
    st.just("redeem"),
    st.sampled_from(_NAMES),
    points=st.integers(1, 25),
    option=st.sampled_from([None] * 12 + ["percent"] * 3 + ["shipping", "unknown"]),
    days_ago=_days_ago,
    old=_old,
)
_reverse = st.builds(
    Step,
    st.just("reverse"),
    st.sampled_from(_NAMES),
    target=st.integers(0, 12),
    stranger=st.sampled_from([False] * 14 + [True]),
    old=_old,
)
_again = st.builds(Step, st.just("again"), old=st.integers(0, 20))
steps = st.sampled_from([_add] * 5 + [_redeem] * 5 + [_reverse] * 4 + [_again] * 2).flatmap(lambda kind: kind)
"""One step, drawn without knowing the others."""


class Script:
    """Turns steps into changes. Every change ever sent is remembered, the refused ones too."""

    def __init__(self) -> None:
        self.sent: list[Change] = []
        self._numbers = count(1)

    def changes(self, steps: Sequence[Step], now: int) -> list[Change]:
        """The steps of one batch; each may refer to those before it."""
        return [self._change(step, now) for step in steps]

    def _change(self, step: Step, now: int) -> Change:
        old = self.sent[-1 - step.old % len(self.sent)] if step.old is not None and self.sent else None
        if step.verb == "again" and old is not None:
            return old
        key = old.key if old else f"key {next(self._numbers)}"
        date = None if step.days_ago is None else now - step.days_ago * DAY
        change: Change
        if step.verb == "redeem":
            points = step.points if step.option is None else None
            change = RedeemPoints(step.customer, key, points, step.option, description="note", created_at=date)
        elif step.verb == "reverse" and self.sent:
            target = self.sent[-1 - step.target % len(self.sent)]
            customer = step.customer if step.stranger else target.customer_id
            change = Reverse(customer, target.key, key, description="note")
        else:
            change = AddPoints(
                step.customer,
                key,
                step.points if step.order_value is None else None,
                step.order_value,
                step.reference,
                description="note",
                valid_until=parse_when(step.until) if step.until else None,
                created_at=date,
                customers=step.customers,
            )
        self.sent.append(change)
        return change


class KeyedLedger:
    """A real ledger whose entries are named by their keys, with two redeem options and countable coupons."""

    def __init__(self, folder: Path, clock: Any) -> None:
        numbers = count(1)
        setting = Setting(clock, "tester", "0", coupon_code=lambda: f"N{next(numbers)}")
        self.backend = LedgerBackend(folder / "ledger.db", setting)
        # Nobody cuts the power here, and waiting for the disk would take most of the time.
        self.backend.tables(write=True)[0].connection.execute("PRAGMA synchronous = OFF")
        for name, document in OPTIONS.items():
            self.backend.create_option({"id": name, "name": name, **document})
        with closing(sqlite3.connect(self.backend.path)) as db:
            self._secret = db.execute("SELECT value FROM meta WHERE name = 'key_secret'").fetchone()[0]
        self._keys: dict[str, str] = {}

    def apply(self, changes: Sequence[Change]) -> list[tuple[Any, ...]]:
        """The outcomes as `NaiveLedger.apply` puts them, each with a look at its entry or None."""
        for change in changes:
            self._keys[self._id(change.key)] = change.key
        real = [c._replace(entry_id=self._id(c.entry_id)) if isinstance(c, Reverse) else c for c in changes]
        return [self._outcome(outcome) for outcome in self.backend.apply(real)]

    def summary(self, name: str) -> tuple[Any, ...]:
        """As `NaiveLedger.summary` puts it."""
        return self.look_at_all(self.backend.summary(name))

    def look_at_all(self, summary: Summary) -> tuple[Any, ...]:
        return (summary.customer_id, summary.active_points, tuple(map(self._look, summary.entries())))

    def _id(self, key: str) -> str:
        return entry_id(*Digests(self._secret).keys([key]))

    def _outcome(self, outcome: Outcome) -> tuple[Any, ...]:
        if isinstance(outcome, Refused):
            return (("refused", outcome.error.code), None)
        assert isinstance(outcome, Applied | AlreadyApplied)
        assert outcome.entry is not None
        look = self._look(outcome.entry)
        if isinstance(outcome, AlreadyApplied):
            return (("already",), look)
        facts = (outcome.points, outcome.created_customer, outcome.expired_on_arrival, outcome.short)
        return (("applied", *facts), look)

    def _look(self, entry: Entry) -> tuple[Any, ...]:
        reverses = self._keys[entry.reverses] if entry.reverses else None
        key, balance = self._keys[entry.id], entry.all_points_after_creation
        seen = (key, entry.customer_id, entry.points, entry.created_at, entry.description, reverses)
        if not isinstance(entry, AddedPoints):
            return ("redeemed", *seen, balance, entry.coupon_code)
        uses = tuple((self._keys[use.redemption_id], use.points) for use in entry.used_with)
        return ("added", *seen, balance, entry.valid_until, entry.used_points, uses, entry.reference_id)
