"""`python -m rpctl.docgen [--check] [--root DIR]`: writes what is stale, or only names it. The only module here
that touches files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from rpctl.cli.tree import walk
from rpctl.docgen.files import generated

_WRITTEN: Final = (("man", "rpctl*.[1-9]"), ("completions", "*rpctl*"))
_CHECKOUT: Final = Path(__file__).resolve().parents[3]


def stale(root: Path, texts: Mapping[str, str]) -> list[str]:
    """Which files below ``root`` are not what ``texts`` says: other content, missing, or there for no reason."""
    found = (path for folder, pattern in _WRITTEN for path in (root / folder).glob(pattern))
    there = {path.relative_to(root).as_posix() for path in found}
    wrong = {path for path, text in texts.items() if path not in there or (root / path).read_bytes() != text.encode()}
    return sorted(wrong | (there - texts.keys()))


def write(root: Path, texts: Mapping[str, str]) -> list[str]:
    """Makes the files below ``root`` what ``texts`` says; returns which were not."""
    paths = stale(root, texts)
    for path in paths:
        file = root / path
        if path in texts:
            file.parent.mkdir(exist_ok=True)
            file.write_bytes(texts[path].encode())
        else:
            file.unlink()
    return paths


def main(argv: Sequence[str] | None = None) -> int:
    """Exit status 0: all is as it should be (now); 1: ``--check`` found stale files; 2: wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m rpctl.docgen", description="Man pages and shell completions.")
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 and name the stale files")
    parser.add_argument("--root", type=Path, default=_CHECKOUT, metavar="DIR", help="the project (default: this one)")
    given = parser.parse_args(argv)
    if not (given.root / "pyproject.toml").is_file():
        parser.error(f"{given.root} is no checkout of the project; --root names one")
    texts = generated(walk())
    paths = stale(given.root, texts) if given.check else write(given.root, texts)
    for path in paths:
        sys.stdout.write(f"{path}\n")
    if given.check and paths:
        sys.stderr.write("These files are stale; `python -m rpctl.docgen` writes them.\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
