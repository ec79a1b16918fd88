"""Operations 11 to 14: redeem options."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from rpctl.domain.redeem_options import check_option
from rpctl.errors import InvalidValue, OptionExists, OptionNotFound, StaleVersion
from rpctl.sandbox.answers import Answer, Refusal, json_answer
from rpctl.sandbox.emporix.bodies import Violation, invalid, problem, stale_option
from rpctl.sandbox.emporix.payloads import Fields, json_object
from rpctl.sandbox.emporix.service import Service
from rpctl.sandbox.request import Request

_LATEST_VERSION: Final = 2**53


def list_(service: Service, request: Request) -> Answer:  # noqa: ARG001 - it is the same for everyone
    """Operation 11: all redeem options."""
    return json_answer(200, [option.document for option in service.data.backend.options()])


def create(service: Service, request: Request) -> Answer:
    """Operation 12: a new one, answered with an array of it."""
    body = _option(request)
    try:
        option = service.data.backend.create_option(body)
    except OptionExists as error:
        return problem(request.path, error.message)
    return json_answer(200, [option.document])


def update(service: Service, request: Request) -> Answer:
    """Operation 13: the whole option anew, if ``metadata.version`` is still its version. Its 404 is not documented."""
    _, option_id = request.ids
    body = _option(request)
    fields = Fields(body.get("metadata") or {}, "metadata.")
    version = fields.whole("version", 0, _LATEST_VERSION, required=True)
    fields.check()
    assert version is not None
    try:
        service.data.backend.update_option(option_id, version, body)
    except StaleVersion:
        return stale_option(option_id)
    except OptionNotFound as error:
        return problem(request.path, error.message)
    return Answer(200)


def delete(service: Service, request: Request) -> Answer:
    """Operation 14: the option is gone, whether it was there or not."""
    _, option_id = request.ids
    with suppress(OptionNotFound):
        service.data.backend.delete_option(option_id)
    return Answer(204)


def _option(request: Request) -> dict[str, Any]:
    """A redeem option by the rules of its coupon. Raises `Refusal`."""
    body = json_object(request)
    fields = Fields(body)
    fields.name("id")
    if body.get("type") is None:  # which a ledger would fill in
        fields.wrong("type", "must not be null")
    metadata = body.get("metadata")
    if metadata is not None and not isinstance(metadata, dict):
        fields.wrong("metadata", "must be an object")
    if body.get("pointsAfterCoupon") is not None:
        fields.whole("pointsAfterCoupon", -_LATEST_VERSION, _LATEST_VERSION)
    fields.check()
    try:
        check_option(body)
    except InvalidValue as error:
        raise Refusal(invalid([Violation(_field_of(error.message), error.message)])) from None
    return body


def _field_of(message: str) -> str:
    """The field that a rule's message begins with, or the one that it says is missing."""
    first = message.partition(" ")[0]
    return message.rstrip(".").rpartition(" ")[2] if first == "The" else first
