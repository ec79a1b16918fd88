"""What a service that keeps keys answers to one that it has seen: learned by repeating a change, and remembered.

The code of that outcome is not documented, so one applied change of each target is sent a second time, which changes
nothing by contract (``import.md``, Exactly once). What the answer is good for decides whether a change whose answer was
lost may be sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from rpctl.backends.port import Receipt, Unsettled
from rpctl.errors import RpctlError

if TYPE_CHECKING:
    from rpctl.backends.port import Sending, Service
    from rpctl.delivery.journal import Journal

    Send = Callable[[Sending], Receipt]


class Answer(StrEnum):
    """How a target answers a key that it has seen: with an outcome of its own; with a success that changes nothing;
    with an outcome that it has for other refusals too; by counting the change once more, against the contract."""

    REFUSED = "refused"
    REPEATED = "repeated"
    SHARED = "shared"
    COUNTED = "counted"


class KeyAnswer(NamedTuple):
    """What a target answers; ``outcome``: the code and the symbolic name, where it refuses."""

    answer: Answer
    outcome: tuple[str, str] = ("", "")


class Verdict(StrEnum):
    """What a refusal says: the key was used; it was not, and something else is wrong; that cannot be told."""

    USED = "used"
    OTHER = "other"
    UNSURE = "unsure"


class UsedKeys:
    """What one target is known to answer. Belongs to the thread that writes the journal."""

    def __init__(self, journal: Journal, warn: Callable[[str], None]) -> None:
        self._journal = journal
        self._warn = warn
        self._known: KeyAnswer | None = None

    @property
    def known(self) -> KeyAnswer | None:
        """None: nothing yet. May raise what the journal raises."""
        if self._known is None:
            self._known = self._journal.key_answer()
        return self._known

    @property
    def is_to_be_learned(self) -> bool:
        """Whether the next clear success is to be repeated."""
        return self.known is None

    @property
    def may_send_again(self) -> bool:
        """Whether sending a change again is harmless here."""
        return self.known is None or self.known.answer is not Answer.COUNTED

    @property
    def can_tell(self) -> bool:
        """Whether sending a change again tells what became of it, now or once the answer is learned."""
        return self.known is None or self.known.answer in (Answer.REFUSED, Answer.REPEATED)

    def judge(self, error: RpctlError) -> Verdict:
        """What a refusal of a change says of its key."""
        outcome = getattr(error, "outcome", None)
        if outcome is None:
            return Verdict.OTHER  # a refusal of the request itself: nobody looked at the key
        if self.known is None or self.known.answer is Answer.COUNTED:
            return Verdict.UNSURE
        if outcome != self.known.outcome:
            return Verdict.OTHER
        return Verdict.UNSURE if self.known.answer is Answer.SHARED else Verdict.USED

    def is_shared(self) -> None:
        """A key that nobody can have used was answered like a used one: from now on that says nothing."""
        if self.known is not None:
            self._remember(self.known._replace(answer=Answer.SHARED))

    def learn(self, sending: Sending, first: Receipt, repeated: Receipt | RpctlError | None) -> None:
        """What came of sending an applied change a second time; None: its answer was lost."""
        if isinstance(repeated, RpctlError):
            outcome = getattr(repeated, "outcome", None)
            if outcome is not None:
                self._remember(KeyAnswer(Answer.REFUSED, outcome))
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

    def _remember(self, answer: KeyAnswer) -> None:
        self._known = answer
        with suppress(RpctlError):  # it is learned again another time
            self._journal.learn_key_answer(answer)


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
    keys.learn(known.sending, before, repeat(lambda: service.send(known.sending, lambda: None)))


def repeat(send: Callable[[], Receipt]) -> Receipt | RpctlError | None:
    """Sends an applied change once more: what `UsedKeys.learn` is told of it."""
    try:
        return send()
    except Unsettled:
        return None
    except RpctlError as error:
        return error
