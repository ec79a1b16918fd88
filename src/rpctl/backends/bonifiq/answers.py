"""BonifiQ's answers judged: the envelope or the bare result, by severity and flags, never by words.

An answer that does not say plainly what became of a change, or says two things at once, says nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from rpctl.backends.problems import one_line, texts_in

if TYPE_CHECKING:
    from rpctl.backends.http import Answer

SUCCESS: Final = 0
WARNING: Final = 1
ERROR: Final = 2
"""The severities of an answer."""

_MOST: Final = 2**53  # beyond that a decimal is no exact number any more


class Unreadable(ValueError):
    """What came is no answer of the service's, or contradicts itself; the text follows "something that"."""


def document_of(answer: Answer) -> Mapping[str, Any]:
    """The object that an answer is. Raises `Unreadable`."""
    try:
        document = json.loads(answer.body, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Unreadable("is not JSON") from None
    if not isinstance(document, dict):
        raise Unreadable("is no object")
    return document


def severity_of(document: Mapping[str, Any]) -> int | None:
    """`SUCCESS`, `WARNING` or `ERROR`; None where neither the severity nor a flag says so. Raises `Unreadable` where
    they are others than documented, or one says that it failed and the other that it did not."""
    severity, failed, warned = (document.get(name) for name in ("Severity", "HasError", "HasWarning"))
    if not all(flag is None or isinstance(flag, bool) for flag in (failed, warned)):
        raise Unreadable("has flags that are neither true nor false")
    if severity is None:
        if failed:
            return ERROR
        if failed is None and not warned:
            return None
        return WARNING if warned else SUCCESS
    if isinstance(severity, bool) or not isinstance(severity, int) or severity not in (SUCCESS, WARNING, ERROR):
        raise Unreadable("has a severity that is not documented")
    if failed is not None and failed != (severity == ERROR):
        raise Unreadable("contradicts itself")
    return WARNING if warned and severity == SUCCESS else severity


def change_of(document: Mapping[str, Any]) -> int:
    """What a change came to: a severity. Raises `Unreadable` where the answer does not say it.

    A result without an envelope is a success, as long as nothing in it says otherwise.
    """
    severity = severity_of(document)
    if severity is not None:
        return severity
    result = result_of(document)
    is_result = "PointsBalance" in result or "CustomerExists" in result
    if is_result and result.get("CustomerExists") is not False and not complaint_of(document):
        return SUCCESS
    raise Unreadable("says nothing")


def result_of(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """The payload, in its envelope or bare; empty where there is none."""
    result = document.get("Result", document)
    return result if isinstance(result, dict) else {}


def complaint_of(document: Mapping[str, Any]) -> str:
    """What an answer without severity and flags complains of, in one line; empty where it does not."""
    texts = [*texts_in(document, "ErrorMessage", "Error"), *texts_in(result_of(document), "Error")]
    codes = [document.get("ErrorCode"), document.get("Code")]
    told = texts + [f"code {code}" for code in codes if code not in (None, "")]
    return one_line(told[0]) if told else ""


def balance_of(result: Mapping[str, Any]) -> int | None:
    """The points that a customer has now; None where they are not told."""
    return whole(result.get("PointsBalance"))


def changes_of(result: Mapping[str, Any]) -> int | None:
    """How many changes a customer's history has; None where it is not told."""
    history = result.get("PointHistory")
    return len(history) if isinstance(history, list) else None


def whole(value: Any) -> int | None:
    """A whole number, also one that is written as a decimal; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST:
        return None
    return int(value) if value == int(value) else None


def _no_number(text: str) -> None:
    """NaN and Infinity, which JSON does not have."""
    raise ValueError(text)
