"""How reports are put: what a line says of itself, and the warning of numbers that do not add up."""

from __future__ import annotations

from typing import Any

import pytest

from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary
from rpctl.domain.values import NEVER
from rpctl.render import reports
from rpctl.reports.explain import Explanation, Mismatch
from rpctl.reports.history import Line

LOT = AddedPoints("a", "C1", 10, 0, NEVER, 7, reference_id="order-1", description="granted", reverses="x")
REDEMPTION = RedeemedPoints("r", "C1", 5, 0, 2, "Paid at the till", coupon_code="N1", reverses="y")


def row(line: Line) -> Any:
    (document,) = reports.history(Summary("C1", 0), [line]).documents
    return document["history"][0]


@pytest.mark.parametrize(
    ("kind", "points", "said"),
    [
        ("backdated", 3, "not expired by that date"),
        ("backdated", -3, "expired since that date"),
        ("unexplained", 3, "more is stored than the lines come to"),
        ("unexplained", -3, "less is stored than the lines come to"),
    ],
)
@pytest.mark.parametrize("entry", [LOT, REDEMPTION], ids=["added", "redeemed"])
def test_a_line_of_the_chain_has_the_id_of_its_change_and_words_of_its_own(
    kind: str, points: int, said: str, entry: AddedPoints | RedeemedPoints
) -> None:
    assert row(Line(kind, 0, points, 8, entry)) == {
        "date": "1970-01-01T00:00:00.000Z",
        "type": kind,
        "points": points,
        "balance": 8,
        "validUntil": None,
        "reference-id": None,
        "description": said,
        "couponCode": None,
        "id": entry.id,
        "reverses": None,
    }


def test_a_change_and_an_expiry_say_what_their_entry_says() -> None:
    fields = ("description", "reference-id", "couponCode", "reverses")
    added, expired, redeemed = (
        [row(Line(kind, 0, 1, 1, entry))[field] for field in fields]
        for kind, entry in (("added", LOT), ("expired", LOT), ("redeemed", REDEMPTION))
    )

    assert added == expired == ["granted", "order-1", None, "x"]
    assert redeemed == ["Paid at the till", None, "N1", "y"]


def test_numbers_that_do_not_add_up_are_worth_a_warning() -> None:
    found = Explanation("C1", 7, (), Mismatch(LOT, 7, 10))

    assert reports.mismatch_warning(found) == (
        "The numbers of customer C1 stop adding up at entry a: 7 is stored, 10 expected."
    )


def test_the_line_above_a_table_says_it_too() -> None:
    view = reports.explanation(Explanation("C1", 7, (), Mismatch(LOT, 7, 10)))

    assert view.lead is not None
    assert view.lead(None) == (
        "Customer C1: 7 active points; the numbers stop adding up at entry a: 7 is stored, 10 expected"
    )


def test_where_every_number_adds_up_there_is_no_warning() -> None:
    assert reports.mismatch_warning(Explanation("C1", 7, (), None)) is None
