"""Puts a sandbox together from what was asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rpctl.backends.ledger.backend import Setting
from rpctl.domain.values import Instant
from rpctl.sandbox.application import Application, Manners
from rpctl.sandbox.bonifiq import routes as bonifiq
from rpctl.sandbox.bonifiq.bodies import BonifiqManners
from rpctl.sandbox.bonifiq.codes import KEY_USED
from rpctl.sandbox.bonifiq.service import Service as BonifiqService
from rpctl.sandbox.dataset import DataSet, open_data_set
from rpctl.sandbox.emporix.bodies import ServiceManners
from rpctl.sandbox.emporix.routes import routes
from rpctl.sandbox.emporix.service import Service
from rpctl.sandbox.faults import Chance, Faults, RateLimit
from rpctl.sandbox.loading import load
from rpctl.sandbox.tokens import Holder, Tokens

CUSTOMER: Final = "C1"
"""The customer of whom a token is told at the start."""

SETTLE_S: Final = 2
"""How long a client waits until a lost request can arrive no more: here nothing arrives late."""

_WHO: Final = "sandbox"

MARKERS: Final = {"id": "id", "description": "description", "reference": "reference-id", "reference-id": "reference-id"}
"""What ``--drop-marker`` may name, and the field that it means."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How the sandbox is to behave. ``ledger`` None: its data is gone with it; ``starts_at``: what its clock says at
    the start, None for the time as it is; rates are parts of 1; ``rate_limit``: requests a second, 0 for no limit;
    ``drop_markers``: fields of `MARKERS`; ``backend``: the API whose client the environment is for;
    ``key_used_code``, ``key_used_name``: what BonifiQ answers a used key with; ``warn_rate``: so many of its changes
    that went well come with a warning; ``bare``: its reads and such changes come without the envelope."""

    ledger: Path | None = None
    load: Path | None = None
    starts_at: Instant | None = None
    latency_s: float = 0
    fail_rate: float = 0
    lose_answer_rate: float = 0
    rate_limit: float = 0
    drop_markers: frozenset[str] = frozenset()
    seed: int = 0
    token_lifetime_s: int = 14_399
    backend: Literal["emporix", "bonifiq"] = "emporix"
    key_used_code: str = KEY_USED.code
    key_used_name: str = KEY_USED.name
    warn_rate: float = 0
    bare: bool = False


class Sandbox:
    """The services over their data, ready to be served. Raises what its ledger or ``--load`` is refused with.

    ``clock``, ``random_bytes`` and ``monotonic`` are those of the process; ``log`` takes a line a request.
    """

    def __init__(
        self,
        wishes: Wishes,
        clock: Callable[[], Instant],
        random_bytes: Callable[[int], bytes],
        log: Callable[[str], None],
        version: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        ahead = 0 if wishes.starts_at is None else wishes.starts_at - clock()

        def shifted() -> Instant:
            return clock() + ahead

        now = shifted if ahead else clock
        self.data = open_data_set(wishes.ledger, Setting(now, _WHO, version, random_bytes))
        try:
            self.loaded = 0 if wishes.load is None else load(wishes.load, self.data)
        except BaseException:
            self.data.close()
            raise
        self._tokens = Tokens(now, random_bytes)
        self._lifetime_s = wishes.token_lifetime_s
        self._backend = wishes.backend
        service = Service(self.data, self._tokens, now, random_bytes, wishes.drop_markers, wishes.token_lifetime_s)
        limit = RateLimit(wishes.rate_limit, monotonic) if wishes.rate_limit else None
        faults = Faults(wishes.fail_rate, wishes.lose_answer_rate, wishes.seed)
        router = routes(service, lambda: tuple(self.application.requests))
        bonifiq.add_routes(router, _bonifiq(wishes, self.data, now))
        self.application = Application(router, _manners(now), now, log, faults, limit, wishes.latency_s)

    def exports(self, url: str) -> dict[str, str]:
        """The environment in which a client finds the sandbox at that URL."""
        identity = self.data.identity
        environ = {
            "RPCTL_BACKEND": self._backend,
            "RPCTL_URL": url,
            "RPCTL_TENANT": identity.tenant,
            "RPCTL_CLIENT_ID": identity.client_id,
            "RPCTL_CLIENT_SECRET": identity.client_secret,
        }
        if self._backend == "emporix":
            environ["RPCTL_CUSTOMER_TOKEN"] = self._tokens.issue(Holder.CUSTOMER, (), self._lifetime_s, CUSTOMER)
        return {**environ, "RPCTL_SETTLE_S": str(SETTLE_S)}

    def close(self) -> None:
        """Closes the ledger; the data of one without a file is gone."""
        self.data.close()


def _bonifiq(wishes: Wishes, data: DataSet, clock: Callable[[], Instant]) -> BonifiqService:
    return BonifiqService(
        data,
        clock,
        KEY_USED._replace(code=wishes.key_used_code, name=wishes.key_used_name),
        wishes.bare,
        Chance(wishes.warn_rate, wishes.seed),
        "description" not in wishes.drop_markers,
    )


def _manners(clock: Callable[[], Instant]) -> Callable[[str], Manners]:
    """Which API's words a path's failures have."""
    of_bonifiq, of_emporix = BonifiqManners(), ServiceManners(clock)

    def manners(path: str) -> Manners:
        return of_bonifiq if path.startswith(bonifiq.PREFIX) else of_emporix

    return manners
