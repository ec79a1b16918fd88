"""What both calls share: the data, who may call, and what becomes of a change."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Callable
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import Any, Final

from rpctl.domain.changes import AddPoints, RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Refused
from rpctl.domain.points import Summary
from rpctl.domain.values import MAX_POINTS, Instant
from rpctl.errors import (
    CustomerDeleted,
    CustomerNotFound,
    InsufficientPoints,
    KeyReused,
    ProgramDisabled,
    RpctlError,
)
from rpctl.sandbox.answers import Refusal
from rpctl.sandbox.bonifiq import documents
from rpctl.sandbox.bonifiq.bodies import Asked, failure
from rpctl.sandbox.bonifiq.codes import (
    BALANCE_TOO_LARGE,
    CUSTOMER_UNKNOWN,
    KEY_USED,
    PROGRAM_DISABLED,
    TOO_FEW_POINTS,
    Code,
    Wrong,
)
from rpctl.sandbox.bonifiq.demand import Demands
from rpctl.sandbox.dataset import DataSet
from rpctl.sandbox.faults import Chance
from rpctl.sandbox.request import Request

_BASIC: Final = "basic "
_CHALLENGE: Final = (b"www-authenticate", b'Basic realm="BonifiQ"')


@dataclass(frozen=True, slots=True)
class Service:
    """The service over one data set. ``key_used``: what a used key is answered with; ``is_bare``: reads and changes
    that went well are answered without the envelope; ``warnings`` tells which of these come with a warning;
    ``keeps_reasons``: customers are shown the reason that was sent for them."""

    data: DataSet
    clock: Callable[[], Instant]
    key_used: Code = KEY_USED
    is_bare: bool = False
    warnings: Chance = field(default_factory=Chance)
    keeps_reasons: bool = True
    demands: Demands = field(default_factory=Demands)

    def authorize(self, request: Request) -> None:
        """Raises `Refusal`: 401 for whoever does not know both the API token and the key."""
        given = request.header(b"authorization")
        sent = given[len(_BASIC) :] if given[: len(_BASIC)].lower() == _BASIC else ""
        try:
            decoded = b64decode(sent, validate=True)
        except ValueError:
            decoded = b""
        user, _, password = decoded.partition(b":")
        identity = self.data.identity
        # Both are compared, whatever comes of the first.
        is_known = compare_digest(user, identity.client_id.encode())
        is_right = compare_digest(password, identity.client_secret.encode())
        if not (is_known and is_right):
            raise Refusal(failure(401, "The API token or the API key is wrong or missing.", _CHALLENGE))

    def result(self, customer_id: str, error: str | None = None) -> dict[str, Any]:
        """What is told of a customer now."""
        try:
            found: Summary | None = self.data.backend.summary(customer_id)
        except CustomerNotFound:
            found = None
        return documents.result(customer_id, found, self.data, self.clock(), error)

    def is_used(self, key: str) -> bool:
        """Whether a change has that key, of whatever customer."""
        return self.data.has_key(_own(key))

    def use_up(self, key: str) -> None:
        """The key counts as used from now on."""
        self.data.use_up(_own(key))

    def apply(self, asked: Asked) -> None:
        """Does what was asked for. Raises `Wrong`, and what else the ledger refuses it with."""
        description = asked.customer_reason if self.keeps_reasons else None
        if asked.points > 0:
            self._check_balance(asked)
            change: AddPoints | RedeemPoints = AddPoints(
                asked.customer_id,
                _own(asked.key),
                points=asked.points,
                description=description,
                reason=asked.reason,
            )
        else:
            change = RedeemPoints(
                asked.customer_id,
                _own(asked.key),
                points=-asked.points,
                description=description,
                reason=asked.reason,
            )
        (outcome,) = self.data.backend.apply([change], entries=False)
        if isinstance(outcome, AlreadyApplied):
            raise Wrong(self.key_used)
        if isinstance(outcome, Refused):
            raise self._wrong(outcome.error)

    def _check_balance(self, asked: Asked) -> None:
        try:
            balance = self.data.backend.active_points(asked.customer_id)
        except CustomerNotFound:
            return
        if balance + asked.points > MAX_POINTS:
            raise Wrong(BALANCE_TOO_LARGE)

    def _wrong(self, error: RpctlError) -> Exception:
        codes: dict[type[RpctlError], Code] = {
            KeyReused: self.key_used,
            CustomerDeleted: self.key_used,
            CustomerNotFound: CUSTOMER_UNKNOWN,
            InsufficientPoints: TOO_FEW_POINTS,
            ProgramDisabled: PROGRAM_DISABLED,
        }
        code = codes.get(type(error))
        return error if code is None else Wrong(code)


def _own(key: str) -> str:
    """The ledger's key: another API's keys lie in the same ledger."""
    return f"bonifiq {key}"
