"""Where points live; `open_backend` is the only place that knows the backends' names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from datetime import tzinfo
    from pathlib import Path

    from rpctl.auth.credentials import Credentials
    from rpctl.backends.bonifiq.backend import BonifiqBackend
    from rpctl.backends.emporix.backend import EmporixBackend
    from rpctl.backends.http import Answer, Http
    from rpctl.backends.ledger.backend import LedgerBackend, Setting
    from rpctl.backends.port import Sending
    from rpctl.errors import RpctlError

    Online = EmporixBackend | BonifiqBackend
    """The backends that are services."""


class Place(Protocol):
    """What the settings tell of a backend."""

    @property
    def backend(self) -> str: ...
    @property
    def is_online(self) -> bool: ...
    @property
    def records_offline(self) -> bool: ...
    @property
    def ledger(self) -> Path: ...
    @property
    def ledger_named(self) -> bool: ...
    def zone(self) -> tzinfo: ...


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


_BONIFIQ = "bonifiq"


def open_backend(
    place: Place, setting: Callable[[], Setting], connect: Callable[[], Connection]
) -> LedgerBackend | Online:
    """The backend that the settings name, not yet opened; ``setting`` and ``connect`` tell what it needs to know."""
    if not place.is_online:
        from rpctl.backends.ledger.backend import LedgerBackend

        return LedgerBackend(place.ledger, setting(), must_exist=place.ledger_named)
    if place.backend == _BONIFIQ:
        from rpctl.backends.bonifiq.backend import BonifiqBackend

        return BonifiqBackend(*connect(), place.zone)
    from rpctl.backends.emporix.backend import EmporixBackend

    return EmporixBackend(*connect())


class Rules(NamedTuple):
    """What is known of a service without asking it: what it can do beyond points (see `Backend`), and what it does not
    take of a change (see `Service`)."""

    capabilities: frozenset[str]
    check: Callable[[Sending], None]


def rules_of(place: Place) -> Rules:
    """Those of the service that the settings name; nothing is opened."""
    if place.backend == _BONIFIQ:
        from rpctl.backends.bonifiq import rules

        return Rules(rules.CAPABILITIES, rules.check)
    from rpctl.backends.emporix.backend import EmporixBackend

    return Rules(EmporixBackend.capabilities, lambda _: None)


def capabilities_of(place: Place) -> frozenset[str]:
    """What can be done beyond points in the world that the settings name; nothing is opened."""
    if place.is_online or place.records_offline:
        return rules_of(place).capabilities
    from rpctl.backends.ledger.backend import LedgerBackend

    return LedgerBackend.capabilities


def error_in(place: Place, answer: Answer) -> RpctlError | None:
    """What is wrong, where an answer of the service that the settings name is no success; it may say so with a
    successful status."""
    if place.backend == _BONIFIQ:
        from rpctl.backends.bonifiq import problems as of_bonifiq

        return of_bonifiq.error_of(answer) if answer.status >= 300 else of_bonifiq.refusal_in(answer)
    from rpctl.backends.emporix import problems as of_emporix

    return of_emporix.error_of(answer) if answer.status >= 300 else None
