"""Random changes, faults, ends and processes over a service that keeps keys: whatever happens, each key counts at most
once, and what is said of it is so."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from keyed_shop import SHORT, USED, Alone, Importer, KeyedShop, hasten, trust_the_disk
from shop import add, quicken, redeem

from rpctl.delivery.bulk import Speed
from rpctl.delivery.journal import State
from rpctl.delivery.requests import fingerprint
from rpctl.domain.changes import AddPoints, Change
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown
from rpctl.errors import OutcomeUnknown, StorageFull, Temporary

FAULTS: Final = [
    "lost", "failed", "gone", "late 0.002", "late 0.009", "limited 0", "unreachable", "refused", "malformed", "warn",
]  # fmt: skip
SETTLE_S: Final = 0.01


class Killed(BaseException):
    """The process is no more."""


class Habits(NamedTuple):
    """How the service answers; ``knows``: that was learned before."""

    used: Any = USED
    burns: bool = False
    points_first: bool = False
    knows: bool = True


class Step(NamedTuple):
    """A process: an import that ends after so many lists of outcomes (``end``), is ended by its ``count``-th writing
    (before it or after: ``disk``, ``killed``, ``killed after``), stops at a refusal (``strict``), or goes through
    (``all``); or one change (``one``), which may be killed too (``one killed``)."""

    how: str
    count: int


class Story(NamedTuple):
    """``rows``: customer, signed points and key; ``faults``: what becomes of the first sendings."""

    rows: list[tuple[str, int, str]]
    faults: list[str]
    habits: Habits
    steps: list[Step]


HABITS: Final = [
    Habits(),
    Habits(knows=False),
    Habits("repeated"),
    Habits("repeated", knows=False),
    Habits(points_first=True),
    Habits("repeated", points_first=True, knows=False),
    Habits(points_first=True, knows=False),
    Habits(burns=True),
    Habits(SHORT),
    Habits("counted"),
]
WAYS: Final = ["end", "disk", "killed", "killed after", "strict", "all", "one", "one killed"]
POINTS = st.integers(1, 9) | st.integers(-6, -1)
STORIES = st.builds(
    Story,
    st.lists(st.tuples(st.sampled_from("ABC"), POINTS, st.integers(0, 20).map("k{}".format)), min_size=1, max_size=10),
    st.lists(st.sampled_from(["ok", *FAULTS]), max_size=14),
    st.sampled_from(HABITS),
    st.lists(st.builds(Step, st.sampled_from(WAYS), st.integers(0, 5)), max_size=4),
)


class Course:
    """Processes one after the other on one journal, and what was said."""

    def __init__(self, story: Story, folder: Path) -> None:
        self.habits = story.habits
        self.changes = [changed(*row) for row in story.rows]
        self.folder = folder
        self.shop = KeyedShop()
        self.shop.used, self.shop.burns, self.shop.points_first = story.habits[:3]
        self.machine = Importer(self.shop, folder, Speed(3, None, 5.0), SETTLE_S)
        if story.habits.knows:
            self.machine.teach()
        self.taught = len(self.shop.counted)
        self.shop.script.extend(story.faults)

    def step(self, step: Step) -> list[tuple[Change, Outcome]]:
        """What one process said."""
        said: list[tuple[Change, Outcome]] = []
        if step.how.startswith("one"):
            self._one(step, said)
        else:
            self._many(step, said)
        self.shop.arrive(everything=True)
        return said

    def _one(self, step: Step, said: list[tuple[Change, Outcome]]) -> None:
        change = self.changes[step.count % len(self.changes)]
        alone = Alone(self.shop, self.folder, SETTLE_S)
        world: Any = alone.deliverer._world
        alone.deliverer._world = world._replace(sleep=self.machine.world.sleep, clock=self.machine.world.clock)
        if step.how == "one killed":
            write, writes = alone.journal.write, iter(range(step.count % 3))

            def killed(row: Any) -> None:
                if next(writes, None) is None:
                    raise Killed
                write(row)

            alone.journal.write = killed  # type: ignore[method-assign]
        try:
            said.append((change, alone.deliverer.apply(change, key_given=True)))
        except (Temporary, OutcomeUnknown, Killed):
            pass
        finally:
            alone.journal.close()

    def _many(self, step: Step, said: list[tuple[Change, Outcome]]) -> None:
        outcomes: list[Outcome] = []
        with pytest.MonkeyPatch.context() as patched:
            if step.how in ("disk", "killed", "killed after"):
                self._break(patched, step)
            try:
                with closing(self.machine.go(self.changes, stops=step.how == "strict")) as told:  # type: ignore[type-var]
                    for number, some in enumerate(told):
                        outcomes += some
                        if step.how == "end" and number >= step.count:
                            break
            except (Temporary, Killed):
                pass
            finally:
                self.machine.end()
        said += zip(self.changes, outcomes, strict=False)

    def _break(self, patched: pytest.MonkeyPatch, step: Step) -> None:
        journal = self.machine.journal
        write_all, writes = journal.write_all, iter(range(step.count))

        def broken(*arguments: Any) -> Any:
            if next(writes, None) is not None:
                return write_all(*arguments)
            if step.how == "killed after":
                write_all(*arguments)
            raise StorageFull("full") if step.how == "disk" else Killed

        patched.setattr(journal, "write_all", broken)

    def check(self, said: list[tuple[Change, Outcome]]) -> None:
        """That what was said is so: nothing under way can arrive any more."""
        counted = {key: (who, points) for key, who, points in self.shop.counted[self.taught :]}
        assert len(counted) == len(self.shop.counted) - self.taught
        last = {(change.key, meant(change)): outcome for change, outcome in said}  # a file may have it more than once
        for change, outcome in said:
            if isinstance(outcome, Applied | AlreadyApplied):
                assert counted[change.key] == meant(change), outcome
            elif isinstance(last[change.key, meant(change)], Refused) and change not in self.changes[len(said) :]:
                assert counted.get(change.key) != meant(change) or self._is_of_another(change), outcome

    def _is_of_another(self, change: Change) -> bool:
        """Whether its key was sent for another change before, which says the same of the points."""
        row = self.machine.journal.find(change.key)
        return row is not None and row.fingerprint != fingerprint(change)


def changed(who: str, points: int, key: str) -> Change:
    return add(who, points, key) if points > 0 else redeem(who, -points, key)


def meant(change: Any) -> tuple[str, int]:
    return change.customer_id, change.points if isinstance(change, AddPoints) else -change.points


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(STORIES)
def test_whatever_happens_each_key_counts_once_and_what_is_said_is_so(story: Story) -> None:
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patched:
        quicken(patched)
        trust_the_disk(patched)
        hasten(patched)
        patched.setattr("rpctl.delivery.reach._FIRST_PAUSE_S", 0.001)
        patched.setattr("rpctl.delivery.dispatch._TELL_EVERY_S", 0.0)
        patched.setattr("rpctl.delivery.pace._SLOWEST", 1_000.0)
        course = Course(story, Path(folder))
        for step in story.steps:
            course.check(course.step(step))
        course.shop.script.clear()
        said = course.step(Step("all", 0))
        course.check(said)
        found = course.machine.journal.find_all([change.key for change in course.changes])
        course.machine.end()

    assert len(said) == len(course.changes)
    counted = {key for key, _, _ in course.shop.counted[course.taught :]}
    states = {key: row.state for key, row in found.items()}
    assert counted >= {key for key, state in states.items() if state is State.APPLIED}
    assert counted <= {key for key, state in states.items() if state in (State.APPLIED, State.SENDING, State.UNKNOWN)}
    unknown = [change.key for change, outcome in said if isinstance(outcome, Unknown)]
    event(f"unknown: {bool(unknown)}")
    if story.habits in (Habits(), Habits("repeated")):
        assert unknown == []
        assert counted == {key for key, state in states.items() if state is State.APPLIED}
