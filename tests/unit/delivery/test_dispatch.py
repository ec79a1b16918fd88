"""Many changes to a service at once: in which order they leave, written down before, and what is told of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from shop import (
    DAY,
    NOON,
    OFF,
    Machine,
    Make,
    Shop,
    add,
    keys_sent,
    kinds,
    many,
    redeem,
    wait_for,
)

from rpctl.backends.port import Batch, Sending
from rpctl.delivery.bulk import Speed
from rpctl.delivery.crew import Crew
from rpctl.delivery.journal import Journal, State
from rpctl.delivery.parcel import Gate, Parcel, Stopped
from rpctl.domain.changes import AddPoints
from rpctl.domain.outcomes import Applied, Refused, Withheld
from rpctl.domain.values import format_instant
from rpctl.errors import (
    RequestRefused,
    StorageFull,
    TokenRefused,
)

# -- order ------------------------------------------------------------------------------------------------


def test_every_change_counts_once_and_is_told_in_the_files_order(shop: Shop, machine: Machine) -> None:
    changes = [add(f"C{number % 7}", number + 1, f"k{number}") for number in range(300)]
    told = machine.apply(*changes)

    assert told == [Applied(number + 1) for number in range(300)]
    assert sum(shop.balance(f"C{number}") for number in range(7)) == 300 * 301 // 2
    assert len(shop.sent) == 300
    assert {machine.row(f"k{number}").line for number in range(300)} == set(range(2, 302))
    assert {machine.row(f"k{number}").run for number in range(300)} == {"run"}


def test_a_customers_changes_arrive_in_the_files_order(shop: Shop, machine: Machine) -> None:
    shop.arriving = lambda sending: time.sleep(0.0005 * (sending.points % 3))
    changes = [add(f"C{number % 5}", number + 1, f"k{number}") for number in range(60)]
    machine.apply(*changes)

    for customer in range(5):
        points = [one.points for one in shop.sent if one.customer_id == f"C{customer}"]
        assert points == [number + 1 for number in range(60) if number % 5 == customer]


def test_a_customers_next_change_waits_until_the_one_before_is_settled(shop: Shop, machine: Machine) -> None:
    shop.script.extend(["gone", "ok"])
    assert kinds(machine.apply(add("C1", 5, "a"), redeem("C1", 5, "b"))) == ["Applied", "Applied"]
    assert keys_sent(shop, "a", "b") == ["a", "a", "b"]


def test_different_customers_go_side_by_side(shop: Shop, machine: Machine) -> None:
    """All of them wait for each other in the service."""
    all_there = threading.Barrier(4, timeout=10)
    shop.arriving = lambda _: (all_there.wait(), None)[1]
    assert kinds(machine.apply(*many(8, 8))) == ["Applied"] * 8
    assert shop.most_at_work == 4


def test_one_request_at_a_time_is_one_at_a_time(shop: Shop, make_machine: Make) -> None:
    machine = make_machine(speed=Speed(1, None, 5.0))
    assert kinds(machine.apply(*many(20))) == ["Applied"] * 20
    assert (shop.most_at_work, shop.opened) == (1, 1)


def test_each_thread_has_a_service_of_its_own_that_it_closes(shop: Shop, make_machine: Make) -> None:
    machine = make_machine()
    machine.apply(*many(40))
    machine.end()
    assert shop.opened <= 4
    wait_for(lambda: shop.closed == shop.opened)


def test_a_key_of_two_customers_counts_for_the_first_of_them(shop: Shop, machine: Machine) -> None:
    shop.script_of["C1"] = deque(["gone"])
    told = machine.apply(add("C1", 5, "a"), add("C2", 5, "a"), add("C1", 5, "a"), add("C1", 6, "a"))

    assert kinds(told) == ["Applied", "key_reused", "AlreadyApplied", "key_reused"]
    assert (shop.balance("C1"), shop.balance("C2")) == (5, 0)


def test_a_key_that_was_refused_to_one_customer_is_free_for_the_next(shop: Shop, machine: Machine) -> None:
    assert kinds(machine.apply(redeem("C1", 5, "a"), add("C2", 5, "a"))) == ["customer_not_found", "Applied"]
    assert machine.row("a").sending.customer_id == "C2"


def test_no_more_rows_are_taken_in_than_a_window_holds(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.dispatch._WINDOW", 4)
    shop.script_of["C0"] = deque(["held"])
    taken: list[int] = []
    taken_meanwhile: list[int] = []

    def batches() -> Iterator[Batch]:
        for number in range(20):
            taken.append(number)
            yield Batch([add(f"C{number}", 1, f"k{number}")], [number + 2])

    def let_go() -> None:
        taken_meanwhile.extend(taken)
        shop.release.set()

    threading.Timer(0.15, let_go).start()
    told = [one for some in machine.bulk.apply_batches(batches(), run="run") for one in some]

    assert kinds(told) == ["Applied"] * 20
    assert taken_meanwhile == [0, 1, 2, 3]


# -- written before it leaves -----------------------------------------------------------------------------


def test_a_row_is_written_as_sending_before_its_request_leaves(shop: Shop, machine: Machine) -> None:
    written: list[bool] = []

    def arriving(sending: Sending) -> None:
        row = machine.sent_rows().get(sending.entry_id, {})
        leaves_at = row.pop("sent_at") - NOON
        written.append(row == sending._asdict() and 2_500 <= leaves_at < 20_000)  # rather too late than too early

    shop.arriving = arriving
    machine.apply(*many(30), redeem("C1", 2, "r"), add("C9", 5, "u", until="+10d", description="text"))
    assert written == [True] * 32


def test_a_row_that_leaves_late_is_written_again_first(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threads are busy: what waits for them gets older than a row may be."""
    monkeypatch.setattr("rpctl.delivery.dispatch.LEAVES_WITHIN_S", 0.05)
    written_s: dict[str, float] = {}
    late: list[float] = []
    write_all = machine.journal.write_all

    def noting(rows: Any, *more: Any) -> set[str]:
        rows = list(rows)
        gone: set[str] = write_all(rows, *more)
        written_s.update({row.sending.entry_id: time.monotonic() for row in rows})
        return gone

    def arriving(sending: Sending) -> None:
        late.append(time.monotonic() - written_s[sending.entry_id])
        shop.now += 60_000
        time.sleep(0.3)

    monkeypatch.setattr(machine.journal, "write_all", noting)
    shop.arriving = arriving
    assert kinds(machine.apply(*many(12, 12))) == ["Applied"] * 12
    assert max(late) < 0.25
    assert len({machine.row(f"k{number}").sent_at for number in range(12)}) >= 3  # with the time of the last writing


def gated(leaves_by_s: float) -> tuple[Gate, Parcel, Crew]:
    """A change that may leave until then."""
    crew = Crew(lambda: None, 1)  # type: ignore[arg-type, return-value]
    parcel = Parcel(add("C1", 1, "a"), 2)
    parcel.leaves_by_s = leaves_by_s
    return Gate(crew), parcel, crew


def test_nothing_leaves_when_the_run_has_ended() -> None:
    gate, parcel, _ = gated(time.monotonic() + 60)
    gate.passed(parcel)
    gate.is_shut = True
    with pytest.raises(Stopped):
        gate.passed(parcel)


def test_what_waits_to_be_written_again_does_not_leave_when_the_run_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpctl.delivery.parcel._AWAITED_S", 0.005)
    gate, parcel, crew = gated(0.0)
    threading.Timer(0.03, lambda: setattr(gate, "is_shut", True)).start()
    with pytest.raises(Stopped):
        gate.passed(parcel)
    assert [one.subject for one in crew.hear(0.0)] == [parcel]


def test_what_is_late_again_after_it_was_written_again_is_written_once_more() -> None:
    gate, parcel, crew = gated(0.0)
    leaving = threading.Thread(target=gate.passed, args=(parcel,))
    leaving.start()
    for leaves_by_s in (0.0, time.monotonic() + 60):
        (told,) = crew.hear(10.0)
        parcel.leaves_by_s = leaves_by_s
        told.value.set()
    leaving.join(10.0)
    assert not leaving.is_alive()


def test_rows_are_written_some_at_a_time(shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    commits = counted(machine.journal, "write_all", monkeypatch)
    machine.apply(*many(200, 200))
    assert len(commits) < 150


def test_what_is_under_way_when_the_process_dies_can_be_seen(shop: Shop, machine: Machine) -> None:
    shop.script.extend(["held"] * 4)
    seen: list[str | None] = []

    def look() -> None:
        wait_for(lambda: shop.at_work == 4)
        seen.extend(machine.states("k0", "k1", "k2", "k3"))
        shop.release.set()

    looking = threading.Thread(target=look)
    looking.start()
    machine.apply(*many(4, 4))
    looking.join()
    assert seen == ["sending"] * 4
    assert machine.states("k0", "k1", "k2", "k3") == ["applied"] * 4


def test_the_points_of_an_order_value_are_decided_once(shop: Shop, machine: Machine) -> None:
    change = AddPoints("C1", "a", None, Decimal("7.9"))
    assert kinds(machine.apply(change)) == ["Applied"]
    assert machine.row("a").sending.points == 7
    assert kinds(machine.apply(change, AddPoints("C1", "a", None, Decimal("8.9")))) == ["AlreadyApplied", "key_reused"]


def test_a_token_goes_with_it_until_ids_are_known_to_be_kept(shop: Shop, make_machine: Make) -> None:
    make_machine().apply(*many(20), redeem("C1", 1, "r"), redeem("C2", 1, "s"))
    adds = [one.tagged for one in shop.sent if one.kind == "add"]
    assert adds == [True] + [False] * 19
    assert [one.tagged for one in shop.sent if one.kind == "redeem"] == [True, False]


# -- refusals ---------------------------------------------------------------------------------------------


def test_refusals_are_told_with_their_reasons(shop: Shop, machine: Machine) -> None:
    shop.programs["off"] = OFF
    shop.script_of |= {"C4": deque(["refused"]), "C5": deque(["refused"])}
    machine.apply(add("C1", 30, "before"))
    told = machine.apply(
        redeem("C1", 40, "a"), redeem("C2", 1, "b"), add("C4", 1, "c", site_code="off"), add("C5", 1, "d"),
        AddPoints("C1", "e", None, Decimal("0.3")), AddPoints("C1", "f", None, Decimal(3), site_code="off"),
        add("C1", 1, "g", reason="why"), add("C1", 1, "h", created_at=NOON + DAY),
        add("C1", 1, "i", until=format_instant(NOON - DAY)), redeem("C1", 30, "j"),
    )  # fmt: skip

    assert kinds(told) == [
        "insufficient_points", "customer_not_found", "program_disabled", "request_refused", "earns_nothing",
        "program_disabled", "unsupported_operation", "invalid_value", "invalid_value", "Applied",
    ]  # fmt: skip
    assert isinstance(told[0], Refused)
    assert told[0].error.details == {"customerId": "C1", "available": 30, "requested": 40}
    told_of = {key: machine.row(key).told for key in "abcd"}
    assert {key: (told or ("",))[0] for key, told in told_of.items()} == {
        "a": "insufficient_points", "b": "customer_not_found", "c": "program_disabled", "d": "request_refused",
    }  # fmt: skip
    assert "30 points" in (told_of["a"] or ("", ""))[1]
    assert machine.states(*"abcdefghij") == ["refused"] * 4 + [None] * 5 + ["applied"]


def test_a_refusal_harms_no_other_row_of_the_customer(shop: Shop, machine: Machine) -> None:
    told = machine.apply(redeem("C1", 1, "a"), add("C1", 5, "b"), redeem("C1", 6, "c"), redeem("C1", 5, "d"))
    assert kinds(told) == ["customer_not_found", "Applied", "insufficient_points", "Applied"]


def test_a_refused_row_is_tried_again_another_time(shop: Shop, machine: Machine) -> None:
    assert kinds(machine.apply(redeem("C1", 5, "a"))) == ["customer_not_found"]
    assert kinds(machine.apply(add("C1", 5, "b"), redeem("C1", 5, "a"))) == ["Applied", "Applied"]
    assert (machine.row("a").state, machine.row("a").told) == (State.APPLIED, None)


def test_points_past_their_validity_are_told(shop: Shop, machine: Machine) -> None:
    told = machine.apply(
        add("C1", 5, "a", until=format_instant(NOON - DAY), created_at=NOON - 2 * DAY), add("C1", 5, "b", until="+1d")
    )
    assert told == [Applied(5, expired_on_arrival=True), Applied(5)]


@pytest.mark.parametrize(
    ("word", "error"), [("forbidden", RequestRefused), ("unauthorized", TokenRefused), ("bug", ZeroDivisionError)]
)
def test_what_concerns_all_rows_ends_the_run_and_nothing_else_is_sent(
    word: str, error: type[Exception], shop: Shop, machine: Machine
) -> None:
    shop.script.extend(["ok"] * 10 + [word] * 1_000)
    with pytest.raises(error):
        machine.apply(*many(60))

    assert len(shop.sent) <= 10 + 2 * 4  # those that had been handed over
    states = machine.states(*[f"k{number}" for number in range(60)])
    # How far it had come nobody knows after a mistake of ours.
    left = {"sending": len(shop.sent) - 10} if word == "bug" else {}
    assert {state: states.count(state) for state in ("applied", "sending", "unknown")} == {
        "applied": 10, "sending": 0, "unknown": 0, **left,
    }  # fmt: skip
    assert kinds(machine.told).count("Unknown") == left.get("sending", 0)
    assert not isinstance(machine.told[-1], Withheld)
    shop.script.clear()
    machine.end()
    assert len(machine.apply(*many(60))) == 60
    assert sum(shop.balance(f"C{number}") for number in range(10)) == 60


def test_the_first_error_is_told_and_what_was_under_way_is_heard(shop: Shop, machine: Machine) -> None:
    shop.script_of |= {"C0": deque(["held"]), "C1": deque(["forbidden"]), "C2": deque(["held unreachable"])}
    threading.Timer(0.1, shop.release.set).start()
    with pytest.raises(RequestRefused):
        machine.apply(*many(30, 30))
    assert machine.states("k0", "k1", "k2") == ["applied", "planned", "planned"]
    assert machine.told[0] == Applied(1)


# -- strict -----------------------------------------------------------------------------------------------


def test_a_run_that_stops_ends_soon_after_the_first_refusal(shop: Shop, machine: Machine) -> None:
    changes = many(200, 200)
    changes[20] = redeem("C20", 1, "k20")
    told = machine.apply(*changes, stops=True)

    assert kinds(told)[20] == "customer_not_found"
    assert kinds(told)[:20] == ["Applied"] * 20
    assert len(shop.sent) <= 21 + 2 * 4 + 2
    assert sum(isinstance(one, Applied) for one in told) == len(shop.sent) - 1
    assert not isinstance(told[-1], Withheld)
    states = machine.states(*[f"k{number}" for number in range(200)])
    assert (states.count("applied"), states.count("sending")) == (len(shop.sent) - 1, 0)


def test_a_run_that_stops_tells_what_became_of_what_was_under_way(shop: Shop, machine: Machine) -> None:
    shop.script_of |= {"C0": deque(["lost"]), "C1": deque(["gone"]), "C2": deque(["held refused"])}
    threading.Timer(0.1, shop.release.set).start()
    machine.settle_s = 0.2
    machine.end()
    told = machine.apply(*many(30, 30)[:3], stops=True)

    assert told == [Applied(1), Withheld(), told[2]]
    assert kinds(told)[2] == "request_refused"
    assert machine.states("k0", "k1", "k2") == ["applied", "planned", "refused"]


def test_what_earns_nothing_stops_nothing(shop: Shop, machine: Machine) -> None:
    told = machine.apply(AddPoints("C1", "a", None, Decimal("0.1")), add("C1", 5, "b"), stops=True)
    assert kinds(told) == ["earns_nothing", "Applied"]


def test_a_refusal_before_anything_is_sent_stops_too(shop: Shop, machine: Machine) -> None:
    told = machine.apply(add("C1", 5, "a", reason="why"), *many(20), stops=True)
    assert (kinds(told), shop.sent) == (["unsupported_operation"], [])


# -- the report -------------------------------------------------------------------------------------------


def test_the_report_so_far_is_kept_with_the_run(shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpctl.delivery.writing._REPORT_EVERY_S", 0.0)
    monkeypatch.setattr("rpctl.delivery.dispatch._TELL_EVERY_S", 0.0)
    machine.start_run()
    shop.script_of["C9"] = deque(["forbidden"])
    with pytest.raises(RequestRefused):
        machine.apply(*many(30), record=lambda: {"told": len(machine.told)})
    kept = machine.runs.kept_run("run").report["told"]

    assert 0 < kept <= len(machine.told)


def test_a_report_is_kept_once_a_second(shop: Shop, machine: Machine) -> None:
    asked: list[int] = []
    machine.apply(*many(30), record=lambda: asked.append(1))
    assert asked == []


def test_where_there_is_no_report_none_is_kept(shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpctl.delivery.writing._REPORT_EVERY_S", 0.0)
    machine.start_run()
    machine.apply(*many(30), record=lambda: None)
    assert machine.runs.kept_run("run").report == {"applied": 0}


def test_outcomes_are_told_while_it_goes_on(shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rpctl.delivery.dispatch._TELL_EVERY_S", 0.0)
    pieces = list(machine.go(many(100)))
    assert len(pieces) > 3
    assert kinds([one for some in pieces for one in some]) == ["Applied"] * 100


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
