"""Where points live; `open_backend` is the only place that knows the backends' names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from rpctl.auth.credentials import Credentials
    from rpctl.backends.emporix.backend import EmporixBackend
    from rpctl.backends.http import Http
    from rpctl.backends.ledger.backend import LedgerBackend, Setting


class Place(Protocol):
    """What the settings tell of a backend."""

    @property
    def backend(self) -> str: ...
    @property
    def is_online(self) -> bool: ...
    @property
    def ledger(self) -> Path: ...
    @property
    def ledger_named(self) -> bool: ...


class Connection(NamedTuple):
    """The way to a service: its client, who the program is there, and whose books it asks for."""

    http: Http
    credentials: Credentials
    tenant: str

    @property
    def target(self) -> str:
        """See `Service`."""
        from rpctl.backends.port import target_of

        return target_of(self.http.base_url, self.tenant)


BACKENDS = ("ledger", "emporix")
"""The names a profile may use."""


def open_backend(
    place: Place, setting: Callable[[], Setting], connect: Callable[[], Connection]
) -> LedgerBackend | EmporixBackend:
    """The backend that the settings name, not yet opened; ``setting`` and ``connect`` tell what it needs to know."""
    if place.is_online:
        from rpctl.backends.emporix.backend import EmporixBackend

        return EmporixBackend(*connect())
    from rpctl.backends.ledger.backend import LedgerBackend

    return LedgerBackend(place.ledger, setting(), must_exist=place.ledger_named)
