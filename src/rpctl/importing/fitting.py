"""Whether a backend keeps what the rows of a file say: asked before any of them is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from rpctl.errors import InvalidFile, UnsupportedOperation

if TYPE_CHECKING:
    from rpctl.importing.columns import Columns
    from rpctl.importing.options import ImportOptions

_NEEDS: Final[Mapping[str, tuple[str, str]]] = {
    "reason": ("reason", "keeps no internal reason"),
    "reference_id": ("references", "keeps no references"),
    "created_at": ("dates", "dates changes itself"),
    "valid_until": ("dates", "decides itself when points end"),
    "site_code": ("program", "has no sites"),
}
"""A field, the capability without which it would be lost, and what the service does in its place."""

_OUT: Final = "--ignore-extra leaves such a column out"
_HINTS: Final[Mapping[str, str]] = {
    "reason": f"{_OUT}, or read it as the description, which the customer sees: --map description=COLUMN.",
    "reference_id": f"{_OUT}, read it as the description or the reason (--map reason=COLUMN), or tell the rows apart "
    "by it: --key-from reference_id.",
}


def lost_fields(
    columns: Columns, options: ImportOptions, capabilities: frozenset[str], tell: Callable[[str], None]
) -> frozenset[str]:
    """The fields that the backend would lose and that are not read: they are there for the rows' keys alone, or extra
    columns are to be left out, of which ``tell`` is told.

    Raises `InvalidFile` for any other that it would lose, for order values about which nobody says what they earn, and
    without a reason where one is needed; `UnsupportedOperation` for a factor where a program says so.
    """
    unread = set()
    given = columns.positions.keys() | columns.constants.keys()
    key_positions = {at for _, at in columns.key_from}
    for field in sorted(given & _NEEDS.keys()):
        capability, does = _NEEDS[field]
        if capability in capabilities:
            continue
        at = columns.positions.get(field)
        if at is not None and (at in key_positions or options.ignore_extra):
            unread.add(field)
            if at not in key_positions:
                tell(f"The service {does}: the column {columns.header[at].strip()} is left out.")
            continue
        which = f"--set {field}=..." if at is None else f"the column {columns.header[at].strip()}"
        hint = "Leave it out." if at is None else _HINTS.get(field, f"{_OUT}.")
        raise InvalidFile(f"The service {does}, so {which} would be lost.", hint)
    _check_reason(given, capabilities)
    _check_factor("order_value" in given, options, capabilities)
    return frozenset(unread)


def _check_reason(given: set[str], capabilities: frozenset[str]) -> None:
    if "reason_needed" in capabilities and "reason" not in given:
        raise InvalidFile(
            "The service takes no change of points without a reason, and the file has no column for it.",
            'Say why, for internal use: --set reason="spring campaign", or --map reason=COLUMN.',
        )


def _check_factor(has_order_values: bool, options: ImportOptions, capabilities: frozenset[str]) -> None:
    if "program" in capabilities:
        if options.factor is not None:
            raise UnsupportedOperation(
                "--factor cannot be taken here: the site's program says what an order value earns.",
                "Leave it out; `rpctl program show` tells the factor.",
            )
    elif has_order_values and options.factor is None:
        raise InvalidFile(
            "The service has no program that says what the file's order values earn.",
            "Say how many points one unit of them is: --factor 0.5",
        )
