"""Random files, faults and interruptions: whatever happens, each key counts at most once and the sums are right."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shop import Machine, Shop, add, quicken, redeem

from rpctl.delivery.journal import State
from rpctl.domain.changes import AddPoints, Change
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused
from rpctl.errors import StorageFull, Temporary

FAULTS = ["lost", "failed", "gone", "late 0.002", "late 0.009", "limited 0", "limited 0.003", "unreachable"]


class Story(NamedTuple):
    """``rows``: customer, signed points and key; ``faults``: what becomes of the first sendings; ``stops``: how the
    first passes end: by an end after so many lists of outcomes, or by a disk that is full after so many writings."""

    rows: list[tuple[str, int, str]]
    faults: list[str]
    keeps: frozenset[str]
    stops: list[tuple[str, int]]


POINTS = st.integers(1, 9) | st.integers(-6, -1)
STORIES = st.builds(
    Story,
    st.lists(st.tuples(st.sampled_from("ABC"), POINTS, st.integers(0, 30).map("k{}".format)), min_size=1, max_size=14),
    st.lists(st.sampled_from(["ok", *FAULTS]), max_size=14),
    st.sampled_from([frozenset({"ids"}), frozenset({"texts"}), frozenset({"ids", "texts"})]),
    st.lists(st.tuples(st.sampled_from(["end", "disk"]), st.integers(0, 6)), max_size=3),
)


class Books:
    """What the rows come to one after the other: balances by customer, and what became of each."""

    def __init__(self, changes: list[Change]) -> None:
        self.balances = dict.fromkeys("ABC", 0)
        self.became: list[str] = []
        self._asked: dict[str, Change] = {}
        for change in changes:
            self.became.append(self._do(change))

    def _do(self, change: Any) -> str:
        if change.key in self._asked:
            return "already" if self._asked[change.key] == change else "refused"
        points = signed(change)
        if self.balances[change.customer_id] + points < 0:
            return "short"
        self._asked[change.key] = change
        self.balances[change.customer_id] += points
        return "applied"


def passed(machine: Machine, changes: list[Change], stop: tuple[str, int] | None) -> list[Outcome] | None:
    """One pass of a process of its own; None: it was ended."""
    outcomes: list[Outcome] = []
    how, count = stop or ("", 0)
    with pytest.MonkeyPatch.context() as patched:
        if how == "disk":
            write_all, writes = machine.journal.write_all, iter(range(count))

            def full(*arguments: Any) -> Any:
                if next(writes, None) is None:
                    raise StorageFull("full")
                return write_all(*arguments)

            patched.setattr(machine.journal, "write_all", full)
        try:
            with closing(machine.go(changes)) as told:  # type: ignore[type-var]
                for number, some in enumerate(told):
                    if how == "end" and number >= count:
                        return None
                    outcomes += some
        except Temporary:
            return None
        finally:
            machine.end()
    return outcomes


def kind(outcome: Outcome) -> str:
    if isinstance(outcome, Refused):
        return "refused" if outcome.error.code == "key_reused" else "short"
    return {Applied: "applied", AlreadyApplied: "already"}.get(type(outcome), "unsettled")


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORIES)
def test_whatever_happens_each_key_counts_once_and_the_sums_are_right(story: Story) -> None:
    changes = [add(who, points, key) if points > 0 else redeem(who, -points, key) for who, points, key in story.rows]
    books = Books(changes)
    shop = Shop()
    shop.keeps = story.keeps
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        quicken(patched)
        patched.setattr("rpctl.delivery.reach._FIRST_PAUSE_S", 0.001)
        patched.setattr("rpctl.delivery.dispatch._TELL_EVERY_S", 0.0)
        patched.setattr("rpctl.delivery.pace._SLOWEST", 1_000.0)
        machine = Machine(shop, Path(folder))
        machine.teach()
        shop.script.extend(story.faults)
        ended = [passed(machine, changes, stop) is None for stop in story.stops]
        while (told := passed(machine, changes, None)) is None:
            ended.append(True)
        states = {key: machine.row(key).state for key in {one.key for one in changes} if machine.journal.find(key)}
        machine.end()

    counts = {key: shop.count(key) for key in {one.key for one in changes}}
    assert set(counts.values()) <= {0, 1}
    assert {key for key, count in counts.items() if count} == {
        key for key, state in states.items() if state is State.APPLIED
    }
    assert "unsettled" not in map(kind, told)
    assert len(told) == len(changes)
    in_ = {one.key: one for one, outcome in zip(changes, told, strict=True) if is_in(outcome)}
    sums = dict.fromkeys("ABC", 0)
    for one in in_.values():
        sums[one.customer_id] += signed(one)
    assert {who: shop.balance(who) for who in "ABC"} == sums
    is_one_pass = not story.stops and not ended
    if is_one_pass:
        assert [kind(one) for one in told] == books.became
    if is_one_pass or "short" not in books.became:  # what was refused is tried again by each pass
        assert sums == books.balances


def is_in(outcome: Outcome) -> bool:
    return isinstance(outcome, Applied | AlreadyApplied)


def signed(change: Any) -> int:
    return change.points if isinstance(change, AddPoints) else -change.points
