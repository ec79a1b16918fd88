"""How commands end, by exit status: what the classes of `rpctl.errors` say, as plain values."""

from __future__ import annotations

import inspect
import re
from dataclasses import dataclass
from typing import Final

from rpctl import errors
from rpctl.errors import RpctlError
from rpctl.manual.prose import MEANINGS, WITHOUT_AN_ERROR

_INTERNAL: Final = re.compile(r"\s*\([^()]*\.md\b[^()]*\)")


@dataclass(frozen=True, slots=True)
class Ending:
    """An error as a user meets it; ``hint`` is empty where it depends on the case."""

    code: str
    meaning: str
    hint: str


def endings() -> dict[int, list[Ending]]:
    """Exit status -> the errors that lead to it, in the order of the module; none for success."""
    found: dict[int, list[Ending]] = {status: [] for status in WITHOUT_AN_ERROR}
    for one in vars(errors).values():
        if isinstance(one, type) and issubclass(one, RpctlError):
            meaning = MEANINGS.get(one.code) or _first_paragraph(one)
            found.setdefault(one.exit_status, []).append(Ending(one.code, meaning, one.default_hint or ""))
    return dict(sorted(found.items()))


def _first_paragraph(error: type[RpctlError]) -> str:
    # Without what points into the project's own papers.
    text = (inspect.getdoc(error) or "").partition("\n\n")[0]
    return _INTERNAL.sub("", " ".join(text.split()))
