"""The writes that are no changes of points, each found out about where its answer was lost (``import.md``, Exactly
once, 7).

A redeem option's update carries the version that it was made from, so that it can be sent again; all else is sent
again only after reading that it is not in. An exchange for a coupon never is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from rpctl.backends.port import Unsettled, tombstone_of
from rpctl.domain.redeem_options import COUPON_READ_ONLY, READ_ONLY
from rpctl.errors import (
    CouponCodeLost,
    CustomerExists,
    CustomerNotFound,
    OptionExists,
    OptionNotFound,
    OutcomeUnknown,
    RpctlError,
    ServiceUnavailable,
    StaleVersion,
)

if TYPE_CHECKING:
    from rpctl.backends.port import Service, Tombstone
    from rpctl.delivery.deliver import Surroundings
    from rpctl.domain.points import Summary
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Document, RedeemOption

_MAX_SENDINGS: Final = 6
_AFTER_FAILURE_S: Final = 1.0


class Settling:
    """A service's writes behind the port `Writes`. ``new_id`` makes ids for redeem options that come without one;
    ``forget`` is told of every customer who is deleted."""

    def __init__(
        self,
        service: Service,
        surroundings: Surroundings,
        new_id: Callable[[], str],
        forget: Callable[[str], None],
    ) -> None:
        self._service = service
        self._world = surroundings
        self._new_id = new_id
        self._forget = forget

    # -- customers -------------------------------------------------------------------------------------

    def create_customer(self, customer_id: str) -> None:
        """See the port. Once an answer was lost, a customer who is there is the one that was to be."""
        is_sent = False
        for _ in range(_MAX_SENDINGS):
            try:
                self._service.create_customer(customer_id)
            except CustomerExists:
                if not is_sent:
                    raise
            except Unsettled as lost:
                is_sent = True
                self._wait(lost)
                if self._summary(customer_id) is None:
                    continue
            return
        raise _failed(f"create customer {customer_id}")

    def delete_customer(self, customer_id: str) -> Tombstone:
        """See the port."""
        tombstone = self._delete_customer(customer_id)
        try:
            self._forget(customer_id)
        except RpctlError as error:  # the customer is gone all the same
            self._world.note(f"the journal still names the customer: {error.message}")
        return tombstone

    def _delete_customer(self, customer_id: str) -> Tombstone:
        """Sent again only while the very entries are still there: a customer who was created anew
        meanwhile is another one."""
        before = self._summary(customer_id)
        for _ in range(_MAX_SENDINGS):
            try:
                return self._service.delete_customer(customer_id)
            except CustomerNotFound:
                if before is None:
                    raise
                return tombstone_of(before)
            except Unsettled as lost:
                self._wait(lost)
                now = self._summary(customer_id)
                if before is not None and not _is_still_there(before, now):
                    return tombstone_of(before)
        raise _failed(f"delete customer {customer_id}")

    # -- redeem options --------------------------------------------------------------------------------

    def create_option(self, document: Document) -> RedeemOption:
        """See the port. It is known by the id that it is sent with; where the service makes its own, by what it holds,
        among those that were not there before."""
        before = {option.id for option in self._service.options()}
        whole = {**document, "id": document.get("id") or self._new_id()}
        if whole["id"] in before:
            raise OptionExists(f"Redeem option {whole['id']} exists.", optionId=whole["id"])
        for _ in range(_MAX_SENDINGS):
            try:
                return self._service.create_option(whole)
            except Unsettled as lost:
                self._wait(lost)
                new = [option for option in self._service.options() if option.id not in before]
                made = [one for one in new if one.id == whole["id"]] or [one for one in new if _holds(one, whole)]
                if len(made) == 1:
                    return made[0]
                if new:
                    raise OutcomeUnknown(
                        f"Whether the redeem option was made cannot be told: {lost.message}.",
                        "`rpctl options list` shows what there is now; create it again only if it is not there.",
                    ) from lost
        raise _failed("create the redeem option")

    def update_option(self, option_id: str, version: int, document: Document) -> RedeemOption:
        """See the port. Where the option is at the next version and holds what was sent, that was this update."""
        for _ in range(_MAX_SENDINGS):
            try:
                return self._service.update_option(option_id, version, document)
            except StaleVersion as stale:
                return self._ours(option_id, version, document, stale)
            except Unsettled as lost:
                self._wait(lost)
                if self._option(option_id).version != version:
                    return self._ours(option_id, version, document, None)
        raise _failed(f"update redeem option {option_id}")

    def delete_option(self, option_id: str) -> None:
        """See the port; deleting what is gone is done."""
        is_sent = False
        for _ in range(_MAX_SENDINGS):
            try:
                self._service.delete_option(option_id)
            except OptionNotFound:
                if not is_sent:
                    raise
            except Unsettled as lost:
                is_sent = True
                self._wait(lost)
                if any(option.id == option_id for option in self._service.options()):
                    continue
            return
        raise _failed(f"delete redeem option {option_id}")

    def set_program(self, site_code: str, settings: dict[str, Any]) -> Program:
        """See the port; the same values again change nothing."""
        return self._service.set_program(site_code, settings)

    # -- finding out -----------------------------------------------------------------------------------

    def _wait(self, lost: Unsettled) -> None:
        wait_s = min(_AFTER_FAILURE_S, self._world.settle_s) if lost.answered else self._world.settle_s
        if wait_s > _AFTER_FAILURE_S:
            self._world.note(f"{lost.message}; looking again in {wait_s:.0f} s")
        self._world.sleep(wait_s)

    def _summary(self, customer_id: str) -> Summary | None:
        try:
            return self._service.summary(customer_id)
        except CustomerNotFound:
            return None

    def _option(self, option_id: str) -> RedeemOption:
        for option in self._service.options():
            if option.id == option_id:
                return option
        raise OptionNotFound(f"There is no redeem option {option_id}.")

    def _ours(self, option_id: str, version: int, document: Document, stale: StaleVersion | None) -> RedeemOption:
        current = self._option(option_id)
        if current.version == version + 1 and _holds(current, document):
            return current
        error = StaleVersion(
            f"Redeem option {option_id} is at version {current.version}; the update was made from version {version}.",
            currentVersion=current.version,
            sentVersion=version,
        )
        raise error if stale is None else error.of_request(stale.request or "", 409) from stale


class Exchanging(Protocol):
    """A customer's own view of the points, as far as an exchange needs it."""

    def summary(self) -> Summary: ...
    def redeem(self, option_id: str, site_code: str) -> str: ...


def exchange(storefront: Exchanging, option_id: str, site_code: str, surroundings: Surroundings) -> str:
    """Exchanges a customer's points for a coupon (operation 10) and returns its code; sent once, whatever happens.

    Raises `CouponCodeLost` where points were taken and no code came, `ServiceUnavailable` where nothing was taken,
    `OutcomeUnknown` where that cannot be read, and what the service refuses it with.
    """
    before = {entry.id for entry in storefront.summary().redeemed}
    try:
        return storefront.redeem(option_id, site_code)
    except Unsettled as lost:
        surroundings.note(f"{lost.message}; looking at what was taken in {surroundings.settle_s:.0f} s")
        surroundings.sleep(surroundings.settle_s)
        try:
            new = [entry for entry in storefront.summary().redeemed if entry.id not in before]
        except RpctlError as error:
            raise OutcomeUnknown(
                f"Whether points were taken cannot be told: {lost.message}.",
                "`rpctl me summary` tells; exchange again only if nothing was taken.",
            ) from error
        if not new:
            raise ServiceUnavailable(f"No points were taken: {lost.message}.") from lost
        points = sum(entry.points for entry in new)
        raise CouponCodeLost(
            f"{points} points were taken, and the coupon's code was not received.",
            "Look the coupon up in the shop's administration; exchanging again would take the points once more.",
            pointsTaken=points,
            entryIds=[entry.id for entry in new],
        ) from lost


def _failed(what: str) -> ServiceUnavailable:
    return ServiceUnavailable(f"The service failed {_MAX_SENDINGS} times to {what}; it was not done.")


def _is_still_there(before: Summary, now: Summary | None) -> bool:
    if now is None:
        return False
    ids = {entry.id for entry in now.entries()}
    return all(entry.id in ids for entry in before.entries())


def _holds(option: RedeemOption, document: Document) -> bool:
    """Whether the option holds everything that was sent, apart from what only the service sets."""
    sent = {name: value for name, value in document.items() if name not in READ_ONLY}
    return _contains(option.document, sent)


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(
            name in COUPON_READ_ONLY or value is None or _contains(whole.get(name), value)
            for name, value in part.items()
        )
    return bool(whole == part)
