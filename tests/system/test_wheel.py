"""The wheel as a customer installs it: built from this source, put into an environment of its own, run from there."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest

from rpctl.cli.completion import SCRIPTS
from rpctl.docgen.files import installed

ROOT: Final = Path(__file__).resolve().parents[2]
PIP: Final = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def run(argv: Sequence[str | Path], **variables: str) -> bytes:
    """What a program prints; it must succeed."""
    environ = {name: os.environ[name] for name in ("PATH", "HOME")} | variables
    done = subprocess.run(argv, cwd="/", env=environ, capture_output=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without the network: hatchling is among the packages for development."""
    folder = tmp_path_factory.mktemp("wheel")
    run([*PIP, "wheel", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", folder, ROOT])
    (built,) = folder.iterdir()
    return built


@pytest.fixture(scope="module")
def prefix(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel in it; what it depends on is lent by this one, this checkout is not."""
    folder = tmp_path_factory.mktemp("environment")
    run([sys.executable, "-m", "venv", "--without-pip", folder])
    run([*PIP, "--python", folder / "bin/python", "install", "--no-deps", "--no-index", wheel])
    (packages,) = folder.glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (at,) = run([folder / "bin/python", "-c", "import rpctl; print(rpctl.__file__)"]).splitlines()
    assert at.decode() == str(packages / "rpctl/__init__.py")
    return folder


@pytest.mark.parametrize("shell", SCRIPTS)
def test_an_installed_rpctl_prints_its_completions(shell: str, prefix: Path) -> None:
    script = (ROOT / "completions" / SCRIPTS[shell]).read_bytes()

    assert run([prefix / "bin/rpctl", "completion", shell]) == script
    assert run([prefix / "bin/rpctl", "completion", shell], LC_ALL="C", PYTHONUTF8="0") == script


@pytest.mark.parametrize("shell", SCRIPTS)
def test_even_unpacked_nowhere_it_prints_its_completions(shell: str, wheel: Path, prefix: Path) -> None:
    lent = [str(wheel), sysconfig.get_path("purelib")]
    argv = [prefix / "bin/python", "-I", "-c", f"import sys; sys.path[:0] = {lent}; {_MAIN}", "completion", shell]

    assert run(argv) == (ROOT / "completions" / SCRIPTS[shell]).read_bytes()


_MAIN: Final = "from rpctl.__main__ import main; import rpctl; assert '.whl' in rpctl.__file__; sys.exit(main())"


def test_man_pages_and_completions_are_where_man_and_shells_look(prefix: Path) -> None:
    paths = (f"{folder}/{file.name}" for folder in ("man", "completions") for file in (ROOT / folder).iterdir())
    wrong = [path for path in paths if (prefix / installed(path)).read_bytes() != (ROOT / path).read_bytes()]

    assert wrong == []


def test_an_installed_rpctl_tells_about_itself(prefix: Path) -> None:
    assert b"key_reused" in run([prefix / "bin/rpctl", "help", "keys"])
    assert b"rpctl points add\t" in run([prefix / "bin/rpctl", "commands"])


def test_nothing_of_the_checkout_is_packed_but_what_is_meant(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.partition("/")[0].rpartition(".")[2] for name in names} == {"rpctl", "data", "dist-info"}
    assert [name for name in names if name.startswith("tests/") or name.endswith((".pyc", ".story"))] == []
