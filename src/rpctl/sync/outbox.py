"""The outbox: changes that wait for a service, in recording order, and what became of each.

    waiting -> sent -> done             the service has it; the mirror shows it too
    waiting -> conflict -> waiting      refused by the service; to be sent once more
               conflict -> dropped      given up; its key is free again
    waiting -> dropped                  the same, where nobody can tell whether the service has it

While a customer has a conflict, nothing else of that customer is sent. Every method is one transaction and may raise
what a ledger raises; reading where there is no file answers like an empty outbox.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from rpctl.errors import NotFound
from rpctl.sync.documents import dump, sending_of, summary_of
from rpctl.sync.standing import Marks

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.backends.ledger.offline import OfflineTables, OutboxRow
    from rpctl.backends.port import Sending
    from rpctl.domain.values import Instant


class State(StrEnum):
    """How far a recorded change has come."""

    WAITING = "waiting"
    SENT = "sent"
    DONE = "done"
    CONFLICT = "conflict"
    DROPPED = "dropped"


class Waiting(NamedTuple):
    """A recorded change. ``fingerprint``: the digest of what was asked for; ``sending``: what is sent; ``run``,
    ``line``: the import that it was recorded in, and where it stood in the file; ``is_known``: when it was recorded,
    the customer was in the mirror or had changes that were sent; ``told``: why it is a conflict, a code and a sentence;
    ``who`` recorded it."""

    position: int
    key: str
    fingerprint: str
    state: State
    recorded_at: Instant
    sending: Sending
    run: str | None
    line: int | None
    is_known: bool
    told: tuple[str, str] | None
    who: str

    @property
    def is_forgotten(self) -> bool:
        """Whether the customer was deleted since."""
        return not self.sending.customer_id


class Counts(NamedTuple):
    """How many changes wait, are in conflict, and are sent without the mirror showing it; how many customers the first
    two belong to, and when the oldest of these was recorded."""

    waiting: int
    conflicts: int
    sent: int
    customers: int
    since: Instant | None


class Outbox:
    """What waits in a ledger file for the service ``target`` (`rpctl.backends.port.target_of`)."""

    def __init__(self, ledger: LedgerBackend, target: str) -> None:
        self._ledger = ledger
        self._target = target

    # -- reading ---------------------------------------------------------------------------------------

    def waiting(self, after: int = 0, limit: int = 500) -> list[Waiting]:
        """What may be sent next: what waits behind that position, without the changes of customers with a conflict."""
        return self._listed(lambda tables: tables.outbox.waiting(after, limit))

    def held_back(self) -> int:
        """How many changes wait behind a conflict of their customer."""
        with self._ledger.offline(self._target) as tables:
            return tables.outbox.held_back()

    def conflicts(self) -> list[Waiting]:
        """What the service refused."""
        return self._listed(lambda tables: tables.outbox.conflicts())

    def open_rows(self, after: int = 0, limit: int = 500) -> list[Waiting]:
        """What waits or is in conflict behind that position."""
        return self._listed(lambda tables: tables.outbox.open_rows(after, limit))

    def counts(self) -> Counts:
        """How much there is."""
        with self._ledger.offline(self._target) as tables:
            return Counts(*tables.outbox.counts())

    def last(self) -> int:
        """The position of the change that was recorded last; 0: there is none."""
        with self._ledger.offline(self._target) as tables:
            return tables.outbox.next_position() - 1

    def touched(self) -> list[str]:
        """The customers with changes that were sent and that the mirror does not show yet."""
        with self._ledger.offline(self._target) as tables:
            return tables.outbox.touched()

    def find(self, key: str) -> Waiting | None:
        """The change with this key; what was dropped has none any more."""
        with self._ledger.offline(self._target) as tables:
            row = tables.outbox.known([key]).get(key)
        return None if row is None else waiting_of(row)

    def find_entry(self, customer_id: str, entry_id: str) -> Waiting | None:
        """The customer's change that makes the entry with this id, unless it was dropped."""
        with self._ledger.offline(self._target) as tables:
            row = tables.outbox.by_entry(customer_id, entry_id)
        return None if row is None else waiting_of(row)

    # -- what becomes of them --------------------------------------------------------------------------

    def mark(self, changes: Iterable[tuple[int, State, tuple[str, str] | None]]) -> None:
        """What became of changes, by their positions; what does not wait any more stays as it is. The third is why the
        service refused it, a code and a sentence."""
        marks = [(position, state.value, None if told is None else dump(told)) for position, state, told in changes]
        with self._ledger.offline(self._target, write=True) as tables:
            tables.outbox.mark(marks, self._ledger.setting.clock())

    def retry(self, keys: Sequence[str] | None) -> int:
        """Conflicts are to be sent once more, all of them or those with these keys: how many. Raises as `settle`."""
        return self.settle(keys, ())[0]

    def drop(self, keys: Sequence[str] | None) -> int:
        """Conflicts are given up, all of them or those with these keys, and with each what would have reversed it: how
        many changes. Raises as `settle`."""
        return self.settle((), keys)[1]

    def settle(
        self, retry: Sequence[str] | None, drop: Sequence[str] | None, unclear: Collection[str] = ()
    ) -> tuple[int, int]:
        """Both at once; ``unclear``: keys of changes that may be in and may not, which may be dropped too: they are not
        looked for any more. None: all conflicts that the other does not name. Raises `NotFound`, and nothing is
        changed, where a key is that of no conflict."""
        with self._ledger.offline(self._target, write=True) as tables:
            again = [row for row in _conflicts(tables, retry) if retry is not None or row.key not in (drop or ())]
            tables.outbox.wait_again(row.position for row in again)
            lost = [row for row in tables.outbox.known([*unclear]).values() if row.state == State.WAITING]
            keys = None if drop is None else [key for key in drop if key not in {row.key for row in lost}]
            positions: set[int] = set()
            for row in [*_conflicts(tables, keys), *lost]:
                positions.update((row.position, *_reversals(tables, row)))
            tables.outbox.drop(sorted(positions), self._ledger.setting.clock())
        return len(again), len(positions)

    def elsewhere(self) -> list[tuple[str, int]]:
        """The other services that this file has changes for, and how many wait or are in conflict."""
        with self._ledger.offline(self._target) as tables:
            return tables.outbox.elsewhere()

    def forget(self, customer_id: str) -> None:
        """A customer was deleted: nothing of theirs is sent any more and their text goes; the keys stay, so that none
        of them brings the customer back."""
        with self._ledger.offline(self._target, write=True) as tables:
            tables.outbox.forget(customer_id)
        self._ledger.tables()[0].truncate_log()

    def _listed(self, read: Callable[[OfflineTables], list[OutboxRow]]) -> list[Waiting]:
        with self._ledger.offline(self._target) as tables:
            return [waiting_of(row) for row in read(tables)]


def waiting_of(row: OutboxRow) -> Waiting:
    """A row as it is stored, understood."""
    told = None if row.told is None else tuple(json.loads(row.told))
    return Waiting(
        row.position, row.key, row.fingerprint.hex(), State(row.state), row.recorded_at,
        sending_of(row.sending, row.customer_id, row.key), row.run, row.line, bool(row.is_known), told, row.who,
    )  # fmt: skip


def _reversals(tables: OfflineTables, row: OutboxRow) -> list[int]:
    """What would have taken the row back, and not what came under the same key from elsewhere."""
    entry_id = sending_of(row.sending, row.customer_id, row.key).entry_id
    truth = tables.mirror.truths([row.customer_id]).get(row.customer_id)
    marks = None if truth is None else Marks(summary_of(truth.summary, truth.customer_id, truth.active_points))
    found = map(waiting_of, tables.outbox.reversals_of(row.customer_id, entry_id))
    return [one.position for one in found if marks is None or marks.reversed_by(one.sending) is None]


def _conflicts(tables: OfflineTables, keys: Sequence[str] | None) -> list[OutboxRow]:
    rows = tables.outbox.conflicts()
    if keys is None:
        return rows
    missing = sorted(set(keys) - {row.key for row in rows})
    if missing:
        raise NotFound(f"There is no conflict with the key {missing[0]}.", "`rpctl sync status` shows the conflicts.")
    return [row for row in rows if row.key in set(keys)]
