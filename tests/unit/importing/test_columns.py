"""Headers: native names, other products' names, what was typed."""

from __future__ import annotations

import pytest

from rpctl.errors import InvalidFile, InvalidValue
from rpctl.importing.columns import understand


@pytest.mark.parametrize(
    ("header", "fields"),
    [
        ("customer_id,points", "customer_id,points"),
        ("Customer ID,POINTS,Reference-Id,valid until", "customer_id,points,reference_id,valid_until"),
        ("customerId,orderValue", "customer_id,order_value"),
        (
            "customerprofileid,amount,startdate,expirydate,subledgerid,reason",
            "customer_id,points,created_at,valid_until,-,reason",
        ),
        ("identifier,amount,expirydate", "customer_id,points,valid_until"),
        ("email,points", "customer_id,points"),
        ("Email,Points,Action", "customer_id,points,description"),
        (
            "Full Name,First Name,Last Name,Email,Points Balance,Points Spent",
            "-,-,-,customer_id,points,-",
        ),
        ("merchant_id,points,expires_at", "customer_id,points,valid_until"),
        ("source_id,loyalty_points,expiration_date", "customer_id,points,valid_until"),
        ("customer_id,points,key,line,error_code,error", "customer_id,points,key,-,-,-"),
        ("customer_id,email,points", "customer_id,-,points"),
    ],
)
def test_names_are_found_without_letter_case_spaces_underscores_and_hyphens(header: str, fields: str) -> None:
    columns = understand(header.split(","), {}, {})
    found = {at: field for field, at in columns.positions.items()}
    assert ",".join(found.get(at, "-") for at in range(len(columns.header))) == fields


@pytest.mark.parametrize(
    ("header", "mapping", "positions"),
    [
        ("Kunde,Punkte", {"customer_id": "Kunde", "points": "punkte"}, {"customer_id": 0, "points": 1}),
        ("customer_id,points,bonus", {"points": "bonus"}, {"customer_id": 0, "points": 2}),
        ("email,customer_no,points", {"customer-id": "customer_no"}, {"customer_id": 1, "points": 2}),
        ("email,customer_id,points", {"customer_id": "email"}, {"customer_id": 0, "points": 2}),
        (
            "customer_id,points,reference_id",
            {"key": "reference_id", "reference_id": "reference_id"},
            {"customer_id": 0, "points": 1, "reference_id": 2, "key": 2},
        ),
    ],
)
def test_what_is_typed_beats_native_names_and_those_beat_aliases(
    header: str, mapping: dict[str, str], positions: dict[str, int]
) -> None:
    assert understand(header.split(","), mapping, {}).positions == positions


@pytest.mark.parametrize(
    ("header", "options", "error", "says"),
    [
        ("customer_id,points", {"mapping": {"nonsense": "points"}}, InvalidValue, "customer_id, points, order_value"),
        ("customer_id,points", {"mapping": {"points": "Punkte"}}, InvalidFile, "columns are customer_id, points"),
        ("customer_id,points", {"constants": {"nonsense": "1"}}, InvalidValue, "Fields are"),
        ("customer_id,points", {"constants": {"key": "1"}}, InvalidValue, "every row the same key"),
        (
            "customer_id,points",
            {"mapping": {"points": "points"}, "constants": {"points": "1"}},
            InvalidValue,
            "--map and by --set",
        ),
        ("customer_id,points,points", {}, InvalidFile, "points twice"),
        ("customer_id,colour,colour,points", {"ignore_extra": True}, InvalidFile, "colour twice"),
        ("customer_id,Customer Id,points", {}, InvalidFile, "Two columns are for customer_id"),
        ("email,userid,points", {}, InvalidFile, "Two columns are for customer_id: email and userid"),
        ("customer_id,points,,colour", {}, InvalidFile, "(column 3 has no name), colour"),
        ("customer_id,amount", {"ignore_extra": True}, InvalidFile, "no column for points (or order_value)"),
        ("points,reason", {}, InvalidFile, "no column for customer_id"),
    ],
)
def test_a_header_that_cannot_be_understood_is_refused(
    header: str, options: dict[str, object], error: type[Exception], says: str
) -> None:
    arguments = {"mapping": {}, "constants": {}, **options}
    with pytest.raises(error) as caught:
        understand(header.split(","), **arguments)  # type: ignore[arg-type]
    assert says in f"{caught.value} {caught.value.hint}"  # type: ignore[attr-defined]


def test_a_constant_takes_the_place_of_a_column_and_says_so() -> None:
    columns = understand(["customer_id", "points", "reason"], {}, {"reason": "migration"})
    assert "reason" not in columns.positions
    assert columns.notes == ("Column reason is not read: reason was given on the command line.",)


def test_a_column_that_loses_its_own_meaning_is_named() -> None:
    columns = understand(["customer_id", "points", "reference_id"], {"key": "reference_id"}, {})
    assert columns.notes == ("Column reference_id is read as key, not as reference_id.",)
