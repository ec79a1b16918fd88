"""A customer's changes one by one, with the expiries between them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rpctl.domain.points import AddedPoints, Entry, Summary
from rpctl.domain.values import Instant
from rpctl.errors import InvalidValue

TYPES: Final = ("added", "redeemed", "expired")


@dataclass(frozen=True, slots=True)
class Line:
    """One change of the balance: ``points`` is signed; ``entry`` is the lot that expired where ``kind`` is
    ``expired``."""

    kind: str
    at: Instant
    points: int
    balance: int
    entry: Entry


def history(
    summary: Summary,
    now: Instant,
    *,
    since: Instant | None = None,
    until: Instant | None = None,
    kind: str | None = None,
) -> Iterator[Line]:
    """The lines in recording order; an expiry stands before the first change dated after it.

    ``since`` and ``until`` are inclusive. Raises `InvalidValue` for a type that is none of ``TYPES``.
    """
    if kind is not None and kind not in TYPES:
        raise InvalidValue(f"There is no type {kind!r}.", f"Types: {', '.join(TYPES)}.")
    return (
        line
        for line in _lines(summary, now)
        if (kind is None or line.kind == kind)
        and (since is None or line.at >= since)
        and (until is None or line.at <= until)
    )


def _lines(summary: Summary, now: Instant) -> Iterator[Line]:
    waiting: list[AddedPoints] = []  # recorded lots that leave something behind when they expire, the first one last
    balance = 0
    for entry in summary.entries():
        for line in _expiries(waiting, entry.created_at, balance):
            balance = line.balance
            yield line
        added = isinstance(entry, AddedPoints)
        balance = entry.all_points_after_creation
        yield Line(
            "added" if added else "redeemed", entry.created_at, entry.points if added else -entry.points, balance, entry
        )
        if isinstance(entry, AddedPoints) and entry.left and entry.valid_until > entry.created_at:
            waiting.append(entry)
            waiting.sort(key=lambda lot: -lot.valid_until)
    yield from _expiries(waiting, now, balance)


def _expiries(waiting: list[AddedPoints], until: Instant, balance: int) -> Iterator[Line]:
    while waiting and waiting[-1].valid_until <= until:
        lot = waiting.pop()
        balance -= lot.left
        yield Line("expired", lot.valid_until, -lot.left, balance, lot)
