"""A sandbox for the tests of one file: customers that no other test uses keep them apart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox_client import START, Running, running


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    """Serves with no fault and no delay until the file's last test; its tokens outlive that."""
    with running(token_lifetime_s=10**9) as one:
        yield one


@pytest.fixture
def api(served: Running) -> Running:
    """The sandbox of this file, at noon of 1 March 2026."""
    served.now = START
    served.log.clear()
    served.sandbox.application.requests.clear()
    return served
