"""What an import run keeps of the command that began it, so that it can be gone on with by its id alone.

It may hold personal text (paths, constants of ``--set``); `rpctl imports prune` removes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from rpctl.domain.values import format_instant
from rpctl.errors import AlreadyImported, InvalidFile
from rpctl.importing.options import ImportOptions

if TYPE_CHECKING:
    from rpctl.backends.port import KeptRun

_OF_THE_COMMAND_ALONE: Final = ("dry_run", "again", "wait", "spool")  # the run's generation tells of ``again``
_UTC: Final = "UTC"


@dataclass(frozen=True, slots=True)
class Request:
    """Where the rows are (None: nowhere any more), and how they were to be read and applied; ``spooled``: the file is
    a copy of our own of what could be read only once, removed when the run has finished."""

    path: Path | None
    spooled: bool
    options: ImportOptions

    def document(self) -> dict[str, Any]:
        """As JSON values. Paths are absolute; bytes in them that are no UTF-8 are lone surrogates."""
        options = {
            field.name: _to_json(getattr(self.options, field.name))
            for field in fields(self.options)
            if field.name not in _OF_THE_COMMAND_ALONE
        }
        return {"path": _to_json(self.path), "spooled": self.spooled, "options": options}


def request_of(document: Mapping[str, Any]) -> Request:
    """The request that was kept; what another version of the program kept besides is passed over."""
    kept = document["options"]
    known = {field.name for field in fields(ImportOptions)} - set(_OF_THE_COMMAND_ALONE)
    options = ImportOptions(**{name: _from_json(name, kept[name]) for name in known & kept.keys()})
    path = document["path"]
    return Request(None if path is None else Path(path), bool(document["spooled"]), options)


def rows_of(run: KeptRun) -> tuple[Path, Request]:
    """The file of an unfinished run, which is there, and its request.

    Raises `AlreadyImported` for a run that was undone, `InvalidFile` where there is nothing to go on with.
    """
    if run.undo_begun_at is not None:
        state = "was undone on" if run.undone_at is not None else "is being undone since"
        raise AlreadyImported(
            f"Import run {run.run} of {run.file} {state} {format_instant(run.undo_begun_at)[:10]}.",
            "The import command with --again takes every row for a new change.",
            run=run.run,
        )
    if run.request is None:
        raise InvalidFile(
            f"What import run {run.run} was asked to do is no longer kept: it was pruned.",
            "The same import command with the same file goes on with it.",
        )
    request = request_of(run.request)
    if request.path is None or (request.spooled and not request.path.exists()):
        raise InvalidFile(
            f"No copy is kept of what was piped into import run {run.run}.",
            "Pipe the same content in again: that goes on with it.",
        )
    return request.path, request


def _to_json(value: Any) -> Any:
    if isinstance(value, Path):
        return _absolute(value)
    if isinstance(value, tzinfo):
        return _UTC if value is UTC else str(value)
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    return list(value) if isinstance(value, tuple) else value


def _from_json(name: str, value: Any) -> Any:
    if name == "zone":
        return UTC if value == _UTC else ZoneInfo(value)
    if name == "rejects" and value is not None:
        return Path(value)
    if name == "factor" and value is not None:
        return Decimal(value)
    return tuple(value) if isinstance(value, list) else value


def _absolute(path: Path) -> str:
    return str(Path(os.path.abspath(path)))  # noqa: PTH100 - a link stays the name that was given
