"""Lines that need no CSV reader: without a quote in them a row is a line, and its cells lie between delimiters.

Most exports are like that from end to end. Taking them apart some thousand lines at a time is several times faster
than reading them one by one; whatever is not that plain is left to the reader that knows it all.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Final

_BLOCK_CHARACTERS: Final = 1 << 16
NEVER_PLAIN: Final = ('"', "\0", "\x1d", "\x1e", "\x1f")
"""What no plain line contains: quotes, what is no text, and what parts rows and cells in `rpctl.importing.content`."""
_BOM: Final = "\ufeff"


class PlainLines:
    """The lines of a text up to the first block that holds anything but plain ones. To be gone through once.

    ``taken`` counts the lines so far; ``ended``: there are no others.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text
        self.taken = 0
        self.ended = False

    def __iter__(self) -> Iterator[list[str]]:
        """Some lines at a time, without their ends; the first is number ``taken + 1`` before it is asked for."""
        rest = ""
        while not self.ended:
            try:
                read = self._text.read(_BLOCK_CHARACTERS)
            except (UnicodeError, OSError):
                return  # whoever reads the rest meets it too, and tells its line or its cause
            block = rest + read
            if read:
                end = block.rfind("\n") + 1
                block, rest = block[:end], block[end:]
                if len(rest) > csv.field_size_limit():
                    return
            if not self.taken:
                block = block.removeprefix(_BOM)
            if any(map(block.__contains__, NEVER_PLAIN)):
                return
            if "\r" in block:
                if block.count("\r") != block.count("\r\n"):
                    return
                block = block.replace("\r\n", "\n")
            lines = block.split("\n")
            if not lines[-1]:
                lines.pop()
            if lines:
                if len(block) >= csv.field_size_limit() and max(map(len, lines)) >= csv.field_size_limit():
                    return
                yield lines
                self.taken += len(lines)
            self.ended = not read
