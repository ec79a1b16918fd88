"""What can be asked of a customer's points, as values: add, redeem, reverse.

Every change carries a key, and has a canonical form of what was asked for, before factor, default validity or
clock (``ledger.md`` rule 5): the same key with the same form is the same change, with another form a mistake.
They are named tuples: a bulk import makes millions, and a frozen dataclass takes four times as long to make.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from rpctl.domain.values import Instant, When

# What was asked for is parted by U+001F, which no id, key or WHEN can contain.


class Customers(StrEnum):
    """Whom an addition may go to: anyone (a new customer is made), only existing ones, only a new one."""

    ANY = "any"
    EXISTING = "existing"
    NEW = "new"


class AddPoints(NamedTuple):
    """Points for a customer: exactly one of ``points`` (1 to 2147483647) and ``order_value`` (>= 0).

    ``valid_until`` None means the program's default; ``created_at`` None means now. ``factor``: points for one unit of
    the order value, where there is no program to say so; part of what was asked for.
    """

    customer_id: str
    key: str
    points: int | None = None
    order_value: Decimal | None = None
    reference_id: str | None = None
    description: str | None = None
    reason: str | None = None
    valid_until: When | None = None
    created_at: Instant | None = None
    site_code: str = "main"
    customers: Customers = Customers.ANY
    factor: Decimal | None = None

    def canonical(self) -> str:
        """The text whose digest is the fingerprint."""
        amount = str(self.points) if self.order_value is None else f"v{_shortest(self.order_value)}"
        amount += "" if self.factor is None else f"x{_shortest(self.factor)}"
        until = self.valid_until.text if self.valid_until else ""
        return f"add\x1f{self.customer_id}\x1f{amount}\x1f{self.reference_id or ''}\x1f{until}"


class RedeemPoints(NamedTuple):
    """Points taken from a customer: exactly one of ``points`` and ``option_id`` (exchange for its coupon)."""

    customer_id: str
    key: str
    points: int | None = None
    option_id: str | None = None
    reference_id: str | None = None
    description: str | None = None
    reason: str | None = None
    created_at: Instant | None = None
    site_code: str = "main"

    def canonical(self) -> str:
        """The text whose digest is the fingerprint."""
        amount = str(self.points) if self.option_id is None else f"option {self.option_id}"
        return f"redeem\x1f{self.customer_id}\x1f{amount}\x1f{self.reference_id or ''}\x1f"


class Reverse(NamedTuple):
    """The opposite of an entry, linked to it (``ledger.md`` rule 4)."""

    customer_id: str
    entry_id: str
    key: str
    description: str | None = None
    reason: str | None = None

    @property
    def reference_id(self) -> None:
        """A reversal books no order."""
        return

    @property
    def site_code(self) -> None:
        """Nor does it belong to a site."""
        return

    def canonical(self) -> str:
        """The text whose digest is the fingerprint."""
        return f"reverse\x1f{self.customer_id}\x1f{self.entry_id}\x1f\x1f"


Change = AddPoints | RedeemPoints | Reverse


def _shortest(value: Decimal) -> str:
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
