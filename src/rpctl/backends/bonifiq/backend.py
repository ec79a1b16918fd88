"""The port's operations on BonifiQ, as far as it documents them: points added, removed and read.

Every method sends one request; what becomes of one that was not clearly answered is for `rpctl.delivery` to find out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import tzinfo
from typing import TYPE_CHECKING, Any, Final, NoReturn

from rpctl.backends.bonifiq import rules
from rpctl.backends.bonifiq.answers import (
    ERROR,
    WARNING,
    Unreadable,
    balance_of,
    change_of,
    changes_of,
    complaint_of,
    document_of,
    result_of,
    severity_of,
)
from rpctl.backends.bonifiq.problems import error_of, is_failure, not_an_answer, refusal_of, remark_of
from rpctl.backends.paths import segment
from rpctl.backends.port import Receipt, Tombstone, Unsettled, target_of
from rpctl.backends.problems import is_unclear, no_customer, not_as_documented

if TYPE_CHECKING:
    from rpctl.auth.credentials import Credentials
    from rpctl.backends.http import Answer, Http
    from rpctl.backends.port import Sending
    from rpctl.domain.points import Summary
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Document, RedeemOption

_OK: Final = 200
_WHO: Final = "Check the id: it is the customer's in the shop, usually the e-mail address."
_BY_HAND: Final = "It is done in the shop's own administration; `rpctl points` works on customers' points."


class BonifiqBackend:
    """The points of a shop's customers. ``tenant``: whose books these are; ``zone``: of moments without an offset."""

    capabilities = rules.CAPABILITIES
    keeps_keys = True
    writing = False
    """Of no use here: the same credentials read and change."""

    def __init__(self, http: Http, credentials: Credentials, tenant: str, zone: Callable[[], tzinfo]) -> None:
        self._http = http
        self._credentials = credentials
        self._tenant = tenant
        self._zone = zone
        self.target = target_of(http.base_url, tenant)

    def twin(self) -> BonifiqBackend:
        """The same books for another thread: with a client of its own that sends by the thousand, see `Http.twin`."""
        return BonifiqBackend(self._http.twin(), self._credentials, self._tenant, self._zone)

    # -- points ----------------------------------------------------------------------------------------

    def check(self, sending: Sending) -> None:
        """See the port."""
        rules.check(sending)

    def send(self, sending: Sending, leaving: Callable[[], None], *, patient: bool = True) -> Receipt:
        """See the port. A refusal has its outcome with it."""
        from rpctl.backends.bonifiq.translate import body_of

        answer = self._http.request(
            "POST", _path(sending.customer_id), auth=self._credentials.service(()), json=body_of(sending), safe=False,
            leaving=leaving, patient=patient,
        )  # fmt: skip
        if is_unclear(answer):
            why = f"the service answered {answer.request} with {answer.status}"
            raise _unsettled(answer, why, answered=answer.status >= 500 and is_failure(answer))
        if not 200 <= answer.status < 300:
            raise error_of(answer)
        try:
            if answer.status != _OK:
                raise Unreadable("says nothing")
            document = document_of(answer)
            severity = change_of(document)
        except Unreadable as why:
            told = f"{answer.request} was answered with {answer.status} and something that {why}"
            raise _unsettled(answer, told) from None
        if severity == ERROR:
            raise refusal_of(answer, document)
        result = result_of(document)
        remark = remark_of(document) if severity == WARNING else None
        return Receipt(remark, balance_of(result), is_only=changes_of(result) == 1)

    def active_points(self, customer_id: str) -> int:
        """See the port."""
        result, answer = self._result(customer_id)
        balance = balance_of(result)
        if balance is None:
            raise not_an_answer(answer, "has no whole number of points in it")
        return balance

    def summary(self, customer_id: str) -> Summary:
        """See the port: as much as the history tells."""
        from pydantic import ValidationError

        from rpctl.backends.bonifiq import wire
        from rpctl.backends.bonifiq.translate import summary_of

        result, answer = self._result(customer_id)
        try:
            return summary_of(wire.RESULT.validate_python(result), customer_id, self._zone)
        except ValidationError as error:
            raise not_as_documented(error, answer) from None

    def _result(self, customer_id: str) -> tuple[Mapping[str, Any], Answer]:
        """What the service has of a customer, unchecked."""
        answer = self._http.request("GET", _path(customer_id), auth=self._credentials.service(()))
        if not 200 <= answer.status < 300:
            raise error_of(answer)
        try:
            if answer.status != _OK:
                raise Unreadable("says nothing")
            document = document_of(answer)
            severity = severity_of(document)
        except Unreadable as why:
            raise not_an_answer(answer, str(why)) from None
        if severity == ERROR:
            raise refusal_of(answer, document)
        result = result_of(document)
        if result.get("CustomerExists") is False:
            raise no_customer(customer_id, answer, _WHO)
        if severity is None and (complaint := complaint_of(document)):
            raise not_an_answer(answer, f"says: {complaint}")
        return result, answer

    def close(self) -> None:
        """Closes the connections."""
        self._http.close()

    # -- what is not documented ------------------------------------------------------------------------

    def summaries(self, limit: int | None = None) -> Iterator[Summary]:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        raise rules.undocumented("all customers", "Name one: `rpctl points summary CUSTOMER`.")

    def customers(self, search: str | None = None, limit: int | None = None) -> Iterator[tuple[str, int]]:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        raise rules.undocumented("all customers", "`rpctl points balance CUSTOMER` tells of one.")

    def create_customer(self, customer_id: str) -> None:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        _refuse("creating a customer")

    def delete_customer(self, customer_id: str) -> Tombstone:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        _refuse("deleting a customer")

    def options(self) -> list[RedeemOption]:
        """See the port. Raises `UnsupportedOperation`."""
        _refuse("redeem options")

    def create_option(self, document: Document) -> RedeemOption:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        _refuse("redeem options")

    def update_option(self, option_id: str, version: int, document: Document) -> RedeemOption:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        _refuse("redeem options")

    def delete_option(self, option_id: str) -> None:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        _refuse("redeem options")

    def program(self, site_code: str) -> Program:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        _refuse("a program")

    def set_program(self, site_code: str, settings: dict[str, Any]) -> Program:  # noqa: ARG002
        """See the port. Raises `UnsupportedOperation`."""
        _refuse("a program")


def _path(customer_id: str) -> str:
    return f"/v1/pvt/Customer/{segment(customer_id)}/points"


def _unsettled(answer: Answer, why: str, *, answered: bool = False) -> Unsettled:
    return Unsettled(why, answered=answered, answer=(answer.request, answer.status))


def _refuse(what: str) -> NoReturn:
    raise rules.undocumented(what, _BY_HAND)
