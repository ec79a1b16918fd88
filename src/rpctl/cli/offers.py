"""What a shell can offer where an argument or an option's value is typed.

The command line takes most values as text and refuses what is wrong by name, so that the words of an option
stand here a second time; a test holds them against the tables that the program itself uses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from rpctl.cli.completion import SCRIPTS
from rpctl.importing.columns import FIELDS

WORDS: Final[Mapping[str, tuple[str, ...]]] = {
    "--output": ("table", "tsv", "csv", "json", "jsonl"),
    "--type": ("added", "redeemed", "expired", "backdated", "unexplained"),
    "--backend": ("ledger", "emporix", "bonifiq"),
    "SHELL": tuple(SCRIPTS),
    "METHOD": ("GET", "POST", "PUT", "PATCH", "DELETE"),
}
"""Long option or argument -> the words it takes."""

_PATHS: Final = frozenset({"FILE", "PATH", "DIR", "DIRECTORY"})
_PAIR: Final = "FIELD="


class Offer(Enum):
    """What is offered: nothing (free text), words, words that a value follows, files, or the profiles' names."""

    NOTHING = "nothing"
    WORDS = "words"
    PAIRS = "pairs"
    FILES = "files"
    PROFILES = "profiles"


@dataclass(frozen=True, slots=True)
class Values:
    """What can be offered for one value; ``words`` for `Offer.WORDS`, and for `Offer.PAIRS` without the ``=``."""

    offer: Offer = Offer.NOTHING
    words: tuple[str, ...] = ()


FREE: Final = Values()


def option_values(name: str, metavar: str, kind: Any) -> Values:
    """What an option takes: ``name`` its long form, ``metavar`` as shown, ``kind`` its typer type."""
    if name == "--profile":
        return Values(Offer.PROFILES)
    if metavar.startswith(_PAIR):
        return Values(Offer.PAIRS, FIELDS)
    return _values(name, metavar, kind)


def argument_values(path: Sequence[str], metavar: str, kind: Any) -> Values:
    """What an argument of the command at ``path`` takes; ``metavar`` without brackets, ``kind`` its typer type."""
    if path[0] == "api" and metavar == "PATH":
        return FREE  # one of the service's, not of this machine's
    if path[0] == "profile" and path[-1] != "create" and metavar == "NAME":
        return Values(Offer.PROFILES)
    return _values(metavar, metavar, kind)


def _values(name: str, metavar: str, kind: Any) -> Values:
    choices = getattr(kind, "choices", None)
    if choices:
        return Values(Offer.WORDS, tuple(str(getattr(choice, "value", choice)) for choice in choices))
    if name in WORDS:
        return Values(Offer.WORDS, WORDS[name])
    if not _PATHS.isdisjoint(metavar.split("|")):
        return Values(Offer.FILES)
    return FREE
