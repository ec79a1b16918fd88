"""Decides a batch of changes by the rules of the ledger, inside one write transaction.

A `Booking` reads what the batch needs at once, follows the accounts in memory, and writes everything at the
end (`flush`). A refused change leaves no trace and does not harm its neighbours. The rules themselves are the
domain's; this module joins them to what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rpctl.backends.ledger.digests import SALT_SIZE, entry_digest, fingerprint, key_digest
from rpctl.backends.ledger.sql.books import Books, CustomerRow, KnownKey
from rpctl.backends.ledger.sql.catalog import Catalog
from rpctl.backends.ledger.sql.entries import ADDED, REDEEMED, EntryRow
from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.lots import Account, OpenLot
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused
from rpctl.domain.program import Program
from rpctl.domain.redeem_options import check_exchangeable, issue
from rpctl.domain.values import Instant, format_instant
from rpctl.errors import (
    AlreadyReversed,
    CouponIssued,
    CustomerDeleted,
    CustomerExists,
    CustomerNotFound,
    EntryNotFound,
    InsufficientPoints,
    InvalidValue,
    KeyReused,
    NothingToReverse,
    NotReversible,
    ProgramDisabled,
    RpctlError,
)


@dataclass(frozen=True, slots=True)
class Sources:
    """What a booking takes from outside: bytes no one can guess, and coupon codes."""

    random_bytes: Callable[[int], bytes]
    coupon_code: Callable[[], str]


@dataclass(slots=True)
class _New:
    """An entry decided on: what differs from kind to kind. Its place, digests and origin are added on booking."""

    kind: int
    points: int
    created_at: Instant
    balance_after: int
    valid_until: Instant | None = None
    reverses: int | None = None
    reference_id: str | None = None
    site_code: str | None = None


class Booking:
    """One batch. Call `book` for each change in order, then `flush`, all inside one write transaction."""

    def __init__(
        self, books: Books, catalog: Catalog, changes: Sequence[Change], now: Instant, origin: int, sources: Sources
    ) -> None:
        self._books = books
        self._catalog = catalog
        self._now = now
        self._origin = origin
        self._sources = sources
        self._secret = books.secret()
        self._keys = {change.key: key_digest(self._secret, change.key) for change in changes}
        self._known = books.known_keys(list(self._keys.values()))
        self._customers = books.customers_by_id({change.customer_id for change in changes})
        self._programs: dict[str, Program] = {}
        salts = sources.random_bytes(SALT_SIZE * len(changes))
        self._salts = (salts[at : at + SALT_SIZE] for at in range(0, len(salts), SALT_SIZE))
        self._next_seq = books.next_seq("entries")
        self._next_customer = books.next_seq("customers")
        self._rows: dict[int, list[Any]] = {}
        self._lots: dict[int, OpenLot] = {}
        self._allocations: list[tuple[int, int, int]] = []
        self._coupons: list[tuple[Any, ...]] = []
        self._touched: dict[int, CustomerRow] = {}

    def book(self, change: Change) -> tuple[Outcome, int | None]:
        """Decides one change: its outcome (without the entry) and the place of the entry it made or had made."""
        known = self._known.get(self._keys[change.key])
        try:
            if known:
                return self._repeated(change, known), known.seq
            if isinstance(change, AddPoints):
                return self._add(change)
            if isinstance(change, RedeemPoints):
                return self._exchange(change) if change.option_id is not None else self._redeem(change)
            return self._reverse(change)
        except RpctlError as error:
            return Refused(error), None

    def flush(self) -> None:
        """Writes what was decided since the last flush."""
        touched = list(self._touched.values())
        new = [customer for customer in touched if customer.is_new]
        self._books.insert_customers(new)
        for customer in new:
            customer.is_new = False
        for position, lot in self._lots.items():
            if position in self._rows:
                self._rows[position][_REMAINING] = lot.left
        self._books.insert_entries(self._rows.values())
        self._books.save_remaining(lot for position, lot in self._lots.items() if position not in self._rows)
        self._books.insert_allocations(self._allocations)
        self._books.save_accounts(touched)
        self._catalog.insert_coupons(self._coupons)
        self._rows, self._lots, self._allocations, self._coupons, self._touched = {}, {}, [], [], {}

    # -- the rules -------------------------------------------------------------------------------------

    def _repeated(self, change: Change, known: KnownKey) -> Outcome:
        if known.erased:
            raise CustomerDeleted("The key belongs to a change of a customer who was deleted since.")
        if known.fingerprint != fingerprint(self._secret, change.canonical()):
            raise KeyReused(f"The key {change.key!r} belongs to another change.", key=change.key)
        return AlreadyApplied(recorded=known.recorded)

    def _add(self, change: AddPoints) -> tuple[Outcome, int]:
        customer = self._customers.get(change.customer_id)
        if customer is None and change.customers is Customers.EXISTING:
            raise _unknown(change.customer_id)
        if customer is not None and change.customers is Customers.NEW:
            raise CustomerExists(f"Customer {change.customer_id} exists.", customerId=change.customer_id)
        program = self._program(change.site_code)
        if not program.enabled:
            raise ProgramDisabled(f"The reward program of site {change.site_code} is disabled.")
        if change.order_value is not None:
            points = program.points_for(change.order_value)
        else:
            assert change.points is not None
            points = change.points
        account = customer.account if customer else Account()
        created_at = self._created_at(change.created_at, account)
        until = change.valid_until
        valid_until = until.resolve(created_at) if until else program.default_validity(created_at)
        if valid_until < created_at:
            raise InvalidValue(
                f"The points would be valid until {format_instant(valid_until)}, before they were created "
                f"({format_instant(created_at)}).",
                "Name a later end; points that were valid in the past need a createdAt in the past too.",
            )
        is_new = customer is None
        if customer is None:
            customer = self._new_customer(change.customer_id, account)
        account.add(self._lot(valid_until, created_at, points))
        new = _New(ADDED, points, created_at, account.active_points(created_at), valid_until)
        new.reference_id, new.site_code = change.reference_id, change.site_code
        seq = self._record(customer, change, new)
        return Applied(points, created_customer=is_new, expired_on_arrival=valid_until <= self._now), seq

    def _redeem(self, change: RedeemPoints, points: int | None = None) -> tuple[Outcome, int]:
        points = change.points if points is None else points
        assert points is not None
        customer = self._customer(change.customer_id)
        account = customer.account
        created_at = self._created_at(change.created_at, account)
        draws = account.redeem(points, created_at)
        if draws is None:
            available = account.active_points(created_at)
            raise InsufficientPoints(
                f"Customer {change.customer_id} has {available} points, fewer than the {points} to redeem.",
                customerId=change.customer_id,
                requested=points,
                available=available,
            )
        new = _New(REDEEMED, points, created_at, account.active_points(created_at))
        new.reference_id, new.site_code = change.reference_id, change.site_code
        seq = self._record(customer, change, new, draws)
        return Applied(points), seq

    def _exchange(self, change: RedeemPoints) -> tuple[Outcome, int]:
        assert change.option_id is not None
        option = self._catalog.option(change.option_id)
        check_exchangeable(option, change.customer_id, self._now)
        prefix = self._program(change.site_code).code_prefix
        outcome, seq = self._redeem(change, option.points)
        code = self._sources.coupon_code()
        coupon = issue(option, change.customer_id, f"{prefix}-{code}" if prefix else code)
        self._coupons.append((coupon.code, seq, option.id, self._now, coupon.document))
        return outcome, seq

    def _reverse(self, change: Reverse) -> tuple[Outcome, int]:
        self.flush()  # what the batch made so far may be what is reversed
        customer = self._customer(change.customer_id)
        entry = self._books.find_entry(customer.seq, change.entry_id)
        if entry is None:
            raise EntryNotFound(f"Customer {change.customer_id} has no entry {change.entry_id}.")
        if entry.reverses is not None:
            raise NotReversible(f"Entry {change.entry_id} is itself a reversal.")
        if (earlier := self._books.reversal_of(entry.seq)) is not None:
            row = self._books.entry_row(earlier)
            assert row is not None
            raise AlreadyReversed(
                f"Entry {change.entry_id} was reversed before, by entry {row.entry_id}.", entryId=row.entry_id
            )
        return (
            self._take_back(change, customer, entry)
            if entry.kind == ADDED
            else self._give_back(change, customer, entry)
        )

    def _take_back(self, change: Reverse, customer: CustomerRow, lot: EntryRow) -> tuple[Outcome, int]:
        account = customer.account
        created_at = self._created_at(None, account)
        draw = account.take_back(lot.seq, created_at)
        if draw is None:
            assert lot.remaining is not None
            why = "spent" if lot.remaining == 0 else "expired"
            raise NothingToReverse(f"Nothing is left of entry {change.entry_id}: its points are {why}.", reason=why)
        taken = draw[1]
        new = _New(REDEEMED, taken, created_at, account.active_points(created_at), reverses=lot.seq)
        return Applied(taken, short=lot.points - taken), self._record(customer, change, new, [draw])

    def _give_back(self, change: Reverse, customer: CustomerRow, redemption: EntryRow) -> tuple[Outcome, int]:
        if code := self._catalog.coupon_code(redemption.seq):
            raise CouponIssued(f"Entry {change.entry_id} paid for the coupon {code}.", couponCode=code)
        account = customer.account
        created_at = self._created_at(None, account)
        valid_until = max(until for _, _, until in self._books.allocations_of(redemption.seq))
        if valid_until <= created_at:
            raise NothingToReverse(
                f"The points that entry {change.entry_id} used would have expired on {format_instant(valid_until)}.",
                "To give points all the same, use `rpctl points add`.",
                reason="expired",
            )
        account.add(self._lot(valid_until, created_at, redemption.points))
        balance = account.active_points(created_at)
        new = _New(ADDED, redemption.points, created_at, balance, valid_until, reverses=redemption.seq)
        return Applied(redemption.points), self._record(customer, change, new)

    # -- what they need --------------------------------------------------------------------------------

    def _created_at(self, asked: Instant | None, account: Account) -> Instant:
        if asked is None:
            return max(self._now, account.latest_created_at or self._now)
        if asked > self._now:
            raise InvalidValue(
                f"createdAt {format_instant(asked)} is later than now.", "Name a day up to today, or leave it out."
            )
        return asked

    def _customer(self, customer_id: str) -> CustomerRow:
        customer = self._customers.get(customer_id)
        if customer is None:
            raise _unknown(customer_id)
        return customer

    def _new_customer(self, customer_id: str, account: Account) -> CustomerRow:
        customer = CustomerRow(self._next_customer, customer_id, account, is_new=True)
        self._next_customer += 1
        self._customers[customer_id] = customer
        return customer

    def _program(self, site_code: str) -> Program:
        if site_code not in self._programs:
            self._programs[site_code] = self._catalog.program(site_code)
        return self._programs[site_code]

    def _lot(self, valid_until: Instant, created_at: Instant, points: int) -> OpenLot:
        lot = OpenLot(valid_until, created_at, self._next_seq, points)
        self._lots[lot.position] = lot
        return lot

    def _record(
        self, customer: CustomerRow, change: Change, new: _New, draws: Sequence[tuple[OpenLot, int]] = ()
    ) -> int:
        seq = self._next_seq
        self._next_seq += 1
        account = customer.account
        account.latest_created_at = max(new.created_at, account.latest_created_at or new.created_at)
        self._touched[customer.seq] = customer
        for lot, points in draws:
            self._lots[lot.position] = lot
            self._allocations.append((seq, lot.position, points))
        key = self._keys[change.key]
        asked = fingerprint(self._secret, change.canonical())
        salt = next(self._salts)
        row: list[Any] = [
            seq,
            customer.seq,
            new.kind,
            new.points,
            new.created_at,
            new.valid_until,
            new.points if new.kind == ADDED else None,
            new.balance_after,
            None,
            new.reference_id,
            change.description,
            change.reason,
            new.site_code,
            new.reverses,
            self._origin,
            self._now,
            key,
            asked,
            salt,
        ]
        row.append(digest_of(customer.customer_id, row))
        self._rows[seq] = row
        self._known[key] = KnownKey(seq, asked, erased=False)
        return seq


_REMAINING = EntryRow._fields.index("remaining")
_CUSTOMER = EntryRow._fields.index("customer")
_SALT = EntryRow._fields.index("salt")


def digest_of(customer_id: str, row: Sequence[Any]) -> bytes:
    """The digest of an entry: of all its columns up to the salt, but for what changes; the customer by name."""
    fixed = [field for at, field in enumerate(row[:_SALT]) if at not in (_CUSTOMER, _REMAINING)]
    return entry_digest(row[_SALT], customer_id, *fixed)


def _unknown(customer_id: str) -> CustomerNotFound:
    return CustomerNotFound(f"There is no customer {customer_id}.", customerId=customer_id)
