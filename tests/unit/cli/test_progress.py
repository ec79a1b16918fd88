"""The line that shows how far an import is: the speed is that of late, whatever went before."""

from __future__ import annotations

import io
from types import SimpleNamespace
from typing import Any

import pytest

from rpctl.cli import importing
from rpctl.terminal import Terminal


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Any:
    """`shown(seconds, phase, done, total)`: what the line says after that call, or nothing where it is not due."""
    now = [100.0]
    monkeypatch.setattr(importing, "time", SimpleNamespace(monotonic=lambda: now[0]))
    screen = _Screen()
    terminal = Terminal(None, io.StringIO(), screen, {"TERM": "xterm", "COLUMNS": "100"})
    listener = importing.listener_of(SimpleNamespace(terminal=terminal))  # type: ignore[arg-type]

    def show(seconds: float, phase: str, done: int, total: int | None) -> str:
        now[0] = 100.0 + seconds
        screen.seek(0)
        screen.truncate()
        listener.on_progress(phase, done, total)
        return screen.getvalue().removeprefix("\r\x1b[K")

    return show


def test_reading_shows_rows_and_their_speed(shown: Any) -> None:
    assert shown(0.1, "reading", 50_000, None) == ""
    assert shown(0.5, "reading", 100_000, None) == "reading 100,000 rows, 200,000/s"


def test_a_phase_counts_from_when_the_one_before_was_last_heard_of(shown: Any) -> None:
    shown(10, "reading", 50_000, None)
    assert shown(12, "applying", 20_000, 100_000) == "applying 20,000 of 100,000 rows (20 %), 10,000/s, 8 s left"


def test_rows_that_were_in_already_do_not_shorten_the_time_that_is_left(shown: Any) -> None:
    for second in range(1, 4):  # what is in: 100,000 a second
        shown(second, "applying", second * 100_000, 1_000_000)
    for second in range(4, 20):  # the rest: 10,000 a second
        line = shown(second, "applying", 300_000 + (second - 3) * 10_000, 1_000_000)
    assert line == "applying 460,000 of 1,000,000 rows (46 %), 10,000/s, 54 s left"


def test_before_anything_is_done_nothing_is_said_of_the_rest(shown: Any) -> None:
    assert shown(1, "applying", 0, 1_000_000) == "applying 0 of 1,000,000 rows (0 %)"
