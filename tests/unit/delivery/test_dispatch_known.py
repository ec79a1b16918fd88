"""Changes whose keys somebody has sent before, or is sending now."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack, closing
from decimal import Decimal
from typing import Any

import pytest
from shop import (
    NOON,
    Machine,
    Make,
    Shop,
    add,
    key_of,
    keys_sent,
    kinds,
    many,
    redeem,
)

from rpctl.backends.port import Sending
from rpctl.delivery.journal import Journal, State
from rpctl.delivery.requests import marks_of
from rpctl.domain.changes import AddPoints, Change
from rpctl.domain.outcomes import AlreadyApplied, Applied
from rpctl.domain.values import format_instant
from rpctl.errors import (
    DeliveryUnderWay,
)

# -- keys that are in the journal -------------------------------------------------------------------------


def test_a_key_of_this_run_is_told_with_what_is_recorded(shop: Shop, machine: Machine) -> None:
    past = add("C1", 5, "a", until=format_instant(NOON), created_at=NOON)
    machine.apply(past)
    machine.end()
    (told,) = machine.apply(past)

    assert isinstance(told, AlreadyApplied)
    assert told.recorded is not None
    assert told.recorded == (2, 5, "run", True)
    assert len(shop.sent) == 1


def test_a_key_of_another_run_stays_there(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 5, "a"), run="first")
    (told,) = machine.apply(add("C1", 5, "a"), run="second")

    assert isinstance(told, AlreadyApplied)
    assert (told.recorded and told.recorded.run, machine.row("a").run) == ("first", "first")


@pytest.mark.parametrize("go", [Machine.apply, Machine.apply_unsurveyed])
def test_what_another_run_left_open_and_is_in_is_already_applied(go: Any, shop: Shop, machine: Machine) -> None:
    shop.script.append("lost")
    left_open(machine, add("C1", 5, "a"), "first")
    (told,) = go(machine, add("C1", 5, "a"), run="second")

    assert isinstance(told, AlreadyApplied)
    assert told.recorded is not None
    assert told.recorded == (2, 5, "first", False)
    assert (machine.row("a").run, machine.row("a").state, shop.balance("C1")) == ("first", State.APPLIED, 5)


@pytest.mark.parametrize("go", [Machine.apply, Machine.apply_unsurveyed])
def test_what_another_run_left_open_and_is_not_in_becomes_this_runs(go: Any, shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 1, "first"))
    shop.script.append("gone")
    left_open(machine, add("C1", 5, "a"), "first")
    told = go(machine, add("C2", 1, "b"), add("C1", 5, "a"), run="second")

    assert told == [Applied(1), Applied(5)]
    assert (machine.row("a").run, machine.row("a").line, shop.balance("C1")) == ("second", 3, 6)


@pytest.mark.parametrize("go", [Machine.apply, Machine.apply_unsurveyed])
@pytest.mark.parametrize("word", ["lost", "gone"])
def test_what_this_run_left_open_counts_as_its_own(word: str, go: Any, shop: Shop, machine: Machine) -> None:
    shop.script.append(word)
    left_open(machine, add("C1", 5, "a"), "run")
    (told,) = go(machine, add("C1", 5, "a"), run="run")

    assert isinstance(told, Applied) or (told.recorded is not None and told.recorded.run == "run")  # type: ignore[union-attr]
    assert (machine.row("a").run, machine.row("a").state, shop.balance("C1")) == ("run", State.APPLIED, 5)


def test_what_was_left_open_is_not_looked_for_before_it_can_no_longer_arrive(shop: Shop, machine: Machine) -> None:
    """Rows are stamped with the latest moment at which they may leave."""
    shop.script.append("lost")
    left_open(machine, add("C1", 5, "a"), "run")
    shop.now += 2_500  # when it left, at the latest
    machine.settle_s = 0.2
    machine.end()
    began_s = time.monotonic()
    machine.apply_unsurveyed(add("C1", 5, "a"))
    assert time.monotonic() - began_s >= 0.2


def test_what_was_left_open_long_ago_is_looked_for_at_once(shop: Shop, machine: Machine) -> None:
    shop.script.append("lost")
    left_open(machine, add("C1", 5, "a"), "run")
    shop.now += 40_000
    machine.settle_s = 30.0
    machine.end()
    began_s = time.monotonic()
    machine.apply_unsurveyed(add("C1", 5, "a"))
    assert time.monotonic() - began_s < 5


def test_another_change_under_a_key_is_refused(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 5, "a"))
    told = machine.apply(add("C1", 6, "a"), redeem("C1", 5, "a"), add("C2", 5, "a"), add("C1", 5, "a", until="+1d"))
    assert (kinds(told), len(shop.sent)) == (["key_reused"] * 4, 1)


def test_a_key_of_a_deleted_customer_counts_no_more(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 5, "a"))
    machine.journal.forget("C1")
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["customer_deleted"]
    assert len(shop.sent) == 1


# -- first sight ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [{"ids"}, {"texts"}])
def test_what_another_machine_sent_counts_as_applied(kept: set[str], shop: Shop, make_machine: Make) -> None:
    shop.keeps = frozenset(kept)
    here, there = make_machine(), make_machine()
    changes = [add("C1", 5, "a"), redeem("C1", 2, "b"), AddPoints("C2", "c", None, Decimal("7.5"))]
    there.apply(*changes)
    told = here.apply(*changes, add("C1", 9, "d"))

    assert kinds(told) == ["AlreadyApplied"] * 3 + ["Applied"]
    assert (here.states("a", "b", "c"), here.row("c").sending.points) == (["applied"] * 3, 7)
    assert [shop.count(key) for key in "abcd"] == [1, 1, 1, 1]
    assert here.row("a").run is None  # it is no row of this run, and is not undone with it
    assert kinds(here.apply(*changes)) == ["AlreadyApplied"] * 3


def test_what_another_machine_sent_under_a_key_is_no_other_change(shop: Shop, make_machine: Make) -> None:
    here, there = make_machine(), make_machine()
    there.apply(add("C1", 5, "a"), add("C2", 5, "b"), add("C3", 5, "c", reference_id="order-1"))
    told = here.apply(add("C1", 6, "a"), redeem("C2", 5, "b"), add("C3", 5, "c", reference_id="order-2"))

    assert kinds(told) == ["key_reused"] * 3
    assert here.states("a", "b", "c") == [None] * 3


def test_a_reference_that_is_the_key_is_a_mark_where_all_else_is_the_same(shop: Shop, make_machine: Make) -> None:
    for customer, points in (("C1", 5), ("C2", 9)):
        shop.book(Sending("add", customer, points, "the shop's", "", reference_id="order-1"))
    here = make_machine()
    told = here.apply(add("C1", 5, "order-1", reference_id="order-1"))
    assert kinds(told) == ["AlreadyApplied"]
    there = make_machine()
    told = there.apply(add("C2", 5, "order-1", reference_id="order-1"), add("C1", 5, "other", reference_id="order-1"))
    assert kinds(told) == ["Applied", "Applied"]


def test_several_entries_of_a_row_are_warned_of_and_it_is_not_sent(shop: Shop, make_machine: Make) -> None:
    shop.keeps = frozenset({"texts"})
    for _ in range(2):
        shop.book(Sending("add", "C1", 5, *marks_of(shop.target, "a")))
    machine = make_machine()
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["AlreadyApplied"]
    assert (len(machine.warnings), shop.sent) == (1, [])


# -- keys that another process works on -------------------------------------------------------------------


def test_a_key_that_another_process_works_on_is_waited_for(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = claimed_elsewhere(machine, "k3", 5, monkeypatch)
    assert kinds(machine.apply(*many(20))) == ["Applied"] * 20
    assert len(refused) == 5
    assert keys_sent(shop, *[f"k{number}" for number in range(20)]).index("k3") > 3  # others went on
    assert [key for key in keys_sent(shop, *[f"k{number}" for number in range(20)]) if key in ("k3", "k13")] == [
        "k3", "k13",
    ]  # fmt: skip


def test_what_the_other_process_did_meanwhile_is_seen(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other() -> None:
        with closing(Journal(machine.journal.path, shop.target)) as journal:
            journal.write(machine_row._replace(state=State.APPLIED))

    machine.apply(add("C1", 5, "a"))
    machine_row = machine.row("a")
    with machine.journal.transaction() as connection:
        connection.execute("DELETE FROM deliveries WHERE key = 'a'")
    shop.keeps = frozenset()
    machine.bulk.survey([[add("C2", 1, "b")]], 1, applies=True)
    claimed_elsewhere(machine, "a", 3, monkeypatch, at_last=other)
    (told,) = machine.apply_unsurveyed(add("C1", 5, "a"))

    assert isinstance(told, AlreadyApplied)
    assert len(shop.sent) == 1


def test_a_key_that_another_process_never_lets_go_of_ends_the_run(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.dispatch._LONGEST_CLAIM_S", 0.05)
    claimed_elsewhere(machine, "k3", 10_000, monkeypatch)
    with pytest.raises(DeliveryUnderWay):
        machine.apply(*many(10))

    assert kinds(machine.told) == ["Applied"] * 3 + ["Withheld"] + ["Applied"] * 6
    assert machine.states("k3") == [None]


def test_every_key_is_claimed_while_it_is_worked_on_and_let_go_of_after_it(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: set[str] = set()
    most = 0
    claim = machine.journal.claim
    unclaimed: list[str] = []

    def claiming(key: str) -> Any:
        nonlocal most
        stack = ExitStack()
        stack.enter_context(claim(key))
        assert key not in held  # a second claim of one process would end with the first
        held.add(key)
        stack.callback(held.discard, key)
        most = max(most, len(held))
        return stack

    monkeypatch.setattr(machine.journal, "claim", claiming)
    keys = [f"k{number}" for number in range(100)]
    shop.arriving = lambda sending: unclaimed.extend({key_of(sending, *keys)} - held)
    shop.script_of["C3"] = deque(["gone", "limited 0", "lost"])
    machine.apply(*many(100), add("C5", 1, "k4"), add("C4", 1, "k4"))

    assert (unclaimed, held) == ([], set())
    assert most < 60


# -- tools ------------------------------------------------------------------------------------------------


def claimed_elsewhere(
    machine: Machine,
    key: str,
    times: int,
    monkeypatch: pytest.MonkeyPatch,
    at_last: Callable[[], None] = lambda: None,
) -> list[int]:
    """Another process has the key, so many times that it is asked for; ``at_last``: what it does before it ends."""
    claim = machine.journal.claim
    refused: list[int] = []

    def claiming(one: str) -> Any:
        if one == key and len(refused) < times:
            refused.append(1)
            if len(refused) == times:
                at_last()
            raise DeliveryUnderWay("somebody else", key=key)
        return claim(one)

    monkeypatch.setattr(machine.journal, "claim", claiming)
    return refused


def left_open(machine: Machine, change: Change, run: str) -> None:
    """A run whose process dies while it waits for what became of its only change."""
    settle_s, machine.settle_s = machine.settle_s, 30.0
    machine.end()
    crew = machine.bulk._crew
    hear = crew.hear

    def dying(timeout_s: float) -> Any:
        answers = hear(min(timeout_s, 0.02))
        if not answers and not crew.under_way:
            raise KeyboardInterrupt
        return answers

    crew.hear = dying  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        machine.apply(change, run=run)
    machine.settle_s = settle_s
    machine.end()
    assert machine.states(change.key) == ["sending"]
