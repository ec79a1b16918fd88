"""rpctl completion: the script that makes a shell complete rpctl's words. It is generated (`rpctl.docgen`) and packed
beside the program; nothing is made here."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final

import typer

from rpctl.errors import InvalidFile, UsageError
from rpctl.render.views import View

app = typer.Typer()

SCRIPTS: Final = {"bash": "rpctl.bash", "zsh": "_rpctl", "fish": "rpctl.fish"}
"""Each shell and its script."""

_FOLDER: Final = "completions"
_CHECKOUT: Final = Path(__file__).parents[3]


@app.command()
def completion(
    ctx: typer.Context, shell: Annotated[str, typer.Argument(metavar="SHELL", help=f"One of {', '.join(SCRIPTS)}.")]
) -> View:
    """Print the completion script for bash, zsh or fish.

    $ source <(rpctl completion bash)
    $ rpctl completion bash >~/.local/share/bash-completion/completions/rpctl
    $ rpctl completion zsh >~/.zfunc/_rpctl
    $ rpctl completion fish >~/.config/fish/completions/rpctl.fish

    For bash either put `source <(rpctl completion bash)` into ~/.bashrc, or, where the package bash-completion is
    installed, write the script once to where the example has it. For zsh ~/.zshrc needs `fpath+=~/.zfunc` before
    `autoload -Uz compinit && compinit`. fish finds the script by itself. Make the folder first where it is missing
    (mkdir -p), and begin a new shell afterwards.

    Commands, options, their values and the names of profiles are completed, and no process is started for it.
    """
    if shell not in SCRIPTS:
        raise UsageError(f"There is no completion for {shell!r}.", f"Shells: {', '.join(SCRIPTS)}.")
    return View((_script(SCRIPTS[shell]).removesuffix("\n"),), many=False, bare=True)


def _script(name: str) -> str:
    """The script as it was generated. A checkout that is installed as it lies has it beside the source."""
    for folder in (files("rpctl") / _FOLDER, _CHECKOUT / _FOLDER):
        script = folder / name
        if script.is_file():
            return script.read_text(encoding="utf-8")
    raise InvalidFile(f"This installation of rpctl has no {_FOLDER}/{name}.", "Install rpctl anew.")
