"""The pages that are no command: rpctl-csv(5), the format that an import reads, and rpctl-exit-codes(7)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rpctl.docgen import prose, roff
from rpctl.docgen.endings import endings
from rpctl.docgen.man import CSV_PAGE, MANUAL, STATUS_PAGE
from rpctl.docgen.tree import PROGRAM
from rpctl.importing.columns import ALIASES, FIELDS, REJECT_COLUMNS, WITHOUT_COUNTERPART
from rpctl.importing.plan import ADDING, REDEEMING
from rpctl.importing.reader import DELIMITERS

_EXAMPLE: Final = (
    "customer_id,points,reference_id,valid_until",
    "00004,50,order-9,+12m",
    "00005,-30,order-10,",
)


def csv_page(version: str) -> str:
    """rpctl-csv(5)."""
    syntax = {"Delimiter": f"{_choice(DELIMITERS.values())}, found from the header. --delimiter names any other."}
    body = [
        *roff.section("NAME"),
        rf"{roff.escaped(CSV_PAGE[0])} \- the CSV files that rpctl points import reads",
        *roff.section("DESCRIPTION"),
        *roff.paragraphs(prose.CSV),
        *roff.inset(["customer_id,points", "00004,50", "00005,-30"]),
        *roff.section("FIELDS"),
        *(line for field in FIELDS for line in roff.item(roff.bold(field), *_field(field))),
        *roff.section("NAMES OF COLUMNS"),
        *roff.paragraphs(prose.NAMES),
        *roff.paragraphs(
            [
                "Columns of the same products that say nothing about a change of points are left out with a note: "
                f"{_listed(sorted(WITHOUT_COUNTERPART))}."
            ]
        ),
        *roff.section("FORM OF THE FILE"),
        *(line for term, text in (syntax | dict(prose.SYNTAX)).items() for line in roff.item(roff.bold(term), text)),
        *roff.section("EVERY ROW ONCE"),
        *roff.paragraphs(prose.ONCE),
        *roff.section("REFUSED ROWS"),
        *roff.paragraphs(prose.REJECTS),
        *roff.paragraphs([f"The columns that are added, {_listed(REJECT_COLUMNS)}, are read over."]),
        *roff.section("EXAMPLES"),
        *roff.paragraphs(["Points for an order that live for a year, and points that paid for another one:"]),
        *roff.inset(_EXAMPLE),
        *roff.paragraphs(["A shop's orders, whose factor decides how many points they earn:"]),
        *roff.inset(["$ rpctl points import orders.csv --map order_value=amount --ignore-extra --dry-run"]),
        *roff.section("SEE ALSO"),
        roff.references([(f"{PROGRAM}-points", 1), STATUS_PAGE]),
    ]
    return roff.page(*CSV_PAGE, f"{PROGRAM} {version}", MANUAL, body)


def status_page(version: str) -> str:
    """rpctl-exit-codes(7)."""
    body = [
        *roff.section("NAME"),
        rf"{roff.escaped(STATUS_PAGE[0])} \- how rpctl commands end, and what to do then",
        *roff.section("DESCRIPTION"),
        *roff.paragraphs(
            [
                "An error is a line that says what happened and one that says what to do. With `-o json` or "
                "`-o jsonl` the last line of stderr is a JSON object with the error's `code`, which stays the same "
                "from version to version, `message`, `hint` and `exitStatus`.",
                "Below are the exit statuses, and the codes of the errors that lead to each.",
            ]
        ),
        *roff.section("EXIT STATUSES"),
    ]
    for status, found in endings().items():
        body += [*roff.subsection(str(status)), *roff.paragraphs([prose.STATUSES[status]])]
        for error in found:
            body += roff.item(roff.bold(error.code), error.meaning, error.hint)
    body += [*roff.section("SEE ALSO"), roff.references([(PROGRAM, 1), CSV_PAGE])]
    return roff.page(*STATUS_PAGE, f"{PROGRAM} {version}", MANUAL, body)


def _field(field: str) -> list[str]:
    texts = [prose.FIELDS[field]]
    if field == "operation":
        texts.append(f"Adding: {_listed(sorted(ADDING))}. Redeeming: {_listed(sorted(REDEEMING))}.")
    others = sorted(name for name, meaning in ALIASES.items() if meaning == field)
    if others:
        texts.append(f"Also known as {_listed(others)}.")
    return texts


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _choice(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}".capitalize()
