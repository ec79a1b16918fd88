"""Builds what a command asks for, when it asks: settings, backend, format, consent. Heavy rooms load here only."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from rpctl import __version__
from rpctl.errors import (
    ConsentMissing,
    InvalidValue,
    ReadOnlyProfile,
    RpctlError,
    UnsupportedOperation,
)
from rpctl.render.output import Format
from rpctl.render.views import check_field
from rpctl.terminal import Terminal

if TYPE_CHECKING:
    from rpctl.auth.credentials import Credentials
    from rpctl.backends import Connection, Online
    from rpctl.backends.http import Http
    from rpctl.backends.ledger.backend import LedgerBackend, Setting
    from rpctl.backends.port import Applies, Backend, ImportRuns, UndoableRuns, Writes
    from rpctl.config.settings import Settings
    from rpctl.delivery.bulk import Bulk
    from rpctl.delivery.deliver import Deliverer
    from rpctl.delivery.journal import Journal
    from rpctl.delivery.runs import JournalRuns
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.changes import Change
    from rpctl.domain.values import Instant
    from rpctl.importing.options import ImportOptions
    from rpctl.render.views import View
    from rpctl.sync.book import OfflineBook
    from rpctl.sync.runs import OfflineRuns


def system_clock() -> Instant:
    """Now, in milliseconds since 1970."""
    return time.time_ns() // 1_000_000


def machine_ticks() -> tuple[str, int]:
    """Which start of this machine it is, and for how many milliseconds it runs, its sleep included; nothing where the
    system does not tell."""
    try:
        started = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return started, time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000
    except (OSError, AttributeError, ValueError):
        return "", 0


class Session:
    """One command line's surroundings. ``flags`` are the common options as typed, by name."""

    def __init__(
        self,
        terminal: Terminal,
        environ: Mapping[str, str],
        clock: Callable[[], Instant] = system_clock,
        who: Callable[[], str] | None = None,
        random_bytes: Callable[[int], bytes] = os.urandom,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.terminal = terminal
        self.environ = environ
        self.clock = clock
        self.random_bytes = random_bytes
        self.sleep = sleep
        self.argv: Sequence[str] = ()
        self.path = "rpctl"  # and the noun and verb that were understood
        self.flags: dict[str, Any] = {}
        self.fresh_key: str | None = None
        self.repeat_hint: str | None = None  # what to do after an end in the middle, where it is not the same again
        self._who = who or _os_user
        self._backend: LedgerBackend | Online | OfflineBook | None = None
        self._journal: Journal | None = None
        self._bulk: Bulk | None = None

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
    def backend(self) -> Backend:
        """The backend of the profile in force, for reading. Raises `UsageError` where it may be another than meant."""
        return self._opened()

    @property
    def ledger(self) -> LedgerBackend:
        """The local ledger, for what only a ledger has. Raises `UnsupportedOperation` where the profile is online."""
        from rpctl.backends.ledger.backend import LedgerBackend

        if self.settings.records_offline:
            return self.own_ledger
        backend = self._opened()
        if not isinstance(backend, LedgerBackend):
            raise UnsupportedOperation(
                f"`{self.path}` works on a local ledger, and {_inside(self.whose)} works on a service.",
                "--offline works on the profile's own ledger; another profile or --offline --ledger FILE on another.",
            )
        return backend

    @cached_property
    def own_ledger(self) -> LedgerBackend:
        """The ledger file of a profile with a service: what was recorded offline is in it, and what was last known of
        the service. Made when it is first written."""
        from rpctl.backends.ledger.backend import LedgerBackend

        return LedgerBackend(self.settings.ledger, self._setting())

    @property
    def target(self) -> str:
        """Whose books the profile's service is asked for. Raises as `Settings.online` does."""
        from rpctl.backends.port import target_of

        service = self.settings.online()
        return target_of(service.url, service.tenant)

    @cached_property
    def offline_book(self) -> OfflineBook:
        """The service's books while it is out of reach."""
        from rpctl.backends import rules_of
        from rpctl.sync.book import OfflineBook

        return OfflineBook(self.own_ledger, self.target, rules_of(self.settings), self.journal(self.target))

    @property
    def runs(self) -> LedgerBackend | JournalRuns | OfflineRuns:
        """Where import runs are recorded: the ledger, or what was sent to the profile's service or is to be, which is
        not asked. Raises `UsageError`, `InvalidConfig`."""
        self.settings.check_world()
        if self.settings.records_offline:
            from rpctl.sync.runs import OfflineRuns

            return OfflineRuns(self.own_ledger, self.target)
        if not self.settings.is_online:
            return self.ledger
        from rpctl.delivery.runs import JournalRuns

        return JournalRuns(self.journal(self.target))

    @property
    def importing_runs(self) -> ImportRuns:
        """The same for an import: what was recorded the other way, offline or online, is known to it too, so that no
        row of a file that grew counts twice."""
        runs = self.runs
        settings = self.settings
        if not (settings.records_offline or (settings.is_online and settings.ledger.exists())):
            return runs
        from rpctl.delivery.runs import JournalRuns
        from rpctl.sync.runs import OfflineRuns, RunsBeside

        if settings.records_offline:
            return RunsBeside(runs, JournalRuns(self.journal(self.target)))
        return RunsBeside(runs, OfflineRuns(self.own_ledger, self.target))

    @property
    def capabilities(self) -> frozenset[str]:
        """What can be done in the world that the command works in; nothing is opened."""
        from rpctl.backends import capabilities_of

        return capabilities_of(self.settings)

    def _check_command(self) -> None:
        """That the service has what the command needs. Raises `UnsupportedOperation`."""
        from rpctl.cli.worlds import check_command

        check_command(self)

    def _opened(self) -> LedgerBackend | Online | OfflineBook:
        if self._backend is None:
            from rpctl.backends import open_backend

            self.settings.check_world()
            if self.settings.is_online or self.settings.records_offline:
                self._check_command()
            if self.flags.get("verbose") and not self.settings.is_online:
                self._say_where()
            if self.settings.records_offline:
                from rpctl.cli.syncing import say_how_old

                self._backend = self.offline_book
                say_how_old(self)
            else:
                self._backend = open_backend(self.settings, self._setting, self.connect)
        return self._backend

    @property
    def book(self) -> LedgerBackend | OfflineBook:
        """Where changes of points are recorded on this machine. Raises as `ledger` does."""
        backend = self._opened()
        return cast("OfflineBook", backend) if self.settings.records_offline else self.ledger

    def _setting(self) -> Setting:
        from rpctl.backends.ledger.backend import Setting

        return Setting(self.clock, self._who(), __version__, self.random_bytes)

    def writing(self, fields: Sequence[str] | None = None) -> Writes:
        """Where to write what is no change of points, for a command that shows ``fields`` of it (None: an entry's).
        Raises as `check_writable` does."""
        self.check_writable(fields)
        if self.settings.records_offline:
            self._refuse_offline()
        if not self.settings.is_online:
            return self.ledger
        from rpctl.delivery.settle import Settling

        points = self.deliverer
        if self.settings.ledger.exists():
            from rpctl.cli.remembering import Remembering

            return Settling(self._service, self.surroundings, self._new_id, Remembering(self, points))
        return Settling(self._service, self.surroundings, self._new_id, points)

    def _new_id(self) -> str:
        return self.random_bytes(12).hex()

    def writing_ledger(self, fields: Sequence[str] | None = None) -> LedgerBackend:
        """The local ledger, for a command that changes something only a ledger has; as `writing` and `ledger`."""
        self.check_writable(fields)
        if self.settings.records_offline:
            self._refuse_offline()
        return self.ledger

    def _refuse_offline(self) -> NoReturn:
        raise UnsupportedOperation(
            f"`{self.path}` cannot be done offline: {_inside(self.whose)} works on a service, and only changes of "
            "points are recorded to be sent later.",
            "Do it without --offline when the service can be reached; --ledger FILE works on a ledger of its own.",
        )

    def check_writable(self, fields: Sequence[str] | None) -> None:
        """That something may be changed, and what is asked to be shown of it can be: ``fields`` as in `writing`.
        Raises what would spoil the answer afterwards, and `ReadOnlyProfile`."""
        if self.settings.read_only:
            raise ReadOnlyProfile(f"{self.whose} is read-only.")
        self.check_fields(fields)

    # -- the service -----------------------------------------------------------------------------------

    def connect(self) -> Connection:
        """The way to the profile's service. Raises `UnsupportedOperation` where commands work on a ledger,
        `UsageError`, `InvalidConfig`."""
        from rpctl.backends import Connection

        self.settings.check_world()
        if self.settings.records_offline:
            self._refuse_offline()
        if not self.settings.is_online:
            raise UnsupportedOperation(
                f"`{self.path}` works on a service, and {_inside(self.whose)} works on a local ledger.",
                "`rpctl profile create NAME --backend emporix --tenant TENANT --client-id ID` makes a profile for one.",
            )
        self._check_command()
        if self.flags.get("verbose") and self._backend is None:
            self._say_where()
        return Connection(self.http, self.credentials, self.settings.online().tenant)

    @cached_property
    def http(self) -> Http:
        """The client of the profile's service; -v traces its requests."""
        from rpctl.backends.http import Http, Waiting

        service = self.settings.online()
        headers = {"Emporix-Tenant": service.tenant} if self.settings.has_tenants else {}
        headers |= {
            "User-Agent": f"rpctl/{__version__}",
            "Accept": "application/json",
            "Cache-Control": "no-cache",  # what is read decides what is sent
        }
        trace = self.terminal.trace if self.flags.get("verbose") else None
        return Http(service.url, headers, Waiting(self.settings.timeout_s, self.sleep), trace)

    @cached_property
    def credentials(self) -> Credentials:
        """Who the program is at the profile's service."""
        from rpctl.auth.credentials import Account, Credentials, Folders
        from rpctl.config import paths

        def folder(find: Callable[[Mapping[str, str]], Path]) -> Path | None:
            try:
                return find(self.environ)
            except RpctlError:
                return None

        service = self.settings.online()
        self._check_command()
        return Credentials(
            Account(service.url, service.tenant, service.client_id),
            self.environ,
            Folders(folder(paths.data_dir), folder(paths.cache_dir)),
            self.clock,
            has_tokens=self.settings.has_tokens,
        )

    @property
    def _service(self) -> Online:
        backend = self.service
        backend.writing = True
        return backend

    @property
    def service(self) -> Online:
        """The profile's service, for reading. Raises as `backend` does."""
        backend = self._opened()
        assert self.settings.is_online
        return cast("Online", backend)

    @property
    def surroundings(self) -> Surroundings:
        """What delivery is told of the world."""
        from rpctl.delivery.surroundings import Surroundings

        terminal = self.terminal
        return Surroundings(
            self.clock,
            self.sleep,
            self.settings.settle_s,
            terminal.note,
            terminal.warn,
            not terminal.quiet,
            machine_ticks,
        )

    def journal(self, target: str) -> Journal:
        """The journal of what was sent to a service, in the state directory."""
        if self._journal is None:
            from rpctl.config.paths import state_dir
            from rpctl.delivery.journal import Journal

            self._journal = Journal(state_dir(self.environ) / "journal.db", target)
        return self._journal

    # -- what is asked ---------------------------------------------------------------------------------

    def check_fields(self, fields: Sequence[str] | None = None) -> None:
        """That ``--fields`` names only these (None: an entry's). Raises `InvalidValue`."""
        if self.format.fields:
            from rpctl.render.points import WRITTEN_FIELDS

            for field in self.format.fields:
                check_field(field, WRITTEN_FIELDS if fields is None else fields)

    @property
    def whose(self) -> str:
        """The profile, the service or the ledger, as a person would call it."""
        if self.settings.profile:
            return f"Profile {self.settings.profile}"
        has_service = self.settings.is_online or self.settings.records_offline
        return f"Backend {self.settings.backend}" if has_service else f"The ledger {self.settings.ledger}"

    def _say_where(self) -> None:
        settings = self.settings
        for name in ("profile", "backend", "url" if settings.is_online else "ledger", "site", "time_zone"):
            self.terminal.trace(f"{name} {getattr(settings, name) or 'none'} (from {settings.sources[name]})")

    def close(self) -> None:
        """Lets go of what is open."""
        if self._bulk:
            self._bulk.close()
        if self._backend:
            self._backend.close()
        if "http" in self.__dict__:  # made by now
            self.http.close()
        if self._journal:
            self._journal.close()

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
        from rpctl.cli.applying import apply

        return apply(self, change, key_given=key_given)

    @property
    def deliverer(self) -> Deliverer:
        """Who sends changes of points to the profile's service."""
        from rpctl.delivery.keyed import deliverer_of

        service = self._service
        return deliverer_of(service, self.journal(service.target), self.surroundings)

    def applying(self, options: ImportOptions) -> Applies:
        """Where the changes of an import go."""
        if not self.settings.is_online:
            return self.book
        return self.bulk(options.concurrency, options.rate, writing=not options.dry_run)

    def undoable_runs(self, concurrency: int | None, rate: float | None, *, writing: bool) -> UndoableRuns:
        """Import runs and who reverses them. Raises `UnsupportedOperation` where a speed was typed for a ledger."""
        from rpctl.cli.importing import DEFAULT_CONCURRENCY, check_has_speed

        if concurrency is not None or rate is not None:
            check_has_speed(self)
        if self.settings.records_offline:
            self._refuse_offline()
        if not self.settings.is_online:
            return self.ledger
        from rpctl.delivery.undoing import ServiceRuns

        bulk = self.bulk(concurrency or DEFAULT_CONCURRENCY, rate, writing=writing)
        return ServiceRuns(self.journal(self.service.target), bulk, self.surroundings)

    def bulk(self, concurrency: int, rate: float | None, *, writing: bool) -> Bulk:
        """Who sends many changes to the profile's service; not ``writing``: a token for reading is enough."""
        from rpctl.delivery.bulk import Bulk, Speed

        service = self._service if writing else self.service
        speed = Speed(concurrency, rate, self.settings.timeout_s)
        self._bulk = Bulk(service, self.journal(service.target), self.surroundings, service.twin, speed)
        return self._bulk

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
            with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
                file.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} rpctl {__version__}\n{text}\n")
        except (OSError, RpctlError):
            return None
        return path


def _inside(name: str) -> str:
    """What begins a sentence, in the middle of one."""
    return name[:1].lower() + name[1:]


def _os_user() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
