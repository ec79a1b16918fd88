"""What the pages say that no table of the program holds: environment, files, exit statuses, the rules of a CSV file.

Text only. Backquotes and options become bold where it is printed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ENVIRONMENT: Final[Mapping[str, str]] = {
    "RPCTL_CONFIG": "The configuration file, in place of the usual one.",
    "RPCTL_PROFILE": "The profile to work with, as --profile.",
    "RPCTL_BACKEND": "Where points live, in place of what the profile says.",
    "RPCTL_LEDGER": "The ledger file, as --ledger.",
    "RPCTL_SITE": "The site whose program applies.",
    "RPCTL_TIME_ZONE": "The time zone of dates without one, such as `Europe/Berlin`.",
    "RPCTL_PRODUCTION": "`1`: questions say that this is the real thing.",
    "RPCTL_READ_ONLY": "`1`: every change is refused.",
    "RPCTL_OUTPUT": "The format of the output, as --output.",
    "RPCTL_NO_INPUT": "`1`: never ask, as --no-input.",
    "RPCTL_DEBUG": "`1`: errors come with a traceback.",
    "NO_COLOR, FORCE_COLOR, TERM": "No colours where NO_COLOR is set or TERM is `dumb`; colours in a pipe too where "
    "FORCE_COLOR is set.",
    "XDG_CONFIG_HOME, XDG_DATA_HOME, XDG_STATE_HOME": "Where configuration, ledgers and logs belong; by default "
    "`~/.config`, `~/.local/share` and `~/.local/state`.",
}
"""Environment variables; a typed flag beats them, and they beat the profile."""

FILES: Final[Mapping[str, str]] = {
    "~/.config/rpctl/config.toml": "The profiles; `rpctl config path` prints where it is.",
    "~/.local/share/rpctl/ledger.db": "The ledger without a profile.",
    "~/.local/share/rpctl/profiles/NAME.db": "A profile's own ledger.",
    "~/.local/state/rpctl/rpctl.log": "What is known of an error that is a bug.",
}

STATUSES: Final[Mapping[int, str]] = {
    0: "Done. A repeated key whose change is in already counts as done.",
    1: "Unexpected: a bug in rpctl.",
    2: "The command line is wrong, or an argument's value is.",
    3: "Finished, but not all is well: rows of an import (or its dry run) were refused, or a check found problems.",
    4: "Not logged in: credentials are missing, wrong or expired.",
    5: "Not found.",
    6: "Refused: a rule says no. Nothing was changed.",
    7: "An input file or the configuration cannot be used. Nothing was sent or changed.",
    8: "Outcome unknown: the change was sent and no answer settles it. The hint is the command that finds out.",
    75: "Temporary: the same command can be tried again and goes on with what is left.",
    130: "Interrupted (Ctrl-C). What was reported done is safe; the same command goes on.",
    143: "Stopped by the system (SIGTERM). What was reported done is safe; the same command goes on.",
}
"""What each exit status means."""

WITHOUT_AN_ERROR: Final = frozenset({0, 3})
"""Statuses that a command also ends with where no error is shown."""

MEANINGS: Final[Mapping[str, str]] = {
    "unexpected": "Nobody foresaw this. The hint says where the log is.",
}
"""Codes whose class says in its docstring what it is in the program rather than what it means to a user."""

FIELDS: Final[Mapping[str, str]] = {
    "customer_id": "The customer's id, taken as text: leading zeros stay. Required.",
    "points": "A whole number from 1 to 2147483647; `5.0` is 5. A negative number redeems. Required, unless there is "
    "`order_value`.",
    "order_value": "A decimal number such as `29.90`, not negative. Where a row has no points, the program's factor "
    "turns it into added points: order value x factor, rounded down. A row that earns no whole point is skipped.",
    "operation": "Says what is done with the row's points, which are then positive. Without it their sign decides.",
    "reference_id": "The order that the points come from or pay for.",
    "description": "What the customer sees.",
    "reason": "Why, for internal use.",
    "valid_until": "Until when added points can be redeemed: `2027-01-31` (to the end of that day), an ISO instant, "
    "`+90d`, `+12m` or `never`. Empty: what the program says. Not allowed in a row that redeems.",
    "created_at": "The business date: `2026-01-31` or an ISO instant, not later than now. Empty: now.",
    "site_code": "The site whose program applies. Empty: that of --site or the profile.",
    "key": "The row's own key, so that it counts once in whatever file it comes. Empty: one that is derived from the "
    "cells of the whole file and the row's place in it.",
}
"""The fields of a row, by their native names."""

CSV: Final = (
    "`rpctl points import` reads a table of point changes, a row a change. The first line names the columns, in "
    "any order. Only `customer_id` and one of `points` and `order_value` are required; an empty cell is one that "
    "is not there.",
    "The smallest file has two columns:",
)

NAMES: Final = (
    "Names are compared without letter case, spaces, underscores and hyphens: `Customer ID` is `customer_id`. "
    "Columns of other products and shops are understood under their own names, which are listed with each field; "
    "a note says how each of them is read. A native name beats such a name, and --map FIELD=COLUMN beats both.",
    "--set FIELD=VALUE gives every row the same value, in place of a column. Two columns for one field are an "
    "error. So is a column that nobody knows, unless --ignore-extra leaves it out.",
    "`amount` means points only beside the columns `customerprofileid` or `identifier` (an export of Talon.One); "
    "in any other file --map says whether it is points or money.",
)

SYNTAX: Final[Mapping[str, str]] = {
    "Encoding": "UTF-8 with or without byte order mark, or UTF-16 with one. --encoding names any other.",
    "Quotes": "A cell with the delimiter, a quote or a line break in it stands in double quotes; a quote inside is "
    "written twice. Line ends may be LF or CRLF. Lines without any text are passed over.",
    "Numbers": "`1234.50`, without separators of thousands. With --decimal-comma it is `1234,50`.",
    "Dates": "ISO 8601. --date-format FORMAT, as strptime(3) has it (`%d.%m.%Y`), reads any other. A date without an "
    "offset is in the time zone of the profile, by default UTC.",
    "Header": "--no-header-row with --columns A,B,C reads a file that begins with a row.",
}

ONCE: Final = (
    "Every row counts once. The same file again changes nothing, and a stopped import goes on with the same "
    "command. Two equal rows of one file are two changes. A file that was re-saved with the same cells, in another "
    "encoding or with another delimiter, is the same file.",
)

REJECTS: Final = (
    "A row that is refused harms no other row. It goes to `FILE-STEM.rejected.csv`, or where --rejects says, as it "
    "was, with its key and what is wrong. Corrected there, it can be imported as it is, with the same options; the "
    "original file then does not count it again. An existing file is never overwritten. The exit status is 3.",
)
