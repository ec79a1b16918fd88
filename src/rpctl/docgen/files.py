"""All generated files as text, by their path below the root of the project. Reads and writes nothing."""

from __future__ import annotations

from rpctl import __version__
from rpctl.cli.tree import PROGRAM, Tree
from rpctl.docgen import bash, fish, man, reference, zsh
from rpctl.docgen.spoken import spoken


def generated(tree: Tree) -> dict[str, str]:
    """Path -> content of every man page and completion of this version."""
    texts = {f"man/{PROGRAM}.1": man.program_page(tree, __version__)}
    for noun in tree.root.commands:
        texts[f"man/{man.page_name(noun)}.1"] = man.noun_page(noun, __version__)
    texts["man/{}.{}".format(*man.CSV_PAGE)] = reference.csv_page(__version__)
    texts["man/{}.{}".format(*man.STATUS_PAGE)] = reference.status_page(__version__)
    words = spoken(tree)
    texts["completions/rpctl.bash"] = bash.completion(words)
    texts["completions/_rpctl"] = zsh.completion(words)
    texts["completions/rpctl.fish"] = fish.completion(words)
    return texts


def installed(path: str) -> str:
    """Where an installed package has the generated file ``path``, below its prefix."""
    name = path.rpartition("/")[2]
    if path.startswith("man/"):
        return f"share/man/man{name[-1]}/{name}"
    return {
        "rpctl.bash": "share/bash-completion/completions/rpctl",
        "_rpctl": "share/zsh/site-functions/_rpctl",
        "rpctl.fish": "share/fish/vendor_completions.d/rpctl.fish",
    }[name]
