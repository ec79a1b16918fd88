"""What a ledger file holds for work on a service that is out of reach, row by row: no part of its own books."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from rpctl.backends.ledger.sql.mirror import MirrorTable
    from rpctl.backends.ledger.sql.outbox import OutboxRuns, OutboxTable
    from rpctl.domain.values import Instant


class OfflineTables(NamedTuple):
    """The tables for one service, as part of one transaction."""

    outbox: OutboxTable
    mirror: MirrorTable
    runs: OutboxRuns


class OutboxRow(NamedTuple):
    """A row as it is stored. ``sending`` and ``told`` are JSON; ``fingerprint`` a digest; ``run``, ``who``: the import
    run that it was recorded in, and by whom."""

    position: int
    key: str
    fingerprint: bytes
    state: str
    recorded_at: Instant
    customer_id: str
    sending: str
    told: str | None
    line: int | None
    is_known: int
    run: str | None
    who: str


class NewRow(NamedTuple):
    """A change to be recorded: ``created_at`` is its business date, where it has one."""

    position: int
    key: str
    fingerprint: bytes
    customer_id: str
    created_at: Instant | None
    line: int | None
    is_known: bool
    reverses: str | None
    sending: str


class SentRow(NamedTuple):
    """A row that the service has and the mirror may not: ``marked_at`` is when it was sent."""

    position: int
    key: str
    customer_id: str
    marked_at: Instant
    sending: str


class MirrorRow(NamedTuple):
    """A customer as of ``read_at``: ``active_points`` then, none of which ends before ``no_expiry_before``."""

    customer_id: str
    active_points: int
    no_expiry_before: Instant
    read_at: Instant
    summary: str


class Pulls(NamedTuple):
    """The readings of everybody's points: the number of the one that was begun last and when, and of the last one that
    came to its end, and when that one had begun."""

    begun: int = 0
    begun_at: Instant | None = None
    finished: int = 0
    finished_at: Instant | None = None
