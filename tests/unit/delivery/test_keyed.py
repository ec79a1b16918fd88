"""Changes to a service that keeps their keys, one at a time: each counts once, and what is said of it is so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from keyed_shop import OTHER, SHORT, USED, Alone, KeyedShop, trust_the_disk

from rpctl.backends.port import Sending
from rpctl.delivery.journal import Delivery, Journal, State
from rpctl.delivery.keys import Answer, KeyAnswer
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown
from rpctl.errors import JournalUnusable, ServiceUnreachable, StorageFull, TokenRefused


@pytest.fixture
def shop() -> KeyedShop:
    return KeyedShop()


@pytest.fixture
def alone(shop: KeyedShop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Alone]:
    """One that knows nothing yet."""
    trust_the_disk(monkeypatch)
    alone = Alone(shop, tmp_path)
    shop.time_s = lambda: alone.now_s
    yield alone
    alone.journal.close()


@pytest.fixture
def taught(alone: Alone) -> Alone:
    """One that knows all that there is to be learned."""
    alone.teach()
    return alone


def code(outcome: Outcome) -> str:
    """A refusal's code, or what it is else."""
    return outcome.error.code if isinstance(outcome, Refused) else type(outcome).__name__


# -- what is learned ---------------------------------------------------------------------------------------


def test_the_first_applied_change_is_repeated_and_no_other(shop: KeyedShop, alone: Alone) -> None:
    assert isinstance(alone.add(5, "a"), Applied)
    assert alone.journal.key_answer() == KeyAnswer(Answer.REFUSED, USED)
    alone.add(5, "b")
    assert (shop.keys_sent(), shop.balance("C1"), alone.warnings) == (["a", "a", "b"], 10, [])


@pytest.mark.parametrize(
    ("used", "is_mute", "expected", "balance"),
    [
        ("repeated", False, Answer.REPEATED, 5),
        ("counted", False, Answer.COUNTED, 10),
        ("repeated", True, Answer.COUNTED, 5),  # nobody can tell: rather that
        (("", ""), False, Answer.SHARED, 5),  # no outcome that could be told from others
    ],
)
def test_what_a_used_key_is_answered_with_is_learned(
    used: Any, is_mute: bool, expected: Answer, balance: int, shop: KeyedShop, alone: Alone
) -> None:
    shop.used, shop.is_mute = used, is_mute
    alone.add(5, "a")
    found = alone.journal.key_answer()
    assert (found and found.answer, shop.balance("C1")) == (expected, balance)
    assert len(alone.warnings) == (expected is Answer.COUNTED)


@pytest.mark.parametrize("answer", ["lost", "failed", "forbidden", "malformed", "limited", "unauthorized", "tls"])
def test_an_answer_that_says_nothing_teaches_nothing_and_harms_nothing(
    answer: str, shop: KeyedShop, alone: Alone
) -> None:
    shop.script.extend(["ok", answer])
    assert isinstance(alone.add(5, "a"), Applied)
    assert (alone.journal.key_answer(), alone.state("a"), shop.balance("C1")) == (None, "applied", 5)


def test_a_redemption_that_left_too_little_for_another_teaches_nothing_of_keys(shop: KeyedShop, alone: Alone) -> None:
    """Repeated it would be refused for the points, and that would be taken for the answer to a used key."""
    shop.points_first = True
    shop.counted.append(("shop", "C1", 60))
    assert isinstance(alone.redeem(40, "a"), Applied)
    assert (alone.journal.key_answer(), shop.keys_sent()) == (None, ["a"])
    assert isinstance(alone.redeem(10, "b"), Applied)
    assert alone.journal.key_answer() == KeyAnswer(Answer.REFUSED, USED)


def test_what_was_applied_before_teaches_too_and_rather_an_addition(shop: KeyedShop, alone: Alone) -> None:
    shop.script.extend(["ok", "lost"])
    alone.add(50, "z")
    shop.script.extend(["ok", "lost"])
    alone.redeem(10, "b")
    shop.script.append("lost")
    assert isinstance(alone.add(7, "c"), Applied)
    assert (shop.keys_sent()[4:], shop.count("c")) == (["c", "c", "z"], 1)


def test_what_was_applied_before_and_could_not_be_again_teaches_nothing(shop: KeyedShop, alone: Alone) -> None:
    shop.points_first = True
    shop.counted.append(("shop", "C1", 60))
    alone.redeem(40, "a")
    shop.script.append("lost")
    assert isinstance(alone.add(7, "c"), Unknown)
    assert (shop.keys_sent(), alone.journal.key_answer()) == (["a", "c", "c"], None)


@pytest.mark.parametrize(("points_first", "is_first"), [(False, True), (True, False)])
def test_whether_keys_come_before_points_is_learned_once(
    points_first: bool, is_first: bool, shop: KeyedShop, alone: Alone
) -> None:
    shop.points_first = points_first
    alone.add(5, "a")
    for key in ("b", "c"):
        alone.redeem(1 if key == "c" else 3, key)
    found = alone.journal.key_answer()
    assert found and found.is_first is is_first
    assert shop.keys_sent() == ["a", "a", "b", "b", "c"]


@pytest.mark.parametrize(("burns", "expected"), [(False, (Answer.REFUSED, True)), (True, (Answer.SHARED, None))])
def test_whether_a_refused_change_leaves_its_key_free_is_learned_once(
    burns: bool, expected: Any, shop: KeyedShop, alone: Alone
) -> None:
    shop.burns = burns
    alone.add(5, "a")
    assert code(alone.redeem(6, "b")) == code(alone.redeem(7, "c")) == "insufficient_points"
    found = alone.journal.key_answer()
    assert found and (found.answer, found.frees) == expected
    assert shop.keys_sent() == ["a", "a", "b", "b", "c"]
    assert (alone.state("b"), shop.balance("C1")) == ("refused", 5)


def test_what_was_refused_before_teaches_that_by_being_refused_again(shop: KeyedShop, alone: Alone) -> None:
    shop.counted.append(("shop", "C1", 1))
    alone.redeem(6, "b")
    alone.add(1, "a")
    alone.redeem(6, "b")
    found = alone.journal.key_answer()
    assert found and found.frees
    assert shop.keys_sent() == ["b", "a", "a", "b"]


def test_a_refusal_that_is_sent_once_more_is_known_as_one_before_it_leaves(shop: KeyedShop, alone: Alone) -> None:
    shop.burns = True
    alone.add(5, "a")

    def arriving(_: Sending) -> None:
        if shop.keys_sent().count("b") == 2:
            raise KeyboardInterrupt

    shop.arriving = arriving
    with pytest.raises(KeyboardInterrupt):
        alone.redeem(6, "b")
    assert code(alone.redeem(6, "b")) == "Unknown"
    assert shop.count("b") == 0


def test_a_refused_change_that_is_in_after_all_when_it_is_sent_once_more_is_applied(
    shop: KeyedShop, alone: Alone
) -> None:
    alone.add(5, "a")
    shop.arriving = lambda one: shop.counted.append(("s", "C1", 9)) if shop.keys_sent().count("b") == 2 else None
    assert isinstance(alone.redeem(6, "b"), Applied)
    assert (alone.state("b"), shop.count("b")) == ("applied", 1)


@pytest.mark.parametrize(
    ("second", "expected"), [("limited", "insufficient_points"), ("lost", "Unknown"), ("gone", "Unknown")]
)
def test_a_refusal_that_is_repeated_in_vain_stays_one(
    second: str, expected: str, shop: KeyedShop, alone: Alone
) -> None:
    alone.add(5, "a")
    shop.script.extend(["ok", second])
    assert code(alone.redeem(6, "b")) == expected
    assert shop.balance("C1") == 5


def test_a_new_key_that_is_answered_like_a_used_one_shows_that_the_outcome_is_shared(
    shop: KeyedShop, alone: Alone
) -> None:
    shop.used = SHORT
    alone.add(5, "a")
    assert code(alone.redeem(6, "b", given=False)) == "insufficient_points"
    found = alone.journal.key_answer()
    assert found and found.answer is Answer.SHARED
    shop.script.append("gone")
    assert code(alone.redeem(6, "c")) == "Unknown"
    assert shop.count("c") == 0


# -- lost answers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("used", [USED, "repeated"])
@pytest.mark.parametrize("answers", [["lost"], ["failed"], ["gone"], ["late 5"], ["lost", "gone", "late 3", "failed"]])
def test_a_lost_answer_is_found_out_by_sending_it_again(
    answers: list[str], used: Any, shop: KeyedShop, taught_as: Any
) -> None:
    alone = taught_as(used=used)
    shop.script.extend(answers)
    assert isinstance(alone.add(5, "a"), Applied)
    shop.arrive(everything=True)
    assert (shop.count("a"), alone.state("a"), len(shop.sent)) == (1, "applied", len(answers) + 1)


@pytest.fixture
def taught_as(shop: KeyedShop, alone: Alone) -> Any:
    """Makes one that knows a shop that answers so."""

    def make(**how: Any) -> Alone:
        for name, value in how.items():
            setattr(shop, name, value)
        alone.teach()
        return alone

    return make


def test_what_is_lost_again_and_again_is_unknown_and_found_out_later(shop: KeyedShop, taught: Alone) -> None:
    shop.script.extend(["lost"] * 6)
    told = taught.add(5, "a")
    assert isinstance(told, Unknown)
    assert (told.can_be_told, told.answer, taught.state("a")) == (True, ("POST /x", 504), "unknown")
    assert isinstance(taught.add(5, "a"), AlreadyApplied)
    assert isinstance(taught.add(5, "a"), AlreadyApplied)
    assert (shop.count("a"), len(shop.sent)) == (1, 7)


@pytest.mark.parametrize(("was_in", "kind"), [(True, AlreadyApplied), (False, Applied)])
def test_what_a_killed_process_sent_is_told_by_sending_it_again(
    was_in: bool, kind: type, shop: KeyedShop, taught: Alone
) -> None:
    shop.script.append("lost" if was_in else "gone")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(taught, "sleep", _killed)
        with pytest.raises(KeyboardInterrupt):
            taught.add(5, "a")
    assert taught.state("a") == "sending"
    assert isinstance(taught.add(5, "a"), kind)
    assert (shop.count("a"), taught.state("a")) == (1, "applied")


def _killed(_: float) -> None:
    raise KeyboardInterrupt


def test_before_anything_is_known_a_refusal_after_a_lost_answer_tells_nothing(shop: KeyedShop, alone: Alone) -> None:
    shop.script.append("lost")
    told = alone.add(5, "a")
    assert isinstance(told, Unknown)
    assert told.can_be_told
    alone.add(1, "b", customer="C2")
    assert isinstance(alone.add(5, "a"), AlreadyApplied)
    assert shop.count("a") == 1


def test_nothing_is_sent_again_where_it_would_count_again(shop: KeyedShop, taught_as: Any) -> None:
    alone = taught_as(used="counted")
    shop.script.append("lost")
    told = [alone.add(5, "a"), alone.add(5, "a")]
    assert [isinstance(one, Unknown) and one.can_be_told for one in told] == [False, False]
    assert (shop.count("a"), len(shop.sent)) == (1, 1)


# -- refusals of what may be in -------------------------------------------------------------------------------


def test_a_refusal_is_believed_only_when_nothing_can_arrive_any_more(shop: KeyedShop, taught: Alone) -> None:
    shop.script.extend(["late 20", "refused"])
    assert isinstance(taught.add(5, "a"), Applied)
    assert (shop.count("a"), len(shop.sent)) == (1, 3)


def test_a_failure_that_was_owned_up_to_does_not_shorten_the_time_of_one_before(shop: KeyedShop, taught: Alone) -> None:
    shop.script.extend(["late 20", "failed", "refused", "refused"])
    assert isinstance(taught.add(5, "a"), Applied)
    assert (shop.count("a"), len(shop.sent)) == (1, 4)


def test_where_a_used_key_is_no_error_none_stands_for_it(shop: KeyedShop, taught_as: Any) -> None:
    alone = taught_as(used="repeated")
    shop.script.extend(["gone", "blank", "blank"])
    assert code(alone.add(5, "a")) == "request_refused"
    assert shop.count("a") == 0


def test_what_is_refused_and_was_never_in_is_refused(shop: KeyedShop, taught: Alone) -> None:
    shop.script.extend(["gone", "refused", "refused"])
    assert code(taught.add(5, "a")) == "request_refused"
    assert (taught.state("a"), len(shop.sent), shop.count("a")) == ("refused", 3, 0)


@pytest.mark.parametrize("answer", ["forbidden", "malformed", "tls", "unauthorized", "unreachable", "limited"])
@pytest.mark.parametrize("first", ["lost", "gone"])
def test_where_nobody_looked_at_the_key_nothing_is_known(
    first: str, answer: str, shop: KeyedShop, taught: Alone
) -> None:
    shop.script.extend([first, *[answer] * 6])
    assert code(taught.add(5, "a")) == "Unknown"
    assert taught.state("a") == "unknown"
    shop.script.clear()
    assert code(taught.add(5, "a")) in ("Applied", "AlreadyApplied")
    assert shop.count("a") == 1


@pytest.mark.parametrize("used", [USED, "repeated"])
def test_a_redemption_that_took_the_points_itself_is_not_said_to_have_found_too_few(
    used: Any, shop: KeyedShop, taught_as: Any
) -> None:
    alone = taught_as(used=used, points_first=True)
    alone.add(50, "a")
    shop.script.append("lost")
    assert code(alone.redeem(40, "b")) == "Unknown"
    assert shop.balance("C1") == 10
    alone.add(90, "c")
    assert code(alone.redeem(40, "b")) == ("AlreadyApplied" if used == USED else "Applied")
    assert (shop.balance("C1"), shop.count("b")) == (100, 1)


def test_a_redemption_that_never_came_and_finds_too_few_points_is_refused(shop: KeyedShop, taught: Alone) -> None:
    taught.add(5, "a")
    shop.script.append("gone")
    assert code(taught.redeem(6, "b")) == "insufficient_points"
    assert (taught.state("b"), shop.balance("C1")) == ("refused", 5)


@pytest.mark.parametrize("first", ["gone", "lost"])
def test_a_lost_redemption_whose_customer_cannot_be_read_is_not_said_to_be_refused(
    first: str, shop: KeyedShop, taught_as: Any
) -> None:
    alone = taught_as(points_first=True)
    alone.add(5, "a")
    shop.script.append(first)
    shop.unreadable = ServiceUnreachable("gone")
    assert code(alone.redeem(4, "b")) == ("Unknown" if first == "lost" else "Applied")
    assert shop.count("b") == 1


# -- refused, and tried again ---------------------------------------------------------------------------------


def test_what_was_refused_is_applied_with_the_same_key_once_it_can_be(shop: KeyedShop, taught: Alone) -> None:
    assert code(taught.redeem(5, "a")) == "customer_not_found"
    taught.add(5, "b")
    assert code(taught.redeem(6, "a")) == "insufficient_points"
    taught.add(5, "c")
    shop.script.append("lost")
    assert isinstance(taught.redeem(6, "a"), Applied)
    assert (shop.count("a"), taught.state("a")) == (1, "applied")


def test_where_a_refusal_uses_the_key_nothing_refused_is_said_to_be_in(shop: KeyedShop, taught_as: Any) -> None:
    alone = taught_as(burns=True)
    alone.add(5, "a")
    assert code(alone.redeem(6, "b")) == "insufficient_points"
    assert code(alone.redeem(5, "b")) == "request_refused"
    shop.script.append("lost")
    assert code(alone.redeem(6, "c")) == "Unknown"
    assert (shop.count("b"), shop.count("c")) == (0, 0)


def test_where_it_is_not_known_what_a_refusal_does_to_the_key_a_used_one_is_not_taken_for_applied(
    shop: KeyedShop, alone: Alone
) -> None:
    shop.burns = True
    alone.add(5, "a")
    shop.script.append("refused")
    assert code(alone.add(6, "b")) == "request_refused"
    shop.script.append("gone")
    assert code(alone.add(6, "b")) == "Unknown"
    assert (shop.count("b"), alone.state("b")) == (0, "unknown")


def test_a_key_that_a_refusal_used_is_told_so(shop: KeyedShop, alone: Alone) -> None:
    shop.burns = True
    alone.add(5, "a")
    shop.script.append("refused")
    alone.add(6, "b")
    told = alone.add(6, "b")
    assert isinstance(told, Refused)
    assert (told.error.code, "when it refused this change" in told.error.message) == ("key_reused", True)


def test_a_key_that_another_machine_used_is_refused(shop: KeyedShop, taught: Alone) -> None:
    shop.keys.add("a")
    told = taught.add(5, "a")
    assert isinstance(told, Refused)
    message = "The service has seen the key 'a' before: from another machine, for this change or another one."
    assert (told.error.code, told.error.message) == ("key_reused", message)
    assert (shop.count("a"), taught.state("a")) == (0, "refused")


@pytest.mark.parametrize("frees", [True, None])
def test_a_key_from_elsewhere_stays_refused_whatever_becomes_of_sending_it_again(
    frees: bool | None, shop: KeyedShop, taught: Alone
) -> None:
    if frees:
        taught.add(5, "some")
        assert code(taught.redeem(5000, "few")) == "insufficient_points"
    shop.keys.add("q")
    for fate in ("ok", "gone", "lost", "ok"):
        shop.script.append(fate)
        told = taught.add(5, "q")
        assert isinstance(told, Refused)
        assert (told.error.code, told.error.is_elsewhere) == ("key_reused", True)
        assert "history" in (told.error.hint or "")
    assert (shop.count("q"), taught.state("q")) == (0, "refused")


def test_a_key_of_another_change_is_refused_at_once(shop: KeyedShop, taught: Alone) -> None:
    taught.add(5, "a")
    shop.script.append("lost")
    shop.sent.clear()
    assert code(taught.add(6, "a")) == "key_reused"
    assert shop.sent == []


# -- what cannot be sent ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "error"), [("unreachable", ServiceUnreachable), ("unauthorized", TokenRefused), ("limited", Exception)]
)
def test_what_never_got_there_can_be_sent_another_time(
    answer: str, error: type[Exception], shop: KeyedShop, taught: Alone
) -> None:
    shop.script.append(answer)
    with pytest.raises(error):
        taught.add(5, "a")
    assert taught.state("a") == "planned"
    assert isinstance(taught.add(5, "a"), Applied)
    assert shop.count("a") == 1


def test_a_warning_is_a_success_and_told(shop: KeyedShop, taught: Alone) -> None:
    shop.script.append("warn")
    assert isinstance(taught.add(5, "a"), Applied)
    assert (taught.notes, shop.count("a")) == (["mind this"], 1)


@pytest.mark.parametrize("answer", ["ok", "lost", "gone"])
def test_a_journal_that_cannot_be_written_any_more_loses_and_doubles_nothing(
    answer: str, shop: KeyedShop, taught: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.script.append(answer)
    with monkeypatch.context() as patched:
        write, writes = Journal.write, iter(range(1))

        def full(journal: Journal, delivery: Delivery) -> None:
            if next(writes, None) is None:
                raise StorageFull("The disk is full.")
            write(journal, delivery)

        patched.setattr(Journal, "write", full)
        assert code(taught.add(5, "a")) == ("Applied" if answer == "ok" else "Unknown")
        assert "use --key a" in taught.warnings[0]
    assert taught.state("a") == "sending"
    assert code(taught.add(5, "a")) == ("Applied" if answer == "gone" else "AlreadyApplied")
    assert shop.count("a") == 1


def test_a_journal_that_cannot_be_read_any_more_hides_no_success(
    shop: KeyedShop, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([None])

    def unreadable(_: Journal) -> Any:
        for answer in answers:
            return answer
        raise JournalUnusable("gone")

    monkeypatch.setattr(Journal, "key_answer", unreadable)
    assert isinstance(alone.add(5, "a"), Applied)
    assert shop.count("a") == 1


def test_a_journal_that_cannot_be_read_lets_nothing_leave(
    shop: KeyedShop, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Journal) -> Any:
        raise JournalUnusable("gone")

    monkeypatch.setattr(Journal, "key_answer", unreadable)
    with pytest.raises(JournalUnusable):
        alone.add(5, "a")
    assert shop.sent == []


def test_what_is_open_of_others_is_not_sent(shop: KeyedShop, taught: Alone) -> None:
    taught.journal.write(Delivery("x", "f", State.SENDING, 0, Sending("add", "C1", 9, "", "", key="x")))
    taught.add(5, "a")
    taught.deliverer.settle("C1", all_of_them=True)
    assert shop.keys_sent() == ["a"]


def test_other_outcomes_are_no_used_keys(shop: KeyedShop, taught: Alone) -> None:
    shop.script.append("refused")
    told = taught.add(5, "a")
    assert isinstance(told, Refused)
    assert told.error.message == f"no: {OTHER[1]}"
