"""An import tried on what was seen of a service: the same decisions, balances in the file's order, and nothing sent.

What only the service knows (when lots expire meanwhile, what others do) is not foreseen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.prepare import Preparing, settled_before
from rpctl.delivery.refusals import insufficient, program_disabled
from rpctl.delivery.requests import fingerprint, key_reused
from rpctl.domain.changes import RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, is_refusal
from rpctl.errors import CustomerNotFound

if TYPE_CHECKING:
    from rpctl.backends.port import Record
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.prepare import About
    from rpctl.delivery.sight import Sight
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.changes import Change


class Rehearsal:
    """Applies changes to what was seen. Nothing is written. ``look``: reads what these customers have, where that was
    not seen before; whoever is not there is left out."""

    is_atomic = False

    def __init__(
        self,
        about: About,
        sight: Sight,
        journal: Journal,
        world: Surroundings,
        look: Callable[[Sequence[str]], dict[str, int]] | None = None,
    ) -> None:
        self.capabilities = about.capabilities
        self._about = about
        self._sight = sight
        self._journal = journal
        self._world = world
        self._look = look
        self._looked: set[str] = set()
        self._preparing = Preparing(about, sight, world.clock, None)

    def survey(self, batches: Iterable[Sequence[Change]], rows: int, *, applies: bool) -> None:
        """See the port: that was done."""

    def apply(
        self,
        changes: Sequence[Change],
        *,
        run: str | None = None,  # noqa: ARG002
        entries: bool = True,  # noqa: ARG002
        all_or_nothing: bool = False,
        record: Record | None = None,  # noqa: ARG002
    ) -> list[Outcome]:
        """See the port."""
        rows = self._journal.find_all([change.key for change in changes]) if self._journal.is_made else {}
        self.see({change.customer_id for change in changes if isinstance(change, RedeemPoints)})
        outcomes: list[Outcome] = []
        for change in changes:
            outcomes.append(self._decide(change, rows.get(change.key)))
            if all_or_nothing and is_refusal(outcomes[-1]):
                break
        return outcomes

    def apply_batches(
        self,
        batches: Iterable[Sequence[Change]],
        *,
        run: str | None = None,
        all_or_nothing: bool = False,
        record: Record | None = None,
    ) -> Iterator[list[Outcome]]:
        """See the port."""
        for changes in batches:
            outcomes = self.apply(changes, run=run, all_or_nothing=all_or_nothing, record=record)
            yield outcomes
            if all_or_nothing and any(map(is_refusal, outcomes)):
                return

    @contextmanager
    def rehearsal(self) -> Iterator[Rehearsal]:
        """See the port."""
        with self._sight.rehearsing():
            yield Rehearsal(self._about, self._sight, self._journal, self._world, self._look)

    def see(self, redeeming: Set[str]) -> None:
        """Reads what these customers have, where that was not seen before. Only who redeems is asked for: what was
        added before in the file is on top of that."""
        unseen = redeeming - self._looked
        self._looked |= unseen
        for customer_id, points in self._look(sorted(unseen)).items() if self._look and unseen else ():
            self._sight.book(customer_id, points)

    def _decide(self, change: Change, known: Delivery | None) -> Outcome:
        asked = fingerprint(change)
        before = self._before(change.key, asked, known)
        if before is not None:
            return before
        decided = self._preparing.decide(change, asked, 0)
        return self._tried(decided) if isinstance(decided, Delivery) else decided

    def try_row(self, row: Delivery, known: Delivery | None) -> Outcome:
        """What would become of a change of which it was decided before what is sent; ``known``: its row of the
        journal."""
        before = self._before(row.key, row.fingerprint, known)
        if before is not None:
            return before
        return self._tried(self._preparing.seen(row.sending, row.key, row.fingerprint) or row)

    def _before(self, key: str, asked: str, known: Delivery | None) -> Outcome | None:
        before = self._sight.asked_under(key)
        if before is not None:
            return AlreadyApplied() if before == asked else Refused(key_reused(key))
        return None if known is None or known.is_free else settled_before(known, asked)

    def _tried(self, decided: Delivery | Refused) -> Outcome:
        if isinstance(decided, Refused):
            return decided
        if decided.state is State.APPLIED:
            return AlreadyApplied()
        outcome = self._booked(decided)
        if isinstance(outcome, Applied):
            self._sight.ask_under(decided.key, decided.fingerprint)
        return outcome

    def _booked(self, row: Delivery) -> Outcome:
        sending = row.sending
        available = self._sight.active_points(sending.customer_id)
        if sending.kind == "redeem":
            if available is None:
                gone = CustomerNotFound(f"There is no customer {sending.customer_id}.", customerId=sending.customer_id)
                return Refused(gone)
            if available < sending.points:
                return Refused(insufficient(sending.customer_id, available, sending.points))
            self._sight.book(sending.customer_id, -sending.points)
            return Applied(sending.points)
        site_code = sending.site_code if "program" in self._about.capabilities else None
        if site_code and not self._about.program(site_code).enabled:
            return Refused(program_disabled(site_code))
        is_past = sending.is_past(self._world.clock())
        self._sight.book(sending.customer_id, 0 if is_past else sending.points)
        return Applied(sending.points, expired_on_arrival=is_past)
