"""How a change ended."""

from __future__ import annotations

from dataclasses import dataclass

from rpctl.domain.points import Entry
from rpctl.errors import RpctlError


@dataclass(frozen=True, slots=True)
class Applied:
    """The change is in. ``entry`` is None where the caller asked for none; ``created_customer`` tells that the
    customer did not exist before; ``short`` is how many points of the reversed entry could not be reversed."""

    points: int
    entry: Entry | None = None
    created_customer: bool = False
    expired_on_arrival: bool = False
    short: int = 0


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """The key's change was in before; ``entry`` is what it made then."""

    entry: Entry | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule said no; nothing was changed, and the key is still free."""

    error: RpctlError


@dataclass(frozen=True, slots=True)
class Unknown:
    """It was sent, and no answer settles whether it is in."""

    message: str


Outcome = Applied | AlreadyApplied | Refused | Unknown
