"""The rules of the ledger once more, as plainly as they can be written: lists, and every number from scratch.

A second opinion for the property tests. It must never import what it judges: of rpctl it knows the values that
go in (changes, programs) and nothing that decides.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.program import Program
from rpctl.domain.values import NEVER, When

DAY = 86_400_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class No(Exception):
    """A refusal, by its code."""


@dataclass(eq=False)
class Person:
    """A customer from creation to deletion; made anew, it is another one."""

    name: str


@dataclass(eq=False)
class Booked:
    """An entry. ``draws`` says which lots a redemption took from, and how much."""

    key: str
    person: Person
    kind: str
    points: int
    created_at: int
    valid_until: int = NEVER
    draws: list[tuple[Booked, int]] = field(default_factory=list)
    reverses: Booked | None = None
    coupon: str | None = None
    change: Change | None = None


class NaiveLedger:
    """Decides changes one by one. Entries are named by their keys, also in ``Reverse.entry_id``."""

    def __init__(self) -> None:
        self.people: list[Person] = []
        self.book: list[Booked] = []
        self.asked: dict[str, tuple[Any, ...]] = {}
        self.forgotten: set[str] = set()
        self.program = Program()
        self.options: dict[str, tuple[int, bool]] = {}  # points, whether it can be had for points
        self.coupons = 0

    # -- what is there ---------------------------------------------------------------------------------

    def person(self, name: str) -> Person | None:
        return next((person for person in self.people if person.name == name), None)

    def entry(self, key: str) -> Booked | None:
        return next((entry for entry in self.book if entry.key == key), None)

    def left(self, lot: Booked, book: list[Booked]) -> int:
        return lot.points - sum(points for entry in book for drawn, points in entry.draws if drawn is lot)

    def active(self, person: Person, at: int, book: list[Booked]) -> int:
        lots = [entry for entry in book if entry.person is person and entry.kind == "added"]
        return sum(self.left(lot, book) for lot in lots if lot.valid_until > at)

    # -- what may happen -------------------------------------------------------------------------------

    def apply(self, change: Change, now: int) -> tuple[Any, ...]:
        """("applied", points, created customer, expired on arrival, short), ("already",) or ("refused", code)."""
        try:
            return self._decide(change, now)
        except No as no:
            return ("refused", str(no))

    def delete(self, name: str) -> tuple[int, int, int, int]:
        person = self.person(name)
        mine = [entry for entry in self.book if entry.person is person]
        added = [entry for entry in mine if entry.kind == "added"]
        left = sum(self.left(lot, self.book) for lot in added)
        redeemed = sum(entry.points for entry in mine if entry.kind == "redeemed")
        self.forgotten |= {entry.key for entry in mine}
        self.book = [entry for entry in self.book if entry.person is not person]
        self.people = [other for other in self.people if other is not person]
        return len(mine), sum(entry.points for entry in added), redeemed, left

    def _decide(self, change: Change, now: int) -> tuple[Any, ...]:
        if change.key in self.forgotten:
            raise No("customer_deleted")
        if change.key in self.asked:
            if self.asked[change.key] != _asked(change):
                raise No("key_reused")
            return ("already",)
        if isinstance(change, AddPoints):
            return self._add(change, now)
        if isinstance(change, RedeemPoints):
            return self._redeem(change, now)
        return self._reverse(change, now)

    def _add(self, change: AddPoints, now: int) -> tuple[Any, ...]:
        person = self.person(change.customer_id)
        if person is None and change.customers is Customers.EXISTING:
            raise No("customer_not_found")
        if person is not None and change.customers is Customers.NEW:
            raise No("customer_exists")
        if not self.program.enabled:
            raise No("program_disabled")
        points = change.points
        if points is None:
            points = int(Fraction(change.order_value) * Fraction(self.program.factor))
            if points < 1:
                raise No("earns_nothing")
        created_at = self._date(change.created_at, person, now)
        if change.valid_until is not None:
            valid_until = _resolve(change.valid_until, created_at)
        elif self.program.validity_months is not None:
            valid_until = _months_later(created_at, self.program.validity_months)
        else:
            valid_until = NEVER
        if valid_until < created_at:
            raise No("invalid_value")
        is_new = person is None
        if person is None:
            person = Person(change.customer_id)
            self.people.append(person)
        self._record(Booked(change.key, person, "added", points, created_at, valid_until, change=change))
        return ("applied", points, is_new, valid_until <= now, 0)

    def _redeem(self, change: RedeemPoints, now: int) -> tuple[Any, ...]:
        points = change.points
        if change.option_id is not None:
            if change.option_id not in self.options:
                raise No("option_not_found")
            points, exchangeable = self.options[change.option_id]
            if not exchangeable:
                raise No("not_exchangeable")
        assert points is not None
        person = self._known(change.customer_id)
        created_at = self._date(change.created_at, person, now)
        if self.active(person, created_at, self.book) < points:
            raise No("insufficient_points")
        entry = Booked(change.key, person, "redeemed", points, created_at, change=change)
        lots = [e for e in self.book if e.person is person and e.kind == "added" and e.valid_until > created_at]
        for lot in sorted(lots, key=lambda lot: (lot.valid_until, lot.created_at, self.book.index(lot))):
            take = min(self.left(lot, self.book), points - sum(taken for _, taken in entry.draws))
            if take:
                entry.draws.append((lot, take))
        if change.option_id is not None:
            self.coupons += 1
            prefix = self.program.code_prefix
            entry.coupon = f"{prefix}-N{self.coupons}" if prefix else f"N{self.coupons}"
        self._record(entry)
        return ("applied", points, False, False, 0)

    def _reverse(self, change: Reverse, now: int) -> tuple[Any, ...]:
        person = self._known(change.customer_id)
        entry = self.entry(change.entry_id)
        if entry is None or entry.person is not person:
            raise No("entry_not_found")
        if entry.reverses is not None:
            raise No("not_reversible")
        if any(other.reverses is entry for other in self.book):
            raise No("already_reversed")
        if entry.coupon is not None:
            raise No("coupon_issued")
        created_at = self._date(None, person, now)
        opposite = Booked(change.key, person, "redeemed", 0, created_at, reverses=entry, change=change)
        if entry.kind == "added":
            opposite.points = self.left(entry, self.book) if entry.valid_until > created_at else 0
            opposite.draws = [(entry, opposite.points)]
        else:
            opposite.kind = "added"
            opposite.valid_until = max(lot.valid_until for lot, _ in entry.draws)
            opposite.points = entry.points if opposite.valid_until > created_at else 0
        if not opposite.points:
            raise No("nothing_to_reverse")
        self._record(opposite)
        return ("applied", opposite.points, False, False, entry.points - opposite.points)

    def _known(self, name: str) -> Person:
        person = self.person(name)
        if person is None:
            raise No("customer_not_found")
        return person

    def _date(self, asked: int | None, person: Person | None, now: int) -> int:
        if asked is None:
            return max([now, *(entry.created_at for entry in self.book if entry.person is person)])
        if asked > now:
            raise No("invalid_value")
        return asked

    def _record(self, entry: Booked) -> None:
        assert entry.change is not None
        self.book.append(entry)
        self.asked[entry.key] = _asked(entry.change)

    # -- what it looks like ----------------------------------------------------------------------------

    def look(self, entry: Booked) -> tuple[Any, ...]:
        """An entry with everything that can be seen of it; other entries by their keys."""
        until_then = self.book[: self.book.index(entry) + 1]
        assert entry.change is not None
        reverses = entry.reverses.key if entry.reverses else None
        seen = (entry.key, entry.person.name, entry.points, entry.created_at, entry.change.description, reverses)
        balance = self.active(entry.person, entry.created_at, until_then)
        if entry.kind == "redeemed":
            return ("redeemed", *seen, balance, entry.coupon)
        uses = tuple((e.key, points) for e in self.book for lot, points in e.draws if lot is entry)
        used = sum(points for _, points in uses)
        reference = getattr(entry.change, "reference_id", None)
        return ("added", *seen, balance, entry.valid_until, used, uses, reference)

    def summary(self, name: str, now: int) -> tuple[Any, ...]:
        """Name, active points, every entry in recording order."""
        person = self._known(name)
        entries = tuple(self.look(entry) for entry in self.book if entry.person is person)
        return (name, self.active(person, now, self.book), entries)


def _asked(change: Change) -> tuple[Any, ...]:
    if isinstance(change, Reverse):
        return ("reverse", change.customer_id, change.entry_id)
    amount = (change.points, change.order_value if isinstance(change, AddPoints) else change.option_id)
    until = change.valid_until.text if isinstance(change, AddPoints) and change.valid_until else None
    return (type(change), change.customer_id, amount, change.reference_id or None, until)


def _resolve(when: When, start: int) -> int:
    if when.instant is not None:
        return when.instant
    if when.days is not None:
        return start + when.days * DAY
    assert when.months is not None
    return _months_later(start, when.months)


def _months_later(start: int, months: int) -> int:
    moment = EPOCH + timedelta(milliseconds=start)
    first = moment.replace(day=1)
    for _ in range(months):
        first = (first + timedelta(days=31)).replace(day=1)
    last_day = ((first + timedelta(days=31)).replace(day=1) - timedelta(days=1)).day
    return round((first.replace(day=min(moment.day, last_day)) - EPOCH).total_seconds() * 1000)
