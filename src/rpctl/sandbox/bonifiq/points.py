"""The two calls: a customer's points changed, and read."""

from __future__ import annotations

from typing import Any

from rpctl.sandbox.answers import Answer, json_answer
from rpctl.sandbox.bonifiq.bodies import asked, change_key, failure, json_object
from rpctl.sandbox.bonifiq.codes import NOT_NOTIFIED, SUCCESS, Code, Severity, Wrong, envelope
from rpctl.sandbox.bonifiq.demand import Demanded
from rpctl.sandbox.bonifiq.service import Service
from rpctl.sandbox.request import Request


def read(service: Service, request: Request) -> Answer:
    """``GET /v1/pvt/Customer/{id}/points``; an unknown customer is no error."""
    result = service.result(request.ids[0])
    return json_answer(200, result if service.is_bare else envelope(result, Severity.SUCCESS, SUCCESS))


def change(service: Service, request: Request) -> Answer:
    """``POST /v1/pvt/Customer/{id}/points``."""
    (customer_id,) = request.ids
    body = json_object(request)
    demanded = service.demands.next()
    if demanded.status is not None:
        return failure(demanded.status, "The outcome that was asked for.")
    if demanded.severity is Severity.ERROR:
        if demanded.uses_key and (key := change_key(body)) is not None:
            service.use_up(key)
        return _refused(service, customer_id, demanded.code, demanded.says)
    answer = _changed(service, customer_id, body, demanded)
    if demanded.body is not None:
        answer = json_answer(200, demanded.body[0])
    return answer._replace(lost=demanded.lost)


def _changed(service: Service, customer_id: str, body: dict[str, Any], demanded: Demanded) -> Answer:
    key = change_key(body)
    try:
        if key is not None and service.is_used(key):
            raise Wrong(service.key_used)
        service.apply(asked(customer_id, body))
    except Wrong as wrong:
        return _refused(service, customer_id, wrong.code, {})
    result = service.result(customer_id)
    if demanded.severity is not None:
        return json_answer(200, envelope(result, demanded.severity, demanded.code) | demanded.says)
    if service.warnings.next():
        return json_answer(200, envelope(result, Severity.WARNING, NOT_NOTIFIED))
    return json_answer(200, result if service.is_bare else envelope(result, Severity.SUCCESS, SUCCESS))


def _refused(service: Service, customer_id: str, code: Code, says: dict[str, Any]) -> Answer:
    """An error, which always comes in the envelope."""
    result = service.result(customer_id, says.get("ErrorMessage", code.message))
    return json_answer(200, envelope(result, Severity.ERROR, code) | says)
