"""Builds what a command asks for, when it asks: settings, backend, format, consent. Heavy rooms load here only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rpctl import __version__
from rpctl.errors import ConsentMissing, InvalidValue, ReadOnlyProfile, RpctlError
from rpctl.render.output import Format
from rpctl.render.views import check_field
from rpctl.terminal import Terminal

if TYPE_CHECKING:
    from rpctl.backends.ledger.backend import LedgerBackend
    from rpctl.config.settings import Settings
    from rpctl.domain.changes import Change
    from rpctl.domain.values import Instant
    from rpctl.render.views import View


def system_clock() -> Instant:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


class Session:
    """One command line's surroundings. ``flags`` are the common options as typed, by name."""

    def __init__(
        self,
        terminal: Terminal,
        environ: Mapping[str, str],
        clock: Callable[[], Instant] = system_clock,
        who: Callable[[], str] | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.terminal = terminal
        self.environ = environ
        self.clock = clock
        self.random_bytes = random_bytes
        self.flags: dict[str, Any] = {}
        self.fresh_key: str | None = None
        self.repeat_hint: str | None = None  # what to do after an end in the middle, where it is not the same again
        self._who = who or _os_user
        self._backend: LedgerBackend | None = None

    def take(self, flag: str, value: Any) -> None:
        """One common option as typed."""
        self.flags[flag] = value
        if flag == "quiet":
            self.terminal.quiet = True
        elif flag == "no_color":
            self.terminal.color = False

    # -- settings --------------------------------------------------------------------------------------

    @cached_property
    def settings(self) -> Settings:
        """What is in force, by flags, environment, profile and defaults. Raises `InvalidConfig` and others."""
        from rpctl.config.settings import resolve

        return resolve(self.flags, self.environ)

    @property
    def zone(self) -> tzinfo:
        """The time zone of dates without one."""
        return self.settings.zone()

    @cached_property
    def format(self) -> Format:
        """How the answer is shown. Raises `InvalidValue`."""
        name = self.settings.output or ("table" if self.terminal.out_is_terminal else "tsv")
        fields = self.flags.get("fields")
        names = None if fields is None else [field.strip() for field in fields.split(",") if field.strip()]
        if names == []:
            raise InvalidValue("--fields names no field.")
        return Format(name, names, not self.flags.get("no_header"), bool(self.flags.get("raw_csv")))

    def wants_json(self, argv: Sequence[str]) -> bool:
        """Whether an error is shown as JSON, even one that came before the options were understood."""
        name = self.flags.get("output") or self.environ.get("RPCTL_OUTPUT")
        for at, word in enumerate(argv):
            if word in ("-o", "--output") and at + 1 < len(argv):
                name = argv[at + 1]
            elif word.startswith("--output=") or (
                word.startswith("-o") and not word.startswith("--") and len(word) > 2
            ):
                name = word.partition("=")[2] if "=" in word else word[2:]
        return name in ("json", "jsonl")

    # -- backend ---------------------------------------------------------------------------------------

    @property
    def backend(self) -> LedgerBackend:
        """The backend of the profile in force, for reading."""
        if self._backend is None:
            from rpctl.backends import open_backend

            if self.flags.get("verbose"):
                self._say_where()

            self._backend = open_backend(
                self.settings, clock=self.clock, who=self._who(), version=__version__, random_bytes=self.random_bytes
            )
        return self._backend

    def writing(self, fields: Sequence[str] | None = None) -> LedgerBackend:
        """The backend for a command that changes something and shows ``fields`` of it (None: an entry's).

        Raises what would spoil the answer afterwards, and `ReadOnlyProfile`, before anything is changed.
        """
        if self.settings.read_only:
            raise ReadOnlyProfile(f"{self.whose} is read-only.")
        self.check_fields(fields)
        return self.backend

    def check_fields(self, fields: Sequence[str] | None = None) -> None:
        """That ``--fields`` names only these (None: an entry's). Raises `InvalidValue`."""
        if self.format.fields:
            from rpctl.render.points import WRITTEN_FIELDS

            for field in self.format.fields:
                check_field(field, WRITTEN_FIELDS if fields is None else fields)

    @property
    def whose(self) -> str:
        """The profile or the ledger, as a person would call it."""
        return f"Profile {self.settings.profile}" if self.settings.profile else f"The ledger {self.settings.ledger}"

    def _say_where(self) -> None:
        settings = self.settings
        for name in ("profile", "ledger", "site", "time_zone"):
            self.terminal.note(f"{name} {getattr(settings, name) or 'none'} (from {settings.sources[name]})")

    def close(self) -> None:
        """Lets go of what is open."""
        if self._backend:
            self._backend.close()

    # -- changes ---------------------------------------------------------------------------------------

    def key(self, given: str | None) -> str:
        """The key that was given, or a fresh one. Raises `InvalidValue`."""
        from rpctl.domain.values import parse_id

        if given is not None:
            return parse_id(given, "key")
        self.fresh_key = self.random_bytes(12).hex()
        return self.fresh_key

    def apply(self, change: Change, *, key_given: bool) -> View:
        """Applies one change and shows its entry, with the notes that belong to it. Raises what refused it."""
        from rpctl.domain.outcomes import AlreadyApplied, Applied, Refused
        from rpctl.render.points import written_entry

        outcome = self.writing().apply([change])[0]
        if isinstance(outcome, Refused):
            raise outcome.error
        if isinstance(outcome, AlreadyApplied):
            self.terminal.note(f"key {change.key} is in already; nothing changed")
        elif isinstance(outcome, Applied):
            if not key_given:
                self.terminal.note(f"key {change.key}")
            if outcome.created_customer and getattr(change, "customers", None) != "new":
                self.terminal.note(f"customer {change.customer_id} is new")
            if outcome.expired_on_arrival:
                self.terminal.note("these points are past their validity already")
            if outcome.short:
                self.terminal.note(f"{outcome.points} points were left to reverse; {outcome.short} are spent")
        entry = getattr(outcome, "entry", None)
        if entry is None:
            raise RpctlError(f"The outcome of key {change.key} is {outcome}.")
        code = getattr(entry, "coupon_code", None)
        return written_entry(entry, code=code) if code else written_entry(entry)

    # -- consent ---------------------------------------------------------------------------------------

    def consent(self, question: str, *, yes: bool, command: str, answer: str = "yes") -> None:
        """Asks before something that cannot be taken back; ``command`` is what would go through unasked.

        Raises `ConsentMissing` where nobody can be asked or the answer is another one.
        """
        if yes:
            return
        if self.settings.no_input or not self.terminal.can_ask:
            raise ConsentMissing(f"{question} Nobody can be asked here.", f"If that is meant: {command}")
        production = " (production)" if self.settings.production else ""
        if self.terminal.ask(f"{question}{production} Type {answer} to go on:") != answer:
            raise ConsentMissing("Nothing was done.", "")

    def command(self, *words: str, arguments: Sequence[str] = ()) -> str:
        """A command line that would go through, with the options that say where; ``arguments`` are those that
        someone else chose and that may begin with a hyphen."""
        from shlex import quote

        where = [f"--{name}={self.flags[name]}" for name in ("profile", "ledger") if name in self.flags]
        where += ["--offline"] * bool(self.flags.get("offline"))
        last = ["--", *arguments] if any(word.startswith("-") for word in arguments) else arguments
        return " ".join(map(quote, ("rpctl", *words, *where, *last)))

    # -- the log ---------------------------------------------------------------------------------------

    def log(self, text: str) -> Path | None:
        """Appends to the log in the state directory; its path, or None where it cannot be written."""
        from rpctl.config.paths import log_file

        try:
            path = log_file(self.environ)
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} rpctl {__version__}\n{text}\n")
        except (OSError, RpctlError):
            return None
        return path


def _os_user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
