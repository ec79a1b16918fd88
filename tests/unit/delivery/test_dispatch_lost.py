"""Many changes to a service that answers late, wrongly or not at all: each counts once, and what is said is so."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from shop import (
    Machine,
    Make,
    Shop,
    add,
    keys_sent,
    kinds,
    many,
    redeem,
)

from rpctl.backends.port import Sending, Unsettled
from rpctl.delivery.bulk import Speed
from rpctl.domain.outcomes import Applied, Unknown
from rpctl.errors import (
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    ServiceUnreachable,
    TimedOut,
)

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
    script: tuple[str, ...], kept: set[str], shop: Shop, make_machine: Make
) -> None:
    shop.keeps = frozenset(kept)
    machine = make_machine()
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


def test_what_cannot_be_told_is_unknown_and_the_customers_later_changes_wait(shop: Shop, make_machine: Make) -> None:
    shop.keeps = frozenset()
    machine = make_machine()
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


def test_what_was_unknown_stays_so_at_once_where_no_marks_are_kept(shop: Shop, make_machine: Make) -> None:
    shop.keeps = frozenset()
    machine = make_machine()
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


def test_what_was_unknown_is_applied_as_soon_as_it_can_be_told(shop: Shop, make_machine: Make) -> None:
    machine = make_machine()
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


# -- the service asks to slow down, or is not there -------------------------------------------------------


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
    shop.script_of["C1"] = deque(["limited 0"] * 12 + ["failed"])
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["Applied"]
    assert len(shop.sent) == 14


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
    shop: Shop, make_machine: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.reach._FIRST_PAUSE_S", 0.02)
    monkeypatch.setattr("rpctl.delivery.reach._LONGEST_PAUSE_S", 0.08)
    shop.script.extend(["unreachable"] * 5)
    machine = make_machine(speed=Speed(1, None, 5.0))
    assert kinds(machine.apply(add("C1", 5, "a"))) == ["Applied"]
    pauses = [after - before for before, after in zip(shop.sent_s, shop.sent_s[1:], strict=False)]
    assert [pause >= least for pause, least in zip(pauses, [0.02, 0.04, 0.08, 0.08, 0.08], strict=True)] == [True] * 5
    assert sum(pauses) < 3


def test_a_service_out_of_reach_for_too_long_ends_the_run(shop: Shop, make_machine: Make) -> None:
    machine = make_machine(speed=Speed(4, None, 0.1))
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


def test_an_outage_that_is_over_is_forgotten(shop: Shop, make_machine: Make) -> None:
    machine = make_machine(speed=Speed(1, None, 0.15))
    machine.teach()
    shop.script.extend(["unreachable", "ok"] * 6)
    shop.arriving = lambda _: time.sleep(0.04)
    assert kinds(machine.apply(*many(6))) == ["Applied"] * 6


def test_no_more_leave_a_second_than_was_asked_for(shop: Shop, make_machine: Make) -> None:
    machine = make_machine(speed=Speed(4, 50.0, 5.0))
    machine.teach()
    machine.apply(*many(20, 20))
    assert shop.sent_s[-1] - shop.sent_s[0] >= 17 / 50


# -- what survives ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keeps", "ids", "texts"),
    [({"ids", "texts"}, 1, True), ({"ids"}, 1, False), ({"texts"}, 0, True), (set(), 0, False)],
)
def test_the_first_clear_success_of_each_kind_is_sent_alone_and_teaches_what_survives(
    keeps: set[str], ids: int, texts: bool, shop: Shop, make_machine: Make
) -> None:
    shop.keeps = frozenset(keeps)
    machine = make_machine()
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


@pytest.mark.parametrize("first", [0, 6])
def test_a_lesson_goes_alone_among_changes_of_a_kind_that_is_known(first: int, shop: Shop, make_machine: Make) -> None:
    machine = make_machine()
    machine.apply(add("T", 9, "taught"))
    beside: list[int] = []

    def arriving(sending: Sending) -> None:
        time.sleep(0.03)
        if sending.kind == "redeem":
            beside.append(shop.at_work - 1)

    shop.arriving = arriving
    changes = many(12, 12)
    changes.insert(first, redeem("T", 1, "r"))
    assert kinds(machine.apply(*changes)) == ["Applied"] * 13
    assert beside == [0]


def test_where_the_first_is_lost_the_next_is_sent_alone(shop: Shop, make_machine: Make) -> None:
    machine = make_machine()
    shop.script.append("lost")
    at_work: list[int] = []

    def arriving(_: Sending) -> None:
        time.sleep(0.01)
        at_work.append(shop.at_work)

    shop.arriving = arriving
    assert kinds(machine.apply(*many(8, 8))) == ["Applied"] * 8
    assert at_work[:2] == [1, 1]


def test_before_anything_is_known_what_is_not_found_is_unknown(shop: Shop, make_machine: Make) -> None:
    machine = make_machine()
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


def test_a_customer_without_any_entry_has_not_got_it(shop: Shop, make_machine: Make) -> None:
    shop.script.append("gone")
    assert kinds(make_machine().apply(add("C1", 5, "a"))) == ["Applied"]
    assert shop.balance("C1") == 5


def test_what_is_found_teaches_as_well(shop: Shop, make_machine: Make) -> None:
    machine = make_machine()
    shop.script.append("lost")
    machine.apply(add("C1", 5, "a"))
    assert machine.journal.markers("add")["id"] == 1


def test_where_summaries_cannot_be_read_it_goes_on_after_three_lessons(shop: Shop, make_machine: Make) -> None:
    machine = make_machine()
    machine.bulk.survey([], 0, applies=True)
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


def test_where_only_texts_are_kept_a_longer_one_is_read_back(shop: Shop, make_machine: Make) -> None:
    """A token may be cut off: it reaches as far as was seen."""
    shop.keeps, shop.longest_text = frozenset({"texts"}), 100
    machine = make_machine()
    machine.apply(add("C1", 1, "a"), add("C1", 1, "b", description="x" * 50), add("C1", 1, "c", description="x" * 50))
    assert shop.read == ["C1"] * 3  # the survey, the first lesson, the longer text
    assert machine.journal.markers("add")["description"] == 50 + len(" [rp-0123456789ab]")
    shop.script.append("gone")
    told = machine.apply(add("C1", 1, "d", description="x" * 90))
    assert kinds(told) == ["Unknown"]
