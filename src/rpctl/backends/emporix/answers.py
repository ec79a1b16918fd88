"""Answers read: the documented success as a value, everything else as an error or as `Unsettled`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Final, TypeVar

from rpctl.backends.emporix.problems import error_of
from rpctl.backends.port import Unsettled
from rpctl.backends.problems import not_as_documented, not_the_service
from rpctl.errors import AnswerInvalid

if TYPE_CHECKING:
    from rpctl.backends.http import Answer, Readable
    from rpctl.domain.redeem_options import RedeemOption

    T = TypeVar("T")

_OK: Final = 200


def number_of(answer: Answer) -> int:
    """A body that is a bare integer. Raises `AnswerInvalid`."""
    text = answer.body.strip()
    if not text.removeprefix(b"-").isdigit() or len(text) > 20:
        raise not_the_service(answer, "a number")
    return int(text)


def options_in(answer: Answer) -> list[RedeemOption]:
    """The redeem options of an answer, each as it came. Raises `AnswerInvalid`."""
    from rpctl.backends.emporix import wire
    from rpctl.backends.emporix.translate import option_of

    documents = parsed(wire.OPTIONS.validate_json, answer)
    try:
        as_they_came = json.loads(answer.body, parse_constant=_no_number)
    except ValueError as error:
        raise not_the_service(answer, str(error)) from None
    return [option_of(one, whole) for one, whole in zip(documents, as_they_came, strict=True)]


def _no_number(text: str) -> None:
    """NaN and Infinity, which JSON does not have: what is shown of an option would be no JSON either."""
    raise ValueError(f"a number in place of {text}")


def succeeded(answer: Answer, *statuses: int) -> Answer:
    """The answer, if its status is one of these. Raises its error."""
    if answer.status in statuses:
        return answer
    if 200 <= answer.status < 300:
        raise not_the_service(answer, f"the documented status {statuses[0]}")
    raise error_of(answer)


def clear(answer: Answer, *statuses: int) -> Answer:
    """A change's answer that says plainly that it is in. Another success, or a page in the service's place, says
    nothing: raises `Unsettled`; an error is an error."""
    is_page = "html" in (answer.headers.get("Content-Type") or "").lower() or answer.body.lstrip()[:1] == b"<"
    if 200 <= answer.status < 300 and (answer.status not in statuses or is_page):
        raise Unsettled(
            f"{answer.request} was answered with {answer.status}, which says nothing",
            answered=False,
            answer=(answer.request, answer.status),
        )
    return succeeded(answer, *statuses)


def parsed(parse: Callable[[bytes], T], answer: Answer) -> T:
    """The document of a successful answer. Raises its error, or `AnswerInvalid`."""
    from pydantic import ValidationError

    succeeded(answer, _OK)
    try:
        return parse(answer.body)
    except ValidationError as error:
        raise not_as_documented(error, answer) from None


def validated(parse: Callable[[Any], T], document: Any, answer: Answer) -> T:
    """A document that was read, checked. Raises `AnswerInvalid`."""
    from pydantic import ValidationError

    try:
        return parse(document)
    except ValidationError as error:
        raise not_as_documented(error, answer) from None


def elements(readable: Readable, answer: Answer) -> Iterator[Any]:
    """The elements of a list that is read while it comes. Raises `AnswerInvalid`."""
    import ijson

    if not readable.begins_with(b"["):  # of anything else there would simply be nothing
        raise not_the_service(answer, "a list")
    try:
        yield from ijson.items(readable, "item", use_float=True)
    except (ijson.JSONError, UnicodeDecodeError):
        raise AnswerInvalid(f"The answer to {answer.request} is no list, or ends in the middle.").of_request(
            answer.request, answer.status
        ) from None


def loaded(answer: Answer) -> dict[str, Any]:
    """An object, its decimals as decimals. Raises `AnswerInvalid`."""
    from decimal import Decimal

    try:
        document = json.loads(answer.body, parse_float=Decimal)
    except (ValueError, ArithmeticError, RecursionError):
        raise not_the_service(answer, "JSON") from None
    if not isinstance(document, dict):
        raise not_the_service(answer, "an object")
    return document


def settings_in(mixin: dict[str, Any] | None, answer: Answer) -> Any:
    """The key ``rewardpoints`` of a mixin; None where it is not there. Raises `AnswerInvalid`."""
    from rpctl.backends.emporix import wire

    settings = mixin.get("rewardpoints") if mixin else None
    return None if settings is None else validated(wire.SETTINGS.validate_python, settings, answer)


def encoded(document: Any) -> bytes:
    """JSON with decimals as numbers, digit for digit where they have a float's precision."""
    return json.dumps(document, ensure_ascii=False, default=_as_number).encode()


def _as_number(value: Any) -> int | float:
    from decimal import Decimal

    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    raise TypeError(type(value).__name__)
