"""What a rejects file says about itself: the options without which its cells would mean something else.

They stand in the name of one more column, such as ``options: --map points=Punkte --decimal-comma``. The cells stay as
they were, for whoever corrects them does so in the spreadsheet that wrote them. What is read here is data of a file
that anybody may have changed: nothing but these options is taken from it.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rpctl.domain.values import parse_factor
from rpctl.errors import InvalidFile, InvalidValue
from rpctl.importing.columns import OPTIONS_COLUMN, Columns, check_fields, is_of_rejects

if TYPE_CHECKING:
    from rpctl.importing.options import ImportOptions


def options_column(options: ImportOptions, columns: Columns) -> str | None:
    """The name of the column that carries the options, None where the rows mean the same without any.

    Constants are no part of it, they are in cells; nor is the column that was mapped to the key, which is copied.
    """
    words = []
    for field in check_fields(options.map, "--map"):
        if field != "key":
            words += ["--map", f"{field}={columns.header[columns.positions[field]].strip()}"]
    if options.decimal_comma:
        words.append("--decimal-comma")
    if options.date_format is not None:
        words += ["--date-format", options.date_format]
    if options.factor is not None:
        words += ["--factor", str(options.factor)]
    if columns.key_from:
        words += ["--key-from", ",".join(name for name, _ in columns.key_from)]
    return OPTIONS_COLUMN + shlex.join(words) if words else None


def with_carried(options: ImportOptions, header: Sequence[str]) -> tuple[ImportOptions, str | None]:
    """The options with those that a rejects file brings along, and the name of the column that brought them.

    What was typed wins. Raises `InvalidFile` where the column's name was changed beyond reading.
    """
    names = [name.strip() for name in header if name.strip().startswith(OPTIONS_COLUMN)]
    if not names or not is_of_rejects(header):
        return options, None
    try:
        mapping, given = _parsed(shlex.split(names[0].removeprefix(OPTIONS_COLUMN)))
        factor = parse_factor(given["factor"]) if "factor" in given else None
    except (ValueError, InvalidValue):
        raise InvalidFile(
            f"The column {names[0]!r} does not say how this rejects file is to be read.",
            "Bring its name back as it was, or remove the column and type the options.",
        ) from None
    typed = check_fields(options.map, "--map")
    settled = typed.keys() | check_fields(options.set, "--set").keys()
    merged = replace(
        options,
        map={field: column for field, column in mapping.items() if field not in settled} | typed,
        decimal_comma=options.decimal_comma or "decimal_comma" in given,
        date_format=given.get("date_format") if options.date_format is None else options.date_format,
        key_from=options.key_from or tuple(given["key_from"].split(",") if "key_from" in given else ()),
        factor=factor if options.factor is None else options.factor,
    )
    return merged, names[0]


def _parsed(words: list[str]) -> tuple[Mapping[str, str], Mapping[str, str]]:
    mapping: dict[str, str] = {}
    given: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word == "--decimal-comma":
            given["decimal_comma"] = ""
            continue
        value = next(rest, "")
        field, _, column = value.partition("=")
        if word == "--map" and column:
            mapping[field] = column
        elif word in ("--date-format", "--key-from", "--factor") and value:
            given[word[2:].replace("-", "_")] = value
        else:
            raise ValueError(word)
    return check_fields(mapping, "--map"), given
