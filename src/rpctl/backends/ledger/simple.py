"""Additions about which nothing is to be decided: told from other changes, and made into rows ahead of time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from rpctl.backends.ledger.digests import SALT_SIZE, entry_digest
from rpctl.backends.ledger.sql.entries import ADDED
from rpctl.backends.ledger.sql.staging import Addition
from rpctl.domain.changes import AddPoints, Change, Customers
from rpctl.domain.program import Program
from rpctl.domain.values import Instant
from rpctl.errors import RpctlError

Simple = tuple[int, AddPoints, int, Instant, Instant]
"""Such an addition: its index, itself, points, ``createdAt``, ``validUntil``. A bare tuple: millions are made."""


class Told(NamedTuple):
    """The simple additions among some changes, and the indexes of the others; ``entangled``: one of these has the key
    of one of those, so that only the rules tell what comes of both; ``site_code``: of all the additions, none of which
    has a reason or a ``createdAt`` of its own then; None where that is not so."""

    simple: list[Simple]
    others: list[int]
    entangled: bool
    site_code: str | None


def tell(changes: Sequence[Change], keys: Sequence[bytes], now: Instant, program_of: Callable[[str], Program]) -> Told:
    """Which of the changes, recorded at ``now``, are simple: the points are known, they are valid now, and the
    customer has nothing but such additions among these changes. ``keys``: digests of the changes' keys."""
    simple: list[Simple] = []
    others: list[int] = []
    customers = {change.customer_id for change in changes if not isinstance(change, AddPoints)}
    found: set[str] = set()
    for index, change in enumerate(changes):
        if change.customer_id in customers:
            others.append(index)
            continue
        assert isinstance(change, AddPoints)
        created_at = now if change.created_at is None else change.created_at
        until = change.valid_until
        points = change.points
        program = program_of(change.site_code)
        try:
            if points is None and change.order_value is not None:
                points = program.points_for(change.order_value)
            valid_until = until.resolve(created_at) if until else program.default_validity(created_at)
        except RpctlError:
            points = None  # whoever books it will say so
        is_open = program.enabled and change.customers is Customers.ANY
        if points is not None and is_open and created_at <= now < valid_until:
            simple.append((index, change, points, created_at, valid_until))
        else:
            found.add(change.customer_id)
            others.append(index)
    if found:
        others = sorted([*others, *(one[0] for one in simple if one[1].customer_id in found)])
        simple = [one for one in simple if one[1].customer_id not in found]
    entangled = False
    if others and len(set(keys)) < len(keys):
        of_others = {keys[index] for index in others}
        entangled = any(keys[one[0]] in of_others for one in simple)
    usual = {(change.site_code, change.reason, change.created_at) for _, change, _, _, _ in simple}
    site_code, reason, created = usual.pop() if len(usual) == 1 else (None, None, None)
    return Told(simple, others, entangled, site_code if reason is None and created is None else None)


def staged(
    told: Told, keys: Sequence[bytes], asked: Sequence[bytes], salts: bytes, origin: int, now: Instant
) -> Iterator[Addition]:
    """The additions as rows. ``keys``, ``asked``: digests of keys and fingerprints, by index; ``salts``: 16 bytes for
    each of them; ``origin``, ``now``: who records them, and when."""
    later = []
    sums: dict[str, int] = {}
    ends: dict[str, Instant] = {}
    latest: dict[str, Instant] = {}
    is_usual = told.site_code is not None
    for _, change, points, created_at, valid_until in reversed(told.simple):
        customer_id = change[0]
        so_far = sums.get(customer_id)
        if so_far is None:
            later.append(0)
            sums[customer_id] = points
            ends[customer_id] = valid_until
        else:
            later.append(so_far)
            sums[customer_id] = so_far + points
            ends[customer_id] = min(ends[customer_id], valid_until)
        if not is_usual:
            latest[customer_id] = max(created_at, latest.get(customer_id, created_at))
    at = 0
    for index, change, points, created_at, valid_until in told.simple:
        salt = salts[at : at + SALT_SIZE]
        at += SALT_SIZE
        key, fingerprint = keys[index], asked[index]
        customer_id, _, _, _, reference_id, description, reason, _, given, site_code, _, _ = change
        digest = entry_digest(
            salt, key, fingerprint, customer_id, ADDED, points, created_at, valid_until, None, reference_id,
            description, reason, site_code, None, origin, now,
        )  # fmt: skip
        digests = key + fingerprint + salt + digest
        earliest = ends.pop(customer_id, None)
        if is_usual:
            yield index, customer_id, points, later.pop(), earliest, valid_until, reference_id, description, digests
        else:
            yield (
                index, customer_id, points, later.pop(), earliest, valid_until, reference_id, description, digests,
                latest[customer_id], site_code, reason, given,
            )  # fmt: skip
