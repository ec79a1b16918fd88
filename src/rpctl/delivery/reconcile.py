"""What a customer's summary tells of a change that was sent. Pure.

A marker that is found proves that the change is in. One that is not found proves that it is not in only where that
marker is known to survive at this service (``import.md``, Exactly once, 2 and 4).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from rpctl.backends.port import Sending
    from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary

ID: Final = "id"
DESCRIPTION: Final = "description"
_ANY_LENGTH: Final = 1


class Verdict(Enum):
    """What is known: it is in, it is not in, or that cannot be told."""

    APPLIED = "applied"
    ABSENT = "absent"
    UNKNOWN = "unknown"


class Found(NamedTuple):
    """A verdict, and the entry where there is one."""

    verdict: Verdict
    entry: Entry | None = None


def marked(sending: Sending, entries: Iterable[Entry]) -> list[Entry]:
    """The entries that carry the sending's id or token. The token counts whether it was sent or not: another machine
    may not have known yet what survives."""
    return [one for one in entries if one.id == sending.entry_id or one.token == sending.token]


def alike(sending: Sending, summary: Summary) -> tuple[AddedPoints, ...] | tuple[RedeemedPoints, ...]:
    """The entries among which the sending's would be."""
    return summary.redeemed if sending.kind == "redeem" else summary.added


def find(sending: Sending, summary: Summary | None, key: str) -> Entry | None:
    """The entry that the sending made; ``summary`` None: there is no such customer.

    A reference counts only if it is the key, and if the rest is the same: the service books orders under the same
    references by itself.
    """
    if summary is None:
        return None
    entries = alike(sending, summary)
    for entry in marked(sending, entries):
        return entry
    if sending.reference_id != key:
        return None
    by_reference = (one for one in entries if getattr(one, "reference_id", None) == key)
    return next((one for one in by_reference if is_same(sending, one)), None)


def judge(sending: Sending, summary: Summary | None, key: str, known: Mapping[str, int]) -> Found:
    """The verdict over a sending that was not clearly answered; ``known``: how far each marker reaches here."""
    entry = find(sending, summary, key)
    if entry is not None:
        return Found(Verdict.APPLIED, entry) if is_same(sending, entry) else Found(Verdict.UNKNOWN)
    if summary is None or not alike(sending, summary):
        return Found(Verdict.ABSENT)  # there is nothing that it could be
    # Seen were so many characters, and they may be counted in bytes.
    needed = {ID: _ANY_LENGTH, DESCRIPTION: len((sending.text or "").encode())}
    sent = {ID: True, DESCRIPTION: sending.tagged}
    could_tell = any(sent[marker] and known.get(marker, 0) >= needed[marker] for marker in sent)
    return Found(Verdict.ABSENT if could_tell else Verdict.UNKNOWN)


def learned(sending: Sending, summary: Summary | None, key: str, known: Mapping[str, int]) -> dict[str, int]:
    """What a clear success tells of the markers that were sent: how far each reaches now. An id reaches or does not;
    a description may be kept to some length only, so that a token reaches no farther than was seen."""
    entry = find(sending, summary, key)
    found = {ID: int(entry is not None and entry.id == sending.entry_id)}
    if sending.tagged:
        length, before = len(sending.text or ""), known.get(DESCRIPTION, 0)
        if entry is not None and entry.token == sending.token:
            found[DESCRIPTION] = max(before, length)
        else:
            found[DESCRIPTION] = before if before < length else 0
    return found


def is_same(sending: Sending, entry: Entry) -> bool:
    """Whether an entry under the sending's markers is what was asked for, as far as the service keeps it."""
    if entry.points != sending.points:
        return False
    reference = getattr(entry, "reference_id", None)
    return sending.reference_id is None or reference is None or reference == sending.reference_id
