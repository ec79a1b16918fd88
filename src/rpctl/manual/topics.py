"""The texts of `rpctl help TOPIC`, and of the man pages that tell the same. Built when they are asked for: what a
table of the program holds is read from that table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from rpctl.manual import prose
from rpctl.manual.blocks import Block, Heading, Lines, Paragraph, Term, Topic

SUMMARIES: Final[Mapping[str, str]] = {
    "exit-codes": "how rpctl commands end, and what to do then",
    "environment": "the environment variables that rpctl reads",
    "formats": "how answers are printed: tables, tsv, csv, JSON",
    "csv": "the CSV files that rpctl points import reads",
    "keys": "how a change counts exactly once, whatever happens",
    "offline": "how work goes on while a service is out of reach",
    "values": "how points, ids and dates are written",
}
"""Each topic, and what it is about."""


def topic(name: str) -> Topic:
    """The text of one of `SUMMARIES`."""
    builders: dict[str, Callable[[], Iterable[Block]]] = {
        "exit-codes": _exit_codes,
        "environment": _environment,
        "formats": lambda: prose.FORMATS,
        "csv": _csv,
        "keys": lambda: prose.KEYS,
        "offline": lambda: prose.OFFLINE,
        "values": lambda: prose.VALUES,
    }
    return Topic(name, SUMMARIES[name], tuple(builders[name]()))


def _exit_codes() -> Iterator[Block]:
    from rpctl.manual.endings import endings

    yield Paragraph(
        "An error is a line that says what happened and one that says what to do. With `-o json` or `-o jsonl` the "
        "last line of stderr is a JSON object with the error's `code`, which stays the same from version to version, "
        "`message`, `hint` and `exitStatus`."
    )
    yield Heading("Exit statuses")
    for status in endings():
        yield Term(str(status), (prose.STATUSES[status],))
    yield Heading("Codes of errors")
    for status, found in endings().items():
        if found:
            yield Heading(f"Exit status {status}", 2)
        for error in found:
            yield Term(error.code, (error.meaning, *filter(None, [error.hint])))


def _environment() -> Iterator[Block]:
    yield from map(Paragraph, prose.PRECEDENCE)
    for name, text in prose.ENVIRONMENT.items():
        yield Term(name, (text,))


def _csv() -> Iterator[Block]:
    from rpctl.importing.columns import FIELDS, REJECT_COLUMNS
    from rpctl.importing.products import WITHOUT_COUNTERPART
    from rpctl.importing.reader import DELIMITERS

    yield from map(Paragraph, prose.CSV)
    yield Lines(("customer_id,points", "00004,50", "00005,-30"))
    yield Heading("Fields")
    for field in FIELDS:
        yield Term(field, tuple(_field(field)))
    yield Heading("Names of columns")
    yield from map(Paragraph, prose.NAMES)
    yield Paragraph(
        "Columns of the same products that say nothing about a change of points are left out with a note: "
        f"{_listed(sorted(WITHOUT_COUNTERPART))}."
    )
    yield Heading("Form of the file")
    yield Term("Delimiter", (f"{_choice(DELIMITERS.values())}, found from the header. --delimiter names any other.",))
    for term, text in prose.SYNTAX.items():
        yield Term(term, (text,))
    yield Heading("Every row once")
    yield from map(Paragraph, prose.ONCE)
    yield Heading("Refused rows")
    yield from map(Paragraph, prose.REJECTS)
    yield Paragraph(f"The columns that are added, {_listed(REJECT_COLUMNS)}, are read over.")
    yield Heading("Over a service")
    yield from map(Paragraph, prose.OVER_A_SERVICE)
    yield from prose.CSV_EXAMPLES


def _field(field: str) -> Iterator[str]:
    from rpctl.importing.plan import ADDING, REDEEMING
    from rpctl.importing.products import ALIASES

    yield prose.FIELDS[field]
    if field == "operation":
        yield f"Adding: {_listed(sorted(ADDING))}. Redeeming: {_listed(sorted(REDEEMING))}."
    if others := sorted(name for name, meaning in ALIASES.items() if meaning == field):
        yield f"Also known as {_listed(others)}."


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _choice(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}".capitalize()
