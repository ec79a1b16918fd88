"""An account, its folders and a clock; a service that gives out its tokens; a keyring in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from token_service import Clock, MemoryKeyring, Service

from rpctl.auth.credentials import Account, Credentials, Folders


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture
def keyring(monkeypatch: pytest.MonkeyPatch) -> MemoryKeyring:
    """The machine's keyring, in memory."""
    keyring = MemoryKeyring()
    monkeypatch.setattr("rpctl.auth.store.system_keyring", lambda: keyring)
    return keyring


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def account(service: Service) -> Account:
    return Account(service.url, "acme", "kLm3")


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path / "data", tmp_path / "cache")


@pytest.fixture
def make(account: Account, folders: Folders, clock: Clock) -> Callable[..., Credentials]:
    """Credentials as a fresh process would build them, with these variables; no keyring unless they say otherwise."""

    def make(account: Account = account, **environ: str) -> Credentials:
        return Credentials(account, {"RPCTL_KEYRING": "off", **environ}, folders, clock)

    return make
