"""Undoes import runs over a service: every row's reversal is decided on, written down, and sent as a change is.

For some customers at a time their summaries are read, what it comes to is written to the journal in one transaction
(`rpctl.delivery.takeback`), and then it is sent. Whatever stops it, the same again goes on with what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from typing import TYPE_CHECKING, Final

from rpctl.backends.port import RunEntries, Undone
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.runs import JournalRuns
from rpctl.delivery.takeback import EXPIRED, NOT_FOUND, REVERSED_BEFORE, SPENT, Takeback
from rpctl.domain.outcomes import Outcome
from rpctl.domain.points import Summary

if TYPE_CHECKING:
    from rpctl.delivery.bulk import Bulk
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.parcel import Parcel
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.redeem_options import Document
    from rpctl.domain.values import Instant

_CUSTOMERS_AT_ONCE: Final = 200


class ServiceRuns(JournalRuns):
    """Import runs whose rows can be reversed over their service: the port's `UndoableRuns`."""

    def __init__(self, journal: Journal, bulk: Bulk, world: Surroundings) -> None:
        super().__init__(journal)
        self._bulk = bulk
        self._world = world

    def run_entries(self, run: str) -> RunEntries:
        """See `UndoableRuns`."""
        entries = reversed_ = before = 0
        for _, rows in self._by_line(run):
            entries += any(row.sending.reverses is None for row in rows)
            reversed_ += any(row.sending.reverses and row.state is State.APPLIED for row in rows)
            before += any(_code(row) == REVERSED_BEFORE for row in rows)
        return RunEntries(entries, reversed_, before)

    def _by_line(self, run: str) -> Iterator[tuple[int | None, list[Delivery]]]:
        """What is in of the run and what was decided about it, line by line."""
        rows = (row for row in self._journal.of_run(run, "line") if row.sending.reverses is not None or _is_in(row))
        for line, of_line in groupby(rows, lambda row: row.line):
            found = list(of_line)
            if any(row.sending.reverses is None for row in found):
                yield line, found

    def undo(self, run: str, now: Instant) -> Iterator[int]:
        """See `UndoableRuns`: customer after customer, the rows of each from the latest back."""
        with self._writing() as records:
            records.begin_undo(run, now)
        unclear = {row.sending.customer_id for row in self._journal.of_run(run, "line") if row.is_open}
        if unclear:
            self._bulk.settle(sorted(unclear))
        for customers in self._customers(run):
            planned = self._planned(run, customers, self._read(customers))
            self._journal.write_all(planned)
            yield from self._sent(run, customers)

    def _customers(self, run: str) -> Iterator[dict[str, list[Delivery]]]:
        """The rows of a run by customer, the latest first, for some customers at a time."""
        rows = self._journal.of_run(run, "customer_id, line DESC")
        groups = groupby((row for row in rows if row.sending.customer_id), lambda row: row.sending.customer_id)
        while customers := {who: list(theirs) for who, theirs in islice(groups, _CUSTOMERS_AT_ONCE)}:
            yield customers

    def _read(self, customers: Mapping[str, list[Delivery]]) -> dict[str, Summary]:
        """The summaries of those of whom something is yet to be decided; who is not there has none."""
        return self._bulk.summaries([who for who, rows in customers.items() if _undecided(rows)])

    def _planned(
        self, run: str, customers: Mapping[str, list[Delivery]], summaries: Mapping[str, Summary]
    ) -> list[Delivery]:
        planned: list[Delivery] = []
        for who, rows in customers.items():
            if undecided := _undecided(rows):
                summary = summaries.get(who) or Summary(who, 0, (), ())
                takeback = Takeback(run, self._journal.target, summary, self._world.clock())
                planned += takeback.plan(undecided)
        return planned

    def _sent(self, run: str, customers: Mapping[str, list[Delivery]]) -> Iterator[int]:
        """Sends what was decided and is not in yet; how many rows were looked at."""
        reversals = [
            row
            for who in customers
            for row in self._journal.reversals_of(run, who)
            if row.state is State.PLANNED or row.is_open
        ]
        for outcomes in self._bulk.send(reversals, run, self._checked):
            yield len(outcomes)

    def _checked(self, parcel: Parcel) -> Delivery | Outcome:
        """What is sent of a planned reversal, unless somebody else reversed the entry meanwhile."""
        row = parcel.row
        assert row.sending.reverses is not None
        other = self._journal.reversal_of(row.sending.reverses)
        if other is None or other.key == row.key:
            return row
        return row._replace(state=State.REFUSED, told=(REVERSED_BEFORE, ""))

    def undone(self, run: str) -> Iterator[Undone]:
        """See `UndoableRuns`."""
        rows = self._journal.of_run(run, "customer_id")
        for who, theirs in groupby(
            (row for row in rows if row.sending.customer_id), lambda row: row.sending.customer_id
        ):
            yield came_to(who, theirs)

    def finish_undo(self, run: str, now: Instant, report: Document) -> None:
        """See `UndoableRuns`."""
        with self._writing() as records:
            records.finish_undo(run, now, report)

    @contextmanager
    def rehearsal(self) -> Iterator[RehearsedUndo]:
        """The same decided on and not written or sent."""
        yield RehearsedUndo(self)

    def planned(self, run: str) -> Iterator[Delivery]:
        """What the undoing would come to: what was decided before, and what would be now."""
        for customers in self._customers(run):
            for rows in customers.values():
                yield from (row for row in rows if row.sending.reverses is not None)
            yield from self._planned(run, customers, self._read(customers))


class RehearsedUndo(ServiceRuns):
    """Import runs whose undoing is only decided on."""

    def __init__(self, runs: ServiceRuns) -> None:
        super().__init__(runs._journal, runs._bulk, runs._world)
        self._found: list[Delivery] = []

    def run_entries(self, run: str) -> RunEntries:
        """See `ServiceRuns`: as if all had been sent."""
        there = super().run_entries(run)
        before = sum(_code(row) == REVERSED_BEFORE for row in self._found)
        sent = sum(row.state in (State.PLANNED, State.APPLIED) for row in self._found)
        return RunEntries(there.entries, max(there.reversed, sent), max(there.reversed_before, before))

    def undo(self, run: str, now: Instant) -> Iterator[int]:  # noqa: ARG002
        """See `ServiceRuns`."""
        for row in self.planned(run):
            self._found.append(row._replace(state=State.APPLIED) if row.state is State.PLANNED else row)
            yield 1

    def undone(self, run: str) -> Iterator[Undone]:  # noqa: ARG002
        """See `ServiceRuns`."""
        by_customer: dict[str, list[Delivery]] = {}
        for row in self._found:
            by_customer.setdefault(row.sending.customer_id, []).append(row)
        return (came_to(who, rows) for who, rows in sorted(by_customer.items()))

    def finish_undo(self, run: str, now: Instant, report: Document) -> None:
        """See `ServiceRuns`: nothing lasts."""


def came_to(customer_id: str, rows: Iterable[Delivery]) -> Undone:
    """What the rows of the journal say of one customer."""
    sums = {"add": 0, "redeem": 0, SPENT: 0, EXPIRED: 0, REVERSED_BEFORE: 0, "refused": 0, "unknown": 0}
    for row in rows:
        is_reversal = row.sending.reverses is not None
        if is_reversal and row.state is State.REFUSED:
            code = _code(row)
            sums["unknown" if code == NOT_FOUND else code if code in sums else "refused"] += row.sending.points
        elif is_reversal and row.state is State.APPLIED:
            sums[row.sending.kind] += row.sending.points
        elif is_reversal or row.is_open:
            sums["unknown"] += row.sending.points
    return Undone(
        customer_id, sums["redeem"], sums["add"], sums[SPENT], sums[EXPIRED], sums["refused"], sums["unknown"]
    )


def _undecided(rows: Sequence[Delivery]) -> list[Delivery]:
    """Those of a customer's rows that are in and for which nothing was decided yet, in their order."""
    decided = {row.line for row in rows if row.sending.reverses is not None}
    return [row for row in rows if _is_in(row) and row.line not in decided]


def _is_in(row: Delivery) -> bool:
    return row.sending.reverses is None and row.state is State.APPLIED and bool(row.sending.customer_id)


def _code(row: Delivery) -> str | None:
    return row.told[0] if row.told and row.sending.reverses is not None else None
