"""What surrounds every test: an empty home, no network beyond loopback, a clock that stands still, no silent skips.

Two ways to run the product: `rpctl` calls the command line inside this process, with streams and a clock of the
test's own; `shell` runs the installed program under bash, as a customer's script would.
"""

from __future__ import annotations

import io
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from pytest_socket import socket_allow_hosts

from rpctl.cli.app import run
from rpctl.cli.services import Session
from rpctl.domain.values import Instant, parse_instant
from rpctl.terminal import Terminal

NO_SKIP: Final = "RPCTL_TEST_NO_SKIP"
"""Set to 1 where everything must be tested: a skipped test fails there."""

MARCH: Final = parse_instant("2026-03-01T12:00:00Z")
LOOPBACK: Final = ["127.0.0.1", "::1"]
MEMORY: Final = Path("/dev/shm")
"""A folder whose files are in memory, on Linux."""

ROOM_BYTES: Final = 2 * 1024**3
"""As much as there must be free in it; the tests of one run use a tenth of that."""

_FOREIGN: Final = ("RPCTL_", "XDG_")
_NO_SKIPS: Final = os.environ.get(NO_SKIP) == "1"  # read now: tests see no RPCTL_* of the outside
_TERMINAL: Final = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM", "PYTHONBREAKPOINT")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--golden-write``: what the program prints now becomes what it is to print (stories and golden files)."""
    parser.addoption("--golden-write", action="store_true", help="write stories and golden files anew")


def pytest_configure(config: pytest.Config) -> None:
    """The tests' folders are in memory where there is room: nobody cuts the power here, and waiting for a disk to have
    every change takes a third of the time. ``--basetemp`` or ``PYTEST_DEBUG_TEMPROOT`` name another place."""
    if config.option.basetemp is None and _is_roomy(MEMORY):
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def _is_roomy(folder: Path) -> bool:
    """Whether files may be made there, run, and take what the tests need."""
    if not os.access(folder, os.W_OK | os.X_OK):
        return False
    system = os.statvfs(folder)
    return system.f_bavail * system.f_frsize > ROOM_BYTES and not system.f_flag & os.ST_NOEXEC


# -- the surroundings -------------------------------------------------------------------------------------


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home directory, with the XDG directories in it and nothing else of the outside environment."""
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name in _TERMINAL:
            monkeypatch.delenv(name)
    homes = tmp_path_factory.getbasetemp() / "homes"
    homes.mkdir(exist_ok=True)
    home = Path(tempfile.mkdtemp(dir=homes))  # mktemp would look at all there are for the next number
    monkeypatch.setenv("HOME", str(home))
    for name, folder in (("CONFIG", ".config"), ("DATA", ".local/share"), ("STATE", ".local/state")):
        monkeypatch.setenv(f"XDG_{name}_HOME", str(home / folder))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / ".cache"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")  # never the developer's own
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    return home


@pytest.fixture(autouse=True)
def _loopback_only() -> None:
    """No test reaches the network by accident."""
    socket_allow_hosts(LOOPBACK, allow_unix_socket=True)


def _not_skipped(report: pytest.TestReport | pytest.CollectReport) -> None:
    if _NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        why = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid} must not be skipped here ({NO_SKIP}=1): {why}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skip into a failure where nothing may be skipped."""
    report = yield
    _not_skipped(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a module that skips itself."""
    report = yield
    _not_skipped(report)
    return report


# -- the command line inside this process -----------------------------------------------------------------


class Ended(NamedTuple):
    """How a command ended."""

    status: int
    out: str
    err: str


class _Stream(io.TextIOWrapper):
    """Text over bytes in memory, as the process's own streams are; ``terminal`` is what it says of itself."""

    def __init__(self, text: str = "", *, terminal: bool) -> None:
        super().__init__(io.BytesIO(text.encode()), encoding="utf-8", newline="\n", write_through=True)
        self._terminal = terminal

    def isatty(self) -> bool:
        return self._terminal

    def text(self) -> str:
        buffer = self.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode()


class CommandLine:
    """rpctl in this process: `CommandLine(...)("points", "balance", "C1")`.

    ``now`` is the clock; ``slept`` are the seconds that would have been waited; random bytes come from a seed, so that
    keys and run ids are the same in every run.
    """

    def __init__(self, environ: Mapping[str, str], seed: int | str = 4711) -> None:
        self.environ = dict(environ)
        self.now: Instant = MARCH
        self.slept: list[float] = []
        self._random = random.Random(seed)

    def __call__(self, *argv: str, stdin: str = "", tty: bool = False, piped: bool = False, **environ: str) -> Ended:
        """Runs one command line. ``tty``: all three streams are terminals, but for a ``piped`` stdout;
        ``environ``: variables besides those of this test."""
        reader, out, err = _Stream(stdin, terminal=tty), _Stream(terminal=tty and not piped), _Stream(terminal=tty)
        surroundings = {**self.environ, **environ}
        session = Session(
            Terminal(reader, out, err, surroundings),
            surroundings,
            clock=lambda: self.now,
            who=lambda: "tester",
            random_bytes=self._random.randbytes,
            sleep=self.slept.append,
        )
        return Ended(run(argv, session), out.text(), err.text())

    def at(self, when: str) -> None:
        """Sets the clock."""
        self.now = parse_instant(when)

    def ok(self, *argv: str, **how: str) -> str:
        """Runs a command that must succeed and returns its stdout."""
        ended = self(*argv, **how)
        assert ended.status == 0, ended
        return ended.out


@pytest.fixture
def rpctl(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CommandLine:
    """The command line in this process; relative paths are in the test's own folder."""
    monkeypatch.chdir(tmp_path)
    return CommandLine({"HOME": str(home)})


@pytest.fixture
def command_line(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., CommandLine]:
    """Makes command lines with homes and variables of their own: several machines in one test."""
    monkeypatch.chdir(tmp_path)

    def made(machine: str = "", **environ: str) -> CommandLine:
        return CommandLine({"HOME": str(home / machine), **environ}, machine or 4711)

    return made


# -- the installed program under bash ---------------------------------------------------------------------


@pytest.fixture
def shell(home: Path, tmp_path: Path) -> Callable[..., Ended]:
    """Runs a line of bash with the installed rpctl on PATH, in the test's own folder."""
    environ = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "TERM": "dumb"}

    def run_line(line: str, *, stdin: str | None = None, **more: str) -> Ended:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=tmp_path,
            env={**environ, **more},
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    return run_line


# -- servers that behave as they are told -----------------------------------------------------------------


@pytest.fixture
def serve() -> Iterator[Callable[..., Any]]:
    """Starts servers (``servers.py``) that end with the test."""
    from servers import Server

    started: list[Server] = []

    def start(behave: Any, **more: Any) -> Server:
        started.append(Server(behave, **more))
        return started[-1]

    yield start
    for server in started:
        server.close()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A certificate that nobody has signed but its owner."""
    from servers import self_signed

    return self_signed(tmp_path_factory.mktemp("certificate"))
