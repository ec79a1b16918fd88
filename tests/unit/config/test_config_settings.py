"""Which layer decides each setting, what a wrong value says, and what reading the settings may not load."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rpctl.config.settings import FLAGS, VARIABLES, Settings, resolve
from rpctl.errors import InvalidConfig, InvalidValue, ProfileNotFound


class Machine:
    """A home directory and its configuration file."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.file = home / ".config" / "rpctl" / "config.toml"

    def says(self, text: str) -> None:
        self.file.parent.mkdir(parents=True)
        self.file.write_text(text)

    def resolve(self, environ: dict[str, str] | None = None, **flags: object) -> Settings:
        return resolve(flags, {"HOME": str(self.home), **(environ or {})})


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_fresh_machine_has_the_defaults_and_nothing_is_written(machine: Machine) -> None:
    settings = machine.resolve()
    assert settings == Settings(
        config_file=machine.file,
        profile=None,
        backend="ledger",
        ledger=machine.home / ".local/share/rpctl/ledger.db",
        ledger_named=False,
        offline=False,
        site="main",
        time_zone="UTC",
        production=False,
        read_only=False,
        output=None,
        no_input=False,
        url=None,
        tenant=None,
        client_id=None,
        timeout_s=60.0,
        settle_s=30.0,
        sources=settings.sources,
    )
    assert {str(source) for source in settings.sources.values()} == {"default"}
    assert list(machine.home.iterdir()) == []


def test_every_setting_has_a_source(machine: Machine) -> None:
    fields = set(Settings._fields) - {"sources", "ledger_named"}
    assert set(machine.resolve().sources) == fields
    assert set(VARIABLES) | {"offline"} == fields
    assert set(FLAGS) < fields


# name, by flag, by environment, by profile, default
LAYERS: list[tuple[str, Any, str | None, Any, Any]] = [
    ("site", "flag", "env", "prof", "main"),
    ("time_zone", "Europe/Paris", "Europe/Rome", "Europe/Berlin", "UTC"),
    ("ledger", "/flag.db", "/env.db", "/prof.db", None),
    ("production", None, "1", True, False),
    ("read_only", None, "1", True, False),
    ("backend", None, "emporix", "emporix", "ledger"),
    ("url", None, "https://a.example", "https://b.example", None),
    ("tenant", None, "acme", "other", None),
    ("client_id", None, "kLm3", "x_9-Z", None),
    ("timeout_s", None, "2.5", 7, 60.0),
    ("settle_s", None, "0", 12.5, 30.0),
    ("output", "json", "csv", None, None),
    ("no_input", True, "1", None, False),
    ("offline", True, None, None, False),
]
READ: dict[str, Any] = {"1": True, "2.5": 2.5, "0": 0.0}


@pytest.mark.parametrize("with_profile", [True, False])
@pytest.mark.parametrize("with_variable", [True, False])
@pytest.mark.parametrize("with_flag", [True, False])
@pytest.mark.parametrize(("name", "flag", "variable", "profile", "default"), LAYERS)
def test_flag_beats_environment_beats_profile_beats_default(
    machine: Machine,
    name: str,
    flag: Any,
    variable: str | None,
    profile: Any,
    default: Any,
    with_flag: bool,
    with_variable: bool,
    with_profile: bool,
) -> None:
    key = f"{name} = {json.dumps(profile)}" if with_profile and profile is not None else ""
    machine.says(f'current = "shop"\n[profiles.shop]\n{key}\n')
    flags = {name: flag} if with_flag else {name: None}
    environ = {f"RPCTL_{name.upper()}": variable} if with_variable and variable is not None else {}
    settings = machine.resolve(environ, **flags)

    if with_flag and flag is not None:
        value, source = flag, f"flag --{name.replace('_', '-')}"
    elif environ:
        value, source = READ.get(str(variable), variable), f"environment RPCTL_{name.upper()}"
    elif key:
        value, source = profile, f"profile shop in {machine.file}"
    else:
        value, source = default, "default"
    if name == "ledger":
        assert settings.ledger_named == (source != "default")
        value = Path(value) if value else machine.home / ".local/share/rpctl/profiles/shop.db"
    assert getattr(settings, name) == value
    assert str(settings.sources[name]) == source


def test_who_chose_the_profile(machine: Machine) -> None:
    machine.says('current = "a"\n[profiles.a]\n[profiles.b]\n[profiles.c]\n')
    by_file, by_variable = machine.resolve(), machine.resolve({"RPCTL_PROFILE": "b"})
    by_flag = machine.resolve({"RPCTL_PROFILE": "b"}, profile="c")
    assert [s.profile for s in (by_file, by_variable, by_flag)] == ["a", "b", "c"]
    assert [str(s.sources["profile"]) for s in (by_file, by_variable, by_flag)] == [
        f"key current in {machine.file}",
        "environment RPCTL_PROFILE",
        "flag --profile",
    ]
    assert by_flag.ledger == machine.home / ".local/share/rpctl/profiles/c.db"


def test_an_empty_variable_is_not_set(machine: Machine) -> None:
    assert machine.resolve(dict.fromkeys(VARIABLES.values(), "")) == machine.resolve()


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1", True),
        ("true", True),
        ("YES", True),
        ("on", True),
        ("0", False),
        ("False", False),
        ("no", False),
        ("off", False),
    ],
)
def test_the_words_of_a_switch(machine: Machine, word: str, value: bool) -> None:
    machine.says(f'current = "a"\n[profiles.a]\nread_only = {str(not value).lower()}\n')
    settings = machine.resolve({"RPCTL_READ_ONLY": word})
    assert settings.read_only is value
    assert str(settings.sources["read_only"]) == "environment RPCTL_READ_ONLY"


def test_an_option_that_was_not_typed_decides_nothing(machine: Machine) -> None:
    settings = machine.resolve(
        {"RPCTL_NO_INPUT": "1"}, no_input=False, offline=False, site=None, fields="id", quiet=True
    )
    assert (settings.no_input, settings.offline) == (True, False)
    assert str(settings.sources["no_input"]) == "environment RPCTL_NO_INPUT"
    assert str(settings.sources["offline"]) == "default"


def test_rpctl_config_names_the_file(machine: Machine, tmp_path: Path) -> None:
    machine.says("not read at all")
    other = tmp_path / "other.toml"
    other.write_text('current = "x"\n[profiles.x]\n')
    settings = machine.resolve({"RPCTL_CONFIG": str(other)})
    assert (settings.config_file, settings.profile) == (other, "x")
    assert str(settings.sources["config_file"]) == "environment RPCTL_CONFIG"
    assert machine.resolve({"RPCTL_CONFIG": "/dev/null"}).profile is None


def test_a_ledger_path_counts_from_where_it_was_written(machine: Machine) -> None:
    machine.says('[profiles.a]\nledger = "books/a.db"\n[profiles.b]\nledger = "~/b.db"\n')
    assert machine.resolve(profile="a").ledger == machine.file.parent / "books/a.db"
    assert machine.resolve(profile="b").ledger == machine.home / "b.db"
    assert machine.resolve(ledger="c.db").ledger == Path("c.db")
    assert machine.resolve({"RPCTL_LEDGER": "~/d.db"}).ledger == machine.home / "d.db"


def test_named_files_need_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr("pwd.getpwuid", nobody)
    settings = resolve({}, {"RPCTL_CONFIG": "/dev/null", "RPCTL_LEDGER": "/l.db"})
    assert settings.ledger == Path("/l.db")
    with pytest.raises(InvalidConfig, match="There is no home directory"):
        resolve({}, {})


# -- wrong values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "message", "hint"),
    [
        ({"output": "xml"}, "--output cannot be 'xml'.", "Allowed: table, tsv, json, jsonl or csv."),
        ({"output": ""}, "--output cannot be ''.", "Allowed: table, tsv, json, jsonl or csv."),
        ({"profile": "../x"}, "--profile cannot be '../x'.", "Allowed: 1 to 64 characters of a-z, 0-9, _ and -"),
        ({"profile": ""}, "--profile cannot be ''.", "Allowed: 1 to 64 characters"),
        ({"ledger": ""}, "--ledger cannot be ''.", "Allowed: the path of a file."),
        ({"site": "a\n"}, "--site cannot be 'a\\n'.", "Allowed: a site code such as main"),
        ({"time_zone": "Berlin"}, "--time-zone cannot be 'Berlin'.", "Allowed: the name of a time zone such as"),
    ],
)
def test_a_wrong_flag_is_wrong_usage(machine: Machine, flags: dict[str, object], message: str, hint: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        machine.resolve(**flags)
    assert caught.value.message == message
    assert str(caught.value.hint).startswith(hint)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    ("variable", "value", "hint"),
    [
        ("RPCTL_OUTPUT", "xml", "Allowed: table, tsv, json, jsonl or csv."),
        ("RPCTL_BACKEND", "postgres", "Allowed: ledger, emporix or bonifiq."),
        ("RPCTL_PROFILE", "No Name", "Allowed: 1 to 64 characters"),
        ("RPCTL_READ_ONLY", "maybe", "Allowed: 1, true, yes, on, or 0, false, no, off."),
        ("RPCTL_PRODUCTION", "2", "Allowed: 1, true, yes, on, or 0, false, no, off."),
        ("RPCTL_NO_INPUT", " ", "Allowed: 1, true, yes, on, or 0, false, no, off."),
        ("RPCTL_SITE", "1.2E+11", "Allowed: a site code such as main"),
        ("RPCTL_TIME_ZONE", "europe/berlin", "Allowed: the name of a time zone such as Europe/Berlin"),
        ("RPCTL_TIME_ZONE", "Europe", "Allowed: the name of a time zone such as"),
        ("RPCTL_TIME_ZONE", "../../etc/passwd", "Allowed: the name of a time zone such as"),
        ("RPCTL_TIME_ZONE", "/etc/localtime", "Allowed: the name of a time zone such as"),
        ("RPCTL_TIME_ZONE", "\udcff", "Allowed: the name of a time zone such as"),
    ],
)
def test_a_wrong_variable_is_named(machine: Machine, variable: str, value: str, hint: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        machine.resolve({variable: value})
    assert caught.value.message == f"{variable} cannot be {value!r}."
    assert str(caught.value.hint).startswith(hint)
    assert caught.value.exit_status == 7
    assert caught.value.details == {"variable": variable}


def test_a_time_zone_that_is_not_there_matters_in_the_profile_in_use_only(machine: Machine) -> None:
    machine.says('[profiles.a]\ntime_zone = "Europe/Berlim"\n')
    assert machine.resolve().time_zone == "UTC"
    assert machine.resolve(profile="a", time_zone="UTC").time_zone == "UTC"
    with pytest.raises(InvalidConfig) as caught:
        machine.resolve(profile="a")
    assert caught.value.message == f"time_zone of profile 'a' in {machine.file} cannot be 'Europe/Berlim'."
    assert "Europe/Berlin" in str(caught.value.hint)


def test_a_profile_that_is_not_there(machine: Machine) -> None:
    machine.says('current = "gone"\n[profiles.a]\n')
    with pytest.raises(ProfileNotFound) as typed:
        machine.resolve(profile="b")
    assert (typed.value.exit_status, typed.value.hint) == (5, "There are: a.")
    with pytest.raises(InvalidConfig) as by_variable:
        machine.resolve({"RPCTL_PROFILE": "b"})
    assert by_variable.value.message == f"RPCTL_PROFILE names the profile 'b', which is not in {machine.file}."
    with pytest.raises(InvalidConfig) as by_file:
        machine.resolve()
    assert by_file.value.message == f"`current` in {machine.file} names the profile 'gone', which is not there."
    assert machine.resolve(profile="a").profile == "a"


# -- time zones and weight --------------------------------------------------------------------------------


def test_the_zone_of_dates(machine: Machine) -> None:
    assert machine.resolve().zone() is UTC
    berlin = machine.resolve({"RPCTL_TIME_ZONE": "Europe/Berlin"}).zone()
    assert datetime(2027, 7, 1, tzinfo=berlin).utcoffset() == timedelta(hours=2)


READ_SETTINGS = """
import json, os, sys
before = dict(os.environ)
from rpctl.config.settings import resolve
settings = resolve({}, before)
settings.zone()
heavy = {"pydantic", "httpx", "keyring", "rich", "typer", "tomlkit", "tomllib", "platformdirs", "zoneinfo", "pwd"}
print(json.dumps([settings.profile, sorted(heavy & set(sys.modules))]))
"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, [None, []]),
        ("", [None, []]),
        ('current = "a"\n[profiles.a]\nsite = "x"\n', ["a", ["tomllib"]]),
        ('current = "a"\n[profiles.a]\ntime_zone = "Europe/Berlin"\n', ["a", ["tomllib", "zoneinfo"]]),
    ],
)
def test_reading_the_settings_loads_only_what_they_need(
    machine: Machine, text: str | None, expected: list[Any]
) -> None:
    if text is not None:
        machine.says(text)
    asked = subprocess.run(
        [sys.executable, "-c", READ_SETTINGS],
        env={"HOME": str(machine.home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(asked.stdout) == expected


def test_no_environment_is_read_at_import() -> None:
    code = """
import os, sys
class Refusing(dict):
    def __getitem__(self, key): raise AssertionError(key)
    def get(self, key, default=None): raise AssertionError(key)
import dataclasses, datetime, pathlib, re, typing
os.environ = Refusing()
import rpctl.config.settings, rpctl.config.paths, rpctl.config.profiles
"""
    subprocess.run([sys.executable, "-c", code], check=True)
