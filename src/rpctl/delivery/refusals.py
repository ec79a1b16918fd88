"""Why a service refused a change, in the ledger's words, where its own say only that it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rpctl.errors import CustomerNotFound, InsufficientPoints, ProgramDisabled, RequestRefused, RpctlError

if TYPE_CHECKING:
    from rpctl.backends.port import Sending, Service

_WITHOUT_LOTS: Final = "Nothing was taken; `rpctl points history CUSTOMER` shows what the service tells."


def reason_of(service: Service, error: RpctlError, sending: Sending) -> RpctlError:
    """The refusal of a sending, told by the customer's balance or the site's program; ``error`` itself where these tell
    nothing (``import.md``, Exactly once, 8)."""
    if not isinstance(error, RequestRefused) or (error.outcome is None and error.http_status != 400):
        return error
    told: RpctlError | None = None
    try:
        if sending.kind == "redeem":
            told = _why_not_redeemed(service, sending)
        elif sending.site_code and "program" in service.capabilities and not service.program(sending.site_code).enabled:
            told = program_disabled(sending.site_code)
    except RpctlError:
        return error
    if told is None:
        return error
    return told.of_request(error.request or "", error.http_status)


def program_disabled(site_code: str) -> ProgramDisabled:
    """The refusal to add while a site's program is off."""
    return ProgramDisabled(f"The reward program of site {site_code} is disabled.")


def insufficient(
    customer_id: str, available: int, requested: int, capabilities: frozenset[str] | None = None
) -> InsufficientPoints:
    """The refusal of a redemption, with both numbers; ``capabilities``: of a service (see `Backend`)."""
    is_explained = capabilities is None or "reversals" in capabilities
    return InsufficientPoints(
        f"Customer {customer_id} has {available} points, fewer than the {requested} to redeem.",
        None if is_explained else _WITHOUT_LOTS,
        customerId=customer_id,
        requested=requested,
        available=available,
    )


def _why_not_redeemed(service: Service, sending: Sending) -> RpctlError | None:
    try:
        available = service.summary(sending.customer_id).active_points
    except CustomerNotFound as error:
        return error
    if available >= sending.points:
        return None
    return insufficient(sending.customer_id, available, sending.points, service.capabilities)
