"""Digests of keys, of what was asked for, and of whole entries.

Keys and fingerprints are 16-byte BLAKE2b digests keyed with a secret of the ledger, so that the file does not
give away keys that were built from e-mail addresses. An entry's digest covers all that never changes of it,
salted with 16 random bytes of its own: once the salt is erased with a deleted customer's text, the digest
tells nothing any more and still proves that an entry stood there.
"""

from __future__ import annotations

from hashlib import blake2b

KEY_SIZE = 16
SALT_SIZE = 16
ENTRY_DIGEST_SIZE = 32


def key_digest(secret: bytes, key: str) -> bytes:
    """The digest under which a change's key is kept."""
    return blake2b(key.encode(), digest_size=KEY_SIZE, key=secret, person=b"rpctl key").digest()


def fingerprint(secret: bytes, canonical: str) -> bytes:
    """The digest of what was asked for."""
    return blake2b(canonical.encode(), digest_size=KEY_SIZE, key=secret, person=b"rpctl asked").digest()


def entry_digest(salt: bytes, *fields: str | int | bytes | None) -> bytes:
    """The digest of an entry's fields in their fixed order. No text among them can contain NUL or SOH, which
    part the fields and stand for what is not there."""
    text = "\0".join([_text(field) for field in fields])
    return blake2b(text.encode(), digest_size=ENTRY_DIGEST_SIZE, salt=salt, person=b"rpctl entry").digest()


def _text(field: str | int | bytes | None) -> str:
    if isinstance(field, bytes):
        return field.hex()
    return "\x01" if field is None else str(field)


def entry_id(key: bytes) -> str:
    """The id of an entry that was given none: its key's digest, written as a UUID."""
    text = key.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
