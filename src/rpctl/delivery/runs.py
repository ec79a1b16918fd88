"""Import runs over a service, recorded in the journal beside the deliveries that belong to them."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rpctl.backends.import_runs import RunRecords, claim_byte, no_such_run
from rpctl.backends.port import SoFar
from rpctl.delivery.journal import State

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterator

    from rpctl.backends.port import EarlierRun, FileContent, KeptRun
    from rpctl.delivery.journal import Journal
    from rpctl.domain.redeem_options import Document
    from rpctl.domain.values import Instant

_LAST_POSITION: Final = 2**62
"""Behind every line of a file: the place of a row is its line, so all that are in by now were in before."""

_ROWS: Final = " FROM deliveries WHERE run = ? AND +target = ? AND reverses IS NULL AND customer_id <> ''"
"""The rows of a run, by the index of runs: neither the reversals of its undoing nor what deleted customers left."""

_WITHOUT_TEXT: Final = """
UPDATE deliveries SET told = iif(told IS NULL, NULL, json_array(json_extract(told, '$[0]'), '')), sending = json_remove(
    sending, '$.description', iif(json_extract(sending, '$.reference_id') = key, '$.none', '$.reference_id')
)
WHERE run = ? AND +target = ? AND state NOT IN ('sending', 'unknown')
"""
_UNSETTLED: Final = "SELECT count(*) FROM deliveries WHERE run = ? AND +target = ? AND state IN ('sending', 'unknown')"
_NOTHING: Final[Document] = {"path": None, "spooled": False, "options": {}}
"""The request of a run of which nothing is kept but the text of what may have to be sent again."""


class RunRow(NamedTuple):
    """A row of a file and what became of it. ``operation``: ``add`` or ``redeem``; ``sent_at`` None: it never left;
    ``told``: why it was refused or is not known, a code and a sentence."""

    line: int
    customer_id: str
    operation: str
    points: int
    state: State
    sent_at: Instant | None
    key: str
    told: tuple[str, str] | None


class JournalRuns:
    """The import runs of the journal's target, as the port's `ImportRuns`. Besides what they name, methods raise what
    `Journal` raises; reading makes no file."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @contextmanager
    def claim(self, content: bytes, *, wait: bool) -> Iterator[None]:
        """See `ImportRuns`: the same file may be imported into other books meanwhile."""
        journal = self._journal
        digest = hashlib.sha256(journal.target.encode() + b"\x1f" + content).digest()
        with ExitStack() as claim:
            with journal.reading():  # first: beside what is no journal nothing is made
                claim_byte(claim, journal.import_locks, digest, wait=wait)
            yield

    def start_run(
        self, run: str, now: Instant, file: str, content: FileContent, report: Document, request: Document
    ) -> None:
        """See `ImportRuns`."""
        with self._writing() as records:
            records.start(run, now, file, content, report, request)

    def go_on(self, run: str, request: Document) -> SoFar:
        """See `ImportRuns`."""
        with self._writing() as records:
            records.renew(run, request)
            sql = f"SELECT count(*){_ROWS} AND state = 'applied'"
            (entries,) = records.connection.execute(sql, (run, self._journal.target)).fetchone()
        return SoFar(_LAST_POSITION, entries)

    def save_run(self, run: str, report: Document, finished_at: Instant | None, *, at_once: bool = False) -> None:
        """See `ImportRuns`."""
        with self._writing(at_once=at_once) as records:
            records.save(run, report, finished_at)

    def forget_request(self, run: str) -> None:
        """See `ImportRuns`; of the run's deliveries descriptions, references (but those that are keys: a change may be
        found by them), and why they were refused.

        What may still have to be sent again keeps its text: by its length is told whether a marker at its end can be
        found, and what is looked for may be the reference. The run keeps a request without content then, so that it
        is not taken for one that has nothing left to forget.
        """
        with self._writing() as records:
            records.forget_request(run)
            records.connection.execute(_WITHOUT_TEXT, (run, self._journal.target))
            if self._unsettled(records.connection, run):
                records.renew(run, _NOTHING)

    def empty_log(self) -> None:
        """After `forget_request`: takes the text out of what the file was."""
        if self._journal.is_made:
            self._journal.empty_log()

    def earlier_runs(self) -> Iterator[EarlierRun]:
        """See `ImportRuns`."""
        if self._journal.is_made:
            with self._reading() as records:
                yield from records.earlier()

    def has_entries(self, run: str) -> bool:
        """See `ImportRuns`."""
        if not self._journal.is_made:
            return False
        with self._journal.reading() as connection:
            sql = f"SELECT EXISTS (SELECT 1{_ROWS} AND state IN ('applied', 'sending', 'unknown'))"
            (found,) = connection.execute(sql, (run, self._journal.target)).fetchone()
        return bool(found)

    def kept_run(self, run: str) -> KeptRun:
        """See `ImportRuns`."""
        with self._reading(run) as records:
            return records.kept(run)

    def runs(self) -> list[dict[str, Any]]:
        """See `ImportRuns`."""
        if not self._journal.is_made:
            return []
        with self._reading() as records:
            return records.all()

    def run(self, run: str) -> dict[str, Any]:
        """See `ImportRuns`."""
        with self._reading(run) as records:
            return records.one(run)

    # -- rows ------------------------------------------------------------------------------------------

    def rows(self, run: str, states: Collection[State] | None = None) -> Iterator[RunRow]:
        """What became of each row that was to be sent, in the file's order, streamed; ``states``: only in these. What
        deleted customers left is left out."""
        if not self._journal.is_made:
            return
        wanted = [*State] if states is None else [*states]
        sql = (
            "SELECT line, customer_id, json_extract(sending, '$.kind'), json_extract(sending, '$.points'), state,"
            f" sent_at, key, told{_ROWS} AND state IN ({','.join('?' * len(wanted))}) ORDER BY line"
        )
        with self._journal.reading() as connection:
            for row in connection.execute(sql, (run, self._journal.target, *wanted)):
                line, customer_id, kind, points, state, sent_at, key, told = row
                operation = "redeem" if kind == "redeem" else "add"  # a new customer's first points are added too
                why = None if told is None else (*json.loads(told),)
                yield RunRow(line, customer_id, operation, points, State(state), sent_at or None, key, why)

    def states(self, run: str) -> dict[str, int]:
        """How many of those rows are in each state, all states named."""
        counts = {state.value: 0 for state in State}
        if self._journal.is_made:
            sql = f"SELECT state, count(*){_ROWS} GROUP BY state"
            with self._journal.reading() as connection:
                counts |= dict(connection.execute(sql, (run, self._journal.target)))
        return counts

    def unsettled(self, run: str) -> int:
        """How many sendings of a run, its undoing included, may count and may not: they keep their text."""
        if not self._journal.is_made:
            return 0
        with self._journal.reading() as connection:
            return self._unsettled(connection, run)

    def _unsettled(self, connection: sqlite3.Connection, run: str) -> int:
        (count,) = connection.execute(_UNSETTLED, (run, self._journal.target)).fetchone()
        return int(count)

    @contextmanager
    def _reading(self, run: str = "") -> Iterator[RunRecords]:
        if not self._journal.is_made:
            raise no_such_run(run)
        with self._journal.reading() as connection:
            yield RunRecords(connection, self._journal.target)

    @contextmanager
    def _writing(self, *, at_once: bool = False) -> Iterator[RunRecords]:
        with self._journal.transaction(at_once=at_once) as connection:
            yield RunRecords(connection, self._journal.target)
