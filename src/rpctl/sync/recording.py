"""Records changes of one pass while the service is out of reach, a write transaction after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from rpctl.sync.deciding import Customer, Deciding

if TYPE_CHECKING:
    from rpctl.backends.ledger.offline import OfflineTables
    from rpctl.delivery.journal import Journal
    from rpctl.domain.changes import Change
    from rpctl.domain.outcomes import Outcome
    from rpctl.domain.values import Instant
    from rpctl.sync.deciding import Rules

_MOST_CUSTOMERS: Final = 20_000  # whom a pass remembers from one transaction to the next


class Recording:
    """Records the changes of one pass. ``journal``: what this machine sent before, read only where its file exists."""

    def __init__(self, target: str, rules: Rules, journal: Journal | None) -> None:
        self._target = target
        self._rules = rules
        self._journal = journal
        self._customers: dict[str, Customer] = {}
        self._version: tuple[int, int] | None = None

    def record(
        self,
        tables: OfflineTables,
        changes: Sequence[Change],
        lines: Sequence[int | None],
        now: Instant,
        *,
        run: str | None,
        entries: bool,
    ) -> list[Outcome]:
        """Decides the changes in their order and stores what is to be sent, inside a write transaction.

        ``lines``: where in a file each stands; ``entries``: the outcomes carry them. Raises what the ledger and the
        journal raise.
        """
        if tables.outbox.version() != self._version or len(self._customers) > _MOST_CUSTOMERS:
            self._customers.clear()  # somebody else wrote meanwhile
        deciding = Deciding(self._target, self._rules, tables, self._customers, now, run, entries=entries)
        deciding.read(changes, self._journal)
        outcomes = [deciding.decide(change, line) for change, line in zip(changes, lines, strict=True)]
        tables.outbox.insert(deciding.rows, run, now)
        return outcomes

    def end(self, tables: OfflineTables) -> None:
        """The transaction is about to be committed: until anybody writes, what is known of customers holds."""
        self._version = tables.outbox.version()
