"""Times commands as whole processes, in turn, and compares their medians."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from pathlib import Path

Command = Callable[[int], Sequence[str]]
"""The words of a command for the n-th run."""


def run_s(words: Sequence[str], environ: Mapping[str, str]) -> float:
    """Seconds from start to end of a process; its output is thrown away, its failure is not."""
    started_s = time.perf_counter()
    subprocess.run(words, env=dict(environ), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    return time.perf_counter() - started_s


def ratio(name: str, ours: Command, theirs: Command, environ: Mapping[str, str], runs: int = 41) -> float:
    """Prints and returns the median of ours over the median of theirs; two warm-up runs each are not counted."""
    numbers = count()
    ours_s: list[float] = []
    theirs_s: list[float] = []
    for at in range(runs + 2):
        pair = run_s(ours(next(numbers)), environ), run_s(theirs(next(numbers)), environ)
        if at >= 2:
            ours_s.append(pair[0])
            theirs_s.append(pair[1])
    a, b = statistics.median(ours_s), statistics.median(theirs_s)
    print(f"{name}: {a * 1000:.1f} ms / {b * 1000:.1f} ms = {a / b:.2f} (medians of {runs} pairs)", flush=True)
    return a / b


def clean_environ(home: Path) -> dict[str, str]:
    """An environment with an empty home, in which compiled modules are kept as on any machine."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("RPCTL_", "XDG_"))}
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    return {**environ, "HOME": str(home)}
