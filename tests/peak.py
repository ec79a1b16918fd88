"""The most memory that a process needs, seen by a small parent.

What whoever starts a process has in memory counts as the process's own until it is another program: a test run of
hundreds of megabytes would measure itself.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

_PARENT: Final = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:])
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""


class Measured(NamedTuple):
    """How a process ended, what it printed, and the most memory that it had."""

    status: int
    out: str
    peak_mib: float


def measured(words: Sequence[str | Path], environ: Mapping[str, str], folder: Path) -> Measured:
    """Runs the process to its end; a small program of Python's own stands between."""
    argv = [sys.executable, "-S", "-c", _PARENT, *map(str, words)]
    done = subprocess.run(argv, env=dict(environ), cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return Measured(done.returncode, done.stdout, int(done.stderr.split()[-1]) / 1024)
