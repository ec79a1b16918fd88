"""What each setting may be, whoever set it.

Each function takes a value as it was found, returns it as the program uses it, and raises `NotAllowed`
otherwise; the caller knows who set it, and says so.
"""

from __future__ import annotations

import re
from typing import Final

BACKENDS: Final = ("ledger",)
OUTPUTS: Final = ("table", "tsv", "json", "jsonl", "csv")
UTC_NAME: Final = "UTC"

# Compiled when the first name is checked: most commands check none.
_NAME: Final = r"[a-z0-9][a-z0-9_-]{0,63}"
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})


class NotAllowed(ValueError):
    """The value is not allowed. ``allowed`` is the phrase that follows "Allowed: "."""

    def __init__(self, allowed: str) -> None:
        super().__init__(allowed)
        self.allowed = allowed


def profile_name(value: object) -> str:
    """1 to 64 of ``a-z 0-9 _ -``, the first a letter or digit: safe as a file name, and never a path."""
    if isinstance(value, str) and re.fullmatch(_NAME, value):
        return value
    raise NotAllowed("1 to 64 characters of a-z, 0-9, _ and -, the first one a letter or a digit")


def backend(value: object) -> str:
    """One of `BACKENDS`."""
    return _one_of(BACKENDS, value)


def output(value: object) -> str:
    """One of `OUTPUTS`."""
    return _one_of(OUTPUTS, value)


def site(value: object) -> str:
    """A site code, by the rules of every id (`rpctl.domain.values.parse_id`)."""
    from rpctl.domain.values import parse_id
    from rpctl.errors import InvalidValue

    if isinstance(value, str):
        try:
            return parse_id(value, "site code")
        except InvalidValue:
            pass
    raise NotAllowed("a site code such as main, without control characters or spaces around it")


def boolean(value: object) -> bool:
    """TOML's ``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    raise NotAllowed("true or false")


def switch(value: object) -> bool:
    """A boolean, or one of the words that an environment variable says it with, in any case."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise NotAllowed("1, true, yes, on, or 0, false, no, off")


def path_text(value: object) -> str:
    """The text of a path: not empty, no NUL character in it."""
    if isinstance(value, str) and value and "\0" not in value:
        return value
    raise NotAllowed("the path of a file")


def zone_text(value: object) -> str:
    """Text that may be the name of a time zone; whether there is such a zone is `time_zone`'s question."""
    if isinstance(value, str) and value:
        return value
    raise NotAllowed("the name of a time zone such as UTC or Europe/Berlin")


def time_zone(value: object) -> str:
    """The name of a time zone that this machine knows. ``UTC`` is known everywhere and loads nothing."""
    name = zone_text(value)
    if name == UTC_NAME:
        return name
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    # A name that is a directory or no zone file, and one that cannot be encoded, fail in ways of their own.
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise NotAllowed(_zones_like(name)) from None
    return name


def shown(value: object) -> str:
    """A refused value for a message: quoted, on one line, cut after 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def one_of(words: tuple[str, ...]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _zones_like(name: str) -> str:
    import zoneinfo
    from difflib import get_close_matches

    by_fold = {zone.casefold(): zone for zone in zoneinfo.available_timezones()}
    if not by_fold:
        return "UTC only, because this machine has no time zone data (the package tzdata brings it)"
    like = [by_fold[fold] for fold in get_close_matches(name[:80].casefold(), by_fold, n=3)]
    return f"the name of a time zone such as {' or '.join(like or ['UTC', 'Europe/Berlin'])}"


def _one_of(words: tuple[str, ...], value: object) -> str:
    if isinstance(value, str) and value in words:
        return value
    raise NotAllowed(one_of(words))
