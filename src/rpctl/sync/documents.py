"""Values as they are kept in the ledger file: JSON without what has a column of its own, and without defaults. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import MISSING, fields
from decimal import Decimal
from typing import Any, Final

from rpctl.backends.port import Sending
from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use
from rpctl.domain.program import Program
from rpctl.domain.redeem_options import Document, RedeemOption

_DEFAULTS: Final = [
    (name, Sending._field_defaults.get(name, MISSING)) for name in Sending._fields if name not in ("customer_id", "key")
]
_ADDED: Final = [(one.name, one.default) for one in fields(AddedPoints) if one.name not in ("customer_id", "used_with")]
_REDEEMED: Final = [(one.name, one.default) for one in fields(RedeemedPoints) if one.name != "customer_id"]


def sending_text(sending: Sending) -> str:
    """What is to be sent, without its customer and key."""
    return dump({name: value for name, default in _DEFAULTS if (value := getattr(sending, name)) != default})


def sending_of(text: str, customer_id: str, key: str) -> Sending:
    """The same back; of a deleted customer there is nothing but the key."""
    kept = json.loads(text)
    return Sending(
        **{"kind": "add", "points": 0, "entry_id": "", "token": "", **kept}, customer_id=customer_id, key=key
    )


def summary_text(summary: Summary) -> str:
    """A customer's entries, without the customer and the active points."""
    return dump({"added": [*map(_lot, summary.added)], "redeemed": [_told(one, _REDEEMED) for one in summary.redeemed]})


def summary_of(text: str, customer_id: str, active_points: int) -> Summary:
    """The same back."""
    kept = json.loads(text)
    return Summary(
        customer_id,
        active_points,
        tuple(
            AddedPoints(
                **_untold(one),
                customer_id=customer_id,
                used_with=tuple(Use(*use) for use in one.get("used_with", ())),
            )
            for one in kept["added"]
        ),
        tuple(RedeemedPoints(**_untold(one), customer_id=customer_id) for one in kept["redeemed"]),
    )


def options_text(documents: Sequence[Document]) -> str:
    """Redeem options as their API documents."""
    return dump([dict(one) for one in documents])


def options_of(text: str) -> list[RedeemOption]:
    """The same back."""
    return [RedeemOption(one["id"], (one.get("metadata") or {}).get("version", 1), one) for one in json.loads(text)]


def program_text(program: Program) -> str:
    """A site's program."""
    kept = {one.name: getattr(program, one.name) for one in fields(Program)}
    return dump({**kept, "factor": f"{program.factor:f}"})


def program_of(text: str) -> Program:
    """The same back."""
    kept = json.loads(text)
    return Program(**{**kept, "factor": Decimal(kept["factor"])})


def dump(document: object) -> str:
    """JSON without spaces, other letters as they are."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _lot(lot: AddedPoints) -> dict[str, Any]:
    kept = _told(lot, _ADDED)
    if lot.used_with:
        kept["used_with"] = [[use.redemption_id, use.points] for use in lot.used_with]
    return kept


def _told(entry: AddedPoints | RedeemedPoints, names: list[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, default in names if (value := getattr(entry, name)) != default}


def _untold(kept: dict[str, Any]) -> dict[str, Any]:
    values = {name: value for name, value in kept.items() if name != "used_with"}
    if "untold" in values:
        values["untold"] = tuple(values["untold"])
    return values
