"""The words of the command line and of CSV cells as values: ids, whole points, decimals, moments in time.

An instant is an ``int``: milliseconds since 1970 in UTC, the API's precision. Every function here raises
`InvalidValue`, whose message names the value and whose hint says what would be right; none reads a clock.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.errors import InvalidValue

if TYPE_CHECKING:
    from decimal import Decimal

Instant = int
"""Milliseconds since 1970-01-01T00:00:00Z."""

NEVER: Final[Instant] = 2**62
"""The ``validUntil`` of points that never expire: later than every real instant."""

MAX_POINTS: Final = 2_147_483_647
MAX_ID_LENGTH: Final = 255
MAX_TEXT_LENGTH: Final = 2_000
_DAY_MS: Final = 86_400_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
EARLIEST: Final[Instant] = -62_135_596_800_000
"""0001-01-01T00:00:00.000Z, the first that can be written."""

LATEST: Final[Instant] = 253_402_300_799_999
"""9999-12-31T23:59:59.999Z, the last."""

# Patterns are compiled when they are first used: most commands use none of them.
# One digit, then a signed exponent, as spreadsheets write it: a random hexadecimal key may look like 12e34.
_SCIENTIFIC: Final = r"[+-]?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}"
_WHOLE: Final = r"[0-9]{1,12}"
_DECIMAL: Final = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)"
_RELATIVE: Final = r"\+([0-9]{1,5})([dm])"
_DATED: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.,Z+-]+)?"  # Python reads more: weeks, and 20270131


def parse_id(text: str, what: str = "customer id") -> str:
    """An id or key as it stands: leading zeros stay.

    Refused: empty, longer than 255 characters, spaces around it, control, format and other invisible
    characters, and what a spreadsheet makes of a long number (``1.2E+11``).
    """
    if not text:
        raise InvalidValue(f"The {what} is empty.")
    if len(text) > MAX_ID_LENGTH:
        raise InvalidValue(f"The {what} has {len(text)} characters; at most {MAX_ID_LENGTH} are allowed.")
    if not text.isprintable():
        raise InvalidValue(f"The {what} {text!a} has a control or invisible character in it.")
    if text[0] == " " or text[-1] == " ":
        raise InvalidValue(f"The {what} {text!r} begins or ends with a space.")
    if "+" in text and re.fullmatch(_SCIENTIFIC, text):
        raise InvalidValue(
            f"The {what} {text!r} is a number in scientific notation.",
            "A spreadsheet rounded it. Format the column as text and export again.",
        )
    return text


def parse_text(text: str | None, what: str) -> str | None:
    """A description or reason: blank means none; line breaks and tabs are kept, other control characters refused."""
    if text is None:
        return None
    text = text.strip()
    if not text:
        return None
    if len(text) > MAX_TEXT_LENGTH:
        raise InvalidValue(f"The {what} has {len(text)} characters; at most {MAX_TEXT_LENGTH} are allowed.")
    if not text.isprintable() and any((ord(c) < 32 and c not in "\n\r\t") or 127 <= ord(c) < 160 for c in text):
        raise InvalidValue(f"The {what} has a control character in it: {text!a}.")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidValue(f"The {what} is not valid text: {text!a}.") from None
    return text


def parse_points(text: str, what: str = "points") -> int:
    """A whole number from 1 to 2147483647; neither sign, exponent nor separator."""
    if not re.fullmatch(_WHOLE, text) or not 1 <= int(text) <= MAX_POINTS:
        raise InvalidValue(f"{text!r} is not a number of {what}.", f"Points are whole numbers from 1 to {MAX_POINTS}.")
    return int(text)


def parse_count(text: str, what: str) -> int:
    """How many of something, from 1."""
    if not re.fullmatch(_WHOLE, text) or int(text) < 1:
        raise InvalidValue(f"{text!r} is not a number of {what}.", "Write a whole number from 1.")
    return int(text)


def parse_decimal(text: str, what: str) -> Decimal:
    """A decimal such as ``29.33``, read as a decimal and never as a float; not negative."""
    if not re.fullmatch(_DECIMAL, text) or len(text) > 40:
        raise InvalidValue(f"{text!r} is not a number for the {what}.", "Write it like 29.33: digits and one point.")
    from decimal import Decimal

    value = Decimal(text)
    if value < 0:
        raise InvalidValue(f"The {what} {text} is negative.")
    return value


def parse_factor(text: str) -> Decimal:
    """Points for one unit of an order value: a decimal above 0."""
    factor = parse_decimal(text, "factor")
    if not factor:
        raise InvalidValue("A factor of 0 earns nothing.", "Write points for one unit of the order value, such as 0.5.")
    return factor


def instant_of(moment: datetime) -> Instant:
    """The instant of an aware datetime, cut to milliseconds."""
    return (moment - _EPOCH) // _MILLISECOND


def datetime_of(instant: Instant) -> datetime:
    """The UTC datetime of an instant."""
    return _EPOCH + timedelta(milliseconds=instant)


def format_instant(instant: Instant) -> str:
    """ISO 8601 in UTC with milliseconds and ``Z``, as the API writes it."""
    return datetime_of(instant).replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def add_months(instant: Instant, months: int) -> Instant:
    """The same day of a later month at the same time, else that month's last day (UTC)."""
    from calendar import monthrange

    moment = datetime_of(instant)
    year, month0 = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    if year > 9999:
        raise InvalidValue(f"{months} months from then lie beyond the year 9999.")
    day = min(moment.day, monthrange(year, month0 + 1)[1])
    return instant_of(moment.replace(year=year, month=month0 + 1, day=day))


class When(NamedTuple):
    """A point in time as typed: fixed, so long after another one, or never.

    ``text`` is what was typed and counts for the fingerprint (``ledger.md`` rule 5); exactly one of
    ``instant``, ``days`` and ``months`` is set.
    """

    text: str
    instant: Instant | None = None
    days: int | None = None
    months: int | None = None

    def resolve(self, start: Instant) -> Instant:
        """The instant meant, counted from ``start`` where it is relative."""
        if self.instant is not None:
            return self.instant
        if self.months is not None:
            return add_months(start, self.months)
        assert self.days is not None
        return start + self.days * _DAY_MS


def parse_when(text: str, zone: tzinfo = UTC, *, end_of_day: bool = False, relative: bool = True) -> When:
    """WHEN: ``2027-01-31``, an ISO instant, ``+90d``, ``+12m``, ``never``.

    A bare date is the start of that day in ``zone``, or with ``end_of_day`` its last millisecond; an instant
    without an offset is in ``zone``. With ``relative=False`` only dates and instants are allowed.
    """
    if relative:
        if text == "never":
            return When(text, instant=NEVER)
        if match := re.fullmatch(_RELATIVE, text):
            amount = int(match[1])
            return When(text, days=amount) if match[2] == "d" else When(text, months=amount)
    try:
        if not re.fullmatch(_DATED, text):
            raise ValueError
        if len(text) == 10:
            instant = _day(date.fromisoformat(text), zone, end_of_day)
        else:
            moment = datetime.fromisoformat(text)
            instant = instant_of(moment if moment.tzinfo else moment.replace(tzinfo=zone))
        if not EARLIEST <= instant <= LATEST:
            raise ValueError
    except (ValueError, OverflowError):
        forms = "2027-01-31 or 2027-01-31T12:00:00Z" + (", +90d, +12m or never" if relative else "")
        raise InvalidValue(f"{text!r} is not a date that rpctl knows.", f"Write {forms}.") from None
    return When(text, instant=instant)


def parse_instant(text: str, zone: tzinfo = UTC, *, end_of_day: bool = False) -> Instant:
    """A fixed moment: a date or an ISO instant, by the rules of `parse_when`."""
    instant = parse_when(text, zone, end_of_day=end_of_day, relative=False).instant
    assert instant is not None
    return instant


def _day(day: date, zone: tzinfo, end: bool) -> Instant:
    if end:  # the later of the two where clocks are set back over midnight
        return instant_of(datetime(day.year, day.month, day.day, 23, 59, 59, 999_000, zone, fold=1))
    return instant_of(datetime(day.year, day.month, day.day, tzinfo=zone))
