"""Checks every invariant of the ledger over the whole file, one customer at a time; it never changes anything.

It shares no rule with `booking` or `domain.lots`: a mistake made there must not hide itself here. What it can
name (`Problem.rule`), a customer's rules first:

    malformed_entry              an entry lacks a field that its kind needs
    digest_mismatch              an entry is not what was recorded
    allocation_misplaced         an allocation does not lead from a redemption to added points
    lot_of_another_customer      a redemption drew on somebody else's points
    lot_used_before_recorded     a redemption drew on points that were recorded after it
    lot_used_after_expiry        a redemption drew on points that had expired at its ``createdAt``
    allocations_mismatch         the allocations of a redemption do not add up to it
    lot_overused                 more was taken from added points than they had
    remaining_mismatch           what is stored as left of added points is not points minus allocations
    negative_balance             active points fell below zero (only the first entry is named)
    balance_mismatch             ``allPointsAfterCreation`` is not what recomputing gives (only the first entry)
    open_points_mismatch         the customer's stored sum is not what is left of all added points
    no_expiry_before_mismatch    open points expire before the stored moment up to which none does
    latest_created_at_mismatch   the stored latest ``createdAt`` is not the latest of the entries
    reversal_target_missing      a reversal of what is no earlier entry of the same customer
    reversal_same_kind           a reversal that is not the opposite of what it reverses
    reversal_of_reversal         a reversal of a reversal
    reversal_repeated            a second reversal of one entry
    reversal_amount_wrong        a reversal that does not take what was left, or not give back what was taken; the
                                 undo of an import may also take what it gave back of the spent part
    reversal_validity_wrong      points given back that do not live as long as the longest-lived they came from
    tombstone_missing            an erased entry or customer without tombstone
    tombstone_mismatch           a tombstone whose counts or sums do not fit what is erased
    erased_incompletely          something of a deleted customer is still there
    key_repeated                 a key leads to another entry than the one that has it
    key_lost                     a key leads to no entry, or to one that has another key
    holding_mismatch             what the customer holds is not the entry that was recorded
    entry_not_held               an entry is in nobody's hands
    integrity                    SQLite itself finds the file damaged
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rpctl.backends.ledger.digests import entry_digest, entry_id
from rpctl.backends.ledger.sql import audit as sql
from rpctl.backends.ledger.sql.entries import ADDED, ERASED, REDEEMED, EntryRow
from rpctl.backends.ledger.sql.file import integrity
from rpctl.domain.expiries import SumsByExpiry
from rpctl.domain.values import Instant, format_instant

if TYPE_CHECKING:
    from rpctl.backends.ledger.sql.audit import CustomerFacts, Draw, Held
    from rpctl.backends.ledger.sql.entries import Entries
    from rpctl.backends.ledger.sql.file import Connection


@dataclass(frozen=True, slots=True)
class Problem:
    """A broken invariant. ``customer_id`` and ``entry_id`` are None where it concerns none, or none with a
    name any more; ``rule`` is one of the words in this module's docstring; ``message`` one line."""

    customer_id: str | None
    entry_id: str | None
    rule: str
    message: str


class Audit:
    """One run over a ledger. ``entries`` and ``customers`` (living and deleted) count what was checked so far."""

    def __init__(self, store: Entries) -> None:
        self._store = store
        self.entries = 0
        self.customers = 0

    def problems(self) -> Iterator[Problem]:
        """Everything that is wrong, streamed, all of it read in one transaction.

        Raises `LedgerUnusable` where the file is too damaged to be read on, and `LedgerBusy`.
        """
        connection = self._store.connection
        self.entries = self.customers = 0
        with self._store.transaction(write=False):
            runs = sql.runs_of_origins(connection)
            for text in integrity(connection):
                yield Problem(None, None, "integrity", text)
            yield from _keys(connection)
            for facts in sql.customers(connection):
                held = sql.held(connection, facts.seq)
                rows = list({one.row.seq: one.row for one in held}.values())
                self.customers += 1
                self.entries += len(rows)
                yield from _holdings(facts, held)
                draws = sql.draws(connection, facts.seq)
                if facts.customer_id is None:
                    yield from _Deleted(facts, rows, draws).problems()
                else:
                    yield from _Living(facts, facts.customer_id, rows, draws, runs).problems()
            if self.entries != sql.number_of_entries(connection):
                for customer_id, key, seq in sql.not_held(connection):
                    message = f"Entry number {seq} is missing where its customer's entries are looked up."
                    yield Problem(customer_id, entry_id(key), "entry_not_held", message)


def _keys(connection: Connection) -> Iterator[Problem]:
    for customer_id, key, seq, other in sql.misled_keys(connection):
        if other is None:
            message = f"The key of entry number {seq} would be free to be used again."
            yield Problem(customer_id, entry_id(key), "key_lost", message)
        else:
            message = f"Entry number {seq} has the key of entry number {other}."
            yield Problem(customer_id, entry_id(key), "key_repeated", message)
    for key, seq in sql.stray_keys(connection):
        message = f"A key leads to entry number {seq}, which has another one."
        yield Problem(None, entry_id(key), "key_lost", message)


def _holdings(facts: CustomerFacts, held: list[Held]) -> Iterator[Problem]:
    """Whether each of the things a customer holds stands for one entry, that entry's dates and customer included."""
    seen: set[int] = set()
    for valid_until, created_at, left, row in held:
        dates = row.valid_until or 0, row.created_at or 0
        is_wrong = (row.customer, valid_until, created_at) != (facts.seq, *dates) or left != (row.remaining or 0)
        if is_wrong or row.seq in seen:
            message = f"Entry number {row.seq} is not what is noted where its customer's entries are looked up."
            yield Problem(facts.customer_id, row.entry_id, "holding_mismatch", message)
        seen.add(row.seq)


class _Deleted:
    """A customer whose points and text are gone: only a tombstone and digests may be left."""

    def __init__(self, facts: CustomerFacts, rows: list[EntryRow], draws: list[Draw]) -> None:
        self._facts = facts
        self._rows = rows
        self._draws = draws

    def problems(self) -> Iterator[Problem]:
        facts, rows = self._facts, self._rows
        name = f"Deleted customer number {facts.seq}"
        kept = [row for row in rows if row.kind != ERASED]
        for row in kept:
            yield Problem(None, row.entry_id, "erased_incompletely", f"{name} still has entry number {row.seq}.")
        if self._draws:
            yield Problem(None, None, "erased_incompletely", f"{name} still has allocations.")
        if facts.open_points or facts.latest_created_at is not None:
            yield Problem(None, None, "erased_incompletely", f"{name} still has points or a date.")
        if facts.deleted_at is None:
            yield Problem(None, None, "tombstone_missing", f"{name} has no tombstone.")
            return
        if facts.entries != len(rows):
            yield Problem(
                None,
                None,
                "tombstone_mismatch",
                f"{name} has {len(rows)} erased entries; the tombstone counts {facts.entries}.",
            )
        if facts.points_left != facts.points_added - facts.points_redeemed:
            yield Problem(
                None,
                None,
                "tombstone_mismatch",
                f"{name}: {facts.points_added} points added minus {facts.points_redeemed} redeemed "
                f"are not the {facts.points_left} left.",
            )


class _Living:
    """A customer with an id: every entry, every use of a lot, and the sums over them."""

    def __init__(
        self,
        facts: CustomerFacts,
        customer_id: str,
        rows: list[EntryRow],
        draws: list[Draw],
        runs: Mapping[int, str],
    ) -> None:
        self._facts = facts
        self._customer_id = customer_id
        self._runs = runs
        self._rows = rows
        self._sound = [row for row in rows if _is_whole(row)]
        self._lots = {row.seq: row for row in self._sound if row.kind == ADDED}
        self._redemptions = {row.seq: row for row in self._sound if row.kind == REDEEMED}
        self._draws = draws
        self._draws_of: defaultdict[int, list[Draw]] = defaultdict(list)
        self._draws_on: defaultdict[int, list[Draw]] = defaultdict(list)
        for draw in draws:
            self._draws_of[draw.redemption].append(draw)
            self._draws_on[draw.lot].append(draw)

    def problems(self) -> Iterator[Problem]:
        yield from self._entries()
        yield from self._uses()
        yield from self._lots_left()
        yield from self._balances()
        yield from self._account()
        yield from self._reversals()

    def _problem(self, row: EntryRow | None, rule: str, message: str) -> Problem:
        return Problem(self._customer_id, row.entry_id if row else None, rule, message)

    # -- the entries by themselves ---------------------------------------------------------------------

    def _entries(self) -> Iterator[Problem]:
        if self._facts.deleted_at is not None:
            yield self._problem(None, "tombstone_mismatch", "There is a tombstone, and the customer is still there.")
        for row in self._rows:
            if row.kind == ERASED:
                yield self._problem(row, "tombstone_missing", f"Entry number {row.seq} is erased, its customer is not.")
            elif not _is_whole(row):
                yield self._problem(row, "malformed_entry", f"Entry number {row.seq} lacks what its kind must have.")
            elif _digest(self._customer_id, row) != row.digest:
                yield self._problem(row, "digest_mismatch", f"Entry number {row.seq} is not what was recorded.")

    # -- lots and their uses ---------------------------------------------------------------------------

    def _uses(self) -> Iterator[Problem]:
        for draw in self._draws:
            redemption, lot = self._redemptions.get(draw.redemption), self._lots.get(draw.lot)
            if redemption is None:
                row = self._lots.get(draw.redemption)
                message = f"Entry number {draw.redemption} took {draw.points} points and is no redemption."
                yield self._problem(row, "allocation_misplaced", message)
            elif lot is None and draw.lot_customer not in (None, self._facts.seq):
                message = f"{draw.points} points were taken from entry number {draw.lot}, which is somebody else's."
                yield self._problem(redemption, "lot_of_another_customer", message)
            elif lot is None:
                message = f"{draw.points} points were taken from entry number {draw.lot}, which added none."
                yield self._problem(redemption, "allocation_misplaced", message)
            else:
                yield from self._use(redemption, lot)
        for redemption in self._redemptions.values():
            total = sum(draw.points for draw in self._draws_of[redemption.seq])
            if total != redemption.points:
                message = f"{redemption.points} points were redeemed and {total} taken from added points."
                yield self._problem(redemption, "allocations_mismatch", message)

    def _use(self, redemption: EntryRow, lot: EntryRow) -> Iterator[Problem]:
        if lot.seq >= redemption.seq:
            message = f"It drew on entry {lot.entry_id}, which was recorded later."
            yield self._problem(redemption, "lot_used_before_recorded", message)
        if _valid_until(lot) <= redemption.created_at:
            message = (
                f"It was made on {_shown(redemption.created_at)} and drew on entry {lot.entry_id}, "
                f"which expired on {_shown(_valid_until(lot))}."
            )
            yield self._problem(redemption, "lot_used_after_expiry", message)

    def _lots_left(self) -> Iterator[Problem]:
        for lot in self._lots.values():
            used = sum(draw.points for draw in self._draws_on[lot.seq])
            if used > lot.points:
                message = f"{used} points were taken of the {lot.points} added."
                yield self._problem(lot, "lot_overused", message)
            elif lot.remaining != lot.points - used:
                message = f"{lot.points} points minus {used} used are not the {lot.remaining} stored as left."
                yield self._problem(lot, "remaining_mismatch", message)

    # -- sums over the entries -------------------------------------------------------------------------

    def _balances(self) -> Iterator[Problem]:
        sums = SumsByExpiry(_valid_until(lot) for lot in self._lots.values())
        early: defaultdict[int, int] = defaultdict(int)  # uses of lots that are recorded only later
        recorded: set[int] = set()
        negative: tuple[EntryRow, int] | None = None
        wrong: tuple[EntryRow, int] | None = None
        others = 0
        for row in self._sound:
            if row.kind == ADDED:
                recorded.add(row.seq)
                sums.add(_valid_until(row), row.points - early[row.seq])
            for draw in self._draws_of.get(row.seq, ()):
                if draw.lot in recorded:
                    sums.add(_valid_until(self._lots[draw.lot]), -draw.points)
                else:
                    early[draw.lot] += draw.points
            balance = sums.later_than(row.created_at)
            if balance < 0:
                negative = negative or (row, balance)
            elif balance != row.balance_after:
                others += wrong is not None
                wrong = wrong or (row, balance)
        if negative:
            yield self._problem(negative[0], "negative_balance", f"{negative[1]} points were active after it.")
        if wrong:
            more = f" So it is with {others} later entries." if others else ""
            message = f"{wrong[1]} points were active after it; {wrong[0].balance_after} are stored.{more}"
            yield self._problem(wrong[0], "balance_mismatch", message)

    def _account(self) -> Iterator[Problem]:
        facts = self._facts
        left = sum(lot.remaining or 0 for lot in self._lots.values())
        if facts.open_points != left:
            message = f"{left} points are left of all that were added; the customer's sum says {facts.open_points}."
            yield self._problem(None, "open_points_mismatch", message)
        open_lots = (lot for lot in self._lots.values() if lot.remaining)
        first = min(open_lots, key=_valid_until, default=None)
        if first is not None and _valid_until(first) < facts.no_expiry_before:
            message = f"It expires on {_shown(_valid_until(first))}; none is noted to expire so early."
            yield self._problem(first, "no_expiry_before_mismatch", message)
        latest = max((row.created_at for row in self._sound), default=None)
        if facts.latest_created_at != latest:
            noted, real = ("none" if moment is None else _shown(moment) for moment in (facts.latest_created_at, latest))
            message = f"The latest createdAt is {real}; the one noted is {noted}."
            yield self._problem(None, "latest_created_at_mismatch", message)

    # -- reversals -------------------------------------------------------------------------------------

    def _reversals(self) -> Iterator[Problem]:
        by_seq = {row.seq: row for row in self._sound}
        reversed_by: dict[int, EntryRow] = {}
        for row in self._sound:
            if row.reverses is None:
                continue
            target = by_seq.get(row.reverses)
            if target is None or target.seq >= row.seq:
                message = f"It reverses entry number {row.reverses}, which is no earlier entry of this customer."
                yield self._problem(row, "reversal_target_missing", message)
                continue
            if target.reverses is not None:
                yield self._problem(row, "reversal_of_reversal", f"Entry {target.entry_id} is itself a reversal.")
            if target.seq in reversed_by:
                message = f"Entry {target.entry_id} was reversed before, by entry {reversed_by[target.seq].entry_id}."
                yield self._problem(row, "reversal_repeated", message)
            reversed_by.setdefault(target.seq, row)
            if target.kind == row.kind:
                message = f"It is of the same kind as entry {target.entry_id}, which it reverses."
                yield self._problem(row, "reversal_same_kind", message)
            elif row.kind == REDEEMED:
                yield from self._taken_back(row, target)
            else:
                yield from self._given_back(row, target)

    def _taken_back(self, row: EntryRow, lot: EntryRow) -> Iterator[Problem]:
        used_before = sum(draw.points for draw in self._draws_on[lot.seq] if draw.redemption < row.seq)
        left = lot.points - used_before
        own = sum(draw.points for draw in self._draws_of[row.seq] if draw.lot == lot.seq)
        others = [draw for draw in self._draws_of[row.seq] if draw.lot != lot.seq]
        run = self._runs.get(row.origin)
        still_valid = _valid_until(lot) > row.created_at
        if run is None and (row.points != left or own != left or others):
            message = f"{row.points} points were taken back; {left} were left of entry {lot.entry_id}."
            yield self._problem(row, "reversal_amount_wrong", message)
        elif run is not None and own != (left if still_valid else 0):
            message = f"{own} points were taken back of entry {lot.entry_id}, of which {left} were left."
            yield self._problem(row, "reversal_amount_wrong", message)
        elif sum(draw.points for draw in others) > used_before:
            message = f"More was taken back than the {used_before} points that were spent of entry {lot.entry_id}."
            yield self._problem(row, "reversal_amount_wrong", message)
        elif not all(self._gave_back(run, draw.lot) for draw in others):
            message = f"It took points that the undo of import run {run} had not given back."
            yield self._problem(row, "reversal_amount_wrong", message)

    def _gave_back(self, run: str | None, lot: int) -> bool:
        row = self._lots.get(lot)
        return row is not None and row.reverses is not None and self._runs.get(row.origin) == run

    def _given_back(self, row: EntryRow, redemption: EntryRow) -> Iterator[Problem]:
        if row.points != redemption.points:
            message = f"{row.points} points were given back; entry {redemption.entry_id} had taken {redemption.points}."
            yield self._problem(row, "reversal_amount_wrong", message)
        lots = [self._lots[draw.lot] for draw in self._draws_of[redemption.seq] if draw.lot in self._lots]
        longest = max(map(_valid_until, lots), default=None)
        if longest is not None and _valid_until(row) != longest:
            message = f"It does not live as long as the longest-lived lot of entry {redemption.entry_id}."
            yield self._problem(row, "reversal_validity_wrong", message)


def _is_whole(row: EntryRow) -> bool:
    needed: tuple[object, ...] = (row.points, row.created_at, row.balance_after, row.salt, row.origin, row.recorded_at)
    if row.kind == ADDED:
        needed += (row.valid_until, row.remaining)
    return row.kind in (ADDED, REDEEMED) and None not in needed


def _valid_until(lot: EntryRow) -> Instant:
    assert lot.valid_until is not None  # `_is_whole` lets no other lot through
    return lot.valid_until


def _shown(moment: Instant) -> str:
    try:
        return format_instant(moment)
    except OverflowError:  # a damaged one may lie outside the calendar
        return f"moment {moment}"


def _digest(customer_id: str, row: EntryRow) -> bytes:
    return entry_digest(
        row.salt,
        row.key,
        row.fingerprint,
        customer_id,
        row.kind,
        row.points,
        row.created_at,
        row.valid_until,
        row.id,
        row.reference_id,
        row.description,
        row.reason,
        row.site_code,
        row.reverses,
        row.origin,
        row.recorded_at,
    )
