"""The service's error bodies, no two alike, as errors. Pure: an answer's status and body in, an error out."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rpctl.backends.problems import document_of, ended, error_by_status, one_line, texts_in, without_words
from rpctl.errors import MissingScope, RequestRefused, RpctlError, TokenRefused

if TYPE_CHECKING:
    from rpctl.backends.http import Answer

_SCOPES: Final = re.compile(r"'\[([^\]]*)\]'")
_CHECK: Final = "Check the ids, the tenant and the URL."


class Problem:
    """An error body read: whatever says in words what is wrong, and its fields."""

    def __init__(self, body: bytes) -> None:
        self.document = document_of(body)
        self.is_known = bool(self.document)

    @property
    def message(self) -> str:
        """What the service says is wrong, in one line; empty where it says nothing."""
        found = self.document
        fault = found.get("fault")
        said = [
            *texts_in(fault, "faultstring"),
            *texts_in(found, "message", "detail", "title", "error_description", "error"),
        ][:1]
        said += [text for text in self.details if text not in said]
        return one_line("; ".join(said))

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
    is_own = found.get("status", found.get("code")) == 404 and bool(texts_in(found, "message", "detail"))
    return answer.status == 404 and (is_absent(answer) or (is_own and not is_gateways))


def is_failure(answer: Answer) -> bool:
    """Whether the service itself says that it failed, in the documented words of its 500, and so is done with it.
    A gateway's page or fault speaks for nobody, and a 503 may come while the service is still at work."""
    return answer.status == 500 and set(Problem(answer.body).document) >= {"timestamp", "status", "error", "path"}


def error_of(answer: Answer) -> RpctlError:
    """The error of an answer that is not the documented success."""
    problem = Problem(answer.body)
    said = ended(problem.message) or without_words(answer, is_known=problem.is_known)
    error: RpctlError
    if answer.status == 401:
        error = TokenRefused(f"The service does not accept the token: {said}")
    elif answer.status == 403:
        error = _forbidden(problem, said, answer.request)
    else:
        return error_by_status(answer, said, _CHECK, "tokens", **_facts(problem))
    return error.of_request(answer.request, answer.status)


def _forbidden(problem: Problem, said: str, request: str) -> RpctlError:
    scopes = problem.scopes
    if scopes:
        own = [scope for scope in scopes if not scope.startswith("saasag.")] or scopes
        return MissingScope(f"The credentials lack the scope {' or '.join(own)} for {request}.", missingScopes=scopes)
    return RequestRefused(
        f"The service forbids {request}: {said}", "Check the tenant and what the API key may do: `rpctl doctor`."
    )


def _facts(problem: Problem) -> dict[str, Any]:
    return {"serviceDetails": problem.details} if problem.details else {}


def _detail(one: Any) -> str:
    if isinstance(one, str):
        return one.strip()
    texts = texts_in(one, "message")
    field = texts_in(one, "field")
    return ": ".join([*field, *texts])
