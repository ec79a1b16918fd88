"""One value for each setting, and who decided it: typed flag, environment, profile, default, in this order.

Nothing is written and no directory made: on a machine without any file the defaults hold.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeVar

from rpctl.config import allowed, paths
from rpctl.config.profiles import Profile, Profiles, load, refused
from rpctl.errors import InvalidConfig, InvalidValue, UsageError

T = TypeVar("T")

FLAGS: Final[Mapping[str, str]] = {
    "profile": "--profile",
    "ledger": "--ledger",
    "offline": "--offline",
    "site": "--site",
    "time_zone": "--time-zone",
    "output": "--output",
    "no_input": "--no-input",
}
"""The flags that set something for one command, by the keys under which `resolve` takes them."""

VARIABLES: Final[Mapping[str, str]] = {
    "config_file": "RPCTL_CONFIG",
    "profile": "RPCTL_PROFILE",
    "backend": "RPCTL_BACKEND",
    "ledger": "RPCTL_LEDGER",
    "site": "RPCTL_SITE",
    "time_zone": "RPCTL_TIME_ZONE",
    "production": "RPCTL_PRODUCTION",
    "read_only": "RPCTL_READ_ONLY",
    "output": "RPCTL_OUTPUT",
    "no_input": "RPCTL_NO_INPUT",
    "url": "RPCTL_URL",
    "tenant": "RPCTL_TENANT",
    "client_id": "RPCTL_CLIENT_ID",
    "timeout_s": "RPCTL_TIMEOUT_S",
    "settle_s": "RPCTL_SETTLE_S",
}
"""The environment variable of each setting that has one. An empty one counts as not set."""

URLS: Final[Mapping[str, str]] = {"emporix": "https://api.emporix.io", "bonifiq": "https://api.bonifiq.com.br"}
"""Where a service is when nobody says."""


class Service(NamedTuple):
    """A service, and who the program is there. ``client_id`` is ``None`` where only a ready token is used. Where books
    belong to a client id, ``tenant`` is that, unless a tenant is named all the same: it outlives a change of the id."""

    url: str
    tenant: str
    client_id: str | None


class Source(NamedTuple):
    """Who decided a setting; as text: ``flag --site``, ``environment RPCTL_SITE``, ``profile shop in FILE``,
    ``key current in FILE`` (only the setting ``profile``) or ``default``.
    """

    kind: Literal["flag", "environment", "profile", "key", "default"]
    name: str | None = None
    file: Path | None = None

    def __str__(self) -> str:
        told = self.kind if self.name is None else f"{self.kind} {self.name}"
        return told if self.file is None else f"{told} in {self.file}"


DEFAULT: Final = Source("default")


class Settings(NamedTuple):
    """What holds for this command. A named tuple, because making a frozen dataclass takes each start 0.6 ms more.

    ``profile`` is the name of the one in use, ``None`` without any. ``ledger_named`` tells whether somebody
    named the ledger file (flag, environment or profile) rather than got the default one. ``output`` is
    ``None`` where the stream decides. ``url`` is ``None`` where the backend is no service; ``timeout_s`` (for one
    request as a whole) and ``settle_s`` (until a service shows what was sent) are seconds. ``sources`` has a
    `Source` for each of the other fields but ``ledger_named``.
    """

    config_file: Path
    profile: str | None
    backend: str
    ledger: Path
    ledger_named: bool
    offline: bool
    site: str
    time_zone: str
    production: bool
    read_only: bool
    output: str | None
    no_input: bool
    url: str | None
    tenant: str | None
    client_id: str | None
    timeout_s: float
    settle_s: float
    sources: Mapping[str, Source]

    @property
    def is_online(self) -> bool:
        """Whether commands work on the service, and not on a ledger."""
        return self.backend in allowed.ONLINE and not self.offline

    @property
    def records_offline(self) -> bool:
        """Whether changes are recorded in the profile's own ledger, to be sent to its service later. Another ledger
        that was named for the command is worked on for itself."""
        own = self.sources["ledger"].kind not in ("flag", "environment")
        return self.backend in allowed.ONLINE and self.offline and own

    @property
    def is_aside(self) -> bool:
        """Whether a ledger is worked on for itself although there is a service."""
        return self.backend in allowed.ONLINE and self.offline and not self.records_offline

    def check_world(self) -> None:
        """That nobody books live points believing to be offline.

        Raises `UsageError` for a typed ``--ledger`` where commands work on the service.
        """
        if self.is_online and self.sources["ledger"].kind == "flag":
            raise UsageError(
                f"--ledger names a local ledger, but {self._whose} works on {self.url}.",
                "Add --offline to work on the ledger, or leave --ledger out to work on the service.",
            )

    def online(self) -> Service:
        """The service of an online profile; ``--offline`` changes nothing here.

        Raises `UsageError` where the backend is no service, `InvalidConfig` where it is not told whose books are meant.
        """
        if self.url is None or self.backend not in allowed.ONLINE:
            raise UsageError(
                f"{self._whose[0].upper()}{self._whose[1:]} works on a local ledger, not on a service.",
                "`rpctl profile create NAME --backend emporix --tenant TENANT --client-id ID` makes a profile for one.",
            )
        whose, what = ("tenant", "tenant") if self.has_tenants else ("client_id", "client id")
        owner = self.tenant or (None if whose == "tenant" else self.client_id)
        if owner is None:
            key = f"{whose} in [profiles.{self.profile}] of {self.config_file}, or " if self.profile else ""
            raise InvalidConfig(
                f"{self._whose[0].upper()}{self._whose[1:]} names no {what} of {self.url}.",
                f"Set {key}{VARIABLES[whose]}.",
                profile=self.profile,
                key=whose,
            )
        return Service(self.url, owner, self.client_id)

    @property
    def has_tenants(self) -> bool:
        """Whether the books of the profile's service belong to a tenant."""
        return self.backend in allowed.WITH_TENANTS

    @property
    def has_tokens(self) -> bool:
        """Whether the profile's service gives out access tokens."""
        return self.backend in allowed.WITH_TOKENS

    @property
    def _whose(self) -> str:
        return f"profile {self.profile}" if self.profile else f"the backend {self.backend}"

    def zone(self) -> tzinfo:
        """The time zone in which dates without an offset are read."""
        if self.time_zone == allowed.UTC_NAME:
            return UTC
        import zoneinfo

        return zoneinfo.ZoneInfo(self.time_zone)


def resolve(flags: Mapping[str, object], environ: Mapping[str, str]) -> Settings:
    """The settings of a command.

    ``flags`` holds what was typed, by the keys of `FLAGS`; ``None`` and ``False`` mean not typed, so that a
    command passes its options as they are. Options that set nothing (``--fields``) may be among them; colour
    is the terminal's own question.

    Raises `InvalidValue` for a typed value that is not allowed, `ProfileNotFound` for ``--profile`` with a
    name that is not there, `InvalidConfig` for whatever is wrong in the environment or the configuration file
    (a variable or ``current`` that names a missing profile included), or where there is no home directory.
    """
    file = paths.config_file(environ)
    sources = {"config_file": Source("environment", "RPCTL_CONFIG") if environ.get("RPCTL_CONFIG") else DEFAULT}
    profiles = load(file)
    profile, sources["profile"] = _profile(flags, environ, profiles)
    layers = _Layers(flags, environ, file, profile, sources)
    backend = layers.pick("backend", allowed.backend, "ledger")
    ledger = layers.ledger()
    return Settings(
        config_file=file,
        profile=profile.name if profile else None,
        backend=backend,
        ledger=ledger,
        ledger_named=sources["ledger"] != DEFAULT,
        offline=layers.pick("offline", allowed.switch, False),
        site=layers.pick("site", allowed.site, "main"),
        time_zone=layers.pick("time_zone", allowed.time_zone, allowed.UTC_NAME),
        production=layers.pick("production", allowed.switch, False),
        read_only=layers.pick("read_only", allowed.switch, False),
        output=layers.pick("output", allowed.output, None),
        no_input=layers.pick("no_input", allowed.switch, False),
        url=layers.pick("url", allowed.url, URLS.get(backend)),
        tenant=layers.pick("tenant", allowed.tenant, None),
        client_id=layers.pick("client_id", allowed.client_id, None),
        timeout_s=layers.pick("timeout_s", allowed.timeout_s, 60.0),
        settle_s=layers.pick("settle_s", allowed.settle_s, 30.0),
        sources=sources,
    )


def _profile(
    flags: Mapping[str, object], environ: Mapping[str, str], profiles: Profiles
) -> tuple[Profile | None, Source]:
    typed = flags.get("profile")
    if typed is not None:
        return profiles.get(_checked(typed, allowed.profile_name, flag := Source("flag", "--profile"))), flag
    if name := environ.get("RPCTL_PROFILE"):
        source = Source("environment", "RPCTL_PROFILE")
        _checked(name, allowed.profile_name, source)
        wrong = f"RPCTL_PROFILE names the profile {name!r}, which is not in {profiles.file}."
    elif profiles.current is not None:
        name, source = profiles.current, Source("key", "current", profiles.file)
        wrong = f"`current` in {profiles.file} names the profile {name!r}, which is not there."
    else:
        return None, DEFAULT
    if name not in profiles.by_name:
        raise InvalidConfig(wrong, profiles.which_are_there(), file=str(profiles.file), profile=name)
    return profiles.by_name[name], source


def _checked(value: object, check: Callable[[object], T], source: Source) -> T:
    try:
        return check(value)
    except allowed.NotAllowed as wrong:
        if source.kind == "flag":
            raise InvalidValue(
                f"{source.name} cannot be {wrong.told or allowed.shown(value)}.", f"Allowed: {wrong.allowed}."
            ) from None
        raise refused(str(source.name), value, wrong, variable=source.name) from None


class _Layers:
    """The places where a setting can come from, strongest first; notes in ``sources`` which one it was."""

    def __init__(
        self,
        flags: Mapping[str, object],
        environ: Mapping[str, str],
        file: Path,
        profile: Profile | None,
        sources: dict[str, Source],
    ) -> None:
        self._flags = flags
        self._environ = environ
        self._file = file
        self._profile = profile
        self._sources = sources

    def pick(self, name: str, check: Callable[[object], T], default: T) -> T:
        """The strongest value there is, checked; raises `InvalidValue` or `InvalidConfig`."""
        value, source = self._strongest(name)
        self._sources[name] = source
        if source == DEFAULT:
            return default
        if source.kind == "profile":
            try:
                return check(value)
            except allowed.NotAllowed as wrong:
                where = f"{name} of profile {source.name!r} in {self._file}"
                raise refused(where, value, wrong, file=str(self._file), profile=source.name, key=name) from None
        return _checked(value, check, source)

    def ledger(self) -> Path:
        """The ledger file; a relative path in a profile counts from the configuration file's directory."""
        text = self.pick("ledger", allowed.path_text, "")
        source = self._sources["ledger"]
        if source == DEFAULT:
            return paths.ledger_file(self._environ, self._profile.name if self._profile else None)
        path = paths.expand_home(text, self._environ)
        return self._file.parent / path if source.kind == "profile" else path

    def _strongest(self, name: str) -> tuple[object, Source]:
        typed = self._flags.get(name)
        if typed is not None and typed is not False:
            return typed, Source("flag", FLAGS[name])
        variable = VARIABLES.get(name)
        if variable and (text := self._environ.get(variable)):
            return text, Source("environment", variable)
        kept = getattr(self._profile, name, None)
        if kept is not None:
            assert self._profile is not None
            return kept, Source("profile", self._profile.name, self._file)
        return None, DEFAULT
