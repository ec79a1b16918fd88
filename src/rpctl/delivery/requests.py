"""Changes as they leave for a service: what an order value earns, moments, and what a reversal comes to.

Everything that depends on the moment is decided here once and kept in the journal: a change that is gone on with is the
one that was sent.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Protocol

from rpctl.backends.port import Sending
from rpctl.delivery.refusals import program_disabled
from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.markers import marker_id, marker_token
from rpctl.domain.points import AddedPoints, RedeemedPoints, description_of
from rpctl.domain.program import Program
from rpctl.domain.values import NEVER, format_instant
from rpctl.errors import (
    AlreadyReversed,
    EarnsNothing,
    InvalidValue,
    KeyReused,
    NothingToReverse,
    NotReversible,
    UnsupportedOperation,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from rpctl.backends.port import Receipt
    from rpctl.domain.points import Entry, Summary
    from rpctl.domain.values import Instant


class Known(Protocol):
    """What is to be known of a service."""

    @property
    def capabilities(self) -> frozenset[str]:
        """See `Backend`."""
        ...

    @property
    def target(self) -> str:
        """See `Service`."""
        ...

    def program(self, site_code: str) -> Program:
        """See `Backend`."""
        ...

    def check(self, sending: Sending) -> None:
        """See `Service`."""
        ...


_WITHOUT: Final = "Leave it out, or say it in the reason or the description."
_WITHOUT_REASON: Final = "Leave it out, or say it in --description, which the customer sees."


def sending_of(change: Change, service: Known, now: Instant, summary: Callable[[], Summary]) -> Sending:
    """The change as it leaves; ``summary`` reads the customer's points where that is needed.

    Raises `UnsupportedOperation` for what the service cannot keep, `InvalidValue` for impossible dates and what else
    the service does not take, `ProgramDisabled`, `EarnsNothing`, and of a reversal `EntryNotFound`, `AlreadyReversed`,
    `NotReversible`, `NothingToReverse`, `CustomerNotFound`.
    """
    _check_kept(change, service.capabilities)
    if isinstance(change, AddPoints):
        sending = _add(change, service, now)
    elif isinstance(change, RedeemPoints):
        sending = _redeem(change, now, service.target)
    else:
        sending = _reverse(change, now, summary(), service.target)
    sending = sending._replace(key=change.key, reason=change.reason)
    service.check(sending)
    return sending


def _check_kept(change: Change, capabilities: frozenset[str]) -> None:
    if change.reason is not None and "reason" not in capabilities:
        raise UnsupportedOperation("The service keeps no internal reason, so --reason cannot be kept.", _WITHOUT_REASON)
    if isinstance(change, Reverse):
        if "reversals" not in capabilities:
            raise UnsupportedOperation(
                "The service does not tell what is left of an entry, so it cannot be reversed.",
                "`rpctl points add` and `rpctl points redeem` book the opposite.",
            )
        return
    if change.reference_id is not None and "references" not in capabilities:
        raise UnsupportedOperation("The service keeps no references, so --reference cannot be kept.", _WITHOUT)
    if "dates" in capabilities:
        return
    if change.created_at is not None:
        raise UnsupportedOperation("The service dates changes itself, so --created-at cannot be kept.", _WITHOUT)
    if isinstance(change, AddPoints) and change.valid_until is not None:
        raise UnsupportedOperation("The service decides when points end, so --valid-until cannot be kept.", _WITHOUT)


def _add(change: AddPoints, service: Known, now: Instant) -> Sending:
    _not_later(change.created_at, now)
    points = change.points
    if points is None:
        points = _earned(change, service)
    start = now if change.created_at is None else change.created_at
    valid_until = None if change.valid_until is None else change.valid_until.resolve(start)
    if valid_until is not None and valid_until < start:
        raise InvalidValue(
            f"The points would be valid until {format_instant(valid_until)}, before they were created "
            f"({format_instant(start)}).",
            "Name a later end; points that were valid in the past need a createdAt in the past too.",
        )
    return Sending(
        "create" if change.customers is Customers.NEW else "add",
        change.customer_id,
        points,
        *marks_of(service.target, change.key),
        description=change.description,
        reference_id=change.reference_id,
        created_at=change.created_at,
        valid_until=valid_until,
        site_code=change.site_code,
    )


def _earned(change: AddPoints, service: Known) -> int:
    assert change.order_value is not None
    if change.factor is not None:
        try:
            return Program(change.site_code, factor=change.factor).points_for(change.order_value)
        except EarnsNothing as error:
            error.hint = "points = order value x --factor, rounded down."
            raise
    if "program" not in service.capabilities:
        raise InvalidValue(
            "The service has no program that says what an order value earns.",
            "Say how many points one unit of it is: --factor 0.5",
        )
    program = service.program(change.site_code)
    if not program.enabled:
        raise program_disabled(change.site_code)
    return program.points_for(change.order_value)


def _redeem(change: RedeemPoints, now: Instant, target: str) -> Sending:
    _not_later(change.created_at, now)
    if change.points is None:
        raise UnsupportedOperation(
            "Over the service points are exchanged for a coupon by the customer only.",
            f"With the customer's own token: rpctl me redeem {change.option_id}",
        )
    return Sending(
        "redeem",
        change.customer_id,
        change.points,
        *marks_of(target, change.key),
        description=change.description,
        created_at=change.created_at,
    )


def _reverse(change: Reverse, now: Instant, summary: Summary, target: str) -> Sending:
    entry = summary.find(change.entry_id)
    own = {one.id: marks_of(target, reversal_of(one.id)) for one in summary.entries()}
    ids, tokens = {found[0] for found in own.values()}, {found[1] for found in own.values()}
    if entry.id in ids or entry.token in tokens:
        raise NotReversible(f"Entry {entry.id} is itself a reversal.")
    markers = own[entry.id]
    for one in summary.entries():
        if one.id == markers[0] or one.token == markers[1]:
            raise already_reversed(entry.id, one.id)
    if isinstance(entry, AddedPoints):
        return _take_back(change, summary, entry, markers, now)
    return _give_back(change, summary, entry, markers, now)


def ends_of(redemption: RedeemedPoints, summary: Summary) -> Instant:
    """Until when the longest-lived of the points that a redemption used were valid (``ledger.md`` rule 4), or where the
    service does not tell which these were, of all that were used."""
    uses = ((lot.valid_until, use.redemption_id) for lot in summary.added for use in lot.used_with)
    ends = [until for until, used_by in uses if used_by == redemption.id]
    used = (lot.valid_until for lot in summary.added if lot.used_points or "usedPoints" in lot.untold)
    return max(ends) if ends else max(used, default=NEVER)


def already_reversed(entry_id: str, by: str) -> AlreadyReversed:
    """The refusal to reverse an entry once more."""
    return AlreadyReversed(f"Entry {entry_id} was reversed before, by entry {by}.", entryId=by)


def reversal_of(entry_id: str) -> str:
    """The key under which an entry is reversed, whichever key that is asked with."""
    return f"reversal of {entry_id}"


def _take_back(change: Reverse, summary: Summary, lot: AddedPoints, markers: tuple[str, str], now: Instant) -> Sending:
    left = min(lot.left, summary.active_points) if lot.is_valid(now) else 0
    if left < 1:
        why = "spent" if lot.left < 1 or lot.is_valid(now) else "expired"
        raise NothingToReverse(f"Nothing is left of entry {lot.id}: its points are {why}.", reason=why)
    return Sending(
        "redeem", change.customer_id, left, *markers,
        description=change.description or description_of(redeemed=True, is_reversal=True), short=lot.points - left,
        reverses=lot.id,
    )  # fmt: skip


def _give_back(
    change: Reverse, summary: Summary, redemption: RedeemedPoints, markers: tuple[str, str], now: Instant
) -> Sending:
    valid_until = ends_of(redemption, summary)
    if valid_until <= now:
        raise NothingToReverse(
            f"The points that entry {redemption.id} used would have expired on {format_instant(valid_until)}.",
            "To give points all the same, use `rpctl points add`.",
            reason="expired",
        )
    return Sending(
        "add", change.customer_id, redemption.points, *markers,
        description=change.description or description_of(redeemed=False, is_reversal=True),
        valid_until=valid_until, reverses=redemption.id,
    )  # fmt: skip


def marks_of(target: str, key: str) -> tuple[str, str]:
    """The id and the token of a key in these books."""
    return marker_id(target, key), marker_token(target, key)


def _not_later(asked: Instant | None, now: Instant) -> None:
    if asked is not None and asked > now:
        raise InvalidValue(
            f"createdAt {format_instant(asked)} is later than now.", "Name a day up to today, or leave it out."
        )


def as_sent(sending: Sending) -> Entry:
    """The entry as it was sent, where the service does not show it; what only the service knows is left out."""
    about = sending.description or ""
    untold = ("allPointsAfterCreation", "usedPoints", "usedWith", *(["createdAt"] * (sending.created_at is None)))
    created_at = sending.created_at or 0
    if sending.kind == "redeem":
        return RedeemedPoints(
            sending.entry_id, sending.customer_id, sending.points, created_at, 0, about, untold=untold
        )  # fmt: skip
    until = NEVER if sending.valid_until is None else sending.valid_until
    return AddedPoints(
        sending.entry_id, sending.customer_id, sending.points, created_at, until, 0,
        reference_id=sending.reference_id, description=about, untold=untold,
    )  # fmt: skip


def as_told(sending: Sending, receipt: Receipt) -> Entry:
    """The same of a service that shows no entry under its key: it has no id, and the balance is what the service told
    with its success."""
    own = ["id", "reference-id", *as_sent(sending).untold]
    if receipt.active_points is not None:
        own.remove("allPointsAfterCreation")
    return replace(as_sent(sending), all_points_after_creation=receipt.active_points or 0, untold=tuple(own))


def probe_of(change: Change, service: Known) -> Sending | None:
    """What to look for of a change before anything is decided about it; 0 points: whatever an order value earned."""
    if isinstance(change, Reverse):
        return None  # known by what it reverses: `sending_of` looks for that
    kind = "redeem" if isinstance(change, RedeemPoints) else "add"
    markers = marks_of(service.target, change.key)
    return Sending(kind, change.customer_id, change.points or 0, *markers, reference_id=change.reference_id)


def key_reused(key: str) -> KeyReused:
    """The refusal of a key that stands for another request."""
    return KeyReused(f"The key {key!r} belongs to another change.", key=key)


def fingerprint(change: Change) -> str:
    """The digest of what was asked for (``ledger.md`` rule 5)."""
    return hashlib.sha256(change.canonical().encode()).hexdigest()
