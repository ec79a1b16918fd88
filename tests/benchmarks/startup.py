"""How long the smallest commands take, against a hello-world Typer app of the same version."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pairs import clean_environ, ratio, run_s

HELLO = """import typer

app = typer.Typer()


@app.command()
def main(name: str = "world"):
    print(f"Hello {name}")


if __name__ == "__main__":
    app()
"""


def main() -> None:
    """Measures in a temporary home."""
    rpctl = str(Path(sys.executable).with_name("rpctl"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environ = clean_environ(home)
        hello = home / "hello.py"
        hello.write_text(HELLO)
        run_s([rpctl, "points", "add", "C1", "50"], environ)
        run_s([rpctl, "points", "add", "C1", "50", "--valid-until", "+90d"], environ)
        app = [sys.executable, str(hello)]
        ratio(
            "points balance C1 -o json",
            lambda _: [rpctl, "points", "balance", "C1", "-o", "json"],
            lambda _: app,
            environ,
        )
        ratio("--version", lambda _: [rpctl, "--version"], lambda _: app, environ)
        ratio("points add C1 1", lambda _: [rpctl, "points", "add", "C1", "1"], lambda _: app, environ)


if __name__ == "__main__":
    main()
