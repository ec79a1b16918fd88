"""Redeem options and the coupons they stand for, with the rules of the API's coupon template.

An option is kept as the whole API document, so that fields this program does not know survive reading,
changing and writing back. Nothing here mutates a document that was passed in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from decimal import Decimal
from math import inf
from typing import Any, TypeGuard

from rpctl.domain.values import MAX_POINTS, Instant, parse_instant
from rpctl.errors import InvalidValue, NotExchangeable

Document = Mapping[str, Any]

DISCOUNT_TYPES = ("PERCENT", "ABSOLUTE", "FREE_SHIPPING")
READ_ONLY = ("id", "metadata")
COUPON_READ_ONLY = ("code", "status")

_SHOWN_LENGTH = 60
_CURRENCY = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True)
class RedeemOption:
    """A redeem option as the API has it: ``id``, the locking ``version``, and the whole ``document``."""

    id: str
    version: int
    document: Document

    @property
    def points(self) -> int:
        """What the coupon costs."""
        return int(self.document["points"])

    @property
    def name(self) -> str:
        """What the customer sees."""
        return str(self.document["name"])


@dataclass(frozen=True, slots=True)
class Coupon:
    """A coupon that was issued for points."""

    code: str
    option_id: str
    customer_id: str
    document: Document


def check_option(document: Any) -> dict[str, Any]:
    """A document as it may be stored: required fields there, types right, coupon rules kept.

    Returns a copy without the fields that only the backend sets. Raises `InvalidValue`, which names the field.
    """
    if not isinstance(document, Mapping):
        raise InvalidValue("A redeem option is a JSON object.")
    option: dict[str, Any] = {"type": "coupon", "name": None}  # these first, as the API writes them
    option |= {name: deepcopy(value) for name, value in document.items() if name not in READ_ONLY}
    _text(option, "type", required=True)
    _text(option, "name", required=True)
    _text(option, "description")
    _whole(option, "points", 1, MAX_POINTS, required=True)
    if "coupon" in option:
        option["coupon"] = check_coupon(option["coupon"])
    try:
        json.dumps(option, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        raise InvalidValue("The redeem option holds something that JSON or UTF-8 text cannot.") from None
    return option


def check_coupon(coupon: Any) -> dict[str, Any]:
    """The coupon template of an option, by the rules of the API's Coupon. Raises `InvalidValue`."""
    if not isinstance(coupon, Mapping):
        raise InvalidValue("coupon is a JSON object.")
    checked = {name: deepcopy(value) for name, value in coupon.items() if name not in COUPON_READ_ONLY}
    _text(checked, "name", required=True, path="coupon.")
    kind = checked.get("discountType")
    if kind not in DISCOUNT_TYPES:
        raise InvalidValue(f"coupon.discountType is {_shown(kind)}.", f"Allowed are {', '.join(DISCOUNT_TYPES)}.")
    _discount(checked, kind)
    anonymous = checked.setdefault("allowAnonymous", False)
    if not isinstance(anonymous, bool):
        raise InvalidValue("coupon.allowAnonymous is true or false.")
    for name in ("maxRedemptions", "maxRedemptionsPerCustomer"):
        _whole(checked, name, -1, MAX_POINTS, path="coupon.")
    restrictions = checked.get("restrictions")
    if restrictions is not None:
        _restrictions(restrictions)
    if anonymous and (
        checked.get("maxRedemptionsPerCustomer") not in (None, -1) or (restrictions or {}).get("validFor")
    ):
        raise InvalidValue(
            "coupon.allowAnonymous does not go with maxRedemptionsPerCustomer or restrictions.validFor.",
            "An anonymous coupon knows no customer: leave one of them out.",
        )
    return checked


def check_exchangeable(option: RedeemOption, customer_id: str, now: Instant) -> None:
    """Only PERCENT and ABSOLUTE coupons can be had for points (``ledger.md`` rule 7), and only ones that this
    customer can still use: no points are taken for nothing. Raises `NotExchangeable`."""
    coupon = option.document.get("coupon")
    if not isinstance(coupon, Mapping):
        raise NotExchangeable(f"Redeem option {option.id} has no coupon to exchange points for.")
    if coupon.get("discountType") not in ("PERCENT", "ABSOLUTE"):
        raise NotExchangeable(
            f"Redeem option {option.id} is for a {coupon.get('discountType')} coupon; "
            "points are exchanged for PERCENT and ABSOLUTE coupons only."
        )
    restrictions = coupon.get("restrictions") or {}
    until = restrictions.get("validUntil")
    if until is not None and parse_instant(until) <= now:
        raise NotExchangeable(
            f"The coupon of redeem option {option.id} was valid until {until}.",
            "`rpctl options update ID --valid-until WHEN` gives it a later end.",
        )
    if restrictions.get("validFor") and customer_id not in restrictions["validFor"]:
        raise NotExchangeable(
            f"The coupon of redeem option {option.id} is not for customer {customer_id}.",
            "Its restrictions.validFor names the customers who may have it.",
        )


def issue(option: RedeemOption, customer_id: str, code: str) -> Coupon:
    """The coupon that the option promises, for one customer under one code."""
    document = {
        **deepcopy(dict(option.document["coupon"])),
        "code": code,
        "issuedTo": customer_id,
        "redemptionCount": 0,
        "status": "VALID",
    }
    return Coupon(code, option.id, customer_id, document)


def merge(old: Document, changes: Document) -> dict[str, Any]:
    """``old`` with only what is named in ``changes``, objects field by field; None removes a field."""
    merged = deepcopy(dict(old))
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, Mapping):
            merged[name] = merge(merged[name] if isinstance(merged.get(name), Mapping) else {}, value)
        else:
            merged[name] = deepcopy(value)
    return merged


def _discount(coupon: dict[str, Any], kind: str) -> None:
    percentage, absolute = coupon.get("discountPercentage"), coupon.get("discountAbsolute")
    if kind != "PERCENT" and percentage is not None:
        raise InvalidValue(f"coupon.discountPercentage does not go with discountType {kind}.")
    if kind != "ABSOLUTE" and absolute is not None:
        raise InvalidValue(f"coupon.discountAbsolute does not go with discountType {kind}.")
    if kind == "PERCENT" and not (_is_number(percentage) and 0 <= percentage <= 100):
        raise InvalidValue(f"coupon.discountPercentage is {_shown(percentage)}; it is a number from 0 to 100.")
    if kind == "ABSOLUTE":
        _money(absolute, "coupon.discountAbsolute")


def _restrictions(restrictions: Any) -> None:
    if not isinstance(restrictions, Mapping):
        raise InvalidValue("coupon.restrictions is a JSON object.")
    valid_for = restrictions.get("validFor", [])
    if not isinstance(valid_for, list) or not all(isinstance(one, str) for one in valid_for):
        raise InvalidValue("coupon.restrictions.validFor is a list of customer ids.")
    moments = {}
    for name in ("validFrom", "validUntil"):
        value = restrictions.get(name)
        if value is None:
            continue
        if not isinstance(value, str):
            raise InvalidValue(f"coupon.restrictions.{name} is a date.")
        moments[name] = parse_instant(value)
    if len(moments) == 2 and moments["validUntil"] < moments["validFrom"]:
        raise InvalidValue("coupon.restrictions.validUntil is before validFrom.")
    if restrictions.get("minOrderValue") is not None:
        _money(restrictions["minOrderValue"], "coupon.restrictions.minOrderValue")


def _is_number(value: Any) -> TypeGuard[int | float | Decimal]:
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool) and -inf < value < inf


def _money(value: Any, path: str) -> None:
    if not isinstance(value, Mapping) or not _is_number(value.get("amount")) or value["amount"] < 0:
        raise InvalidValue(f"{path} is an object with an amount of 0 or more and a currency.")
    if not isinstance(value.get("currency"), str) or not _CURRENCY.fullmatch(value["currency"]):
        raise InvalidValue(
            f"{path}.currency is {_shown(value.get('currency'))}; it is an ISO 4217 code.", "Write it like EUR."
        )


def _text(document: Document, name: str, *, required: bool = False, path: str = "") -> None:
    value = document.get(name)
    if value is None or value == "":
        _refuse_missing(name, path, required=required)
    elif not isinstance(value, str) or (required and not value.strip()):
        raise InvalidValue(f"{path}{name} is {_shown(value)}; it is text.")


def _whole(document: Document, name: str, least: int, most: int, *, required: bool = False, path: str = "") -> None:
    value = document.get(name)
    if value is None:
        _refuse_missing(name, path, required=required)
    elif not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise InvalidValue(f"{path}{name} is {_shown(value)}; it is a whole number from {least} to {most}.")


def _refuse_missing(name: str, path: str, *, required: bool) -> None:
    if required:
        raise InvalidValue(f"The redeem option has no {path}{name}.", f"Add {path}{name}; it is required.")


def _shown(value: Any) -> str:
    """A value as it stands in the document, not as Python has it."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}…"
