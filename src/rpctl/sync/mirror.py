"""The mirror: what was last known of a service, and how old that is.

Every method is one transaction and may raise what a ledger raises; reading where there is no file answers like an empty
mirror. A customer's truth is never replaced by one that is known to be older.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.backends.ledger.offline import MirrorRow
from rpctl.sync.documents import (
    options_of,
    options_text,
    program_of,
    program_text,
    sending_of,
    summary_of,
    summary_text,
)
from rpctl.sync.standing import Marks, no_expiry_before

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.backends.ledger.offline import OfflineTables
    from rpctl.domain.points import Summary
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Document, RedeemOption
    from rpctl.domain.values import Instant

_PAGE: Final = 200


class MirrorState(NamedTuple):
    """How many customers are mirrored; when the last complete pull began, None: there was none; whether a later one was
    begun and has not finished."""

    customers: int
    pulled_at: Instant | None
    is_pulling: bool


class Mirror:
    """What a ledger file knows of the service ``target`` (`rpctl.backends.port.target_of`)."""

    def __init__(self, ledger: LedgerBackend, target: str) -> None:
        self._ledger = ledger
        self._target = target

    # -- customers -------------------------------------------------------------------------------------

    def replace(
        self,
        summaries: Iterable[tuple[str, Summary | None]],
        read_at: Instant,
        *,
        pull: int | None = None,
        is_latest: bool = False,
    ) -> None:
        """Customers as they were at ``read_at``, or None: the service has no such customer. What was sent by then, or
        is seen among their entries, counts no longer on top of that. ``pull``: the pull that saw them; ``is_latest``:
        nobody else has read or sent anything since the reading began (`rpctl.sync.turns`), so that this is the latest
        truth, even if the clock was ahead when an earlier one was read."""
        found = dict(summaries)
        with self._ledger.offline(self._target, write=True, make=True) as tables:
            pulls = tables.mirror.pulls()
            later = set()
            if not is_latest:
                later = {one for one, known_at in tables.mirror.read_at([*found]).items() if known_at > read_at}
            if pull is None and pulls.begun_at is not None and (is_latest or read_at >= pulls.begun_at):
                pull = pulls.begun  # a pull that is under way need not see whom we saw
            tables.mirror.store(
                (
                    MirrorRow(
                        one, summary.active_points, no_expiry_before(summary, read_at), read_at, summary_text(summary)
                    )
                    for one, summary in found.items()
                    if summary is not None and one not in later
                ),
                pull or 0,
            )
            tables.mirror.remove(one for one, summary in found.items() if summary is None and one not in later)
            tables.mirror.seen((one for one in later if found[one] is not None), pull or 0)
            if is_latest:
                tables.outbox.finish(row.position for row in tables.outbox.sent([*found]))
            else:
                _finish(tables, {one: summary for one, summary in found.items() if one not in later}, read_at)

    def truth(self, customer_id: str) -> tuple[Summary, Instant] | None:
        """A customer as of the moment that is told with it."""
        with self._ledger.offline(self._target) as tables:
            row = tables.mirror.truths([customer_id]).get(customer_id)
        return None if row is None else (truth_of(row), row.read_at)

    def customers(self) -> Iterator[tuple[Summary, Instant]]:
        """All of them in the order of their ids, streamed."""
        after = ""
        while True:
            with self._ledger.offline(self._target) as tables:
                ids = [one for one, _, _ in tables.mirror.balances(after, _PAGE)]
                truths = tables.mirror.truths(ids)
            if not ids:
                return
            yield from ((truth_of(truths[one]), truths[one].read_at) for one in ids)
            after = ids[-1]

    def forget(self, customer_id: str) -> None:
        """A customer was deleted."""
        with self._ledger.offline(self._target, write=True) as tables:
            tables.mirror.remove([customer_id])
        self._ledger.tables()[0].truncate_log()

    # -- pulls -----------------------------------------------------------------------------------------

    def begin_pull(self, now: Instant) -> int:
        """A pull of everybody's points begins: its number."""
        with self._ledger.offline(self._target, write=True, make=True) as tables:
            pulls = tables.mirror.pulls()
            tables.mirror.save_pulls(pulls._replace(begun=pulls.begun + 1, begun_at=now))
        return pulls.begun + 1

    def finish_pull(self, pull: int, now: Instant) -> int:
        """The pull saw everybody: whom neither it nor anything since saw is removed, and what was sent for them is
        done. How many that were. The truth is as old as the pull's beginning, or, where another has begun since, as
        ``now`` says."""
        with self._ledger.offline(self._target, write=True) as tables:
            pulls = tables.mirror.pulls()
            if pull > pulls.finished:
                began_at = pulls.begun_at if pull == pulls.begun else now
                tables.mirror.save_pulls(pulls._replace(finished=pull, finished_at=began_at))
            removed = tables.mirror.remove_unseen(pull)
            sent = tables.outbox.touched()
            there = tables.mirror.read_at(sent)
            tables.outbox.finish(row.position for row in tables.outbox.sent([one for one in sent if one not in there]))
            return removed

    def state(self) -> MirrorState:
        """How much is known, and how old it is."""
        with self._ledger.offline(self._target) as tables:
            pulls = tables.mirror.pulls()
            return MirrorState(tables.mirror.count(), pulls.finished_at, pulls.begun > pulls.finished)

    # -- options and programs --------------------------------------------------------------------------

    def set_options(self, documents: Sequence[Document]) -> None:
        """All redeem options anew."""
        with self._ledger.offline(self._target, write=True, make=True) as tables:
            tables.mirror.save_options(options_text(documents))

    def options(self) -> list[RedeemOption] | None:
        """All redeem options; None: they were never read."""
        with self._ledger.offline(self._target) as tables:
            text = tables.mirror.options()
        return None if text is None else options_of(text)

    def set_program(self, program: Program) -> None:
        """A site's program anew."""
        with self._ledger.offline(self._target, write=True, make=True) as tables:
            tables.mirror.save_program(program.site_code, program_text(program))

    def program(self, site_code: str) -> Program | None:
        """A site's program; None: it was never read."""
        with self._ledger.offline(self._target) as tables:
            text = tables.mirror.program(site_code)
        return None if text is None else program_of(text)


def truth_of(row: MirrorRow) -> Summary:
    """A row as it is stored, understood."""
    return summary_of(row.summary, row.customer_id, row.active_points)


def _finish(tables: OfflineTables, found: dict[str, Summary | None], read_at: Instant) -> None:
    """What was sent before the customers were read, or is seen there, is done. Of what was sent later and is not seen
    the truth knows nothing yet."""
    done = []
    marks: dict[str, Marks] = {}
    for row in tables.outbox.sent([*found]):
        summary = found[row.customer_id]
        if row.marked_at > read_at and summary is not None:
            if row.customer_id not in marks:
                marks[row.customer_id] = Marks(summary)
            if marks[row.customer_id].find(sending_of(row.sending, row.customer_id, row.key)) is None:
                continue
        elif row.marked_at > read_at:
            continue
        done.append(row.position)
    tables.outbox.finish(done)
