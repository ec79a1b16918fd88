"""Which method on which path is which call."""

from __future__ import annotations

from functools import partial
from typing import Final

from rpctl.sandbox.bonifiq import points
from rpctl.sandbox.bonifiq.service import Service
from rpctl.sandbox.router import Route, Router

PREFIX: Final = "/v1/"
"""What the paths of the API begin with."""

_POINTS: Final = f"{PREFIX}pvt/Customer/{{}}/points"


def add_routes(router: Router, service: Service) -> None:
    """All paths of the service, and the sandbox's own way to outcomes on demand."""
    router.add("GET", _POINTS, Route(partial(points.read, service), service.authorize))
    router.add("POST", _POINTS, Route(partial(points.change, service), service.authorize))
    router.add("POST", "/sandbox/bonifiq/next", Route(service.demands.take, is_api=False, is_own=True))
