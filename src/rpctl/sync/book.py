"""A service's books while it is out of reach: changes wait in the outbox, reads are answered from the mirror and what
waits on top of it. Nothing else can be done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NoReturn, TypeVar

from rpctl.backends.port import Batch
from rpctl.domain.changes import AddPoints
from rpctl.domain.outcomes import is_refusal
from rpctl.errors import UnsupportedOperation
from rpctl.sync.deciding import FETCH, standings, unknown
from rpctl.sync.mirror import Mirror
from rpctl.sync.recording import Recording

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.backends.ledger.offline import OfflineTables
    from rpctl.backends.port import Record, Tombstone
    from rpctl.delivery.journal import Journal
    from rpctl.domain.changes import Change
    from rpctl.domain.outcomes import Outcome
    from rpctl.domain.points import Summary
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Coupon, Document, RedeemOption
    from rpctl.domain.values import Instant
    from rpctl.sync.deciding import Rules
    from rpctl.sync.standing import Standing

    _Balances = dict[str, tuple[int, Instant]]
    """Active points by customer, and until when they hold."""

T = TypeVar("T")
_PAGE: Final = 200
_ONLINE: Final = "Do it without --offline when the service can be reached."


class OfflineBook:
    """The port's `Book` for the service ``target`` over a profile's own ledger file.

    ``rules``: what is known of the service without asking it; ``journal``: what this machine sent to it, None: nothing.
    """

    is_atomic = True

    def __init__(self, ledger: LedgerBackend, target: str, rules: Rules, journal: Journal | None) -> None:
        self.capabilities = rules.capabilities - {"exchange"}
        self._ledger = ledger
        self._target = target
        self._rules = rules
        self._journal = journal
        self._mirror = Mirror(ledger, target)
        self.on_truth: Callable[[str, Instant | None], None] = lambda _, __: None
        """Is told of each customer who is read when the truth of that is from; None: there is none."""

    # -- changes of points -----------------------------------------------------------------------------

    def survey(self, batches: Iterable[Sequence[Change]], rows: int, *, applies: bool) -> None:
        """See the port: the keys are in the file."""

    def apply(
        self,
        changes: Sequence[Change],
        *,
        run: str | None = None,
        entries: bool = True,
        all_or_nothing: bool = False,
        record: Record | None = None,
    ) -> list[Outcome]:
        """See the port: recorded and not sent yet; one transaction for all."""
        recording = Recording(self._target, self._rules, self._journal)
        return self._recorded(recording, changes, run, record, entries=entries, all_or_nothing=all_or_nothing)

    def apply_batches(
        self,
        batches: Iterable[Sequence[Change]],
        *,
        run: str | None = None,
        all_or_nothing: bool = False,
        record: Record | None = None,
    ) -> Iterator[list[Outcome]]:
        """See the port; a transaction a batch."""
        recording = Recording(self._target, self._rules, self._journal)
        for changes in batches:
            if not changes:
                continue
            outcomes = self._recorded(recording, changes, run, record, entries=False, all_or_nothing=all_or_nothing)
            yield outcomes
            if all_or_nothing and any(map(is_refusal, outcomes)):
                return

    def _recorded(
        self,
        recording: Recording,
        changes: Sequence[Change],
        run: str | None,
        record: Record | None,
        *,
        entries: bool,
        all_or_nothing: bool,
    ) -> list[Outcome]:
        lines = changes.lines if isinstance(changes, Batch) else [None] * len(changes)
        makes = any(isinstance(change, AddPoints) for change in changes)
        outcomes: list[Outcome] = []
        try:
            with self._ledger.offline(self._target, write=True, make=makes) as tables:
                now = self._ledger.setting.clock()
                outcomes = recording.record(tables, changes, lines, now, run=run, entries=entries)
                if all_or_nothing and any(map(is_refusal, outcomes)):
                    raise _RollBack
                report = record() if record else None
                if report is not None and run is not None:
                    tables.runs.save(run, report, None)
                recording.end(tables)
        except _RollBack:
            pass  # what is left to tell is who was refused
        return outcomes

    @contextmanager
    def rehearsal(self) -> Iterator[OfflineBook]:
        """See the port: on a copy of the ledger."""
        with self._ledger.rehearsal() as copy:
            yield OfflineBook(copy, self._target, self._rules, self._journal)

    # -- reading ---------------------------------------------------------------------------------------

    def active_points(self, customer_id: str) -> int:
        """See the port: the last truth and what waits."""
        return self._standing(customer_id).active_at(self._ledger.setting.clock())

    def summary(self, customer_id: str) -> Summary:
        """See the port: what waits are entries with the ids that they will be sent with."""
        return self._standing(customer_id).summary(self._ledger.setting.clock())

    def summaries(self, limit: int | None = None) -> Iterator[Summary]:
        """See the port, in the order of the ids."""
        now = self._ledger.setting.clock()

        def look(tables: OfflineTables, ids: Sequence[str], _: _Balances) -> list[Summary]:
            found = standings(tables, self._target, ids)
            return [found[one].summary(now) for one in ids]

        return islice(self._paged(look), limit)

    def customers(self, search: str | None = None, limit: int | None = None) -> Iterator[tuple[str, int]]:
        """See the port, in the order of the ids."""
        now = self._ledger.setting.clock()
        wanted = "" if search is None else search.casefold()

        def look(tables: OfflineTables, ids: Sequence[str], balances: _Balances) -> list[tuple[str, int]]:
            some = [one for one in ids if wanted in one.casefold()]
            found = standings(
                tables, self._target, [one for one in some if one not in balances or balances[one][1] <= now]
            )
            return [(one, found[one].active_at(now) if one in found else balances[one][0]) for one in some]

        return islice(self._paged(look), limit)

    def options(self) -> list[RedeemOption]:
        """See the port: as they were fetched. Raises `UnsupportedOperation` where they never were."""
        options = self._mirror.options()
        if options is None:
            raise UnsupportedOperation("The redeem options are not known offline.", FETCH)
        return options

    def program(self, site_code: str) -> Program:
        """See the port: as it was fetched. Raises `UnsupportedOperation` where it never was."""
        program = self._mirror.program(site_code)
        if program is None:
            raise UnsupportedOperation(f"The program of site {site_code} is not known offline.", FETCH)
        return program

    def coupon(self, code: str) -> Coupon:  # noqa: ARG002
        """Not offline."""
        raise UnsupportedOperation("Offline no coupon can be looked up.", _ONLINE)

    def close(self) -> None:
        """Closes the ledger file; it opens again by itself."""
        self._ledger.close()

    def _standing(self, customer_id: str) -> Standing:
        with self._ledger.offline(self._target) as tables:
            read = tables.mirror.read_at([customer_id])
            is_known = read or tables.outbox.customers([customer_id])
            found = standings(tables, self._target, [customer_id])[customer_id]
        if not is_known:
            raise unknown(customer_id)
        self.on_truth(customer_id, read.get(customer_id))
        return found

    def _paged(self, look: Callable[[OfflineTables, Sequence[str], _Balances], list[T]]) -> Iterator[T]:
        """What is seen of each customer in the order of the ids, some at a time and each time as they are then.
        ``look`` is told the ids and the balances of those on top of whose truth nothing waits."""
        after = ""
        while True:
            with self._ledger.offline(self._target) as tables:
                mirrored = tables.mirror.balances(after, _PAGE)
                counting = tables.outbox.who_counts(after, _PAGE)
                ids = list(dict.fromkeys(merge((one for one, _, _ in mirrored), counting)))[:_PAGE]
                balances = {one: (max(points, 0), ends) for one, points, ends in mirrored}
                for one in counting:
                    balances.pop(one, None)
                page = look(tables, ids, balances)
            if not ids:
                return
            yield from page
            after = ids[-1]

    # -- what is not recorded --------------------------------------------------------------------------

    def create_customer(self, customer_id: str) -> None:  # noqa: ARG002
        """Not offline."""
        _refuse("a new customer")

    def delete_customer(self, customer_id: str) -> Tombstone:  # noqa: ARG002
        """Not offline."""
        _refuse("the deletion of a customer")

    def create_option(self, document: Document) -> RedeemOption:  # noqa: ARG002
        """Not offline."""
        _refuse("a new redeem option")

    def update_option(self, option_id: str, version: int, document: Document) -> RedeemOption:  # noqa: ARG002
        """Not offline."""
        _refuse("a change of a redeem option")

    def delete_option(self, option_id: str) -> None:  # noqa: ARG002
        """Not offline."""
        _refuse("the deletion of a redeem option")

    def set_program(self, site_code: str, settings: dict[str, Any]) -> Program:  # noqa: ARG002
        """Not offline."""
        _refuse("a change of the program")


class _RollBack(Exception):
    """Takes a transaction back that went well."""


def _refuse(what: str) -> NoReturn:
    raise UnsupportedOperation(f"Offline only changes of points are recorded, not {what}.", _ONLINE)
