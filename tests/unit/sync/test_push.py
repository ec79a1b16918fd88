"""What a push comes to where something happens beside it: changes that are recorded meanwhile or given up, clocks that
are set back, keys of others, reversals that somebody else makes."""

from __future__ import annotations

from pathlib import Path

import pytest
from counter import HOUR, NOON, add, redeem, reverse
from till import Killed, Life, Till
from till_server import Line, Server

from rpctl.delivery.requests import marks_of, reversal_of
from rpctl.domain.changes import Change
from rpctl.domain.outcomes import Applied
from rpctl.domain.points import Summary
from rpctl.errors import NotFound
from rpctl.sync.push import Pushed


@pytest.fixture
def server() -> Server:
    server = Server(NOON, "ids")
    server.by_hand("add", "C1", 50)
    server.by_hand("add", "C2", 50)
    return server


@pytest.fixture
def till(server: Server, tmp_path: Path) -> Till:
    till = Till(tmp_path / "till", server)
    till.pull(Life())
    return till


@pytest.fixture
def other(server: Server, tmp_path: Path) -> Till:
    other = Till(tmp_path / "other", server)
    other.pull(Life())
    return other


def record(till: Till, *changes: Change) -> None:
    outcomes = till.record(changes, Life(), as_import=False)
    assert [type(one) for one in outcomes] == [Applied] * len(changes)


def conflicts(pushed: Pushed) -> dict[str, str]:
    return {row.key: error.code for row, error in pushed.conflicts}


def states(till: Till) -> dict[str, str]:
    return {key: row.state.value for key, row in till.rows().items()}


def test_what_is_recorded_during_a_push_waits_for_the_next_one(till: Till, server: Server) -> None:
    record(till, add("C1", 1, "a"))
    looked = server.told

    def look(customer_id: str) -> Summary:  # of C2 nothing is looked for: the change is recorded only now
        if "b" not in states(till):
            record(till, add("C2", 2, "b"))
        return looked(customer_id)

    server.told = look  # type: ignore[method-assign]
    assert (till.push(Life()).sent, states(till)) == (1, {"a": "done", "b": "waiting"})
    server.told = looked  # type: ignore[method-assign]
    assert (till.push(Life()).sent, states(till)) == (1, {"a": "done", "b": "done"})


def test_a_customer_whom_only_a_given_up_change_would_have_made_was_not_deleted(till: Till, server: Server) -> None:
    record(till, add("new", 1, "a"), add("new", 2, "b"))
    server.fates = {"a": ["refused"]}
    assert conflicts(till.push(Life())) == {"a": "request_refused"}
    till.drop(["a"])
    assert (conflicts(till.push(Life())), till.balance("new")) == ({}, 2)


def test_a_customer_who_was_there_and_is_not_any_more_is_not_brought_back(till: Till, server: Server) -> None:
    record(till, add("C1", 1, "a"))
    del server.books.of["C1"]
    assert conflicts(till.push(Life())) == {"a": "customer_deleted"}
    record(till, add("C1", 2, "b"))  # by now the till knows of nobody of that name
    till.retry(None)
    assert (conflicts(till.push(Life())), list(server.books.of)) == ({"a": "customer_deleted"}, ["C2"])


@pytest.mark.parametrize("hours", [1, 24 * 400])
def test_a_clock_that_was_ahead_keeps_no_truth_out(till: Till, server: Server, hours: int) -> None:
    record(till, redeem("C2", 5, "a"))
    till.offset = hours * HOUR
    till.pull(Life())
    assert till.push(Life()).sent == 1
    till.offset = 0
    server.by_hand("add", "C1", 7)
    till.pull(Life())
    assert (till.balance("C1"), till.balance("C2"), states(till)) == (57, 45, {"a": "done"})


def test_a_used_key_behind_a_conflict_waits_for_its_turn(till: Till) -> None:
    record(till, redeem("C1", 50, "a"), add("C1", 1, "b"))
    till.online(redeem("C1", 10, "online"))
    till.online(add("C2", 1, "b"))
    assert (conflicts(till.push(Life())), states(till)) == (
        {"a": "insufficient_points"},
        {"a": "conflict", "b": "waiting"},
    )
    till.drop(None)
    assert conflicts(till.push(Life())) == {"b": "key_reused"}


@pytest.mark.parametrize("keeps", ["ids", "texts"])
def test_a_dry_run_foresees_what_becomes_of_reversals(server: Server, tmp_path: Path, keeps: str) -> None:
    server.keeps = keeps
    one, two = Till(tmp_path / "one", server), Till(tmp_path / "two", server)
    entries = {customer: server.books.of[customer][0].id for customer in ("C1", "C2")}
    for till in (one, two):
        till.pull(Life())
        record(till, reverse("C1", entries["C1"], f"r {till.folder.name}"))
    record(two, add("C2", 5, "own"), reverse("C2", marks_of(Line.target, "own")[0], "r own"))
    one.push(Life())
    before, arrived = two.files(), len(server.sent)
    foreseen = two.rehearse()
    assert (two.files(), len(server.sent)) == (before, arrived)
    expected = ({"r two": "already_reversed"}, 2)
    assert (conflicts(foreseen), foreseen.sent) == expected
    pushed = two.push(Life())
    assert (conflicts(pushed), pushed.sent) == expected
    assert server.twice == []


def test_a_reversal_that_another_process_is_at_work_on_keeps_later_changes_back(till: Till, server: Server) -> None:
    entry = server.books.of["C1"][0].id
    record(till, reverse("C1", entry, "r"), add("C1", 1, "later"), add("C2", 1, "a"))
    till.busy = frozenset({reversal_of(entry)})
    pushed = till.push(Life())
    assert (pushed.sent, pushed.stuck, states(till)) == (1, 2, {"r": "waiting", "later": "waiting", "a": "done"})
    till.busy = frozenset()
    assert (till.push(Life()).sent, [key for key, _ in server.sent]) == (2, ["a", "r", "later"])


def test_who_was_deleted_before_a_killed_push_read_them_anew_is_gone_with_what_was_sent(
    till: Till, server: Server
) -> None:
    record(till, add("C1", 1, "a"))
    with pytest.raises(Killed):
        till.push(Life("ledger", 3))  # noted as sent, and not read
    assert states(till) == {"a": "sent"}
    del server.books.of["C1"]
    till.pull(Life())
    assert (till.balance("C1"), states(till)) == (None, {"a": "done"})


@pytest.mark.parametrize("keeps", ["ids", "texts"])
def test_what_gives_back_a_change_that_a_killed_push_sent_counts(server: Server, till: Till, keeps: str) -> None:
    server.keeps = keeps
    record(till, redeem("C1", 30, "a"), reverse("C1", marks_of(Line.target, "a")[0], "r"))
    with pytest.raises(Killed):
        till.push(Life("after", 1))
    till.pull(Life())
    assert (server.balance("C1"), till.balance("C1"), states(till)) == (20, 50, {"a": "waiting", "r": "waiting"})
    till.push(Life())
    assert (server.balance("C1"), till.balance("C1"), server.twice) == (50, 50, [])


@pytest.mark.parametrize("keeps", ["ids", "texts"])
def test_a_reversal_that_a_killed_push_sent_does_not_count_twice(server: Server, till: Till, keeps: str) -> None:
    server.keeps = keeps
    record(till, add("C1", 30, "a"), reverse("C1", marks_of(Line.target, "a")[0], "r"), add("C1", 1, "b"))
    with pytest.raises(Killed):
        till.push(Life("after", 2))
    till.pull(Life())
    assert (server.balance("C1"), till.balance("C1"), states(till)["r"]) == (50, 51, "waiting")


def test_a_dry_run_takes_nobody_for_there_whom_the_push_itself_makes(server: Server, till: Till, other: Till) -> None:
    record(till, add("new", 1, "a"))
    other.online(add("new", 1, "theirs"))
    till.pull(Life())
    record(till, add("new", 2, "b"))
    del server.books.of["new"]
    assert conflicts(till.rehearse()) == conflicts(till.push(Life())) == {"b": "customer_deleted"}


def test_a_dry_run_foresees_the_second_reversal_of_an_entry(server: Server, till: Till) -> None:
    entry = server.books.of["C1"][0].id
    record(till, reverse("C1", entry, "a"))
    server.fates = {"a": ["refused"]}
    till.push(Life())
    record(till, reverse("C1", entry, "b"))
    till.retry(None)
    assert conflicts(till.rehearse()) == conflicts(till.push(Life())) == {"b": "already_reversed"}


def test_what_can_never_be_told_is_given_up_and_never_sent_again(till: Till, server: Server) -> None:
    server.keeps = "nothing"
    record(till, add("C1", 1, "a"), add("C1", 2, "b"), add("C2", 3, "c"))
    server.fates = {"a": ["lost"]}
    pushed = till.push(Life())
    assert (pushed.unknown, pushed.stuck, pushed.sent) == (1, 1, 1)
    with pytest.raises(NotFound):
        till.drop(["a"])  # as long as nobody says that it is unclear
    till.drop(["a"], ["a"])
    assert till.push(Life()).sent == 1
    assert (server.balance("C1"), till.balance("C1"), till.balance("C2")) == (53, 53, 53)


def test_conflicts_are_settled_all_or_none(till: Till, server: Server) -> None:
    record(till, add("C1", 1, "a"), add("C2", 1, "b"))
    server.fates = {"a": ["refused"], "b": ["refused"]}
    till.push(Life())
    with till.process() as process:
        with pytest.raises(NotFound, match="nobody's"):
            process.outbox.settle(["a"], ["nobody's"])
        assert set(states(till).values()) == {"conflict"}
        assert process.outbox.settle(["a"], None) == (1, 1)
    assert states(till) == {"a": "waiting"}


def test_a_deleted_customer_is_not_made_anew_by_what_is_recorded_behind_a_conflict(till: Till, server: Server) -> None:
    record(till, add("C1", 1, "a"), add("C1", 2, "b"))
    del server.books.of["C1"]
    assert conflicts(till.push(Life())) == {"a": "customer_deleted"}
    record(till, add("C1", 3, "c"))
    till.drop(None)
    assert conflicts(till.push(Life())) == {"b": "customer_deleted"}
    till.drop(None)
    assert (conflicts(till.push(Life())), "C1" in server.books.of) == ({"c": "customer_deleted"}, False)
