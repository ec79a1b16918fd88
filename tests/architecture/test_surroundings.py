"""What the tests themselves stand on: an empty home, no network, and no silent skip where nothing may be skipped."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError


def test_home_is_empty_and_nothing_of_the_outside_shines_through(home: Path) -> None:
    assert list(home.iterdir()) == []
    assert [name for name in os.environ if name.startswith("RPCTL_") or name in ("NO_COLOR", "COLUMNS")] == []
    assert {str(home)} == {os.environ["HOME"], os.path.commonpath([os.environ["XDG_DATA_HOME"], home])}


def test_the_network_is_refused_and_loopback_is_not() -> None:
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
    with socket.socket() as client, pytest.raises((SocketConnectBlockedError, UserWarning)):
        client.connect(("192.0.2.1", 80))  # an address of RFC 5737 that is nobody's


@pytest.mark.parametrize(("no_skip", "status"), [("1", 1), ("", 0)])
def test_a_skip_is_a_failure_where_nothing_may_be_skipped(no_skip: str, status: int, tmp_path: Path) -> None:
    shutil.copy(Path(__file__).parents[1] / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    (tmp_path / "test_it.py").write_text(
        "import pytest\n"
        "def test_skipped(): pytest.skip('because')\n"
        "@pytest.mark.xfail\ndef test_expected_to_fail(): assert False\n",
        encoding="utf-8",
    )

    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env={**os.environ, "RPCTL_TEST_NO_SKIP": no_skip},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == status, done.stdout
    assert ("must not be skipped here" in done.stdout) == (status == 1)
