"""Imports over BonifiQ by the sandbox: real orders come to the balances that they come to on a ledger, each once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from real_machine import Machine

from sandbox_client import Running, running
from service_books import Books

ORDERS = Path(__file__).parents[1] / "data" / "cdnow-orders-sample.csv"
IMPORT = (
    "points", "import", ORDERS, "--map", "order_value=amount", "--ignore-extra", "--set", "reason=Orders of 1997",
    "-o", "json",
)  # fmt: skip
COUNTS = ("rows", "applied", "alreadyApplied", "skipped", "refused", "unknown", "pointsAdded", "pointsRedeemed")


@pytest.fixture
def service() -> Iterator[Running]:
    with running(backend="bonifiq", token_lifetime_s=10**9) as one:
        yield one


def test_real_orders_come_to_the_same_balances_as_on_a_ledger(machine: Machine, service: Running) -> None:
    """The factor is typed there and the program's default here; what is repeated to learn what a used key is answered
    counts nothing."""
    online = {"environ": service.environ}
    there = machine.run(*IMPORT, "--factor", "1", "--concurrency", "32", **online).ok().document
    sent = sum(line.startswith("POST") for line in service.log)
    again = machine.run(*IMPORT, "--factor", "1", "--concurrency", "32", **online).ok().document
    here = machine.here(*IMPORT).ok().document

    assert [there[name] for name in COUNTS] == [6919, 6911, 0, 8, 0, 0, 239_444, 0]
    assert [again[name] for name in COUNTS] == [6919, 0, 6911, 8, 0, 0, 0, 0]
    assert [here[name] for name in COUNTS] == [there[name] for name in COUNTS]
    assert sent == 6911 + 1
    assert sum(line.startswith("POST") for line in service.log) == sent
    balances = Books(service.exports).balances()
    assert (len(balances), sum(balances.values())) == (2349, 239_444)
    assert balances == machine.balances()
