"""Streams, terminals, colour, width, prompts, and the cleaning of foreign text.

The only module that writes: data goes to stdout through `Terminal.write`, talk to stderr through the others.
"""

from __future__ import annotations

import codecs
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final, TextIO

from rpctl.errors import OutputLost

_CONTROL: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff]"
)
_BREAKS: Final = re.compile("[\x00-\x1f]")
_NAMED: Final = {"\n": "\\n", "\t": "\\t", "\r": "\\r"}


def clean(text: str) -> str:
    """Foreign text made harmless for a terminal: control, escape, bidi and invisible characters become visible
    escapes; line breaks and tabs too, so that a cell stays in its line."""
    if text.isprintable():
        return text
    text = _CONTROL.sub(_escaped, text)
    return _BREAKS.sub(_escaped, text)


def clean_json(text: str) -> str:
    """JSON text with the characters that could harm a terminal as ``\\u`` escapes: the same document."""
    if text.isprintable():
        return text
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    number = ord(character)
    return _NAMED.get(character) or (f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}")


def _unencodable(error: UnicodeError) -> tuple[str, int]:
    """What a stream's encoding lacks as ``\\u`` escapes, which JSON understands too."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    pairs = (units[at : at + 2].hex() for at in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), error.end


@contextmanager
def _echo_off(stream: TextIO) -> Iterator[None]:
    import termios

    try:
        descriptor = stream.fileno()
        before = termios.tcgetattr(descriptor)
    except (OSError, ValueError, termios.error):
        yield  # no terminal of the system's, and nothing that echoes
        return
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    try:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSAFLUSH, before)


class Terminal:
    """The three streams of a command and what is known of them.

    ``quiet`` drops notes; ``color`` is None (decide by the environment and the stream), True or False.
    """

    def __init__(self, stdin: TextIO | None, stdout: TextIO, stderr: TextIO, environ: Mapping[str, str]) -> None:
        self.stdin = stdin
        self.stdout = stdout
        self.stderr = stderr
        self.environ = environ
        self.quiet = False
        self.color: bool | None = None
        self._progress = False

    @classmethod
    def of_process(cls) -> Terminal:
        """This process's own streams; UTF-8 text that the stream's encoding lacks is escaped, never an error."""
        codecs.register_error("rpctl.escape", _unencodable)
        stdout = sys.stdout if sys.stdout is not None else open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        stderr = sys.stderr if sys.stderr is not None else open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
        for stream in (stdout, stderr):
            stream.reconfigure(errors="rpctl.escape")  # type: ignore[union-attr]
        return cls(sys.stdin, stdout, stderr, os.environ)

    # -- what the streams are --------------------------------------------------------------------------

    @property
    def out_is_terminal(self) -> bool:
        """Whether a person reads stdout."""
        return self.stdout.isatty()

    @property
    def err_is_terminal(self) -> bool:
        """Whether a person reads stderr."""
        return self.stderr.isatty()

    @property
    def can_ask(self) -> bool:
        """Whether someone can be asked: a terminal on stdin and stderr."""
        return self.stdin is not None and self.stdin.isatty() and self.err_is_terminal

    def colors(self, stream: TextIO) -> bool:
        """Whether to colour: ``--no-color``, NO_COLOR, FORCE_COLOR, TERM=dumb, not a terminal, in this order."""
        if self.color is not None:
            return self.color
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("FORCE_COLOR"):
            return True
        return self.environ.get("TERM") != "dumb" and stream.isatty()

    @property
    def width(self) -> int:
        """Columns of the terminal; 80 where nobody knows."""
        columns = self.environ.get("COLUMNS", "")
        if columns.isdecimal() and len(columns) < 6 and int(columns) > 0:
            return int(columns)
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns or 80
        except (OSError, ValueError):
            return 80

    # -- data ------------------------------------------------------------------------------------------

    def write(self, text: str) -> None:
        """Data, as it is. Raises BrokenPipeError where the reader went away, `OutputLost` where there is no room."""
        self._end_progress()
        with self._kept():
            self.stdout.write(text)

    def flush(self) -> None:
        """Everything written so far leaves. Raises as `write` does."""
        with self._kept():
            self.stdout.flush()

    def abandon(self) -> None:
        """Nobody takes what is written: nothing more is, not even at exit."""
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self.stdout.fileno())
        os.close(null)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            self.abandon()
            raise OutputLost(f"Standard output cannot be written: {os.strerror(error.errno or 0)}.") from error

    # -- talk ------------------------------------------------------------------------------------------

    def note(self, text: str) -> None:
        """Something worth knowing; dropped by ``--quiet``."""
        if not self.quiet:
            self._say("note: ", "2", text)

    def trace(self, text: str) -> None:
        """What is done, for who asked to see it; ``--quiet`` does not take it back."""
        self._say("trace: ", "2", text)

    def warn(self, text: str) -> None:
        """Something to look at; never dropped."""
        self._say("warning: ", "33", text)

    def error(self, message: str, hint: str | None = None) -> None:
        """What happened, and what to do."""
        self._say("error: ", "31;1", message)
        if hint:
            self._say("hint: ", "36", hint)

    def say_raw(self, text: str) -> None:
        """A line of stderr as it is: a machine's error object, or a traceback that was asked for."""
        self._end_progress()
        self._err(text + "\n")

    def progress(self, text: str) -> None:
        """A line that the next one overwrites; only where a person reads stderr."""
        if self.err_is_terminal and not self.quiet and self.environ.get("TERM") != "dumb":
            self._err(f"\r\x1b[K{clean(text)[: self.width - 1]}")
            self.stderr.flush()
            self._progress = True

    def ask(self, question: str) -> str:
        """What a person types in answer. Only where `can_ask`; an end of input answers nothing."""
        self._end_progress()
        self._err(clean(question) + " ")
        self.stderr.flush()
        if self.stdin is None:
            return ""
        line = self.stdin.readline()
        if not line.endswith("\n"):
            self._err("\n")
        return line.strip()

    def ask_secret(self, question: str) -> str:
        """The same for what nobody may see on the screen: typed without echo, returned as it is."""
        self._end_progress()
        if self.stdin is None:
            return ""
        with _echo_off(self.stdin):  # first of all, for what is typed until then is thrown away
            self._err(clean(question) + " ")
            self.stderr.flush()
            line = self.stdin.readline()
        self._err("\n")
        return line.rstrip("\r\n")

    def _say(self, label: str, style: str, text: str) -> None:
        self._end_progress()
        if self.colors(self.stderr):
            label = f"\x1b[{style}m{label}\x1b[0m"
        self._err(label + clean(text) + "\n")

    def _end_progress(self) -> None:
        if self._progress:
            self._err("\r\x1b[K")
            self._progress = False

    def _err(self, text: str) -> None:
        try:
            self.stderr.write(text)
        except (OSError, ValueError):
            return  # nobody listens, or the log's disk is full; the exit status still tells
