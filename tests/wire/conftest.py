"""The service as documented, answered by respx, and the command line pointed at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import respx
from documented import URL


@pytest.fixture(scope="session")
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file with one certificate: loading all that there are takes each command line longer than all the rest."""
    import certifi

    first, end, _ = Path(certifi.where()).read_text().partition("-----END CERTIFICATE-----\n")
    file = tmp_path_factory.mktemp("certificates") / "one.pem"
    file.write_text(first + end)
    return str(file)


@pytest.fixture
def service(one_certificate: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    """The service: a request that is not expected fails the test."""
    monkeypatch.setenv("SSL_CERT_FILE", one_certificate)
    with respx.mock(base_url=URL, assert_all_called=False) as router:
        yield router


@pytest.fixture
def online(rpctl: Any, service: respx.MockRouter) -> Any:
    """The command line on the service, with ready tokens. There is no time for a second try: each answer is final."""
    rpctl.environ |= {
        "RPCTL_BACKEND": "emporix", "RPCTL_URL": URL, "RPCTL_TENANT": "shop", "RPCTL_ACCESS_TOKEN": "T0ken",
        "RPCTL_CUSTOMER_TOKEN": "Customer-T0ken", "RPCTL_SETTLE_S": "0", "RPCTL_TIMEOUT_S": "0.1",
    }  # fmt: skip
    return rpctl


@pytest.fixture
def bonifiq(rpctl: Any, service: respx.MockRouter) -> Any:
    """The command line on BonifiQ, with an API token and its key, and no time for a second try."""
    rpctl.environ |= {
        "RPCTL_BACKEND": "bonifiq", "RPCTL_URL": URL, "RPCTL_CLIENT_ID": "Api-T0ken", "RPCTL_CLIENT_SECRET": "Api-k3y",
        "RPCTL_ACCESS_TOKEN": "An-Employees-T0ken", "RPCTL_SETTLE_S": "0", "RPCTL_TIMEOUT_S": "0.1",
    }  # fmt: skip
    return rpctl
