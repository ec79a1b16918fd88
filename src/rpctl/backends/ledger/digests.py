"""Digests of keys, of what was asked for, and of whole entries.

Keys and fingerprints are 16-byte BLAKE2b digests keyed with a secret of the ledger, so that the file does not
give away keys that were built from e-mail addresses. An entry's digest covers all that was decided of it,
salted with 16 random bytes of its own: once the salt is erased with a deleted customer's text, the digest
tells nothing any more and still proves that an entry stood there.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from struct import Struct

KEY_SIZE = 16
SALT_SIZE = 16
ENTRY_DIGEST_SIZE = 32
_NONE = "\x01"
_NO_NUMBER = -(2**63)
_numbers = Struct(">7q").pack


class Digests:
    """The digests that only the holder of a ledger's secret can make."""

    def __init__(self, secret: bytes) -> None:
        # A copy of a hash that knows its secret is made faster than a new one.
        self._key = blake2b(digest_size=KEY_SIZE, key=secret, person=b"rpctl key")
        self._asked = blake2b(digest_size=KEY_SIZE, key=secret, person=b"rpctl asked")

    def keys(self, keys: Sequence[str]) -> list[bytes]:
        """The digests under which changes' keys are kept."""
        return _all(self._key, keys)

    def asked(self, canonical: Sequence[str]) -> list[bytes]:
        """Fingerprints: the digests of what was asked for."""
        return _all(self._asked, canonical)


def _all(empty: blake2b, texts: Sequence[str]) -> list[bytes]:
    digests = []
    copy = empty.copy
    for text in texts:
        digest = copy()
        digest.update(text.encode())
        digests.append(digest.digest())
    return digests


def entry_digest(  # noqa: PLR0913, PLR0917 - they are an entry's columns
    salt: bytes,
    key: bytes,
    asked: bytes,
    customer_id: str,
    kind: int,
    points: int,
    created_at: int,
    valid_until: int | None,
    own_id: str | None,
    reference_id: str | None,
    description: str | None,
    reason: str | None,
    site_code: str | None,
    reverses: int | None,
    origin: int,
    recorded_at: int,
) -> bytes:
    """The digest of an entry: of all that was decided of it, ``asked`` being the fingerprint. Its place in recording
    order and the running balance are not in it: a chain of digests tells the one, recomputing the other.

    What is no text has a fixed length; no text can contain NUL or SOH, which part them and stand for one that is
    not there. Raises `struct.error` for a number beyond 64 bits.
    """
    texts = (
        f"{customer_id}\0{_NONE if own_id is None else own_id}\0{_NONE if reference_id is None else reference_id}\0"
        f"{_NONE if description is None else description}\0{_NONE if reason is None else reason}\0"
        f"{_NONE if site_code is None else site_code}\0"
    )
    numbers = _numbers(
        kind, points, created_at, _NO_NUMBER if valid_until is None else valid_until,
        _NO_NUMBER if reverses is None else reverses, origin, recorded_at,
    )  # fmt: skip
    return blake2b(salt + key + asked + numbers + texts.encode(), digest_size=ENTRY_DIGEST_SIZE).digest()


def digests_of(row: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    """Key, fingerprint, salt and digest of an entry, from where they stand in a row."""
    return row[:16], row[16:32], row[32:48], row[48:]


def entry_id(key: bytes) -> str:
    """The id of an entry that was given none: its key's digest, written as a UUID."""
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
