"""What a service that keeps keys answers to one that it has seen: learned by repeating a change, and remembered.

The code of that outcome is not documented, so one applied change of each target is sent a second time, which changes
nothing by contract (``import.md``, Exactly once). What the answer is good for decides whether a change whose answer was
lost may be sent again. Two more things are learned where a change comes by that shows them: whether a refused change
leaves its key free, and whether a redemption that is in is told by its key or by the points that it left too few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rpctl.backends.port import Receipt, Unsettled
from rpctl.errors import CustomerNotFound, KeyReused, RpctlError

if TYPE_CHECKING:
    from rpctl.backends.port import Sending, Service
    from rpctl.delivery.journal import Delivery, Journal

UNKNOWN: Final = "outcome_unknown"
_LESSONS: Final = 3
_ORDER: Final = "order"


class Answer(StrEnum):
    """How a target answers a key that it has seen: with an outcome of its own; with a success that changes nothing;
    with an outcome that it has for other changes too; by counting the change once more, against the contract."""

    REFUSED = "refused"
    REPEATED = "repeated"
    SHARED = "shared"
    COUNTED = "counted"


class KeyAnswer(NamedTuple):
    """What a target answers; ``outcome``: the code and the symbolic name, where it refuses. ``frees``: whether a change
    that it refused leaves its key free; ``is_first``: whether it tells that a key was used although there are too few
    points for the change; None: that is not known."""

    answer: Answer
    outcome: tuple[str, str] = ("", "")
    frees: bool | None = None
    is_first: bool | None = None


class Verdict(StrEnum):
    """What a refusal says: the key was used by this change; by another one; it was not, and something else is wrong;
    that cannot be told; nobody looked at the key."""

    USED = "used"
    ELSEWHERE = "elsewhere"
    OTHER = "other"
    UNSURE = "unsure"
    UNREAD = "unread"


class UsedKeys:
    """What one target is known to answer. Belongs to the thread that writes the journal."""

    def __init__(self, journal: Journal, warn: Callable[[str], None]) -> None:
        self._journal = journal
        self._warn = warn
        self._known: KeyAnswer | None = None
        self._is_read = False
        self._vain: Counter[str] = Counter()

    @property
    def known(self) -> KeyAnswer | None:
        """None: nothing yet. May raise what the journal raises, but only when it is asked for first."""
        if not self._is_read:
            self._known, self._is_read = self._journal.key_answer(), True
        elif self._known is None:
            with suppress(RpctlError):  # another process may have learned it
                self._known = self._journal.key_answer()
        return self._known

    @property
    def is_to_be_learned(self) -> bool:
        """Whether a clear success may still teach."""
        return any(map(self.is_lesson, ("add", "redeem")))

    def is_lesson(self, kind: str) -> bool:
        """Whether the next clear success of this kind is to be repeated; some that taught nothing are enough."""
        return self.known is None and self._vain[_kind(kind)] < _LESSONS

    @property
    def may_send_again(self) -> bool:
        """Whether sending a change again is harmless here."""
        return self.known is None or self.known.answer is not Answer.COUNTED

    @property
    def can_tell(self) -> bool:
        """Whether sending a change again tells what became of it, now or once the answer is learned."""
        return self.known is None or self.known.answer in (Answer.REFUSED, Answer.REPEATED)

    def judge(self, error: RpctlError, row: Delivery) -> Verdict:
        """What a refusal of a change says of its key; ``row``: what was known of it before it left."""
        outcome = getattr(error, "outcome", None)
        if outcome is None:
            return Verdict.UNREAD
        if self.known is None or self.known.answer is Answer.COUNTED:
            return Verdict.UNSURE
        if self.known.answer is Answer.REPEATED or outcome != self.known.outcome:
            return Verdict.OTHER
        if not self.is_used(error):
            return Verdict.UNSURE
        if row.told is not None and row.told[0] == KeyReused.code:
            return Verdict.ELSEWHERE  # it was used before anything of this change was sent
        return Verdict.USED if self.known.frees or not was_refused(row) else Verdict.UNSURE

    def can_tell_of(self, row: Delivery) -> bool:
        """The same as `can_tell` of one change: of one that was refused before, a used key says nothing."""
        frees = self.known is not None and self.known.frees
        return self.can_tell and (not was_refused(row) or bool(frees))

    def told(self, row: Delivery) -> KeyReused:
        """The refusal of a key that was used before the change was sent for the first time."""
        told = f"The service has seen the key {row.key!r} before: from another machine, for this change or another one."
        may_be_own = was_refused(row) and not (row.told and row.told[0] == KeyReused.code)
        if may_be_own and self.known is not None and not self.known.frees:
            told = f"The service has seen the key {row.key!r} before: elsewhere, or when it refused this change."
        refusal = KeyReused(
            told,
            "`rpctl points history CUSTOMER` shows whether it is in; only if it is not, send it with another key.",
            key=row.key,
        )
        refusal.is_elsewhere = True
        return refusal

    def is_used(self, error: RpctlError) -> bool:
        """Whether the answer is the one to a used key, and stands for nothing else."""
        known = self.known
        is_own = known is not None and known.answer is Answer.REFUSED
        return is_own and known is not None and getattr(error, "outcome", None) == known.outcome

    # -- learned ---------------------------------------------------------------------------------------

    def is_shared(self) -> None:
        """A key that nobody can have used was answered like a used one: from now on that says nothing."""
        if self.known is not None and self.known.answer is Answer.REFUSED:
            self._remember(self.known._replace(answer=Answer.SHARED))

    def wants(self, sending: Sending) -> bool | None:
        """Whether to repeat it once it is applied: where what is left would do for it once more (True) or would not
        (False); None: there is nothing to learn from it."""
        if self.is_lesson(sending.kind):
            return True
        is_open = self.known is not None and self.known.is_first is None and self._vain[_ORDER] < _LESSONS
        return False if is_open and self.can_tell and sending.kind == "redeem" else None

    def learn(self, sending: Sending, first: Receipt, repeated: Receipt | RpctlError | None) -> None:
        """What came of an applied change, and of sending it a second time; None: it was not, or its answer was lost."""
        covered = covers(first.active_points, sending)
        if self.known is None:
            if covered is True:  # or it may have been refused for the points that are left
                self._learn_answer(sending, first, repeated)
            self._vain[_kind(sending.kind)] += self.known is None
        elif self.known.is_first is None and covered is False and repeated is not None:
            self._learn_order(first, repeated)
            self._vain[_ORDER] += self.known.is_first is None

    def _learn_answer(self, sending: Sending, first: Receipt, repeated: Receipt | RpctlError | None) -> None:
        if isinstance(repeated, RpctlError):
            outcome = getattr(repeated, "outcome", None)
            if outcome is not None:
                self._remember(KeyAnswer(Answer.REFUSED if any(outcome) else Answer.SHARED, outcome))
        elif repeated is not None:
            points = -sending.points if sending.kind == "redeem" else sending.points
            before, after = first.active_points, repeated.active_points
            if before is None or after is None or after - before == points:
                self._remember(KeyAnswer(Answer.COUNTED))
                self._warn(
                    f"the service did not refuse key {sending.key} a second time: it may have counted twice, against "
                    "its own contract; `rpctl points history CUSTOMER` shows it. Nothing is sent a second time any more"
                )
            elif before == after:
                self._remember(KeyAnswer(Answer.REPEATED))

    def _learn_order(self, first: Receipt, repeated: Receipt | RpctlError) -> None:
        assert self.known is not None
        if isinstance(repeated, Receipt):
            is_first = self.known.answer is Answer.REPEATED and repeated.active_points == first.active_points
            self._remember(self.known._replace(is_first=is_first))
        elif getattr(repeated, "outcome", None) is not None:
            self._remember(self.known._replace(is_first=self.is_used(repeated)))

    @property
    def is_freeing_open(self) -> bool:
        """Whether sending a change again that was refused for lack of points is to tell if its key is still free."""
        return self.known is not None and self.known.answer is Answer.REFUSED and self.known.frees is None

    def learn_freeing(self, repeated: RpctlError) -> None:
        """What a change was answered that had been refused for lack of points before, clearly and by nobody else."""
        if self.is_freeing_open and getattr(repeated, "outcome", None) is not None:
            if self.is_used(repeated):
                self.is_shared()
            elif self.known is not None:
                self._remember(self.known._replace(frees=True))

    def _remember(self, answer: KeyAnswer) -> None:
        self._known = answer
        with suppress(RpctlError):  # it is learned again another time
            self._journal.learn_key_answer(answer)


def was_refused(row: Delivery) -> bool:
    """Whether the service clearly refused the change before: it may count its key as used since."""
    return row.told is not None and row.told[0] != UNKNOWN


def covers(active_points: int | None, sending: Sending) -> bool | None:
    """Whether so many points would do for a change; None: they are not known."""
    if sending.kind != "redeem":
        return True
    return None if active_points is None else active_points >= sending.points


def is_covered(service: Service, sending: Sending) -> bool:
    """Whether what the customer has now would do for a change, so that it was not refused for lack of points."""
    try:
        return sending.kind != "redeem" or service.active_points(sending.customer_id) >= sending.points
    except CustomerNotFound:
        return True
    except RpctlError:
        return False


def learn_from_before(keys: UsedKeys, journal: Journal, service: Service) -> None:
    """Repeats a change that is known to be in from before, where there is one and something is to be learned."""
    if not keys.is_to_be_learned:
        return
    known = journal.an_applied()
    if known is None or not known.sending.key:
        return
    try:
        before = Receipt(active_points=service.active_points(known.sending.customer_id))
    except RpctlError:
        return  # it is learned from the next change
    if covers(before.active_points, known.sending):
        keys.learn(known.sending, before, repeat(service, known.sending))


def repeat(service: Service, sending: Sending) -> Receipt | RpctlError | None:
    """Sends an applied change once more: what `UsedKeys.learn` is told of it. Nothing of it is to be written."""
    try:
        return service.send(sending, _left, patient=False)
    except Unsettled:
        return None
    except RpctlError as error:
        return error


def _left(*_: Any) -> None:
    """What is repeated is in already."""


def _kind(kind: str) -> str:
    return "redeem" if kind == "redeem" else "add"
