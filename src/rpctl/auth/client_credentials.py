"""How requests carry a token or a secret, as httpx wants it. Loaded by online commands only: it loads httpx.

Either goes to the service of its account and to nobody else: to another scheme, host or port nothing is sent.
"""

from __future__ import annotations

import sys
import time
from base64 import b64encode
from collections.abc import Generator
from typing import ClassVar, Final, NoReturn

from rpctl.auth.account import Account
from rpctl.auth.secrets import Secret
from rpctl.auth.service_token import PATH, REQUEST, ServiceToken
from rpctl.auth.token_cache import Token
from rpctl.errors import AnswerInvalid, InvalidConfig, UsageError

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # its command line loads click and rich
import httpx  # noqa: E402

_UNAUTHORIZED: Final = 401

Flow = Generator[httpx.Request, httpx.Response, None]


class Authorization(httpx.Auth):
    """Authenticates requests by a value in the header of that name, by httpx or without it. May be shared between
    threads."""

    scheme: ClassVar[str] = "Bearer"
    """What stands before the value."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._known_url: str | None = None

    def at_hand(self, url: str) -> str | None:
        """The value to send to that place now; None where one has to be asked for. Raises `UsageError` for a place that
        is not its own."""
        if url != self._known_url:
            _check_origin(self._account, httpx.URL(url))
            self._known_url = url
        return self._value()

    def refuse(self, value: str) -> bool:
        """The service does not accept that value. Whether another one may be had."""
        raise NotImplementedError

    def _value(self) -> str | None:
        raise NotImplementedError

    def _with(self, request: httpx.Request, value: str) -> httpx.Request:
        request.headers["Authorization"] = f"{self.scheme} {value}"
        return request


class ClientCredentials(Authorization):
    """Authenticates requests with an access token of the account; asks for one where none is at hand, and once more
    after a 401. A second 401 is the caller's to tell.

    Only an answer that holds a token is read here: those to the requests themselves may be long.
    """

    def __init__(self, tokens: ServiceToken) -> None:
        super().__init__(tokens.account)
        self._tokens = tokens

    @property
    def source(self) -> str:
        """Where the token came from, in words."""
        return f"client {self._tokens.account.client_id}"

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """What httpx asks: each request to send, in turn.

        Raises `UsageError` for a request to elsewhere, what `ServiceToken.form` and `ServiceToken.accept` raise.
        """
        _check_origin(self._account, request.url)
        token = self._tokens.held() or (yield from self._new(request))
        response = yield self._with(request, token.value)
        if response.status_code == _UNAUTHORIZED:
            self._tokens.refuse(token.value)
            token = yield from self._new(request)
            yield self._with(request, token.value)

    def refuse(self, value: str) -> bool:
        """Another one is there or can be asked for."""
        self._tokens.refuse(value)
        return True

    def _value(self) -> str | None:
        token = self._tokens.held()
        return token.value if token else None

    def _new(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, Token]:
        began_s = time.monotonic()
        with self._tokens.turn():
            token = self._tokens.held()
            if token is not None:
                return token
            self._tokens.check_hope(began_s)
            try:
                response = yield _token_request(self._tokens.account, self._tokens.form(), request)
            except GeneratorExit:
                self._tokens.not_answered()
                raise
            return self._tokens.accept(response.status_code, _body(response))

    def __repr__(self) -> str:
        return f"<access token of {self.source}>"


class _AsItIs(Authorization):
    """Authenticates requests with something that is there, as it is: after a refusal there is no other."""

    def sync_auth_flow(self, request: httpx.Request) -> Flow:
        """What httpx asks: the one request. Raises `UsageError` for a request to elsewhere."""
        _check_origin(self._account, request.url)
        yield self._with(request, self._value())

    def refuse(self, value: str) -> bool:
        """There is this one only."""
        return value != self._value()

    def _value(self) -> str:
        raise NotImplementedError


class ReadyToken(_AsItIs):
    """Authenticates requests with a token that somebody else got, as it is."""

    def __init__(self, account: Account, token: Secret) -> None:
        super().__init__(account)
        self._token = token

    @property
    def source(self) -> str:
        """Where the token came from, in words."""
        return self._token.source

    def _value(self) -> str:
        return self._token.reveal()

    def __repr__(self) -> str:
        return f"<token from {self.source}>"


class Basic(_AsItIs):
    """Authenticates requests with the client id and the secret themselves (HTTP Basic, RFC 7617). Raises
    `InvalidConfig` for a client id with a colon, which ends it there."""

    scheme = "Basic"

    def __init__(self, account: Account, secret: Secret) -> None:
        super().__init__(account)
        if ":" in (account.client_id or ""):
            raise InvalidConfig(
                f"The client id {account.client_id} has a colon in it, which cannot be sent.",
                "Check client_id in the profile, or RPCTL_CLIENT_ID: the secret comes by `rpctl auth login`.",
            )
        self._secret = secret

    @property
    def source(self) -> str:
        """Where the secret came from, in words."""
        return self._secret.source

    def _value(self) -> str:
        return b64encode(f"{self._account.client_id}:{self._secret.reveal()}".encode()).decode("ascii")

    def __repr__(self) -> str:
        return f"<client secret from {self.source}>"


def _token_request(account: Account, form: dict[str, str], request: httpx.Request) -> httpx.Request:
    headers = {"Accept": "application/json", "Emporix-Tenant": account.tenant}
    if "User-Agent" in request.headers:
        headers["User-Agent"] = request.headers["User-Agent"]
    # The time-outs, which httpx knows for requests of its client's own making only, and what watches the connection.
    carried = {name: value for name, value in request.extensions.items() if name in ("timeout", "trace")}
    return httpx.Request("POST", account.url + PATH, headers=headers, data=form, extensions=carried)


def _body(response: httpx.Response) -> bytes:
    try:
        return response.read()
    except httpx.DecodingError:
        raise AnswerInvalid(f"The answer to {REQUEST} cannot be read: it is packed wrongly or too long.").of_request(
            REQUEST
        ) from None


def _check_origin(account: Account, other: httpx.URL) -> None:
    own = httpx.URL(account.url)
    if (own.scheme, own.host, _port(own)) != (other.scheme, other.host, _port(other)):
        _refuse(own, other)


def _port(url: httpx.URL) -> int | None:
    return url.port or {"https": 443, "http": 80}.get(url.scheme)


def _refuse(own: httpx.URL, other: httpx.URL) -> NoReturn:
    raise UsageError(
        f"Credentials for {own.scheme}://{own.netloc.decode('ascii')} are not sent to "
        f"{other.scheme}://{other.netloc.decode('ascii')}.",
        "Nothing was sent.",
    )
