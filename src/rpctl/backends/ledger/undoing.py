"""Reverses what an import run applied, a batch at a time inside one write transaction (``ledger.md`` rule 4).

From the latest entry back, so that what the run redeemed is given back before what it added is taken. Added points
are taken back from their own lot; what of them was spent, from the lots that this undo gave the same customer
before: there it lies if the run itself spent it. What is left of an expired lot is not taken, and nothing is given
back that would have expired meanwhile.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rpctl.backends.ledger.booking import digest_of
from rpctl.backends.ledger.digests import SALT_SIZE, Digests, entry_id
from rpctl.backends.ledger.sql import undo as sql
from rpctl.backends.ledger.sql.books import Books, CustomerRow
from rpctl.backends.ledger.sql.entries import ADDED, REDEEMED, EntryRow
from rpctl.backends.ledger.sql.undo import GivenBack, UndoRow
from rpctl.domain.changes import Reverse
from rpctl.domain.lots import Account, OpenLot
from rpctl.domain.values import Instant

BATCH_ENTRIES: Final = 5_000
"""Entries of one write transaction, well below the time for which a ledger may be locked."""

_SPAN: Final = 100_000  # how many places are looked at for them: between a run's entries lie those of others


@dataclass(slots=True)
class _Customer:
    """A customer's account as the batch goes on; ``at`` is the ``createdAt`` of every entry of the undo."""

    row: CustomerRow
    at: Instant
    active: int
    given: list[GivenBack] | None = None
    """Lots that this undo gave back, in their order of use; None: not read yet."""


class Undoing:
    """One batch. Call `some` once inside a write transaction."""

    def __init__(self, books: Books, run: str, origin: int, now: Instant, random_bytes: Callable[[int], bytes]) -> None:
        self._books = books
        self._run = run
        self._origin = origin
        self._now = now
        self._random_bytes = random_bytes
        self._digests = Digests(books.secret())
        self._next_seq = books.next_seq("entries")
        self._customers: dict[int, _Customer] = {}
        self._rows: dict[int, EntryRow] = {}
        self._left: dict[int, tuple[int, OpenLot]] = {}  # by place: the customer's place, and the lot as it is now
        self._allocations: list[tuple[int, int, int]] = []

    def some(self, below: int) -> tuple[int, int] | None:
        """Reverses some of the entries before that place: how many were looked at, and the next ``below``; None
        where none is left."""
        connection = self._books.connection
        first, _ = sql.span(connection, self._run)
        if below <= first:
            return None
        start = max(first, below - _SPAN)
        found = sql.entries(connection, self._run, start, below, BATCH_ENTRIES)
        digests = self._digests.keys([self._change(row).key for row in found])
        keys = {row.seq: key for row, key in zip(found, digests, strict=True)}
        known = self._books.known_keys(list(keys.values()))
        for row in found:
            if keys[row.seq] not in known:  # else somebody made a key of their own just like it
                self._reverse(row, keys[row.seq])
        self._write()
        return len(found), found[-1].seq if len(found) == BATCH_ENTRIES else start

    # -- the rules -------------------------------------------------------------------------------------

    def _reverse(self, row: UndoRow, key: bytes) -> None:
        customer = self._customers.get(row.customer)
        if customer is None:
            customer = self._customers[row.customer] = self._customer(row)
        if row.kind == ADDED:
            self._take_back(row, key, customer)
        else:
            self._give_back(row, key, customer)

    def _take_back(self, row: UndoRow, key: bytes, customer: _Customer) -> None:
        assert row.valid_until is not None and row.remaining is not None
        own = row.remaining if row.valid_until > customer.at else 0
        draws = [(row.seq, own)] if own else []
        wanted = row.points - row.remaining
        lots = self._given(customer) if wanted else []
        while wanted and lots:
            lot = lots[0]
            take = min(lot.left, wanted)
            wanted -= take
            draws.append((lot.seq, take))
            self._leave(customer, lot.valid_until, lot.created_at, lot.seq, lot.left - take)
            lots[:1] = [lot._replace(left=lot.left - take)] if take < lot.left else []
        if own:
            self._leave(customer, row.valid_until, row.created_at, row.seq, 0)
        if not draws:
            return
        points = sum(taken for _, taken in draws)
        customer.row.account.open_points -= points
        customer.active -= points
        self._allocations += [(self._next_seq, lot, taken) for lot, taken in draws]
        self._record(row, key, customer, REDEEMED, points)

    def _give_back(self, row: UndoRow, key: bytes, customer: _Customer) -> None:
        valid_until = row.lots_until
        if valid_until is None or valid_until <= customer.at:
            return
        insort(self._given(customer), GivenBack(valid_until, customer.at, self._next_seq, row.points))
        account = customer.row.account
        account.open_points += row.points
        account.no_expiry_before = min(account.no_expiry_before, valid_until)
        customer.active += row.points
        self._record(row, key, customer, ADDED, row.points, valid_until)

    def _leave(self, customer: _Customer, valid_until: Instant, created_at: Instant, seq: int, left: int) -> None:
        self._left[seq] = customer.row.seq, OpenLot(valid_until, created_at, seq, left)

    # -- what they need --------------------------------------------------------------------------------

    def _customer(self, row: UndoRow) -> _Customer:
        at = max(self._now, row.latest_created_at or self._now)
        account = Account(row.open_points, row.no_expiry_before, row.latest_created_at)
        active = row.open_points
        if at >= row.no_expiry_before:
            active = self._books.active_points_of(row.customer, at)
        return _Customer(CustomerRow(row.customer, row.customer_id, account), at, active)

    def _given(self, customer: _Customer) -> list[GivenBack]:
        if customer.given is None:
            customer.given = sql.given_back(self._books.connection, self._run, customer.row.seq, customer.at)
        return customer.given

    def _change(self, row: UndoRow) -> Reverse:
        entry = row.id or entry_id(row.key)
        return Reverse(row.customer_id, entry, f"undo {entry}", f"undo of import run {self._run}")

    def _record(
        self,
        row: UndoRow,
        key: bytes,
        customer: _Customer,
        kind: int,
        points: int,
        valid_until: Instant | None = None,
    ) -> None:
        seq = self._next_seq
        self._next_seq += 1
        customer.row.account.latest_created_at = customer.at
        change = self._change(row)
        fields: list[Any] = [
            seq, customer.row.seq, kind, points, customer.at, valid_until, points if kind == ADDED else None,
            customer.active, None, None, change.description, None, None, row.seq, self._origin, self._now, key,
            *self._digests.asked([change.canonical()]), self._random_bytes(SALT_SIZE),
        ]  # fmt: skip
        self._rows[seq] = EntryRow._make([*fields, digest_of(row.customer_id, fields)])

    def _write(self) -> None:
        for seq in self._left.keys() & self._rows.keys():
            _, lot = self._left.pop(seq)
            self._rows[seq] = self._rows[seq]._replace(remaining=lot.left)
        self._books.insert_entries(list(self._rows.values()))
        self._books.save_remaining(self._left.values())
        self._books.insert_allocations(self._allocations)
        self._books.save_accounts(customer.row for customer in self._customers.values())
