"""Answers of any service that are no success, as errors by their status; what a service says in its own words stands in
the `problems` of its room. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rpctl.errors import (
    AnswerInvalid,
    CustomerNotFound,
    NotFound,
    RateLimited,
    RequestRefused,
    RpctlError,
    ServiceUnavailable,
)

if TYPE_CHECKING:
    from rpctl.backends.http import Answer

LONGEST: Final = 300
"""So many characters of what a service says are shown."""

_SERVER: Final = 500


def is_unclear(answer: Answer) -> bool:
    """Whether a change may be in although it was answered so: a failure, a time-out of the service's own, and a
    redirect to where its outcome may be seen."""
    return answer.status >= _SERVER or answer.status in (302, 303, 408)


def error_by_status(answer: Answer, said: str, check: str, sent: str, **facts: Any) -> RpctlError:
    """The error of an answer that is neither a success nor about who asks. ``said``: why, as a sentence; ``check``:
    what to look at where the address is wrong; ``sent``: what goes with each request, for a redirect is not
    followed."""
    status, request = answer.status, answer.request
    error: RpctlError
    if status == 404:
        error = NotFound(f"The service does not know what {request} asks for: {said}", check)
    elif status == 429:
        error = RateLimited(f"The service asks to slow down: {said}", *_when(answer))
        error.retry_after_s = answer.retry_after_s
    elif status >= _SERVER:
        error = ServiceUnavailable(f"The service failed at {request}: {said}", *_when(answer))
    elif 300 <= status < 400:
        to = one_line(answer.headers.get("Location") or "elsewhere")
        error = RequestRefused(
            f"The service redirects {request} to {to}; {sent} are sent nowhere else.",
            "If that is its new place, set the profile's url to it.",
        )
    else:
        error = RequestRefused(
            f"The service refuses {request}: {said}", "Nothing was changed; check what was asked for.", **facts
        )
    return error.of_request(request, status)


def told_of(answer: Answer, error: RpctlError) -> RpctlError:
    """The error, told of the request that it came from."""
    return error.of_request(answer.request, answer.status)


def no_customer(customer_id: str, answer: Answer, hint: str | None = None) -> RpctlError:
    """Nobody has this id, as certainly as whoever answered can know."""
    return told_of(answer, CustomerNotFound(f"There is no customer {customer_id}.", hint, customerId=customer_id))


def not_the_service(answer: Answer, wanted: str) -> AnswerInvalid:
    """What came is no answer of the service's; ``wanted``: what it should have been."""
    told = f"What answers {answer.request} is not the service: {wanted} was expected."
    return AnswerInvalid(told).of_request(answer.request, answer.status)


def not_as_documented(error: Any, answer: Answer) -> AnswerInvalid:
    """An answer with something else in it than is documented; ``error``: pydantic's, whose first finding is told."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(map(str, first["loc"]))
    told = f"The answer to {answer.request} is not as documented: {f'{where}: ' if where else ''}{first['msg']}."
    return AnswerInvalid(told).of_request(answer.request, answer.status)


def without_words(answer: Answer, *, is_known: bool) -> str:
    """What is to be said where the answer gives no reason; ``is_known``: it is the service's own all the same."""
    if is_known or not answer.body:
        return f"status {answer.status} without a reason."
    return f"status {answer.status}, and what came is not the service's JSON."


def ended(said: str) -> str:
    """A sentence with its end; nothing stays nothing."""
    return f"{said}." if said and said[-1] not in ".!?…" else said


def document_of(body: bytes) -> dict[str, Any]:
    """An object of JSON; an empty one for anything else."""
    try:
        document = json.loads(body) if len(body) < 1_000_000 else None
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def texts_in(source: Any, *names: str) -> list[str]:
    """The texts that stand under these names and are not blank."""
    if not isinstance(source, Mapping):
        return []
    return [value for name in names if isinstance(value := source.get(name), str) and value.strip()]


def one_line(text: str) -> str:
    """A foreign text in one line that can be written, cut where it is long: JSON can hold half of a surrogate pair."""
    line = " ".join(text.encode("utf-8", "replace").decode().split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _when(answer: Answer) -> list[str]:
    """The hint that says when to try again, where the answer does (Retry-After in seconds)."""
    asked = answer.headers.get("Retry-After", "").strip()
    return [f"Run the same command again in {asked} s."] if re.fullmatch("[0-9]{1,6}", asked) else []
