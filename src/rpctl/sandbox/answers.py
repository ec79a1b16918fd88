"""What is sent back: a status, headers, and a body that is there or comes piece by piece."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

Header = tuple[bytes, bytes]

_JSON: Final[tuple[Header, ...]] = ((b"content-type", b"application/json"),)


class Answer(NamedTuple):
    """An answer: ``body`` whole, or as an iterator of pieces; header names in small letters; ``lost``: nobody is to
    get it."""

    status: int
    body: bytes | Iterator[bytes] = b""
    headers: tuple[Header, ...] = ()
    lost: bool = False


class Refusal(Exception):
    """Ends the work on a request with an answer that refuses it."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def encoded(document: Any) -> bytes:
    """A document as UTF-8 JSON; what UTF-8 lacks (half a surrogate pair that someone sent) as ``\\u`` escapes."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:
        return json.dumps(document, separators=(",", ":")).encode()


def json_answer(status: int, document: Any, *headers: Header) -> Answer:
    """A JSON document as an answer."""
    return Answer(status, encoded(document), (*_JSON, *headers))


def json_stream(status: int, pieces: Iterator[bytes]) -> Answer:
    """A JSON document that comes piece by piece."""
    return Answer(status, pieces, _JSON)
