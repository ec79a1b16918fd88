"""What a profile's own ledger remembers of its service: told, and forgotten with a customer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rpctl.sync.mirror import Mirror
from rpctl.sync.outbox import Outbox, State

if TYPE_CHECKING:
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
