"""The pages that are no command: rpctl-csv(5), the format that an import reads, and rpctl-exit-codes(7)."""

from __future__ import annotations

from collections.abc import Iterable

from rpctl.cli.tree import PROGRAM
from rpctl.docgen import roff
from rpctl.docgen.man import CSV_PAGE, MANUAL, STATUS_PAGE
from rpctl.manual.topics import topic


def csv_page(version: str) -> str:
    """rpctl-csv(5)."""
    return _page("csv", CSV_PAGE, version, [(f"{PROGRAM}-points", 1), STATUS_PAGE])


def status_page(version: str) -> str:
    """rpctl-exit-codes(7)."""
    return _page("exit-codes", STATUS_PAGE, version, [(PROGRAM, 1), CSV_PAGE])


def _page(name: str, page: tuple[str, int], version: str, also: Iterable[tuple[str, int]]) -> str:
    told = topic(name)
    body = [
        *roff.section("NAME"),
        rf"{roff.escaped(page[0])} \- {roff.escaped(told.summary)}",
        *roff.section("DESCRIPTION"),
        *roff.blocks(told.blocks),
        *roff.section("SEE ALSO"),
        roff.references(also),
    ]
    return roff.page(*page, f"{PROGRAM} {version}", MANUAL, body)
