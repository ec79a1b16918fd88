"""How long the smallest online command takes, its token at hand, against a bare script that asks the same by httpx."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pairs import clean_environ, ratio, run_s

BARE = """import os

import httpx

headers = {"Authorization": "Bearer " + os.environ["TOKEN"], "Emporix-Tenant": os.environ["RPCTL_TENANT"]}
print(httpx.get(os.environ["RPCTL_URL"] + "/reward-points/customer/C1", headers=headers).json())
"""


@contextmanager
def sandbox(rpctl: str, environ: dict[str, str], *options: str) -> Iterator[dict[str, str]]:
    """Serves until the end of the context; what it exports."""
    process = subprocess.Popen(
        [rpctl, "sandbox", *options], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        lines = [line.removeprefix("export ").strip() for line in process.stdout]
        yield {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Measures in a temporary home."""
    rpctl = str(Path(sys.executable).with_name("rpctl"))
    with tempfile.TemporaryDirectory() as folder:
        environ = {**clean_environ(Path(folder)), "RPCTL_KEYRING": "off"}
        bare = Path(folder) / "bare.py"
        bare.write_text(BARE)
        with sandbox(rpctl, environ) as exported:
            environ |= exported
            run_s([rpctl, "points", "add", "C1", "50"], environ)
            environ["TOKEN"] = subprocess.check_output([rpctl, "auth", "token"], env=environ, text=True).strip()
            ours = [rpctl, "points", "balance", "C1"]
            ratio("points balance C1, online", lambda _: ours, lambda _: [sys.executable, str(bare)], environ)


if __name__ == "__main__":
    main()
