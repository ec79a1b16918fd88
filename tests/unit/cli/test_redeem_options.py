"""options: documents from flags, files and standard input; unknown fields stay; versions keep two people apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

DOCUMENT: dict[str, Any] = {
    "id": "o1",
    "name": "Ten",
    "points": 5,
    "campaign": {"weeks": [1, 2]},
    "coupon": {"name": "Ten", "discountType": "PERCENT", "discountPercentage": 10, "color": "blue"},
}


@pytest.fixture
def books(rpctl: CommandLine) -> CommandLine:
    rpctl.ok("options", "create", "--from", "-", stdin=json.dumps(DOCUMENT))
    return rpctl


def shown(of: CommandLine) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(of.ok("options", "show", "o1", "-o", "json"))
    return document


def test_a_document_from_standard_input_is_kept_whole(books: CommandLine) -> None:
    option = shown(books)

    assert DOCUMENT["campaign"] == option["campaign"]
    assert option["coupon"]["color"] == "blue"
    assert option["metadata"]["version"] == 1


def test_flags_change_the_document_that_was_given(rpctl: CommandLine) -> None:
    Path("option.json").write_text(json.dumps(DOCUMENT), encoding="utf-8")

    rpctl.ok("options", "create", "--from", "option.json", "--points", "7")

    assert shown(rpctl)["points"] == 7


def test_an_update_changes_what_is_named_and_keeps_the_rest(books: CommandLine) -> None:
    before = shown(books)

    books.ok("options", "update", "o1", "--points", "8")

    after = shown(books)
    assert after["metadata"]["version"] == 2
    assert {**before, "points": 8, "metadata": None} == {**after, "metadata": None}


def test_another_kind_of_discount_takes_the_place_of_the_old_one(books: CommandLine) -> None:
    books.ok("options", "update", "o1", "--amount", "2.50", "--currency", "EUR")

    coupon = shown(books)["coupon"]
    assert coupon["discountType"] == "ABSOLUTE"
    assert coupon["discountAbsolute"] == {"amount": 2.5, "currency": "EUR"}
    assert "discountPercentage" not in coupon
    assert coupon["color"] == "blue"


def test_a_document_of_an_older_version_is_refused(books: CommandLine) -> None:
    old = json.dumps(shown(books))
    books.ok("options", "update", "o1", "--points", "8")

    status, out, err = books("options", "update", "o1", "--from", "-", "-o", "json", stdin=old)

    error = json.loads(err)["error"]
    assert (status, out, error["code"]) == (6, "", "stale_version")
    assert error["details"] == {"currentVersion": 2, "sentVersion": 1}
    assert shown(books)["points"] == 8


def test_a_document_without_a_version_replaces_what_is_there(books: CommandLine) -> None:
    books.ok("options", "update", "o1", "--from", "-", stdin=json.dumps({**DOCUMENT, "points": 9}))

    assert (shown(books)["points"], shown(books)["metadata"]["version"]) == (9, 2)


@pytest.mark.parametrize(("version", "status"), [("1", 0), ("2", 6), ("0", 2)])
def test_if_version_holds_or_refuses(books: CommandLine, version: str, status: int) -> None:
    assert status == books("options", "update", "o1", "--points", "8", "--if-version", version).status
    assert shown(books)["points"] == (8 if status == 0 else 5)


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (("options", "create"), 2),
        (("options", "create", "--name", "X", "--points", "5"), 2),
        (("options", "create", "--name", "X", "--points", "5", "--amount", "5"), 2),
        (("options", "create", "--name", "X", "--points", "5", "--percent", "5", "--free-shipping"), 2),
        (("options", "create", "--name", "X", "--points", "5", "--percent", "101"), 2),
        (("options", "create", "--name", "X", "--points", "-1", "--percent", "5"), 2),
        (("options", "create", "--name", "X", "--percent", "5"), 2),
        (("options", "update", "o1"), 2),
        (("options", "update", "o2", "--points", "8"), 5),
        (("options", "create", "--from", "missing.json"), 7),
        (("options", "create", "--from", "."), 7),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else str(one),
)
def test_what_makes_no_option_is_refused_and_changes_nothing(
    books: CommandLine, argv: tuple[str, ...], status: int
) -> None:
    before = books.ok("options", "list", "-o", "json")

    ended = books(*argv)

    assert (ended.status, ended.out) == (status, ""), ended
    assert before == books.ok("options", "list", "-o", "json")


@pytest.mark.parametrize("text", ["", "{", "[]", "5", '"x"', "[{}, {}]", "\ufeff{"])
def test_what_is_no_document_is_an_unusable_file(rpctl: CommandLine, text: str) -> None:
    assert rpctl("options", "create", "--from", "-", stdin=text).status == 7


def test_an_id_that_is_taken_is_refused(books: CommandLine) -> None:
    status, _, err = books("options", "create", "--from", "-", "-o", "json", stdin=json.dumps(DOCUMENT))

    assert (status, json.loads(err)["error"]["code"]) == (6, "option_exists")
