"""What several passes, several customers and several processes come to together."""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import closing
from typing import Any

import pytest
from shop import NOON, Machine, Shop, add, redeem

from rpctl.backends.port import Sending
from rpctl.delivery.bulk import Speed
from rpctl.delivery.journal import Delivery, Journal, State
from rpctl.delivery.requests import fingerprint, marks_of
from rpctl.delivery.writing import Writing
from rpctl.domain.outcomes import Refused, Unknown


def kinds(outcomes: list[Any]) -> list[str]:
    return [one.error.code if isinstance(one, Refused) else type(one).__name__ for one in outcomes]


def test_another_process_may_write_while_many_are_undone(shop: Shop, machine: Machine) -> None:
    machine.apply(*[add(f"C{number}", 1, f"k{number}") for number in range(250)])
    row = machine.row("k0")._replace(key="other", run=None)

    def arriving(_: Any) -> None:
        shop.arriving = lambda _: None
        with closing(Journal(machine.folder / "journal.db", shop.target)) as other:
            other.write(row)

    shop.arriving = arriving

    assert sum(machine.runs.undo("run", NOON)) == 250
    assert machine.journal.find("other") == row


def test_a_customer_with_an_unknown_change_waits_in_the_next_batch_too(shop: Shop, machine: Machine) -> None:
    shop.keeps = frozenset()
    with machine.journal.transaction() as connection:
        connection.execute("UPDATE markers SET reach = 0")
    machine.apply(add("C1", 9, "first"))
    shop.script.append("gone")

    told = machine.bulk.apply([add("C1", 5, "a")], run="run") + machine.bulk.apply([redeem("C1", 1, "b")], run="run")

    assert kinds(told) == ["Unknown", "Withheld"]


def test_each_row_of_a_batch_has_an_outcome(shop: Shop, machine: Machine) -> None:
    shop.keeps = frozenset()
    with machine.journal.transaction() as connection:
        connection.execute("UPDATE markers SET reach = 0")
    machine.apply(add("C1", 9, "first"))
    shop.script.append("gone")

    told = machine.bulk.apply([add("C1", 5, "a"), redeem("C1", 1, "b"), add("C1", 1, "c")], run="run")

    assert kinds(told) == ["Unknown", "Withheld", "Withheld"]


def test_waiting_for_a_lesson_costs_nothing(shop: Shop, machine: Machine) -> None:
    with machine.journal.transaction() as connection:
        connection.execute("DELETE FROM markers")
    shop.script.append("held")
    threading.Timer(0.6, shop.release.set).start()
    began_s = time.process_time()

    machine.apply(*[add(f"C{number}", 1, f"k{number}") for number in range(6)])

    assert time.process_time() - began_s < 0.3


def test_a_mark_at_two_customers_is_found_for_either(shop: Shop, machine: Machine) -> None:
    for customer in ("C1", "C2"):
        shop.book(Sending("add", customer, 5, *marks_of(shop.target, "k")))

    assert kinds(machine.apply(add("C2", 5, "k"))) == ["AlreadyApplied"]


def test_a_key_that_was_sent_for_another_customer_belongs_to_that_change(shop: Shop, machine: Machine) -> None:
    shop.book(Sending("add", "C1", 5, *marks_of(shop.target, "k")))

    assert kinds(machine.apply(add("C1", 5, "k"), add("C2", 5, "k"))) == ["AlreadyApplied", "key_reused"]
    assert shop.balance("C2") == 0


@pytest.mark.parametrize("keeps", [{"ids"}, {"texts"}, {"ids", "texts"}])
def test_twins_under_one_mark_are_warned_of(keeps: set[str], shop: Shop, machine: Machine) -> None:
    shop.keeps = frozenset(keeps)
    for _ in range(2):
        shop.book(Sending("add", "C1", 5, *marks_of(shop.target, "k")))

    machine.apply(add("C1", 5, "k"))

    assert [("entries of 1 of" in one) for one in machine.warnings] == [True]


def test_refusals_show_that_the_service_is_back(shop: Shop, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpctl.delivery.reach._FIRST_PAUSE_S", 0.01)
    machine = Machine(shop, tmp_path, Speed(1, None, 0.3))
    machine.teach()
    shop.script.extend(["unreachable", *["refused"] * 20, "unreachable"])
    shop.arriving = lambda _: time.sleep(0.02)

    told = machine.apply(*[add(f"C{number}", 1, f"k{number}") for number in range(22)])
    machine.end()

    assert len(told) == 22


def test_what_was_unknown_and_is_proven_absent_is_sent(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 1, "first"))
    entry_id, token = marks_of(shop.target, "a")
    sending = machine.row("first").sending._replace(points=5, entry_id=entry_id, token=token)
    asked = fingerprint(add("C1", 5, "a"))
    machine.journal.write(Delivery("a", asked, State.UNKNOWN, 0, sending, run="run", line=2))
    shop.script_of["C2"] = deque(["refused"])

    assert kinds(machine.apply_unsurveyed(add("C1", 5, "a"))) == ["Applied"]


def test_what_can_never_be_told_is_said_to_be_so(shop: Shop, tmp_path: Any) -> None:
    shop.keeps = frozenset()
    machine = Machine(shop, tmp_path)
    machine.teach()
    machine.apply(add("C1", 1, "f"))
    shop.script.append("gone")

    (told,) = machine.apply(add("C1", 5, "a"))
    machine.end()

    assert isinstance(told, Unknown)
    assert not told.can_be_told


# -- what is to be written ----------------------------------------------------------------------------------


def written(machine: Machine) -> Writing:
    return Writing(machine.journal, None, lambda: None)


def test_what_is_about_to_be_sent_wins_over_what_became_of_its_key_before(machine: Machine) -> None:
    machine.apply(add("C1", 1, "k"))
    row, writing = machine.row("k"), written(machine)
    writing.settle(row._replace(state=State.REFUSED))

    writing.commit([row._replace(state=State.SENDING)])

    assert machine.row("k").state is State.SENDING


def test_what_waits_to_be_written_is_found_already(machine: Machine) -> None:
    machine.apply(add("C1", 1, "k"))
    row, writing = machine.row("k"), written(machine)
    writing.settle(row._replace(state=State.REFUSED))
    writing.add(row._replace(key="other"))

    found = writing.find(["k", "other", "third"])

    assert {key: one.state for key, one in found.items()} == {"k": State.REFUSED, "other": row.state}


def test_a_key_is_let_go_of_once_it_is_written(machine: Machine, tmp_path: Any) -> None:
    machine.apply(add("C1", 1, "k"))
    writing = written(machine)
    writing.claim("k")
    writing.claim("k")
    writing.release("k")
    writing.commit()
    writing.release("k")
    writing.release("k")

    writing.commit()
    writing.commit()

    assert len(writing) == 0
