"""Outcomes on demand: what is to become of the next changes, one after another."""

from __future__ import annotations

from collections import deque
from typing import Any, Final, NamedTuple

from rpctl.sandbox.answers import Answer, Refusal, json_answer
from rpctl.sandbox.bonifiq.bodies import failure, json_value
from rpctl.sandbox.bonifiq.codes import NOT_NOTIFIED, SUCCESS, UNSPECIFIED, Code, Severity
from rpctl.sandbox.request import Request

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "Severity": (int,),
    "Code": (str,),
    "CodeName": (str,),
    "ErrorMessage": (str, type(None)),
    "ErrorCode": (int, type(None)),
    "HasWarning": (bool,),
    "HasError": (bool,),
    "status": (int,),
    "lost": (bool,),
    "uses_key": (bool,),
    "body": (object,),
}
_OF_THE_ENVELOPE: Final = ("Code", "CodeName", "ErrorMessage", "ErrorCode", "HasWarning", "HasError")
_DEFAULTS: Final = {Severity.SUCCESS: SUCCESS, Severity.WARNING: NOT_NOTIFIED, Severity.ERROR: UNSPECIFIED}
_FAILURES: Final = range(400, 600)


class Demanded(NamedTuple):
    """What is to become of a change. ``severity`` None: what comes of it by itself; ``says`` goes into the envelope
    over what would stand there; ``status``: nothing is done, and that is the answer; ``body`` (in a tuple, for it may
    be null): it is done, and that is the answer; ``lost``: it is done, and nobody gets the answer; ``uses_key``: a
    refused change's key counts as used from then on."""

    severity: Severity | None = None
    says: dict[str, Any] = {}  # noqa: RUF012 - never written
    status: int | None = None
    body: tuple[Any] | None = None
    lost: bool = False
    uses_key: bool = False

    @property
    def code(self) -> Code:
        """The code of a change that ends so, where ``says`` names no other."""
        return _DEFAULTS[self.severity or Severity.SUCCESS]


AS_USUAL: Final = Demanded()


class Demands:
    """The outcomes that wait for their changes."""

    def __init__(self) -> None:
        self._waiting: deque[Demanded] = deque()

    def next(self) -> Demanded:
        """What is to become of this change."""
        return self._waiting.popleft() if self._waiting else AS_USUAL

    def take(self, request: Request) -> Answer:
        """``POST /sandbox/bonifiq/next``: a list of outcomes, null for as usual; how many wait now is answered."""
        documents = json_value(request)
        if not isinstance(documents, list):
            raise Refusal(failure(400, "The body is not a list of outcomes."))
        self._waiting.extend([_demanded(document) for document in documents])
        return json_answer(200, {"waiting": len(self._waiting)})


def _demanded(document: Any) -> Demanded:
    if document is None:
        return AS_USUAL
    if not isinstance(document, dict) or not document:
        raise _unknown(document)
    for name, value in document.items():
        types = _TYPES.get(name, ())
        if not isinstance(value, types) or (isinstance(value, bool) and types[0] is int):
            raise _unknown({name: value})
    demanded = Demanded(
        _severity(document),
        {name: document[name] for name in _OF_THE_ENVELOPE if name in document},
        document.get("status"),
        (document["body"],) if "body" in document else None,
        document.get("lost", False),
        document.get("uses_key", False),
    )
    is_refused = demanded.severity is Severity.ERROR
    is_done = demanded.body is not None or demanded.lost
    if (
        (demanded.status is not None and (len(document) > 1 or demanded.status not in _FAILURES))
        or (is_refused and is_done)
        or (demanded.uses_key and not is_refused)
        or (demanded.says and demanded.severity is None)
    ):
        raise _unknown(document)
    return demanded


def _severity(document: dict[str, Any]) -> Severity | None:
    value = document.get("Severity")
    try:
        return None if value is None else Severity(value)
    except ValueError:
        raise _unknown({"Severity": value}) from None


def _unknown(document: Any) -> Refusal:
    return Refusal(failure(400, f"There is no outcome {document!r}."))
