"""Operations 1 to 7: all customers' points, for the shop's own programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from rpctl.domain.changes import Customers
from rpctl.errors import CustomerExists, CustomerNotFound, InsufficientPoints, InvalidValue, ProgramDisabled
from rpctl.sandbox.answers import Answer, Refusal, encoded, json_answer, json_stream
from rpctl.sandbox.emporix import documents
from rpctl.sandbox.emporix.bodies import Violation, entry_exists, invalid, no_points, problem
from rpctl.sandbox.emporix.payloads import (
    Fields,
    added_points,
    checked_customer,
    json_object,
    redeemed_points,
    site_code,
)
from rpctl.sandbox.emporix.service import Service
from rpctl.sandbox.request import Request

_TOGETHER: Final = 50  # summaries in one piece of the list of all


def summary_batch(service: Service, request: Request) -> Answer:  # noqa: ARG001 - it is the same for everyone
    """Operation 1: everybody's summary, in pieces: others' requests come in between, and only ids are in memory."""
    return json_stream(200, _everybody(service))


def balance(service: Service, request: Request) -> Answer:
    """Operation 2: what a customer can redeem now. Its 404 is not documented, so that is a 400."""
    (customer_id,) = request.ids
    try:
        return json_answer(200, service.data.backend.active_points(customer_id))
    except CustomerNotFound:
        return problem(request.path, f"No reward points found for customer {customer_id}")


def create(service: Service, request: Request) -> Answer:
    """Operation 3: a customer's entry, with points to begin with or without."""
    customer_id = checked_customer(request.ids[0])
    site = site_code(request)
    body = json_object(request)
    named = Fields(body).name("customerId")
    if body.get("customerId") is not None and named != customer_id:
        raise Refusal(invalid([Violation("customerId", "must be the customer's of the path")]))
    start = body.get("startPoints")
    if start is not None and not isinstance(start, dict):
        raise Refusal(invalid([Violation("startPoints", "must be an object")]))
    entry = added_points(Fields(start, "startPoints."), start, least=0) if start else None
    try:
        if entry is not None and entry.points:
            service.add(customer_id, entry, site, Customers.NEW)
        else:
            service.data.backend.create_customer(customer_id)
    except CustomerExists:
        return entry_exists(customer_id)
    except (ProgramDisabled, InvalidValue) as error:
        return problem(request.path, error.message)
    return Answer(200)


def delete(service: Service, request: Request) -> Answer:
    """Operation 4: a customer's points are gone, whether there were any or not."""
    with suppress(CustomerNotFound):
        service.data.backend.delete_customer(request.ids[0])
    return Answer(200)


def summary(service: Service, request: Request) -> Answer:
    """Operation 5: one customer's summary."""
    (customer_id,) = request.ids
    try:
        found = service.data.backend.summary(customer_id)
    except CustomerNotFound:
        return no_points(customer_id)
    return json_answer(200, documents.summary(found, service.data))


def add(service: Service, request: Request) -> Answer:
    """Operation 6: added points, for a customer who may be new."""
    customer_id = checked_customer(request.ids[0])
    site = site_code(request)
    body = json_object(request)
    entry = added_points(Fields(body), body)
    try:
        service.add(customer_id, entry, site)
    except (ProgramDisabled, InvalidValue) as error:
        return problem(request.path, error.message)
    return Answer(201)


def redeem(service: Service, request: Request) -> Answer:
    """Operation 7: redeemed points, without a coupon."""
    customer_id = checked_customer(request.ids[0])
    entry = redeemed_points(Fields(json_object(request)))
    try:
        service.redeem(customer_id, entry)
    except (InsufficientPoints, CustomerNotFound, InvalidValue) as error:
        return problem(request.path, error.message)
    return Answer(201)


def _everybody(service: Service) -> Iterator[bytes]:
    backend = service.data.backend
    # A cursor or a transaction left open between two pieces would be in the way of everybody's writing.
    ids = [customer_id for customer_id, _ in backend.customers()]
    before = b"["
    for start in range(0, len(ids), _TOGETHER):
        piece = []
        for customer_id in ids[start : start + _TOGETHER]:
            try:
                found = backend.summary(customer_id)
            except CustomerNotFound:  # deleted meanwhile
                continue
            piece.append(encoded(documents.summary(found, service.data)))
        if piece:
            yield before + b",".join(piece)
            before = b","
    yield b"[]" if before == b"[" else b"]"
