"""Undoes import runs over a service: every row's reversal is decided on, written down, and sent as a change is.

For some customers at a time their summaries are read, what it comes to is written to the journal in one transaction
(`rpctl.delivery.takeback`), and then it is sent. Whatever stops it, the same again goes on with what was written.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby, islice
from typing import TYPE_CHECKING

from rpctl.backends.port import RunEntries, Undone
from rpctl.delivery.journal import Delivery, State
from rpctl.delivery.runs import JournalRuns
from rpctl.delivery.takeback import CUSTOMER_GONE, EXPIRED, REVERSED_BEFORE, SPENT, Takeback, basis, customer_gone
from rpctl.domain.outcomes import Outcome, Withheld

if TYPE_CHECKING:
    from rpctl.delivery.bulk import Bulk
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.parcel import Parcel
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.redeem_options import Document
    from rpctl.domain.values import Instant


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
            entries += not any(_code(row) == CUSTOMER_GONE for row in rows)
            reversed_ += any(row.sending.reverses and row.state is State.APPLIED for row in rows)
            before += any(_code(row) == REVERSED_BEFORE for row in rows)
        unclear = sum(row.is_open and row.sending.reverses is None for row in self._journal.of_run(run, "line"))
        return RunEntries(entries, reversed_, before, unclear)

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
        unclear = {row.sending.customer_id for row in self._journal.all_unsettled()}
        theirs = {row.sending.customer_id for row in self._journal.of_run(run, "line")}
        if unclear & theirs:
            self._bulk.settle(sorted(unclear & theirs))
        for customers in self._customers(run):
            self._journal.redecide(*self._decided(run, customers))
            yield from self._sent(run, customers)

    def _customers(self, run: str) -> Iterator[dict[str, list[Delivery]]]:
        """The rows of a run by customer, the latest first, for some customers at a time."""
        rows = self._journal.of_run(run, "customer_id, line DESC")
        groups = groupby((row for row in rows if row.sending.customer_id), lambda row: row.sending.customer_id)
        while customers := {who: list(theirs) for who, theirs in islice(groups, self._bulk.customers_at_once)}:
            yield customers

    def _decided(self, run: str, customers: Mapping[str, list[Delivery]]) -> tuple[list[str], list[Delivery]]:
        """What is decided on now: the keys of what was decided before and never left, where the customer spent or
        earned since, and the rows in its place; and those of rows of which nothing was decided yet."""
        now = self._world.clock()
        summaries = self._bulk.summaries([who for who, rows in customers.items() if _undecided(rows)])
        dropped: list[str] = []
        planned: list[Delivery] = []
        for who, rows in customers.items():
            summary, undecided, stale = summaries.get(who), _undecided(rows), _stale(rows)
            if summary is None:
                planned += customer_gone(run, undecided)
            else:
                rests_on = {row.told for row in stale if row.state is State.PLANNED}
                if stale and rests_on == {basis(summary, rows)} and not _undecided(rows, stale=False):
                    undecided, stale = [], []
                planned += Takeback(run, self._journal.target, summary, now, rows).plan(undecided)
            dropped += [row.key for row in stale]
        keys = [row.key for row in planned]
        taken = self._journal.find_all(keys) if self._journal.is_made else {}
        # Somebody's own key may be just like it: what was sent with it is not overwritten.
        return dropped, [row for row in planned if row.key not in taken or taken[row.key].is_free]

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
        if other.is_open:
            return Withheld()
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
            dropped, planned = self._decided(run, customers)
            yield from (row for rows in customers.values() for row in rows if row.key not in dropped)
            yield from planned


class RehearsedUndo(ServiceRuns):
    """Import runs whose undoing is only decided on."""

    def __init__(self, runs: ServiceRuns) -> None:
        super().__init__(runs._journal, runs._bulk, runs._world)
        self._found: list[Delivery] = []

    def run_entries(self, run: str) -> RunEntries:
        """See `ServiceRuns`: as if all had been sent."""
        there = super().run_entries(run)
        before = sum(_code(row) == REVERSED_BEFORE for row in self._found)
        sent = sum(row.state is State.APPLIED and row.sending.reverses is not None for row in self._found)
        return RunEntries(there.entries, max(there.reversed, sent), max(there.reversed_before, before), there.unclear)

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
    rows = list(rows)
    sums = dict.fromkeys(("add", "redeem", SPENT, EXPIRED, REVERSED_BEFORE, CUSTOMER_GONE, "refused", "unknown"), 0)
    for row in rows:
        if row.sending.reverses is None:
            continue
        if row.state is State.REFUSED:
            code = _code(row)
            sums[code if code in sums else "refused"] += row.sending.points
        else:
            sums[row.sending.kind if row.state is State.APPLIED else "unknown"] += row.sending.points
    own = (row for row in rows if row.sending.reverses is None and row.is_open)
    sums["unknown"] += sum(row.sending.points for row in (*own, *_undecided(rows, stale=False)))
    return Undone(
        customer_id, sums["redeem"], sums["add"], sums[SPENT], sums[EXPIRED], sums["refused"], sums["unknown"]
    )


def _undecided(rows: Sequence[Delivery], *, stale: bool = True) -> list[Delivery]:
    """Those of a customer's rows that are in and for which nothing was decided yet, in their order; ``stale``: or what
    was decided never left. While a reversal of the customer is not settled nothing more is decided."""
    reversals = [row for row in rows if row.sending.reverses is not None]
    if stale and any(row.is_open for row in reversals):
        return []
    old = {row.key for row in _stale(rows)} if stale else set()
    decided = {row.line for row in reversals if row.key not in old}
    return [row for row in rows if _is_in(row) and row.line not in decided]


def _stale(rows: Sequence[Delivery]) -> list[Delivery]:
    """What was decided on lines whose reversal never left."""
    lines = {row.line for row in rows if row.sending.reverses is not None and row.state is State.PLANNED}
    if any(row.is_open and row.sending.reverses is not None for row in rows):
        return []
    return [row for row in rows if row.sending.reverses is not None and row.line in lines]


def _is_in(row: Delivery) -> bool:
    return row.sending.reverses is None and row.state is State.APPLIED and bool(row.sending.customer_id)


def _code(row: Delivery) -> str | None:
    return row.told[0] if row.told and row.sending.reverses is not None else None
