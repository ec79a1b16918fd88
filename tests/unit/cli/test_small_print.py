"""Options and answers at their edges."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("--points", "5", "--percent", "10"), "--name is missing."),
        (("--name", "x", "--percent", "10"), "--points is missing."),
        (
            ("--name", "x", "--points", "5", "--percent", "10", "--max-redemptions", "abc"),
            "'abc' is not a number of redemptions.",
        ),
    ],
)
def test_what_an_option_lacks_is_named_as_it_is_typed(rpctl: Any, words: tuple[str, ...], error: str) -> None:
    status, out, err = rpctl("options", "create", *words)
    assert (status, out, err.splitlines()[0]) == (2, "", f"error: {error}")


def test_fields_of_a_bare_number_are_refused(rpctl: Any) -> None:
    rpctl("points", "add", "C1", "5", "-q")
    status, out, err = rpctl("points", "balance", "C1", "--fields", "nonsense")
    assert (status, out) == (2, "")
    assert "--fields is of no use here" in err


def test_a_reversal_repeated_with_the_id_in_capitals_is_the_same_request(rpctl: Any) -> None:
    rpctl("points", "add", "C1", "5", "-q")
    entry = rpctl("points", "history", "C1", "-o", "tsv", "--fields", "id", "--no-header")[1].strip()
    assert rpctl("points", "reverse", "C1", entry, "--key", "r1", "-q")[0] == 0
    assert rpctl("points", "reverse", "C1", entry.upper(), "--key", "r1", "-q")[0] == 0
    assert rpctl("points", "balance", "C1")[1] == "0\n"
