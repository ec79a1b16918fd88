"""What a command loads: a small one starts fast because heavy rooms stay closed. Each in a fresh interpreter."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import pytest

HEAVY: Final = frozenset(
    {"pydantic", "httpx", "keyring", "rich", "starlette", "uvicorn", "tomlkit", "platformdirs", "click", "hypothesis"}
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
    ],
    ids=["balance", "redeem", "reports", "lists", "help"],
)
def test_an_offline_command_without_a_table_loads_nothing_heavy(commands: Sequence[tuple[str, ...]]) -> None:
    for command in commands:
        assert frozenset() == loaded(*command) & HEAVY, command


def test_a_table_loads_rich_and_nothing_else_that_is_heavy() -> None:
    loaded("points", "add", "C1", "5")

    assert frozenset({"rich"}) == loaded("customer", "list", "-o", "table") & HEAVY


@pytest.mark.parametrize("flag", ["--version", "-V"])
def test_the_version_loads_not_even_typer(flag: str) -> None:
    modules = loaded(flag)

    assert {"rpctl", "rpctl.__main__"} == {name for name in modules if name.startswith("rpctl")}
    assert "typer" not in modules


def test_a_balance_loads_no_other_nouns_and_no_rooms_it_does_not_need() -> None:
    loaded("points", "add", "C1", "5")

    modules = loaded("points", "balance", "C1")

    for room in ("rpctl.cli.customer", "rpctl.cli.importing", "rpctl.importing", "rpctl.reports", "rpctl.render.json"):
        assert not [name for name in modules if name == room or name.startswith(f"{room}.")]
    assert frozenset() == modules & {"csv", "decimal", "logging", "tempfile", "zoneinfo"}
