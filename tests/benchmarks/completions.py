"""How long a completion takes, against starting the shell alone: bash and fish, each where it is installed."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from pairs import clean_environ, ratio

COMPLETIONS = Path(__file__).resolve().parents[2] / "completions"
BASH = (
    f"source '{COMPLETIONS / 'rpctl.bash'}'; COMP_WORDS=(rpctl points import x --dr); COMP_CWORD=4; _rpctl rpctl --dr x"
)
FISH = f"source '{COMPLETIONS / 'rpctl.fish'}'; complete -C 'rpctl points import x --dr'"


def main() -> None:
    """Measures in a temporary home."""
    with tempfile.TemporaryDirectory() as folder:
        environ = clean_environ(Path(folder))
        if shutil.which("bash"):
            ratio(
                "bash: load and complete / start",
                lambda _: ["bash", "-c", BASH],
                lambda _: ["bash", "-c", ":"],
                environ,
            )
        if fish := shutil.which("fish"):
            fish = [fish, "--no-config", "-c"]
            ratio("fish: load and complete / start", lambda _: [*fish, FISH], lambda _: [*fish, "true"], environ)


if __name__ == "__main__":
    main()
