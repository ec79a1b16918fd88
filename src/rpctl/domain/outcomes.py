"""How a change ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from rpctl.domain.points import Entry
from rpctl.errors import EarnsNothing, RpctlError


class Applied(NamedTuple):
    """The change is in. ``entry`` is None where the caller asked for none; ``created_customer`` tells that the
    customer did not exist before; ``short`` is how many points of the reversed entry could not be reversed."""

    points: int
    entry: Entry | None = None
    created_customer: bool = False
    expired_on_arrival: bool = False
    short: int = 0


class Recorded(NamedTuple):
    """What is recorded of a change that was in before: its place in recording order, its points, the import run
    that it belongs to, and whether its points were past their validity when it was recorded."""

    position: int
    points: int
    run: str | None
    expired_on_arrival: bool


@dataclass(frozen=True, slots=True)
class AlreadyApplied:
    """The key's change was in before; ``entry`` is what it made then, ``recorded`` what a backend knows of it
    without that."""

    entry: Entry | None = None
    recorded: Recorded | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Refused:
    """A rule said no; nothing was changed, and the key is still free."""

    error: RpctlError


@dataclass(frozen=True, slots=True)
class Unknown:
    """It was sent, and no answer settles whether it is in. ``can_be_told``: it may be found out later; ``answer``: the
    request and the status of its answer, where there was one."""

    message: str
    can_be_told: bool = True
    answer: tuple[str, int | None] | None = None


@dataclass(frozen=True, slots=True)
class Withheld:
    """It was not sent: an earlier change of the customer is unknown, or the run was stopped before. Nothing counts."""


Outcome = Applied | AlreadyApplied | Refused | Unknown | Withheld


def is_refusal(outcome: Outcome) -> bool:
    """Whether something is wrong with the change; an order value that earns nothing is right as it is."""
    return isinstance(outcome, Refused) and not isinstance(outcome.error, EarnsNothing)
