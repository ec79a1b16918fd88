"""Threads that do what they are handed, each with a service of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from shop import WAIT_S, wait_for

from rpctl.delivery.crew import Answer, Crew
from rpctl.errors import ServiceUnreachable


class Service:
    """Is known by the thread that opened it."""

    opened: list[Service]

    def __init__(self, opened: list[Service]) -> None:
        self.thread = threading.current_thread()
        self.is_closed = False
        opened.append(self)

    def close(self) -> None:
        self.is_closed = True


class Office:
    """A crew, and what its threads opened; ``held`` is work that waits for ``release``."""

    def __init__(self, size: int) -> None:
        self.opened: list[Service] = []
        self.failures: list[Exception] = []
        self.release = threading.Event()
        self.crew = Crew(self.open, size)

    def open(self) -> Any:
        if self.failures:
            raise self.failures.pop()
        return Service(self.opened)

    def held(self, service: Any) -> Any:
        assert self.release.wait(WAIT_S)
        return service

    def hear_all(self) -> list[Answer]:
        heard: list[Answer] = []
        while self.crew.under_way:
            some = self.crew.hear(WAIT_S)
            assert some, "nobody answers"
            heard += some
        return heard


@pytest.fixture
def office() -> Iterator[Office]:
    office = Office(3)
    yield office
    office.release.set()
    office.crew.close()


def test_what_is_handed_over_is_answered_with_what_it_is_about(office: Office) -> None:
    for number in range(20):
        office.crew.hand(number, lambda _, number=number: number * number)
    heard = office.hear_all()

    assert {one.subject: one.value for one in heard} == {number: number * number for number in range(20)}
    assert all(one.work is not None and one.error is None for one in heard)
    assert office.crew.under_way == 0


def test_no_more_threads_work_than_there_are_and_each_has_its_own_service(office: Office) -> None:
    for number in range(5):
        office.crew.hand(number, office.held)
    wait_for(lambda: len(office.opened) == 3)
    assert office.crew.under_way == 5
    office.release.set()
    heard = office.hear_all()

    assert len(office.opened) == 3
    assert {one.value for one in heard} <= set(office.opened)
    assert len({one.thread for one in office.opened}) == 3
    assert threading.current_thread() not in {one.thread for one in office.opened}


def test_threads_are_started_only_for_work(office: Office) -> None:
    for number in range(4):
        office.crew.hand(number, lambda service: service)
        office.hear_all()

    assert len(office.opened) == 1


def test_errors_are_answers_whatever_they_are(office: Office) -> None:
    def fail(error: BaseException) -> Any:
        raise error

    errors = [ServiceUnreachable("gone"), ZeroDivisionError("bug"), KeyboardInterrupt(), SystemExit(3)]
    for number, error in enumerate(errors):
        office.crew.hand(number, lambda _, error=error: fail(error))
    heard = office.hear_all()

    assert {one.subject: one.error for one in heard} == dict(enumerate(errors))


def test_a_service_that_cannot_be_opened_is_tried_again_with_the_next_work(office: Office) -> None:
    office.failures = [ServiceUnreachable("gone")]
    office.crew.hand("first", lambda service: service)
    (first,) = office.hear_all()
    office.crew.hand("second", lambda service: service)
    (second,) = office.hear_all()

    assert isinstance(first.error, ServiceUnreachable)
    assert second.value is office.opened[0]


def test_what_nobody_began_is_withdrawn(office: Office) -> None:
    for number in range(6):
        office.crew.hand(number, office.held)
    wait_for(lambda: len(office.opened) == 3)
    withdrawn = office.crew.withdraw()
    office.release.set()
    heard = office.hear_all()

    assert withdrawn == [3, 4, 5]
    assert sorted(one.subject for one in heard) == [0, 1, 2]


def test_what_is_told_at_work_is_heard_and_is_no_answer(office: Office) -> None:
    def work(_: Any) -> str:
        office.crew.tell("row", "written?")
        assert office.release.wait(WAIT_S)
        return "done"

    office.crew.hand("row", work)
    (told,) = office.crew.hear(WAIT_S)
    assert (told.subject, told.work, told.value, office.crew.under_way) == ("row", None, "written?", 1)
    office.release.set()
    assert [one.value for one in office.hear_all()] == ["done"]


def test_hearing_waits_no_longer_than_it_is_told(office: Office) -> None:
    office.crew.hand("row", office.held)
    began_s = time.monotonic()
    assert (office.crew.hear(0.0), office.crew.hear(-1.0), office.crew.hear(0.03)) == ([], [], [])
    assert 0.02 < time.monotonic() - began_s < 1.0


def test_a_crew_that_goes_home_closes_its_services_and_waits_for_nobody(office: Office) -> None:
    office.crew.hand("held", office.held)
    office.crew.hand("quick", lambda _: None)
    wait_for(lambda: len(office.opened) == 2)
    office.crew.close()
    wait_for(lambda: any(one.is_closed for one in office.opened))
    assert sum(one.is_closed for one in office.opened) == 1
    office.release.set()
    wait_for(lambda: all(one.is_closed for one in office.opened))
