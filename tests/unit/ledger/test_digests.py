"""Digests: what is the same, and what is told apart."""

from __future__ import annotations

from typing import Any

import pytest

from rpctl.backends.ledger.digests import Digests, entry_digest, entry_id

SALT = bytes(16)
WHOLE = {
    "salt": SALT, "key": b"k" * 16, "asked": b"a" * 16, "customer_id": "C1", "kind": 1, "points": 50,
    "created_at": 1000, "valid_until": 2000, "own_id": "id", "reference_id": "R",
    "description": "d", "reason": "r", "site_code": "main", "reverses": 3, "origin": 1, "recorded_at": 1001,
}  # fmt: skip
OTHER = {bytes: b"o" * 16, str: "other", int: 9}


def digest(**changed: Any) -> bytes:
    return entry_digest(**(WHOLE | changed))


@pytest.mark.parametrize("field", WHOLE)
def test_an_entry_with_any_other_field_has_another_digest(field: str) -> None:
    assert digest(**{field: OTHER[type(WHOLE[field])]}) != digest()


@pytest.mark.parametrize("field", ["own_id", "reference_id", "description", "reason", "site_code"])
def test_nothing_and_an_empty_text_have_different_digests(field: str) -> None:
    assert digest(**{field: None}) != digest(**{field: ""})


def test_fields_do_not_run_into_one_another() -> None:
    assert digest(reference_id="a", description="bc") != digest(reference_id="ab", description="c")
    assert digest(kind=1, points=12) != digest(kind=11, points=2)
    assert digest(site_code="1", kind=7) != digest(site_code="", kind=17)


def test_a_key_is_told_only_under_the_ledgers_own_secret_and_is_no_fingerprint() -> None:
    one, two = Digests(b"one"), Digests(b"two")
    assert len({*one.keys(["k"]), *two.keys(["k"]), *one.asked(["k"])}) == 3
    assert one.keys(["j", "k"])[1:] == Digests(b"one").keys(["k"])


def test_an_entry_without_an_id_is_named_after_its_key() -> None:
    assert entry_id(bytes(range(16))) == "00010203-0405-0607-0809-0a0b0c0d0e0f"
