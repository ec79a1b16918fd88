"""Text as man(7) source that groff and mandoc read alike: escaping and the few macros that the pages use.

Backquoted words and options in prose become bold. Every hyphen is written as a minus, so that what is copied
from a page can be pasted into a shell. No page carries a date: it would change without its content.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from rpctl.manual.blocks import Block, Heading, Lines, Paragraph, Term

_ESCAPES: Final = {"\\": r"\e", "-": r"\-", "~": r"\(ti", "^": r"\(ha", "`": r"\(ga", "'": r"\(aq", '"': r"\(dq"}
_MARKED: Final = re.compile(r"(`+)(?P<code>[^`]+)\1|(?P<option>(?<![\w-])--?[A-Za-z][\w-]*)")
_BREAKS: Final = re.compile(r" (?=--|\| )")
_WIDTH: Final = 66
_NEEDLESS_PARAGRAPH: Final = re.compile(r"(?m)(^\.S[HS] .*\n)\.PP\n")


def escaped(text: str) -> str:
    """Any text, to be read as it stands: also by a shell, and also as a macro's argument."""
    return "".join(_ESCAPES.get(one, one) if one.isascii() else f"\\[u{ord(one):04X}]" for one in text)


def prose(text: str) -> str:
    """A paragraph on one line; backquoted words and options bold."""
    parts, at = [], 0
    for match in _MARKED.finditer(text):
        parts += [escaped(text[at : match.start()]), bold(match["code"] or match["option"])]
        at = match.end()
    return _unstarted("".join(parts) + escaped(text[at:]))


def bold(text: str) -> str:
    """What is typed as it stands."""
    return rf"\fB{escaped(text)}\fR"


def italic(text: str) -> str:
    """What stands for something else."""
    return rf"\fI{escaped(text)}\fR"


def page(name: str, section: int, source: str, title: str, body: Iterable[str]) -> str:
    """A whole page; ``source`` (program and version) stands in its last line, ``title`` says what it is."""
    head = [
        r".\" Written by `python -m rpctl.docgen`; changes belong into the program.",
        f'.TH "{escaped(name.upper())}" {section} "" "{escaped(source)}" "{escaped(title)}"',
        ".nr HY 0",
        ".nh",
        ".ad l",
    ]
    text = "\n".join([*head, *body]) + "\n"
    return _NEEDLESS_PARAGRAPH.sub(r"\1", text)


def section(title: str) -> list[str]:
    """A heading."""
    return [f".SH {title}"]


def subsection(title: str) -> list[str]:
    """A heading below a heading."""
    return [f'.SS "{escaped(title)}"']


def paragraphs(texts: Iterable[str]) -> list[str]:
    """Paragraphs of prose."""
    return [line for text in texts for line in (".PP", prose(text))]


def item(tag: str, *texts: str) -> list[str]:
    """An entry of a list: ``tag`` is roff already, the texts are prose."""
    lines = [".TP", _unstarted(tag)]
    for at, text in enumerate(text for text in texts if text):
        lines += [".IP", prose(text)] if at else [prose(text)]
    return lines


def inset(lines: Iterable[str]) -> list[str]:
    """Lines as they are, moved to the right: examples. A long command is continued on the next line."""
    shown = (part for line in lines for part in _continued(line))
    return [".PP", ".RS 4", ".EX", *(_unstarted(escaped(line)) for line in shown), ".EE", ".RE"]


def blocks(text: Iterable[Block]) -> list[str]:
    """A text of the manual."""
    return [line for block in text for line in _block(block)]


def _block(block: Block) -> list[str]:
    match block:
        case Heading(text, 1):
            return section(escaped(text.upper()))
        case Heading(text):
            return subsection(text)
        case Paragraph(text):
            return paragraphs([text])
        case Lines(shown):
            return inset(shown)
        case Term(name, texts):
            return item(bold(name), *texts)


def lines(ready: Iterable[str]) -> list[str]:
    """Lines of roff that are not filled into a paragraph."""
    return [".nf", *ready, ".fi"]


def references(names: Iterable[tuple[str, int]]) -> str:
    """Other pages, as a list in one line."""
    return ", ".join(rf"{bold(name)}({number})" for name, number in names)


def _continued(line: str) -> list[str]:
    parts = [""]
    for word in _breakable(line):
        if len(parts[-1]) + len(word) > _WIDTH and parts[-1]:
            parts[-1] += " \\"
            parts.append("      " + word)
        else:
            parts[-1] += f" {word}" if parts[-1] else word
    return parts


def _breakable(line: str) -> list[str]:
    """The pieces between which a shell takes a backslash and a line break for nothing: outside quotes."""
    pieces: list[str] = []
    for piece in _BREAKS.split(line):
        if pieces and any(pieces[-1].count(quote) % 2 for quote in "'\""):
            pieces[-1] += f" {piece}"
        else:
            pieces.append(piece)
    return pieces


def _unstarted(line: str) -> str:
    # A line that begins with one of these is taken for a macro.
    return rf"\&{line}" if line.startswith((".", "'")) else line
