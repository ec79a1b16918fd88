"""An import over a service that takes 20 ms to answer, against `wrk` and `xargs curl` at the same endpoint.

    python tests/benchmarks/online_imports.py [--rows 12000] [--runs 3] [--latency 20ms]

Each contender has a fresh service, taken in turn; rates are rows or requests a second of the whole process, and the
sums of an import are checked. Needs wrk and curl; some three minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.request import Request, urlopen

from online import sandbox
from pairs import clean_environ

WIDTHS = (8, 32)
WRK_S = 8
CURLS = 800
LUA = """
local path = "/reward-points/customer/"
local count = 0
local thread_number = 0
function setup(thread) thread:set("number", thread_number); thread_number = thread_number + 1 end
request = function()
  count = count + 1
  local headers = {["Authorization"] = "Bearer " .. os.getenv("TOKEN"), ["Content-Type"] = "application/json"}
  local name = string.format("W%d-%06d", number, count)
  local body = string.format('{"id":"%08x-0000-5000-8000-%012x","points":%d}', number, count, count % 97 + 1)
  return wrk.format("POST", path .. name .. "/addPoints?siteCode=main", headers, body)
end
"""
CURL = (
    'curl -sf -o /dev/null -X POST -H "Authorization: Bearer $TOKEN" -H "Content-Type: application/json"'
    ' -d \'{"points": 5}\' "$RPCTL_URL/reward-points/customer/X@/addPoints?siteCode=main"'
)


def main() -> None:
    """Measures in a temporary home."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=12_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--latency", default="20ms")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        field = Field(Path(name), wanted.latency)
        for width in WIDTHS:
            rows = wanted.rows if width > WIDTHS[0] else wanted.rows // 3
            contenders: dict[str, Callable[[], float]] = {
                "rpctl": lambda rows=rows, width=width: field.rpctl(rows, width),
                "wrk": lambda width=width: field.wrk(width),
                "curl": lambda width=width: field.curl(width),
            }
            found: dict[str, list[float]] = {name: [] for name in contenders}
            for _ in range(wanted.runs):
                for contender, measure in contenders.items():
                    found[contender].append(measure())
            rate = {name: statistics.median(rates) for name, rates in found.items()}
            print(
                f"concurrency {width}: rpctl {rate['rpctl']:.0f}/s, wrk {rate['wrk']:.0f}/s, xargs curl"
                f" {rate['curl']:.0f}/s: {rate['rpctl'] / rate['wrk']:.2f} of wrk,"
                f" {rate['rpctl'] / rate['curl']:.1f} times curl; single runs"
                f" {[f'{ours / theirs:.2f}' for ours, theirs in zip(found['rpctl'], found['wrk'], strict=True)]}"
            )


class Field:
    """Where the contenders run."""

    def __init__(self, folder: Path, latency: str) -> None:
        self.rpctl_path = str(Path(sys.executable).with_name("rpctl"))
        self.folder = folder
        self.latency = latency
        self.environ = {**clean_environ(folder), "RPCTL_KEYRING": "off"}
        (folder / "post.lua").write_text(LUA)

    def rpctl(self, rows: int, width: int) -> float:
        """An import of so many rows for as many customers. Rows a second."""
        points = [number % 97 + 1 for number in range(rows)]
        file = self.folder / "rows.csv"
        file.write_text("customer_id,points\n" + "".join(f"C{at:06d},{one}\n" for at, one in enumerate(points)))
        with sandbox(self.rpctl_path, self.environ, "--latency", self.latency) as exported:
            environ = self.environ | exported
            began_s = time.perf_counter()
            words = [self.rpctl_path, "points", "import", str(file), "--concurrency", str(width), "-q", "-o", "json"]
            subprocess.run(words, env=environ, check=True, stdout=subprocess.DEVNULL)
            took_s = time.perf_counter() - began_s
            listed = subprocess.check_output([self.rpctl_path, "customer", "list", "-o", "json"], env=environ)
            balances = {one["customerId"]: one["activePoints"] for one in json.loads(listed)}
            assert balances == {f"C{at:06d}": one for at, one in enumerate(points)}, "the sums are wrong"
        return rows / took_s

    def wrk(self, width: int) -> float:
        """The same request by wrk. Requests a second."""
        with sandbox(self.rpctl_path, self.environ, "--latency", self.latency) as exported:
            environ = self.environ | exported | {"PATH": os.environ["PATH"]}
            environ["TOKEN"] = self._token(environ)
            words = [
                "wrk",
                "-t2",
                f"-c{width}",
                f"-d{WRK_S}s",
                "-s",
                str(self.folder / "post.lua"),
                environ["RPCTL_URL"],
            ]
            told = subprocess.check_output(words, env=environ, text=True)
        assert "Non-2xx" not in told, told
        (line,) = [line for line in told.splitlines() if line.startswith("Requests/sec:")]
        return float(line.split()[1])

    def curl(self, width: int) -> float:
        """The same request by a curl each. Requests a second."""
        with sandbox(self.rpctl_path, self.environ, "--latency", self.latency) as exported:
            environ = self.environ | exported | {"PATH": os.environ["PATH"]}
            environ["TOKEN"] = self._token(environ)
            began_s = time.perf_counter()
            words = f"seq {CURLS} | xargs -P{width} -I@ {CURL}"
            subprocess.run(words, shell=True, env=environ, check=True)
            return CURLS / (time.perf_counter() - began_s)

    @staticmethod
    def _token(environ: dict[str, str]) -> str:
        """A token that may write."""
        body, headers = b'{"holder": "service"}', {"Content-Type": "application/json"}
        request = Request(f"{environ['RPCTL_URL']}/sandbox/token", body, headers)
        with urlopen(request) as answer:
            return str(json.load(answer)["access_token"])


if __name__ == "__main__":
    main()
