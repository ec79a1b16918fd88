"""The doors between the rooms: who may import whom, who writes, who names a library."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

import rpctl

PROJECT: Final = Path(__file__).parents[2]
SOURCE: Final = Path(rpctl.__file__).parent
MODULES: Final = sorted(SOURCE.rglob("*.py"))


def name_of(module: Path) -> str:
    """A module's path inside the package, as ``render/table.py``."""
    return str(module.relative_to(SOURCE))


@cache
def nodes(module: Path) -> tuple[ast.AST, ...]:
    """A module's syntax, read once for all who look at it."""
    return tuple(ast.walk(ast.parse(module.read_text(encoding="utf-8"))))


@cache
def imported(module: Path) -> frozenset[str]:
    """Everything a module imports, wherever in it."""
    names: set[str] = set()
    for node in nodes(module):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(f"{'.' * node.level}{node.module or ''}")
    return frozenset(names)


def who_imports(library: str) -> set[str]:
    """The modules that name a library."""
    return {
        name_of(module)
        for module in MODULES
        if any(name == library or name.startswith(f"{library}.") for name in imported(module))
    }


def test_the_contracts_of_pyproject_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([lint, "--no-cache"], cwd=PROJECT, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout


def test_every_room_stands_in_the_contracts() -> None:
    settings = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    named = {name for contract in contracts for name in contract.get("source_modules", contract.get("modules", []))}
    rooms = {f"rpctl.{path.stem}" for path in SOURCE.iterdir() if path.stem not in ("__init__", "__pycache__")}

    assert rooms - {"rpctl.__main__", "rpctl.cli", "rpctl.docgen"} == {
        name for name in named if name.count(".") == 1 and name != "rpctl.cli"
    }


def test_imports_are_absolute() -> None:
    relative = [(name_of(module), name) for module in MODULES for name in imported(module) if name.startswith(".")]

    assert relative == []


@pytest.mark.parametrize(
    ("library", "room"),
    [
        ("rich", {"render/table.py"}),
        ("tomlkit", {"config/editing.py"}),
        ("platformdirs", {"config/paths.py"}),
        ("keyring", {"auth/store.py"}),
        (
            "httpx",
            {
                "auth/client_credentials.py",
                "auth/credentials.py",
                "backends/bodies.py",
                "backends/http.py",
                "backends/unanswered.py",
            },
        ),
        ("click", set()),
        ("rpctl.cli", {"__main__.py", "cli", "docgen"}),
        ("rpctl.docgen", {"docgen"}),
        ("rpctl.manual", {"cli/help.py", "docgen", "manual"}),
        ("typer", {"cli"}),
        (
            "sqlite3",
            {
                "backends/import_runs.py",
                "backends/ledger/sql",
                "delivery/journal.py",
                "delivery/runs.py",
                "delivery/sight.py",
            },
        ),
        ("uvicorn", {"sandbox"}),
    ],
)
def test_a_library_is_named_in_its_room_only(library: str, room: set[str]) -> None:
    inside = {name for name in who_imports(library) if any(name == one or name.startswith(f"{one}/") for one in room)}

    assert inside == who_imports(library)


IMPURE: Final = {
    "asyncio", "io", "locale", "logging", "os", "pathlib", "random", "secrets", "shutil", "socket", "sqlite3",
    "subprocess", "sys", "tempfile", "threading", "time", "uuid", "warnings",
}  # fmt: skip


def test_the_domain_is_pure() -> None:
    domain = [module for module in MODULES if name_of(module).startswith("domain/")]
    used = {name.split(".")[0] for module in domain for name in imported(module)}

    assert used & IMPURE == set()
    assert used - sys.stdlib_module_names == {"rpctl"}


def writes(module: Path) -> Iterator[int]:
    """The lines in which a module writes to a stream of the process by itself."""
    for node in nodes(module):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if called in ("print", "typer.echo", "typer.secho", "os.write") or called.startswith(
            ("sys.stdout.write", "sys.stderr.write", "sys.__stdout__", "sys.__stderr__", "sys.stdout.buffer")
        ):
            yield node.lineno


def test_only_the_terminal_writes_to_streams() -> None:
    writers = {name_of(module): len(list(writes(module))) for module in MODULES}
    offline = {name: count for name, count in writers.items() if count and not name.startswith("docgen/")}

    assert offline == {"__main__.py": 1}  # the version, before anything is loaded


def test_nothing_is_read_from_the_environment_but_where_a_process_begins() -> None:
    readers = {
        name_of(module)
        for module in MODULES
        for node in nodes(module)
        if isinstance(node, ast.Attribute)
        and node.attr in ("environ", "getenv")
        and ast.unparse(node) in ("os.environ", "os.getenv")
    }

    assert readers == {"cli/app.py", "terminal.py"}


def test_no_room_is_a_box_for_odds_and_ends() -> None:
    vague = ("util", "helper", "common", "manager", "misc", "shared")

    assert [name_of(module) for module in MODULES if any(word in name_of(module) for word in vague)] == []
