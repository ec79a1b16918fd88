"""Where points live; `open_backend` is the only place that knows the backends' names."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Protocol

    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.domain.values import Instant

    class Place(Protocol):
        """What the settings tell of a backend."""

        @property
        def backend(self) -> str: ...
        @property
        def ledger(self) -> Path: ...
        @property
        def ledger_named(self) -> bool: ...


BACKENDS = ("ledger",)
"""The names a profile may use."""


def open_backend(
    place: Place,
    *,
    clock: Callable[[], Instant],
    who: str,
    version: str,
    random_bytes: Callable[[int], bytes],
) -> LedgerBackend:
    """The backend that the settings name, not yet opened."""
    from rpctl.backends.ledger.backend import LedgerBackend, Setting

    setting = Setting(clock, who, version, random_bytes)
    return LedgerBackend(place.ledger, setting, must_exist=place.ledger_named)
