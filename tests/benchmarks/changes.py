"""Writes CSV files of point changes of any size, the same for the same arguments."""

from __future__ import annotations

import csv
import random
from collections import defaultdict
from pathlib import Path
from typing import Final

COLUMNS: Final = ("customer_id", "points", "reference_id", "description", "valid_until", "key")


def write_changes(path: Path, rows: int, *, redeem: float = 0.0, hot: int = 0, seed: int = 1) -> None:
    """``rows`` changes of a tenth as many customers, each with a random key of its own.

    ``redeem``: the share of rows that take some of what the customer has by then; ``hot``: how many of the first rows
    belong to one customer. Validities lie years ahead, and one row in ten has none.
    """
    rng = random.Random(seed)
    left: defaultdict[str, int] = defaultdict(int)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in range(rows):
            customer = "C-ONE" if row < hot else f"C{rng.randrange(max(rows // 10, 1)):08d}"
            key = f"{rng.getrandbits(96):024x}"
            if left[customer] and rng.random() < redeem:
                points = -rng.randint(1, left[customer])
                writer.writerow((customer, points, "", f"taken at the till, slip {row}", "", key))
            else:
                points = rng.randint(1, 500)
                day = "" if rng.random() < 0.1 else f"{rng.randint(2033, 2040)}-{rng.randint(1, 12):02d}-15"
                writer.writerow((customer, points, f"ORD-{row}", f"points for order ORD-{row}", day, key))
            left[customer] += points
