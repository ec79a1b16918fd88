"""Imports over a service: what fills the port's `Applies` where keys are kept by the journal and not by the backend.

Before the first change leaves, what a stopped process left unclear is found out about, and the service is asked what it
has already: once for all of them (``import.md``, Exactly once, 3).
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.backends.port import Batch
from rpctl.delivery.crew import Crew
from rpctl.delivery.dispatch import Dispatch, Tour
from rpctl.delivery.keyed import deliverer_of
from rpctl.delivery.keyed_dispatch import KeyedDispatch
from rpctl.delivery.keys import UsedKeys, learn_from_before
from rpctl.delivery.marks import Marks
from rpctl.delivery.pace import Pace
from rpctl.delivery.parcel import Parcel, look_at
from rpctl.delivery.prepare import About, Preparing
from rpctl.delivery.reach import Reach
from rpctl.delivery.rehearsal import Rehearsal
from rpctl.delivery.requests import probe_of
from rpctl.delivery.sight import Sight
from rpctl.domain.outcomes import Withheld

if TYPE_CHECKING:
    from rpctl.backends.port import Record, Sending, Service
    from rpctl.delivery.dispatch import Prepare
    from rpctl.delivery.journal import Delivery, Journal
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.changes import Change
    from rpctl.domain.outcomes import Outcome
    from rpctl.domain.points import Summary

_AWAITED_S: Final = 0.5
_FEW_CUSTOMERS: Final = 100  # asked for one by one rather than with everybody else


class Speed(NamedTuple):
    """``concurrency``: requests at a time, from 1; ``rate``: requests a second at most, None: as many as the service
    takes; ``patience_s``: how long it may be out of reach before a run ends."""

    concurrency: int = 8
    rate: float | None = None
    patience_s: float = 60.0


class Bulk:
    """Imports to one service. ``open_service`` makes one more of it, for a thread of its own."""

    is_atomic = False

    def __init__(
        self,
        service: Service,
        journal: Journal,
        world: Surroundings,
        open_service: Callable[[], Service],
        speed: Speed,
    ) -> None:
        self.capabilities = service.capabilities
        self._service = service
        self._journal = journal
        self._world = world
        self.about = About(service)
        """What is to be known of the service to decide on a change."""
        self._crew = Crew(open_service, speed.concurrency)
        reach = Reach(speed.patience_s, speed.concurrency)
        keys = UsedKeys(journal, world.warn) if service.keeps_keys else None
        self._tour = Tour(self._crew, Pace(speed.rate), Marks(journal), reach, keys=keys)
        self._sight: Sight | None = None
        self.customers_at_once = 4 * speed.concurrency
        """So many are decided on together where that depends on what each has at that moment."""

    # -- before ----------------------------------------------------------------------------------------

    def survey(self, batches: Iterable[Sequence[Change]], rows: int, *, applies: bool) -> None:
        """See the port: one summary for each of a few customers, or one streamed list of everybody's."""

        def probes() -> Iterator[tuple[Sending, str]]:
            for batch in batches:
                for change in batch:
                    probe = probe_of(change, self.about)
                    assert probe is not None, "nothing of an import is a reversal"
                    yield probe, change.key

        self.look_for(probes(), rows, applies=applies)

    def look_for(self, probes: Iterable[tuple[Sending, str]], rows: int, *, applies: bool) -> None:
        """The same for what is to be sent, each with its key."""
        if self._sight is not None:
            self._sight.close()
        sight = self._sight = Sight(rows)
        if self._tour.keys is not None:
            return  # the service refuses a key that it has seen
        unclear = {row.sending.customer_id for row in self._unsettled()}
        theirs: set[str] = set()
        few: set[str] | None = set()
        for probe, key in probes:
            sight.announce(probe, key)
            if few is not None:
                few.add(probe.customer_id)
                few = few if len(few) <= _FEW_CUSTOMERS else None
            if probe.customer_id in unclear:
                theirs.add(probe.customer_id)
        if applies and theirs:
            self.settle(sorted(theirs))
        self._look(sight, few)

    def _unsettled(self) -> list[Delivery]:
        return self._journal.all_unsettled() if self._journal.is_made else []

    def settle(self, customers: Sequence[str]) -> None:
        """What a stopped process left unclear for these customers, before anything new is sent to them."""
        whose = "one customer" if len(customers) == 1 else f"{len(customers)} customers"
        self._world.note(f"finding out about changes that were sent to {whose} and not answered")
        deliverer = deliverer_of(self._service, self._journal, self._world._replace(note=lambda _: None))
        for customer_id in customers:
            deliverer.settle(customer_id)

    def _look(self, sight: Sight, few: set[str] | None) -> None:
        if few is None:
            for summary in self._service.summaries():
                sight.see(summary)
        for summary in self.summaries(sorted(few or ())).values():
            sight.see(summary)
        if sight.copies:
            self._world.warn(
                f"the service has several entries of {sight.copies} of these rows: another machine sent them at the "
                "same moment; `rpctl points history CUSTOMER` shows them"
            )

    # -- applied ---------------------------------------------------------------------------------------

    def apply(
        self,
        changes: Sequence[Change],
        *,
        run: str | None = None,
        entries: bool = True,  # noqa: ARG002 -- the service answers with none
        all_or_nothing: bool = False,
        record: Record | None = None,
    ) -> list[Outcome]:
        """See the port; the outcomes have no entries."""
        settled = self.apply_batches([changes], run=run, all_or_nothing=all_or_nothing, record=record)
        outcomes = [outcome for some in settled for outcome in some]
        return outcomes + [Withheld() for _ in range(len(outcomes), len(changes))]

    def apply_batches(
        self,
        batches: Iterable[Sequence[Change]],
        *,
        run: str | None = None,
        all_or_nothing: bool = False,
        record: Record | None = None,
    ) -> Iterator[list[Outcome]]:
        """See the port. Side by side, and a customer's changes one after the other in their order."""

        def report() -> str | None:
            document = record() if record else None
            return None if document is None else json.dumps(document)

        preparing = Preparing(self.about, self._sight, self._world.clock, run)

        def prepare(parcel: Parcel) -> Delivery | Outcome:
            assert parcel.change is not None
            return preparing.decide(parcel.change, parcel.asked, parcel.line)

        tour = replace(self._tour, run=run, stops=all_or_nothing, report=report)
        return self._dispatch(tour, prepare).go(map(_parcels, batches))

    def _dispatch(self, tour: Tour, prepare: Prepare) -> Dispatch:
        if tour.keys is None:
            return Dispatch(self._journal, self._world, tour, prepare)
        learn_from_before(tour.keys, self._journal, self._service)
        return KeyedDispatch(self._journal, self._world, tour, prepare)

    # -- undone ----------------------------------------------------------------------------------------

    def summaries(self, customers: Sequence[str]) -> dict[str, Summary]:
        """What the service has of these customers, read side by side; who is not there is left out. Raises what one of
        them cannot be read for."""
        waiting = deque(customers)
        found: dict[str, Summary] = {}
        failure: BaseException | None = None
        while waiting or self._crew.under_way:
            now_s = time.monotonic()
            while waiting and self._crew.under_way < 2 * self._crew.size and self._tour.pace.allows(now_s):
                self._tour.pace.left(now_s, 1)
                self._crew.hand(waiting[0], look_at(waiting.popleft()))
            idle_s = self._tour.pace.wait_s(now_s) if waiting and self._crew.under_way < self._crew.size else _AWAITED_S
            for answer in self._crew.hear(min(idle_s, _AWAITED_S)):
                failure = failure or answer.error
                if answer.value is not None:
                    found[answer.subject] = answer.value
            if failure is not None:
                self._crew.withdraw()
                waiting.clear()
        if failure is not None:
            raise failure
        return found

    def send(self, rows: Sequence[Delivery], run: str, prepare: Prepare) -> Iterator[list[Outcome]]:
        """Sends what was decided before, each row once and those of a customer in their order."""
        return self._dispatch(replace(self._tour, run=run), prepare).go([_decided(rows)])

    def push(self, batches: Iterable[Sequence[Delivery]], prepare: Prepare) -> Generator[list[Outcome]]:
        """The same of as many as there are; what is refused keeps later changes of the customer back."""
        tour = replace(self._tour, refusal_blocks=True, blocked=set())
        return self._dispatch(tour, prepare).go(map(_decided, batches))

    @property
    def sight(self) -> Sight:
        """What was seen of the service before the first change leaves."""
        assert self._sight is not None, "nothing was looked for"
        return self._sight

    @contextmanager
    def rehearsal(self) -> Iterator[Rehearsal]:
        """See the port: on the balances that were read, in the file's order."""
        assert self._sight is not None, "there was no survey"
        with self._sight.rehearsing():
            look = self._look_up if self._tour.keys is not None else None
            yield Rehearsal(self.about, self._sight, self._journal, self._world, look)

    def _look_up(self, customers: Sequence[str]) -> dict[str, int]:
        found = self.summaries(customers)
        return {customer_id: summary.active_points for customer_id, summary in found.items()}

    def close(self) -> None:
        """Sends the crew home."""
        self._crew.close()
        if self._sight is not None:
            self._sight.close()
            self._sight = None


def _decided(rows: Sequence[Delivery]) -> list[Parcel]:
    return [Parcel(None, row.line or 0, row) for row in rows]


def _parcels(batch: Sequence[Change]) -> list[Parcel]:
    lines = batch.lines if isinstance(batch, Batch) else range(1, len(batch) + 1)
    return [Parcel(change, line) for change, line in zip(batch, lines, strict=True)]
