"""Undoing an import run by the rules of the ledger: worked examples, and random histories that must hold together."""

from __future__ import annotations

import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.ledger import undoing
from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.port import FileContent, RunEntries, Undone
from rpctl.domain.changes import AddPoints, Change, RedeemPoints, Reverse
from rpctl.domain.outcomes import Applied
from rpctl.domain.points import AddedPoints
from rpctl.domain.values import parse_instant, parse_when

DAY = 86_400_000
START = parse_instant("2026-03-01T12:00:00Z")


class Desk:
    """A ledger with a clock that can be moved, and an import run to undo."""

    def __init__(self, folder: Path) -> None:
        self.now = START
        self.backend = LedgerBackend(folder / "ledger.db", Setting(lambda: self.now, "tester", "0"))
        self._keys = iter(range(1_000_000))

    def add(self, points: int, customer: str = "C1", until: str | None = None) -> Change:
        return AddPoints(customer, f"k{next(self._keys)}", points, valid_until=parse_when(until) if until else None)

    def redeem(self, points: int, customer: str = "C1") -> Change:
        return RedeemPoints(customer, f"k{next(self._keys)}", points)

    def do(self, *changes: Change, run: str | None = None) -> list[bool]:
        """Applies them; which of them were."""
        if run is not None and run not in (known.run for known in self.backend.earlier_runs()):
            self.backend.start_run(run, self.now, "f.csv", FileContent(run.encode(), 0, b""), {}, {})
        return [isinstance(outcome, Applied) for outcome in self.backend.apply(changes, run=run)]

    def undo(self, run: str = "run") -> dict[str, Undone]:
        below: int | None = self.backend.begin_undo(run, self.now)
        while below is not None:
            step = self.backend.undo_some(run, below)
            below = None if step is None else step[1]
        assert list(self.backend.verify().problems()) == []
        return {one.customer_id: one for one in self.backend.undone(run)}

    def balance(self, customer: str = "C1") -> int:
        return self.backend.active_points(customer)

    def lots(self, customer: str = "C1") -> list[AddedPoints]:
        return [lot for lot in self.backend.summary(customer).added if lot.left]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.backend.close()


def test_what_a_run_added_and_redeemed_itself_is_had_back_whole(desk: Desk) -> None:
    desk.do(desk.add(100), desk.redeem(60), run="run")
    assert desk.undo() == {"C1": Undone("C1", 100, 60, 0, 0, 0)}
    assert (desk.balance(), desk.lots()) == (0, [])


def test_what_a_run_redeemed_of_others_points_comes_back_as_a_lot_that_lives_as_long(desk: Desk) -> None:
    desk.do(desk.add(50, until="+30d"), desk.add(50, until="+90d"))
    desk.do(desk.redeem(70), run="run")
    assert desk.undo() == {"C1": Undone("C1", 0, 70, 0, 0, 0)}
    assert [(lot.left, lot.valid_until) for lot in desk.lots()] == [(30, START + 90 * DAY), (70, START + 90 * DAY)]
    assert desk.lots()[1].description == "undo of import run run"


def test_the_surplus_of_what_was_given_back_stays(desk: Desk) -> None:
    desk.do(desk.add(50, until="+30d"))
    desk.do(desk.add(100, until="+90d"), desk.redeem(60), run="run")  # 50 of the others', 10 of its own
    assert desk.undo() == {"C1": Undone("C1", 100, 60, 0, 0, 0)}
    assert desk.balance() == 50


def test_points_that_others_spent_are_kept(desk: Desk) -> None:
    desk.do(desk.add(100), run="run")
    desk.do(desk.redeem(30))
    assert desk.undo() == {"C1": Undone("C1", 70, 0, 30, 0, 0)}
    assert desk.balance() == 0


def test_points_of_others_are_never_drawn_on(desk: Desk) -> None:
    desk.do(desk.add(100, until="+30d"), run="run")
    desk.do(desk.redeem(30), desk.add(500))
    assert desk.undo() == {"C1": Undone("C1", 70, 0, 30, 0, 0)}
    assert desk.balance() == 500


def test_points_that_expired_are_kept_and_not_given_back(desk: Desk) -> None:
    desk.do(desk.add(100, until="+30d"), desk.redeem(60), run="run")
    desk.now += 40 * DAY
    assert desk.undo() == {"C1": Undone("C1", 0, 0, 60, 100, 0)}
    assert (desk.balance(), desk.backend.run_entries("run")) == (0, RunEntries(2, 0, 0))


def test_an_entry_that_was_reversed_before_is_left_alone(desk: Desk) -> None:
    first, second = desk.add(100), desk.add(7)
    desk.do(first, second, run="run")
    entry = desk.backend.summary("C1").added[0].id
    desk.do(Reverse("C1", entry, "by hand"))
    assert desk.undo() == {"C1": Undone("C1", 7, 0, 0, 0, 0)}
    assert desk.backend.run_entries("run") == RunEntries(2, 1, 1)


def test_other_runs_and_commands_are_not_touched(desk: Desk) -> None:
    desk.do(desk.add(1), run="run")
    desk.do(desk.add(20), run="other")
    desk.do(desk.add(300))
    desk.undo()
    assert desk.balance() == 320


def test_an_undo_that_is_repeated_or_goes_on_reverses_nothing_twice(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undoing, "BATCH_ENTRIES", 3)
    desk.do(*(desk.add(10) for _ in range(10)), desk.redeem(45), run="run")
    below = desk.backend.begin_undo("run", desk.now)
    assert desk.backend.undo_some("run", below) is not None
    assert desk.backend.run_entries("run") == RunEntries(11, 3, 0)
    assert desk.undo() == desk.undo() == {"C1": Undone("C1", 100, 45, 0, 0, 0)}
    assert (desk.balance(), len(desk.backend.summary("C1").entries())) == (0, 22)


def test_a_key_that_somebody_made_just_like_it_fails_that_entry_alone(desk: Desk) -> None:
    desk.do(desk.add(100), desk.add(7), run="run")
    entry = desk.backend.summary("C1").added[0].id
    desk.do(AddPoints("C2", f"undo {entry}", 1))
    assert desk.undo() == {"C1": Undone("C1", 7, 0, 0, 0, 100)}


def test_entries_of_others_between_a_runs_are_passed_over_in_spans(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undoing, "_SPAN", 4)
    for _ in range(5):
        desk.do(desk.add(1), run="run")
        desk.do(*(desk.add(1, "C2") for _ in range(9)))
    assert desk.undo() == {"C1": Undone("C1", 5, 0, 0, 0, 0)}
    assert desk.balance("C2") == 45


def _history(desk: Desk, rng: random.Random, run: str | None, length: int) -> None:
    """Random changes, some of which are refused."""
    for _ in range(length):
        customer = rng.choice(("C1", "C2", "C3"))
        until = rng.choice((None, None, "+5d", "+20d", "+60d"))
        change = (
            desk.add(rng.randint(1, 60), customer, until)
            if rng.random() < 0.6
            else desk.redeem(rng.randint(1, 80), customer)
        )
        desk.do(change, run=run)


def _signed(entries: Sequence[Any]) -> int:
    return sum(entry.points if isinstance(entry, AddedPoints) else -entry.points for entry in entries)


@pytest.mark.parametrize("seed", range(60))
def test_whatever_happened_before_between_and_after_everything_adds_up(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(undoing, "BATCH_ENTRIES", random.Random(seed).choice((1, 2, 7, 100)))
    rng = random.Random(seed)
    _history(desk, rng, None, rng.randint(0, 15))
    for _ in range(rng.randint(1, 4)):
        _history(desk, rng, "run", rng.randint(1, 12))
        _history(desk, rng, None, rng.randint(0, 5))
        desk.now += rng.choice((0, 0, 3, 15)) * DAY
    if "run" not in (known.run for known in desk.backend.earlier_runs()):
        return
    before = {summary.customer_id: summary for summary in desk.backend.summaries()}
    own: defaultdict[str, int] = defaultdict(int)
    for customer, _, _, run, row in desk.backend.tables()[0].export():
        if run == "run" and customer is not None:
            own[customer] += row.points if row.kind == 1 else -row.points
    for customer, one in desk.undo().items():
        after = desk.backend.summary(customer)
        made = after.entries()[len(before[customer].entries()) :]
        assert one.given_back - one.taken_back == _signed(made) == after.active_points - before[customer].active_points
        assert one.refused == 0
        if not one.spent and not one.expired:
            assert _signed(made) == -own[customer]


@pytest.mark.parametrize("seed", range(20))
def test_a_run_that_nobody_came_after_leaves_the_balances_as_they_were(desk: Desk, seed: int) -> None:
    rng = random.Random(seed)
    _history(desk, rng, None, 15)
    before = dict(desk.backend.customers())
    _history(desk, rng, "run", 25)
    undone = desk.undo()
    assert {customer: points for customer, points in desk.backend.customers() if points} == {
        customer: points + undone[customer].spent if customer in undone else points
        for customer, points in before.items()
        if points
    }
    assert all(not one.expired for one in undone.values())


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (
            "UPDATE allocations SET lot = 3 WHERE redemption = 5 AND lot = 4",
            "It took points that the undo of import run run had not given back.",
        ),
        ("UPDATE allocations SET points = 39 WHERE lot = 1 AND redemption = 5", "39 points were taken back of entry"),
        ("INSERT INTO allocations VALUES (5, 3, 1)", "More was taken back than the 60 points that were spent of entry"),
        ("UPDATE entries SET origin = 1 WHERE seq = 5", "100 points were taken back; 40 were left of entry"),
    ],
)
def test_the_audit_names_an_undo_that_took_what_it_may_not(desk: Desk, damage: str, message: str) -> None:
    desk.do(desk.add(100, until="+10d"), desk.redeem(60), run="run")
    desk.do(desk.add(500))
    desk.undo()
    with closing(sqlite3.connect(desk.backend.path)) as connection, connection:
        connection.execute("INSERT INTO origins (who, rpctl_version, run) SELECT 'x', '0', NULL")
        connection.execute(damage.replace("origin = 1", "origin = (SELECT max(seq) FROM origins)"))
    found = {problem.rule: problem.message for problem in desk.backend.verify().problems()}
    assert found["reversal_amount_wrong"].startswith(message)
