"""What an import is asked to do besides its file, and who is told what happens meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from decimal import Decimal
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What was asked for besides the file.

    ``map``: field -> column name; ``set``: field -> cell of every row; ``ignore_extra``: leave unknown columns
    out; ``delimiter``, ``encoding``: None = found; ``columns``: names for a file without a header line;
    ``zone``: of dates without an offset; ``site_code``: where a row names none; ``dry_run``: change nothing;
    ``strict``: apply nothing where a row is refused; ``max_errors``: stop when that many rows are refused, from 1;
    ``rejects``: where refused rows go, None = beside the file; ``decimal_comma``, ``date_format``: see
    `rpctl.importing.plan.Grammar`; ``again``: rows that are in already, from this file or another, are meant anew;
    ``key_from``: the fields or columns from whose cells the rows' keys come; ``wait``: for another process that
    works on the same file; ``spool``: the folder for a copy of what can be read only once, so that its run can be
    gone on with, None: a copy for this run alone; ``concurrency``: requests at a time, ``rate``: requests a second at
    most, both of a service; ``factor``: points for one unit of an order value, where no program says so.
    """

    map: Mapping[str, str] = field(default_factory=dict)
    set: Mapping[str, str] = field(default_factory=dict)
    ignore_extra: bool = False
    delimiter: str | None = None
    encoding: str | None = None
    columns: tuple[str, ...] | None = None
    zone: tzinfo = UTC
    site_code: str = "main"
    dry_run: bool = False
    strict: bool = False
    max_errors: int | None = None
    rejects: Path | None = None
    decimal_comma: bool = False
    date_format: str | None = None
    again: bool = False
    key_from: tuple[str, ...] = ()
    wait: bool = False
    spool: Path | None = None
    concurrency: int = 8
    rate: float | None = None
    factor: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """Who is told what happens meanwhile.

    ``on_progress(phase, done, total)``: phase ``reading`` (total None), ``looking``, ``rehearsing`` or ``applying``, in
    rows;
    ``on_note(sentence)``: what the user should know although nothing is wrong; ``on_begin(run, piped)``: the run is
    recorded, and from now on whatever stops it leaves something to go on with; ``piped``: not by the same command,
    but from a copy of what was read.
    """

    on_progress: Callable[[str, int, int | None], None] = lambda phase, done, total: None  # noqa: ARG005
    on_note: Callable[[str], None] = lambda sentence: None  # noqa: ARG005
    on_begin: Callable[[str, bool], None] = lambda run, piped: None  # noqa: ARG005
