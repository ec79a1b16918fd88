"""What is typed as values: tables of what is read how, and of what is refused."""

from __future__ import annotations

from datetime import UTC, tzinfo
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rpctl.domain.values import (
    MAX_POINTS,
    NEVER,
    add_months,
    format_instant,
    instant_of,
    parse_decimal,
    parse_id,
    parse_instant,
    parse_points,
    parse_text,
    parse_when,
)
from rpctl.errors import InvalidValue

# -- ids ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "007", "0", "C-1", "a b", "müller@example.com", "12345678901234567890", "1.2", "-5", "+49 170 1", "12e34",
        "1e5", "E+11", "1.2E+11x", "-rf", "../x", "顧客", "=1+1", "x" * 255,
    ],
)  # fmt: skip
def test_an_id_stays_as_it_is(text: str) -> None:
    assert parse_id(text) == text


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("", "empty"),
        (" C1", "space"),
        ("C1 ", "space"),
        (" ", "space"),
        ("x" * 256, "256 characters"),
        ("a\tb", "invisible"),
        ("a\nb", "invisible"),
        ("a\x00b", "invisible"),
        ("a\x1fb", "invisible"),
        ("a\x7fb", "invisible"),
        ("a\u00a0b", "invisible"),
        ("a\u200bb", "invisible"),
        ("\ufeffC1", "invisible"),
        ("a\u202eb", "invisible"),
        ("a\u2028b", "invisible"),
        ("a\udce4b", "invisible"),
        ("1.2E+11", "scientific"),
        ("1,2E+11", "scientific"),
        ("1.20000E+11", "scientific"),
        ("-1.2e+11", "scientific"),
        ("4E+15", "scientific"),
    ],
)
def test_an_id_is_refused_because(text: str, because: str) -> None:
    with pytest.raises(InvalidValue, match=because) as caught:
        parse_id(text, "order id")
    assert "order id" in caught.value.message
    assert caught.value.message.isprintable()


def test_a_spreadsheets_number_is_refused_with_the_way_out() -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_id("1.2E+11")
    assert caught.value.hint == "A spreadsheet rounded it. Format the column as text and export again."


# -- text --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (None, None),
        ("", None),
        (" \n ", None),
        (" a ", "a"),
        ("two\nlines\tand a tab", "two\nlines\tand a tab"),
        ("zero\u200bwidth", "zero\u200bwidth"),
        ("x" * 2000, "x" * 2000),
    ],
)
def test_text_is_trimmed_and_kept(text: str | None, expected: str | None) -> None:
    assert parse_text(text, "reason") == expected


@pytest.mark.parametrize("text", ["a\x1bb", "a\x00b", "a\x9bb", "a\udce4b", "x" * 2001])
def test_text_with_control_characters_or_too_much_of_it_is_refused(text: str) -> None:
    with pytest.raises(InvalidValue, match="The reason"):
        parse_text(text, "reason")


# -- numbers -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("text", "expected"), [("1", 1), ("007", 7), ("2147483647", MAX_POINTS)])
def test_points_are_whole_numbers(text: str, expected: int) -> None:
    assert parse_points(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "0", "-5", "+5", "1.5", "5.0", "1e3", "1,000", "1_000", " 5", "5 ", "5\n", "five", "2147483648",
        "99999999999", "9" * 5000, "٥", "５", "²", "½", "NaN", "0x10",
    ],
)  # fmt: skip
def test_no_other_number_of_points_is_taken(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_points(text)
    assert caught.value.hint == "Points are whole numbers from 1 to 2147483647."


@pytest.mark.parametrize(
    ("text", "expected"), [("29.33", "29.33"), ("0", "0"), (".5", "0.5"), ("7.", "7"), ("+1", "1")]
)
def test_decimals_are_read_exactly(text: str, expected: str) -> None:
    assert parse_decimal(text, "order value") == Decimal(expected)


@pytest.mark.parametrize(
    "text", ["", "-1", "-0.01", "1e3", "1,5", "1.000,00", ".", "NaN", "Infinity", "1_0", "٥", "5 ", "5\n", "1" * 41]
)
def test_no_other_decimal_is_taken(text: str) -> None:
    with pytest.raises(InvalidValue, match="order value"):
        parse_decimal(text, "order value")


# -- moments -----------------------------------------------------------------------------------------------

BERLIN = ZoneInfo("Europe/Berlin")
HAVANA = ZoneInfo("America/Havana")  # clocks go back at 1:00 to 0:00, forward at 0:00 to 1:00
ST_JOHNS = ZoneInfo("America/St_Johns")  # in 2010 clocks went back at 0:01 to 23:01 of the day before


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2027-01-31", UTC, "2027-01-31T00:00:00.000Z"),
        ("2028-02-29", UTC, "2028-02-29T00:00:00.000Z"),
        ("0001-01-01", UTC, "0001-01-01T00:00:00.000Z"),
        ("9999-12-31", UTC, "9999-12-31T00:00:00.000Z"),
        ("2027-01-31", BERLIN, "2027-01-30T23:00:00.000Z"),
        ("2027-07-31", BERLIN, "2027-07-30T22:00:00.000Z"),
        ("2027-01-31T12:30", UTC, "2027-01-31T12:30:00.000Z"),
        ("2027-01-31 12:30:15", UTC, "2027-01-31T12:30:15.000Z"),
        ("2027-01-31T12:30:15Z", BERLIN, "2027-01-31T12:30:15.000Z"),
        ("2027-01-31T12:30:15.123Z", UTC, "2027-01-31T12:30:15.123Z"),
        ("2027-01-31T12:30:15.123999Z", UTC, "2027-01-31T12:30:15.123Z"),
        ("2027-01-31T12:30:15+05:30", UTC, "2027-01-31T07:00:15.000Z"),
        ("2027-01-31T12:30", BERLIN, "2027-01-31T11:30:00.000Z"),
        ("2027-07-31T12:30", BERLIN, "2027-07-31T10:30:00.000Z"),
        ("1969-12-31T23:59:59.9999Z", UTC, "1969-12-31T23:59:59.999Z"),
    ],
)
def test_a_date_or_an_instant_is_read_in_its_zone(text: str, zone: tzinfo, expected: str) -> None:
    assert format_instant(parse_instant(text, zone)) == expected


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2027-01-31", UTC, "2027-01-31T23:59:59.999Z"),
        ("2027-12-31", BERLIN, "2027-12-31T22:59:59.999Z"),
        ("2027-03-28", BERLIN, "2027-03-28T21:59:59.999Z"),
        ("2027-10-31", BERLIN, "2027-10-31T22:59:59.999Z"),
        ("2026-03-07", HAVANA, "2026-03-08T04:59:59.999Z"),
        ("2026-11-01", HAVANA, "2026-11-02T04:59:59.999Z"),
        ("2010-11-06", ST_JOHNS, "2010-11-07T03:29:59.999Z"),
        ("9999-12-31", UTC, "9999-12-31T23:59:59.999Z"),
        ("2027-01-31T12:30", UTC, "2027-01-31T12:30:00.000Z"),
    ],
)
def test_the_end_of_a_day_is_its_last_millisecond(text: str, zone: tzinfo, expected: str) -> None:
    assert format_instant(parse_instant(text, zone, end_of_day=True)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", "tomorrow", "31.01.2027", "01/31/2027", "2027-1-31", "2027-02-29", "2027-13-01", "2027-01-31T25:00",
        "20270131", "2027-W05", "2027-W05-1", "2027-W051", "2027-031", "2027-01-31x12:00", "2027-01", "2027",
        "20270131T120000Z", "2027-01-31T", " 2027-01-31", "2027-01-31 ", "２０２７-01-31", "10000-01-01", "0000-01-01",
        "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-01:00", "+", "+12", "+12y", "+1.5d", "-90d", "+100000d",
        "+٩d", "+12M", "Never", "1767225600", "2027-01-31T12:00\x00", "\udce4",
    ],
)  # fmt: skip
def test_no_other_date_is_taken(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_when(text)
    assert caught.value.hint == "Write 2027-01-31 or 2027-01-31T12:00:00Z, +90d, +12m or never."


@pytest.mark.parametrize("text", ["never", "+90d", "+12m"])
def test_where_a_moment_is_asked_for_only_a_moment_is_taken(text: str) -> None:
    with pytest.raises(InvalidValue) as caught:
        parse_instant(text)
    assert caught.value.hint == "Write 2027-01-31 or 2027-01-31T12:00:00Z."


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("+0d", "2026-01-31T10:00:00.001Z", "2026-01-31T10:00:00.001Z"),
        ("+90d", "2026-01-31T10:00:00Z", "2026-05-01T10:00:00.000Z"),
        ("+1m", "2026-01-31T10:00:00Z", "2026-02-28T10:00:00.000Z"),
        ("+1m", "2028-01-31T10:00:00Z", "2028-02-29T10:00:00.000Z"),
        ("+12m", "2026-01-31T10:00:00Z", "2027-01-31T10:00:00.000Z"),
        ("+12m", "2028-02-29T23:59:59.999Z", "2029-02-28T23:59:59.999Z"),
        ("+48m", "2028-02-29", "2032-02-29T00:00:00.000Z"),
        ("+11m", "2026-12-31", "2027-11-30T00:00:00.000Z"),
        ("+012m", "2026-12-31", "2027-12-31T00:00:00.000Z"),
        ("2027-01-31", "2026-12-31", "2027-01-31T00:00:00.000Z"),
    ],
)
def test_a_relative_moment_counts_from_its_start(text: str, start: str, expected: str) -> None:
    when = parse_when(text)
    assert (when.text, format_instant(when.resolve(parse_instant(start)))) == (text, expected)


def test_never_is_later_than_everything() -> None:
    assert parse_when("never").resolve(0) == NEVER
    assert parse_instant("9999-12-31", end_of_day=True) < NEVER


def test_months_beyond_the_calendar_are_refused() -> None:
    with pytest.raises(InvalidValue, match="9999"):
        parse_when("+99999m").resolve(parse_instant("2026-01-31"))


@given(st.datetimes(timezones=st.just(UTC)))
def test_an_instant_is_written_as_it_is_read(moment) -> None:
    instant = instant_of(moment)
    assert parse_instant(format_instant(instant)) == instant


@given(st.datetimes(timezones=st.just(UTC)).map(instant_of), st.integers(0, 24))
def test_months_later_is_never_another_day_but_the_last(instant: int, months: int) -> None:
    if instant > parse_instant("9997-01-01"):
        return
    day, later = format_instant(instant)[8:10], format_instant(add_months(instant, months))
    next_day = format_instant(parse_instant(later) + 86_400_000)
    assert later[8:10] == day or (later[8:10] < day and next_day[8:10] == "01")
    assert later[10:] == format_instant(instant)[10:]
