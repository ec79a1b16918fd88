"""What a text of the manual consists of. Plain values; how they look is decided by who shows them.

In prose, backquoted words are what is typed or printed as it stands.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of what follows; ``level`` 1, or 2 for a part of the former."""

    text: str
    level: int = 1


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Prose."""

    text: str


@dataclass(frozen=True, slots=True)
class Term:
    """A word and what it means, in one or several paragraphs."""

    name: str
    texts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines as they are: commands, files."""

    lines: tuple[str, ...]


Block = Heading | Paragraph | Term | Lines


@dataclass(frozen=True, slots=True)
class Topic:
    """A text with a name. ``summary`` is a phrase without a full stop."""

    name: str
    summary: str
    blocks: tuple[Block, ...]
