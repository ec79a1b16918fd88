"""A till: the command line of a machine that may be out of its service's reach, in this process, and what it left."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from sandbox_client import Running


class Till:
    """``line``: the command line, pointed at the service; ``shop``: the service; ``home``: the machine's."""

    def __init__(self, line: Any, shop: Running, home: Path) -> None:
        self.line = line
        self.shop = shop
        self.home = home
        line.now = shop.now

    def __call__(self, *words: str, **how: Any) -> Any:
        return self.line(*words, **how)

    def ok(self, *words: str, **how: Any) -> str:
        """What a command prints that must succeed."""
        return str(self.line.ok(*words, **how))

    def document(self, *words: str, status: int = 0, **how: Any) -> dict[str, Any]:
        """The JSON document of a command that ends with this status."""
        ended = self.line(*words, "-o", "json", **how)
        assert ended.status == status, ended
        return dict(json.loads(ended.out))

    def error(self, *words: str, **how: Any) -> dict[str, Any]:
        """The error of a command that prints nothing else; its ``exitStatus`` is the command's."""
        ended = self.line(*words, "-o", "json", **how)
        error = dict(json.loads(ended.err.splitlines()[-1])["error"])
        assert (ended.out, ended.status) == ("", error["exitStatus"]), ended
        assert error["message"] and error["hint"], error
        return error

    # -- without a line --------------------------------------------------------------------------------

    def add(self, customer: str, points: int, key: str, *more: str) -> None:
        """Added points, recorded."""
        self.ok("points", "add", customer, str(points), "--key", key, "--offline", "-q", *more)

    def redeem(self, customer: str, points: int, key: str, *more: str) -> None:
        """Redeemed points, recorded."""
        self.ok("points", "redeem", customer, str(points), "--key", key, "--offline", "-q", *more)

    def balance(self, customer: str) -> int:
        """What the customer has as far as is known here."""
        return int(self.ok("points", "balance", customer, "--offline", "-q"))

    def states(self) -> dict[str, str]:
        """The state of every change that is not sent, by its key."""
        return {one["key"]: one["state"] for one in self.document("sync", "status")["changes"]}

    def file(self, rows: str, name: str = "rows.csv") -> str:
        """A file of changes in the working folder: rows with blanks between them."""
        Path(name).write_text("\n".join(["customer_id,points", *rows.split()]) + "\n")
        return name

    # -- what there is ---------------------------------------------------------------------------------

    @property
    def ledger(self) -> Path:
        return self.home / ".local/share/rpctl/ledger.db"

    def kept(self) -> dict[str, str]:
        """Every file of the machine but its tokens, by what is in it: SQLite may tidy a file up without a change."""
        files = (path for path in self.home.rglob("*") if path.is_file() and ".cache" not in path.parts)
        return {path.name: _content(path) for path in files if not path.name.endswith(("-wal", "-shm"))}

    def asked(self, since: int = 0) -> list[str]:
        """The methods of the requests to the points API since there were so many."""
        requests = list(self.shop.sandbox.application.requests)[since:]
        return [method for method, path, *_ in requests if path.startswith("/reward-points/")]

    @property
    def requests(self) -> int:
        """How many requests the service had."""
        return len(self.shop.sandbox.application.requests)

    def truth(self, customer: str) -> int:
        """What the service says that the customer has."""
        return int(self.shop.points("GET", f"/customer/{customer}").json)

    def entries(self, customer: str) -> int:
        """How many entries the service has of the customer."""
        return sum(map(len, self.shop.summary(customer)["summary"].values()))


def _content(path: Path) -> str:
    if path.suffix != ".db":
        return path.read_text()
    with closing(sqlite3.connect(path)) as database:
        return "\n".join(database.iterdump())
