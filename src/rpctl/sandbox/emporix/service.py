"""What all operations of the service share: the data, the tokens, the clock, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from rpctl.domain.changes import AddPoints, Customers, RedeemPoints
from rpctl.domain.outcomes import Refused
from rpctl.domain.values import Instant
from rpctl.sandbox.answers import Refusal
from rpctl.sandbox.dataset import DataSet
from rpctl.sandbox.emporix.bodies import forbidden, missing_scopes, unauthorized
from rpctl.sandbox.emporix.payloads import Entry
from rpctl.sandbox.request import Request
from rpctl.sandbox.tokens import Holder, Tokens

VIEW: Final = "rewardspoints.rewardpoints_view"
MANAGE: Final = "rewardspoints.rewardpoints_manage"
SITE: Final = "site.site_manage"
SCOPES: Final = (VIEW, MANAGE, SITE)
"""What the client may be granted."""

_SECOND_NAMES: Final = {VIEW: (VIEW, "saasag.rewardpoints_view"), MANAGE: (MANAGE, "saasag.rewardpoints_manage")}
_BEARER: Final = "bearer "


@dataclass(frozen=True, slots=True)
class Service:
    """The service over one data set. ``drop_markers``: ``id``, ``description``, ``reference-id``: what of it a request
    sends is not kept; ``token_lifetime_s``: of tokens for which nobody asked for another."""

    data: DataSet
    tokens: Tokens
    clock: Callable[[], Instant]
    random_bytes: Callable[[int], bytes]
    drop_markers: frozenset[str] = frozenset()
    token_lifetime_s: int = 14_399

    def add(self, customer_id: str, entry: Entry, site_code: str, customers: Customers = Customers.ANY) -> None:
        """Adds points. Raises what the ledger's rules refuse it with."""
        key = self.data.fresh_key()
        change = AddPoints(
            customer_id,
            key,
            points=entry.points,
            reference_id=None if "reference-id" in self.drop_markers else entry.reference_id,
            description=self._description(entry, "points added"),
            valid_until=entry.valid_until,
            created_at=entry.created_at,
            site_code=site_code,
            customers=customers,
        )
        self._apply(change, entry)

    def redeem(self, customer_id: str, entry: Entry) -> None:
        """Redeems points. Raises what the ledger's rules refuse it with."""
        description = self._description(entry, "points redeemed")
        change = RedeemPoints(
            customer_id,
            self.data.fresh_key(),
            points=entry.points,
            description=description,
            created_at=entry.created_at,
        )
        self._apply(change, entry)

    def _apply(self, change: AddPoints | RedeemPoints, entry: Entry) -> None:
        undescribed = entry.description == "" and "description" not in self.drop_markers
        self.data.name(change.key, None if "id" in self.drop_markers else entry.id, undescribed=undescribed)
        (outcome,) = self.data.backend.apply([change], entries=False)
        if isinstance(outcome, Refused):
            raise outcome.error

    def _description(self, entry: Entry, own: str) -> str | None:
        if "description" in self.drop_markers:
            return own
        return entry.description or None


@dataclass(frozen=True, slots=True)
class Access:
    """Whom an operation is for: whose tokens, and with which scope; customers' need none. ``of_tenant``: the first of
    the path's ids is the tenant."""

    service: Service
    holders: frozenset[Holder]
    scope: str | None = None
    of_tenant: bool = False

    def __call__(self, request: Request) -> None:
        """Sets the request's token. Raises `Refusal`: 401 or 403."""
        given = request.header(b"authorization")
        token = self.service.tokens.find(given[len(_BEARER) :]) if given[: len(_BEARER)].lower() == _BEARER else None
        if token is None:
            raise Refusal(unauthorized())
        tenant = self.service.data.identity.tenant
        if token.holder is not Holder.SERVICE and request.header(b"emporix-tenant") != tenant:
            raise Refusal(unauthorized())
        if token.holder not in self.holders:
            if token.holder is Holder.CUSTOMER and self.scope is not None:
                raise Refusal(missing_scopes(_names(self.scope)))
            whose = " or ".join(sorted(self.holders))
            raise Refusal(forbidden(f"This is for a token of a {whose} only"))
        if self.scope is not None and token.holder is not Holder.CUSTOMER and self.scope not in token.scopes:
            raise Refusal(missing_scopes(_names(self.scope)))
        if self.of_tenant and request.ids[0] != tenant:
            raise Refusal(forbidden(f"The token is not for tenant '{request.ids[0]}'"))
        request.token = token


def _names(scope: str) -> tuple[str, ...]:
    return _SECOND_NAMES.get(scope, (scope,))
