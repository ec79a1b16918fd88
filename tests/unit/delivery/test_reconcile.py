"""What a summary tells of a sending: a table of cases."""

from __future__ import annotations

from typing import Any

import pytest

from rpctl.backends.port import Sending
from rpctl.delivery.reconcile import DESCRIPTION, ID, Verdict, find, is_same, judge, learned
from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary
from rpctl.domain.values import NEVER

ADD = Sending("add", "C1", 50, "id-1", "rp-1", reference_id="order-1")
REDEEM = Sending("redeem", "C1", 50, "id-1", "rp-1")


def lot(entry_id: str = "its own", points: int = 50, **more: Any) -> AddedPoints:
    return AddedPoints(entry_id, "C1", points, 0, NEVER, 0, **more)


def redemption(entry_id: str = "its own", points: int = 50, **more: Any) -> RedeemedPoints:
    return RedeemedPoints(entry_id, "C1", points, 0, 0, **more)


def summary(*entries: AddedPoints | RedeemedPoints) -> Summary:
    added = tuple(one for one in entries if isinstance(one, AddedPoints))
    return Summary("C1", 0, added, tuple(one for one in entries if isinstance(one, RedeemedPoints)))


KEPT, LOST = {ID: 1}, {ID: 0}
LENGTH = len("points for order order-1 [rp-1]")

CASES = [
    # the sending, what the service has, what is known of markers, the verdict
    (ADD, summary(lot("id-1")), {}, Verdict.APPLIED),
    (ADD, summary(lot(), lot("id-1")), LOST, Verdict.APPLIED),
    (ADD, summary(lot(token="rp-1")), LOST, Verdict.APPLIED),
    (ADD._replace(tagged=False), summary(lot(token="rp-1")), {}, Verdict.APPLIED),
    (REDEEM, summary(redemption("id-1")), {}, Verdict.APPLIED),
    (REDEEM, summary(redemption(token="rp-1")), {}, Verdict.APPLIED),
    (ADD, summary(lot("other")), KEPT, Verdict.ABSENT),
    (ADD, summary(lot("other")), {ID: 0, DESCRIPTION: LENGTH}, Verdict.ABSENT),
    (ADD, summary(lot("other")), {ID: 0, DESCRIPTION: LENGTH - 1}, Verdict.UNKNOWN),  # it may have been cut off
    (ADD, summary(lot("id-1", points=49)), KEPT, Verdict.UNKNOWN),  # the key's, but another request
    (ADD, None, {}, Verdict.ABSENT),
    (ADD, summary(), {}, Verdict.ABSENT),
    (ADD, summary(redemption("id-1")), {}, Verdict.ABSENT),
    (REDEEM, summary(lot("id-1")), {}, Verdict.ABSENT),
    (ADD, summary(lot("other")), {}, Verdict.UNKNOWN),
    (ADD, summary(lot("other")), LOST, Verdict.UNKNOWN),
    (ADD, summary(lot("other")), {ID: 0, DESCRIPTION: 0}, Verdict.UNKNOWN),
    (ADD._replace(tagged=False), summary(lot("other")), {ID: 0, DESCRIPTION: 999}, Verdict.UNKNOWN),
    (ADD, summary(lot(reference_id="order-1")), {}, Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("sending", "found", "known", "verdict"), CASES)
def test_a_mark_that_is_found_proves_and_one_that_is_not_proves_only_where_it_survives(
    sending: Sending, found: Summary | None, known: dict[str, int], verdict: Verdict
) -> None:
    assert judge(sending, found, "key", known).verdict is verdict


def test_a_reference_counts_only_if_it_is_the_key() -> None:
    found = summary(lot(reference_id="order-1"))

    assert find(ADD, found, "order-1") == found.added[0]
    assert find(ADD, found, "another key") is None


def test_a_reference_alone_says_nothing_of_another_number_of_points() -> None:
    assert find(ADD, summary(lot(points=20, reference_id="order-1")), "order-1") is None


@pytest.mark.parametrize(
    ("sending", "found", "before", "after"),
    [
        (ADD, summary(lot("id-1", token="rp-1")), {}, {ID: 1, DESCRIPTION: LENGTH}),
        (ADD, summary(lot("id-1")), {}, {ID: 1, DESCRIPTION: 0}),
        (ADD, summary(lot(token="rp-1")), {}, {ID: 0, DESCRIPTION: LENGTH}),
        (ADD, summary(lot(token="rp-1")), {DESCRIPTION: 99}, {ID: 0, DESCRIPTION: 99}),
        (ADD, summary(lot("id-1")), {DESCRIPTION: LENGTH - 1}, {ID: 1, DESCRIPTION: LENGTH - 1}),
        (ADD, summary(lot("id-1")), {DESCRIPTION: LENGTH}, {ID: 1, DESCRIPTION: 0}),
        (ADD, summary(lot()), {}, {ID: 0, DESCRIPTION: 0}),
        (ADD._replace(tagged=False), summary(lot("id-1")), {}, {ID: 1}),
        (ADD._replace(tagged=False), summary(lot()), {ID: 1}, {ID: 0}),
        (ADD, None, {}, {ID: 0, DESCRIPTION: 0}),
    ],
)
def test_what_survives_a_clear_success_is_learned_as_far_as_it_was_seen(
    sending: Sending, found: Summary | None, before: dict[str, int], after: dict[str, int]
) -> None:
    assert learned(sending, found, "key", before) == after


@pytest.mark.parametrize(
    ("entry", "same"),
    [
        (lot("id-1", reference_id="order-1"), True),
        (lot("id-1"), True),  # a service that drops references
        (lot("id-1", points=51), False),
        (lot("id-1", reference_id="order-2"), False),
    ],
)
def test_an_entry_under_our_mark_is_compared(entry: AddedPoints, same: bool) -> None:
    assert is_same(ADD, entry) is same
