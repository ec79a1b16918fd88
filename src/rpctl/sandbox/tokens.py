"""Access tokens: opaque, random, of a limited life, known to this process only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import Final, NamedTuple

from rpctl.domain.values import NEVER, Instant

_MOST: Final = 100_000  # the oldest go first: nobody uses so many at once


class Holder(StrEnum):
    """For whom a token speaks: a program, a person who works for the shop, or a customer."""

    SERVICE = "service"
    EMPLOYEE = "employee"
    CUSTOMER = "customer"


class Token(NamedTuple):
    """What a token allows; ``customer_id`` is set for a customer's."""

    holder: Holder
    scopes: frozenset[str]
    expires_at: Instant
    customer_id: str = ""


NO_TOKEN: Final = Token(Holder.CUSTOMER, frozenset(), NEVER)
"""Allows nothing: stands where none was asked for."""


class Tokens:
    """The tokens that were issued."""

    def __init__(self, clock: Callable[[], Instant], random_bytes: Callable[[int], bytes]) -> None:
        self._clock = clock
        self._random_bytes = random_bytes
        self._by_text: dict[str, Token] = {}

    def issue(self, holder: Holder, scopes: Iterable[str], lifetime_s: int, customer_id: str = "") -> str:
        """A new token's text; it is good for so many seconds."""
        text = self._random_bytes(24).hex()
        self._by_text[text] = Token(holder, frozenset(scopes), self._clock() + lifetime_s * 1000, customer_id)
        if len(self._by_text) > _MOST:
            del self._by_text[next(iter(self._by_text))]
        return text

    def find(self, text: str) -> Token | None:
        """What a token allows now; None for one that nobody issued or that has expired."""
        token = self._by_text.get(text)
        if token is not None and token.expires_at <= self._clock():
            del self._by_text[text]
            return None
        return token
