"""BonifiQ's answers that are no success, as errors. Pure: an answer in, an error out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rpctl.backends.bonifiq.answers import ERROR, Unreadable, change_of, document_of, severity_of
from rpctl.backends.problems import document_of as whatever_is_in
from rpctl.backends.problems import ended, error_by_status, one_line, texts_in, without_words
from rpctl.errors import AnswerInvalid, CredentialsWrong, RequestRefused, RpctlError

if TYPE_CHECKING:
    from rpctl.backends.http import Answer

_CHECK: Final = "Check the id and the URL."
_LOG_IN: Final = "`rpctl auth login` stores another API key; `rpctl auth status` tells where this one came from."


def error_of(answer: Answer) -> RpctlError:
    """The error of an answer whose status is no success."""
    document = whatever_is_in(answer.body)
    said = ended(_said(document)) or without_words(answer, is_known=bool(document))
    error: RpctlError
    if answer.status == 401:
        error = CredentialsWrong(f"BonifiQ does not accept the API token and its key: {said}", _LOG_IN)
    elif answer.status == 403:
        error = RequestRefused(f"The service forbids {answer.request}: {said}", "Check what the API token may do.")
    else:
        return error_by_status(answer, said, _CHECK, "credentials")
    return error.of_request(answer.request, answer.status)


def refusal_of(answer: Answer, document: Mapping[str, Any]) -> RequestRefused:
    """The error that an envelope of the severity 2 is, with its code and name for who knows what they stand for."""
    code, name = _text(document.get("Code")), _text(document.get("CodeName"))
    said = ended(_said(document)) or "no reason is given."
    label = f"{named(document)}: " if code or name else ""
    error = RequestRefused(
        f"The service refuses {answer.request}: {label}{said}",
        "Nothing was changed; check what was asked for.",
        code=code or None,
        codeName=name or None,
        severity=document.get("Severity"),
        errorCode=document.get("ErrorCode"),
    )
    error.outcome = (code, name)
    return error.of_request(answer.request, answer.status)


def refusal_in(answer: Answer) -> RequestRefused | None:
    """The refusal that a successful status may hold; None where it holds none."""
    try:
        document = document_of(answer)
        return refusal_of(answer, document) if severity_of(document) == ERROR else None
    except Unreadable:
        return None


def is_failure(answer: Answer) -> bool:
    """Whether the service itself says that it failed, and so is done with it: a gateway's page speaks for nobody."""
    try:
        return change_of(document_of(answer)) == ERROR
    except Unreadable:
        return False


def remark_of(document: Mapping[str, Any]) -> str:
    """What a warning says, in one line."""
    said = _said(document)
    label = named(document)
    return f"{label}: {said}" if label and said else label or said or "the service warns without saying of what"


def named(document: Mapping[str, Any]) -> str:
    """The name of an outcome with its code: ``DuplicatedKey (07)``."""
    code, name = _text(document.get("Code")), _text(document.get("CodeName"))
    return f"{name} ({code})" if name and code else name or (f"code {code}" if code else "")


def not_an_answer(answer: Answer, why: str) -> AnswerInvalid:
    """What came is nothing to read; ``why`` follows "something that"."""
    told = f"{answer.request} was answered with something that {why}."
    return AnswerInvalid(told).of_request(answer.request, answer.status)


def _said(document: Mapping[str, Any]) -> str:
    return one_line("".join(texts_in(document, "ErrorMessage", "Message", "message", "detail", "title", "error")[:1]))


def _text(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    return one_line(str(value))
