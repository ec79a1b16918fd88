"""What a customer has: added points (lots), redeemed points, and the summary of both. Immutable."""

from __future__ import annotations

from dataclasses import dataclass

from rpctl.domain.values import Instant
from rpctl.errors import EntryNotFound


@dataclass(frozen=True, slots=True)
class Use:
    """That a redemption drew on a lot: the redemption's id and how many points, where that is known."""

    redemption_id: str
    points: int | None = None


def description_of(*, redeemed: bool, reference_id: str | None = None, is_reversal: bool = False) -> str:
    """The description of an entry for which none was given, in the service's manner."""
    if is_reversal:
        return "reversal of added points" if redeemed else "reversal of redeemed points"
    if redeemed:
        return "points redeemed"
    return f"points for order {reference_id}" if reference_id else "points added"


@dataclass(frozen=True, slots=True)
class AddedPoints:
    """A lot. ``valid_until`` is NEVER where the API leaves it out; ``position`` is the place in recording
    order, where the backend knows it; ``reverses`` is the id of the redemption that this lot gives back; ``token`` is
    what stood at the end of its description to know it by (`rpctl.domain.markers`); ``untold`` are the API's names of
    what a service left out, whose values here mean nothing."""

    id: str
    customer_id: str
    points: int
    created_at: Instant
    valid_until: Instant
    all_points_after_creation: int
    used_points: int = 0
    used_with: tuple[Use, ...] = ()
    reference_id: str | None = None
    description: str = ""
    site_code: str | None = None
    position: int | None = None
    reverses: str | None = None
    token: str | None = None
    untold: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """What is not used, expired or not."""
        return self.points - self.used_points

    def is_valid(self, at: Instant) -> bool:
        """Whether the points can be redeemed at that moment (``ledger.md`` rule 1)."""
        return self.valid_until > at


@dataclass(frozen=True, slots=True)
class RedeemedPoints:
    """A redemption; ``coupon_code`` is set where it paid for one, ``reverses`` where it takes a lot back; ``token``
    and ``untold`` as in `AddedPoints`."""

    id: str
    customer_id: str
    points: int
    created_at: Instant
    all_points_after_creation: int
    description: str = ""
    position: int | None = None
    reverses: str | None = None
    coupon_code: str | None = None
    token: str | None = None
    untold: tuple[str, ...] = ()


Entry = AddedPoints | RedeemedPoints


@dataclass(frozen=True, slots=True)
class Summary:
    """One customer's points: ``active_points`` at the moment of reading, and every entry in recording order."""

    customer_id: str
    active_points: int
    added: tuple[AddedPoints, ...] = ()
    redeemed: tuple[RedeemedPoints, ...] = ()

    def entries(self) -> list[Entry]:
        """Both lists in recording order; where the backend does not know it, by ``createdAt``, added first."""
        both: list[Entry] = [*self.added, *self.redeemed]
        if all(entry.position is not None for entry in both):
            return sorted(both, key=lambda entry: entry.position or 0)
        return sorted(both, key=lambda entry: entry.created_at)

    def find(self, entry_id: str) -> Entry:
        """The entry with this id, or the only one whose id begins so. Raises `EntryNotFound`."""
        entries = self.entries()
        found = [entry for entry in entries if entry.id == entry_id]
        found = found or [entry for entry in entries if entry.id.startswith(entry_id)]
        if len(found) == 1:
            return found[0]
        if found:
            raise EntryNotFound(
                f"{len(found)} entries of customer {self.customer_id} begin with {entry_id}.",
                "Give more of the id; `rpctl points history CUSTOMER -o tsv` shows it whole.",
            )
        raise EntryNotFound(f"Customer {self.customer_id} has no entry {entry_id}.")
