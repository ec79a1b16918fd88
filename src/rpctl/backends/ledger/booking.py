"""Decides a batch of changes by the rules of the ledger, inside one write transaction.

A `Booking` reads what the batch needs at once, follows the accounts in memory, and writes everything at the
end (`flush`). A refused change leaves no trace and does not harm its neighbours. The rules themselves are the
domain's; this module joins them to what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Final, NamedTuple

from rpctl.backends.ledger.digests import SALT_SIZE, Digests, entry_digest
from rpctl.backends.ledger.sql.books import Booked, Books, CustomerRow, Drawn, KnownKey
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

_Decided = tuple[int, CustomerRow, Change, bytes, int, int, Instant, Instant | None, OpenLot | None, int, int | None]
"""An entry before it is sealed: place, customer, change, key, kind, points, ``createdAt``, ``validUntil``, the lot
that it makes, the balance after it, the place of what it reverses. A bare tuple: millions are made of them."""


_FEW: Final = 100  # of more changes than that, the lots of customers are read together


class Ahead(NamedTuple):
    """What is known of changes before they are booked: their places in recording order, ascending; the digests of
    their keys, none of which is in; their fingerprints."""

    places: Sequence[int]
    keys: Sequence[bytes]
    asked: Sequence[bytes]


class Sealed(NamedTuple):
    """What a booking leaves: new customers, and all whose accounts changed; new entries; which redemption
    drew on which lot; coupons."""

    new: list[CustomerRow]
    customers: list[CustomerRow]
    entries: list[Booked]
    draws: list[Drawn]
    coupons: list[tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class Sources:
    """What a booking takes from outside: bytes no one can guess, and coupon codes."""

    random_bytes: Callable[[int], bytes]
    coupon_code: Callable[[], str]


class Booking:
    """What one write transaction comes to: `book`, then `flush`, both inside it."""

    def __init__(self, books: Books, catalog: Catalog, now: Instant, origin: int, sources: Sources) -> None:
        self._books = books
        self._catalog = catalog
        self._now = now
        self._origin = origin
        self._sources = sources
        self._digests = Digests(books.secret())
        self._known: dict[bytes, KnownKey] = {}
        self._asked: dict[bytes, bytes] = {}  # by key: what was asked for with it
        self._made: dict[bytes, tuple[int, Change]] = {}  # by key: the place of an entry of ours, and its change
        self._customers: dict[str, CustomerRow] = {}
        self._programs: dict[str, Program] = {}
        self._next_seq = books.next_seq("entries")
        self._next_customer = self._first_customer = books.next_seq("customers")
        self._decided: list[_Decided] = []
        self._drawn: dict[int, tuple[CustomerRow, OpenLot]] = {}  # by position
        self._allocations: list[tuple[int, int, int]] = []
        self._coupons: list[tuple[Any, ...]] = []
        self._touched: dict[int, CustomerRow] = {}

    def book(self, changes: Sequence[Change], ahead: Ahead | None = None) -> list[tuple[Outcome, int | None]]:
        """Decides every change in order: its outcome (without the entry) and the place of the entry it made or had
        made. Without ``ahead`` their places are the next free ones."""
        if ahead is None:
            keys: Sequence[bytes] = self._digests.keys([change.key for change in changes])
            asked: Sequence[bytes] = self._digests.asked([change.canonical() for change in changes])
            self._known |= self._books.known_keys([key for key in keys if key not in self._made])
        else:
            keys, asked = ahead.keys, ahead.asked
        unread = {change.customer_id for change in changes}.difference(self._customers)
        self._customers.update(found := self._books.customers_by_id(unread))
        if len(changes) > _FEW:
            redeeming = {change.customer_id for change in changes if isinstance(change, RedeemPoints)}
            self._books.read_lots(found[customer_id] for customer_id in redeeming if customer_id in found)
        decided = []
        places = repeat(None) if ahead is None else ahead.places
        for change, key, fingerprint, place in zip(changes, keys, asked, places, strict=False):
            if place is not None:
                self._next_seq = place
            decided.append(self._decide(change, key, fingerprint))
        return decided

    def flush(self) -> None:
        """Writes what was decided since the last flush."""
        sealed = self.seal()
        self._books.insert_customers(sealed.new)
        self._books.save_accounts(sealed.customers)
        self._books.insert_booked(sealed.entries, self._origin, self._now)
        self._books.save_draws(sealed.draws)
        self._catalog.insert_coupons(sealed.coupons)

    def seal(self, next_customer: int | None = None) -> Sealed:
        """What was decided since the last flush, to be written by whoever asks for it. Nothing is read or written
        here. ``next_customer``: the first free place for a new one, where that is another by now."""
        customers = list(self._touched.values())
        shift = 0 if next_customer is None else next_customer - self._first_customer
        new = [customer for customer in customers if customer.is_new]
        for customer in new:
            customer.seq += shift
            customer.is_new = False
        decided, self._decided = self._decided, []
        salts = self._sources.random_bytes(SALT_SIZE * len(decided))
        origin, now = self._origin, self._now
        rows = []
        at = 0
        for seq, customer, change, key, kind, points, created_at, valid_until, lot, balance, reverses in decided:
            asked = self._asked[key]
            salt = salts[at : at + SALT_SIZE]
            at += SALT_SIZE
            reference_id, site_code = change.reference_id, change.site_code
            description, reason = change.description, change.reason
            digest = entry_digest(
                salt, key, asked, customer.customer_id, kind, points, created_at, valid_until, None,
                reference_id, description, reason, site_code, reverses, origin, now,
            )  # fmt: skip
            row = (
                seq, customer.seq, kind, points, created_at, valid_until, None if lot is None else lot.left, balance,
                reference_id, description, reason, site_code, reverses, key + asked + salt + digest,
            )  # fmt: skip
            rows.append(row)
        made = {row[0] for row in rows}
        draws: list[Drawn] = []
        for redemption, position, points in self._allocations:
            drawn = self._drawn.pop(position, None)  # the first time it stands for all: the lot knows what is left now
            if drawn is None or position in made:
                draws.append((redemption, position, points, None, None, None, None))
            else:
                customer, lot = drawn
                draws.append((redemption, position, points, customer.seq, lot.valid_until, lot.created_at, lot.left))
        sealed = Sealed(new, customers, rows, draws, self._coupons)
        self._drawn, self._allocations, self._coupons, self._touched = {}, [], [], {}
        return sealed

    # -- the rules -------------------------------------------------------------------------------------

    def _decide(self, change: Change, key: bytes, asked: bytes) -> tuple[Outcome, int | None]:
        try:
            if key in self._known or key in self._made:
                return self._repeated(change, key, asked)
            self._asked[key] = asked
            if isinstance(change, AddPoints):
                return self._add(change, key)
            if isinstance(change, RedeemPoints):
                return self._redeem(change, key) if change.option_id is None else self._exchange(change, key)
            return self._reverse(change, key)
        except RpctlError as error:
            return Refused(error.with_traceback(None)), None

    def _repeated(self, change: Change, key: bytes, asked: bytes) -> tuple[Outcome, int]:
        recorded = None
        if made := self._made.get(key):
            seq, earlier = made
            is_same = earlier.canonical() == change.canonical()
        else:
            known = self._known[key]
            if known.erased:
                raise CustomerDeleted("The key belongs to a change of a customer who was deleted since.")
            seq, recorded = known.seq, known.recorded
            is_same = known.fingerprint == asked
        if not is_same:
            raise KeyReused(f"The key {change.key!r} belongs to another change.", key=change.key)
        return AlreadyApplied(recorded=recorded), seq

    def _add(self, change: AddPoints, key: bytes) -> tuple[Outcome, int]:
        customer = self._customers.get(change.customer_id)
        is_new = customer is None
        if change.customers is not Customers.ANY:
            _check_existence(change, exists=not is_new)
        program = self._programs.get(change.site_code) or self._program(change.site_code)
        if not program.enabled:
            raise ProgramDisabled(f"The reward program of site {change.site_code} is disabled.")
        points = change.points
        if points is None:
            assert change.order_value is not None
            points = program.points_for(change.order_value)
        account = Account() if customer is None else customer.account
        created_at = self._created_at(change.created_at, account)
        until = change.valid_until
        valid_until = until.resolve(created_at) if until else program.default_validity(created_at)
        if valid_until < created_at:
            raise InvalidValue(
                f"The points would be valid until {format_instant(valid_until)}, before they were created "
                f"({format_instant(created_at)}).",
                "Name a later end; points that were valid in the past need a createdAt in the past too.",
            )
        if customer is None:
            customer = self._new_customer(change.customer_id, account)
        account.add(lot := OpenLot(valid_until, created_at, self._next_seq, points))
        seq = self._record(customer, change, key, ADDED, points, created_at, lot)
        return Applied(points, None, is_new, valid_until <= self._now), seq

    def _redeem(self, change: RedeemPoints, key: bytes, points: int | None = None) -> tuple[Outcome, int]:
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
        self._draw(customer, draws)
        seq = self._record(customer, change, key, REDEEMED, points, created_at)
        return Applied(points), seq

    def _exchange(self, change: RedeemPoints, key: bytes) -> tuple[Outcome, int]:
        assert change.option_id is not None
        option = self._catalog.option(change.option_id)
        check_exchangeable(option, change.customer_id, self._now)
        prefix = self._program(change.site_code).code_prefix
        outcome, seq = self._redeem(change, key, option.points)
        code = self._sources.coupon_code()
        coupon = issue(option, change.customer_id, f"{prefix}-{code}" if prefix else code)
        self._coupons.append((coupon.code, seq, option.id, self._now, coupon.document))
        return outcome, seq

    def _reverse(self, change: Reverse, key: bytes) -> tuple[Outcome, int]:
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
            self._take_back(change, key, customer, entry)
            if entry.kind == ADDED
            else self._give_back(change, key, customer, entry)
        )

    def _take_back(self, change: Reverse, key: bytes, customer: CustomerRow, lot: EntryRow) -> tuple[Outcome, int]:
        account = customer.account
        created_at = self._created_at(None, account)
        draw = account.take_back(lot.seq, created_at)
        if draw is None:
            assert lot.remaining is not None
            why = "spent" if lot.remaining == 0 else "expired"
            raise NothingToReverse(f"Nothing is left of entry {change.entry_id}: its points are {why}.", reason=why)
        taken = draw[1]
        self._draw(customer, [draw])
        seq = self._record(customer, change, key, REDEEMED, taken, created_at, reverses=lot.seq)
        return Applied(taken, short=lot.points - taken), seq

    def _give_back(
        self, change: Reverse, key: bytes, customer: CustomerRow, redemption: EntryRow
    ) -> tuple[Outcome, int]:
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
        points = redemption.points
        account.add(lot := OpenLot(valid_until, created_at, self._next_seq, points))
        seq = self._record(customer, change, key, ADDED, points, created_at, lot, reverses=redemption.seq)
        return Applied(points), seq

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

    def _draw(self, customer: CustomerRow, draws: Sequence[tuple[OpenLot, int]]) -> None:
        """The entry that is recorded next takes these points from these lots."""
        for lot, points in draws:
            self._drawn[lot.position] = customer, lot
            self._allocations.append((self._next_seq, lot.position, points))

    def _record(
        self,
        customer: CustomerRow,
        change: Change,
        key: bytes,
        kind: int,
        points: int,
        created_at: Instant,
        lot: OpenLot | None = None,
        *,
        reverses: int | None = None,
    ) -> int:
        self._next_seq = (seq := self._next_seq) + 1
        account = customer.account
        latest = account.latest_created_at
        if latest is None or created_at > latest:
            account.latest_created_at = created_at
        self._touched[customer.seq] = customer
        balance = account.active_points(created_at)
        valid_until = None if lot is None else lot.valid_until
        self._decided.append(
            (seq, customer, change, key, kind, points, created_at, valid_until, lot, balance, reverses)
        )
        self._made[key] = seq, change
        return seq


def digest_of(customer_id: str, row: Sequence[Any]) -> bytes:
    """The digest of an entry, given its columns in the order of `EntryRow` up to the salt; the customer by name."""
    (_, _, kind, points, created_at, valid_until, _, _, own_id, reference_id, description, reason, site_code, reverses,
     origin, recorded_at, key, asked, salt) = row[:19]  # fmt: skip
    return entry_digest(
        salt, key, asked, customer_id, kind, points, created_at, valid_until, own_id, reference_id, description, reason,
        site_code, reverses, origin, recorded_at,
    )  # fmt: skip


def _check_existence(change: AddPoints, *, exists: bool) -> None:
    if exists and change.customers is Customers.NEW:
        raise CustomerExists(f"Customer {change.customer_id} exists.", customerId=change.customer_id)
    if not exists and change.customers is Customers.EXISTING:
        raise _unknown(change.customer_id)


def _unknown(customer_id: str) -> CustomerNotFound:
    return CustomerNotFound(f"There is no customer {customer_id}.", customerId=customer_id)
