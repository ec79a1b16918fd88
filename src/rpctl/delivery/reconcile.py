"""What a customer's summary tells of a change that was sent. Pure.

A marker that is found proves that the change is in. One that is not found proves that it is not in only where that
marker is known to survive at this service (``import.md``, Exactly once, 2 and 4).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from rpctl.backends.port import Sending
    from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary

ID: Final = "id"
DESCRIPTION: Final = "description"


class Verdict(Enum):
    """What is known: it is in, it is not in, or that cannot be told."""

    APPLIED = "applied"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Found(NamedTuple):
    """A verdict, and the entry where there is one."""

    verdict: Verdict
    entry: Entry | None = None


def entries_like(sending: Sending, summary: Summary) -> tuple[AddedPoints, ...] | tuple[RedeemedPoints, ...]:
    """The entries among which the sending's would be."""
    return summary.redeemed if sending.kind == "redeem" else summary.added


def find(sending: Sending, summary: Summary | None, key: str) -> Entry | None:
    """The entry that carries one of the sending's markers; ``summary`` None: there is no such customer.

    The token counts whether it was sent or not: another machine may not have known yet what survives. A reference
    counts only if it is the key: the service books orders under the same references by itself.
    """
    if summary is None:
        return None
    for entry in entries_like(sending, summary):
        if entry.id == sending.entry_id or entry.token == sending.token:
            return entry
        if sending.reference_id == key and getattr(entry, "reference_id", None) == key:
            return entry
    return None


def judge(sending: Sending, summary: Summary | None, key: str, known: Mapping[str, bool]) -> Found:
    """The verdict over a sending that was not clearly answered; ``known``: marker -> whether it survives here."""
    entry = find(sending, summary, key)
    if entry is not None:
        return Found(Verdict.APPLIED, entry)
    if summary is None or not entries_like(sending, summary):
        return Found(Verdict.ABSENT)  # there is nothing that it could be
    sent = {ID: True, DESCRIPTION: sending.tagged}
    could_tell = any(known.get(marker) and is_sent for marker, is_sent in sent.items())
    return Found(Verdict.ABSENT if could_tell else Verdict.UNKNOWN)


def survivors(sending: Sending, summary: Summary | None, key: str) -> dict[str, bool]:
    """After a clear success: which of the markers that were sent are still there. An entry that cannot be found
    kept none."""
    entry = find(sending, summary, key)
    kept = {ID: entry is not None and entry.id == sending.entry_id}
    if sending.tagged:
        kept[DESCRIPTION] = entry is not None and entry.token == sending.token
    return kept


def is_same(sending: Sending, entry: Entry) -> bool:
    """Whether an entry under the sending's markers is what was asked for, as far as the service keeps it."""
    if entry.points != sending.points:
        return False
    reference = getattr(entry, "reference_id", None)
    return sending.reference_id is None or reference is None or reference == sending.reference_id
