"""Undoing an import over a service: every row is reversed once, whatever stops it in between."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from shop import DAY, NOON, Machine, Shop, add, quicken, redeem

from rpctl.backends.port import RunEntries, Sending, Undone
from rpctl.delivery.deliver import Deliverer
from rpctl.delivery.journal import Journal, State
from rpctl.delivery.requests import marks_of, reversal_of
from rpctl.domain.changes import Change, Reverse
from rpctl.domain.outcomes import Applied
from rpctl.errors import CustomerNotFound, RequestRefused, ServiceUnreachable, StorageFull


@pytest.fixture
def machine(shop: Shop, tmp_path: Path) -> Iterator[Machine]:
    """One that knows what the shop keeps, with a run to undo."""
    machine = Machine(shop, tmp_path)
    machine.teach()
    machine.start_run()
    yield machine
    shop.release.set()
    machine.end()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


def undo(machine: Machine, run: str = "run") -> dict[str, Undone]:
    """Undoes the run; what it came to, by customer."""
    for _ in machine.runs.undo(run, NOON + DAY):
        pass
    return came_to(machine, run)


def came_to(machine: Machine, run: str = "run") -> dict[str, Undone]:
    return {one.customer_id: one for one in machine.runs.undone(run)}


def before(shop: Shop, customer: str, points: int, **more: Any) -> None:
    """Points of a customer that are not the run's."""
    shop.book(Sending("add", customer, points, f"before {customer}", "", **more))


FILE: list[Change] = [
    add("C1", 50, "a"), add("C2", 70, "b"), redeem("C1", 60, "c"), redeem("C2", 20, "d"), add("C3", 5, "e"),
]  # fmt: skip


# -- undone -----------------------------------------------------------------------------------------------


def test_all_that_a_run_did_is_had_back(shop: Shop, machine: Machine) -> None:
    before(shop, "C1", 30)
    machine.apply(*FILE)
    assert undo(machine) == {
        "C1": Undone("C1", 50, 60, 0, 0, 0), "C2": Undone("C2", 70, 20, 0, 0, 0), "C3": Undone("C3", 5, 0, 0, 0, 0),
    }  # fmt: skip
    assert [shop.balance(customer) for customer in ("C1", "C2", "C3", "T")] == [30, 0, 0, 1]
    assert machine.runs.run_entries("run") == RunEntries(5, 5, 0)


def test_what_others_did_meanwhile_is_kept(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE)
    machine.apply(redeem("C3", 3, "theirs"), run=None)
    assert undo(machine)["C3"] == Undone("C3", 2, 0, 3, 0, 0)
    assert shop.balance("C3") == 0


def test_lots_that_ended_are_kept(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 5, "a", until="+1d"))
    shop.now += 2 * DAY
    assert undo(machine) == {"C1": Undone("C1", 0, 0, 0, 5, 0)}


def test_rows_that_were_not_applied_are_not_undone(shop: Shop, machine: Machine) -> None:
    told = machine.apply(redeem("C1", 1, "a"), add("C1", 5, "b"), redeem("C1", 6, "c"))
    assert [isinstance(one, Applied) for one in told] == [False, True, False]
    assert undo(machine) == {"C1": Undone("C1", 5, 0, 0, 0, 0)}


def test_rows_of_other_runs_and_of_other_machines_are_not_undone(shop: Shop, machine: Machine, tmp_path: Path) -> None:
    there = Machine(shop, tmp_path / "there")
    there.apply(add("C1", 1, "theirs"))
    there.end()
    machine.apply(add("C1", 2, "other"), run="other")
    machine.apply(add("C1", 1, "theirs"), add("C1", 2, "other"), add("C1", 4, "own"))
    assert undo(machine) == {"C1": Undone("C1", 4, 0, 0, 0, 0)}
    assert shop.balance("C1") == 3


def test_reversals_are_sent_with_marks_and_the_latest_rows_of_a_customer_first(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 1, "a"), add("C1", 2, "b"), redeem("C1", 3, "c"))
    shop.sent.clear()
    undo(machine)

    assert [(one.kind, one.points) for one in shop.sent] == [("add", 3), ("redeem", 2), ("redeem", 1)]
    ids = [marks_of(shop.target, key)[0] for key in "cba"]
    assert [one.entry_id for one in shop.sent] == [marks_of(shop.target, reversal_of(one))[0] for one in ids]


def test_a_reversal_is_written_before_any_of_the_customers_leaves(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 1, "a"), add("C1", 2, "b"))
    keys = [reversal_of(machine.row(key).sending.entry_id) for key in "ab"]
    seen: list[list[str | None]] = []
    shop.arriving = lambda _: seen.append(machine.states(*keys))
    undo(machine)
    assert seen[0] == ["planned", "sending"]


def test_twice_does_nothing(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2])
    first = undo(machine)
    sent, read = len(shop.sent), len(shop.read)
    machine.end()

    assert undo(machine) == first
    assert (len(shop.sent), len(shop.read)) == (sent, read)


def test_the_run_is_marked_before_anything_is_sent_and_after_all_is_done(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2])
    marked: list[int | None] = []

    def arriving(_: Sending) -> None:
        with closing(Journal(machine.folder / "journal.db", shop.target)) as journal, journal.reading() as connection:
            marked.append(connection.execute("SELECT undo_begun_at FROM import_runs").fetchone()[0])

    shop.arriving = arriving
    undo(machine)
    assert set(marked) == {NOON + DAY}
    assert machine.runs.kept_run("run").undone_at is None
    machine.runs.finish_undo("run", NOON + 2 * DAY, {"pointsTakenBack": 120})
    kept = machine.runs.kept_run("run")
    assert (kept.undo_begun_at, kept.undone_at, kept.undo) == (NOON + DAY, NOON + 2 * DAY, {"pointsTakenBack": 120})


def test_customers_are_undone_some_at_a_time(shop: Shop, machine: Machine) -> None:
    machine.bulk.customers_at_once = 3
    machine.apply(*[add(f"C{number % 10}", 1, f"k{number}") for number in range(25)])
    looked_at = list(machine.runs.undo("run", NOON + DAY))

    assert sum(looked_at) == 25
    assert sum(one.taken_back for one in machine.runs.undone("run")) == 25
    assert [shop.balance(f"C{number}") for number in range(10)] == [0] * 10
    assert len(shop.sent) == 50


def test_a_customer_who_is_gone_has_nothing_to_be_found(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2])
    shop.forget("C1")
    assert undo(machine) == {"C1": Undone("C1", 0, 0, 0, 0, 0), "C2": Undone("C2", 70, 0, 0, 0, 0)}
    assert machine.runs.run_entries("run") == RunEntries(1, 1, 0)


def test_a_row_that_is_not_shown_is_looked_for_again(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2])
    shown = shop.hide("C1")
    assert undo(machine)["C1"] == Undone("C1", 0, 0, 0, 0, 0, 50)
    shown()
    machine.end()

    assert undo(machine)["C1"] == Undone("C1", 50, 0, 0, 0, 0)


def test_of_a_lot_whose_use_is_not_told_nothing_is_decided(shop: Shop, machine: Machine) -> None:
    before(shop, "C1", 40)
    machine.apply(*FILE[:2])
    shop.untold = ("usedPoints",)

    assert undo(machine)["C1"] == Undone("C1", 0, 0, 0, 0, 0, 50)
    assert shop.balance("C1") == 90


def test_rows_of_customers_who_were_deleted_are_left_out(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2], redeem("C1", 50, "c"))
    machine.journal.forget("C1")
    assert undo(machine) == {"C2": Undone("C2", 70, 0, 0, 0, 0)}
    assert shop.balance("C1") == 0
    assert machine.runs.run_entries("run") == RunEntries(1, 1, 0)


def test_what_was_reversed_by_hand_is_left_alone(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2])
    by_hand(machine, "a")
    assert undo(machine) == {"C1": Undone("C1", 0, 0, 0, 0, 0), "C2": Undone("C2", 70, 0, 0, 0, 0)}
    assert machine.runs.run_entries("run") == RunEntries(2, 1, 1)


def test_what_is_reversed_by_hand_meanwhile_is_left_alone(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After what is to be done was decided and before it is sent; the service keeps no marks."""
    machine.apply(*FILE[:2])
    redecide = machine.journal.redecide

    def deciding(dropped: Any, rows: Any) -> None:
        redecide(dropped, rows)
        if any(row.state is State.PLANNED and row.sending.customer_id == "C1" for row in rows):
            monkeypatch.undo()
            by_hand(machine, "a")

    monkeypatch.setattr(machine.journal, "redecide", deciding)
    assert undo(machine)["C1"] == Undone("C1", 0, 0, 0, 0, 0)
    assert (shop.balance("C1"), len(shop.books_of("C1").redeemed)) == (0, 1)
    assert machine.runs.run_entries("run") == RunEntries(2, 1, 1)


def test_a_refused_reversal_is_told(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2])
    shop.script_of["C1"] = deque(["refused"])
    assert undo(machine) == {"C1": Undone("C1", 0, 0, 0, 0, 50), "C2": Undone("C2", 70, 0, 0, 0, 0)}
    assert undo(machine)["C1"] == Undone("C1", 0, 0, 0, 0, 50)


# -- what is not known ------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["lost", "gone", "failed", "late 0.005", "limited 0.01", "unreachable"])
def test_a_reversal_whose_answer_is_lost_counts_once(word: str, shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2], redeem("C1", 20, "c"))
    shop.script_of["C1"] = deque([word, word])
    assert undo(machine)["C1"] == Undone("C1", 50, 20, 0, 0, 0)
    assert (shop.balance("C1"), len(shop.entries("C1"))) == (0, 4)


def test_an_unknown_row_of_the_import_is_told_and_found_out_about_the_next_time(shop: Shop, tmp_path: Path) -> None:
    machine = Machine(shop, tmp_path)
    machine.start_run()
    before(shop, "C1", 1)
    shop.script.append("gone")
    machine.apply(add("C1", 50, "a"), add("C1", 5, "b"))
    assert machine.states("a", "b") == ["unknown", None]
    assert undo(machine) == {"C1": Undone("C1", 0, 0, 0, 0, 0, 50)}
    assert machine.runs.run_entries("run") == RunEntries(0, 0, 0, 1)
    shop.book(machine.row("a").sending)
    machine.end()

    assert undo(machine) == {"C1": Undone("C1", 50, 0, 0, 0, 0)}
    assert shop.balance("C1") == 1
    machine.end()


def test_an_unclear_row_that_is_not_in_is_nothing_to_undo(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 50, "a"), add("C2", 1, "b"))
    row = machine.row("a")
    machine.journal.write(row._replace(key="open", state=State.SENDING, sending=probe(shop, row.sending), line=9))
    assert undo(machine) == {"C1": Undone("C1", 50, 0, 0, 0, 0), "C2": Undone("C2", 1, 0, 0, 0, 0)}
    assert machine.states("open") == ["planned"]


def test_an_unknown_reversal_is_told_and_the_customers_others_wait(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 50, "a"), add("C1", 5, "b"), add("C2", 1, "c"))
    shop.script_of["C1"] = deque(["gone"])
    shop.arriving = lambda sending: shop.book(sending._replace(points=1)) if sending.customer_id == "C1" else None
    assert undo(machine) == {"C1": Undone("C1", 0, 0, 0, 0, 0, 55), "C2": Undone("C2", 1, 0, 0, 0, 0)}
    assert len([one for one in shop.sent if one.customer_id == "C1"]) == 3


# -- stopped ----------------------------------------------------------------------------------------------


def stopped(machine: Machine, shop: Shop, after: int) -> None:
    """An undoing that is stopped after so many reversals."""
    machine.apply(*[add("C1", 10 * (number + 1), f"k{number}") for number in range(4)])
    shop.script.extend(["ok"] * after + ["forbidden"])
    with pytest.raises(RequestRefused):
        undo(machine)
    assert len(shop.books_of("C1").redeemed) == after


@pytest.mark.parametrize("older", [0, 35, 1_000])
@pytest.mark.parametrize("after", range(4))
def test_stopped_it_goes_on_with_what_is_left(after: int, older: int, shop: Shop, machine: Machine) -> None:
    """Whichever lots the service took: points of before are taken in place of the run's."""
    if older:
        before(shop, "C1", older)
    stopped(machine, shop, after)
    machine.end()

    assert undo(machine) == {"C1": Undone("C1", 100, 0, 0, 0, 0)}
    assert shop.balance("C1") == older
    assert [one.points for one in shop.books_of("C1").redeemed] == [40, 30, 20, 10]


@pytest.mark.parametrize(("after", "taken"), [(0, 5), (1, 40), (2, 70), (3, 90)])
def test_what_was_spent_since_it_was_stopped_is_not_taken_from_what_was_earned_since(
    after: int, taken: int, shop: Shop, machine: Machine
) -> None:
    stopped(machine, shop, after)
    before(shop, "C1", 1_000)
    machine.apply(redeem("C1", 95, "theirs"), run=None)
    machine.end()

    assert undo(machine) == {"C1": Undone("C1", taken, 0, 100 - taken, 0, 0)}
    assert shop.balance("C1") == 1_000 + 100 - 95 - taken


def test_a_customer_who_was_deleted_since_it_was_stopped_is_not_made_anew(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 60, "a"), redeem("C1", 60, "b"))
    shop.script.append("forbidden")
    with pytest.raises(RequestRefused):
        undo(machine)
    shop.forget("C1")
    machine.end()

    assert undo(machine) == {"C1": Undone("C1", 0, 0, 0, 0, 0)}
    with pytest.raises(CustomerNotFound):
        shop.books_of("C1")


@pytest.mark.parametrize("after", range(6))
def test_a_full_disk_in_the_middle_doubles_nothing(
    after: int, shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.bulk.customers_at_once = 2
    machine.apply(*[add(f"C{number % 6}", number + 1, f"k{number}") for number in range(12)])
    write_all, calls = machine.journal.write_all, []

    def full(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) > after:
            raise StorageFull("full")
        return write_all(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(machine.journal, "write_all", full)
        with pytest.raises(StorageFull):
            undo(machine)
    machine.end()
    undo(machine)

    assert sum(one.taken_back for one in came_to(machine).values()) == 78
    assert [shop.balance(f"C{number}") for number in range(6)] == [0] * 6
    assert [len(shop.entries(f"C{number}")) for number in range(6)] == [4] * 6


def test_ctrl_c_in_the_middle_doubles_nothing(shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.bulk.customers_at_once = 2
    machine.apply(*[add(f"C{number % 6}", number + 1, f"k{number}") for number in range(12)])
    for _ in range(3):
        going = machine.runs.undo("run", NOON + DAY)
        next(going, None)
        going.close()  # type: ignore[attr-defined]
        machine.end()
    undo(machine)

    assert sum(one.taken_back for one in came_to(machine).values()) == 78
    assert [shop.balance(f"C{number}") for number in range(6)] == [0] * 6


def test_a_summary_that_cannot_be_read_ends_it_before_anything_is_sent(shop: Shop, machine: Machine) -> None:
    machine.apply(*FILE[:2])
    shop.sent.clear()
    shop.unreadable = ServiceUnreachable("gone")
    with pytest.raises(ServiceUnreachable):
        undo(machine)
    assert shop.sent == []
    shop.unreadable = None
    assert undo(machine)["C1"] == Undone("C1", 50, 0, 0, 0, 0)


def test_many_summaries_are_read_side_by_side_and_the_first_error_ends_it(shop: Shop, machine: Machine) -> None:
    for number in range(40):
        before(shop, f"C{number}", number + 1)
    read, all_there = shop.summary, threading.Barrier(4, timeout=10)

    def together(customer_id: str) -> Any:
        all_there.wait()
        return read(customer_id)

    shop.summary = together  # type: ignore[method-assign]
    found = machine.bulk.summaries([*[f"C{number}" for number in range(39)], "nobody"])
    assert {who: one.active_points for who, one in found.items()} == {f"C{number}": number + 1 for number in range(39)}

    def failing(customer_id: str) -> Any:
        time.sleep(0.001)
        if customer_id == "C5":
            raise ServiceUnreachable("gone")
        return read(customer_id)

    shop.read.clear()
    shop.summary = failing  # type: ignore[method-assign]
    with pytest.raises(ServiceUnreachable):
        machine.bulk.summaries([f"C{number}" for number in range(400)])
    assert len(shop.read) < 300
    assert machine.bulk._crew.under_way == 0


# -- a dry run --------------------------------------------------------------------------------------------


def test_a_dry_run_tells_what_the_undoing_comes_to_and_writes_and_sends_nothing(shop: Shop, machine: Machine) -> None:
    before(shop, "C1", 30)
    machine.apply(*FILE)
    machine.apply(redeem("C3", 3, "theirs"), run=None)
    by_hand(machine, "b")
    shop.sent.clear()
    kept = rows(machine)
    with machine.runs.rehearsal() as runs:
        assert sum(runs.undo("run", NOON + DAY)) > 0
        rehearsed, entries = list(runs.undone("run")), runs.run_entries("run")
        runs.finish_undo("run", NOON + DAY, {"pointsTakenBack": 1})

    assert (shop.sent, rows(machine)) == ([], kept)
    assert machine.runs.kept_run("run").undo_begun_at is None
    assert list(undo(machine).values()) == rehearsed
    assert machine.runs.run_entries("run") == entries == RunEntries(5, 4, 1)


def test_a_dry_run_of_what_was_begun_tells_what_was_decided(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 10, "a"), add("C1", 20, "b"), add("C2", 5, "c"))
    shop.script_of["C1"] = deque(["ok", "forbidden"])
    with pytest.raises(RequestRefused):
        undo(machine)
    with machine.runs.rehearsal() as runs:
        list(runs.undo("run", NOON + DAY))
        assert {one.customer_id: one for one in runs.undone("run")} == {
            "C1": Undone("C1", 30, 0, 0, 0, 0), "C2": Undone("C2", 5, 0, 0, 0, 0),
        }  # fmt: skip
        assert runs.run_entries("run") == RunEntries(3, 3, 0)


def test_a_row_that_turns_out_to_be_in_changes_what_was_decided_on_the_others(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.apply(add("C1", 100, "b"), add("C1", 100, "a"), add("C1", 10, "c"))
    machine.apply(redeem("C1", 100, "theirs"), run=None)
    before(shop, "C1", 500)
    applied = machine.row("b")
    machine.journal.write(applied._replace(state=State.UNKNOWN))
    shop.script.extend(["ok", "forbidden"])
    with monkeypatch.context() as patched:
        patched.setattr(machine.bulk, "settle", lambda _: None)
        with pytest.raises(RequestRefused):
            undo(machine)
    machine.journal.write(applied)
    machine.end()

    assert undo(machine) == {"C1": Undone("C1", 110, 0, 100, 0, 0)}
    assert shop.balance("C1") == 500


def test_where_the_takings_are_not_told_no_more_is_taken_than_may_be_left(shop: Shop, machine: Machine) -> None:
    before(shop, "C1", 100)
    machine.apply(add("C1", 50, "c"), add("C1", 100, "a"))
    shop.script.extend(["ok", "forbidden"])
    with pytest.raises(RequestRefused):
        undo(machine)
    machine.apply(redeem("C1", 40, "theirs"), run=None)
    shop.forget_uses("C1")
    machine.end()

    assert undo(machine)["C1"].taken_back <= 150 - 40


# -- tools ------------------------------------------------------------------------------------------------


def by_hand(machine: Machine, key: str) -> None:
    """`points reverse` of what a row made."""
    sending = machine.row(key).sending
    shop: Any = machine.shop
    send: Callable[..., None] = shop.send
    shop.send = lambda sending, leaving: send(sending, leaving, patient=False)
    with closing(Journal(machine.folder / "journal.db", shop.target)) as journal:
        change = Reverse(sending.customer_id, sending.entry_id, f"by hand {key}")
        assert isinstance(Deliverer(shop, journal, machine.world).apply(change, key_given=False), Applied)
    del shop.send


def probe(shop: Shop, sending: Sending) -> Sending:
    """The same under other marks."""
    entry_id, token = marks_of(shop.target, "open")
    return sending._replace(entry_id=entry_id, token=token)


def rows(machine: Machine) -> list[Any]:
    """All of the journal's file."""
    with machine.journal.reading() as connection:
        return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in ("deliveries", "import_runs")]
