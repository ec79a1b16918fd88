"""Many changes, and an end in the middle: what is known is kept, and the next pass finishes with each once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from shop import (
    SETTLE_S,
    Machine,
    Make,
    Shop,
    add,
    keys_sent,
    kinds,
    many,
    wait_for,
)

from rpctl.backends.port import Batch
from rpctl.delivery.journal import Journal
from rpctl.domain.outcomes import Outcome
from rpctl.errors import (
    InvalidFile,
    StorageFull,
)

# -- interrupted ------------------------------------------------------------------------------------------


def test_what_is_known_when_it_is_interrupted_is_recorded_and_the_next_pass_finishes(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.dispatch._TELL_EVERY_S", 0.0)
    changes = many(80)
    outcomes = machine.go(changes)
    first = next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    sent = len(shop.sent)
    states = machine.states(*[f"k{number}" for number in range(80)])

    assert len(first) <= sent < 80
    assert states.count("applied") == sent
    assert set(states) <= {"applied", "planned", None}
    machine.end()
    assert len(machine.apply(*changes)) == 80
    assert len(shop.sent) == 80
    assert sum(shop.balance(f"C{number}") for number in range(10)) == 80


def test_ctrl_c_while_it_waits_is_the_end_of_it(shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four are under way, one is lost, and one comes back in the time that is left."""
    shop.script_of |= {"C0": deque(["lost"]), "C1": deque(["held"])}
    machine.settle_s = 30.0
    machine.end()
    hear, heard = machine.bulk._crew.hear, []

    def interrupted(timeout_s: float) -> Any:
        if not heard and shop.at_work == 1 and len(shop.sent) >= 2:
            heard.append(1)
            shop.release.set()
            raise KeyboardInterrupt
        return hear(timeout_s)

    monkeypatch.setattr(machine.bulk._crew, "hear", interrupted)
    with pytest.raises(KeyboardInterrupt):
        machine.apply(*many(40, 40))

    assert machine.states("k0", "k1") == ["sending", "applied"]
    machine.settle_s = SETTLE_S
    machine.end()
    monkeypatch.undo()
    assert len(machine.apply(*many(40, 40))) == 40
    assert [shop.balance(f"C{number}") for number in range(40)] == [1] * 40


def test_what_never_comes_back_is_left_open_after_a_moment(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.dispatch._GRACE_S", 0.05)
    monkeypatch.setattr("rpctl.delivery.dispatch._TELL_EVERY_S", 0.0)
    shop.script_of["C1"] = deque(["held"])
    outcomes = machine.go(many(2, 2))
    next(outcomes)
    wait_for(lambda: len(shop.sent) == 2)
    began_s = time.monotonic()
    outcomes.close()  # type: ignore[attr-defined]

    assert time.monotonic() - began_s < 1.0
    assert machine.states("k0", "k1") == ["applied", "sending"]


def test_an_error_of_the_file_in_the_middle_ends_it(shop: Shop, machine: Machine) -> None:
    def batches() -> Iterator[Batch]:
        yield Batch(many(3, 3), [2, 3, 4])
        raise InvalidFile("it grew")

    told: list[Outcome] = []
    with pytest.raises(InvalidFile):
        for some in machine.bulk.apply_batches(batches(), run="run"):
            told += some
    assert len(shop.sent) == machine.states("k0", "k1", "k2").count("applied")
    assert "sending" not in machine.states("k0", "k1", "k2")


@pytest.mark.parametrize("after", [0, 1, 2, 3, 4, 6])
def test_a_disk_that_is_full_in_the_middle_loses_and_doubles_nothing(
    after: int, shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    writes = counted(machine.journal, "write_all", monkeypatch, fails_after=after)
    with pytest.raises(StorageFull):
        machine.apply(*many(60))
    unwritten = set(range(60)) - {
        number for number, state in enumerate(machine.states(*[f"k{number}" for number in range(60)])) if state
    }
    sent = keys_sent(shop, *[f"k{number}" for number in range(60)])
    assert not {f"k{number}" for number in unwritten} & set(sent)  # nothing left that was not written
    assert len(writes) > after
    monkeypatch.undo()
    machine.end()
    told = machine.apply(*many(60))

    assert len(told) == 60
    assert set(kinds(told)) <= {"Applied", "AlreadyApplied"}
    assert [shop.count(f"k{number}") for number in range(60)] == [1] * 60


def test_a_disk_that_is_full_for_what_is_learned_ends_nothing(
    shop: Shop, make_machine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = make_machine()
    counted(machine.journal, "learn", monkeypatch, fails_after=0)
    assert kinds(machine.apply(*many(10))) == ["Applied"] * 10


def test_the_next_run_of_a_process_knows_nothing_of_an_interrupted_one(shop: Shop, machine: Machine) -> None:
    shop.script_of["C0"] = deque(["lost"])
    outcomes = machine.go([add("C0", 1, "a"), add("C1", 1, "b")])
    with suppress(StopIteration):
        next(outcomes)
    outcomes.close()  # type: ignore[attr-defined]
    assert len(machine.apply(add("C0", 1, "a"), add("C1", 1, "b"))) == 2
    assert (shop.balance("C0"), shop.balance("C1")) == (1, 1)


# -- tools ------------------------------------------------------------------------------------------------


def counted(journal: Journal, name: str, monkeypatch: pytest.MonkeyPatch, fails_after: int | None = None) -> list[int]:
    """Counts the calls of a journal's method, which fails for a full disk after so many."""
    method = getattr(journal, name)
    calls: list[int] = []

    def counting(*arguments: Any) -> Any:
        calls.append(1)
        if fails_after is not None and len(calls) > fails_after:
            raise StorageFull("full")
        return method(*arguments)

    monkeypatch.setattr(journal, name, counting)
    return calls
