"""Wire documents to domain values and back. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rpctl.domain.markers import split_token
from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use
from rpctl.domain.program import Program
from rpctl.domain.redeem_options import RedeemOption
from rpctl.domain.values import EARLIEST, LATEST, NEVER, Instant, format_instant, instant_of

if TYPE_CHECKING:
    from rpctl.backends.emporix import wire
    from rpctl.backends.port import Sending

FOR_EVER: Final = "9999-12-31T23:59:59.999Z"
"""How points without an end are sent where the program would set one: left out, the service decides."""

_LAST_YEAR: Final = 9999


def summary_of(document: wire.Summary) -> Summary:
    """A customer's points. What is redeemed beyond the lots listed is nobody's guess: numbers stay as they came."""
    lists = document.summary
    customer_id = document.customer_id
    return Summary(
        customer_id,
        document.active_points,
        tuple(_added(customer_id, one) for one in lists.added or ()),
        tuple(_redeemed(customer_id, one) for one in lists.redeemed or ()),
    )


def _added(customer_id: str, document: wire.AddedPoints) -> AddedPoints:
    description, token = split_token(document.description or "")
    return AddedPoints(
        id=document.id,
        customer_id=customer_id,
        points=document.points,
        created_at=_instant(document.created_at),
        valid_until=_end(document.valid_until),
        all_points_after_creation=document.all_points_after_creation,
        used_points=document.used_points,
        used_with=tuple(map(Use, document.used_with or ())),
        reference_id=document.reference_id,
        description=description,
        token=token,
        untold=_untold(document),
    )


def _redeemed(customer_id: str, document: wire.RedeemedPoints) -> RedeemedPoints:
    description, token = split_token(document.description or "")
    return RedeemedPoints(
        id=document.id,
        customer_id=customer_id,
        points=document.points,
        created_at=_instant(document.created_at),
        all_points_after_creation=document.all_points_after_creation,
        description=description,
        token=token,
        untold=_untold(document),
    )


def _untold(document: wire.AddedPoints | wire.RedeemedPoints) -> tuple[str, ...]:
    """The numbers and dates that the service left out, by their names."""
    names = {
        "created_at": "createdAt",
        "all_points_after_creation": "allPointsAfterCreation",
        "used_points": "usedPoints",
    }
    told = {field for field in document.model_fields_set if getattr(document, field) is not None}
    return tuple(name for field, name in names.items() if field not in told and hasattr(document, field))


def _instant(moment: datetime | None) -> Instant:
    return 0 if moment is None else min(max(instant_of(moment), EARLIEST), LATEST)


def _end(moment: datetime | None) -> Instant:
    return NEVER if moment is None or moment.year >= _LAST_YEAR else _instant(moment)


def body_of(sending: Sending) -> dict[str, Any]:
    """The body of operations 6 and 7, and the ``startPoints`` of operation 3: only what was asked for."""
    until = sending.valid_until
    body = {
        "id": sending.entry_id,
        "points": sending.points,
        "reference-id": sending.reference_id,
        "description": sending.text,
        "createdAt": None if sending.created_at is None else format_instant(sending.created_at),
        "validUntil": None if until is None else FOR_EVER if until >= NEVER else format_instant(until),
    }
    return {name: value for name, value in body.items() if value is not None}


def option_of(document: wire.RedeemOption, whole: Mapping[str, Any]) -> RedeemOption:
    """A redeem option with every field that came, as it came; without metadata it has version 1."""
    version = document.metadata.version if document.metadata else 1
    metadata = {**(whole.get("metadata") or {}), "version": version}
    return RedeemOption(document.id, version, {**whole, "metadata": metadata})


def program_of(site_code: str, settings: wire.RewardSettings | None) -> Program:
    """The program of a site; None: nothing is set."""
    if settings is None:
        return Program(site_code)
    default = Program(site_code)
    return Program(
        site_code,
        default.enabled if settings.enabled is None else settings.enabled,
        default.factor if settings.factor is None else settings.factor,
        settings.validity_months,
        settings.code_prefix or None,
        configured=True,
    )


def settings_body(before: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """The key ``rewardpoints`` anew: what it held, with the named fields of `Program` changed. A service that
    replaces the key and one that merges it come to the same."""
    names = {
        "enabled": "enabled",
        "factor": "orderValueToRewardPointsFactor",
        "validity_months": "validityInMonths",
        "code_prefix": "codePrefix",
    }
    return {**before, **{names[name]: value for name, value in settings.items()}}
