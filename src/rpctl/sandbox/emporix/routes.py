"""Which method on which path is which operation, and whom it is for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from rpctl.sandbox.answers import Answer, json_answer
from rpctl.sandbox.emporix import oauth, points, redeem_options, sites, storefront
from rpctl.sandbox.emporix.service import MANAGE, SITE, VIEW, Access, Service
from rpctl.sandbox.request import Request
from rpctl.sandbox.router import Route, Router
from rpctl.sandbox.tokens import Holder

Operation = Callable[[Service, Request], Answer]

_PROGRAMS: Final = frozenset({Holder.SERVICE, Holder.EMPLOYEE})
_EMPLOYEES: Final = frozenset({Holder.EMPLOYEE})
_CUSTOMERS: Final = frozenset({Holder.CUSTOMER})
_EVERYBODY: Final = frozenset(Holder)

_CUSTOMER: Final = "/reward-points/customer/{}"
_OPTIONS: Final = "/reward-points/{}/redeemOptions"
_MIXIN: Final = "/site/{}/sites/{}/mixins/couponSettings"

_OF_THE_TOKEN: Final[Sequence[tuple[str, str, Operation, frozenset[Holder], str | None]]] = (
    ("GET", "/reward-points/summaryBatch", points.summary_batch, _PROGRAMS, VIEW),
    ("GET", _CUSTOMER, points.balance, _PROGRAMS, VIEW),
    ("POST", _CUSTOMER, points.create, _PROGRAMS, MANAGE),
    ("DELETE", _CUSTOMER, points.delete, _PROGRAMS, MANAGE),
    ("GET", f"{_CUSTOMER}/summary", points.summary, _PROGRAMS, VIEW),
    ("POST", f"{_CUSTOMER}/addPoints", points.add, _PROGRAMS, MANAGE),
    ("POST", f"{_CUSTOMER}/redeemPoints", points.redeem, _PROGRAMS, MANAGE),
    ("GET", "/reward-points/public/customer", storefront.balance, _CUSTOMERS, None),
    ("GET", "/reward-points/public/customer/summary", storefront.summary, _CUSTOMERS, None),
    ("POST", "/reward-points/public/customer/redeem", storefront.redeem, _CUSTOMERS, None),
)
"""Operations 1 to 10: the tenant is the token's."""

_OF_THE_PATH: Final[Sequence[tuple[str, str, Operation, frozenset[Holder], str | None]]] = (
    ("GET", _OPTIONS, redeem_options.list_, _EVERYBODY, VIEW),
    ("POST", _OPTIONS, redeem_options.create, _PROGRAMS, MANAGE),
    ("PUT", f"{_OPTIONS}/{{}}", redeem_options.update, _PROGRAMS, MANAGE),
    ("DELETE", f"{_OPTIONS}/{{}}", redeem_options.delete, _EMPLOYEES, MANAGE),
    ("GET", _MIXIN, sites.read, _PROGRAMS, SITE),
    ("PATCH", _MIXIN, sites.change, _PROGRAMS, SITE),
    ("PUT", _MIXIN, sites.replace, _PROGRAMS, SITE),
    ("POST", _MIXIN, sites.replace, _PROGRAMS, SITE),
)
"""Operations 11 to 14 and the site's mixin: the tenant stands in the path."""


def routes(service: Service, requests: Callable[[], Sequence[tuple[str, str, int]]]) -> Router:
    """All paths of the service; ``requests`` tells of those so far."""
    router = Router()
    for operations, of_tenant in ((_OF_THE_TOKEN, False), (_OF_THE_PATH, True)):
        for method, pattern, operation, holders, scope in operations:
            authorize = Access(service, holders, scope, of_tenant)
            router.add(method, pattern, Route(partial(operation, service), authorize))
    router.add("POST", "/oauth/token", Route(partial(oauth.token, service), is_api=False))
    own: Sequence[tuple[str, str, Callable[[Request], Answer]]] = (
        ("POST", "/sandbox/customer-token/{}", partial(oauth.customer_token, service)),
        ("POST", "/sandbox/token", partial(oauth.any_token, service)),
        ("GET", "/sandbox/requests", lambda _: json_answer(200, list(requests()))),
    )
    for method, pattern, handler in own:
        router.add(method, pattern, Route(handler, is_api=False, is_own=True))
    return router
