"""What a profile's own ledger remembers of its service: told, and forgotten with a customer."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from rpctl.errors import RpctlError
from rpctl.sync.mirror import Mirror
from rpctl.sync.outbox import Outbox, State

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.cli.services import Session
    from rpctl.delivery.deliver import Deliverer

_PAGE = 500


def state_of(session: Session, key: str) -> str:
    """What became of a change that was recorded offline or sent before, as the middle of a sentence."""
    row = Outbox(session.own_ledger, session.target).find(key)
    if row is None or row.state in (State.SENT, State.DONE):
        return "is in already"
    if row.state is State.CONFLICT:
        return f"is a conflict ({row.told[1] if row.told else 'the service refused it'}), see `rpctl sync status`"
    return "is recorded already, and waits to be sent"


def unsent(ledger: LedgerBackend) -> int:
    """How many changes in a ledger file are not sent yet, to whatever service; 0 where that cannot be read."""
    with suppress(RpctlError):
        return sum(count for _, count in Outbox(ledger, "").elsewhere())
    return 0


class Remembering:
    """What is known of changes of points to a service, in the journal and in the profile's own ledger
    (`rpctl.delivery.settle.Remembering`)."""

    def __init__(self, session: Session, deliverer: Deliverer) -> None:
        self._session = session
        self._deliverer = deliverer
        self.settle = deliverer.settle

    def forget(self, customer_id: str) -> None:
        """A customer was deleted: what waits to be sent for them is given up, and said."""
        self._deliverer.forget(customer_id)
        outbox = Outbox(self._session.own_ledger, self._session.target)
        waiting, after = 0, 0
        while page := outbox.open_rows(after, _PAGE):
            waiting += sum(row.sending.customer_id == customer_id for row in page)
            after = page[-1].position
        outbox.forget(customer_id)
        Mirror(self._session.own_ledger, self._session.target).forget(customer_id)
        if waiting:
            changes = "1 change" if waiting == 1 else f"{waiting:,} changes"
            self._session.terminal.warn(f"{changes} of the customer that waited to be sent will not be")


def note_truth(session: Session, customer_id: str) -> None:
    """A change went to the service just now: what it has of a mirrored customer is read once more, so that nobody
    redeems offline what was redeemed online."""
    if not session.settings.ledger.exists():
        return
    with suppress(RpctlError):  # the next push or pull reads it
        mirror = Mirror(session.own_ledger, session.target)
        if mirror.truth(customer_id) is not None:
            read_at = session.clock()
            mirror.replace([(customer_id, session.service.summary(customer_id))], read_at)
