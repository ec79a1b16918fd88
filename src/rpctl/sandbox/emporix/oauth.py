"""Tokens: the documented endpoint, and the sandbox's own ways to tokens that a real service hands to people."""

from __future__ import annotations

from hmac import compare_digest
from typing import Final
from urllib.parse import parse_qs

from rpctl.sandbox.answers import Answer, Refusal, json_answer
from rpctl.sandbox.emporix.bodies import Violation, invalid, problem, unauthorized
from rpctl.sandbox.emporix.payloads import Fields, checked_customer, json_object
from rpctl.sandbox.emporix.service import SCOPES, Service
from rpctl.sandbox.request import Request
from rpctl.sandbox.tokens import Holder

_FORM: Final = "application/x-www-form-urlencoded"
_TENANT: Final = "tenant="
_IDLE_TIME_S: Final = 120
_LONGEST_S: Final = 10**9


def token(service: Service, request: Request) -> Answer:
    """``POST /oauth/token``: a service token for the client's id and secret, with those of the scopes asked for that
    the client has, or with all."""
    if request.media_type != _FORM and (request.body or request.media_type):
        raise Refusal(problem(request.path, f"Content-Type '{request.media_type}' is not supported.", 415))
    form = parse_qs(request.body.decode("latin-1"), keep_blank_values=True, encoding="utf-8")
    sent = {name: values[0] for name, values in form.items()}
    if sent.get("grant_type") != "client_credentials":
        return problem(request.path, "Unsupported grant type")
    identity = service.data.identity
    is_known = sent.get("client_id") == identity.client_id
    is_right = compare_digest(sent.get("client_secret", "").encode(), identity.client_secret.encode())
    asked = sent.get("scope", "").split()
    tenants = {word.removeprefix(_TENANT) for word in asked if word.startswith(_TENANT)}
    if not (is_known and is_right) or tenants - {identity.tenant}:
        return unauthorized("Invalid client identifier", "oauth.v2.InvalidClientIdentifier")
    wanted = [word for word in asked if not word.startswith(_TENANT)]
    granted = [scope for scope in SCOPES if not wanted or scope in wanted]
    lifetime_s = service.token_lifetime_s
    document = {
        "access_token": service.tokens.issue(Holder.SERVICE, granted, lifetime_s),
        "token_type": "Bearer",
        "expires_in": lifetime_s,
        "session_idle_time": _IDLE_TIME_S,
        "scope": " ".join([f"{_TENANT}{identity.tenant}", *granted]),
        "refresh_token": "",
        "refresh_token_expires_in": 0,
    }
    return json_answer(200, document)


def customer_token(service: Service, request: Request) -> Answer:
    """``POST /sandbox/customer-token/{id}``: as if that customer had signed in."""
    customer_id = checked_customer(request.ids[0])
    text = service.tokens.issue(Holder.CUSTOMER, (), service.token_lifetime_s, customer_id)
    return json_answer(200, {"access_token": text})


def any_token(service: Service, request: Request) -> Answer:
    """``POST /sandbox/token``: ``{"scopes": [...], "expires_in": n, "holder": "employee"}``; whatever is left out:
    all scopes, the usual life, a service token."""
    body = json_object(request)
    fields = Fields(body)
    lifetime_s = fields.whole("expires_in", 0, _LONGEST_S)
    fields.check()
    scopes = body.get("scopes", SCOPES)
    holder = body.get("holder", Holder.SERVICE)
    if not isinstance(scopes, list | tuple) or not all(isinstance(one, str) for one in scopes):
        raise Refusal(invalid([Violation("scopes", "must be an array of strings")]))
    if holder not in (Holder.SERVICE, Holder.EMPLOYEE):
        raise Refusal(invalid([Violation("holder", "must be service or employee")]))
    text = service.tokens.issue(Holder(holder), scopes, service.token_lifetime_s if lifetime_s is None else lifetime_s)
    return json_answer(200, {"access_token": text})
