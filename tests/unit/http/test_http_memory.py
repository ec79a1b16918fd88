"""A list of everybody goes through: memory does not grow with the number of customers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from peak import Measured, measured
from servers import Talk

Make = Callable[..., Any]

CUSTOMERS: Final = 50_000
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


def _shown(url: str, folder: Path, *words: str) -> Measured:
    environ = {
        **os.environ, "RPCTL_BACKEND": "emporix", "RPCTL_URL": url, "RPCTL_TENANT": "shop", "RPCTL_ACCESS_TOKEN": "t",
    }  # fmt: skip
    done = measured([Path(sys.executable).with_name("rpctl"), *words], environ, folder)
    assert done.status == 0
    return done


def test_many_customers_take_no_more_memory_than_a_few(serve: Make, tmp_path: Path) -> None:
    server = serve(_everybody)
    few = _shown(server.url, tmp_path, "points", "summary", "-o", "jsonl", "--limit", "10")
    assert len(few.out.splitlines()) == 10
    everybody = _shown(server.url, tmp_path, "points", "summary", "-o", "jsonl")
    assert [json.loads(line)["activePoints"] for line in everybody.out.splitlines()] == list(range(CUSTOMERS))
    assert everybody.peak_mib - few.peak_mib < 8, (few.peak_mib, everybody.peak_mib)
