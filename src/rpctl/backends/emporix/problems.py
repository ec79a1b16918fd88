"""The service's error bodies, no two alike, as errors. Pure: an answer's status and body in, an error out."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rpctl.errors import (
    MissingScope,
    NotFound,
    RateLimited,
    RequestRefused,
    RpctlError,
    ServiceUnavailable,
    TokenRefused,
)

if TYPE_CHECKING:
    from rpctl.backends.http import Answer

_SCOPES: Final = re.compile(r"'\[([^\]]*)\]'")
_LONGEST: Final = 300
_SERVER: Final = 500


class Problem:
    """An error body read: whatever says in words what is wrong, and its fields."""

    def __init__(self, body: bytes) -> None:
        self.document = _document(body)
        self.is_known = bool(self.document)

    @property
    def message(self) -> str:
        """What the service says is wrong, in one line; empty where it says nothing."""
        found = self.document
        fault = found.get("fault")
        said = [
            *_texts(fault, "faultstring"),
            *_texts(found, "message", "detail", "title", "error_description", "error"),
        ][:1]
        said += [text for text in self.details if text not in said]
        return _line("; ".join(said))

    @property
    def details(self) -> list[str]:
        """Its details in words: strings as they are, objects as ``field: message``."""
        details = self.document.get("details")
        if isinstance(details, Mapping):
            details = [details]
        if not isinstance(details, list):
            return []
        return [text for one in details if (text := _detail(one))]

    @property
    def scopes(self) -> list[str]:
        """The scopes that a 403 says are missing; any one of them would do."""
        match = _SCOPES.search(self.message)
        return [scope.strip() for scope in match[1].split(",") if scope.strip()] if match else []


def is_absent(answer: Answer) -> bool:
    """Whether the service itself says that what was asked for is not there, in the documented words of its 404.

    A gateway's 404 tells of a wrong address and nothing of customers: who took it for their absence would send again
    what is in already.
    """
    return answer.status == 404 and Problem(answer.body).document.get("type") == "resource_not_found"


def is_no_mixin(answer: Answer) -> bool:
    """Whether the site settings say that nothing is set. How their 404 looks is not documented: like the other
    services' own, with its status and words, and not like a gateway's."""
    found = Problem(answer.body).document
    is_gateways = bool({"fault", "path", "timestamp"} & set(found))
    is_own = found.get("status", found.get("code")) == 404 and bool(_texts(found, "message", "detail"))
    return answer.status == 404 and (is_absent(answer) or (is_own and not is_gateways))


def is_failure(answer: Answer) -> bool:
    """Whether the service itself says that it failed, in the documented words of its 500, and so is done with it.
    A gateway's page or fault speaks for nobody, and a 503 may come while the service is still at work."""
    return answer.status == 500 and set(Problem(answer.body).document) >= {"timestamp", "status", "error", "path"}


def error_of(answer: Answer) -> RpctlError:
    """The error of an answer that is not the documented success."""
    problem = Problem(answer.body)
    said = _ended(problem.message) or _without_words(answer, problem)
    status, request = answer.status, answer.request
    error: RpctlError
    if status == 401:
        error = TokenRefused(f"The service does not accept the token: {said}")
    elif status == 403:
        error = _forbidden(problem, said, request)
    elif status == 404:
        error = NotFound(
            f"The service does not know what {request} asks for: {said}", "Check the ids, the tenant and the URL."
        )
    elif status == 429:
        error = RateLimited(f"The service asks to slow down: {said}", *_when(answer))
        error.retry_after_s = answer.retry_after_s
    elif status >= _SERVER:
        error = ServiceUnavailable(f"The service failed at {request}: {said}", *_when(answer))
    elif 300 <= status < 400:
        to = _line(answer.headers.get("Location") or "elsewhere")
        error = RequestRefused(
            f"The service redirects {request} to {to}; tokens are sent nowhere else.",
            "If that is its new place, set the profile's url to it.",
        )
    else:
        error = RequestRefused(
            f"The service refuses {request}: {said}",
            "Nothing was changed; check what was asked for.",
            **_facts(problem),
        )
    return error.of_request(request, status)


def _forbidden(problem: Problem, said: str, request: str) -> RpctlError:
    scopes = problem.scopes
    if scopes:
        own = [scope for scope in scopes if not scope.startswith("saasag.")] or scopes
        return MissingScope(f"The credentials lack the scope {' or '.join(own)} for {request}.", missingScopes=scopes)
    return RequestRefused(
        f"The service forbids {request}: {said}", "Check the tenant and what the API key may do: `rpctl doctor`."
    )


def _when(answer: Answer) -> list[str]:
    """The hint that says when to try again, where the answer does (Retry-After in seconds)."""
    asked = answer.headers.get("Retry-After", "").strip()
    return [f"Run the same command again in {asked} s."] if re.fullmatch("[0-9]{1,6}", asked) else []


def _facts(problem: Problem) -> dict[str, Any]:
    return {"serviceDetails": problem.details} if problem.details else {}


def _without_words(answer: Answer, problem: Problem) -> str:
    if problem.is_known or not answer.body:
        return f"status {answer.status} without a reason."
    return f"status {answer.status}, and what came is not the service's JSON."


def _ended(said: str) -> str:
    return f"{said}." if said and said[-1] not in ".!?…" else said


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body) if len(body) < 1_000_000 else None
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _texts(source: Any, *names: str) -> list[str]:
    if not isinstance(source, Mapping):
        return []
    return [value for name in names if isinstance(value := source.get(name), str) and value.strip()]


def _detail(one: Any) -> str:
    if isinstance(one, str):
        return one.strip()
    texts = _texts(one, "message")
    field = _texts(one, "field")
    return ": ".join([*field, *texts])


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}…"
