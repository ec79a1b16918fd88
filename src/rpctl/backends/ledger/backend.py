"""The port's operations on the local ledger; each write is one transaction."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rpctl.backends.ledger.runs import LedgerRuns
from rpctl.backends.ledger.sql import faults, file
from rpctl.backends.ledger.sql.balances import Balances
from rpctl.errors import CustomerExists, CustomerNotFound, InvalidValue, LedgerUnusable

if TYPE_CHECKING:
    from pathlib import Path

    from rpctl.backends.ledger.audit import Audit
    from rpctl.backends.ledger.offline import OfflineTables
    from rpctl.backends.ledger.sql.books import Books
    from rpctl.backends.ledger.sql.catalog import Catalog
    from rpctl.backends.port import Record, Tombstone
    from rpctl.domain.changes import Change
    from rpctl.domain.outcomes import Outcome
    from rpctl.domain.points import Summary
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Coupon, Document, RedeemOption
    from rpctl.domain.values import Instant

_CODE_LETTERS: Final = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"  # none that is taken for another when read aloud
_CODE_LENGTH: Final = 10
_BULK_ROWS: Final = 500  # a batch of fewer is stored sooner than the way for many is prepared


def coupon_code() -> str:
    """Ten letters and digits from a cryptographic source: 50 bits."""
    return "".join(_CODE_LETTERS[byte % len(_CODE_LETTERS)] for byte in os.urandom(_CODE_LENGTH))


class Setting(NamedTuple):
    """What a ledger is told of the world: the time (milliseconds since 1970), who works, with which program."""

    clock: Callable[[], Instant]
    who: str
    version: str
    random_bytes: Callable[[int], bytes] = os.urandom
    coupon_code: Callable[[], str] = coupon_code


class LedgerBackend(LedgerRuns):
    """A ledger file behind the port. Opened when it is first needed; made when it is first written.

    Reading where no file is answers like an empty ledger, unless ``must_exist`` (a file that was named).
    """

    capabilities = frozenset(
        {
            "options", "program", "exchange", "customers", "ledger", "imports", "reason", "dates", "references",
            "reversals", "everybody",
        }
    )  # fmt: skip
    is_atomic = True

    def __init__(self, path: Path, setting: Setting, *, must_exist: bool = False) -> None:
        self.path = path
        self.setting = setting
        self._must_exist = must_exist
        self._balances: Balances | None = None
        self._tables: tuple[Books, Catalog] | None = None
        self._writable = False

    # -- points ----------------------------------------------------------------------------------------

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
        """See the port: one transaction for all, key and entry together."""
        from rpctl.backends.ledger.booking import Booking, Sources
        from rpctl.domain.outcomes import is_refusal

        store, catalog = self.tables(write=True, make=any(map(_can_create, changes)))
        sources = Sources(self.setting.random_bytes, self.setting.coupon_code)
        decided: list[tuple[Outcome, int | None]] = []
        try:
            with store.transaction(write=True):
                origin = store.origin(self.setting.who, self.setting.version, run)
                booking = Booking(store, catalog, self.setting.clock(), origin, sources)
                decided = booking.book(changes)
                if all_or_nothing and any(is_refusal(outcome) for outcome, _ in decided):
                    raise _RollBack
                booking.flush()
                report = record() if record else None
                if report is not None and run is not None:
                    from rpctl.backends.ledger.sql.runs import Runs

                    Runs(store.connection).save(run, report, None)
                if entries:  # before the commit: after it the customer may be deleted, or another ledger restored
                    return [self._with_entry(outcome, seq) for outcome, seq in decided]
        except _RollBack:
            pass  # what is left to tell is who was refused
        return [outcome for outcome, _ in decided]

    def apply_batches(
        self,
        batches: Iterable[Sequence[Change]],
        *,
        run: str | None = None,
        all_or_nothing: bool = False,
        record: Record | None = None,
    ) -> Iterator[list[Outcome]]:
        """See the port. Small batches are a plain transaction each, unless a refusal is to take back those before it:
        then as many as go together are one."""
        from itertools import chain

        from rpctl.domain.outcomes import is_refusal

        batches = iter(batches)
        for changes in batches:
            makes = faults.exists(self.path) or any(map(_can_create, changes))
            if makes and changes and (all_or_nothing or len(changes) >= _BULK_ROWS):
                from rpctl.backends.ledger.bulk import Bulk

                bulk = Bulk(*self.tables(write=True), self.setting, run, record)
                yield from bulk.apply(chain([changes], batches), all_or_nothing=all_or_nothing)
                return
            if changes:
                outcomes = self.apply(changes, run=run, entries=False, all_or_nothing=all_or_nothing, record=record)
                yield outcomes
                if all_or_nothing and any(map(is_refusal, outcomes)):
                    return

    def _with_entry(self, outcome: Outcome, seq: int | None) -> Outcome:
        from dataclasses import replace

        from rpctl.domain.outcomes import AlreadyApplied, Applied

        if seq is None:
            return outcome
        store, _ = self.tables()
        if isinstance(outcome, Applied):
            return outcome._replace(entry=store.entry(seq))
        return replace(outcome, entry=store.entry(seq)) if isinstance(outcome, AlreadyApplied) else outcome

    @contextmanager
    def rehearsal(self) -> Iterator[LedgerBackend]:
        """A copy of the ledger, gone at the end: the same rules, the same code, nothing lasts.

        It lies beside the ledger, or where that is not allowed in the system's folder for temporary files, and
        needs as much room again.
        """
        from contextlib import ExitStack

        from rpctl.backends.ledger.workplace import workplace

        folder = self.path.absolute().parent
        with ExitStack() as stack:
            try:
                if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                    folder = _temporary_folder()
                copy = stack.enter_context(workplace(folder, "rehearsal")) / "ledger.db"
            except OSError as error:
                raise faults.unusable(self.path, error, "copied for a dry run") from error
            if faults.exists(self.path):
                file.copy_file(self.tables()[0].connection, copy, of=self.path)
            backend = LedgerBackend(copy, self.setting)
            stack.callback(backend.close)
            yield backend

    def active_points(self, customer_id: str, at: Instant | None = None) -> int:
        """See the port; ``at`` defaults to now."""
        balances = self.balances()
        with faults.translated(self.path):
            points = balances.active_points(customer_id, self.setting.clock() if at is None else at)
        if points is None:
            raise _unknown(customer_id)
        return points

    def summary(self, customer_id: str) -> Summary:
        """See the port."""
        store, _ = self.tables()
        with store.transaction(write=False):
            summary = store.summary(customer_id, self.setting.clock())
        if summary is None:
            raise _unknown(customer_id)
        return summary

    def summaries(self, limit: int | None = None) -> Iterator[Summary]:
        """See the port."""
        return self.tables()[0].summaries(self.setting.clock(), limit)

    # -- customers -------------------------------------------------------------------------------------

    def customers(self, search: str | None = None, limit: int | None = None) -> Iterator[tuple[str, int]]:
        """See the port."""
        return self.balances().customer_list(self.setting.clock(), search, limit)

    def create_customer(self, customer_id: str) -> None:
        """See the port."""
        from rpctl.backends.ledger.sql.books import CustomerRow
        from rpctl.domain.lots import Account

        store, _ = self.tables(write=True)
        with store.transaction(write=True):
            if store.customers_by_id([customer_id]):
                raise CustomerExists(f"Customer {customer_id} exists.", customerId=customer_id)
            store.insert_customers([CustomerRow(store.next_seq("customers"), customer_id, Account())])

    def delete_customer(self, customer_id: str) -> Tombstone:
        """See the port; the text is overwritten in the file, and its log is emptied."""
        from rpctl.backends.ledger.workplace import sweep

        store, catalog = self.tables(write=True, make=False)
        with store.transaction(write=True):
            customer = store.customers_by_id([customer_id]).get(customer_id)
            if customer is None:
                raise _unknown(customer_id)
            origin = store.origin(self.setting.who, self.setting.version, None)
            counts = store.erase_customer(customer.seq, self.setting.clock(), origin)
            catalog.forget(customer_id, f"deleted-{self.setting.random_bytes(8).hex()}", self.setting.clock())
        erased_fully = store.truncate_log()
        with suppress(OSError):
            for folder in (self.path.parent, _temporary_folder()):
                sweep(folder)  # what a killed dry run left has the text too
        from rpctl.backends.port import Tombstone

        return Tombstone(*counts, erased_fully=erased_fully)

    # -- redeem options and program --------------------------------------------------------------------

    def options(self) -> list[RedeemOption]:
        """See the port."""
        _, catalog = self.tables()
        with faults.translated(self.path):
            return catalog.options()

    def create_option(self, document: Document) -> RedeemOption:
        """See the port; an id in the document is kept, otherwise one is made."""
        from rpctl.domain.redeem_options import check_option
        from rpctl.domain.values import parse_id

        option = check_option(document)
        option_id = document.get("id") or self.setting.random_bytes(12).hex()
        if not isinstance(option_id, str):
            raise InvalidValue(f"id is {option_id!r}; it is text.")
        parse_id(option_id, "option id")
        store, catalog = self.tables(write=True)
        with store.transaction(write=True):
            catalog.insert_option(option_id, option, self.setting.clock())
            return catalog.option(option_id)

    def update_option(self, option_id: str, version: int, document: Document) -> RedeemOption:
        """See the port: of two racing updates one wins."""
        from rpctl.domain.redeem_options import check_option

        option = check_option(document)
        store, catalog = self.tables(write=True, make=False)
        with store.transaction(write=True):
            catalog.update_option(option_id, version, option, self.setting.clock())
            return catalog.option(option_id)

    def delete_option(self, option_id: str) -> None:
        """See the port."""
        store, catalog = self.tables(write=True, make=False)
        with store.transaction(write=True):
            catalog.delete_option(option_id)

    def coupon(self, code: str) -> Coupon:
        """See the port."""
        _, catalog = self.tables()
        with faults.translated(self.path):
            return catalog.coupon(code)

    def program(self, site_code: str) -> Program:
        """See the port."""
        _, catalog = self.tables()
        with faults.translated(self.path):
            return catalog.program(site_code)

    def set_program(self, site_code: str, settings: dict[str, Any]) -> Program:
        """See the port; the names are those of `Program`."""
        from dataclasses import replace

        store, catalog = self.tables(write=True)
        with store.transaction(write=True):
            program = replace(catalog.program(site_code), configured=True, **settings)
            catalog.save_program(program)
        return program

    # -- a service that is out of reach ----------------------------------------------------------------

    @contextmanager
    def offline(
        self, target: str, *, write: bool = False, make: bool = False, at_once: bool = False
    ) -> Iterator[OfflineTables]:
        """What the file holds for a service (`rpctl.backends.port.target_of`), in one transaction; the other arguments
        are those of `balances` and `Balances.transaction`. Reading takes part in a transaction that is open."""
        from contextlib import nullcontext

        from rpctl.backends.ledger.offline import OfflineTables
        from rpctl.backends.ledger.sql.mirror import MirrorTable, service_number
        from rpctl.backends.ledger.sql.outbox import OutboxRuns, OutboxTable

        store, _ = self.tables(write=write, make=make)
        is_open = store.connection.in_transaction and not write
        with nullcontext() if is_open else store.transaction(write=write, at_once=at_once):
            service = service_number(store.connection, target, make=write)
            yield OfflineTables(
                OutboxTable(
                    store.connection, service, lambda run: store.origin(self.setting.who, self.setting.version, run)
                ),
                MirrorTable(store.connection, service),
                OutboxRuns(store.connection, target),
            )

    # -- the file --------------------------------------------------------------------------------------

    def verify(self) -> Audit:
        """An audit of the whole ledger (``ledger.md``, Invariants), not yet begun: its ``problems()`` reads
        everything in one transaction while it is gone through."""
        from rpctl.backends.ledger.audit import Audit

        return Audit(self.tables()[0])

    def close(self) -> None:
        """Closes the file; it opens again by itself."""
        if self._balances:
            self._balances.connection.close()
            self._balances = self._tables = None

    def balances(self, *, write: bool = False, make: bool = True) -> Balances:
        """The open file, as far as balances need it; ``write``: to be changed, and with ``make`` made where there
        is none. What can only change what is there needs no file: it finds an empty ledger."""
        if self._balances and write and not self._writable:
            self.close()  # it was answered for by an empty ledger, or is read-only: find out again
        if self._balances is None:
            self._writable = True
            if faults.exists(self.path):
                connection = file.open_file(self.path, write=write)
                self._writable = faults.is_writable(self.path)
            elif write and make:
                file.create_file(self.path)
                connection = file.open_file(self.path, write=True)
            elif self._must_exist:
                raise LedgerUnusable(
                    f"There is no ledger {self.path}.", "Check the name; the first `rpctl points add` makes one."
                )
            else:
                connection = file.in_memory()
                self._writable = False
            self._balances = Balances(connection, self.path)
        return self._balances

    def tables(self, *, write: bool = False, make: bool = True) -> tuple[Books, Catalog]:
        """All tables of the open file, for this package; the arguments are those of `balances`."""
        connection = self.balances(write=write, make=make).connection
        if self._tables is None:
            from rpctl.backends.ledger.sql.books import Books
            from rpctl.backends.ledger.sql.catalog import Catalog

            self._tables = Books(connection, self.path), Catalog(connection)
        return self._tables


def _can_create(change: Change) -> bool:
    from rpctl.domain.changes import AddPoints, Customers

    return isinstance(change, AddPoints) and change.customers is not Customers.EXISTING


class _RollBack(Exception):
    """Takes a transaction back that went well."""


def _temporary_folder() -> Path:
    import tempfile
    from pathlib import Path

    return Path(tempfile.gettempdir())


def _unknown(customer_id: str) -> CustomerNotFound:
    return CustomerNotFound(f"There is no customer {customer_id}.", customerId=customer_id)
