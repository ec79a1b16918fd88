"""Request bodies, checked: what is wrong with a field becomes a violation, and all of them one answer."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NamedTuple

from rpctl.domain.values import MAX_ID_LENGTH, MAX_POINTS, MAX_TEXT_LENGTH, NEVER, Instant, When, parse_instant
from rpctl.errors import InvalidValue
from rpctl.sandbox.answers import Refusal
from rpctl.sandbox.emporix.bodies import Violation, invalid, problem
from rpctl.sandbox.request import Request

JSON_TYPE: Final = "application/json"
_ENDLESS: Final = "9999-12-31T23:59:59.999"  # what stands for points that never expire, in whatever offset's words
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)", re.ASCII)
_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_SITE_LENGTHS: Final = range(3, 17)


class Entry(NamedTuple):
    """What AddedPoints and RedeemedPoints have in common in a request; ``valid_until`` and ``reference_id`` are the
    former's. ``description`` None: none was sent."""

    points: int
    id: str | None
    description: str | None
    created_at: Instant | None
    reference_id: str | None = None
    valid_until: When | None = None


def json_body(request: Request) -> Any:
    """The body's JSON value. Raises `Refusal`: 415 for another type, 400 for what is no JSON or is not there."""
    if request.media_type != JSON_TYPE and (request.body or request.media_type):
        raise Refusal(problem(request.path, f"Content-Type '{request.media_type}' is not supported.", 415))
    try:
        return json.loads(request.body.decode(), parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Refusal(problem(request.path, "Failed to read request")) from None


def json_object(request: Request) -> dict[str, Any]:
    """The body's JSON object. Raises `Refusal`."""
    body = json_body(request)
    if not isinstance(body, dict):
        raise Refusal(problem(request.path, "Failed to read request"))
    return body


class Fields:
    """Reads an object's fields and gathers what is wrong with them; null counts as absent."""

    def __init__(self, document: dict[str, Any], prefix: str = "") -> None:
        self._document = document
        self._prefix = prefix
        self.violations: list[Violation] = []

    def wrong(self, name: str, message: str) -> None:
        """One more thing that is wrong."""
        self.violations.append(Violation(self._prefix + name, message))

    def whole(self, name: str, least: int, most: int, *, required: bool = False) -> int | None:
        """A whole number; ``5.0`` is one."""
        value = self._document.get(name)
        if value is None:
            if required:
                self.wrong(name, "must not be null")
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            self.wrong(name, "must be an integer")
        elif value < least:
            self.wrong(name, f"must be greater than or equal to {least}")
        elif value > most:
            self.wrong(name, f"must be less than or equal to {most}")
        else:
            return value
        return None

    def name(self, name: str, *, required: bool = False) -> str | None:
        """An id or a reference: text of 1 to 255 visible characters."""
        value = self._document.get(name)
        if value is None and not required:
            return None
        if not isinstance(value, str):
            self.wrong(name, "must be a string" if value is not None else "must not be null")
        elif not 1 <= len(value) <= MAX_ID_LENGTH:
            self.wrong(name, f"size must be between 1 and {MAX_ID_LENGTH}")
        elif not value.isprintable():
            self.wrong(name, "must not contain control characters")
        else:
            return value
        return None

    def text(self, name: str) -> str | None:
        """Free text of up to 2000 characters."""
        value = self._document.get(name)
        if value is None:
            return None
        if not isinstance(value, str):
            self.wrong(name, "must be a string")
        elif len(value) > MAX_TEXT_LENGTH:
            self.wrong(name, f"size must be between 0 and {MAX_TEXT_LENGTH}")
        elif _CONTROL.search(value):
            self.wrong(name, "must not contain control characters")
        else:
            return value
        return None

    def moment(self, name: str) -> Instant | None:
        """An ISO 8601 instant with its offset."""
        value = self._document.get(name)
        if value is None:
            return None
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            try:
                return parse_instant(value)
            except InvalidValue:
                pass
        self.wrong(name, "must be a date-time")
        return None

    def check(self) -> None:
        """Raises `Refusal` if anything was wrong."""
        if self.violations:
            raise Refusal(invalid(self.violations))


def added_points(fields: Fields, document: dict[str, Any], *, least: int = 1) -> Entry:
    """AddedPoints; what is read-only of it is not looked at. Raises `Refusal`."""
    entry = Entry(
        fields.whole("points", least, MAX_POINTS, required=True) or 0,
        fields.name("id"),
        fields.text("description"),
        fields.moment("createdAt"),
        fields.name("reference-id"),
        _until(fields, document),
    )
    fields.check()
    return entry


def redeemed_points(fields: Fields) -> Entry:
    """RedeemedPoints. Raises `Refusal`."""
    entry = Entry(
        fields.whole("points", 1, MAX_POINTS, required=True) or 0,
        fields.name("id"),
        fields.text("description"),
        fields.moment("createdAt"),
    )
    fields.check()
    return entry


def site_code(request: Request) -> str:
    """The query's ``siteCode``, by default main. Raises `Refusal`."""
    code = request.parameter("siteCode")
    if code is None:
        return "main"
    return checked_site(code)


def checked_site(code: str) -> str:
    """A site code that may be one. Raises `Refusal`."""
    if len(code) not in _SITE_LENGTHS:
        raise Refusal(invalid([Violation("siteCode", "size must be between 3 and 16")]))
    if not code.isprintable():
        raise Refusal(invalid([Violation("siteCode", "must not contain control characters")]))
    return code


def checked_customer(customer_id: str) -> str:
    """A customer id that may become a customer's. Raises `Refusal`."""
    fields = Fields({"customerId": customer_id})
    fields.name("customerId", required=True)
    fields.check()
    return customer_id


def _until(fields: Fields, document: dict[str, Any]) -> When | None:
    """``validUntil``: None for what the program says; the last moment that can be written stands for never."""
    instant = fields.moment("validUntil")
    if instant is None:
        return None
    text = str(document["validUntil"])
    return When("never", NEVER) if text.startswith(_ENDLESS) else When(text, instant)


def _no_number(text: str) -> None:
    raise ValueError(text)
