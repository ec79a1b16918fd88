"""A list of everybody goes through: memory does not grow with the number of customers."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from peak import Measured, measured
from servers import Behaviour, Talk

Make = Callable[..., Any]

CUSTOMERS: Final = 30_000
_LOT: Final = {
    "id": "5345b895-6b68-734e-6d1c-1acdeea574cb", "points": 50, "createdAt": "2026-01-01T00:00:00.000+00:00",
    "validUntil": "2027-01-01T00:00:00Z", "usedWith": None, "allPointsAfterCreation": 50, "description": "Welcome",
}  # fmt: skip


def _list_of(customers: int) -> Behaviour:
    def behave(talk: Talk) -> None:
        talk.request()
        talk.send(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in range(0, customers, 1000):
            some = [
                json.dumps({"customerId": f"C{n}", "activePoints": n, "summary": {"addedPointsList": [_LOT]}})
                for n in range(start, min(start + 1000, customers))
            ]
            piece = ("[" if start == 0 else ",") + ",".join(some) + ("]" if start + 1000 >= customers else "")
            talk.send(b"%x\r\n%b\r\n" % (len(piece), piece.encode()))
        talk.send(b"0\r\n\r\n")

    return behave


def _shown(url: str, folder: Path, *words: str) -> Measured:
    environ = {
        **os.environ, "RPCTL_BACKEND": "emporix", "RPCTL_URL": url, "RPCTL_TENANT": "shop", "RPCTL_ACCESS_TOKEN": "t",
    }  # fmt: skip
    done = measured([Path(sys.executable).with_name("rpctl"), *words], environ, folder)
    assert done.status == 0
    return done


def test_many_customers_take_no_more_memory_than_a_few(serve: Make, tmp_path: Path) -> None:
    words = ("points", "summary", "-o", "jsonl")
    few = _shown(serve(_list_of(10)).url, tmp_path, *words)
    assert len(few.out.splitlines()) == 10
    everybody = _shown(serve(_list_of(CUSTOMERS)).url, tmp_path, *words)
    assert [json.loads(line)["activePoints"] for line in everybody.out.splitlines()] == list(range(CUSTOMERS))
    assert everybody.peak_mib - few.peak_mib < 8, (few.peak_mib, everybody.peak_mib)
