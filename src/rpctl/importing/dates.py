"""Dates and times as cells have them: ISO 8601 with what databases make of it, or a form that was typed.

Nothing is guessed: a date of another form is refused, and the option named that would read it.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

from rpctl.domain.values import Instant, When, parse_instant, parse_when
from rpctl.errors import InvalidValue

_TIME_DIRECTIVE: Final = re.compile(r"%[-#]?[HIMSTXcfps]")
_SPACED_ZONE: Final = re.compile(r"(\d{4}-\d{2}-\d{2}[T ][\d:.]+) (?:(UTC|GMT|Z)|([+-]\d{2}:?\d{2}))", re.ASCII)
_UTC_AT_THE_END: Final = re.compile(r"\b(?:UTC|GMT)$", re.IGNORECASE)
_OTHER_DATES: Final = ("%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y%m%d", "%b %d, %Y")
_OTHER_TIMES: Final = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p", " %I:%M:%S%p")
"""How other products and spreadsheets write dates and times; only to name the right --date-format, never to guess."""


class Dates:
    """Reads the dates of one file. ``zone``: of those without an offset; ``form``: strptime's, None = ISO 8601.

    ``when`` reads a validity, ``instant`` a moment (None: now); both raise `InvalidValue`, as does this for a form that
    is none. A file repeats few dates many times; how many are remembered is limited.
    """

    def __init__(self, zone: tzinfo, form: str | None) -> None:
        _check_date_format(form)
        self._zone = zone
        self._form = form
        self.when = lru_cache(maxsize=4096)(self._parse_when)
        self.instant = lru_cache(maxsize=4096)(self._parse_instant)

    # Talon.One writes `unlimited` for never and `immediate` for now.

    def _parse_when(self, text: str) -> When:
        text = "never" if text.casefold() == "unlimited" else text
        if self._form and not (text == "never" or text.startswith("+")):
            text = self._as_iso(text)
            return parse_when(text, self._zone, end_of_day=True)
        try:
            return parse_when(_closed_up(text), self._zone, end_of_day=True)
        except InvalidValue as error:
            raise _with_date_format(error, text) from None

    def _parse_instant(self, text: str) -> Instant | None:
        if text.casefold() == "immediate":
            return None
        if self._form:
            return parse_instant(self._as_iso(text), self._zone)
        try:
            return parse_instant(_closed_up(text), self._zone)
        except InvalidValue as error:
            raise _with_date_format(error, text) from None

    def _as_iso(self, text: str) -> str:
        form = self._form
        assert form is not None
        try:
            moment = datetime.strptime(text, form)  # noqa: DTZ007 - a zone is given to it where it has none
        except ValueError:
            raise InvalidValue(f"{text!r} is not a date of the form {form}.") from None
        if "%Z" in form and moment.tzinfo is None:  # strptime knows the names of its machine's zone and forgets them
            if not _UTC_AT_THE_END.search(text):
                raise InvalidValue(f"{text!r} names a time zone that is not UTC.", "Write offsets, with %z.")
            moment = moment.replace(tzinfo=UTC)
        return moment.isoformat() if _TIME_DIRECTIVE.search(form) else moment.date().isoformat()


def _closed_up(text: str) -> str:
    """``2026-03-01 12:00:00 UTC`` and ``... +0100``, as databases write them, in the form of ISO 8601."""
    match = _SPACED_ZONE.fullmatch(text)
    return f"{match[1]}{match[3] or 'Z'}" if match else text


def _with_date_format(error: InvalidValue, text: str) -> InvalidValue:
    forms = [date + time for date in _OTHER_DATES for time in _OTHER_TIMES if _has_form(text, date + time)]
    if not forms:
        return error
    named = " or ".join(f"--date-format '{form}'" for form in forms)
    return InvalidValue(error.message, f"{named} reads dates like this one.")


def _has_form(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007 - only the form is of interest
    except ValueError:
        return False
    return True


def _check_date_format(form: str | None) -> None:
    if form is None:
        return
    hint = "Write it as Python's strptime has it, for example %d.%m.%Y."
    if "%" not in form:
        raise InvalidValue(f"--date-format {form!r} names no part of a date.", hint)
    try:
        datetime.strptime("", form)  # noqa: DTZ007 - only the format is of interest
    except (ValueError, re.error) as error:
        if "bad directive" in str(error) or "stray %" in str(error) or not isinstance(error, ValueError):
            raise InvalidValue(f"--date-format {form!r} is no date format.", hint) from None
