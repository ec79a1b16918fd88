"""Any row of changes, clock settings, deletions and program settings: the ledger and a naive one agree.

After every step outcomes, balances and summaries are compared field by field, and the audit finds nothing.
The normal run is short. A long campaign, for instance 20,000 examples of up to 60 steps each::

    RPCTL_LEDGER_EXAMPLES=20000 RPCTL_LEDGER_STEPS=60 pytest tests/contract/test_ledger_state_machine.py
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import astuple
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from ledger_scripts import CUSTOMERS, OPTIONS, START, KeyedLedger, Script, Step, steps
from naive_ledger import DAY, NaiveLedger

EXAMPLES = int(os.environ.get("RPCTL_LEDGER_EXAMPLES", "100"))
STEPS = int(os.environ.get("RPCTL_LEDGER_STEPS", "20"))
UNHURRIED = settings(deadline=None, max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))


class LedgerAgainstNaiveLedger(RuleBasedStateMachine):
    """Drives both ledgers with the same steps."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.now = START
        self.script = Script()
        self.ledger = KeyedLedger(Path(self.folder.name), lambda: self.now)
        self.naive = NaiveLedger()
        for name, document in OPTIONS.items():
            self.naive.options[name] = (document["points"], name != "shipping")

    def teardown(self) -> None:
        self.ledger.backend.close()
        self.folder.cleanup()

    @rule(
        days=st.sampled_from([0, 0, 0, 1, 5, 30, -1, -10]),
        milliseconds=st.sampled_from([0] * 15 + [1]),
        batch=st.lists(steps, min_size=1, max_size=10),
    )
    def apply(self, days: int, milliseconds: int, batch: list[Step]) -> None:
        self.now += days * DAY + milliseconds  # a clock may step back, too
        changes = self.script.changes(batch, self.now)
        outcomes = [self.naive.apply(change, self.now) for change in changes]
        expected = [
            (outcome, None if outcome[0] == "refused" else self.naive.look(self.naive.entry(change.key)))
            for outcome, change in zip(outcomes, changes, strict=True)
        ]
        assert expected == self.ledger.apply(changes)

    @rule(name=st.sampled_from(CUSTOMERS), really=st.booleans())
    def delete(self, name: str, really: bool) -> None:
        if really and self.naive.person(name):
            expected = self.naive.delete(name)
            assert (*expected, True) == astuple(self.ledger.backend.delete_customer(name))

    @rule(
        enabled=st.sampled_from([True] * 7 + [False]),
        factor=st.sampled_from(["1", "0.5", "0.05", "3.333"]),
        months=st.sampled_from([None, 1, 2]),
        prefix=st.sampled_from([None, "SHOP"]),
    )
    def set_program(self, enabled: bool, factor: str, months: int | None, prefix: str | None) -> None:
        wanted: dict[str, Any] = {
            "enabled": enabled, "factor": Decimal(factor), "validity_months": months, "code_prefix": prefix,
        }  # fmt: skip
        self.naive.program = self.ledger.backend.set_program("main", wanted)

    @invariant()
    def summaries_agree(self) -> None:
        names = sorted(person.name for person in self.naive.people)
        expected = [self.naive.summary(name, self.now) for name in names]
        assert expected == [self.ledger.look_at_all(summary) for summary in self.ledger.backend.summaries()]
        assert [row[:2] for row in expected] == list(self.ledger.backend.customers())
        assert [row[1] for row in expected] == [self.ledger.backend.active_points(name) for name in names]

    @invariant()
    def balances_at_other_moments_agree(self) -> None:
        for person in self.naive.people:
            for at in (self.now - 20 * DAY, self.now + 3 * DAY, self.now + 45 * DAY):
                expected = self.naive.active(person, at, self.naive.book)
                assert expected == self.ledger.backend.active_points(person.name, at)

    @invariant()
    def the_audit_finds_nothing(self) -> None:
        assert list(self.ledger.backend.verify().problems()) == []


LedgerAgainstNaiveLedger.TestCase.settings = settings(UNHURRIED, stateful_step_count=STEPS)
TestLedgerAgainstNaiveLedger = LedgerAgainstNaiveLedger.TestCase


@UNHURRIED
@given(
    batches=st.lists(st.tuples(st.integers(-5, 30), st.lists(steps, min_size=1, max_size=12)), min_size=1, max_size=3)
)
def test_a_batch_gives_the_same_as_its_changes_one_at_a_time(batches: list[tuple[int, list[Step]]]) -> None:
    now = START
    script = Script()
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        together, singly = KeyedLedger(Path(one), lambda: now), KeyedLedger(Path(other), lambda: now)
        try:
            for days, batch in batches:
                now += days * DAY
                changes = script.changes(batch, now)
                # Entries in the answers are as they are when the call ends, so they are compared below.
                expected = [singly.apply([change])[0][0] for change in changes]
                assert expected == [outcome for outcome, _ in together.apply(changes)]
                states = [list(map(k.look_at_all, k.backend.summaries())) for k in (singly, together)]
                assert states[0] == states[1]
        finally:
            together.backend.close()
            singly.backend.close()
