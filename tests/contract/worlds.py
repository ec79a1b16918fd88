"""Histories played in worlds: a command line each, and what its answers come to, whatever ids they have."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any, NamedTuple

from rpctl.domain.values import parse_instant

MARCH = parse_instant("2026-03-01T12:00:00Z")
Step = tuple[str, ...]

ID = re.compile(r"\b(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9a-f]{24})\b")
CODE = re.compile(r"\b[ABCDEFGHJKLMNPQRSTUVWXYZ23456789]{10}\b")


class World(NamedTuple):
    """A command line in a world; ``at`` sets the clock of everything in it."""

    name: str
    rpctl: Any
    at: Callable[[int], None]


def named(text: str, names: dict[str, str]) -> str:
    """The text with ids by the order in which they appeared."""
    text = ID.sub(lambda match: names.setdefault(match[0], f"id-{len(names)}"), text)
    return CODE.sub("CODE", text)


def told(ended: Any, names: dict[str, str]) -> tuple[int, Any, Any]:
    """What a command came to: its status, its document, and of an error what a program goes by."""
    out = named(ended.out, names)
    try:
        document = json.loads(out) if out.strip() else None
    except ValueError:
        document = out
    if ended.status == 0:
        return 0, document, None
    error = json.loads(ended.err.splitlines()[-1])["error"]
    details = json.loads(named(json.dumps(error["details"]), names))
    return ended.status, document, (error["code"], named(error["message"], names), details)


def play(world: World, steps: list[Step]) -> list[tuple[int, Any, Any]]:
    """The history in one world; a word ``$N`` stands for the N-th id that appeared."""
    names: dict[str, str] = {}
    answers = []
    for minute, step in enumerate(steps):
        world.at(MARCH + 60_000 * minute)
        ids = {f"${name.removeprefix('id-')}": real for real, name in names.items()}
        words = [ids.get(word, word) for word in step]
        answers.append(told(world.rpctl(*words, "-o", "json"), names))
    return answers
