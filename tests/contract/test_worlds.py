"""One history on the ledger and on the service through the sandbox: every command answers the same, field for field.

The clock is the same in both worlds, so that times are; ids are the only thing that may differ, and are numbered in the
order in which they appear.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from worlds import Step, World, play

from sandbox_client import Running, running


@pytest.fixture
def ledger_world(command_line: Callable[..., Any]) -> World:
    line = command_line("ledger")

    def at(now: int) -> None:
        line.now = now

    return World("ledger", line, at)


@pytest.fixture
def service() -> Iterator[Running]:
    with running(token_lifetime_s=10**9) as one:
        yield one


@pytest.fixture
def emporix_world(service: Running, command_line: Callable[..., Any]) -> World:
    surroundings = {**service.exports, "RPCTL_SETTLE_S": "0", "RPCTL_KEYRING": "off"}
    line = command_line("emporix", **surroundings, RPCTL_ACCESS_TOKEN=service.token("employee"))

    def at(now: int) -> None:
        line.now = service.now = now

    return World("emporix", line, at)


POINTS: list[Step] = [
    ("customer", "list"),
    ("points", "summary"),
    ("points", "balance", "C1"),
    ("points", "summary", "C1"),
    ("points", "add", "C1", "209", "--reference", "order-1", "--description", "first order", "--key", "k1"),
    ("points", "add", "C1", "209", "--description", "second", "--valid-until", "+90d"),
    ("points", "add", "C1", "209", "--reference", "order-1", "--description", "first order", "--key", "k1"),
    ("points", "add", "C1", "210", "--reference", "order-1", "--description", "first order", "--key", "k1"),
    ("points", "redeem", "C1", "300", "--description", "at the till"),
    ("points", "summary", "C1"),
    ("points", "redeem", "C1", "500", "--description", "too much"),
    ("points", "redeem", "nobody", "5", "--description", "x"),
    ("points", "balance", "C1"),
    ("points", "explain", "C1"),
    ("points", "history", "C1"),
    ("points", "add", "äö/ü?#% ..", "7", "--description", "odd id"),
    ("points", "summary", "äö/ü?#% .."),
    ("points", "add", "../x", "8", "--description", "odd id", "--existing"),
    ("points", "add", "../x", "8", "--description", "odd id"),
    ("points", "add", "../x", "8", "--description", "odd id", "--existing"),
    ("points", "add", "C2", "5", "--description", "old", "--created-at", "2025-01-01", "--valid-until", "2025-06-01"),
    ("points", "add", "C2", "5", "--description", "never", "--valid-until", "never"),
    ("points", "add", "C2", "5", "--description", "wrong", "--valid-until", "2020-01-01"),
    ("points", "add", "C2", "5", "--description", "wrong", "--created-at", "2030-01-01"),
    ("points", "add", "C2", "2147483648", "--description", "too much"),
    ("points", "summary", "C2"),
    ("points", "history", "C2"),
    ("points", "balance", "C2", "--as-of", "2025-03-01"),
    ("customer", "list"),
    ("customer", "list", "--search", "c", "--limit", "1"),
    ("points", "summary"),
    ("points", "reverse", "C1", "$0"),
    ("points", "reverse", "C1", "$0"),
    ("points", "reverse", "C1", "$3"),
    ("points", "reverse", "C1", "$2"),
    ("points", "reverse", "C1", "00000000-0000-4000-8000-000000000000"),
    ("points", "summary", "C1"),
    ("customer", "create", "N1"),
    ("customer", "create", "N1"),
    ("customer", "create", "N2", "--points", "9", "--description", "welcome", "--key", "n2"),
    ("customer", "create", "N2", "--points", "9", "--description", "welcome", "--key", "n2"),
    ("customer", "create", "N2", "--points", "9", "--description", "welcome"),
    ("customer", "show", "N2"),
    ("customer", "delete", "N2", "--confirm", "N2"),
    ("customer", "show", "N2"),
    ("customer", "delete", "N2", "--confirm", "N2"),
    ("customer", "create", "N2", "--points", "9", "--description", "welcome", "--key", "n2"),
    ("customer", "delete", "N1", "--confirm", "N1"),
    ("customer", "list"),
]

OPTIONS: list[Step] = [
    ("options", "list"),
    ("options", "create", "--name", "ten", "--points", "40", "--percent", "10"),
    ("options", "create", "--name", "10 €", "--points", "90", "--amount", "10", "--currency", "EUR"),
    ("options", "create", "--name", "free", "--points", "5", "--free-shipping"),
    ("options", "create", "--name", "bad", "--points", "5", "--percent", "101"),
    ("options", "list"),
    ("options", "show", "$0"),
    ("options", "update", "$0", "--points", "30"),
    ("options", "update", "$0", "--points", "20", "--if-version", "1"),
    ("options", "update", "$0", "--valid-until", "2026-12-31"),
    ("options", "show", "no-such"),
    ("options", "update", "no-such", "--points", "3"),
    ("options", "delete", "$2", "--yes"),
    ("options", "delete", "$2", "--yes"),
    ("options", "list"),
]

PROGRAM: list[Step] = [
    ("program", "show"),
    ("program", "set", "--factor", "0.1", "--validity-months", "12"),
    ("program", "show"),
    ("points", "add", "C1", "--order-value", "29.99", "--description", "order"),
    ("points", "add", "C1", "--order-value", "9.99", "--description", "order"),
    ("points", "add", "C1", "5", "--description", "never", "--valid-until", "never"),
    ("points", "summary", "C1"),
    ("program", "set", "--disable"),
    ("points", "add", "C1", "5", "--description", "refused"),
    ("points", "add", "C1", "--order-value", "50", "--description", "refused"),
    ("points", "redeem", "C1", "3", "--description", "still allowed"),
    ("program", "set", "--enable", "--validity-months", "none", "--code-prefix", "SPRING"),
    ("program", "show"),
    ("program", "show", "--site", "other"),
    ("points", "summary", "C1"),
]


@pytest.mark.parametrize("steps", [POINTS, OPTIONS, PROGRAM], ids=["points", "options", "program"])
def test_both_worlds_answer_the_same(ledger_world: World, emporix_world: World, steps: list[Step]) -> None:
    here, there = play(ledger_world, steps), play(emporix_world, steps)

    for step, ours, theirs in zip(steps, here, there, strict=True):
        assert theirs == ours, " ".join(step)


def test_the_history_is_no_row_of_refusals(ledger_world: World) -> None:
    """What both worlds agree on is really done: the totals are what the steps say."""
    answers = play(ledger_world, POINTS)

    assert [status for status, _, _ in answers].count(0) > 30
    assert answers[12][1] == 118
