"""Ids as parts of a request's path. Pure."""

from __future__ import annotations

from urllib.parse import quote

from rpctl.errors import InvalidValue


def segment(text: str) -> str:
    """An id as one segment of a path, whatever it holds. Raises `InvalidValue` for ``.`` and ``..``, which every proxy
    takes for a way to another path, however they are written."""
    if text in (".", ".."):
        raise InvalidValue(f"The id {text!r} cannot be sent: in a path it means another one.", "Use another id.")
    return quote(text, safe="")
