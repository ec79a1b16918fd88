"""Two tills and one service, in any order: recorded offline, pushed, pulled, killed anywhere, tried again and given up.

A naive model says what the service has then, which changes are conflicts and which wait behind them. Nothing counts
twice, nothing is lost. The normal run is short and always the same. A long campaign over other histories, for instance
2,000 of up to 25 steps each, with its figures; RPCTL_TILLS_SHRINK=1 looks for the shortest one that fails::

    RPCTL_TILLS_RANDOM=1 RPCTL_TILLS_EXAMPLES=2000 pytest -s tests/unit/sync/test_tills.py --hypothesis-seed=7
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from itertools import zip_longest
from pathlib import Path
from typing import Any, TypeVar

import pytest
from counter import DAY, HOUR, NOON
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule
from till import KILLS, Killed, Life, Till
from till_model import Row, TillModel
from till_server import Books, Line, Server

from rpctl.delivery.requests import marks_of
from rpctl.domain.changes import AddPoints, Change, RedeemPoints, Reverse
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused
from rpctl.domain.values import NEVER, format_instant, parse_when

EXAMPLES = int(os.environ.get("RPCTL_TILLS_EXAMPLES", "20"))
STEPS = int(os.environ.get("RPCTL_TILLS_STEPS", "25"))
SEED = os.environ.get("RPCTL_TILLS_RANDOM")
CUSTOMERS = ("C1", "C2", "C3")
END = NOON + 2 * DAY + 6 * HOUR  # of points that end; the days go by at noon, and no clock is wrong by six hours
FATES = ("ok", "lost", "failed", "gone", "late", "unreachable", "limited", "refused")
PHASES = tuple(Phase) if os.environ.get("RPCTL_TILLS_SHRINK") else (Phase.generate,)
SHARED = ("k0", "k1", "k2", "k3", "k4", "k5")
MEANWHILE = (
    "online",
    "online",
    "by hand",
    "spent",
    "spent",
    "deleted",
    "a day",
    "clock",
    "backup",
    "restore",
    "journal",
)
FIGURES: Counter[str] = Counter()
FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None

tills = st.integers(0, 1)
customers = st.sampled_from(CUSTOMERS)
points = st.sampled_from([1, 5, 10, 30, 60])
kills = st.one_of(st.none(), st.tuples(st.sampled_from(KILLS), st.integers(1, 6)))
keys = st.integers(0, 11)
kinds = st.sampled_from(["add", "add", "redeem"])
fates = st.dictionaries(keys, st.lists(st.sampled_from(FATES), min_size=1, max_size=3), max_size=4)


STRATEGIES: dict[str, Any] = {}
WEIGHTED: list[str] = []

Step = TypeVar("Step", bound=Callable[..., None])


def step(weight: int, **strategies: Any) -> Callable[[Step], Step]:
    """A step of a history, taken ``weight`` times as often as others."""

    def noted(taken: Step) -> Step:
        STRATEGIES[taken.__name__] = st.fixed_dictionaries(strategies)
        WEIGHTED.extend([taken.__name__] * weight)
        return taken

    return noted


def _told_of(what: str) -> st.SearchStrategy[tuple[str, dict[str, Any]]]:
    return st.tuples(st.just(what), STRATEGIES[what])


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    """No pause is as long as in earnest."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("rpctl.delivery.reach._FIRST_PAUSE_S", 0.001)
        patched.setattr("rpctl.delivery.dispatch._AWAITED_S", 0.02)
        patched.setattr("rpctl.delivery.dispatch._SOON_S", 0.001)
        patched.setattr("rpctl.delivery.dispatch._CLAIM_AGAIN_S", 0.01)
        patched.setattr("rpctl.delivery.pace._PAUSE_S", 0.002)
        patched.setattr("rpctl.delivery.pace._SLOWEST", 1000.0)
        yield
    print(f"\ntills: {dict(sorted(FIGURES.items()))}")  # shown by pytest -s


class Tills(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(dir=FOLDER)
        self.reversals = self.taught = 0
        self.done_by_others: set[str] = set()  # own reversals of what somebody else reversed meanwhile
        self.targets: dict[str, int | str] = {}
        self.last_reversal: list[Reverse | None] = [None, None]
        self.saved: list[TillModel | None] = [None, None]

    @initialize(keeps=st.sampled_from(["ids", "texts"]), knows=st.booleans())
    def begin(self, keeps: str, knows: bool) -> None:
        """``knows``: both tills know already what the service keeps of their marks."""
        self.server = Server(NOON, keeps)
        self.tills = [Till(Path(self.folder.name) / name, self.server) for name in ("a", "b")]
        self.models = [TillModel(), TillModel()]
        self.has_learned = [False, False]
        for customer in CUSTOMERS[:2]:
            self.server.by_hand("add", customer, 50)
        for number in (0, 1) if knows else ():
            self._teach(number)
        for number in (0, 1):
            self._pull(number, None)

    @rule(taken=st.deferred(lambda: st.sampled_from(WEIGHTED).flatmap(_told_of)))
    def go_on(self, taken: tuple[str, dict[str, Any]]) -> None:
        what, how = taken
        getattr(self, what)(**how)

    def teardown(self) -> None:
        try:
            if sys.exc_info()[0] is None:
                self._end()
                FIGURES["histories"] += 1
        finally:
            self.folder.cleanup()

    # -- recorded --------------------------------------------------------------------------------------

    @step(3, number=tills, key=keys, kind=kinds, customer=customers, points=points, ends=st.booleans(), kill=kills)
    def record(
        self, number: int, key: int, kind: str, customer: str, points: int, ends: bool, kill: tuple[str, int] | None
    ) -> None:
        """A key may be one that this till, the other or somebody online has used."""
        change = self._change(_key(number, key), kind, customer, points, ends=ends)
        self._record(number, [change], kill, as_import=False)

    @step(2, number=tills, at=keys, rows=st.lists(st.tuples(kinds, customers, points), max_size=5), kill=kills)
    def record_import(
        self, number: int, at: int, rows: list[tuple[str, str, int]], kill: tuple[str, int] | None
    ) -> None:
        changes = [
            self._change(_key(number, (at + place) % 12), kind, customer, points, ends=False)
            for place, (kind, customer, points) in enumerate(rows)
        ]
        self._record(number, changes, kill, as_import=True)

    def _change(self, key: str, kind: str, customer: str, points: int, *, ends: bool) -> AddPoints | RedeemPoints:
        if kind == "redeem":
            return RedeemPoints(customer, key, points)
        ends = ends and self.server.now + 2 * HOUR < END
        return AddPoints(customer, key, points, valid_until=parse_when(format_instant(END)) if ends else None)

    @step(4, number=tills, at=keys, own=st.booleans(), again=st.sampled_from([False, False, True]), kill=kills)
    def reverse(self, number: int, at: int, own: bool, again: bool, kill: tuple[str, int] | None) -> None:
        """Of an entry that the mirror shows, or of an own change that waits; ``again``: the last one once more."""
        model = self.models[number]
        entries = [one for customer in model.seen.values() for one in customer if one.key not in SHARED]
        rows = [row for row in model.rows if row.target is None and row.state == "waiting"]
        rows = [row for row in rows if row.key not in SHARED]  # of these one id may name two entries
        if again and self.last_reversal[number] is not None:
            self._record(number, [self.last_reversal[number]], kill, as_import=False)
        elif own and rows:
            row = rows[at % len(rows)]
            self._reverse(number, row.customer, marks_of(Line.target, row.key)[0], row.key, kill)
        elif not own and entries:
            entry = entries[at % len(entries)]
            self._reverse(number, entry.customer, entry.id, entry.serial, kill)

    def _reverse(
        self, number: int, customer: str, entry_id: str, target: int | str, kill: tuple[str, int] | None
    ) -> None:
        self.reversals += 1
        change = Reverse(customer, entry_id, f"r{number}{self.reversals}")
        self.targets[change.key] = target
        self.last_reversal[number] = change
        self._record(number, [change], kill, as_import=False)

    def _record(self, number: int, changes: list[Change], kill: tuple[str, int] | None, *, as_import: bool) -> None:
        till, model = self.tills[number], self.models[number]
        try:
            outcomes = till.record(changes, Life(*kill) if kill else Life(), as_import=as_import)
        except Killed:
            FIGURES["killed while recording"] += 1
            kept = till.rows()
            for change in changes:
                if change.key in kept and model.row(change.key) is None:
                    self._recorded(model, till, change, None, as_import=as_import)
            assert list(kept) == [row.key for row in model.rows]
            outcomes = till.record(changes, Life(), as_import=as_import)
        for change, outcome in zip(changes, outcomes, strict=True):
            self._recorded(model, till, change, outcome, as_import=as_import)
        self._check_rows(number)

    def _recorded(
        self, model: TillModel, till: Till, change: Change, outcome: Outcome | None, *, as_import: bool
    ) -> None:
        """A change was recorded as it is to be, and is a row of the model from then on; None: the process ended."""
        row = self._row_of(model, till, change)
        told = "applied" if outcome is None else _told(outcome)
        expected = self._foreseen(model, till, row, as_import=as_import)
        assert expected in (told, None), f"{row}: {told}"
        if told == "applied":
            FIGURES["recorded"] += 1
            model.rows.append(row)

    def _row_of(self, model: TillModel, till: Till, change: Change) -> Row:
        known, at = model.is_there(change.customer_id), model.date(change.customer_id, till.clock())
        if isinstance(change, AddPoints):
            until = NEVER if change.valid_until is None else END
            return Row(change.key, change.customer_id, "add", change.points or 0, until, known, at)
        if isinstance(change, RedeemPoints):
            return Row(change.key, change.customer_id, "redeem", change.points or 0, NEVER, known, at)
        stored = till.rows().get(change.key)
        row = Row(change.key, change.customer_id, "redeem", 0, NEVER, known, at, self.targets[change.key])
        if stored is not None:  # how much of it was left is the ledger's rules', which have tests of their own
            sending = stored.sending
            row.kind, row.points, row.until = sending.kind, sending.points, sending.valid_until or NEVER
        return row

    def _foreseen(self, model: TillModel, till: Till, row: Row, *, as_import: bool) -> str | None:
        """What becomes of a change offline; None: that is not known here."""
        before = model.row(row.key)
        if before is not None:
            return "already" if before.asks_for() == row.asks_for() else "key_reused"
        if row.key in model.sent_keys:
            return "already" if model.sent_keys[row.key] == row.asks_for() else "key_reused"
        if row.target is not None or not model.is_sure or row.key in model.unclear:
            return None
        truth = model.seen.get(row.customer, [])
        seen = next((one for one in truth if one.key == row.key), None)
        if seen is not None:
            if as_import and row.kind == "add":
                return None  # for mere additions nothing is read; the push finds it
            return "already" if (seen.kind, seen.points) == (row.kind, row.points) else "key_reused"
        if row.kind == "redeem":
            if not (model.knows(row.customer) or row.known):
                return "customer_not_found"
            if model.balance(row.customer, row.at) < row.points:
                return "insufficient_points"
        return "applied"

    # -- meanwhile -------------------------------------------------------------------------------------

    @step(
        5,
        what=st.sampled_from(MEANWHILE),
        number=tills,
        key=keys,
        kind=kinds,
        customer=customers,
        points=points,
        hours=st.integers(-2, 2),
    )
    def meanwhile(self, what: str, number: int, key: int, kind: str, customer: str, points: int, hours: int) -> None:
        self.server.arrive(all_of_them=True)
        match what:
            case "online":
                self.change_online(number, key, kind, customer, points)
            case "by hand" if kind == "add" or self.server.books.balance(customer, self.server.now) >= points:
                self.server.by_hand(kind, customer, points)
            case "spent" if spent := self.server.balance(customer):
                self.server.by_hand("redeem", customer, spent)
            case "deleted":
                self.server.books.of.pop(customer, None)
            case "a day":
                self.server.now += DAY
            case "clock":
                self.tills[number].offset = hours * HOUR
            case "backup":
                self.tills[number].back_up()
                self.saved[number] = deepcopy(self.models[number])
            case "restore" if self.saved[number] is not None:
                self.restore(number)
            case "journal":
                self.lose_the_journal(number)

    def change_online(self, number: int, key: int, kind: str, customer: str, points: int) -> None:
        """At a till that has a line, perhaps with a key that was recorded offline."""
        model = self.models[number]
        change = self._change(_key(number, key), kind, customer, points, ends=False)
        row = Row(change.key, customer, kind, points, NEVER, known=False, at=0)
        why = model.why_not_online(row, self.server.books, self.server.now)
        outcome = self.tills[number].online(change)
        if why is not None:
            assert _told(outcome) == {"": "applied", "in": "already"}.get(why, why)
        if isinstance(outcome, (Applied, AlreadyApplied)):
            own = model.row(change.key)
            model.sent_keys[change.key] = own.asks_for() if own and change.key in model.unclear else row.asks_for()
        self._adopt_journal(number)

    def restore(self, number: int) -> None:
        """The ledger as it was once; what was sent since waits there again. The journal is not restored."""
        FIGURES["restored"] += 1
        self.tills[number].restore()
        now, model = self.models[number], deepcopy(self.saved[number])
        assert model is not None
        model.sent_keys, model.unclear = now.sent_keys, now.unclear
        self.models[number] = model
        self._check_rows(number)

    def lose_the_journal(self, number: int) -> None:
        """Nothing is under way any more by then."""
        (self.tills[number].folder / "journal.db").unlink(missing_ok=True)
        self.models[number].sent_keys, self.models[number].unclear = {}, set()
        self.has_learned[number] = False
        FIGURES["journals lost"] += 1

    # -- pulled ----------------------------------------------------------------------------------------

    @step(1, number=tills, kill=kills)
    def pull(self, number: int, kill: tuple[str, int] | None) -> None:
        self._pull(number, kill)

    def _pull(self, number: int, kill: tuple[str, int] | None) -> None:
        self.server.arrive(all_of_them=True)
        try:
            self.tills[number].pull(Life(*kill) if kill else Life())
        except Killed:
            FIGURES["killed pulls"] += 1
            self._adopt(number)
            return
        FIGURES["pulls"] += 1
        self._pulled(number)
        for customer in CUSTOMERS:
            self._check_balance(number, customer)
        self._check_rows(number)

    def _pulled(self, number: int) -> None:
        model = self.models[number]
        model.seen, model.is_sure = deepcopy(self.server.books.of), True
        for row in model.rows:
            row.is_shown = row.state == "sent"

    def _check_balance(self, number: int, customer: str) -> None:
        till, model = self.tills[number], self.models[number]
        expected = model.balance(customer, till.clock()) if model.knows(customer) else None
        assert (number, customer, expected) == (number, customer, till.balance(customer))

    # -- pushed ----------------------------------------------------------------------------------------

    @step(3, number=tills, kill=kills, becomes=fates, dry=st.booleans())
    def push(self, number: int, kill: tuple[str, int] | None, becomes: dict[int, list[str]], dry: bool) -> None:
        self._push(number, kill, becomes, dry=dry)

    @step(
        5,
        number=tills,
        at=keys,
        rows=st.lists(st.tuples(kinds, customers, points), min_size=2, max_size=6),
        kill=kills,
        becomes=fates,
    )
    def work(
        self, number: int, at: int, rows: list[tuple[str, str, int]], kill: tuple[str, int] | None,
        becomes: dict[int, list[str]],
    ) -> None:  # fmt: skip
        """A file, and a push that may end in the middle of it."""
        self.record_import(number, at, rows, None)
        self._push(number, kill, becomes)

    @step(2, number=tills, which=st.one_of(st.none(), keys), drops=st.booleans())
    def settle(self, number: int, which: int | None, drops: bool) -> None:
        """Conflicts are tried again or given up, one or all of them."""
        model = self.models[number]
        conflicts = [row.key for row in model.rows if row.state == "conflict"]
        some = None if which is None or not conflicts else [conflicts[which % len(conflicts)]]
        (self.tills[number].drop if drops else self.tills[number].retry)(some)
        (model.drop if drops else model.retry)(some)
        FIGURES["dropped" if drops else "retried"] += len(some or conflicts)
        self._check_rows(number)

    def _push(
        self, number: int, kill: tuple[str, int] | None, becomes: dict[int, list[str]], *, dry: bool = False
    ) -> None:
        till, model, server = self.tills[number], self.models[number], self.server
        server.arrive(all_of_them=True)
        named = {row.key: becomes.get(int(row.key[1:].rstrip("ab")) % 12, []) for row in model.rows}
        server.fates = {key: list(words) for key, words in named.items() if words}
        before = deepcopy(server.books)
        told, after = model.pushed(before, server.now, named)
        if dry:
            self._rehearse(number)
        arrived = len(server.sent)
        try:
            till.push(Life(*kill) if kill else Life())
        except Killed:
            FIGURES["killed pushes"] += 1
            self._stopped(number, told, before, after)
            self._adopt(number)
        else:
            FIGURES["pushes"] += 1
            if self._is_anybodys(model, before):
                self._adopt(number)
            else:
                self._pushed(number, told, before, after)
        finally:
            server.fates = {}
        FIGURES["sendings"] += len(server.sent) - arrived
        self._check_rows(number)
        assert server.twice == []

    def _rehearse(self, number: int) -> None:
        """Nothing is changed and nothing is sent, and it tells what a push without mishaps would come to."""
        till, model, server = self.tills[number], self.models[number], self.server
        files, arrived, books = till.files(), len(server.sent), deepcopy(server.books)
        found = till.rehearse()
        assert (till.files(), len(server.sent), server.books.of) == (files, arrived, books.of)
        FIGURES["dry runs"] += 1
        if not model.unclear:
            told, _ = model.pushed(books, server.now, {})
            expected = {key: why for key, (state, why) in told.items() if state == "conflict"}
            assert {row.key: error.code for row, error in found.conflicts} == expected
            assert found.sent + found.already_sent == len(told) - len(expected)

    def _pushed(self, number: int, told: dict[str, tuple[str, str]], before: Books, after: Books) -> None:
        """It came to its end."""
        till, model = self.tills[number], self.models[number]
        journaled = till.journaled()
        unknown = {row.key for row in model.rows if row.state == "waiting" and journaled.get(row.key) == "unknown"}
        if unknown:
            FIGURES["unknown"] += len(unknown)
            assert not self.has_learned[number] or all(map(self._is_hidden, filter(None, map(model.row, unknown))))
            self._stopped(number, told, before, after)
            self._adopt(number)
            return
        has, full = _flat(self.server.books), _flat(after)
        others = {one: (has.get(one), full.get(one)) for one in {*has, *full} if has.get(one) != full.get(one)}
        assert others == {}, f"{told} {model}"
        for row in model.rows:
            if row.key in told:
                row.state, row.why = told[row.key]
                if row.state == "sent":
                    model.sent_keys[row.key] = row.asks_for()
                FIGURES[row.why or row.state] += 1
        model.unclear = set()
        read = {row.customer for row in model.rows if row.state == "sent" and not row.is_shown}
        read |= {row.customer for row in model.rows if row.key in told and row.state == "conflict"}
        for customer in read:
            model.seen.pop(customer, None)
            if customer in self.server.books.of:
                model.seen[customer] = deepcopy(self.server.books.of[customer])
        for row in model.rows:
            row.is_shown = row.state == "sent"

    def _is_anybodys(self, model: TillModel, before: Books) -> bool:
        """Whether something under way here has the key of what somebody else sent meanwhile: it depends on when the
        push learns what the service keeps whether it is told by that or sent. Neither counts twice."""
        mine = [row for row in model.rows if row.key in model.unclear]
        theirs = {row.key for row in mine if row.target is not None and model.reversed_by_others(row, before)}
        self.done_by_others |= theirs
        return bool(theirs) or any(
            (one.customer, one.kind, one.points) != (row.customer, row.kind, row.points)
            for row in mine
            for one in before.with_key(row.key)
        )

    def _is_hidden(self, row: Row) -> bool:
        """Whether somebody else's entry under the same key keeps a change from being told."""
        theirs = [one for one in self.server.books.of.get(row.customer, []) if one.key == row.key]
        return any((one.kind, one.points) != (row.kind, row.points) for one in theirs)

    def _stopped(self, number: int, told: dict[str, tuple[str, str]], before: Books, after: Books) -> None:
        """It ended in the middle: of each customer's changes the first ones are settled, as they were to be."""
        rows, model = self.tills[number].rows(), self.models[number]
        for customer in {row.customer for row in model.rows}:
            mine = [row for row in model.rows if row.customer == customer and row.state == "waiting"]
            states = [_state(rows[row.key].state.value) for row in mine]
            settled = len([one for one in states if one != "waiting"])
            expected = [told.get(row.key, ("waiting", "")) for row in mine]
            assert states == [state for state, _ in expected[:settled]] + ["waiting"] * (len(states) - settled)
            has, full = (_flat(books).get(customer, []) for books in (self.server.books, after))
            assert [one[:3] for one in has] == [one[:3] for one in full[: len(has)]]
            new = len(_flat(before).get(customer, [])) + expected[:settled].count(("sent", ""))
            assert len(has) >= new

    # -- what is there ---------------------------------------------------------------------------------

    def _adopt(self, number: int) -> None:
        """What a command came to that ended in the middle, as its files say."""
        till, model = self.tills[number], self.models[number]
        rows, mirrored = till.rows(), till.mirrored()
        for row in model.rows:
            stored = rows[row.key]
            row.state, row.is_shown = _state(stored.state.value), stored.state.value == "done"
            row.why = stored.told[0] if stored.told else ""
        model.seen = {customer: model.seen.get(customer, []) for customer in mirrored}
        model.is_sure = False
        self._adopt_journal(number)

    def _adopt_journal(self, number: int) -> None:
        model = self.models[number]
        states = self.tills[number].journaled()
        model.unclear = {key for key, state in states.items() if state in ("sending", "unknown")}
        for row in model.rows:
            if states.get(row.key) == "applied" and row.key not in model.sent_keys:
                assert self.server.ever[row.key] > 0 or row.key in self.done_by_others
                model.sent_keys[row.key] = row.asks_for()

    def _check_rows(self, number: int) -> None:
        """The outbox is as the model has it, and what is held back is behind a conflict."""
        till, model = self.tills[number], self.models[number]
        rows = till.rows()
        found = [(key, _state(row.state.value), row.told[0] if row.told else "") for key, row in rows.items()]
        expected = [(row.key, row.state, row.why if row.state == "conflict" else "") for row in model.rows]
        assert [pair for pair in zip_longest(found, expected) if pair[0] != pair[1]] == []
        blocked = model.blocked()
        waiting = [row for row in model.rows if row.state == "waiting"]
        held = sum(row.customer in blocked for row in waiting)
        assert till.waiting() == ([row.key for row in waiting if row.customer not in blocked], held)
        for row in model.rows:
            is_in = self.server.ever[row.key] > 0 or row.key in self.done_by_others
            assert row.state != "sent" or is_in, f"{row} was lost"

    def _teach(self, number: int) -> None:
        """The till learns what the service keeps: of an addition and of a redemption, of any length."""
        for kind in (AddPoints, RedeemPoints):
            self.taught += 1
            text = "x" * 200
            self.tills[number].online(kind("T", f"t{self.taught}", points=1, description=text))
        self.has_learned[number] = True

    def _end(self) -> None:
        """Pushed until nothing moves, then all conflicts given up, again and again: nothing is left, and offline
        everybody has what the service has."""
        for number in (0, 1):
            self._teach(number)
            self._adopt_journal(number)
            self._push(number, None, {})
            moved = len(self.server.sent)
            self._push(number, None, {})
            assert len(self.server.sent) == moved
        self._pull(0, None)
        self._pull(1, None)
        for number in (0, 1):
            for _ in list(self.models[number].rows):  # each time at least one is given up
                unclear = sorted(key for key, state in self.tills[number].journaled().items() if state == "unknown")
                if self.models[number].blocked() or unclear:
                    self.tills[number].drop(None, unclear)
                    self.models[number].drop(None, unclear)
                    self._push(number, None, {})
            assert [row.state for row in self.models[number].rows if row.state != "sent"] == []
        for number in (0, 1):
            self._pull(number, None)
            for customer in CUSTOMERS:
                has = self.server.books.balance(customer, self.tills[number].clock())
                assert (self.tills[number].balance(customer) or 0) == has


def _key(number: int, key: int) -> str:
    """Some keys are those of both tills, as from a file that both have."""
    return f"k{key}" if f"k{key}" in SHARED else f"k{key}{'ab'[number]}"


def _state(stored: str) -> str:
    return "sent" if stored == "done" else stored


def _flat(books: Books) -> dict[str, list[tuple[str, int, str, int]]]:
    return {
        customer: [(one.kind, one.points, one.key, one.left) for one in entries]
        for customer, entries in books.of.items()
    }


def _told(outcome: Outcome) -> str:
    if isinstance(outcome, Refused):
        return outcome.error.code
    return {Applied: "applied", AlreadyApplied: "already"}[type(outcome)]


Tills.TestCase.settings = settings(
    deadline=None, max_examples=EXAMPLES, stateful_step_count=STEPS, derandomize=SEED is None, database=None,
    suppress_health_check=list(HealthCheck), phases=PHASES,
)  # fmt: skip
TestTills = Tills.TestCase
