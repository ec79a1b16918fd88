"""The generated files: committed as they are generated, the same everywhere, and installed where they belong."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Final

import pytest

from rpctl.cli.tree import walk
from rpctl.docgen.__main__ import main, stale
from rpctl.docgen.files import generated, installed

ROOT: Final = Path(__file__).resolve().parents[3]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with fresh files."""
    (tmp_path / "pyproject.toml").touch()
    assert main(["--root", str(tmp_path)]) == 0
    return tmp_path


def test_the_committed_files_are_fresh() -> None:
    assert stale(ROOT, generated(walk())) == [], "python -m rpctl.docgen writes them"


def test_every_noun_has_a_page() -> None:
    nouns = {f"man/rpctl-{noun.name}.1" for noun in walk().root.commands}
    others = {"man/rpctl.1", "man/rpctl-csv.5", "man/rpctl-exit-codes.7"}
    scripts = {"completions/rpctl.bash", "completions/_rpctl", "completions/rpctl.fish"}
    assert set(generated(walk())) == nouns | others | scripts


def test_check_names_what_is_stale_and_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "man/rpctl.1").write_text("old")
    (project / "man/rpctl-coupons.1").write_text("a noun that is gone")
    (project / "completions/_rpctl").unlink()
    (project / "man/README").write_text("not ours")
    capsys.readouterr()
    assert main(["--check", "--root", str(project)]) == 1
    assert capsys.readouterr().out == "completions/_rpctl\nman/rpctl-coupons.1\nman/rpctl.1\n"
    assert (project / "man/rpctl.1").read_text() == "old"


def test_writing_makes_all_fresh_and_leaves_other_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "man/rpctl.1").write_text("old")
    (project / "man/rpctl-coupons.1").write_text("a noun that is gone")
    (project / "man/README").write_text("not ours")
    capsys.readouterr()
    assert main(["--root", str(project)]) == 0
    assert capsys.readouterr().out == "man/rpctl-coupons.1\nman/rpctl.1\n"
    assert main(["--check", "--root", str(project)]) == 0
    assert (project / "man/README").read_text() == "not ours"


def test_it_writes_into_projects_only(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["--root", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def test_terminal_locale_and_hash_seed_make_no_difference(project: Path, tmp_path: Path) -> None:
    environ = {"PATH": os.environ["PATH"], "COLUMNS": "40", "LC_ALL": "C", "PYTHONHASHSEED": "1", "FORCE_COLOR": "1"}
    command = [sys.executable, "-m", "rpctl.docgen", "--check", "--root", str(project)]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_wheel_installs_every_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["shared-data"] == {path: installed(path) for path in sorted(generated(walk()))}


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("man/rpctl-points.1", "share/man/man1/rpctl-points.1"),
        ("man/rpctl-csv.5", "share/man/man5/rpctl-csv.5"),
        ("completions/rpctl.bash", "share/bash-completion/completions/rpctl"),
        ("completions/_rpctl", "share/zsh/site-functions/_rpctl"),
        ("completions/rpctl.fish", "share/fish/vendor_completions.d/rpctl.fish"),
    ],
)
def test_files_go_where_man_and_the_shells_look(path: str, place: str) -> None:
    assert installed(path) == place
