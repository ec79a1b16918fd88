"""Logging in on a machine with a real Secret Service, on one without a desktop, and at a real terminal."""

from __future__ import annotations

import json
import shlex
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from real_machine import Conversation, Machine, tool

from sandbox_client import running

_SECRET_SERVICE = """
printf 'a password' | {daemon} --unlock --components=secrets >/dev/null
echo "$DBUS_SESSION_BUS_ADDRESS"
read -r _
"""


@pytest.fixture
def secret_service(machine: Machine) -> Iterator[str]:
    """The address of a session bus with an unlocked GNOME keyring of the machine's own on it."""
    session = tool("dbus-run-session", "dbus")
    daemon = tool("gnome-keyring-daemon", "gnome-keyring")
    runtime = machine.home / "runtime"
    runtime.mkdir(mode=0o700)
    process = machine.start(
        [session, "--", "bash", "-c", _SECRET_SERVICE.format(daemon=shlex.quote(daemon))],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        environ={"XDG_RUNTIME_DIR": str(runtime)},
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process.stdout.readline().decode().strip()
    finally:
        process.stdin.close()
        process.wait(30)
        process.stdout.close()


@pytest.fixture
def service(machine: Machine) -> Iterator[str]:
    """A service with a profile in force for it; its client secret."""
    with running() as one:
        told = one.exports
        words = [f"--{word}={told[f'RPCTL_{word.upper()}']}" for word in ("backend", "url", "tenant")]
        machine.here("profile", "create", "live", *words, f"--client-id={told['RPCTL_CLIENT_ID']}").ok()
        machine.here("profile", "use", "live").ok()
        yield told["RPCTL_CLIENT_SECRET"]


def sources(machine: Machine) -> dict[str, str]:
    """Which credential comes from where."""
    document = machine.run("auth", "status", "-o", "json").ok().document
    return {one["credential"]: one["source"] for one in document["credentials"]}


def files_with(secret: str, root: Path) -> list[Path]:
    """The files below ``root`` in which the secret can be read."""
    files = [path for path in root.rglob("*") if path.is_file()]
    return [path for path in files if secret.encode() in path.read_bytes()]


def test_a_secret_lives_in_the_secret_service_from_login_to_logout(
    machine: Machine, secret_service: str, service: str
) -> None:
    machine.environ["DBUS_SESSION_BUS_ADDRESS"] = secret_service

    login = machine.run("auth", "login", "--secret-stdin", stdin=service).ok()

    assert service not in login.out + login.err
    assert sources(machine) == {"client secret": "the keyring"}
    assert files_with(service, machine.home / ".local/share/rpctl") == []
    assert files_with(service, machine.home / ".cache") == []

    for file in (machine.home / ".cache/rpctl/tokens").glob("*.json"):
        file.unlink()
    machine.run("points", "add", "C1", "5", "--key", "k").ok()  # a fresh process finds it
    assert machine.run("points", "balance", "C1").ok().out == "5\n"

    logout = machine.run("auth", "logout").ok()
    assert "the keyring\tremoved" in logout.out
    assert machine.run("auth", "status").status == 4
    assert machine.run("points", "balance", "C1").status == 4


def test_tokens_of_customers_and_employees_live_there_too(machine: Machine, secret_service: str, service: str) -> None:
    machine.environ["DBUS_SESSION_BUS_ADDRESS"] = secret_service
    for which in ("--customer", "--employee"):
        machine.run("auth", "login", which, "--token-stdin", stdin=f"token-of{which}\n").ok()

    assert sources(machine) == {"customer token": "the keyring", "employee token": "the keyring"}
    assert machine.run("auth", "token").ok().out == "token-of--employee\n"
    assert machine.run("auth", "token", "--customer").ok().out == "token-of--customer\n"


@pytest.mark.parametrize("bus", [None, "unix:path=/nowhere/bus", "disabled:", "nonsense"])
def test_without_a_desktop_nothing_hangs_and_nothing_is_heard(machine: Machine, service: str, bus: str | None) -> None:
    if bus is not None:
        machine.environ["DBUS_SESSION_BUS_ADDRESS"] = bus
    started = time.monotonic()

    refused = machine.run("auth", "login", "--secret-stdin", stdin=service)

    assert refused.status == 6
    assert [line.partition(":")[0] for line in refused.err.splitlines()] == ["note", "error", "hint"]
    assert time.monotonic() - started < 10
    assert machine.run("auth", "login", "--secret-stdin", "--yes", stdin=service).ok()
    (file,) = files_with(service, machine.home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert sources(machine) == {"client secret": str(file)}


def test_a_bus_that_never_answers_is_given_up(machine: Machine, service: str) -> None:
    import socket

    path = machine.home / "bus"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        machine.environ |= {"DBUS_SESSION_BUS_ADDRESS": f"unix:path={path}", "RPCTL_KEYRING_TIMEOUT_S": "0.5"}
        started = time.monotonic()

        refused = machine.run("auth", "login", "--secret-stdin", stdin=service)

    assert refused.status == 6
    assert "no keyring: it did not answer within 0.5 seconds" in refused.err
    assert time.monotonic() - started < 10


def test_a_secret_is_typed_at_a_terminal_without_echo(machine: Machine, service: str) -> None:
    def talk(conversation: Conversation) -> None:
        conversation.wait_for("Type yes to go on:")
        conversation.type("yes\n")
        conversation.wait_for("Client secret of ")
        conversation.type(f"{service}\n")

    done = machine.on_terminal("auth", "login", environ={"RPCTL_KEYRING": "off"}, talk=talk).ok()

    assert service not in done.out
    assert json.loads(machine.run("auth", "status", "-o", "json").ok().out)["credentials"][0]["shadowed"] == []
