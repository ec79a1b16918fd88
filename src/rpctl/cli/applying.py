"""One change of points, on a ledger or over a service: applied, and what came of it told."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING, Final

from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown, Withheld
from rpctl.errors import OutcomeUnknown, RpctlError
from rpctl.render.points import written_entry

if TYPE_CHECKING:
    from rpctl.cli.services import Session
    from rpctl.domain.changes import Change
    from rpctl.render.views import View

_WITH_KEY: Final = {("points", "add"), ("points", "redeem"), ("points", "reverse"), ("customer", "create")}
"""Noun and verb of the commands that take a key."""

_BLIND: Final = (
    "This service keeps no marks to tell by. `rpctl points history CUSTOMER` shows whether it is in; only if it is "
    "not, send it with another key."
)


def apply(session: Session, change: Change, *, key_given: bool) -> View:
    """Applies the change and shows its entry, with the notes that belong to it. Raises what refused it, and
    `OutcomeUnknown`."""
    outcome = _outcome(session, change, key_given=key_given)
    if isinstance(outcome, Refused):
        raise outcome.error
    if isinstance(outcome, Unknown):
        raise _unknown(session, change.key, outcome)
    if isinstance(outcome, Withheld):  # of many changes only
        raise RpctlError(f"The change with key {change.key} was not sent.")
    if isinstance(outcome, AlreadyApplied):
        session.terminal.note(_already(session, change.key))
    else:
        _note(session, change, outcome, key_given=key_given)
        if session.settings.records_offline:
            session.terminal.note("recorded offline; `rpctl sync push` sends it")
        elif session.settings.is_aside:
            session.terminal.note(f"on the ledger {session.settings.ledger} for itself: it is not sent to the service")
    if outcome.entry is None:
        raise RpctlError(f"The outcome of key {change.key} is {outcome}.")
    code = getattr(outcome.entry, "coupon_code", None)
    return written_entry(outcome.entry, code=code) if code else written_entry(outcome.entry)


def _outcome(session: Session, change: Change, *, key_given: bool) -> Outcome:
    session.check_writable(None)
    if session.settings.is_online:
        outcome = session.deliverer.apply(change, key_given=key_given)
        if session.settings.ledger.exists():
            from rpctl.cli.remembering import note_truth

            note_truth(session, change.customer_id)
        return outcome
    return session.book.apply([change])[0]


def _already(session: Session, key: str) -> str:
    if session.settings.records_offline:
        from rpctl.cli.remembering import state_of

        return f"key {key} {state_of(session, key)}; nothing changed"
    return f"key {key} is in already; nothing changed"


def _note(session: Session, change: Change, outcome: Applied, *, key_given: bool) -> None:
    note = session.terminal.note
    if not key_given:
        note(f"key {change.key}")
    if outcome.created_customer and getattr(change, "customers", None) != "new":
        is_offline = session.settings.records_offline
        note(f"customer {change.customer_id} is {'not known offline' if is_offline else 'new'}")
    if outcome.expired_on_arrival:
        note("these points are past their validity already")
    if outcome.short:
        note(f"{outcome.points} points were left to reverse; {outcome.short} are spent")


def _unknown(session: Session, key: str, outcome: Unknown) -> OutcomeUnknown:
    hint = f"This finds out, and counts once: {_repeated(session)}" if outcome.can_be_told else _BLIND
    error = OutcomeUnknown(outcome.message, hint, key=key)
    return error.of_request(*outcome.answer) if outcome.answer else error


def _repeated(session: Session) -> str:
    """This very command line, with the key that was made for it."""
    words = list(session.argv)
    if session.fresh_key:
        # Right after the verb, where it cannot be taken for another option's value.
        pairs = [at for at in range(1, len(words)) if (words[at - 1], words[at]) in _WITH_KEY]
        words.insert(pairs[0] + 1 if pairs else len(words), f"--key={session.fresh_key}")
    return " ".join(map(quote, ("rpctl", *words)))
