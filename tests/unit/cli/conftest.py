"""A service on a real socket for a whole module, and machines that work on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tills import Till

from sandbox_client import Running, running


@pytest.fixture(scope="module")
def shop() -> Iterator[Running]:
    """A service that all tests of the module have in common: each has customers of its own."""
    with running(token_lifetime_s=10**9) as one:
        yield one


@pytest.fixture
def till(shop: Running, command_line: Callable[..., Any], home: Path) -> Till:
    """A machine that may be out of the service's reach."""
    return Till(command_line("till", **shop.environ), shop, home / "till")


@pytest.fixture
def office(shop: Running, command_line: Callable[..., Any], home: Path) -> Till:
    """Another machine."""
    return Till(command_line("office", **shop.environ), shop, home / "office")
