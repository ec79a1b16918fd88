"""The documents of the Emporix Reward Points Service as they come: checked, unknown fields kept or passed over.

Only what the service documents is asked for; what it adds over time harms nobody. Loaded where there is more to read
than one number.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StrictInt,
    TypeAdapter,
)


def _utc(value: Any) -> Any:
    """An instant without an offset is in UTC, as all of the service's are."""
    if isinstance(value, str) and len(value) >= 19 and value[-1] != "Z" and not {"+", "-"} & set(value[19:]):
        return f"{value}Z"
    return value


def _plain(value: str) -> str:
    """Text that can be written: half of a surrogate pair, which JSON can hold, cannot."""
    return value.encode("utf-8", "replace").decode()


Moment = Annotated[AwareDatetime, BeforeValidator(_utc)]
Text = Annotated[str, AfterValidator(_plain)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")


class AddedPoints(_Document):
    """An addition; only ``points`` is sure to be there."""

    points: StrictInt
    id: Text = ""
    reference_id: Text | None = Field(default=None, alias="reference-id")
    description: Text | None = None
    created_at: Moment | None = Field(default=None, alias="createdAt")
    valid_until: Moment | None = Field(default=None, alias="validUntil")
    all_points_after_creation: StrictInt = Field(default=0, alias="allPointsAfterCreation")
    used_points: StrictInt = Field(default=0, alias="usedPoints")
    used_with: list[Text] | None = Field(default=None, alias="usedWith")


class RedeemedPoints(_Document):
    """A redemption; only ``points`` is sure to be there."""

    points: StrictInt
    id: Text = ""
    description: Text | None = None
    created_at: Moment | None = Field(default=None, alias="createdAt")
    all_points_after_creation: StrictInt = Field(default=0, alias="allPointsAfterCreation")


class PointsLists(_Document):
    """What was added and, unless nothing was, what was redeemed."""

    added: list[AddedPoints] | None = Field(alias="addedPointsList")
    redeemed: list[RedeemedPoints] | None = Field(default=None, alias="redeemedPointsList")


class Summary(_Document):
    """A customer's points (``pointsSummaryOut``)."""

    customer_id: Text = Field(alias="customerId")
    active_points: StrictInt = Field(alias="activePoints")
    summary: PointsLists


class Metadata(_Document):
    """Of a redeem option; without it the version counts as 1."""

    model_config = ConfigDict(extra="allow")

    version: StrictInt = 1


class RedeemOption(_Document):
    """A redeem option, with whatever else it holds."""

    model_config = ConfigDict(extra="allow")

    id: Text
    name: Text
    points: StrictInt
    metadata: Metadata | None = None


class CouponCode(_Document):
    """What an exchange answers."""

    code: Text


class RewardSettings(_Document):
    """The program of a site: the key ``rewardpoints`` of its mixin."""

    enabled: bool | None = None
    factor: Decimal | None = Field(default=None, ge=0, alias="orderValueToRewardPointsFactor")
    validity_months: StrictInt | None = Field(default=None, ge=1, le=1200, alias="validityInMonths")
    code_prefix: Text | None = Field(default=None, alias="codePrefix")


SUMMARY: Final = TypeAdapter(Summary)
COUPON_CODE: Final = TypeAdapter(CouponCode)
OPTIONS: Final = TypeAdapter(list[RedeemOption])
SETTINGS: Final = TypeAdapter(RewardSettings)
