"""A machine of one's own for a test: an empty home, a working folder, a clean environment, and the installed
``rpctl`` run in it as a process: all that a test is about. What it begins with and what it looks at in the end may be
run in the test's own process, which takes a tenth of the time."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import select
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import chdir, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rpctl.cli.app import run
from rpctl.cli.services import Session
from rpctl.terminal import Terminal

RPCTL: Final = Path(sys.executable).with_name("rpctl")
PATIENCE_S: Final = 90.0
"""How long a command may take before the test calls it hung."""


@dataclass(frozen=True, slots=True)
class Done:
    """A command that has ended: its exit status (negative: the signal that killed it) and what it said."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    @property
    def document(self) -> Any:
        return json.loads(self.stdout)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def error(self) -> dict[str, Any]:
        """The error object that ends stderr with ``-o json``."""
        error: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return error

    def ok(self) -> Done:
        """Itself, if it succeeded."""
        assert (self.status, "Traceback" in self.err) == (0, False), self.err
        return self


def refusal(done: Done, status: int) -> str:
    """The error's sentence, after the checks that hold for every refusal: the exit status, nothing on stdout, and
    last on stderr one line that says what happened and one that says what to do."""
    assert (status, "") == (done.status, done.out), done.err
    said = [line for line in done.err.splitlines() if not line.startswith("note: ")]
    assert [line.partition(" ")[0] + " " for line in said] == ["error: ", "hint: "], done.err
    assert len(said[1]) > len("hint: "), done.err
    return said[0].removeprefix("error: ")


class Machine:
    """One home and one working folder below ``root``."""

    def __init__(self, root: Path) -> None:
        self.home = root / "home"
        self.work = root / "work"
        self.home.mkdir()
        self.work.mkdir()
        self.environ = {
            "HOME": str(self.home),
            "PATH": f"{RPCTL.parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
        }

    @property
    def ledger(self) -> Path:
        """Where the ledger is that nobody named."""
        return self.home / ".local/share/rpctl/ledger.db"

    def start(
        self,
        words: Sequence[str | bytes | Path],
        *,
        stdin: int | Any = subprocess.DEVNULL,
        stdout: int | Any = subprocess.PIPE,
        stderr: int | Any = subprocess.PIPE,
        environ: Mapping[str, str] | None = None,
        **more: Any,
    ) -> subprocess.Popen[bytes]:
        """A process, started and left to itself."""
        surroundings = {**self.environ, **(environ or {})}
        return subprocess.Popen(
            list(words), stdin=stdin, stdout=stdout, stderr=stderr, env=surroundings, cwd=self.work, **more
        )

    def run(
        self,
        *words: str | bytes | Path,
        prefix: Sequence[str] = (),
        stdin: str | bytes = b"",
        environ: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Done:
        """``rpctl`` with these words, to its end; ``environ`` is added to the usual one."""
        process = self.start([*prefix, RPCTL, *words], stdin=subprocess.PIPE, environ=environ, **more)
        return finish(process, stdin.encode() if isinstance(stdin, str) else stdin)

    def here(self, *words: str | bytes | Path, stdin: bytes = b"") -> Done:
        """The same in this process, on a ledger. Not while the test itself holds a lock on that ledger: the locks of
        a process end with the first descriptor of the file that it closes."""
        contents = [io.BytesIO(stdin), io.BytesIO(), io.BytesIO()]
        streams = [io.TextIOWrapper(one, "utf-8", newline="\n", write_through=True) for one in contents]
        with chdir(self.work):
            status = run([os.fsdecode(word) for word in words], Session(Terminal(*streams, self.environ), self.environ))
        return Done(status, *(one.getvalue() for one in contents[1:]))

    def shell(self, script: str, *, environ: Mapping[str, str] | None = None) -> Done:
        """A bash script that finds ``rpctl`` on its path."""
        return finish(self.start(["bash", "-c", script], environ=environ))

    def file(self, name: str, content: str | bytes) -> Path:
        """A file in the working folder."""
        path = self.work / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def csv(self, name: str, rows: Iterable[str], header: str = "customer_id,points") -> Path:
        """A CSV file in the working folder."""
        return self.file(name, "\n".join([header, *rows]) + "\n")

    # -- what is in the ledger -------------------------------------------------------------------------

    def export(self, *where: str) -> str:
        """Every entry there is."""
        return self.here("ledger", "export", "-o", "jsonl", *where).ok().out

    def balance(self, customer: str, *where: str) -> int:
        return int(self.here("points", "balance", *where, "--", customer).ok().out)

    def balances(self, *where: str) -> dict[str, int]:
        """Everybody's active points."""
        found = self.here("customer", "list", "-o", "json", *where).ok().document
        return {one["customerId"]: one["activePoints"] for one in found}

    def verified(self, *where: str) -> int:
        """How many entries there are, once everything was found to hold."""
        document = self.here("ledger", "verify", "-o", "json", *where).ok().document
        assert document["problems"] == []
        return int(document["entries"])

    # -- terminals -------------------------------------------------------------------------------------

    def on_terminal(
        self,
        *words: str,
        columns: int = 100,
        environ: Mapping[str, str] | None = None,
        talk: Callable[[Conversation], None] = lambda conversation: None,
    ) -> Done:
        """``rpctl`` with all three streams on a terminal of its own; ``talk`` may type. What is shown is in
        ``stdout``, with the terminal's line ends taken back."""
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        process = self.start(
            [RPCTL, *words],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            environ=environ,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        conversation = Conversation(ours)
        try:
            talk(conversation)
            conversation.until_end()
            return Done(process.wait(PATIENCE_S), conversation.seen.replace(b"\r\n", b"\n"), b"")
        finally:
            stop(process)
            os.close(ours)


class Conversation:
    """The person's end of a terminal."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.seen = b""

    def wait_for(self, text: str) -> None:
        """Reads until that is shown."""
        while text.encode() not in self.seen:
            assert self._read(), f"{text!r} was not shown, but {self.seen!r}"

    def type(self, text: str) -> None:
        os.write(self._descriptor, text.encode())

    def until_end(self) -> None:
        """Reads until the other side is closed."""
        while self._read():
            pass

    def _read(self) -> bool:
        ready, _, _ = select.select([self._descriptor], [], [], PATIENCE_S)
        assert ready, f"nothing more was shown after {self.seen!r}"
        try:
            some = os.read(self._descriptor, 65_536)
        except OSError:  # Linux's way of saying that nobody has the terminal open any more
            return False
        self.seen += some
        return bool(some)


def finish(process: subprocess.Popen[bytes], stdin: bytes | None = None) -> Done:
    """The process's end."""
    try:
        out, err = process.communicate(stdin, timeout=PATIENCE_S)
    finally:
        stop(process)
    return Done(process.returncode, out or b"", err or b"")


def stop(process: subprocess.Popen[bytes]) -> None:
    """Leaves no process behind, whatever happened."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
        process.wait()


def wait_until(what: Callable[[], object], every_s: float = 0.005) -> None:
    """Returns when it holds."""
    deadline = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(every_s)


@contextmanager
def write_lock(ledger: Path) -> Iterator[None]:
    """Holds the ledger's write lock, as another program might: whoever writes has to wait."""
    with closing(sqlite3.connect(ledger, timeout=PATIENCE_S, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("ROLLBACK")


def entries(ledger: Path) -> int:
    """How many entries there are, asked of the database itself."""
    with closing(sqlite3.connect(ledger, timeout=PATIENCE_S)) as connection:
        return int(connection.execute("SELECT count(*) FROM entries").fetchone()[0])


def has_open(process: subprocess.Popen[bytes], path: Path) -> bool:
    """Whether the process has that file open."""
    for link in Path(f"/proc/{process.pid}/fd").iterdir():
        try:
            if os.readlink(link) == str(path):  # noqa: PTH115 - a descriptor's target is no path to be resolved
                return True
        except OSError:
            continue
    return False


def tool(name: str, package: str) -> str:
    """The path of a program, or a skip that names its Debian package."""
    import pytest

    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is missing; it is in the Debian package {package}")
    return found
