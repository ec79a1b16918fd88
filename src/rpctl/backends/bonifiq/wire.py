"""BonifiQ's result as it comes: checked where it is read, everything else passed over.

Loaded where there is more to read than one number.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, TypeAdapter

from rpctl.backends.bonifiq.answers import whole


def _whole(value: Any) -> Any:
    """A decimal that is a whole number is one."""
    number = whole(value)
    return value if number is None else number


def _plain(value: Any) -> Any:
    """Text that can be written: half of a surrogate pair, which JSON can hold, cannot."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


def _id(value: Any) -> Any:
    """An id is text or a number."""
    number = whole(value)
    return _plain(value) if number is None else str(number)


def _moment(value: Any) -> Any:
    """A moment is text: a number would be read as seconds."""
    if value is None or isinstance(value, str):
        return value
    raise ValueError("should be a date")


Whole = Annotated[StrictInt, BeforeValidator(_whole)]
Text = Annotated[str, BeforeValidator(_plain)]
Id = Annotated[str, BeforeValidator(_id)]
Moment = Annotated[datetime | None, BeforeValidator(_moment)]


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore")


class PointHistory(_Document):
    """A change of the balance: positive where points were added. Of one without an amount nothing is told."""

    id: Id | None = Field(default=None, alias="Id")
    is_canceled: bool | None = Field(default=None, alias="IsCanceled")
    received: Moment = Field(default=None, alias="DateReceived")
    expires: Moment = Field(default=None, alias="ExpirationDate")
    amount: Whole | None = Field(default=None, alias="Amount")
    origin: Text | None = Field(default=None, alias="OrderOriginDescription")
    point_type: Text | None = Field(default=None, alias="PointTypeDescription")


class Result(_Document):
    """A customer's points."""

    points_balance: Whole = Field(alias="PointsBalance")
    history: list[PointHistory] | None = Field(default=None, alias="PointHistory")


RESULT: Final = TypeAdapter(Result)
