"""Whom a secret or a token belongs to."""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple


class Account(NamedTuple):
    """An API key's public half at a service. ``url`` has no slash at its end; ``client_id`` is ``None`` where only
    a ready token is used. A service without tenants has the client id in its place."""

    url: str
    tenant: str
    client_id: str | None

    def named(self, what: str) -> str:
        """What belongs to the account, in one line for stores that a person looks into."""
        whose = "" if self.tenant == self.client_id else f" for {self.tenant}"
        return f"{what} of {self.client_id or '-'}{whose} at {self.url}"

    def __str__(self) -> str:
        host = self.url.partition("//")[2]
        if self.tenant == self.client_id:
            return f"client {self.client_id} at {host}"
        who = f"client {self.client_id}" if self.client_id else "no client id"
        return f"tenant {self.tenant} at {host} ({who})"


def digest(*words: str) -> str:
    """A file name that stands for these words."""
    return sha256("\0".join(words).encode()).hexdigest()[:32]
