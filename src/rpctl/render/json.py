"""JSON and JSON lines, streamed: an array grows document by document, and an empty one is ``[]``."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from rpctl.render.views import View, check_field
from rpctl.terminal import Terminal, clean_json


def write_json(view: View, fields: Sequence[str] | None, terminal: Terminal) -> None:
    """The documented payload itself: one document, or an array with a document a line."""
    if not view.many:
        for document in view.documents:
            text = json.dumps(_pick(view, document, fields), ensure_ascii=False, indent=2)
            terminal.write("\n".join(map(clean_json, text.split("\n"))) + "\n")
        return
    started = False
    for document in view.documents:
        terminal.write((",\n" if started else "[\n") + _line(_pick(view, document, fields)))
        started = True
    terminal.write("\n]\n" if started else "[]\n")


def write_jsonl(view: View, fields: Sequence[str] | None, terminal: Terminal) -> None:
    """A document a line."""
    for document in view.documents:
        terminal.write(_line(_pick(view, document, fields)) + "\n")


def _pick(view: View, document: Any, fields: Sequence[str] | None) -> Any:
    if fields is None or not isinstance(document, Mapping):
        return document
    known = list(document)
    if view.flat:  # a column may be absent from this very document, such as validUntil, or be derived from it
        columns = {column.name: column for column in view.columns}
        known += [name for name in columns if name not in document]
    picked = {}
    for field in fields:
        check_field(field, known)
        picked[field] = document[field] if field in document else columns[field].of(document)
    return picked


def _line(document: Any) -> str:
    return clean_json(json.dumps(document, ensure_ascii=False, separators=(",", ":")))
