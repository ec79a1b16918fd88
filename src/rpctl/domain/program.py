"""The program of a site: how an order becomes points and how long they live."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_FLOOR, Context, Decimal
from typing import Final

from rpctl.domain.values import MAX_POINTS, NEVER, Instant, add_months
from rpctl.errors import EarnsNothing, InvalidValue

_EXACT: Final = Context(prec=100)  # both may have 40 digits, and rounding up on the way would give a point too many


@dataclass(frozen=True, slots=True)
class Program:
    """A site's settings; without any the defaults: enabled, factor 1, no validity, no prefix.

    ``factor``: points per unit of the site's currency (``orderValueToRewardPointsFactor``), >= 0.
    ``validity_months``: how long added points live (``validityInMonths``), None = they never expire.
    ``code_prefix``: coupon codes read ``<codePrefix>-<code>``.
    """

    site_code: str = "main"
    enabled: bool = True
    factor: Decimal = Decimal(1)
    validity_months: int | None = None
    code_prefix: str | None = None
    configured: bool = False

    def points_for(self, order_value: Decimal) -> int:
        """Order value x factor, rounded down (``cli.md``, Values). Raises `EarnsNothing` and `InvalidValue`."""
        points = int(_EXACT.multiply(order_value, self.factor).to_integral_value(ROUND_FLOOR))
        if points < 1:
            raise EarnsNothing(f"An order value of {order_value} earns no point at factor {self.factor}.")
        if points > MAX_POINTS:
            raise InvalidValue(f"An order value of {order_value} earns {points} points; at most {MAX_POINTS} fit.")
        return points

    def default_validity(self, created_at: Instant) -> Instant:
        """``createdAt`` plus the validity in calendar months, or NEVER (``ledger.md`` rule 9)."""
        return NEVER if self.validity_months is None else add_months(created_at, self.validity_months)
