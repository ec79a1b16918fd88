"""The site's mixin ``couponSettings``: the program stands in it under ``rewardpoints``, among what is others'."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from rpctl.domain.program import Program
from rpctl.domain.redeem_options import merge
from rpctl.sandbox.answers import Answer, Refusal, encoded, json_answer
from rpctl.sandbox.emporix.bodies import Violation, invalid, not_found
from rpctl.sandbox.emporix.payloads import Fields, checked_site, json_object
from rpctl.sandbox.emporix.service import Service
from rpctl.sandbox.request import Request

_OURS: Final = "rewardpoints"
_MOST_MONTHS: Final = 12_000
_MOST_POINTS: Final = 10**9


def read(service: Service, request: Request) -> Answer:
    """The whole mixin; 404 where the site has none."""
    site = checked_site(request.ids[1])
    mixin = _mixin(service, site)
    return not_found(f"Site {site} has no mixin couponSettings") if mixin is None else json_answer(200, mixin)


def change(service: Service, request: Request) -> Answer:
    """What is sent takes the place of what was there, field by field; 404 where the site has no mixin."""
    site = checked_site(request.ids[1])
    body = json_object(request)
    mixin = _mixin(service, site)
    if mixin is None:
        return not_found(f"Site {site} has no mixin couponSettings")
    _save(service, site, merge(mixin, body))
    return Answer(204)


def replace(service: Service, request: Request) -> Answer:
    """The whole mixin anew, or for the first time."""
    site = checked_site(request.ids[1])
    body = json_object(request)
    is_new = _mixin(service, site) is None
    _save(service, site, body)
    return Answer(201 if is_new else 204)


def _mixin(service: Service, site: str) -> dict[str, Any] | None:
    """What was sent, with the program as the ledger has it now: another program may have changed that."""
    kept = service.data.mixin(site)
    program = service.data.backend.program(site)
    if not program.configured:
        return kept
    kept = kept or {}
    ours = kept.get(_OURS) or {}
    return {**kept, _OURS: {**{name: ours[name] for name in ours if name not in _FIELDS}, **_settings(program)}}


_FIELDS: Final = ("enabled", "orderValueToRewardPointsFactor", "validityInMonths", "codePrefix")


def _settings(program: Program) -> dict[str, Any]:
    factor = program.factor
    settings = {
        "enabled": program.enabled,
        "orderValueToRewardPointsFactor": int(factor) if factor == factor.to_integral_value() else float(factor),
        "validityInMonths": program.validity_months,
        "codePrefix": program.code_prefix,
    }
    return {name: value for name, value in settings.items() if value is not None}


def _save(service: Service, site: str, mixin: dict[str, Any]) -> None:
    ours = mixin.get(_OURS)
    if ours is not None and not isinstance(ours, dict):
        raise Refusal(invalid([Violation(_OURS, "must be an object")]))
    fields = Fields(ours or {}, f"{_OURS}.")
    months = fields.whole("validityInMonths", 1, _MOST_MONTHS)
    prefix = fields.name("codePrefix")
    enabled = (ours or {}).get("enabled")
    if enabled is not None and not isinstance(enabled, bool):
        fields.wrong("enabled", "must be a boolean")
    factor = (ours or {}).get("orderValueToRewardPointsFactor")
    if factor is not None and not (_is_number(factor) and 0 <= factor <= _MOST_POINTS):
        fields.wrong("orderValueToRewardPointsFactor", f"must be a number between 0 and {_MOST_POINTS}")
    fields.check()
    encoded(mixin)
    service.data.save_mixin(site, mixin)
    if ours is not None:
        settings: dict[str, Any] = {
            "enabled": True if enabled is None else enabled,
            "factor": Decimal(1) if factor is None else Decimal(repr(factor)),
            "validity_months": months,
            "code_prefix": prefix,
        }
        service.data.backend.set_program(site, settings)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
