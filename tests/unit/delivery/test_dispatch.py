"""Many changes to a service at once: each counts once and in its customer's order, whatever becomes of the requests."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shop import DAY, NOON, OFF, SETTLE_S, Machine, Shop, add, key_of, quicken, redeem, wait_for

from rpctl.backends.port import Batch, Sending, Unsettled
from rpctl.delivery.bulk import Speed
from rpctl.delivery.journal import Journal, State
from rpctl.delivery.requests import marks_of
from rpctl.domain.changes import AddPoints, Change
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown, Withheld
from rpctl.domain.values import format_instant
from rpctl.errors import (
    DeliveryUnderWay,
    InvalidFile,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    ServiceUnreachable,
    StorageFull,
    TimedOut,
    TokenRefused,
)


@pytest.fixture
def shop() -> Shop:
    return Shop()


@pytest.fixture
def machines(shop: Shop, tmp_path: Path) -> Iterator[Callable[..., Machine]]:
    """Makes machines of their own."""
    made: list[Machine] = []

    def make(**more: Any) -> Machine:
        made.append(Machine(shop, tmp_path / str(len(made)), **more))
        return made[-1]

    yield make
    shop.release.set()
    for machine in made:
        machine.end()


@pytest.fixture
def machine(machines: Callable[..., Machine]) -> Machine:
    """One that knows what the shop keeps."""
    machine = machines()
    machine.teach()
    return machine


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    quicken(monkeypatch)


def kinds(outcomes: list[Outcome]) -> list[str]:
    return [one.error.code if isinstance(one, Refused) else type(one).__name__ for one in outcomes]


def many(count: int, customers: int = 10, prefix: str = "k") -> list[Change]:
    return [add(f"C{number % customers}", 1, f"{prefix}{number}") for number in range(count)]


def keys_sent(shop: Shop, *keys: str) -> list[str]:
    return [key_of(one, *keys) for one in shop.sent]


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


def test_one_request_at_a_time_is_one_at_a_time(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines(speed=Speed(1, None, 5.0))
    assert kinds(machine.apply(*many(20))) == ["Applied"] * 20
    assert (shop.most_at_work, shop.opened) == (1, 1)


def test_each_thread_has_a_service_of_its_own_that_it_closes(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines()
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

    def noting(rows: Any, *more: Any) -> None:
        rows = list(rows)
        write_all(rows, *more)
        written_s.update({row.sending.entry_id: time.monotonic() for row in rows})

    def arriving(sending: Sending) -> None:
        late.append(time.monotonic() - written_s[sending.entry_id])
        shop.now += 60_000
        time.sleep(0.3)

    monkeypatch.setattr(machine.journal, "write_all", noting)
    shop.arriving = arriving
    assert kinds(machine.apply(*many(12, 12))) == ["Applied"] * 12
    assert max(late) < 0.25
    assert len({machine.row(f"k{number}").sent_at for number in range(12)}) >= 3  # with the time of the last writing


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


def test_a_token_goes_with_it_until_ids_are_known_to_be_kept(shop: Shop, machines: Callable[..., Machine]) -> None:
    machines().apply(*many(20), redeem("C1", 1, "r"), redeem("C2", 1, "s"))
    adds = [one.tagged for one in shop.sent if one.kind == "add"]
    assert adds == [True] + [False] * 19
    assert [one.tagged for one in shop.sent if one.kind == "redeem"] == [True, False]


# -- lost answers -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        ("lost",), ("failed",), ("gone",), ("late 0.005",), ("gone", "gone", "lost"), ("failed",) * 5,
        ("failed", "late 0.003"), ("late 0", "ok"), ("limited 0.01", "gone", "unreachable", "lost"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kept", [{"ids"}, {"texts"}])
def test_a_change_counts_once_whatever_becomes_of_its_answers(
    script: tuple[str, ...], kept: set[str], shop: Shop, machines: Callable[..., Machine]
) -> None:
    shop.keeps = frozenset(kept)
    machine = machines()
    machine.teach()
    machine.apply(add("C1", 100, "first"))
    shop.script.extend(script)
    told = machine.apply(redeem("C1", 30, "a"), add("C1", 7, "b"))

    assert told == [Applied(30), Applied(7)]
    assert (shop.count("a"), shop.count("b"), shop.balance("C1")) == (1, 1, 77)
    assert machine.states("a", "b") == ["applied", "applied"]
    assert kinds(machine.apply(redeem("C1", 30, "a"), add("C1", 7, "b"))) == ["AlreadyApplied"] * 2


def test_what_got_no_answer_is_not_looked_for_before_it_can_no_longer_arrive(shop: Shop, machine: Machine) -> None:
    machine.settle_s = 0.15
    machine.end()
    shop.script.append("late 0.14")
    machine.apply(add("C1", 5, "a"))
    told_s: list[float] = []
    sent_s = shop.sent_s[0]
    shop.read.clear()
    read = shop.summary
    shop.summary = lambda customer: (told_s.append(time.monotonic()), read(customer))[1]  # type: ignore[method-assign]
    shop.script.append("late 0.14")
    machine.apply(add("C1", 6, "b"))
    survey_s, look_s = told_s

    assert survey_s < shop.sent_s[1]
    assert look_s - shop.sent_s[1] >= 0.15
    assert (sent_s < survey_s, len(shop.sent), shop.balance("C1")) == (True, 2, 11)


def test_what_the_service_says_has_failed_is_looked_for_after_a_second_at_most(
    shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.dispatch.AFTER_FAILURE_S", 0.05)
    machine.settle_s = 30.0
    machine.end()
    shop.script.append("failed")
    began_s = time.monotonic()
    assert machine.apply(add("C1", 5, "a")) == [Applied(5)]
    assert 0.05 <= shop.sent_s[1] - shop.sent_s[0] < 5
    assert time.monotonic() - began_s < 5


def test_time_that_went_by_in_vain_counts(shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request had a time-out of its own, as long as the service's."""
    machine.settle_s = 30.0
    machine.end()
    send = shop.send

    def timed_out(sending: Sending, leaving: Callable[[], None], *, patient: bool = True) -> None:
        send(sending, leaving, patient=patient)
        if len(shop.sent) == 1:
            raise Unsettled("no answer", answered=False, since_s=29.97)

    monkeypatch.setattr(shop, "send", timed_out)
    began_s = time.monotonic()
    assert machine.apply(add("C1", 5, "a")) == [Applied(5)]
    assert 0.02 < time.monotonic() - began_s < 5
    assert len(shop.sent) == 1


def test_what_cannot_be_told_is_unknown_and_the_customers_later_changes_wait(
    shop: Shop, machines: Callable[..., Machine]
) -> None:
    shop.keeps = frozenset()
    machine = machines()
    machine.teach()
    machine.apply(add("C1", 1, "first"), add("C2", 1, "second"))
    shop.sent.clear()
    shop.script_of["C1"] = deque(["lost"])
    told = machine.apply(
        add("C1", 5, "a"), add("C2", 5, "b"), add("C1", 6, "c"), add("C3", 5, "d"), add("C1", 7, "e"), add("C3", 1, "c")
    )

    assert kinds(told) == ["Unknown", "Applied", "Withheld", "Applied", "Withheld", "Applied"]
    assert machine.states("a", "e") == ["unknown", None]
    assert (machine.row("a").told or ("",))[0] == "outcome_unknown"
    assert sorted(keys_sent(shop, "a", "b", "c", "d", "e")) == ["a", "b", "c", "d"]


def test_what_was_unknown_stays_so_at_once_where_no_marks_are_kept(
    shop: Shop, machines: Callable[..., Machine]
) -> None:
    shop.keeps = frozenset()
    machine = machines()
    machine.teach()
    machine.apply(add("C1", 1, "first"))
    shop.script.append("gone")
    machine.apply(add("C1", 5, "a"))
    shop.read.clear()
    machine.settle_s = 30.0
    machine.end()
    told = machine.apply(add("C1", 5, "a"), add("C1", 6, "b"))

    assert kinds(told) == ["Unknown", "Withheld"]
    assert (shop.count("a"), len(shop.read)) == (0, 1)  # by the survey


def test_what_was_unknown_is_applied_as_soon_as_it_can_be_told(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines()
    machine.apply(add("C1", 1, "first", description="x"), run=None)
    shop.keeps = frozenset({"texts"})
    machine.end()
    machine.folder = machine.folder / "another"
    shop.script.extend(["gone", "ok"])
    told = machine.apply(add("C1", 5, "a", description="long " * 20), add("C1", 6, "b"))
    assert kinds(told) == ["Unknown", "Withheld"]
    machine.end()
    assert kinds(machine.apply(add("C2", 1, "c", description="long " * 30))) == ["Applied"]  # teaches
    told = machine.apply(add("C1", 5, "a", description="long " * 20), add("C1", 6, "b"))

    assert kinds(told) == ["Applied", "Applied"]
    assert shop.balance("C1") == 12


def test_an_entry_under_our_mark_that_is_another_one_settles_nothing(shop: Shop, machine: Machine) -> None:
    shop.script.append("gone")
    shop.arriving = lambda sending: shop.book(sending._replace(points=99))
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["Unknown"]
    assert len(shop.sent) == 1


def test_two_entries_of_one_mark_are_warned_of(shop: Shop, machine: Machine) -> None:
    shop.script.append("lost")
    shop.arriving = shop.book
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["Applied"]
    assert machine.warnings == ["the service has more than one entry of key a"]


def test_what_fails_every_time_ends_the_run_and_is_not_in(shop: Shop, machine: Machine) -> None:
    shop.script_of["C1"] = deque(["failed"] * 6)
    with pytest.raises(ServiceUnavailable, match="failed 6 times; a change is not in"):
        machine.apply(add("C1", 5, "a"), add("C1", 6, "b"))

    assert (machine.states("a", "b"), shop.balance("C1"), len(shop.sent)) == (["planned", None], 0, 6)
    assert kinds(machine.apply(add("C1", 5, "a"), add("C1", 6, "b"))) == ["Applied", "Applied"]


def test_a_refusal_of_what_may_be_in_is_looked_into(shop: Shop, machine: Machine) -> None:
    """The first sending arrives later than anything may, and makes the second one fail."""
    machine.apply(add("C1", 60, "first"))
    shop.script.extend(["gone", "ok"])

    def arriving(sending: Sending) -> None:
        if len(shop.sent) == 3:
            shop.book(shop.sent[1])

    shop.arriving = arriving
    assert machine.apply(redeem("C1", 50, "a")) == [Applied(50)]
    assert (shop.balance("C1"), machine.states("a"), shop.count("a")) == (10, ["applied"], 1)


def test_a_refusal_of_what_is_not_in_is_told_with_its_reason(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 60, "first"))
    shop.script.extend(["gone", "ok"])
    told = machine.apply(redeem("C1", 70, "a"), add("C1", 1, "b"))

    assert kinds(told) == ["insufficient_points", "Applied"]
    assert machine.states("a") == ["refused"]


@pytest.mark.parametrize("error", [ServiceUnreachable("gone."), TimedOut("too late."), RateLimited("slow down.")])
def test_a_summary_that_cannot_be_read_now_is_read_later(error: Any, shop: Shop, machine: Machine) -> None:
    read = shop.summary
    failing: list[Any] = []

    def summary(customer_id: str) -> Any:
        if failing:
            raise failing.pop()
        return read(customer_id)

    shop.summary = summary  # type: ignore[method-assign]
    shop.script.append("lost")
    shop.arriving = lambda _: failing.extend([error] * 2)
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["Applied"]
    assert (failing, len(shop.sent), shop.balance("C1")) == ([], 1, 5)


def test_a_summary_that_nobody_may_read_ends_the_run_and_leaves_the_row_open(shop: Shop, machine: Machine) -> None:
    shop.script.append("lost")
    shop.arriving = lambda _: setattr(shop, "unreadable", RequestRefused("not yours").of_request("GET /x", 403))
    with pytest.raises(RequestRefused):
        machine.apply(add("C1", 5, "a"))
    shop.unreadable, shop.arriving = None, lambda _: None

    assert kinds(machine.told) == ["Unknown"]
    assert machine.states("a") == ["sending"]
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["AlreadyApplied"]
    assert shop.balance("C1") == 5


# -- the service asks to slow down, or is not there ---------------------------------------------------------


def test_a_service_that_asks_to_slow_down_slows_all_and_harms_no_row(shop: Shop, machine: Machine) -> None:
    shop.script.extend(["ok"] * 20 + ["limited 0.3"] + ["ok"] * 10)
    began_s = time.monotonic()
    told = machine.apply(*many(60, 60))
    told_s = time.monotonic() - began_s

    assert kinds(told) == ["Applied"] * 60
    assert len(shop.sent) == 61
    after = [at for at in shop.sent_s if at > shop.sent_s[20] + 0.05]  # those that had been handed over had left
    assert len(after) >= 61 - 20 - 8
    assert min(after) - shop.sent_s[20] >= 0.29
    assert told_s < 8
    assert set(machine.states(*[f"k{number}" for number in range(60)])) == {"applied"}


def test_slowing_down_is_no_sending_that_failed(shop: Shop, machine: Machine) -> None:
    shop.script_of["C1"] = deque(["limited 0"] * 12)
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["Applied"]
    assert len(shop.sent) == 13


def test_a_service_that_asks_for_more_than_five_minutes_ends_the_run(shop: Shop, machine: Machine) -> None:
    shop.script_of["C3"] = deque(["limited 301"])
    with pytest.raises(RateLimited) as ended:
        machine.apply(*many(40))

    assert ended.value.exit_status == 75
    assert machine.states("k3") == ["planned"]
    assert len(shop.sent) < 40
    assert kinds(machine.apply(*many(40))).count("Applied") >= 1
    assert sum(shop.balance(f"C{number}") for number in range(10)) == 40


def test_five_minutes_are_waited_for(shop: Shop, machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def slow_down(*how: Any) -> None:
        asked.append(how[-1])

    monkeypatch.setattr("rpctl.delivery.pace.Pace.slow_down", lambda self, *how: slow_down(*how))
    shop.script.append("limited 300")
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["Applied"]
    assert asked == [300.0]


def test_a_service_out_of_reach_is_waited_for(shop: Shop, machine: Machine) -> None:
    shop.script.extend(["ok"] * 5 + ["unreachable"] * 12)
    assert kinds(machine.apply(*many(40))) == ["Applied"] * 40
    assert sum(shop.balance(f"C{number}") for number in range(10)) == 40
    assert any(line.startswith("nobody there. Going on in") for line in machine.notes)


def test_each_pause_for_a_service_out_of_reach_is_longer(
    shop: Shop, machines: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.reach._FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("rpctl.delivery.reach._LONGEST_PAUSE_S", 0.08)
    shop.script.extend(["unreachable"] * 5)
    machine = machines(speed=Speed(1, None, 5.0))
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["Applied"]
    pauses = [after - before for before, after in zip(shop.sent_s, shop.sent_s[1:], strict=False)]
    assert [pause >= least for pause, least in zip(pauses, [0.02, 0.04, 0.08, 0.08, 0.08], strict=True)] == [True] * 5
    assert sum(pauses) < 3


def test_a_service_out_of_reach_for_too_long_ends_the_run(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines(speed=Speed(4, None, 0.1))
    machine.teach()
    shop.script.extend(["ok"] * 5 + ["unreachable"] * 10_000)
    began_s = time.monotonic()
    with pytest.raises(ServiceUnreachable):
        machine.apply(*many(40))
    assert 0.1 <= time.monotonic() - began_s < 5

    applied = [one for one in machine.told if isinstance(one, Applied)]
    assert len(applied) <= 5
    states = machine.states(*[f"k{number}" for number in range(40)])
    assert (states.count("applied"), set(states) <= {"applied", "planned", None}) == (5, True)
    assert states.count("planned") >= 1
    shop.script.clear()
    assert len(machine.apply(*many(40))) == 40
    assert sum(shop.balance(f"C{number}") for number in range(10)) == 40


def test_an_outage_that_is_over_is_forgotten(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines(speed=Speed(1, None, 0.15))
    machine.teach()
    shop.script.extend(["unreachable", "ok"] * 6)
    shop.arriving = lambda _: time.sleep(0.04)
    assert kinds(machine.apply(*many(6))) == ["Applied"] * 6


def test_no_more_leave_a_second_than_was_asked_for(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines(speed=Speed(4, 50.0, 5.0))
    machine.teach()
    machine.apply(*many(20, 20))
    assert shop.sent_s[-1] - shop.sent_s[0] >= 17 / 50


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


# -- what survives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keeps", "ids", "texts"),
    [({"ids", "texts"}, 1, True), ({"ids"}, 1, False), ({"texts"}, 0, True), (set(), 0, False)],
)
def test_the_first_clear_success_of_each_kind_is_sent_alone_and_teaches_what_survives(
    keeps: set[str], ids: int, texts: bool, shop: Shop, machines: Callable[..., Machine]
) -> None:
    shop.keeps = frozenset(keeps)
    machine = machines()
    alone: list[tuple[str, int]] = []

    def arriving(sending: Sending) -> None:
        time.sleep(0.01)
        with shop.lock:
            alone.append((sending.kind, shop.at_work))

    shop.arriving = arriving
    changes = [add(f"C{number}", 5, f"a{number}") for number in range(8)]
    changes += [redeem(f"C{number}", 5, f"r{number}") for number in range(8)]
    assert kinds(machine.apply(*changes)) == ["Applied"] * 16

    for kind in ("add", "redeem"):
        known = machine.journal.markers(kind)
        assert (known["id"], known["description"] > 0) == (ids, texts)
        assert next(at_work for one, at_work in alone if one == kind) == 1
    assert max(at_work for _, at_work in alone) > 1


def test_where_the_first_is_lost_the_next_is_sent_alone(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines()
    shop.script.append("lost")
    at_work: list[int] = []

    def arriving(_: Sending) -> None:
        time.sleep(0.01)
        at_work.append(shop.at_work)

    shop.arriving = arriving
    assert kinds(machine.apply(*many(8, 8))) == ["Applied"] * 8
    assert at_work[:2] == [1, 1]


def test_before_anything_is_known_what_is_not_found_is_unknown(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines()
    shop.book(Sending("add", "C1", 1, "older", ""))
    shop.script.append("gone")
    told = machine.apply(add("C1", 5, "a"), add("C1", 6, "b"))

    assert kinds(told) == ["Unknown", "Withheld"]
    assert isinstance(told[0], Unknown)
    assert told[0].can_be_told
    machine.end()
    assert kinds(machine.apply(add("C2", 1, "c"))) == ["Applied"]  # teaches
    assert kinds(machine.apply(add("C1", 5, "a"), add("C1", 6, "b"))) == ["Applied", "Applied"]
    assert shop.balance("C1") == 12


def test_a_customer_without_any_entry_has_not_got_it(shop: Shop, machines: Callable[..., Machine]) -> None:
    shop.script.append("gone")
    assert kinds(machines().apply(add("C1", 5, "a"))) == ["Applied"]
    assert shop.balance("C1") == 5


def test_what_is_found_teaches_as_well(shop: Shop, machines: Callable[..., Machine]) -> None:
    machine = machines()
    shop.script.append("lost")
    machine.apply(add("C1", 5, "a"))
    assert machine.journal.markers("add")["id"] == 1


def test_where_summaries_cannot_be_read_it_goes_on_after_three_lessons(
    shop: Shop, machines: Callable[..., Machine]
) -> None:
    machine = machines()
    machine.bulk.survey([], 0, rehearses=False, applies=True)
    shop.unreadable = ServiceUnreachable("gone")
    at_work: list[int] = []

    def arriving(_: Sending) -> None:
        time.sleep(0.01)
        at_work.append(shop.at_work)

    shop.arriving = arriving
    changes = [add(f"C{number}", 1, f"k{number}") for number in range(12)]
    told = machine.apply_unsurveyed(*changes)

    assert kinds(told) == ["Applied"] * 12
    assert (at_work[:3], max(at_work), len(shop.read)) == ([1, 1, 1], 4, 3)


def test_where_only_texts_are_kept_a_longer_one_is_read_back(shop: Shop, machines: Callable[..., Machine]) -> None:
    """A token may be cut off: it reaches as far as was seen."""
    shop.keeps, shop.longest_text = frozenset({"texts"}), 100
    machine = machines()
    machine.apply(add("C1", 1, "a"), add("C1", 1, "b", description="x" * 50), add("C1", 1, "c", description="x" * 50))
    assert shop.read == ["C1"] * 3  # the survey, the first lesson, the longer text
    assert machine.journal.markers("add")["description"] == 50 + len(" [rp-0123456789ab]")
    shop.script.append("gone")
    told = machine.apply(add("C1", 1, "d", description="x" * 90))
    assert kinds(told) == ["Unknown"]


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


# -- keys that are in the journal ---------------------------------------------------------------------------


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
def test_what_another_machine_sent_counts_as_applied(
    kept: set[str], shop: Shop, machines: Callable[..., Machine]
) -> None:
    shop.keeps = frozenset(kept)
    here, there = machines(), machines()
    changes = [add("C1", 5, "a"), redeem("C1", 2, "b"), AddPoints("C2", "c", None, Decimal("7.5"))]
    there.apply(*changes)
    told = here.apply(*changes, add("C1", 9, "d"))

    assert kinds(told) == ["AlreadyApplied"] * 3 + ["Applied"]
    assert (here.states("a", "b", "c"), here.row("c").sending.points) == (["applied"] * 3, 7)
    assert [shop.count(key) for key in "abcd"] == [1, 1, 1, 1]
    assert here.row("a").run is None  # it is no row of this run, and is not undone with it
    assert kinds(here.apply(*changes)) == ["AlreadyApplied"] * 3


def test_what_another_machine_sent_under_a_key_is_no_other_change(shop: Shop, machines: Callable[..., Machine]) -> None:
    here, there = machines(), machines()
    there.apply(add("C1", 5, "a"), add("C2", 5, "b"), add("C3", 5, "c", reference_id="order-1"))
    told = here.apply(add("C1", 6, "a"), redeem("C2", 5, "b"), add("C3", 5, "c", reference_id="order-2"))

    assert kinds(told) == ["key_reused"] * 3
    assert here.states("a", "b", "c") == [None] * 3


def test_a_reference_that_is_the_key_is_a_mark_where_all_else_is_the_same(
    shop: Shop, machines: Callable[..., Machine]
) -> None:
    for customer, points in (("C1", 5), ("C2", 9)):
        shop.book(Sending("add", customer, points, "the shop's", "", reference_id="order-1"))
    here = machines()
    told = here.apply(add("C1", 5, "order-1", reference_id="order-1"))
    assert kinds(told) == ["AlreadyApplied"]
    there = machines()
    told = there.apply(add("C2", 5, "order-1", reference_id="order-1"), add("C1", 5, "other", reference_id="order-1"))
    assert kinds(told) == ["Applied", "Applied"]


def test_several_entries_of_a_row_are_warned_of_and_it_is_not_sent(
    shop: Shop, machines: Callable[..., Machine]
) -> None:
    shop.keeps = frozenset({"texts"})
    for _ in range(2):
        shop.book(Sending("add", "C1", 5, *marks_of(shop.target, "a")))
    machine = machines()
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["AlreadyApplied"]
    assert (len(machine.warnings), shop.sent) == (1, [])


# -- keys that another process works on ---------------------------------------------------------------------


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
    machine.bulk.survey([[add("C2", 1, "b")]], 1, rehearses=False, applies=True)
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
    shop: Shop, machines: Callable[..., Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = machines()
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
