"""Operations 8 to 10: the signed-in customer's own points."""

from __future__ import annotations

from rpctl.domain.changes import RedeemPoints
from rpctl.domain.outcomes import Applied, Refused
from rpctl.domain.points import RedeemedPoints
from rpctl.errors import CustomerNotFound, InsufficientPoints, NotExchangeable, OptionNotFound
from rpctl.sandbox.answers import Answer, json_answer
from rpctl.sandbox.emporix import documents
from rpctl.sandbox.emporix.bodies import no_points, not_found, problem
from rpctl.sandbox.emporix.payloads import Fields, json_object, site_code
from rpctl.sandbox.emporix.service import Service
from rpctl.sandbox.request import Request


def balance(service: Service, request: Request) -> Answer:
    """Operation 8: what I can redeem now."""
    customer_id = request.token.customer_id
    try:
        return json_answer(200, service.data.backend.active_points(customer_id))
    except CustomerNotFound:
        return no_points(customer_id)


def summary(service: Service, request: Request) -> Answer:
    """Operation 9: my summary."""
    customer_id = request.token.customer_id
    try:
        found = service.data.backend.summary(customer_id)
    except CustomerNotFound:
        return no_points(customer_id)
    return json_answer(200, documents.summary(found, service.data))


def redeem(service: Service, request: Request) -> Answer:
    """Operation 10: my points for a coupon."""
    customer_id = request.token.customer_id
    site = site_code(request)
    fields = Fields(json_object(request))
    option_id = fields.name("id", required=True)
    fields.check()
    change = RedeemPoints(customer_id, service.data.fresh_key(), option_id=option_id, site_code=site)
    (outcome,) = service.data.backend.apply([change])
    if isinstance(outcome, Refused):
        error = outcome.error
        if isinstance(error, CustomerNotFound):
            return no_points(customer_id)
        if isinstance(error, OptionNotFound):
            return not_found(f"No redeem option found with id {option_id}")
        if isinstance(error, InsufficientPoints | NotExchangeable):
            return problem(request.path, error.message)
        raise error
    assert isinstance(outcome, Applied) and isinstance(outcome.entry, RedeemedPoints)
    return json_answer(200, {"code": outcome.entry.coupon_code})
