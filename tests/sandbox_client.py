"""A sandbox in a thread of this process, on a real socket, and a client that says exactly what a test says."""

from __future__ import annotations

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from queue import Queue
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from rpctl.domain.values import Instant, parse_instant
from rpctl.sandbox import serving
from rpctl.sandbox.assembly import Sandbox, Wishes

VIEW = "rewardspoints.rewardpoints_view"
MANAGE = "rewardspoints.rewardpoints_manage"
SITE = "site.site_manage"
START = parse_instant("2026-03-01T12:00:00Z")
FORM = "application/x-www-form-urlencoded"


class Reply(NamedTuple):
    """An answer; header names in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Running:
    """A sandbox that serves. ``now`` is its clock; ``tokens`` of each kind are made when they are first used."""

    def __init__(self, wishes: Wishes, now: Instant = START) -> None:
        self.now = now
        self.log: list[str] = []
        self.sandbox = Sandbox(wishes, lambda: self.now, os.urandom, self.log.append, "0")
        self.listener = serving.listen(0)
        self.port = self.listener.getsockname()[1]
        self.exports = self.sandbox.exports(f"http://127.0.0.1:{self.port}")
        self.tenant = self.exports["RPCTL_TENANT"]
        self._tokens: dict[str, str] = {}

    @property
    def environ(self) -> dict[str, str]:
        """What a command line needs to work on it, without waiting for answers that were lost."""
        return {**self.exports, "RPCTL_SETTLE_S": "0", "RPCTL_KEYRING": "off"}

    # -- tokens ----------------------------------------------------------------------------------------

    def token(self, kind: str = "service") -> str:
        """``service``, ``employee``, or a customer's id."""
        if kind not in self._tokens:
            path = "/sandbox/token" if kind in ("service", "employee") else f"/sandbox/customer-token/{kind}"
            made = self.send("POST", path, token=None, body={"holder": kind} if "/token" in path else {})
            assert made.status == 200, made
            self._tokens[kind] = made.json["access_token"]
        return self._tokens[kind]

    def token_with(self, *scopes: str, **more: Any) -> str:
        """A token with just these scopes."""
        return str(
            self.send("POST", "/sandbox/token", token=None, body={"scopes": scopes, **more}).json["access_token"]
        )

    # -- requests --------------------------------------------------------------------------------------

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = "",
        tenant: str | None = "",
        media_type: str = "application/json",
        **headers: str,
    ) -> Reply:
        """One request on a connection of its own. ``token`` empty: a service token, None: none; ``tenant`` empty: the
        sandbox's own; ``body``: bytes as they are, anything else as JSON."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token is not None:
            sent["Authorization"] = f"Bearer {token or self.token()}"
        if tenant is not None:
            sent["Emporix-Tenant"] = tenant or self.tenant
        content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        if content is not None and media_type:
            sent["Content-Type"] = media_type
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, content, sent)
            answer = connection.getresponse()
            return Reply(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
        finally:
            connection.close()

    def points(self, method: str, path: str, body: Any = None, **how: Any) -> Reply:
        """The same below ``/reward-points``."""
        return self.send(method, f"/reward-points{path}", body, **how)

    def as_customer(self, customer_id: str, method: str, path: str, body: Any = None) -> Reply:
        """The same below ``/reward-points/public/customer`` with that customer's token."""
        return self.points(method, f"/public/customer{path}", body, token=self.token(customer_id))

    def login(self, **changes: str) -> Reply:
        """A token from the documented endpoint; ``changes`` of the right form, empty ones leave a field out."""
        form = {
            "grant_type": "client_credentials",
            "client_id": self.exports["RPCTL_CLIENT_ID"],
            "client_secret": self.exports["RPCTL_CLIENT_SECRET"],
            **changes,
        }
        content = urlencode({name: value for name, value in form.items() if value}).encode()
        return self.send("POST", "/oauth/token", content, token=None, tenant=None, media_type=FORM)

    # -- BonifiQ ---------------------------------------------------------------------------------------

    def bonifiq(
        self, method: str, customer_id: str, body: Any = None, *, credentials: str | None = "", **how: Any
    ) -> Reply:
        """A call on a customer's points; ``credentials`` empty: the API token and key, None: none."""
        right = f"{self.exports['RPCTL_CLIENT_ID']}:{self.exports['RPCTL_CLIENT_SECRET']}"
        if credentials is not None:
            how["Authorization"] = f"Basic {base64.b64encode((credentials or right).encode()).decode()}"
        path = f"/v1/pvt/Customer/{quote(customer_id, safe='')}/points"
        return self.send(method, path, body, token=None, tenant=None, **how)

    def change(self, customer_id: str, points: int, key: str, **more: Any) -> Reply:
        """A change of points, right but for what ``more`` says."""
        body = {"Points": points, "OperationType": int(points < 0), "Reason": "why", "ChangeKey": key}
        return self.bonifiq("POST", customer_id, {**body, **more})

    def demand(self, *outcomes: Any) -> None:
        """What is to become of BonifiQ's next changes, one after another; None: as usual."""
        assert self.send("POST", "/sandbox/bonifiq/next", list(outcomes), token=None).status == 200

    # -- what must go well -----------------------------------------------------------------------------

    def add(self, customer_id: str, points: int, **more: Any) -> None:
        """Added points, which must go well."""
        assert self.points("POST", f"/customer/{customer_id}/addPoints", {"points": points, **more}).status == 201

    def redeem(self, customer_id: str, points: int, **more: Any) -> None:
        """Redeemed points, which must go well."""
        assert self.points("POST", f"/customer/{customer_id}/redeemPoints", {"points": points, **more}).status == 201

    def summary(self, customer_id: str) -> dict[str, Any]:
        """A customer's summary."""
        found = self.points("GET", f"/customer/{customer_id}/summary")
        assert found.status == 200, found
        return dict(found.json)


@contextmanager
def running(wishes: Wishes | None = None, **settings: Any) -> Iterator[Running]:
    """A sandbox that serves until the end of the context; ``settings`` are `Wishes`."""
    one = Running(wishes or Wishes(**settings))
    ready: Queue[Any] = Queue()
    thread = threading.Thread(target=serving.serve, args=(one.sandbox.application, one.listener, ready.put))
    thread.start()
    stop = ready.get(timeout=10)
    try:
        yield one
    finally:
        with suppress(RuntimeError):  # it ended by itself
            stop()
        thread.join(timeout=10)
        one.listener.close()
        one.sandbox.close()
        assert not thread.is_alive()
