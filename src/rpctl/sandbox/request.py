"""A request as the handlers see it: ids decoded once, headers by name, the body's bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl

from rpctl.sandbox.answers import Header
from rpctl.sandbox.tokens import NO_TOKEN, Token


@dataclass(slots=True)
class Request:
    """``path`` is as it was sent, without the query; ``ids`` are the variable parts of it, percent-decoded once;
    ``token`` is the one that authorised it."""

    method: str
    path: str
    ids: tuple[str, ...]
    query: bytes
    headers: Sequence[Header]
    body: bytes
    token: Token = NO_TOKEN

    def header(self, name: bytes) -> str:
        """A header's value, or nothing; ``name`` in small letters."""
        for found, value in self.headers:
            if found == name:
                return value.decode("latin-1")
        return ""

    def parameter(self, name: str) -> str | None:
        """The first value of a query parameter."""
        if not self.query:
            return None
        pairs = parse_qsl(self.query.decode("latin-1"), keep_blank_values=True)
        return next((value for found, value in pairs if found == name), None)

    @property
    def media_type(self) -> str:
        """What the body says it is, without parameters."""
        return self.header(b"content-type").partition(";")[0].strip().lower()
