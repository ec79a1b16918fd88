"""What BonifiQ can do beyond points, and what it takes of a change: known before anything is sent. Pure and light."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from rpctl.backends.paths import segment
from rpctl.domain.values import MAX_POINTS
from rpctl.errors import InvalidValue, UnsupportedOperation

if TYPE_CHECKING:
    from rpctl.backends.port import Sending

CAPABILITIES: Final = frozenset({"reason", "reason_needed"})
"""See `Backend`: it keeps a reason and needs one, and documents nothing but adding, removing and reading points."""

LONGEST_DESCRIPTION: Final = 255
"""So many characters the customer is shown (``CustomerReason``)."""

_TAG: Final = r"<[^>]*>|<[A-Za-z/!?]"


def check(sending: Sending) -> None:
    """That BonifiQ takes the change as it is meant: nothing of it left out, cut or stripped.

    Raises `InvalidValue`, and `UnsupportedOperation` for a new customer with starting points.
    """
    if sending.kind == "create":
        raise undocumented("creating a customer", "`rpctl points add` adds points to a customer that the shop knows.")
    segment(sending.customer_id)
    if not sending.reason or not sending.reason.strip():
        raise InvalidValue(
            "BonifiQ takes no change of points without a reason.",
            'Say why, for internal use: --reason "goodwill".',
        )
    if not sending.key:
        raise InvalidValue("BonifiQ takes no change of points without a key.")
    if not 1 <= sending.points <= MAX_POINTS:
        raise InvalidValue(f"{sending.points} is not a number of points.", f"Points are from 1 to {MAX_POINTS}.")
    _check_description(sending.description or "")


def undocumented(what: str, hint: str) -> UnsupportedOperation:
    """The refusal of what there is no documented call for; ``what`` stands in the middle of a sentence."""
    return UnsupportedOperation(f"BonifiQ documents no call for {what}.", hint)


def _check_description(text: str) -> None:
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2  # as the service counts: an emoji is two
    if length > LONGEST_DESCRIPTION:
        raise InvalidValue(
            f"The description has {length} characters; BonifiQ shows the customer at most {LONGEST_DESCRIPTION}.",
            "Shorten it; --reason takes what the customer need not see.",
        )
    if tag := re.search(_TAG, text):
        raise InvalidValue(
            f"The description has {tag[0][:40]!r} in it, and BonifiQ strips HTML tags from what the customer sees.",
            "Leave the angle brackets out.",
        )
