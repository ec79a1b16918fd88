"""Digests: what is the same, and what is told apart."""

from __future__ import annotations

from rpctl.backends.ledger.digests import entry_digest, entry_id, fingerprint, key_digest

SALT = bytes(16)


def test_nothing_and_an_empty_text_have_different_digests() -> None:
    assert entry_digest(SALT, "C1", None) != entry_digest(SALT, "C1", "")


def test_fields_do_not_run_into_one_another() -> None:
    assert entry_digest(SALT, "a", "bc") != entry_digest(SALT, "ab", "c")


def test_the_same_entry_under_another_salt_has_another_digest() -> None:
    assert entry_digest(SALT, "C1", 50) != entry_digest(bytes(15) + b"\1", "C1", 50)


def test_a_key_is_told_only_under_the_ledgers_own_secret_and_is_no_fingerprint() -> None:
    digests = {key_digest(b"one", "k"), key_digest(b"two", "k"), fingerprint(b"one", "k")}
    assert len(digests) == 3


def test_an_entry_without_an_id_is_named_after_its_key() -> None:
    assert entry_id(bytes(range(16))) == "00010203-0405-0607-0809-0a0b0c0d0e0f"
