"""One data set: a ledger, whose it is, and what the API keeps that a ledger does not.

A ledger makes the ids of its entries itself, from their keys; the service keeps an id that was sent, even twice. So
the ids that were sent stand beside it, by the ledger's own.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.ledger.digests import Digests, entry_id
from rpctl.backends.ledger.memory import MemoryLedger
from rpctl.sandbox.sidecar import Nowhere, Sidecar, SidecarFile, damaged, sidecar_file


class Identity(NamedTuple):
    """Whose data it is, and the one client that may work on it."""

    tenant: str
    client_id: str
    client_secret: str


class DataSet:
    """A ledger and what stands beside it. Raises the errors of both."""

    def __init__(self, backend: LedgerBackend, sidecar: Sidecar, random_bytes: Callable[[int], bytes]) -> None:
        self.backend = backend
        self._sidecar = sidecar
        self._random_bytes = random_bytes
        self._ids: dict[str, str] = {}
        self._undescribed: set[str] = set()
        self._used_up: set[str] = set()
        self._mixins: dict[str, dict[str, Any]] = {}
        self._identity: Identity | None = None
        for line, fact in sidecar.facts():
            try:
                self._learn(fact)
            except (KeyError, TypeError):
                raise damaged(sidecar_file(backend.path), line) from None
        self.identity = self._identity or self._new_identity()

    def close(self) -> None:
        """Closes the ledger and lets go of what stands beside it."""
        self.backend.close()
        self._sidecar.close()

    # -- entries ---------------------------------------------------------------------------------------

    def fresh_key(self) -> str:
        """A key that no change had: the service knows no keys, the same request twice counts twice."""
        return self._random_bytes(16).hex()

    def name(self, key: str, sent_id: str | None, *, undescribed: bool = False) -> None:
        """The entry that this key is about to make has the id that was sent, if one was; ``undescribed``: an empty
        description was sent. Before the entry, so that an end in between leaves a line too many and not too few."""
        if sent_id is None and not undescribed:
            return
        books, _ = self.backend.tables(write=True)
        own_id = entry_id(Digests(books.secret()).keys([key])[0])
        fact: dict[str, Any] = {"entry": own_id}
        if sent_id is not None:
            fact["id"] = sent_id
        if undescribed:
            fact["undescribed"] = True
        self._sidecar.keep(fact)
        self._learn(fact)

    def id_of(self, own_id: str) -> str:
        """The id that the service knows an entry by."""
        return self._ids.get(own_id, own_id)

    def is_undescribed(self, own_id: str) -> bool:
        """Whether the entry's description is empty because an empty one was sent."""
        return own_id in self._undescribed

    # -- keys ------------------------------------------------------------------------------------------

    def has_key(self, key: str) -> bool:
        """Whether a change has that key, be it a deleted customer's, or it was used up without one."""
        books, _ = self.backend.tables(write=True)
        with books.transaction(write=False):
            (digest,) = Digests(books.secret()).keys([key])
            return digest.hex() in self._used_up or bool(books.known_keys([digest]))

    def use_up(self, key: str) -> None:
        """The key counts as a change's, although there is none."""
        books, _ = self.backend.tables(write=True)
        fact = {"used_up": Digests(books.secret()).keys([key])[0].hex()}
        self._sidecar.keep(fact)
        self._learn(fact)

    # -- mixins ----------------------------------------------------------------------------------------

    def mixin(self, site_code: str) -> dict[str, Any] | None:
        """A site's whole mixin as it was sent, or None."""
        return self._mixins.get(site_code)

    def save_mixin(self, site_code: str, document: dict[str, Any]) -> None:
        """A site's whole mixin as it is now."""
        fact = {"site": site_code, "mixin": document}
        self._sidecar.keep(fact)
        self._learn(fact)

    # -- what stands beside the ledger -----------------------------------------------------------------

    def _learn(self, fact: dict[str, Any]) -> None:
        if "tenant" in fact:
            self._identity = Identity(**fact)
        if "id" in fact:
            self._ids[fact["entry"]] = fact["id"]
        if "undescribed" in fact:
            self._undescribed.add(fact["entry"])
        if "used_up" in fact:
            self._used_up.add(fact["used_up"])
        if "mixin" in fact:
            self._mixins[fact["site"]] = fact["mixin"]

    def _new_identity(self) -> Identity:
        identity = Identity(
            f"sb{self._random_bytes(4).hex()}", self._random_bytes(8).hex(), self._random_bytes(24).hex()
        )
        self._sidecar.keep(identity._asdict())
        return identity


def open_data_set(ledger: Path | None, setting: Setting) -> DataSet:
    """The data set of a ledger file, which is made where there is none; without one a new data set that is gone with
    the process. Raises `LedgerUnusable`, `LedgerBusy`, `InvalidFile`, OSError."""
    if ledger is None:
        return DataSet(MemoryLedger(setting), Nowhere(), setting.random_bytes)
    backend = LedgerBackend(ledger, setting)
    backend.tables(write=True)
    sidecar = SidecarFile(ledger)
    try:
        return DataSet(backend, sidecar, setting.random_bytes)
    except BaseException:
        sidecar.close()
        backend.close()
        raise
