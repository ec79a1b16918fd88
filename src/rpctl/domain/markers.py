"""What a change is known by at a service that has no keys: an id made of the key, and a token of it in the description.

Both depend on the key and on which books it is for, and on nothing else: another machine that is given the same key
makes the same markers, and so finds what this one sent (``import.md``, Exactly once, 2).
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

_NAMESPACE: Final = bytes.fromhex("6f1d2f6e0f6c5c0f9a7e52c8f1a4b7d3")  # of rpctl's keys, in the words of RFC 9562
_TOKEN: Final = re.compile(r"(?:^|\s)\[(rp-[0-9a-f]{12})\]$")


def marker_id(target: str, key: str) -> str:
    """The UUIDv5 of a key in these books: the id that the entry is sent with."""
    digest = bytearray(hashlib.sha1(_NAMESPACE + _name(target, key), usedforsecurity=False).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x50
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


def marker_token(target: str, key: str) -> str:
    """The key in 48 bits, such as ``rp-0123456789ab``: enough among the entries of one customer."""
    return f"rp-{hashlib.sha256(_name(target, key)).hexdigest()[:12]}"


def with_token(description: str | None, token: str) -> str:
    """The description with the token at its end."""
    return f"{description} [{token}]" if description else f"[{token}]"


def split_token(description: str) -> tuple[str, str | None]:
    """A description without the token at its end, and the token."""
    match = _TOKEN.search(description) if description.endswith("]") else None
    return (description, None) if match is None else (description[: match.start()], match[1])


def _name(target: str, key: str) -> bytes:
    return f"{target}\x1f{key}".encode()
