"""Many changes to a service that keeps their keys: lost answers, refusals, ends in the middle and other processes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from keyed_shop import USED, Alone, Importer, KeyedShop, hasten, trust_the_disk
from shop import add, kinds, many, quicken, redeem

from rpctl.delivery.bulk import Speed
from rpctl.delivery.journal import State
from rpctl.delivery.keys import Answer, KeyAnswer
from rpctl.domain.outcomes import Applied, Refused, Unknown
from rpctl.errors import DeliveryUnderWay, RateLimited, RequestRefused, ServiceUnreachable, StorageFull, TokenRefused

Make = Callable[..., Importer]


@pytest.fixture
def shop() -> KeyedShop:
    return KeyedShop()


@pytest.fixture
def make(shop: KeyedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    """Makes machines of their own; ``knows``: all that the shop's answers tell."""
    quicken(monkeypatch)
    trust_the_disk(monkeypatch)
    made: list[Importer] = []

    def machine(*, knows: bool = True, **more: Any) -> Importer:
        folder = tmp_path / str(len(made))
        folder.mkdir()
        made.append(Importer(shop, folder, **more))
        if knows:
            made[-1].teach()
        return made[-1]

    yield machine
    shop.release.set()
    for machine_made in made:
        machine_made.end()


@pytest.fixture
def importer(make: Make) -> Importer:
    return make()


# -- what is learned ---------------------------------------------------------------------------------------


def test_the_first_success_is_sent_alone_and_repeated_alone(shop: KeyedShop, make: Make) -> None:
    importer = make(knows=False)
    shop.arriving = lambda _: time.sleep(0.01)
    assert kinds(importer.apply(*many(12))) == ["Applied"] * 12
    assert (shop.keys_sent()[:2], len(shop.sent), shop.alone[:2]) == (["k0", "k0"], 13, [True, True])
    assert not all(shop.alone)
    assert importer.journal.key_answer() == KeyAnswer(Answer.REFUSED, USED)


def test_what_was_applied_before_is_repeated_before_the_first_leaves(shop: KeyedShop, make: Make) -> None:
    importer = make(knows=False)
    shop.script.extend(["ok", "lost"])
    importer.apply(add("C1", 5, "a"))
    importer.end()
    shop.script.append("lost")
    assert kinds(importer.apply(add("C1", 6, "b"))) == ["Applied"]
    assert (shop.keys_sent(), shop.balance("C1")) == (["a", "a", "a", "b", "b"], 11)  # the second a was lost


def test_some_lessons_that_teach_nothing_are_enough(shop: KeyedShop, make: Make) -> None:
    importer = make(knows=False)
    shop.used = "broken"
    shop.arriving = lambda _: time.sleep(0.005)
    assert kinds(importer.apply(*many(20, 20))) == ["Applied"] * 20
    assert len(shop.sent) == 23
    assert not all(shop.alone[6:])


def test_the_order_of_keys_and_points_and_what_a_refusal_does_are_learned_on_the_way(
    shop: KeyedShop, make: Make
) -> None:
    importer = make(knows=False, speed=Speed(1, None, 5.0))
    told = importer.apply(add("C1", 5, "a"), redeem("C1", 5, "b"), redeem("C1", 5, "c"), redeem("C1", 6, "d"))
    assert kinds(told) == ["Applied", "Applied", "insufficient_points", "insufficient_points"]
    assert shop.keys_sent() == ["a", "a", "b", "b", "c", "c", "d"]
    assert importer.journal.key_answer() == KeyAnswer(Answer.REFUSED, USED, True, True)
    assert importer.states("a", "b", "c", "d") == ["applied", "applied", "refused", "refused"]


def test_a_service_that_counts_again_is_sent_nothing_again(shop: KeyedShop, make: Make) -> None:
    """Also not what waits to be sent again when that is learned."""
    importer = make(knows=False)
    shop.used = "counted"
    shop.script_of["C0"] = deque(["lost"])
    told = importer.apply(*many(8, 8))
    importer.end()
    assert kinds(told) == ["Unknown"] + ["Applied"] * 7
    assert [shop.count(f"k{number}") for number in range(8)] == [1, 2, 1, 1, 1, 1, 1, 1]  # the second taught it
    assert ("key k1 a second time" in importer.warnings[0], len(importer.warnings)) == (True, 1)
    assert kinds(importer.apply(*many(8, 8)))[0] == "Unknown"
    shop.script_of["C9"] = deque(["lost"])
    assert kinds(importer.apply(add("C9", 1, "z"))) == ["Unknown"]
    assert (shop.count("k0"), shop.count("z")) == (1, 1)


# -- lost answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [USED, "repeated"])
def test_lost_answers_are_found_out_by_sending_again(used: Any, shop: KeyedShop, make: Make) -> None:
    shop.used = used
    importer = make()
    shop.script.extend(["lost", "ok", "gone", "failed", "late 0.005", "lost", "limited 0", "unreachable", "lost"])
    assert kinds(importer.apply(*many(30))) == ["Applied"] * 30
    shop.arrive(everything=True)
    assert {shop.count(f"k{number}") for number in range(30)} == {1}
    assert set(importer.states(*[f"k{number}" for number in range(30)])) == {"applied"}


def test_what_is_lost_before_anything_is_known_waits_for_a_lesson(shop: KeyedShop, make: Make) -> None:
    importer = make(knows=False)
    shop.script_of["C1"] = deque(["lost"])
    shop.script_of["C0"] = deque(["limited 0.05"])
    told = importer.apply(add("C1", 5, "a"), add("C1", 6, "b"), *many(20, 1))
    assert kinds(told) == ["Applied"] * 22
    assert (shop.balance("C1"), shop.count("a"), shop.keys_sent()[:5]) == (11, 1, ["a", "k0", "a", "k0", "k0"])
    assert shop.keys_sent().index("b") < shop.keys_sent().index("k19")  # it waits no longer than it has to


def test_where_there_is_nothing_to_learn_from_it_is_unknown_in_the_end(shop: KeyedShop, make: Make) -> None:
    importer = make(knows=False)
    shop.script_of["C1"] = deque(["lost"])
    told = importer.apply(add("C1", 5, "a"), add("C1", 6, "b"))
    assert kinds(told) == ["Unknown", "Withheld"]
    assert isinstance(told[0], Unknown)
    assert told[0].can_be_told
    importer.end()
    assert kinds(importer.apply(add("C2", 5, "c"), add("C1", 5, "a"), add("C1", 6, "b"))) == ["Applied"] * 3
    assert shop.balance("C1") == 11


def test_where_no_more_is_taken_in_before_that_it_is_unknown_too(
    shop: KeyedShop, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.dispatch._WINDOW", 6)
    importer = make(knows=False)
    shop.script_of["C1"] = deque(["lost"])
    changes = [add("C1", 1, f"k{number}") for number in range(8)]
    told = importer.apply(*changes, *(add("C2", 1, f"l{number}") for number in range(8)))
    assert kinds(told) == ["Unknown"] + ["Withheld"] * 7 + ["Applied"] * 8


def test_a_window_that_is_full_of_what_is_settled_is_no_reason_to_give_up(
    shop: KeyedShop, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.delivery.dispatch._WINDOW", 4)
    importer = make(knows=False)
    claim = importer.journal.claim

    def claimed(key: str) -> Any:
        if key == "l0" and shop.keys_sent().count("a") < 2:
            raise DeliveryUnderWay("somebody is at it", key=key)
        return claim(key)

    monkeypatch.setattr(importer.journal, "claim", claimed)
    shop.script_of["C1"] = deque(["lost"])
    for customer in ("L0", "L1", "L2"):
        shop.script_of[customer] = deque(["refused"])
    told = importer.apply(*(add(f"L{number}", 1, f"l{number}") for number in range(3)), add("C1", 5, "a"), *many(4, 1))
    assert kinds(told) == ["request_refused"] * 3 + ["Applied"] * 5


def test_what_is_lost_every_time_is_unknown_and_the_customers_later_changes_wait(
    shop: KeyedShop, importer: Importer
) -> None:
    shop.script_of["C1"] = deque(["lost"] * 6)
    told = importer.apply(add("C1", 5, "a"), add("C1", 6, "b"), add("C2", 1, "c"))
    assert kinds(told) == ["Unknown", "Withheld", "Applied"]
    assert importer.states("a", "b") == ["unknown", None]
    importer.end()
    assert kinds(importer.apply(add("C1", 5, "a"), add("C1", 6, "b"))) == ["Applied", "Applied"]
    assert (shop.balance("C1"), shop.keys_sent().count("a")) == (11, 7)


def test_what_is_open_of_a_customer_waits_behind_what_is_unknown(shop: KeyedShop, importer: Importer) -> None:
    shop.script_of["C1"] = deque(["gone"] * 12)
    importer.apply(add("C1", 6, "b"))
    importer.end()
    assert kinds(importer.apply(add("C1", 5, "a"), add("C1", 6, "b"))) == ["Unknown", "Unknown"]
    assert shop.keys_sent() == ["b"] * 6 + ["a"] * 6


def test_what_another_run_sent_is_its_own_unless_it_never_came(shop: KeyedShop, importer: Importer) -> None:
    shop.script_of["C1"] = deque(["lost"] * 6)
    shop.script_of["C2"] = deque(["gone"] * 6)
    changes = add("C1", 5, "a"), add("C2", 6, "b")
    assert kinds(importer.apply(*changes, run="one")) == ["Unknown", "Unknown"]
    importer.end()
    assert kinds(importer.apply(*changes, run="two")) == ["AlreadyApplied", "Applied"]
    assert [importer.row(key).run for key in "ab"] == ["one", "two"]


# -- refusals of what may be in -------------------------------------------------------------------------------


@pytest.mark.parametrize("between", [[], ["failed"], ["limited 0", "unreachable"]])
def test_a_refusal_is_believed_only_when_nothing_can_arrive_any_more(
    between: list[str], shop: KeyedShop, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    importer = make(settle_s=0.12)
    shop.script.extend(["late 0.1", *between, "refused"])
    assert kinds(importer.apply(add("C1", 5, "a"))) == ["Applied"]
    shop.arrive(everything=True)
    assert shop.count("a") == 1


def test_a_refusal_that_left_in_time_and_was_heard_too_late_is_not_believed(
    shop: KeyedShop, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    hasten(monkeypatch)
    importer = make(settle_s=0.12)
    shop.script.extend(["late 0.11", "refused"])

    def answer(sending: Any, what: str, answered: Any = shop._answer) -> Any:
        try:
            return answered(sending, what)
        finally:
            time.sleep(0.15 if what == "refused" else 0.0)

    shop._answer = answer  # type: ignore[method-assign]
    assert kinds(importer.apply(add("C1", 5, "a"))) == ["Applied"]
    shop.arrive(everything=True)
    assert shop.count("a") == 1


def test_what_is_refused_and_was_never_in_is_refused_with_its_reason(shop: KeyedShop, importer: Importer) -> None:
    shop.script_of["C1"] = deque(["ok", "gone"])
    told = importer.apply(add("C1", 5, "a"), redeem("C1", 6, "b"), add("C1", 1, "c"))
    assert kinds(told) == ["Applied", "insufficient_points", "Applied"]
    assert importer.states("b") == ["refused"]


@pytest.mark.parametrize("first", ["lost", "gone"])
def test_where_nobody_looked_at_the_key_nothing_is_known(first: str, shop: KeyedShop, importer: Importer) -> None:
    shop.script_of["C1"] = deque([first, "malformed"])
    assert kinds(importer.apply(add("C1", 5, "a"), add("C2", 5, "b"))) == ["Unknown", "Applied"]
    importer.end()
    assert kinds(importer.apply(add("C1", 5, "a"))) == ["Applied"]
    assert shop.count("a") == 1


@pytest.mark.parametrize("first", ["lost", "gone"])
def test_a_redemption_that_may_have_taken_the_points_itself_is_unknown(first: str, shop: KeyedShop, make: Make) -> None:
    shop.points_first = True
    importer = make()
    shop.script_of["C1"] = deque(["ok", first])
    changes = add("C1", 5, "a"), redeem("C1", 5 if first == "lost" else 6, "b")
    assert kinds(importer.apply(*changes)) == ["Applied", "Unknown"]
    assert importer.states("b") == ["unknown"]
    importer.end()
    importer.apply(add("C1", 9, "c"))
    assert kinds(importer.apply(*changes)) == ["AlreadyApplied", "Applied"]
    assert shop.count("b") == 1


# -- refused -------------------------------------------------------------------------------------------------


def test_what_was_refused_is_applied_with_the_same_key_once_it_can_be(shop: KeyedShop, importer: Importer) -> None:
    shop.script_of["C1"] = deque(["refused", "ok", "lost"])
    changes = add("C1", 5, "a"), add("C2", 5, "b")
    assert kinds(importer.apply(*changes)) == ["request_refused", "Applied"]
    importer.apply(add("C1", 1, "c"))
    assert kinds(importer.apply(*changes)) == ["Applied", "AlreadyApplied"]
    assert shop.balance("C1") == 6


def test_where_a_refusal_uses_the_key_what_was_refused_is_not_said_to_be_in(shop: KeyedShop, make: Make) -> None:
    shop.burns = True
    importer = make(knows=False)
    importer.apply(add("C2", 5, "t"))
    shop.script_of["C1"] = deque(["refused", "gone"])
    assert kinds(importer.apply(add("C1", 5, "a"))) == ["request_refused"]
    importer.end()
    assert kinds(importer.apply(add("C1", 5, "a"))) == ["Unknown"]
    assert (importer.row("a").told or ("",))[0] == "request_refused"
    assert kinds(importer.apply(add("C1", 5, "a"))) == ["Unknown"]
    assert shop.count("a") == 0


def test_a_key_that_another_machine_used_is_refused(shop: KeyedShop, importer: Importer, make: Make) -> None:
    make().apply(add("C1", 5, "a"))
    assert kinds(importer.apply(add("C1", 5, "a"), add("C1", 6, "b"))) == ["key_reused", "Applied"]
    assert shop.balance("C1") == 11


@pytest.mark.parametrize(
    ("second", "kind", "state"),
    [
        ("ok", "insufficient_points", "refused"),
        ("limited 0", "insufficient_points", "refused"),
        ("unauthorized", "insufficient_points", "refused"),
        ("lost", "Unknown", "unknown"),
    ],
)
def test_a_refusal_that_is_sent_once_more_to_learn_from_stays_what_it_is(
    second: str, kind: str, state: str, shop: KeyedShop, make: Make
) -> None:
    importer = make(knows=False)
    importer.apply(add("C1", 5, "t"))
    shop.script.extend(["ok", second])
    if second == "unauthorized":
        with pytest.raises(TokenRefused):
            importer.apply(redeem("C1", 6, "a"))
    else:
        importer.apply(redeem("C1", 6, "a"))
    assert (kinds(importer.told), importer.states("a"), shop.balance("C1")) == ([kind], [state], 5)


def test_what_was_refused_before_teaches_by_being_refused_again(shop: KeyedShop, make: Make) -> None:
    importer = make(knows=False)
    shop.counted.append(("shop", "C1", 1))
    importer.apply(redeem("C1", 6, "b"))
    assert kinds(importer.apply(add("C1", 1, "a"), redeem("C1", 6, "b"))) == ["Applied", "insufficient_points"]
    assert shop.keys_sent() == ["b", "a", "a", "b"]
    assert importer.journal.key_answer() == KeyAnswer(Answer.REFUSED, USED, True)


def test_a_refusal_that_is_sent_once_more_is_known_as_one_before_it_leaves(shop: KeyedShop, make: Make) -> None:
    shop.burns = True
    importer = make(knows=False)
    importer.apply(add("C1", 5, "t"))
    shop.script.extend(["ok", "gone"])
    assert kinds(importer.apply(redeem("C1", 6, "a"))) == ["Unknown"]
    assert shop.count("a") == 0


def test_a_file_that_repeats_a_refused_change_is_no_endless_story(shop: KeyedShop, make: Make) -> None:
    shop.burns = True
    importer = make(knows=False)
    told = importer.apply(add("C1", 5, "t"), *[redeem("C1", 6, "a")] * 3)
    assert kinds(told) == ["Applied"] + ["insufficient_points"] * 3
    assert shop.balance("C1") == 5


# -- ends in the middle --------------------------------------------------------------------------------------


def test_a_strict_stop_leaves_what_is_unclear_open_and_the_same_command_finds_out(shop: KeyedShop, make: Make) -> None:
    importer = make(settle_s=30.0)
    heard = threading.Event()
    shop.script_of["C0"] = deque(["lost"])
    shop.script_of["C1"] = deque(["held refused"])
    shop.arriving = lambda one: heard.set() if one.customer_id == "C0" else None
    thread = threading.Thread(target=lambda: (heard.wait(5), time.sleep(0.05), shop.release.set()))
    thread.start()
    told = importer.apply(add("C0", 5, "a"), add("C1", 5, "b"), *many(20), stops=True)
    thread.join()
    assert kinds(told)[:2] == ["Unknown", "request_refused"]
    assert importer.states("a", "b") == ["sending", "refused"]
    importer.end()
    importer.settle_s = 0.01
    assert kinds(importer.apply(add("C0", 5, "a"))) == ["Applied"]
    assert shop.count("a") == 1


def test_a_strict_stop_while_something_waits_for_a_lesson_ends(shop: KeyedShop, make: Make) -> None:
    importer = make(knows=False)
    shop.script_of["C0"] = deque(["lost"])
    shop.script.append("refused")
    told = importer.apply(add("C0", 5, "a"), add("C1", 5, "b"), add("C2", 5, "c"), stops=True)
    assert kinds(told)[:2] == ["Unknown", "request_refused"]
    assert importer.states("a") == ["sending"]


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        (["lost", "limited 301"], RateLimited),
        (["gone", "unauthorized"], TokenRefused),
        (["late 0.001", "forbidden"], RequestRefused),
        (["lost", "tls"], Exception),
        (["lost", "bug"], ZeroDivisionError),
    ],
)
def test_what_ends_a_run_forgets_nothing_that_may_be_in(
    answers: list[str], error: type[Exception], shop: KeyedShop, importer: Importer
) -> None:
    shop.script_of["C1"] = deque(answers)
    with pytest.raises(error):
        importer.apply(add("C1", 5, "a"), add("C1", 6, "b"))
    assert (kinds(importer.told)[:1], importer.states("a")) == (["Unknown"], ["sending"])
    importer.end()
    assert kinds(importer.apply(add("C1", 5, "a"), add("C1", 6, "b"))) == ["Applied", "Applied"]
    assert shop.balance("C1") == 11


def test_a_service_out_of_reach_for_too_long_leaves_what_is_unclear_open(shop: KeyedShop, make: Make) -> None:
    importer = make(speed=Speed(4, None, 0.05))
    shop.script_of["C1"] = deque(["lost", *["unreachable"] * 1_000])
    with pytest.raises(ServiceUnreachable):
        importer.apply(add("C1", 5, "a"))
    assert importer.states("a") == ["sending"]
    shop.script_of.clear()
    importer.end()
    assert kinds(importer.apply(add("C1", 5, "a"))) == ["Applied"]
    assert shop.count("a") == 1


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("count", [0, 1, 2])
def test_a_journal_that_cannot_be_written_any_more_ends_the_run_and_doubles_nothing(
    count: int, after: bool, shop: KeyedShop, importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.script.extend(["lost", "ok", "gone"])
    with monkeypatch.context() as patched:
        write_all, writes = importer.journal.write_all, iter(range(count))

        def full(*arguments: Any) -> Any:
            if next(writes, None) is not None:
                return write_all(*arguments)
            if after:
                write_all(*arguments)
            raise StorageFull("full")

        patched.setattr(importer.journal, "write_all", full)
        with pytest.raises(StorageFull):
            importer.apply(*many(12, 4))
    importer.end()
    assert set(kinds(importer.apply(*many(12, 4)))) <= {"Applied", "AlreadyApplied"}
    assert {shop.count(f"k{number}") for number in range(12)} == {1}


def test_a_customer_who_is_forgotten_while_something_of_them_is_unclear_stays_so(
    shop: KeyedShop, importer: Importer
) -> None:
    shop.script_of["C1"] = deque(["lost"] * 6)
    importer.apply(add("C1", 5, "a"))
    importer.journal.forget("C1")
    importer.end()
    shop.sent.clear()
    assert kinds(importer.apply(add("C1", 5, "a"))) == ["customer_deleted"]
    assert shop.sent == []


# -- two processes ---------------------------------------------------------------------------------------------


def test_a_key_that_another_process_works_on_is_waited_for(
    shop: KeyedShop, importer: Importer, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = Alone(shop, importer.folder)
    claim, told = importer.journal.claim, []

    def claimed(key: str) -> Any:
        if key == "a" and len(told) < 3:
            told.append(None if told else alone.add(5, "a"))
            raise DeliveryUnderWay("somebody is at it", key=key)
        return claim(key)

    monkeypatch.setattr(importer.journal, "claim", claimed)
    shop.script_of["C1"] = deque(["lost"])
    assert kinds(importer.apply(add("C1", 5, "a"), add("C2", 5, "b"))) == ["AlreadyApplied", "Applied"]
    alone.journal.close()
    assert (isinstance(told[0], Applied), shop.count("a"), len(shop.sent)) == (True, 1, 3)


def test_two_machines_at_once_count_each_key_once(shop: KeyedShop, make: Make) -> None:
    machines = [make(), make()]
    told: dict[int, list[str]] = {}
    shop.script.extend(["lost", "ok", "gone"] * 3)

    def go(number: int) -> None:
        told[number] = kinds(machines[number].apply(*many(30, 30)))
        machines[number].end()

    threads = [threading.Thread(target=go, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {shop.count(f"k{number}") for number in range(30)} == {1}
    assert set(told[0] + told[1]) == {"Applied", "key_reused"}
    assert shop.balance("C0") == 1
    assert all("Applied" in pair for pair in zip(told[0], told[1], strict=True))


# -- the rest ------------------------------------------------------------------------------------------------


def test_warnings_are_successes_and_told_once_with_their_number(shop: KeyedShop, importer: Importer) -> None:
    shop.script.extend(["warn", "ok", "warn"])
    assert kinds(importer.apply(*many(5, 5))) == ["Applied"] * 5
    assert importer.notes == ["mind this (2 times)"]


def test_an_import_is_ended_in_the_middle_and_gone_on_with(shop: KeyedShop, make: Make) -> None:
    importer = make(settle_s=0.05)
    shop.script.extend(["held lost"] * 4)
    with closing(importer.go(many(40))) as told:  # type: ignore[type-var]
        thread = threading.Timer(0.05, shop.release.set)
        thread.start()
        next(told, None)
    importer.end()
    assert set(kinds(importer.apply(*many(40)))) <= {"Applied", "AlreadyApplied"}
    assert {shop.count(f"k{number}") for number in range(40)} == {1}
    rows = [importer.row(f"k{number}") for number in range(40)]
    assert {row.state for row in rows} == {State.APPLIED}


def test_refusals_do_not_teach_that_a_change_is_in(shop: KeyedShop, importer: Importer) -> None:
    shop.script.extend(["refused"] * 2)
    told = importer.apply(*many(2, 2))
    assert all(isinstance(one, Refused) for one in told)
    assert shop.counted[-1][0] != "k1"
