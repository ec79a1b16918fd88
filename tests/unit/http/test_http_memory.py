"""A list of everybody goes through: memory does not grow with the number of customers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from servers import Talk

Make = Callable[..., Any]

CUSTOMERS: Final = 100_000
_LOT: Final = {
    "id": "5345b895-6b68-734e-6d1c-1acdeea574cb", "points": 50, "createdAt": "2026-01-01T00:00:00.000+00:00",
    "validUntil": "2027-01-01T00:00:00Z", "usedWith": None, "allPointsAfterCreation": 50, "description": "Welcome",
}  # fmt: skip


def _everybody(talk: Talk) -> None:
    talk.request()
    talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
    for start in range(0, CUSTOMERS, 1000):
        some = [
            json.dumps({"customerId": f"C{n}", "activePoints": n, "summary": {"addedPointsList": [_LOT]}})
            for n in range(start, start + 1000)
        ]
        piece = (("[" if start == 0 else ",") + ",".join(some) + ("]" if start + 1000 == CUSTOMERS else "")).encode()
        talk.send(b"%x\r\n%b\r\n" % (len(piece), piece))
    talk.send(b"0\r\n\r\n")


def _peak_mib(url: str, out: Path, *words: str) -> float:
    environ = {
        **os.environ, "RPCTL_BACKEND": "emporix", "RPCTL_URL": url, "RPCTL_TENANT": "shop", "RPCTL_ACCESS_TOKEN": "t",
    }  # fmt: skip
    with out.open("wb") as stream:
        process = subprocess.Popen([Path(sys.executable).with_name("rpctl"), *words], stdout=stream, env=environ)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return used.ru_maxrss / 1024


def test_a_hundred_thousand_customers_take_no_more_memory_than_a_few(serve: Make, tmp_path: Path) -> None:
    server, out = serve(_everybody), tmp_path / "all.jsonl"
    few = _peak_mib(server.url, out, "points", "summary", "-o", "jsonl", "--limit", "10")
    assert len(out.read_bytes().splitlines()) == 10
    everybody = _peak_mib(server.url, out, "points", "summary", "-o", "jsonl")
    with out.open() as lines:
        assert [json.loads(line)["activePoints"] for line in lines] == list(range(CUSTOMERS))
    assert everybody - few < 8, (few, everybody)
