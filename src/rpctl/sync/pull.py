"""Fetches the last truth for times without a line: everybody's points, the redeem options and the site's program.

Nobody else reads or sends meanwhile (`rpctl.sync.turns`). What was read is kept at once, so that an interrupted pull is
not in vain; who was not seen goes only at its end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.errors import CustomerNotFound, RpctlError

if TYPE_CHECKING:
    from rpctl.backends.port import Service
    from rpctl.domain.points import Summary
    from rpctl.domain.values import Instant
    from rpctl.sync.mirror import Mirror

_AT_ONCE: Final = 200


class Pulled(NamedTuple):
    """What a pull came to: customers read, customers removed who are not there any more, redeem options; ``notes``:
    what could not be had."""

    customers: int
    removed: int
    options: int | None
    notes: list[str]


def pull_everybody(
    service: Service, mirror: Mirror, site_code: str, clock: Callable[[], Instant], told: Callable[[int], None]
) -> Pulled:
    """Everybody's points in one streamed list, and what belongs to it. Raises what the service or the ledger raise."""
    started_at = clock()
    number = mirror.begin_pull(started_at)
    read = 0
    summaries = service.summaries()
    while some := list(islice(summaries, _AT_ONCE)):
        mirror.replace(((one.customer_id, one) for one in some), started_at, pull=number, is_latest=True)
        read += len(some)
        told(read)
    options, notes = _catalog(service, mirror, site_code)
    return Pulled(read, mirror.finish_pull(number, started_at), options, notes)


def pull_some(service: Service, mirror: Mirror, customers: Sequence[str], clock: Callable[[], Instant]) -> Pulled:
    """The points of these customers only. Raises as `pull_everybody`."""
    read_at = clock()
    found: dict[str, Summary | None] = {}
    for customer_id in customers:
        try:
            found[customer_id] = service.summary(customer_id)
        except CustomerNotFound:
            found[customer_id] = None
    absent = [one for one, summary in found.items() if summary is None]
    removed = sum(mirror.truth(one) is not None for one in absent)
    mirror.replace(found.items(), read_at, is_latest=True)
    return Pulled(len(found) - len(absent), removed, None, [f"there is no customer {one}" for one in absent])


def _catalog(service: Service, mirror: Mirror, site_code: str) -> tuple[int | None, list[str]]:
    count, notes = None, []
    if "options" in service.capabilities:
        try:
            options = service.options()
            mirror.set_options([option.document for option in options])
            count = len(options)
        except RpctlError as error:
            notes.append(f"the redeem options could not be read: {error.message}")
    if "program" in service.capabilities:
        try:
            mirror.set_program(service.program(site_code))
        except RpctlError as error:
            notes.append(
                f"the program of site {site_code} could not be read, so order values stay online: {error.message}"
            )
    return count, notes
