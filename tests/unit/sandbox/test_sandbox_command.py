"""`rpctl sandbox` as a command: what it prints, what it logs, how it ends, and what it refuses."""

from __future__ import annotations

import base64
import json
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from rpctl import sandbox as rpctl_sandbox

if TYPE_CHECKING:
    from conftest import CommandLine, Ended

NAMES = [
    "RPCTL_BACKEND",
    "RPCTL_URL",
    "RPCTL_TENANT",
    "RPCTL_CLIENT_ID",
    "RPCTL_CLIENT_SECRET",
    "RPCTL_CUSTOMER_TOKEN",
    "RPCTL_SETTLE_S",
]


class Command:
    """The program in a process of its own; ``exports`` is what its stdout said before it was closed."""

    def __init__(self, folder: Path, *argv: str) -> None:
        self.log = folder / f"log-{len(list(folder.iterdir()))}.txt"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rpctl", "sandbox", *argv],
                cwd=folder,
                stdout=subprocess.PIPE,
                stderr=log,
                # Whoever runs the tests in the background has SIGINT ignored, and so would the program have it.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
            )
        assert self.process.stdout is not None
        self.out = self.process.stdout.read().decode()  # to its end: it comes although the program goes on
        self.process.stdout.close()
        self.exports = dict(re.findall(r"^export (\w+)=(.*)$", self.out, re.MULTILINE))

    def ask(
        self, method: str, path: str, body: Any = None, token: str | None = None, authorization: str | None = None
    ) -> Any:
        """The JSON of an answer; ``authorization`` takes the place of a token."""
        authorization = authorization or (f"Bearer {token}" if token else None)
        headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.exports["RPCTL_URL"] + path, content, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")

    def token(self) -> str:
        """A service token, had in the documented way."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.exports["RPCTL_CLIENT_ID"],
            "client_secret": self.exports["RPCTL_CLIENT_SECRET"],
        }
        with urllib.request.urlopen(f"{self.exports['RPCTL_URL']}/oauth/token", urlencode(form).encode()) as answer:
            return str(json.loads(answer.read())["access_token"])

    def logged(self) -> list[str]:
        """The lines of stderr so far."""
        return self.log.read_text(encoding="utf-8").splitlines()


@contextmanager
def command(folder: Path, *argv: str) -> Iterator[Command]:
    """Runs until the end of the context, and ends with 0 then."""
    one = Command(folder, *argv)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGTERM)
        status = one.process.wait(timeout=10)
    assert status == 0, one.logged()


def test_stdout_is_what_a_shell_reads_and_comes_to_its_end(tmp_path: Path) -> None:
    with command(tmp_path) as one:
        assert one.process.poll() is None
        assert [line.partition("=")[0] for line in one.out.splitlines()] == [f"export {name}" for name in NAMES]
        assert (one.exports["RPCTL_BACKEND"], one.exports["RPCTL_SETTLE_S"]) == ("emporix", "2")
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", one.exports["RPCTL_URL"])
        assert re.fullmatch(r"sb[0-9a-f]{8}", one.exports["RPCTL_TENANT"])
        assert one.ask("GET", "/reward-points/summaryBatch", token=one.token()) == []


def test_a_shell_goes_on_with_it_at_once(shell: Callable[..., Ended]) -> None:
    ended = shell(
        'source <(rpctl sandbox 2> log.txt); echo "$RPCTL_BACKEND $RPCTL_URL"\n'
        "for _ in 1 2 3 4 5 6 7 8 9; do grep -q serving log.txt && break; sleep 0.1; done\n"
        'kill "$(sed -n "s/.*pid \\([0-9]*\\).*/\\1/p" log.txt)"'
    )

    assert (ended.status, ended.err) == (0, "")
    assert re.fullmatch(r"emporix http://127\.0\.0\.1:\d+\n", ended.out)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_quickly_and_well(number: signal.Signals, tmp_path: Path) -> None:
    with command(tmp_path, "--latency", "60s") as one, socket.socket() as waiting:
        waiting.connect(("127.0.0.1", int(one.exports["RPCTL_URL"].rpartition(":")[2])))
        waiting.sendall(b"GET /reward-points/summaryBatch HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.2)
        began = time.monotonic()
        one.process.send_signal(number)
        assert one.process.wait(timeout=10) == 0
        assert time.monotonic() - began < 3


def test_the_log_has_a_line_a_request_and_no_secret(tmp_path: Path) -> None:
    with command(tmp_path, "--seed", "1", "--fail-rate", "1") as one:
        token = one.token()
        with pytest.raises(urllib.request.HTTPError) as failed:
            one.ask("POST", "/reward-points/customer/C1%2F/addPoints", {"points": 5, "description": "private"}, token)
        failed.value.close()
        customer = one.ask("POST", "/sandbox/customer-token/C1", {})["access_token"]
        first, *lines = one.logged()

    pid = one.process.pid
    assert first == f"sandbox: serving {one.exports['RPCTL_URL']} (pid {pid}); Ctrl-C or `kill {pid}` stops it"
    assert [re.sub(r"\d+ ms", "N ms", line) for line in lines] == [
        "POST /oauth/token 200 N ms",
        "POST /reward-points/customer/C1%2F/addPoints 500 N ms  fault: failed",
    ]
    secrets = (token, customer, one.exports["RPCTL_CLIENT_SECRET"], one.exports["RPCTL_CUSTOMER_TOKEN"], "private")
    assert [secret for secret in secrets if any(secret in line for line in one.logged())] == []


def test_quiet_leaves_requests_out_of_the_log(tmp_path: Path) -> None:
    with command(tmp_path, "--quiet") as one:
        one.token()

    assert [line.partition(" ")[0] for line in one.logged()] == ["sandbox:"]


def test_it_keeps_a_ledger_that_was_named_and_no_other(tmp_path: Path, home: Path) -> None:
    before = set(tmp_path.iterdir()) | set(home.rglob("*"))
    with command(tmp_path, "--ledger", "trial.db", "--clock", "2026-03-01") as one:
        one.ask("POST", "/reward-points/customer/C1/addPoints", {"points": 5, "id": "mine"}, one.token())
        summary = one.ask("GET", "/reward-points/customer/C1/summary", token=one.token())
        log = one.log

    made = {path.name for path in (set(tmp_path.iterdir()) | set(home.rglob("*"))) - before - {log}}
    assert made == {"trial.db", "trial.db-sandbox"}
    (lot,) = summary["summary"]["addedPointsList"]
    assert lot["id"] == "mine"
    assert lot["createdAt"].startswith("2026-03-01T00:00:")
    with command(tmp_path, "--ledger", "trial.db") as again:
        assert again.exports["RPCTL_TENANT"] == one.exports["RPCTL_TENANT"]
        assert again.ask("GET", "/reward-points/customer/C1", token=again.token()) == 5


def test_data_without_a_ledger_leaves_nothing(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RPCTL_LEDGER", str(tmp_path / "real.db"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    one = Command(tmp_path)
    one.ask("POST", "/reward-points/customer/C1/addPoints", {"points": 5}, one.token())
    one.process.kill()  # not even in the end that nobody can prepare for
    one.process.wait(timeout=10)

    assert [path.name for path in tmp_path.iterdir()] == [one.log.name]
    assert [path for path in home.rglob("*") if path.is_file()] == []


def test_it_begins_with_what_is_loaded(tmp_path: Path) -> None:
    (tmp_path / "begin.csv").write_text("customer_id,points\n0042,5\n", encoding="utf-8")

    with command(tmp_path, "--load", "begin.csv") as one:
        assert one.ask("GET", "/reward-points/customer/0042", token=one.token()) == 5
        assert ", 1 customers loaded (pid " in one.logged()[0]


def test_the_environment_of_an_earlier_one_is_not_in_its_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with command(tmp_path) as first:
        for name, value in first.exports.items():
            monkeypatch.setenv(name, value)
        with command(tmp_path, "--ledger", "trial.db", "--clock", "2026-03-01T08:00:00+01:00") as second:
            assert first.exports["RPCTL_URL"] != second.exports["RPCTL_URL"]


def test_a_port_in_use_is_told(rpctl: CommandLine) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        ended = rpctl("sandbox", "--port", str(port))

    assert (ended.status, ended.out) == (75, "")
    assert ended.err.splitlines() == [
        f"error: Something listens on port {port} already.",
        "hint: Name another with --port, or 0 for a free one.",
    ]


def test_without_the_extra_it_says_how_to_get_it(rpctl: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "rpctl.sandbox.serving", raising=False)
    monkeypatch.delattr(rpctl_sandbox, "serving", raising=False)

    ended = rpctl("sandbox")

    assert (ended.status, ended.out) == (7, "")
    assert ended.err.splitlines() == [
        "error: The sandbox needs the package uvicorn, which is not installed.",
        "hint: pip install 'rpctl[sandbox]'",
    ]


@pytest.mark.parametrize(
    ("option", "value", "why"),
    [
        ("--port", "65536", "--port cannot be '65536'."),
        ("--port", "http", "--port cannot be 'http'."),
        ("--latency", "20", "'20' is no latency."),
        ("--latency", "2h", "'2h' is no latency."),
        ("--latency", "4000s", "'4000s' is no latency."),
        ("--fail-rate", "1.1", "--fail-rate 1.1 is more than all requests."),
        ("--fail-rate", "20%", "'20%' is not a number for the option --fail-rate."),
        ("--lose-answer-rate", "2", "--lose-answer-rate 2 is more than all requests."),
        ("--rate-limit", "0", "'0' is not a number of requests a second."),
        ("--drop-marker", "points", "--drop-marker cannot be 'points'."),
        ("--seed", "x", "--seed cannot be 'x'."),
        ("--token-lifetime", "-1", "--token-lifetime cannot be '-1'."),
        ("--backend", "ledger", "Invalid value for '--backend': 'ledger' is not one of 'emporix', 'bonifiq'."),
        ("--key-used-code", "7", "--key-used-code cannot be '7'."),
        ("--key-used-code", "17:", "--key-used-code cannot be '17:'."),
        ("--key-used-code", "17:two words", "--key-used-code cannot be '17:two words'."),
        ("--warn-rate", "1.5", "--warn-rate 1.5 is more than all requests."),
        ("--clock", "never", "--clock never is no moment."),
        ("--clock", "soon", "'soon' is not a date that rpctl knows."),
    ],
)
def test_an_option_that_is_wrong_is_a_usage_error(option: str, value: str, why: str, rpctl: CommandLine) -> None:
    ended = rpctl("sandbox", f"{option}={value}")

    assert (ended.status, ended.out) == (2, "")
    assert ended.err.splitlines()[0] == f"error: {why}"


def test_what_cannot_be_loaded_ends_it_before_anything_is_printed(rpctl: CommandLine) -> None:
    ended = rpctl("sandbox", "--load", "absent.json")

    assert (ended.status, ended.out) == (7, "")
    assert ended.err.splitlines()[0] == "error: absent.json cannot be read: No such file or directory."


def test_each_marker_can_be_dropped_by_its_name(tmp_path: Path) -> None:
    with command(tmp_path, "--drop-marker", "reference", "--drop-marker=id", "--drop-marker", "description") as one:
        sent = {"points": 5, "id": "mine", "description": "mine", "reference-id": "mine"}
        one.ask("POST", "/reward-points/customer/C1/addPoints", sent, one.token())
        summary = one.ask("GET", "/reward-points/customer/C1/summary", token=one.token())

    assert "mine" not in summary["summary"]["addedPointsList"][0].values()


def test_bonifiq_s_options_reach_what_is_served(tmp_path: Path) -> None:
    options = ("--backend", "bonifiq", "--key-used-code", "42:Duplicated", "--warn-rate", "1", "--bare")
    with command(tmp_path, *options) as one:
        names = [line.partition("=")[0] for line in one.out.splitlines()]
        credentials = f"{one.exports['RPCTL_CLIENT_ID']}:{one.exports['RPCTL_CLIENT_SECRET']}".encode()
        basic = f"Basic {base64.b64encode(credentials).decode()}"
        path = "/v1/pvt/Customer/C1/points"
        body = {"Points": 5, "OperationType": 0, "Reason": "why", "ChangeKey": "k1"}
        first = one.ask("POST", path, body, authorization=basic)
        second = one.ask("POST", path, body, authorization=basic)
        read = one.ask("GET", path, authorization=basic)

    assert names == [f"export {name}" for name in NAMES if name != "RPCTL_CUSTOMER_TOKEN"]
    assert one.exports["RPCTL_BACKEND"] == "bonifiq"
    assert (first["Severity"], second["Code"], second["CodeName"]) == (1, "42", "Duplicated")
    assert read["PointsBalance"] == 5


def test_its_help_loads_nothing_that_serves() -> None:
    program = (
        "import sys; sys.argv = ['rpctl', 'sandbox', '--help']\n"
        "from rpctl.cli.app import main\n"
        "main(); print({'uvicorn', 'asyncio', 'sqlite3'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert done.stdout.endswith("\nset()\n"), done
