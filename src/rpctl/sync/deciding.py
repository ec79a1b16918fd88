"""Decides changes while the service is out of reach, inside one write transaction.

What is recorded is what will be sent: `rpctl.delivery.requests` decides it, as for a change that is sent at once. A
redemption or reversal is judged by the customer's standing; for a mere addition nothing is read but whether the
customer is known, since very many of them come at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from rpctl.backends.ledger.offline import NewRow
from rpctl.delivery.journal import recorded
from rpctl.delivery.prepare import settled_before
from rpctl.delivery.refusals import insufficient, program_disabled
from rpctl.delivery.requests import (
    already_reversed,
    as_sent,
    fingerprint,
    key_reused,
    marks_of,
    probe_of,
    reversal_of,
    sending_of,
)
from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Recorded, Refused
from rpctl.domain.points import AddedPoints
from rpctl.domain.values import add_months
from rpctl.errors import CustomerDeleted, CustomerNotFound, InvalidValue, NotFound, UnsupportedOperation
from rpctl.errors import Refused as RefusedError
from rpctl.sync.documents import program_of, sending_text
from rpctl.sync.mirror import truth_of
from rpctl.sync.outbox import waiting_of
from rpctl.sync.standing import Standing, may_reverse

if TYPE_CHECKING:
    from rpctl.backends.ledger.offline import OfflineTables
    from rpctl.backends.port import Sending
    from rpctl.delivery.journal import Delivery, Journal
    from rpctl.domain.points import Entry, Summary
    from rpctl.domain.program import Program
    from rpctl.domain.values import Instant

FETCH: Final = "`rpctl sync pull` fetches what is known, while the service can be reached."
_FETCH_ONE: Final = "`rpctl sync pull CUSTOMER` fetches what the service has, while it can be reached."


class Rules(Protocol):
    """What is known of a service without asking it."""

    @property
    def capabilities(self) -> frozenset[str]:
        """See `Backend`."""
        ...

    def check(self, sending: Sending) -> None:
        """See `Service`."""
        ...


@dataclass(slots=True)
class Customer:
    """Whether the customer is known, and known to be at the service rather than to be made there by what waits; the
    latest business date of what is recorded, and the standing once it was needed."""

    is_known: bool
    is_there: bool
    latest: Instant | None
    standing: Standing | None = None


@dataclass(slots=True)
class _Taken:
    """A key that is in the outbox."""

    fingerprint: str
    sending: Sending
    recorded: Recorded


class Deciding:
    """Decides in one transaction. It is also what has to be known of a service for that, as the mirror has it
    (`rpctl.delivery.requests.Known`); ``rows``: what is to be stored."""

    def __init__(
        self,
        target: str,
        rules: Rules,
        tables: OfflineTables,
        customers: dict[str, Customer],
        now: Instant,
        run: str | None,
        *,
        entries: bool,
    ) -> None:
        self.capabilities = rules.capabilities
        self.target = target
        self.check = rules.check
        self.rows: list[NewRow] = []
        self._tables = tables
        self._customers = customers
        self._now = now
        self._run = run
        self._entries = entries
        self._journal: Journal | None = None
        self._taken: dict[str, _Taken] = {}
        self._sent: dict[str, Delivery] = {}
        self._programs: dict[str, Program | None] = {}
        self._position = tables.outbox.next_position()

    # -- what is known ---------------------------------------------------------------------------------

    def read(self, changes: Sequence[Change], journal: Journal | None) -> None:
        """What these changes need, many at a time."""
        keys = [change.key for change in changes]
        for row in map(waiting_of, self._tables.outbox.known(keys).values()):
            place = Recorded(row.position, row.sending.points, row.run, row.sending.is_past(row.recorded_at))
            self._taken[row.key] = _Taken(row.fingerprint, row.sending, place)
        if journal is not None and journal.is_made:
            self._journal = journal
            self._sent = journal.find_all([key for key in keys if key not in self._taken])
        ids = {change.customer_id for change in changes}
        new = [one for one in ids if one not in self._customers]
        counting = self._tables.outbox.customers(new)
        mirrored = self._tables.mirror.read_at(new)
        remembered = self._tables.outbox.of_known([one for one in new if one not in mirrored])
        for one in new:
            latest, is_sent = counting.get(one, (None, False))
            is_there = one in mirrored or is_sent or one in remembered  # or a push would make a deleted one anew
            self._customers[one] = Customer(is_there or one in counting, is_there, latest)
        judged = {change.customer_id for change in changes if self._entries or not isinstance(change, AddPoints)}
        self._read_standings([one for one in judged if self._customers[one].standing is None])

    def _read_standings(self, ids: Sequence[str]) -> None:
        for one, standing in standings(self._tables, self.target, ids).items():
            self._customers[one].standing = standing

    def program(self, site_code: str) -> Program:
        """See `Backend`: as the mirror has it. Raises `UnsupportedOperation` where it has none."""
        program = self._mirrored_program(site_code)
        if program is None:
            raise UnsupportedOperation(
                f"What an order value earns at site {site_code} is not known offline.",
                f"Give the points, or fetch the program first: {FETCH}",
            )
        return program

    def _mirrored_program(self, site_code: str) -> Program | None:
        if site_code not in self._programs:
            text = self._tables.mirror.program(site_code)
            self._programs[site_code] = None if text is None else program_of(text)
        return self._programs[site_code]

    # -- one change ------------------------------------------------------------------------------------

    def decide(self, change: Change, line: int | None) -> Outcome:
        """What becomes of it; what is to be sent is among the rows then."""
        asked = fingerprint(change)
        customer = self._customers[change.customer_id]
        before = self._before(change, asked, customer)
        if before is not None:
            return before
        now = self._now if customer.latest is None else max(self._now, customer.latest)
        try:
            _check_can_wait(change)
            sending = self._dated(sending_of(change, self, now, lambda: self._to_reverse(change, customer, now)), now)
            self._check(change, sending, customer)
        except (RefusedError, NotFound, InvalidValue) as error:
            return Refused(error)
        return self._store(change, sending, asked, line, customer)

    def _before(self, change: Change, asked: str, customer: Customer) -> Outcome | None:
        """What became of the key's change before; None: nothing that counts."""
        taken = self._taken.get(change.key)
        if taken is not None:
            if not taken.sending.customer_id:
                return Refused(CustomerDeleted("The key belongs to a change of a customer who was deleted since."))
            if taken.fingerprint != asked:
                return Refused(key_reused(change.key))
            return AlreadyApplied(self._entry_of(taken.sending, customer), taken.recorded)
        sent = self._sent.get(change.key)
        settled = None if sent is None or sent.is_free else settled_before(sent, asked)
        if sent is not None and isinstance(settled, AlreadyApplied):
            return AlreadyApplied(self._entry_of(sent.sending, customer), recorded(sent))
        return settled or self._seen(change, customer)

    def _seen(self, change: Change, customer: Customer) -> Outcome | None:
        """What another machine did with the key, as far as the mirror shows it."""
        probe = probe_of(change, self)
        if customer.standing is None or probe is None:
            return None
        entry = customer.standing.marks.find(probe)
        if entry is None:
            return None
        if isinstance(change, RedeemPoints) is isinstance(entry, AddedPoints) or probe.points not in (0, entry.points):
            return Refused(key_reused(change.key))
        return AlreadyApplied(entry)

    def _entry_of(self, sending: Sending, customer: Customer) -> Entry | None:
        if not self._entries:
            return None
        found = customer.standing.find(sending) if customer.standing is not None else None
        return found or as_sent(sending)

    def _dated(self, sending: Sending, now: Instant) -> Sending:
        """With the business date, where the service keeps one: it is when it happened and not when it is sent."""
        if "dates" not in self.capabilities:
            return sending
        created_at = now if sending.created_at is None else sending.created_at
        sending = sending._replace(created_at=created_at)
        if sending.kind != "redeem" and sending.valid_until is None and "program" in self.capabilities:
            program = self._mirrored_program(sending.site_code or "main")
            if program is not None and program.validity_months is not None:
                with suppress(InvalidValue):
                    sending = sending._replace(ends_at=add_months(created_at, program.validity_months))
        return sending

    def _check(self, change: Change, sending: Sending, customer: Customer) -> None:
        if isinstance(change, AddPoints):
            if change.customers is Customers.EXISTING and not customer.is_known:
                raise unknown(change.customer_id)
            program = self._mirrored_program(change.site_code) if "program" in self.capabilities else None
            if program is not None and not program.enabled:
                raise program_disabled(change.site_code)
        elif isinstance(change, RedeemPoints):
            if not customer.is_known:
                raise unknown(change.customer_id)
            assert customer.standing is not None
            available = customer.standing.active_points(customer.standing.moment_of(sending, self._now))
            if available < sending.points:
                raise insufficient(change.customer_id, available, sending.points)

    def _store(self, change: Change, sending: Sending, asked: str, line: int | None, customer: Customer) -> Applied:
        entry = None if customer.standing is None else customer.standing.count(sending, self._now)
        is_past = sending.is_past(self._now)
        was_known = customer.is_known
        self.rows.append(
            NewRow(
                self._position, change.key, bytes.fromhex(asked), change.customer_id, sending.created_at, line,
                customer.is_there, sending.reverses, sending_text(sending),
            )
        )  # fmt: skip
        place = Recorded(self._position, sending.points, self._run, is_past)
        self._taken[change.key] = _Taken(asked, sending, place)
        self._position += 1
        customer.is_known = True
        if sending.created_at is not None:
            customer.latest = (
                sending.created_at if customer.latest is None else max(customer.latest, sending.created_at)
            )
        return Applied(sending.points, entry if self._entries else None, not was_known, is_past, sending.short)

    # -- reversals -------------------------------------------------------------------------------------

    def _to_reverse(self, change: Change, customer: Customer, now: Instant) -> Summary:
        """The customer's points, in which an entry is to be reversed that nothing reverses yet, under whichever id."""
        assert isinstance(change, Reverse)
        if not customer.is_known:
            raise unknown(change.customer_id)
        assert customer.standing is not None
        summary = customer.standing.summary(now)
        entry = summary.find(change.entry_id)
        by_mark = {one.token: one for one in summary.entries()} | {one.id: one for one in summary.entries()}
        for name in self._names_of(entry):
            found = [by_mark[mark] for mark in marks_of(self.target, reversal_of(name)) if mark in by_mark]
            if found:
                raise already_reversed(entry.id, found[0].id)
            sent = self._journal.reversal_of(name) if self._journal is not None else None
            if sent is None or sent.key == change.key:
                continue
            if not sent.is_open:
                raise already_reversed(entry.id, sent.sending.entry_id)
            raise UnsupportedOperation(
                f"Whether entry {entry.id} was reversed with key {sent.key} cannot be told offline.",
                f"The same command with --key {sent.key} and without --offline finds out.",
            )
        return summary

    def _names_of(self, entry: Entry) -> set[str]:
        """The entry's id, and those under which it may have been reversed before it was sent."""
        rows = map(waiting_of, self._tables.outbox.recorded_for(entry.customer_id)) if entry.token else ()
        return {entry.id, *(row.sending.entry_id for row in rows if row.sending.token == entry.token)}


def standings(tables: OfflineTables, target: str, ids: Sequence[str]) -> dict[str, Standing]:
    """What each of the customers has; of who is not known, nothing."""
    truths = tables.mirror.truths(ids)
    found = {
        one: Standing(one, truth_of(truths[one]), truths[one].read_at) if one in truths else Standing(one, None, 0)
        for one in ids
    }
    for row in map(waiting_of, tables.outbox.on_top(ids)):
        standing, sending = found[row.sending.customer_id], row.sending
        if sending.reverses is not None and not standing.has_reversed(sending):
            sending = _of_the_truth(tables, target, standing, sending)
        standing.count(sending, row.recorded_at)
    return found


def _of_the_truth(tables: OfflineTables, target: str, standing: Standing, sending: Sending) -> Sending:
    """A reversal of an own change as it is sent once that is in: where the service gives ids of its own, of another
    entry than it was recorded for."""
    own = tables.outbox.by_entry(sending.customer_id, sending.reverses or "")
    entry = None if own is None else standing.marks.find(waiting_of(own).sending)
    if entry is None or not may_reverse(sending, entry):
        return sending
    entry_id, token = marks_of(target, reversal_of(entry.id))
    return sending._replace(entry_id=entry_id, token=token, reverses=entry.id)


def _check_can_wait(change: Change) -> None:
    if isinstance(change, AddPoints) and change.customers is Customers.NEW:
        raise UnsupportedOperation(
            "Offline no customer is made: whether there is one already only the service can tell.",
            "`rpctl points add` adds points to whoever has the id; or do it when the service can be reached.",
        )
    if isinstance(change, RedeemPoints) and change.points is None:
        raise UnsupportedOperation(
            "Points are not exchanged for a coupon offline: only the service makes its code.",
            "Do it when the service can be reached; `rpctl points redeem CUSTOMER POINTS` is recorded offline.",
        )


def unknown(customer_id: str) -> CustomerNotFound:
    """The refusal of a customer whom neither the mirror nor the outbox has."""
    return CustomerNotFound(
        f"There is no customer {customer_id} among those that are known offline.", _FETCH_ONE, customerId=customer_id
    )
