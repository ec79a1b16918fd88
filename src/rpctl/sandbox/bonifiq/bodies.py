"""Bodies of requests, checked, and how failures outside the calls are worded."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple, TypeGuard

from rpctl.domain.values import MAX_ID_LENGTH, MAX_POINTS, MAX_TEXT_LENGTH
from rpctl.sandbox.answers import Answer, Header, Refusal, json_answer
from rpctl.sandbox.bonifiq.codes import (
    CUSTOMER_ID_INVALID,
    CUSTOMER_REASON_INVALID,
    KEY_INVALID,
    OPERATION_INVALID,
    POINTS_INVALID,
    POINTS_ZERO,
    REASON_INVALID,
    SIGN_MISMATCH,
    Code,
    Wrong,
)
from rpctl.sandbox.request import Request

_JSON_TYPE: Final = "application/json"
_LEAST_POINTS: Final = -MAX_POINTS - 1
_ADD: Final = 0
_REMOVE: Final = 1
_MOST_OF_CUSTOMER_REASON: Final = 255
_TAG: Final = re.compile(r"<[a-zA-Z/!?][^<>]*>")
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


class Asked(NamedTuple):
    """A change as it was asked for: ``points`` with their sign; ``customer_reason`` None: the default text."""

    customer_id: str
    points: int
    reason: str
    key: str
    customer_reason: str | None


def json_value(request: Request) -> Any:
    """The body's JSON value. Raises `Refusal`: 415 for another type, 400 for what is no JSON."""
    if request.media_type != _JSON_TYPE and (request.body or request.media_type):
        raise Refusal(failure(415, "The body must be application/json."))
    try:
        return json.loads(request.body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refusal(failure(400, "The body is not JSON.")) from None


def json_object(request: Request) -> dict[str, Any]:
    """The body's JSON object. Raises `Refusal`."""
    body = json_value(request)
    if not isinstance(body, dict):
        raise Refusal(failure(400, "The body is not an object."))
    return body


def change_key(body: dict[str, Any]) -> str | None:
    """The key of a change, or None where there is none that can be one."""
    key = body.get("ChangeKey")
    return key if _is_text(key) and key.strip() else None


def asked(customer_id: str, body: dict[str, Any]) -> Asked:
    """The change that a body asks for; fields that are not known are not looked at. Raises `Wrong`."""
    if not customer_id.isprintable() or len(customer_id) > MAX_ID_LENGTH:
        raise Wrong(CUSTOMER_ID_INVALID)
    points = _points(body)
    key = change_key(body)
    if key is None:
        raise Wrong(KEY_INVALID)
    reason = _shown(body.get("Reason"), MAX_TEXT_LENGTH, REASON_INVALID)
    if reason is None:
        raise Wrong(REASON_INVALID)
    customer_reason = _shown(body.get("CustomerReason"), _MOST_OF_CUSTOMER_REASON, CUSTOMER_REASON_INVALID)
    return Asked(customer_id, points, reason, key, None if customer_reason is None else _without_tags(customer_reason))


def _points(body: dict[str, Any]) -> int:
    points = body.get("Points")
    if not _is_whole(points) or not _LEAST_POINTS <= points <= MAX_POINTS:
        raise Wrong(POINTS_INVALID)
    operation = body.get("OperationType")
    if not _is_whole(operation) or operation not in (_ADD, _REMOVE):
        raise Wrong(OPERATION_INVALID)
    if points == 0:
        raise Wrong(POINTS_ZERO)
    if (points < 0) != (operation == _REMOVE):
        raise Wrong(SIGN_MISMATCH)
    return points


def _is_whole(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> TypeGuard[str]:
    """Whether it is text that can be stored: half a surrogate pair cannot."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: Any, longest: int, wrong: Code) -> str | None:
    """Text without what no one can see; None for null and for blanks."""
    if value is None:
        return None
    if not _is_text(value) or len(value) > longest:
        raise Wrong(wrong)
    return _CONTROL.sub("", value).strip() or None


def _without_tags(text: str) -> str | None:
    before = None
    while before != text:  # what is left around a tag may be one
        before, text = text, _TAG.sub("", text)
    return text.strip() or None


def _no_number(text: str) -> None:
    raise ValueError(text)


def failure(status: int, message: str, *headers: Header) -> Answer:
    """An answer that is no business outcome."""
    return json_answer(status, {"ErrorMessage": message}, *headers)


class BonifiqManners:
    """How the service words what goes wrong before or outside a call."""

    def unknown_path(self, path: str) -> Answer:  # noqa: ARG002 - it is not told which
        """404."""
        return failure(404, "There is nothing here.")

    def wrong_method(self, path: str, allowed: str) -> Answer:  # noqa: ARG002
        """405, with the methods that there are."""
        return failure(405, "The method is not supported.", (b"allow", allowed.encode()))

    def too_large(self, path: str) -> Answer:  # noqa: ARG002
        """413."""
        return failure(413, "The body is larger than 10 MB.")

    def too_long(self, path: str) -> Answer:  # noqa: ARG002
        """414."""
        return failure(414, "The URL is longer than 10 KB.")

    def too_many(self, path: str, retry_after_s: int) -> Answer:  # noqa: ARG002
        """429, with the whole seconds after which to try again."""
        return failure(429, "Too many requests.", (b"retry-after", b"%d" % retry_after_s))

    def failed(self, path: str) -> Answer:  # noqa: ARG002
        """500."""
        return failure(500, "Something went wrong.")
