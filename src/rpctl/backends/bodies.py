"""Bodies of answers: read up to a size, unpacked, never more than can be held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import httpx

from rpctl.backends.port import Unsettled
from rpctl.backends.unanswered import NOT_UNPACKED, sentence
from rpctl.errors import AnswerInvalid, ServiceUnavailable

_SHORT_BYTES: Final = 1024 * 1024
_PIECE_BYTES: Final = 16 * 1024  # unpacked it may be a thousand times as long


class Readable:
    """An answer's body as a file that is read in pieces. Raises `ServiceUnavailable` where the connection breaks,
    `AnswerInvalid` where it cannot be unpacked."""

    def __init__(self, chunks: Iterator[bytes], told: str) -> None:
        self._chunks = chunks
        self._told = told
        self._left = b""

    def read(self, size: int = -1) -> bytes:
        """At most so many bytes; none at the end."""
        if size == 0:
            return b""
        self._left = self._left or self._next()
        piece, self._left = (self._left, b"") if size < 0 else (self._left[:size], self._left[size:])
        return piece

    def begins_with(self, start: bytes) -> bool:
        """Whether that is the first thing in it but for white space, one byte; it is still to be read."""
        while not self._left.strip():
            self._left = self._next()
            if not self._left:
                return False
        return self._left.lstrip().startswith(start)

    def _next(self) -> bytes:
        try:
            return next(filter(None, self._chunks), b"")
        except httpx.DecodingError:
            raise AnswerInvalid(f"{sentence(NOT_UNPACKED.format(self._told))}.").of_request(self._told) from None
        except httpx.HTTPError as error:
            raise ServiceUnavailable(f"The connection broke in the middle of {self._told}.").of_request(
                self._told
            ) from error


def read(response: httpx.Response, limit: int, told: str) -> bytes:
    """The whole body. Raises `AnswerInvalid` where it has more bytes than ``limit``, and what httpx raises."""
    pieces, length = [], 0
    for piece in response.iter_bytes():
        pieces.append(piece)
        length += len(piece)
        if length > limit:
            raise too_long(told, limit, response.status_code)
    return b"".join(pieces)


def unpacked(request: httpx.Request, status: int, headers: httpx.Headers, body: bytes, limit: int, told: str) -> bytes:
    """What is in a body that came packed although nobody asked for that. Raises as `read` does."""
    pieces = (body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES))
    response = httpx.Response(status, headers=headers, content=pieces, request=request)
    refuse_layers(response)
    return read(response, limit, told)


def too_long(told: str, limit: int, status: int) -> AnswerInvalid:
    """What an answer of that size is."""
    return AnswerInvalid(f"The answer to {told} is longer than {limit // 1024 // 1024} MiB.").of_request(told, status)


def of_no_use(error: AnswerInvalid, *, safe: bool) -> AnswerInvalid | Unsettled:
    """An answer that was given up: of a change it says nothing."""
    return error if safe else Unsettled(error.message, answered=False)


def refuse_layers(response: httpx.Response) -> None:
    """Raises `httpx.DecodingError` for what is packed more than once: one kilobyte of it can become a gigabyte at once,
    and no service packs twice."""
    if len(response.headers.get_list("Content-Encoding", split_commas=True)) > 1:
        raise httpx.DecodingError("packed more than once", request=response.request)


def shorten(response: httpx.Response) -> None:
    """Ends the answer in an error where it is longer than a refusal can be."""
    if isinstance(response.stream, httpx.SyncByteStream):
        # Unpacked it may be a thousand times as long.
        limit = _SHORT_BYTES // 32 if "Content-Encoding" in response.headers else _SHORT_BYTES
        response.stream = _Short(response.stream, limit)


class _Short(httpx.SyncByteStream):
    """A stream that ends in an error where it is longer than so many bytes, as they come over the wire."""

    def __init__(self, stream: httpx.SyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    def __iter__(self) -> Iterator[bytes]:
        length = 0
        for piece in self._stream:
            length += len(piece)
            if length > self._limit:
                raise httpx.DecodingError("longer than a refusal can be")
            yield piece

    def close(self) -> None:
        """Lets go of the connection."""
        self._stream.close()
