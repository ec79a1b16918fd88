"""What is sent of a change that the journal knows nothing of, or what becomes of it without that."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rpctl.delivery.journal import Delivery, State, recorded
from rpctl.delivery.requests import key_reused, probe_of, sending_of
from rpctl.domain.changes import AddPoints
from rpctl.domain.outcomes import AlreadyApplied, Outcome, Refused
from rpctl.domain.values import add_months
from rpctl.errors import CustomerDeleted, InvalidValue, RpctlError
from rpctl.errors import Refused as RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from rpctl.backends.port import Sending, Service
    from rpctl.delivery.sight import Sight
    from rpctl.domain.changes import Change
    from rpctl.domain.program import Program
    from rpctl.domain.values import Instant


def settled_before(known: Delivery, asked: str) -> Outcome | None:
    """The outcome of a change whose key has a row in the journal that was sent; None: that is not clear. ``asked``: the
    change's fingerprint."""
    if known.fingerprint != asked:
        return Refused(key_reused(known.key))
    if known.is_forgotten:
        return Refused(CustomerDeleted("The key belongs to a change of a customer who was deleted since."))
    return AlreadyApplied(recorded=recorded(known)) if known.state is State.APPLIED else None


class About:
    """What is to be known of a service for many changes: each site's program is read once."""

    def __init__(self, service: Service) -> None:
        self.capabilities = service.capabilities
        self.target = service.target
        self._service = service
        self._programs: dict[str, Program] = {}
        self._months: dict[str, int | None] = {}

    def program(self, site_code: str) -> Program:
        """The site's settings as they were when they were first asked for."""
        if site_code not in self._programs:
            self._programs[site_code] = self._service.program(site_code)
        return self._programs[site_code]

    def check(self, sending: Sending) -> None:
        """See `Service`."""
        self._service.check(sending)

    def ends_at(self, site_code: str, created_at: Instant) -> Instant | None:
        """When points of that day end by the site's program; None: never, or it cannot be read."""
        if site_code not in self._months:
            self._months[site_code] = None
            with suppress(RpctlError):
                self._months[site_code] = self.program(site_code).validity_months
        months = self._months[site_code]
        return None if months is None else add_months(created_at, months)


class Preparing:
    """Decides on the changes of one pass. ``sight``: what the service had of them before; ``run``: the import that they
    belong to."""

    def __init__(self, about: About, sight: Sight | None, clock: Callable[[], Instant], run: str | None) -> None:
        self._about = about
        self._sight = sight
        self._clock = clock
        self._run = run

    def decide(self, change: Change, asked: str, line: int) -> Delivery | Outcome:
        """The row of the journal: to be sent, or applied where another machine did that; or the outcome, where nothing
        is to be sent. ``asked``: the change's fingerprint."""
        probe = probe_of(change, self._about)
        seen = None if probe is None else self.seen(probe, change.key, asked)
        if seen is not None:
            return seen
        try:
            sending = sending_of(change, self._about, self._clock(), _nobody)
        except (RefusedError, InvalidValue) as error:
            return Refused(error)
        if isinstance(change, AddPoints) and change.created_at is not None and sending.valid_until is None:
            sending = sending._replace(ends_at=self._about.ends_at(change.site_code, change.created_at))
        return Delivery(change.key, asked, State.PLANNED, 0, sending, run=self._run, line=line)

    def seen(self, probe: Sending, key: str, asked: str) -> Delivery | Refused | None:
        """What another machine did with this key, by what was seen of the service; None: nothing."""
        if self._sight is None or (seen := self._sight.find(probe, key)) is None:
            return None
        references = {seen.reference_id, probe.reference_id} - {None}
        is_other = (seen.kind, seen.customer_id) != (probe.kind, probe.customer_id)
        if is_other or (probe.points and probe.points != seen.points) or len(references) > 1:
            return Refused(key_reused(key))
        reference = probe.reference_id if probe.reference_id == key else None  # the others are mere text
        sending: Sending = probe._replace(points=seen.points, reference_id=reference)
        return Delivery(key, asked, State.APPLIED, self._clock(), sending)


def _nobody() -> NoReturn:
    raise AssertionError("only a reversal asks for the summary")
