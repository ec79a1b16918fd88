"""Planted secrets and tokens are found nowhere after a full run: no output, no argument, no log, no traceback, no
configuration, and no file that anyone else may read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from sandbox_client import Running, running

RPCTL: Final = str(Path(sys.executable).with_name("rpctl"))
CRASHES: Final = """
import rpctl.backends.emporix.translate as translate

def fails(document):
    raise RuntimeError("a bug")

translate.summary_of = fails
"""
COMMANDS: Final = (
    "auth login --secret-stdin --yes",
    "auth login --customer --token-stdin --yes",
    "auth login --employee --token-stdin --yes",
    "auth status -o json",
    "config show --sources",
    "profile list",
    "options create --name ten --points 5 --percent 10",
    "points add C1 50 --description planted",
    "points redeem C1 3",
    "points redeem C1 3000",
    "points summary -o jsonl",
    "points balance nobody",
    "program set --factor 2",
    "me balance",
    "me summary",
    "api GET /reward-points/summaryBatch",
    "api POST /reward-points/customer/C1/addPoints",
    "doctor -o json",
    "auth logout --employee",
    "points add C1 1",
    "auth token extra",
)


@pytest.fixture
def service() -> Iterator[Running]:
    with running(token_lifetime_s=10**9) as one:
        yield one


class Watch:
    """Collects the argument lists of rpctl's processes while it runs."""

    def __init__(self) -> None:
        self.seen: set[bytes] = set()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._end.wait(0.005):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    line = path.read_bytes()
                except OSError:
                    continue
                if b"rpctl" in line:
                    self.seen.add(line)


def files_with(folder: Path, secrets: list[str]) -> Iterator[Path]:
    """The files in which one of the secrets stands."""
    for path in folder.rglob("*"):
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets):
            yield path


def test_no_secret_and_no_token_shows_up_anywhere(service: Running, home: Path, tmp_path: Path) -> None:
    secret = service.exports["RPCTL_CLIENT_SECRET"]
    customer, employee = service.token("C1"), service.token("employee")
    (tmp_path / "crash").mkdir()
    (tmp_path / "crash/sitecustomize.py").write_text(CRASHES)
    environ = {"PATH": os.environ["PATH"], "HOME": str(home), "RPCTL_KEYRING": "off"}
    environ |= {"RPCTL_DEBUG": "1", "RPCTL_SETTLE_S": "0"}
    url, tenant, client = (service.exports[f"RPCTL_{name}"] for name in ("URL", "TENANT", "CLIENT_ID"))
    create = ["profile", "create", "p", "--backend", "emporix", "--url", url, "--tenant", tenant, "--client-id", client]
    said: dict[str, str] = {}

    def run(*words: str, stdin: str = "", **more: str) -> None:
        done = subprocess.run(
            [RPCTL, *words],
            env={**environ, **more},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        said[f"{' '.join(words)} {sorted(more)}"] = f"[{done.returncode}] {done.stdout}{done.stderr}"

    with Watch() as watch:
        run(*create)
        run("profile", "use", "p")
        for command in COMMANDS:
            stdin = customer if "--customer" in command else employee if "--employee" in command else secret
            run(*command.split(), "-v", stdin=stdin)
        planted = {"RPCTL_CLIENT_SECRET": secret, "RPCTL_CUSTOMER_TOKEN": customer, "RPCTL_ACCESS_TOKEN": employee}
        run("points", "summary", "C1", "-v", PYTHONPATH=str(tmp_path / "crash"))
        run("points", "summary", "C1", "-v", PYTHONPATH=str(tmp_path / "crash"), **planted)
        run("points", "balance", "C1", "-v", RPCTL_URL="http://127.0.0.1:9", RPCTL_TIMEOUT_S="0.3", **planted)
        run("points", "balance", "C1", "-v", RPCTL_TENANT="other", **planted)
        run("points", "balance", "C1", "-v", RPCTL_CLIENT_SECRET=f"{secret}x")
        run("auth", "login", secret, "--secret", secret)
        run("auth", "login", "--secret-file", secret)
        run("auth", "login", "--customer", "--token-stdin", stdin=f"two {customer} words")
    tokens = issued(home)
    secrets = [secret, customer, employee, *tokens]

    assert len(tokens) >= 2
    assert "a bug" in said["points summary C1 -v ['PYTHONPATH']"]
    assert len(watch.seen) > 5
    own_words = {command for command in said if "--secret" in command}  # whoever types it there has shown it
    assert {
        command: output
        for command, output in said.items()
        if command not in own_words and any(one in output for one in secrets)
    } == {}
    assert [one for one in own_words if any(secret in said[one] for secret in secrets)] == []
    typed = [line for line in watch.seen if any(one.encode() in line for one in secrets)]
    assert [line for line in typed if b"login" not in line] == []
    assert [line for line in service.log if any(one in line for one in secrets)] == []
    kept = list(files_with(home, secrets))
    assert {path.parent.name for path in kept} <= {"credentials", "tokens"}
    assert [path for path in kept if path.stat().st_mode & 0o077 or path.parent.stat().st_mode & 0o077] == []


def issued(home: Path) -> list[str]:
    """The access tokens that were kept."""
    folder = home / ".cache/rpctl/tokens"
    return [json.loads(path.read_text())["accessToken"] for path in folder.glob("*.json")]
