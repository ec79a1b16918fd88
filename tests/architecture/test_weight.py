"""What a command loads: a small one starts fast because heavy rooms stay closed. Each in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from typing import Final

import pytest

from sandbox_client import running

HEAVY: Final = frozenset(
    {"pydantic", "httpx", "keyring", "rich", "uvicorn", "tomlkit", "platformdirs", "click", "hypothesis"}
)
_PROGRAM: Final = """
import atexit, json, os, sys
sys.argv = ["rpctl", *sys.argv[1:]]
os._exit = sys.exit  # the modules are told at the very end
from rpctl.__main__ import main
try:
    status = main()
except SystemExit as end:
    status = end.code
sys.stdout.flush()
sys.stderr.write("\\n" + json.dumps({"status": status or 0, "modules": sorted(sys.modules)}))
"""


def loaded(*argv: str) -> frozenset[str]:
    """The top-level packages that a command has loaded when it ends; rpctl's own modules by their full names."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM, *argv], capture_output=True, text=True, check=True)
    facts = json.loads(done.stderr.splitlines()[-1])
    assert facts["status"] == 0, done.stderr
    return frozenset(name if name.startswith("rpctl") else name.partition(".")[0] for name in facts["modules"])


@pytest.mark.parametrize(
    "commands",
    [
        [("points", "add", "C1", "5", "-o", "json"), ("points", "balance", "C1", "-o", "json")],
        [("points", "add", "C1", "5", "-o", "json"), ("points", "redeem", "C1", "5", "-o", "json")],
        [("points", "add", "C1", "5"), ("points", "summary", "C1", "-o", "json"), ("points", "history", "C1")],
        [("customer", "list", "-o", "csv"), ("options", "list", "-o", "jsonl"), ("config", "show", "-o", "tsv")],
        [("points", "--help"), ("points", "add", "--help")],
        [("help",), ("help", "csv"), ("help", "points", "add"), ("commands", "-o", "json"), ("completion", "bash")],
    ],
    ids=["balance", "redeem", "reports", "lists", "help", "about itself"],
)
def test_an_offline_command_without_a_table_loads_nothing_heavy(commands: Sequence[tuple[str, ...]]) -> None:
    for command in commands:
        assert frozenset() == loaded(*command) & HEAVY, command


def test_a_table_loads_rich_and_nothing_else_that_is_heavy() -> None:
    loaded("points", "add", "C1", "5")

    assert frozenset({"rich"}) == loaded("customer", "list", "-o", "table") & HEAVY


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A service with a customer C1, whom every command works on; a token is at hand."""
    with running(token_lifetime_s=10**9) as one:
        one.add("C1", 5)
        for name, value in one.environ.items():
            monkeypatch.setenv(name, value)
        loaded("points", "balance", "C1")
        yield


def test_one_number_of_a_service_is_had_with_its_client_alone(service: None) -> None:
    modules = loaded("points", "balance", "C1", "-o", "json")

    assert frozenset({"httpx"}) == modules & HEAVY
    assert frozenset() == modules & {"sqlite3", "decimal", "rpctl.delivery", "rpctl.backends.ledger", "rpctl.importing"}


@pytest.mark.parametrize(
    "command",
    [("points", "summary", "C1", "-o", "json"), ("customer", "list"), ("points", "add", "C1", "5", "-o", "json")],
)
def test_an_online_command_without_a_table_loads_no_more_than_it_reads_with(
    command: tuple[str, ...], service: None
) -> None:
    assert frozenset({"httpx", "pydantic"}) == loaded(*command) & HEAVY


@pytest.fixture
def bonifiq(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """BonifiQ with a customer C1."""
    with running(backend="bonifiq") as one:
        one.add("C1", 5)
        for name, value in one.environ.items():
            monkeypatch.setenv(name, value)
        yield


def test_a_number_of_bonifiq_and_a_change_there_are_had_with_its_client_alone(bonifiq: None) -> None:
    modules = loaded("points", "balance", "C1", "-o", "json")

    assert frozenset({"httpx"}) == modules & HEAVY
    assert frozenset() == modules & {"sqlite3", "decimal", "rpctl.delivery", "rpctl.backends.ledger", "rpctl.importing"}
    assert frozenset({"httpx"}) == loaded("points", "add", "C1", "5", "--reason", "x", "-o", "json") & HEAVY
    assert frozenset({"httpx", "pydantic"}) == loaded("points", "summary", "C1", "-o", "json") & HEAVY


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_loads_not_even_typer(flag: str) -> None:
    modules = loaded(flag)

    assert {"rpctl", "rpctl.__main__"} == {name for name in modules if name.startswith("rpctl")}
    assert "typer" not in modules


def of_itself(modules: frozenset[str]) -> set[str]:
    """What only those commands need in which the program tells about itself."""
    rooms = ("rpctl.manual", "rpctl.docgen", "rpctl.cli.help", "rpctl.cli.commands", "rpctl.cli.completion")
    rooms += ("rpctl.cli.tree", "rpctl.cli.offers")
    return {room for room in rooms for name in modules if name == room or name.startswith(f"{room}.")}


def test_what_tells_about_the_program_is_loaded_for_that_only() -> None:
    assert of_itself(loaded("--help")) == of_itself(loaded("points", "add", "--help")) == set()
    assert of_itself(loaded("completion", "bash")) == {"rpctl.cli.completion"}
    assert of_itself(loaded("help", "formats")) == {"rpctl.cli.help", "rpctl.manual"}
    assert not [name for name in loaded("help", "formats") if name.startswith("rpctl.importing")]
    assert "rpctl.docgen" not in of_itself(loaded("commands"))


def test_a_balance_loads_no_other_nouns_and_no_rooms_it_does_not_need() -> None:
    loaded("points", "add", "C1", "5")

    modules = loaded("points", "balance", "C1")

    for room in ("rpctl.cli.customer", "rpctl.cli.importing", "rpctl.importing", "rpctl.reports", "rpctl.render.json"):
        assert not [name for name in modules if name == room or name.startswith(f"{room}.")]
    assert of_itself(modules) == set()
    assert frozenset() == modules & {"csv", "decimal", "logging", "tempfile", "zoneinfo"}
