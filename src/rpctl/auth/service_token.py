"""Access tokens of a service: asked for with the client id and the secret, kept, used until they expire.

``POST /oauth/token`` with a form, answered by ``access_token`` and ``expires_in``; there are no refresh tokens. How
the request travels is not this module's business: `form` is what to post, `accept` takes the answer.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from rpctl.auth.account import Account
from rpctl.auth.secrets import Secret
from rpctl.auth.token_cache import Token, TokenCache, is_token
from rpctl.errors import (
    AnswerInvalid,
    CredentialsWrong,
    MissingScope,
    RateLimited,
    RequestRefused,
    RpctlError,
    ServiceUnavailable,
)

PATH: Final = "/oauth/token"
REQUEST: Final = f"POST {PATH}"

_UNTOLD_LIFE_S: Final = 300
_LONGEST_LIFE_S: Final = 30 * 86_400


def token_form(account: Account, secret: Secret, scopes: Sequence[str]) -> dict[str, str]:
    """The form that asks for a token; the tenant stands among the scopes."""
    return {
        "grant_type": "client_credentials",
        "client_id": account.client_id or "",
        "client_secret": secret.reveal(),
        "scope": " ".join((*scopes, f"tenant={account.tenant}")),
    }


def read_token_answer(
    status: int, body: bytes, *, account: Account, source: str, now: int, scopes: Sequence[str] = ()
) -> Token:
    """The token in an answer. ``source`` tells where the secret came from; ``now`` (milliseconds since 1970) is when
    the request was sent, so that a slow answer makes no token live longer.

    Raises `CredentialsWrong` (400, 401, 403), `MissingScope` (the service names that as its reason), `RateLimited`
    (429), `ServiceUnavailable` (5xx), `AnswerInvalid`, `RequestRefused` (another 4xx). Nothing that the service
    wrote is shown: it might repeat the secret.
    """
    document = _document(body)
    if not 200 <= status < 300:
        raise _refusal(status, document, account, source, scopes).of_request(REQUEST, status)
    value, life_s = document.get("access_token"), document.get("expires_in", _UNTOLD_LIFE_S)
    if isinstance(life_s, str) and re.fullmatch(r"[0-9]{1,9}", life_s):
        life_s = int(life_s)
    if not is_token(value) or isinstance(life_s, bool) or not isinstance(life_s, int | float) or not life_s > 0:
        raise AnswerInvalid(f"{_host(account)} answered {REQUEST} with something that is no access token.").of_request(
            REQUEST, status
        )
    return Token(str(value), now, now + int(min(life_s, _LONGEST_LIFE_S) * 1000), tuple(scopes))


class ServiceToken:
    """The access token of one account for some scopes. ``secret`` is asked for the secret when a token has to be
    asked for, not before; it raises `CredentialsMissing`. ``clock`` tells milliseconds since 1970."""

    def __init__(
        self,
        account: Account,
        scopes: Sequence[str],
        cache: TokenCache,
        secret: Callable[[], Secret],
        clock: Callable[[], int],
    ) -> None:
        self.account = account
        self.scopes = tuple(scopes)
        self._cache = cache
        self._secret = secret
        self._clock = clock
        self._held: Token | None = None
        self._refused: frozenset[str] = frozenset()
        self._turn = threading.Lock()
        self._asked_at = 0
        self._source = "the cache"
        self._failed_s = float("-inf")

    def held(self) -> Token | None:
        """A token that can be used now, none that was refused; ``None`` where one has to be asked for."""
        now = self._clock()
        held = self._held
        if self._is_usable(held, now):
            return held
        kept = self._cache.read(self.scopes)
        if not self._is_usable(kept, now):
            return None  # and what another thread may hold by now stays
        self._held = kept
        return kept

    def refuse(self, value: str) -> None:
        """The service does not accept that token: it is not held any more."""
        self._refused |= {value}

    def _is_usable(self, token: Token | None, now: int) -> bool:
        return token is not None and token.is_good(now) and token.value not in self._refused

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One thread of one process at a time asks for a token; who comes next looks at `held` first."""
        with self._turn, self._cache.turn(self.scopes):
            yield

    def not_answered(self) -> None:
        """Nothing came of asking for a token."""
        self._failed_s = time.monotonic()

    def check_hope(self, since_s: float) -> None:
        """That nobody asked in vain since then, while this one waited for its turn: or each would wait for as long
        again. Raises `ServiceUnavailable`."""
        if self._failed_s >= since_s:
            raise ServiceUnavailable(f"{_host(self.account)} gave out no token.")

    def form(self) -> dict[str, str]:
        """What to post. Raises `CredentialsMissing`, `InvalidConfig`."""
        secret = self._secret()
        self._source = secret.source
        self._asked_at = self._clock()
        return token_form(self.account, secret, self.scopes)

    def accept(self, status: int, body: bytes) -> Token:
        """Keeps the token of the answer and returns it. Raises as `read_token_answer` does."""
        token = read_token_answer(
            status, body, account=self.account, source=self._source, now=self._asked_at, scopes=self.scopes
        )
        self._refused -= {token.value}  # who gives out the same one again means it
        self._held = token
        self._cache.write(token)
        return token


def _document(body: bytes) -> Mapping[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _refusal(
    status: int, document: Mapping[str, Any], account: Account, source: str, scopes: Sequence[str]
) -> RpctlError:
    host = _host(account)
    if document.get("error") == "invalid_scope":
        return MissingScope(f"{host} grants client {account.client_id} no token for {', '.join(scopes)}.")
    if status in (400, 401, 403):
        return CredentialsWrong(
            f"{host} refuses client {account.client_id} of tenant {account.tenant} (HTTP {status}); "
            f"its secret came from {source}.",
            tenant=account.tenant,
            clientId=account.client_id,
            source=source,
        )
    if status == 429:
        return RateLimited(f"{host} asks to slow down.")
    if status >= 500:
        return ServiceUnavailable(f"{host} cannot give out tokens now (HTTP {status}).")
    if status >= 400:
        return RequestRefused(
            f"{host} gives out no tokens at {PATH} (HTTP {status}).", "Check the URL (`rpctl config show`)."
        )
    return AnswerInvalid(f"{host} answered {REQUEST} with HTTP {status}, which is no token.")


def _host(account: Account) -> str:
    return account.url.partition("//")[2]
