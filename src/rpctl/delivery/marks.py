"""What one service is known to keep of the marks that are sent, for many changes of one process."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from rpctl.delivery import reconcile
from rpctl.errors import RpctlError

if TYPE_CHECKING:
    from rpctl.backends.port import Sending
    from rpctl.delivery.journal import Delivery, Journal
    from rpctl.domain.points import Summary

_LESSONS: Final = 3


class Marks:
    """How far each marker reaches, by the kind of sending. What is not known is learned from the first clear success of
    a kind, sent alone (``import.md``, Exactly once, 2). That nothing is kept is believed after some that agree."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._known: dict[str, dict[str, int]] = {}
        self._lessons: dict[str, int] = {}

    def of(self, kind: str) -> dict[str, int]:
        """What is known; nothing: nothing is."""
        if kind not in self._known:
            self._known[kind] = self._journal.markers(kind)
        return self._known[kind]

    def is_blind(self, kind: str) -> bool:
        """Whether this service is known to keep no marks."""
        known = self.of(kind)
        return bool(known) and not any(known.values())

    def is_to_be_learned(self, kind: str) -> bool:
        """Whether the next of this kind is to be sent alone."""
        return not self.of(kind) and self._lessons.get(kind, 0) < _LESSONS

    def is_tagged(self, kind: str) -> bool:
        """Whether the token goes with it: as long as the id is not known to be kept."""
        return not self.of(kind).get(reconcile.ID)

    def reaches(self, sending: Sending) -> bool:
        """Whether nothing more is to be learned from this one: where ids are not kept, its text is no longer than one
        that was seen to survive."""
        known = self.of(sending.kind)
        if known.get(reconcile.ID) or not known.get(reconcile.DESCRIPTION):
            return True
        return known[reconcile.DESCRIPTION] >= len((sending.text or "").encode())

    def learn(self, row: Delivery, summary: Summary | None, *, is_lesson: bool) -> None:
        """What a clear success tells; ``summary`` None: it could not be read."""
        kind = row.sending.kind
        if is_lesson:
            self._lessons[kind] = self._lessons.get(kind, 0) + 1
        if summary is None:
            return
        found = reconcile.learned(row.sending, summary, row.key, self.of(kind))
        # What is not seen may not be shown yet, and would never be looked for again.
        if any(found.values()) or self.of(kind) or self._lessons[kind] >= _LESSONS:
            self._remember(kind, found)

    def confirm(self, row: Delivery, summary: Summary | None) -> None:
        """What an entry that was found tells of the marks that it carries."""
        kind = row.sending.kind
        seen = reconcile.learned(row.sending, summary, row.key, self.of(kind))
        self._remember(kind, {marker: reach for marker, reach in seen.items() if reach})

    def _remember(self, kind: str, found: dict[str, int]) -> None:
        known = self.of(kind)
        if found != {marker: known.get(marker) for marker in found}:
            self._known[kind] = known | found
            with suppress(RpctlError):  # it is learned again another time
                self._journal.learn(kind, found)
