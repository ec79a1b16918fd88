"""Error bodies of the documented API, no two alike, and the answers that carry them.

Where the documentation has no word for a status (404 of an unknown path, 405, 413, 414, 415, 429), the body is one of
the documented shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Final, NamedTuple

from rpctl.domain.values import Instant, format_instant
from rpctl.sandbox.answers import Answer, Header, json_answer

PREFIX: Final = "/reward-points"
_MORE: Final = "https://developer.emporix.io"


class Violation(NamedTuple):
    """What is wrong with one field of a request."""

    field: str
    message: str
    kind: str = "invalid_value"


def problem(path: str, detail: str, status: int = 400, *headers: Header) -> Answer:
    """A problem detail; ``path`` as it was requested, of which the instance lacks the service's prefix."""
    document = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "instance": path.removeprefix(PREFIX),
    }
    return json_answer(status, document, *headers)


def invalid(violations: Sequence[Violation]) -> Answer:
    """400 with what is wrong field by field."""
    found = [{"field": one.field, "type": one.kind, "message": one.message, "moreInfo": _MORE} for one in violations]
    document = {
        "type": "validation_violation",
        "status": 400,
        "message": "; ".join(f"{one.field}: {one.message}" for one in violations),
        "moreInfo": _MORE,
        "details": found,
    }
    return json_answer(400, document)


def unauthorized(reason: str = "Invalid access token", code: str = "oauth.v2.InvalidAccessToken") -> Answer:
    """401: the token is missing, unknown or expired, or a user's token comes without its tenant."""
    return json_answer(401, {"fault": {"faultstring": reason, "detail": {"errorcode": code}}})


def missing_scopes(scopes: Sequence[str]) -> Answer:
    """403: the token lacks these scopes."""
    return forbidden(f"Missing required scopes '[{', '.join(scopes)}]'")


def forbidden(detail: str) -> Answer:
    """403 for the reason that ``detail`` tells."""
    document = {"code": 403, "status": "Forbidden", "message": "Scope validation failed", "details": [detail]}
    return json_answer(403, document)


def not_found(message: str) -> Answer:
    """404: there is no such thing."""
    return json_answer(404, {"type": "resource_not_found", "status": 404, "message": message, "details": []})


def no_points(customer_id: str) -> Answer:
    """404: the customer never had points."""
    return not_found(f"No reward points found for customer {customer_id}")


def entry_exists(customer_id: str) -> Answer:
    """409: the customer has an entry already."""
    document = {
        "type": "conflict_resource",
        "status": 409,
        "message": "New Reward Point Entry not Created",
        "moreInfo": _MORE,
        "details": [{"field": "customerId", "message": f"Reward points of customer {customer_id} exist already"}],
    }
    return json_answer(409, document)


def stale_option(option_id: str) -> Answer:
    """409: the redeem option changed since it was read."""
    why = (
        f"The resource that was requested for update with id = {option_id} has changed. "
        "Please retry your request with valid version"
    )
    return json_answer(409, {"status": 409, "message": "RedeemOption not Updated", "details": {"message": why}})


class ServiceManners:
    """How the service words what goes wrong before or outside an operation."""

    def __init__(self, clock: Callable[[], Instant]) -> None:
        self._clock = clock

    def unknown_path(self, path: str) -> Answer:
        """404 in the shape that the service's framework has for it, the one of 500."""
        return self._bare(404, path)

    def wrong_method(self, path: str, allowed: str) -> Answer:
        """405, with the methods that there are."""
        return problem(path, "Method is not supported.", 405, (b"allow", allowed.encode()))

    def too_large(self, path: str) -> Answer:
        """413."""
        return problem(path, "The request body is larger than 10 MB.", 413)

    def too_long(self, path: str) -> Answer:
        """414; the instance would be too long too."""
        return problem(path[:64], "The URL is longer than 10 KB.", 414)

    def too_many(self, path: str, retry_after_s: int) -> Answer:
        """429, with the whole seconds after which to try again."""
        return problem(path, "Too many requests.", 429, (b"retry-after", b"%d" % retry_after_s))

    def failed(self, path: str) -> Answer:
        """500 in its own shape."""
        return self._bare(500, path)

    def _bare(self, status: int, path: str) -> Answer:
        document = {
            "timestamp": format_instant(self._clock()),
            "status": status,
            "error": HTTPStatus(status).phrase,
            "path": path.removeprefix(PREFIX),
        }
        return json_answer(status, document)
