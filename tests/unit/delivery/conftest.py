"""A shop with many customers, and machines that import over it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from shop import Machine, Make, Shop, quicken


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def make_machine(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes machines of their own, to which no pause is as long as in earnest."""
    quicken(monkeypatch)
    made: list[Machine] = []

    def make(**more: Any) -> Machine:
        made.append(Machine(shop, tmp_path / str(len(made)), **more))
        return made[-1]

    yield make
    shop.release.set()
    for machine in made:
        machine.end()


@pytest.fixture
def machine(make_machine: Make) -> Machine:
    """One that knows what the shop keeps."""
    machine = make_machine()
    machine.teach()
    return machine
