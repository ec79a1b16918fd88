"""What the README tells a newcomer to type works as it stands there."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

README: Final = Path(__file__).parents[2] / "README.md"


def block_after(heading: str) -> str:
    """The first block of commands under a heading."""
    section = README.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1]
    return section.split("```sh\n")[1].split("```")[0]


def test_the_service_in_a_sandbox_from_the_first_line_to_the_coupon(shell: Callable[..., Any]) -> None:
    lines = block_after("A service, in a sandbox or live").splitlines()
    script = "\n".join(["set -e", *lines[:1], "trap 'kill $!' EXIT", *lines[1:]])
    done = shell(script)

    assert done.status == 0, done.err
    assert len(lines) == 9
    assert re.search(r"^added\t100\t70\t|^.*\tadded\t100\t100\t30\t", done.out, re.MULTILINE)
    assert re.search(r"^code\n[A-Z2-9]{10}\n\Z", done.out, re.MULTILINE)
