"""A text of the manual as lines for a terminal or a pipe: wrapped, without any control character."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from itertools import groupby
from typing import Final

from rpctl.manual.blocks import Block, Heading, Lines, Paragraph, Term, Topic

_INDENT: Final = 2
_FURTHER: Final = 6
_LINES: Final = 4
_SHORT: Final = 12
_LEAST_WIDTH: Final = 30


def as_text(topic: Topic, width: int) -> str:
    """The whole text, with a last line break. ``width`` in columns; lines that are to be copied are never broken."""
    width = max(width, _LEAST_WIDTH)
    parts = [_wrapped(f"{topic.summary[:1].upper()}{topic.summary[1:]}.", 0, width)]
    for are_terms, alike in groupby(topic.blocks, key=lambda block: isinstance(block, Term)):
        blocks = list(alike)
        parts += [_terms(blocks, width)] if are_terms else [_shown(block, width) for block in blocks]
    return "\n".join(parts)


def _shown(block: Block, width: int) -> str:
    match block:
        case Heading(text, 1):
            return f"{text.upper()}\n"
        case Heading(text):
            return f"{' ' * _INDENT}{text}\n"
        case Lines(lines):
            return "".join(f"{' ' * (_INDENT + _LINES)}{line}\n" for line in lines)
        case Paragraph(text):
            return _wrapped(text, _INDENT, width)
    raise AssertionError(block)


def _terms(terms: Sequence[Block], width: int) -> str:
    """A list of words: short ones that have one text have it beside them, others below."""
    found = [(term.name, term.texts) for term in terms if isinstance(term, Term)]
    longest = max(len(name) for name, _ in found)
    beside = longest <= _SHORT and all(len(texts) == 1 for _, texts in found)
    indent = _INDENT + (longest + 2 if beside else _FURTHER - _INDENT)
    shown = []
    for name, texts in found:
        text = "".join(_wrapped(text, indent, width) for text in texts)
        tag = f"{' ' * _INDENT}{name}"
        shown.append(tag.ljust(indent) + text[indent:] if beside else f"{tag}\n{text}")
    return ("" if beside else "\n").join(shown)


def _wrapped(text: str, indent: int, width: int) -> str:
    margin = " " * indent
    lines = textwrap.wrap(
        text, width, initial_indent=margin, subsequent_indent=margin, break_long_words=False, break_on_hyphens=False
    )
    return "".join(f"{line}\n" for line in lines)
