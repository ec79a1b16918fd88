"""Sends what was recorded offline, in its order, each change once (`rpctl.delivery`), and reads the touched customers
anew.

What the service refuses becomes a conflict, and later changes of that customer wait behind it; nobody else's do. What
became of a change is noted in the outbox after it is settled in the journal: killed in between, the same change is
found there the next time and not sent again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Final

from rpctl.delivery.journal import Delivery
from rpctl.delivery.journal import State as Sent
from rpctl.delivery.prepare import Preparing, settled_before
from rpctl.delivery.reconcile import ID
from rpctl.delivery.requests import already_reversed, marks_of, reversal_of
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown, Withheld
from rpctl.errors import AlreadyReversed, CustomerDeleted, DeliveryUnderWay, EntryNotFound, NotFound, RpctlError
from rpctl.sync.outbox import State
from rpctl.sync.standing import may_reverse

if TYPE_CHECKING:
    from rpctl.backends.port import Sending, Service
    from rpctl.delivery.bulk import Bulk
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.parcel import Parcel
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.points import Entry, Summary
    from rpctl.sync.mirror import Mirror
    from rpctl.sync.outbox import Outbox, Waiting

_PAGE: Final = 500
_REREAD_AT_ONCE: Final = 200
_FEW: Final = 100  # customers who are read one by one whatever else there is
_SINGLE_COSTS: Final = 10  # reading one customer takes as long as so many of the list of everybody


@dataclass(slots=True)
class Pushed:
    """What a push came to, in changes; ``waiting``: how many there were to send; ``held_back``: left behind a
    conflict of this push, ``stuck``: behind an unclear change; ``conflicts``: rows that the service refuses now;
    ``refused``: whose these are; ``refreshed``: customers read anew. Points are those of ``sent``."""

    waiting: int = 0
    sent: int = 0
    already_sent: int = 0
    unknown: int = 0
    held_back: int = 0
    stuck: int = 0
    points_added: int = 0
    points_redeemed: int = 0
    refreshed: int = 0
    conflicts: list[tuple[Waiting, RpctlError]] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)

    def count(self, row: Waiting, outcome: Outcome) -> None:
        """What became of one."""
        self.waiting += 1
        if isinstance(outcome, Applied):
            self.sent += 1
            if row.sending.kind == "redeem":
                self.points_redeemed += row.sending.points
            else:
                self.points_added += row.sending.points
        elif isinstance(outcome, AlreadyApplied):
            self.already_sent += 1
        elif isinstance(outcome, Refused):
            self.conflicts.append((row, outcome.error))
            self.refused.add(row.sending.customer_id)
        elif isinstance(outcome, Unknown):
            self.unknown += 1
        elif row.sending.customer_id in self.refused:
            self.held_back += 1
        else:
            self.stuck += 1


class Push:
    """One push. ``told`` is called now and then with how many changes were gone through."""

    def __init__(
        self,
        outbox: Outbox,
        mirror: Mirror,
        bulk: Bulk,
        service: Service,
        journal: Journal,
        world: Surroundings,
        told: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._outbox = outbox
        self._mirror = mirror
        self._bulk = bulk
        self._service = service
        self._journal = journal
        self._world = world
        self._told = told
        self._pushed = Pushed()
        self._claims = ExitStack()
        self._rows: dict[str, Waiting] = {}
        self._halted: set[str] = set()  # customers with a reversal that another process is at work on
        self._stopped: set[str] = set()  # customers of whom a refusal was noted, or something unclear
        self._there: dict[str, bool] = {}
        self._made: set[str] = set()  # entries of which it is foreseen that they are made
        self._taken_back: dict[str, str] = {}  # entries of which it is foreseen that they are reversed, by which
        self._last = 0  # what is recorded behind it meanwhile was not looked for, and waits for the next push

    def run(self) -> Pushed:
        """Sends what waits. Raises what keeps everything from being sent; what was settled before is noted."""
        self._look(applies=True)
        handed: deque[Waiting] = deque()
        told = self._bulk.push(self._batches(handed), self._prepare)
        with self._claims, closing(told):
            for outcomes in told:
                self._note([(handed.popleft(), outcome) for outcome in outcomes])
        try:
            self.refresh()
        except RpctlError as error:
            self._world.warn(
                f"what was sent is in, but the customers could not be read anew: {error.message} The next "
                "`rpctl sync push` or `rpctl sync pull` reads them"
            )
        return self._pushed

    def rehearse(self) -> Pushed:
        """What `run` would come to, by what the service has now. Nothing is changed."""
        self._look(applies=False)
        blocked: set[str] = set()
        with self._bulk.rehearsal() as rehearsal:
            for page in self._pages():
                rehearsal.see({row.sending.customer_id for row in page if row.sending.kind == "redeem"})
                known = self._journal.find_all([row.key for row in page]) if self._journal.is_made else {}
                for row in page:
                    outcome = self._foreseen(row, known.get(row.key), blocked, rehearsal.try_row)
                    if not isinstance(outcome, (Applied, AlreadyApplied)):
                        blocked.add(row.sending.customer_id)
                    self._pushed.count(row, outcome)
        return self._pushed

    def refresh(self) -> None:
        """Reads the customers anew whose changes were sent, and those with conflicts: what is known of them."""
        customers = sorted({*self._outbox.touched(), *self._pushed.refused})
        if self._are_most(len(customers)):
            self._refresh_with_everybody(set(customers))
            return
        for at in range(0, len(customers), _REREAD_AT_ONCE):
            some = customers[at : at + _REREAD_AT_ONCE]
            read_at = self._world.clock()
            found = self._bulk.summaries(some)
            self._mirror.replace([(one, found.get(one)) for one in some], read_at, is_latest=True)
            self._pushed.refreshed += len(some)

    def _are_most(self, customers: int) -> bool:
        """Whether the list of everybody is sooner read than they are one by one."""
        has_list = "everybody" in self._service.capabilities
        return has_list and customers > _FEW and customers * _SINGLE_COSTS > self._mirror.state().customers

    def _refresh_with_everybody(self, customers: set[str]) -> None:
        read_at = self._world.clock()
        theirs = (one for one in self._service.summaries() if one.customer_id in customers)
        while some := list(islice(theirs, _REREAD_AT_ONCE)):
            customers.difference_update(one.customer_id for one in some)
            self._mirror.replace([(one.customer_id, one) for one in some], read_at, is_latest=True)
            self._pushed.refreshed += len(some)
        self._mirror.replace([(one, None) for one in sorted(customers)], read_at, is_latest=True)
        self._pushed.refreshed += len(customers)

    # -- out -------------------------------------------------------------------------------------------

    def _pages(self) -> Iterator[list[Waiting]]:
        after = 0
        while page := self._outbox.waiting(after, _PAGE):
            after = page[-1].position
            if page := [row for row in page if row.position <= self._last]:
                yield page

    def _look(self, *, applies: bool) -> None:
        """What the service has of them already, should another machine or a lost journal have sent it."""

        def probes() -> Iterator[tuple[Sending, str]]:
            for page in self._pages():
                for row in page:
                    yield row.sending, row.key

        self._last = self._outbox.last()
        self._bulk.look_for(probes(), self._outbox.counts().waiting, applies=applies)

    def _batches(self, handed: deque[Waiting]) -> Iterator[list[Delivery]]:
        for page in self._pages():
            self._rows |= {row.key: row for row in page}
            handed.extend(page)
            yield [_delivery(row) for row in page]

    def _prepare(self, parcel: Parcel) -> Delivery | Outcome:
        row = self._rows[parcel.key]
        if row.sending.customer_id in self._halted:
            return Withheld()
        decided = self._decide(row)
        if isinstance(decided, Withheld):
            self._halted.add(row.sending.customer_id)
        return decided

    def _decide(self, row: Waiting) -> Delivery | Outcome:
        if (gone := self._is_gone(row)) is not None:
            return gone
        if row.sending.reverses is not None:
            return self._reversal(row)
        preparing = Preparing(self._bulk.about, self._bulk.sight, self._world.clock, None)
        return preparing.seen(row.sending, row.key, row.fingerprint) or _delivery(row)

    def _is_gone(self, row: Waiting) -> Refused | None:
        """Added points bring a customer back who was deleted since they were recorded: that is for a person to say."""
        sending = row.sending
        if not row.is_known or "everybody" not in self._service.capabilities:
            return None
        if self._was_there(sending.customer_id):
            return None
        return Refused(
            CustomerDeleted(
                f"Customer {sending.customer_id} was there when this was recorded, and is not any more.",
                "`rpctl customer create ID` makes the customer anew; then --retry, or --drop.",
                customerId=sending.customer_id,
            )
        )

    def _was_there(self, customer_id: str) -> bool:
        """Whether the service had the customer when this push began, whomever it makes or is foreseen to make."""
        if customer_id not in self._there:
            self._there[customer_id] = self._bulk.sight.active_points(customer_id) is not None
        return self._there[customer_id]

    # -- reversals -------------------------------------------------------------------------------------

    def _reversal(self, row: Waiting) -> Delivery | Outcome:
        """A reversal, as long as nobody else on this machine reverses the same entry."""
        decided = self._reversal_now(row)
        if isinstance(decided, Delivery):
            assert decided.sending.reverses is not None
            try:
                self._claims.enter_context(self._journal.claim(reversal_of(decided.sending.reverses)))
            except DeliveryUnderWay:
                return Withheld()
            decided = self._reversed_before(row, decided.sending.reverses) or decided
        return decided

    def _reversal_now(self, row: Waiting) -> Delivery | Outcome:
        """A reversal, of the entry as the service knows it: where it makes ids of its own, an entry that was recorded
        offline has another one by now."""
        sending = row.sending
        try:
            summary = self._service.summary(sending.customer_id)
            entry = self._reversed(summary, sending)
        except NotFound as error:
            return Refused(error)
        entry_id, token = marks_of(self._service.target, reversal_of(entry.id))
        if any(one.id == entry_id or one.token == token for one in summary.entries()):
            return Refused(AlreadyReversed(f"Entry {entry.id} was reversed before.", entryId=entry.id))
        anew = _delivery(row, sending._replace(entry_id=entry_id, token=token, reverses=entry.id))
        return self._reversed_before(row, entry.id) or anew

    def _reversed_before(self, row: Waiting, entry_id: str) -> Outcome | None:
        """What keeps an entry from being reversed: that it was reversed from this machine."""
        earlier = self._journal.reversal_of(entry_id) if self._journal.is_made else None
        if earlier is None or earlier.key == row.key:
            return None
        if earlier.is_open:
            return Withheld()
        return Refused(already_reversed(entry_id, earlier.sending.entry_id))

    def _reversed(self, summary: Summary, sending: Sending) -> Entry:
        assert sending.reverses is not None
        own = self._outbox.find_entry(sending.customer_id, sending.reverses)
        markers = self._journal.markers(own.sending.kind) if own is not None and self._journal.is_made else {}
        if own is not None and not markers.get(ID):
            for entry in summary.entries():
                if entry.token == own.sending.token and may_reverse(sending, entry):
                    return entry
        entry = summary.find(sending.reverses)
        if not may_reverse(sending, entry):
            raise EntryNotFound(f"Entry {entry.id} is another one than was reversed offline.", entryId=entry.id)
        return entry

    # -- what became of them ---------------------------------------------------------------------------

    def _note(self, settled: Sequence[tuple[Waiting, Outcome]]) -> None:
        changes: list[tuple[int, State, tuple[str, str] | None]] = []
        for row, told in settled:
            self._rows.pop(row.key, None)
            outcome = self._in_turn(row, told)
            self._pushed.count(row, outcome)
            if isinstance(outcome, (Applied, AlreadyApplied)):
                changes.append((row.position, State.SENT, None))
            elif isinstance(outcome, Refused):
                changes.append((row.position, State.CONFLICT, (outcome.error.code, outcome.error.message)))
        if changes:
            self._outbox.mark(changes)
        self._told(self._pushed.waiting)

    def _in_turn(self, row: Waiting, outcome: Outcome) -> Outcome:
        """What became of a change behind those of its customer: a refusal behind another one waits for its turn."""
        customer_id = row.sending.customer_id
        if isinstance(outcome, Refused) and customer_id in self._stopped:
            return Withheld()
        if not isinstance(outcome, (Applied, AlreadyApplied)):
            self._stopped.add(customer_id)
        return outcome

    def _foreseen(
        self,
        row: Waiting,
        known: Delivery | None,
        blocked: set[str],
        try_row: Callable[[Delivery, Delivery | None], Outcome],
    ) -> Outcome:
        before = None if known is None or known.is_free else settled_before(known, row.fingerprint)
        self._was_there(row.sending.customer_id)  # asked before anything is booked
        if row.sending.customer_id in blocked:
            return before if isinstance(before, AlreadyApplied) else Withheld()
        if before is None and (gone := self._is_gone(row)) is not None:
            return gone
        decided: Delivery | Outcome = _delivery(row)
        if before is None and row.sending.reverses not in self._made and row.sending.reverses is not None:
            decided = self._reversal_now(row)
        reverses = decided.sending.reverses if isinstance(decided, Delivery) else None
        if before is None and reverses is not None and reverses in self._taken_back:
            return Refused(already_reversed(reverses, self._taken_back[reverses]))
        outcome = try_row(decided, known) if isinstance(decided, Delivery) else decided
        if isinstance(outcome, Applied):
            self._made.add(row.sending.entry_id)
            if reverses is not None:
                self._taken_back[reverses] = row.sending.entry_id
        return outcome


def _delivery(row: Waiting, sending: Sending | None = None) -> Delivery:
    return Delivery(row.key, row.fingerprint, Sent.PLANNED, 0, sending or row.sending)
