"""What a command asks for: something that authenticates its requests. Light until it is asked.

A ready employee or service token (RPCTL_ACCESS_TOKEN, or what `auth login --employee` stored) wins over the client id
and secret. Storefront requests take the customer's token and never another one. A service that gives out no tokens
takes the client id and the secret themselves, and nothing else counts there.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from rpctl.auth.account import Account
from rpctl.errors import CredentialsMissing

if TYPE_CHECKING:
    import httpx

    from rpctl.auth.secrets import Kind, Secret
    from rpctl.auth.service_token import ServiceToken
    from rpctl.auth.store import Store
    from rpctl.auth.token_cache import TokenCache

__all__ = ["MANAGE", "SITE", "VIEW", "Account", "Credentials", "Folders"]

VIEW: Final = "rewardspoints.rewardpoints_view"
MANAGE: Final = "rewardspoints.rewardpoints_manage"
SITE: Final = "site.site_manage"


class Folders(NamedTuple):
    """Where records of what was stored lie (the data directory) and tokens are cached (the cache directory);
    ``None`` where there is no home."""

    data: Path | None
    cache: Path | None


class Credentials:
    """Who the program is to one service, for all its threads. Nothing is opened or loaded before something is asked
    for.

    ``clock`` tells milliseconds since 1970; ``has_tokens``: whether the service gives out tokens.
    """

    def __init__(
        self,
        account: Account,
        environ: Mapping[str, str],
        folders: Folders,
        clock: Callable[[], int],
        *,
        has_tokens: bool = True,
    ) -> None:
        self.account = account
        self._has_tokens = has_tokens
        self._environ = environ
        self._folders = folders
        self._clock = clock
        self._made: dict[tuple[str, ...], httpx.Auth] = {}
        self._making = threading.Lock()

    def service(self, scopes: Sequence[str]) -> httpx.Auth:
        """Authenticates requests to the service; the same object for the same scopes.

        The client secret is looked for when a token has to be asked for, so `CredentialsMissing` and `InvalidConfig`
        may come from the request as well.
        """
        wanted = tuple(sorted(set(scopes))) if self._has_tokens else ()
        with self._making:
            if wanted not in self._made:
                self._made[wanted] = self._auth(wanted)
            return self._made[wanted]

    def _auth(self, scopes: tuple[str, ...]) -> httpx.Auth:
        from rpctl.auth.client_credentials import Basic, ClientCredentials, ReadyToken

        if not self._has_tokens:
            return Basic(self.account, self.client_secret())
        ready = self.ready_token()
        return ReadyToken(self.account, ready) if ready else ClientCredentials(self.service_token(scopes))

    def customer(self) -> httpx.Auth:
        """Authenticates storefront requests. Raises `CredentialsMissing`, `InvalidConfig`."""
        from rpctl.auth.client_credentials import ReadyToken

        return ReadyToken(self.account, self.customer_token())

    def customer_token(self) -> Secret:
        """The customer's token. Raises `CredentialsMissing`, `InvalidConfig`."""
        from rpctl.auth.secrets import Kind

        found = self._first(Kind.CUSTOMER_TOKEN)
        if found is None:
            raise self._missing(Kind.CUSTOMER_TOKEN, "`rpctl auth login --customer --token-stdin` stores one.")
        return found

    def ready_token(self) -> Secret | None:
        """The employee or service token that is used as it is, if there is one. Raises `InvalidConfig`."""
        from rpctl.auth.secrets import Kind

        return self._first(Kind.EMPLOYEE_TOKEN)

    def client_secret(self) -> Secret:
        """The client secret. Raises `CredentialsMissing` with every place that was looked at, `InvalidConfig`."""
        from rpctl.auth.secrets import Kind

        if self.account.client_id is None:
            raise CredentialsMissing(
                f"There is no client id for tenant {self.account.tenant}.",
                "Set client_id in the profile, or RPCTL_CLIENT_ID"
                + ("; a ready token in RPCTL_ACCESS_TOKEN needs none." if self._has_tokens else "."),
            )
        found = self._first(Kind.CLIENT_SECRET)
        if found is None:
            raise self._missing(Kind.CLIENT_SECRET, None)
        return found

    def service_token(self, scopes: Sequence[str]) -> ServiceToken:
        """The access token for these scopes, and how to get it."""
        from rpctl.auth.service_token import ServiceToken

        return ServiceToken(self.account, scopes, self.cache, self.client_secret, self._clock)

    @cached_property
    def cache(self) -> TokenCache:
        """The access tokens that were kept."""
        from rpctl.auth.token_cache import TokenCache

        return TokenCache(self.account, self._folders.cache)

    @cached_property
    def store(self) -> Store:
        """What `auth login` stored."""
        from rpctl.auth.store import Keyring, Store

        data = self._folders.data
        return Store(self.account, None if data is None else data / "credentials", Keyring(self._environ))

    def _first(self, kind: Kind) -> Secret | None:
        from rpctl.auth.secrets import first, places

        return first(kind, places(kind, self._environ, self.store))

    def _missing(self, kind: Kind, hint: str | None) -> CredentialsMissing:
        from rpctl.auth.secrets import places

        looked = [place.name for place in places(kind, self._environ, self.store)]
        return CredentialsMissing(
            f"There is no {kind.value} for {self.account}. Looked at: {', '.join(looked)}.",
            hint,
            credential=kind.value,
            tenant=self.account.tenant,
            clientId=self.account.client_id,
            lookedAt=looked,
        )
