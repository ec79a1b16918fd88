"""One of many changes on its way, and what a crew's thread does for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from rpctl.delivery.keys import covers, is_covered, repeat
from rpctl.delivery.refusals import reason_of
from rpctl.delivery.requests import fingerprint
from rpctl.errors import CustomerNotFound, InvalidValue, NotLoggedIn, RpctlError, Temporary

if TYPE_CHECKING:
    from rpctl.backends.port import Receipt, Sending, Service
    from rpctl.delivery.crew import Crew, Work
    from rpctl.delivery.journal import Delivery
    from rpctl.domain.changes import Change
    from rpctl.domain.outcomes import Outcome
    from rpctl.domain.points import Summary

LEAVES_WITHIN_S: Final = 1.0
"""So long after it was written a row may leave without being written once more."""

CONNECTS_WITHIN_S: Final = 1.5
"""So long after that, and no longer, the connection may take before the gate is asked again."""

_AWAITED_S: Final = 0.5
_OF_THE_ROW: Final = (400, 404, 409, 413, 414, 422, 431)


class Stopped(Exception):
    """The request was about to leave, and did not: the run ends."""


class Parcel:
    """A change, and how far it has come. ``line``: where it stands in its file; ``names``: what it shares with others
    that are to wait for it; ``delivery``: its row of the journal, where it is decided what is sent; ``is_unclear``: it
    was sent and not clearly answered, ``sendings``: so often; ``learns``: what the service keeps of its marks is to be
    read; ``may_arrive_until_s``: until then an earlier sending may still arrive; ``is_gone``: the customer was deleted
    since; ``refusal``: the answer to a change that may be in from
    before."""

    __slots__ = (
        "asked", "awaited_since_s", "change", "customer_id", "delivery", "is_gone", "is_looked_for", "is_unclear",
        "key", "learns", "leaves_by_s", "left_s", "line", "may_arrive_until_s", "names", "outcome", "refusal",
        "sendings",
    )  # fmt: skip

    def __init__(self, change: Change | None, line: int, delivery: Delivery | None = None) -> None:
        self.change = change
        self.line = line
        self.delivery = delivery
        if change is not None:
            self.key, self.customer_id, self.asked = change.key, change.customer_id, fingerprint(change)
        else:
            assert delivery is not None
            self.key, self.customer_id, self.asked = delivery.key, delivery.sending.customer_id, delivery.fingerprint
        self.names = (f"c{self.customer_id}", f"k{self.key}")
        self.outcome: Outcome | None = None
        self.is_unclear = self.is_looked_for = self.is_gone = self.learns = False
        self.sendings = 0
        self.leaves_by_s = self.left_s = self.awaited_since_s = self.may_arrive_until_s = 0.0
        self.refusal: RpctlError | None = None

    @property
    def row(self) -> Delivery:
        """Its row, where it is decided what is sent."""
        assert self.delivery is not None
        return self.delivery

    @property
    def sending(self) -> Sending:
        """What is sent of it."""
        return self.row.sending


class Gate:
    """What every request passes when it leaves: its row is to be fresh, and the run is to go on."""

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.is_shut = False

    def passed(self, parcel: Parcel) -> None:
        """Returns when it may leave. Called by a thread of the crew. Raises `Stopped`."""
        while True:
            if self.is_shut or parcel.is_gone:
                raise Stopped
            if time.monotonic() <= parcel.leaves_by_s:
                return
            written = threading.Event()
            self._crew.tell(parcel, written)
            while not written.wait(_AWAITED_S) and not self.is_shut:
                pass


def send_off(parcel: Parcel, gate: Gate) -> Work:
    """Sends it once. Answers with the customer's summary where that is to be learned from."""

    def work(service: Service) -> Summary | None:
        sending = parcel.sending
        try:
            service.send(sending, lambda: gate.passed(parcel), patient=False)
        except (Temporary, NotLoggedIn):
            raise
        except RpctlError as error:
            if parcel.is_unclear:
                raise
            raise reason_of(service, error, sending) from error
        return _read(service, parcel) if parcel.learns else None

    return work


def send_keyed(parcel: Parcel, gate: Gate, wanted: bool | None) -> Work:
    """Sends it once to a service that keeps keys. Answers with the receipt, and what came of sending it once more where
    that is ``wanted`` (`UsedKeys.wants`)."""

    def work(service: Service) -> tuple[Receipt, Receipt | RpctlError | None]:
        receipt = service.send(parcel.sending, lambda: gate.passed(parcel), patient=False)
        is_lesson = wanted is not None and covers(receipt.active_points, parcel.sending) is wanted
        return receipt, repeat(service, parcel.sending) if is_lesson else None

    return work


def look_at(customer_id: str) -> Callable[[Service], Summary | None]:
    """Reads what the service has of a customer; None: there is none."""

    def work(service: Service) -> Summary | None:
        try:
            return service.summary(customer_id)
        except CustomerNotFound:
            return None

    return work


def explain(parcel: Parcel, refusal: RpctlError) -> Callable[[Service], RpctlError]:
    """Finds the reason of a refusal."""

    def work(service: Service) -> RpctlError:
        return reason_of(service, refusal, parcel.sending)

    return work


def weigh(parcel: Parcel, refusal: RpctlError, *, is_told: bool) -> Callable[[Service], RpctlError | None]:
    """Finds the reason of a refusal of what may be in; None: it may be that what it took itself is missing now.
    ``is_told``: the service would have told that the key was used."""

    def work(service: Service) -> RpctlError | None:
        if not is_told and not is_covered(service, parcel.sending):
            return None
        return reason_of(service, refusal, parcel.sending)

    return work


def is_of_the_row(error: RpctlError) -> bool:
    """Whether this change is refused, and not everything."""
    return isinstance(error, InvalidValue) if error.http_status is None else error.http_status in _OF_THE_ROW


def _read(service: Service, parcel: Parcel) -> Summary | None:
    """It is in: that it cannot be read only means that nothing is learned."""
    try:
        return service.summary(parcel.customer_id)
    except RpctlError:
        return None
