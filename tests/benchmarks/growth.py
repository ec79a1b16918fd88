"""Whether one `points add` stays as fast when the ledger, or one customer, has grown large."""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from pathlib import Path

from pairs import clean_environ, ratio, run_s

HOT = "C-HOT"


def write_changes(path: Path, rows: int, customer: str | None = None) -> None:
    """A CSV of additions: validity dates years ahead, a tenth of them without; a tenth as many customers as rows."""
    rng = random.Random(7)
    with path.open("w") as file:
        file.write("customer_id,points,reference_id,valid_until,key\n")
        for n in range(rows):
            who = customer or f"C{rng.randrange(max(1, rows // 10)):08d}"
            until = "" if rng.random() < 0.1 else f"{rng.randint(2032, 2039)}-{rng.randint(1, 12):02d}-11"
            file.write(f"{who},{rng.randint(1, 499)},ORD-{n},{until},{rng.getrandbits(96):024x}\n")


def main() -> None:
    """Builds the ledgers, then measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entries", type=int, default=3_000_000)
    parser.add_argument("--hot", type=int, default=100_000)
    parser.add_argument("--runs", type=int, default=41)
    args = parser.parse_args()
    rpctl = str(Path(sys.executable).with_name("rpctl"))
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        environ = clean_environ(home)
        ledgers = {name: str(home / f"{name}.db") for name in ("empty", "large", "hot")}
        changes = home / "changes.csv"
        for name, rows, customer in (("large", args.entries, None), ("hot", args.hot, HOT)):
            write_changes(changes, rows, customer)
            took_s = run_s([rpctl, "points", "import", str(changes), "--ledger", ledgers[name]], environ)
            print(f"built a ledger of {rows:,} entries in {took_s:.0f} s", flush=True)

        def add(ledger: str, customer: str = "C00000001") -> list[str]:
            return [rpctl, "points", "add", customer, "5", "--ledger", ledgers[ledger]]

        ratio(
            f"points add on {args.entries:,} entries / empty",
            lambda _: add("large"),
            lambda _: add("empty"),
            environ,
            args.runs,
        )
        ratio(
            f"points add to a customer with {args.hot:,} entries / empty",
            lambda _: add("hot", HOT),
            lambda _: add("empty"),
            environ,
            args.runs,
        )
        ratio(
            f"points redeem from a customer with {args.hot:,} entries / empty",
            lambda _: [rpctl, "points", "redeem", HOT, "5", "--ledger", ledgers["hot"]],
            lambda _: [rpctl, "points", "redeem", "C00000001", "1", "--ledger", ledgers["empty"]],
            environ,
            args.runs,
        )


if __name__ == "__main__":
    main()
