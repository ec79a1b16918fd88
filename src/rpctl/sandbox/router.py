"""From a raw path to what handles it. Segments are parted before they are decoded: an id may contain a slash."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from rpctl.sandbox.answers import Answer
from rpctl.sandbox.request import Request

Handler = Callable[[Request], Answer]


class Route(NamedTuple):
    """What one method on one path does. ``is_api``: an operation of the API, which faults can meet; ``is_own``: the
    sandbox's own, which no log and no list of requests mentions."""

    handler: Handler
    authorize: Callable[[Request], None] | None = None
    is_api: bool = True
    is_own: bool = False


@dataclass(slots=True)
class _Node:
    literals: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    routes: dict[str, Route] = field(default_factory=dict)


class Found(NamedTuple):
    """A path's routes by method, and its variable parts."""

    routes: Mapping[str, Route]
    ids: tuple[str, ...]


class Router:
    """All paths. A pattern reads ``/customer/{}/summary``; a fixed segment goes before a variable one."""

    def __init__(self) -> None:
        self._root = _Node()

    def add(self, method: str, pattern: str, route: Route) -> None:
        """One more method of a path."""
        node = self._root
        for segment in pattern.strip("/").split("/"):
            if segment == "{}":
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        node.routes[method] = route

    def find(self, raw_path: bytes) -> Found | None:
        """The routes of a path as it was sent, or None. Raises UnicodeDecodeError where it decodes to no text."""
        node = self._root
        ids = []
        for raw in raw_path[1:].split(b"/"):
            segment = (unquote_to_bytes(raw) if b"%" in raw else raw).decode()
            literal = node.literals.get(segment)
            if literal is not None:
                node = literal
            elif node.variable is not None and segment:
                node = node.variable
                ids.append(segment)
            else:
                return None
        return Found(node.routes, tuple(ids)) if node.routes else None
