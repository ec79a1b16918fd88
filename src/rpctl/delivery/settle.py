"""The writes that are no changes of points, each found out about where its answer was lost (``import.md``, Exactly
once, 7).

A redeem option's update carries the version that it was made from, so that it can be sent again; all else is sent
again only after reading that it is not in. An exchange for a coupon never is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

from rpctl.backends.port import Unsettled, tombstone_of
from rpctl.delivery.surroundings import MAX_SENDINGS
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
    from rpctl.delivery.surroundings import Surroundings
    from rpctl.domain.points import Summary
    from rpctl.domain.program import Program
    from rpctl.domain.redeem_options import Document, RedeemOption

_READ: Final = "`rpctl customer {}` tells; the same command does nothing twice."
_LIST: Final = "`rpctl options list` shows what there is now; repeat it only if that is not as it should be."


class Remembering(Protocol):
    """What is known of changes of points (`rpctl.delivery.deliver.Deliverer`)."""

    def settle(self, customer_id: str, *, all_of_them: bool = False) -> None: ...
    def forget(self, customer_id: str) -> None: ...


class Settling:
    """A service's writes behind the port `Writes`. ``new_id`` makes ids for redeem options that come without one;
    ``points`` knows the changes of points that were sent."""

    def __init__(
        self, service: Service, surroundings: Surroundings, new_id: Callable[[], str], points: Remembering
    ) -> None:
        self._service = service
        self._world = surroundings
        self._new_id = new_id
        self._points = points

    # -- customers -------------------------------------------------------------------------------------

    def create_customer(self, customer_id: str) -> None:
        """See the port. Once an answer was lost, a customer who is there is the one that was to be."""
        is_sent = False
        for _ in range(MAX_SENDINGS):
            try:
                self._service.create_customer(customer_id)
            except CustomerExists:
                if not is_sent:
                    raise
            except Unsettled as lost:
                is_sent = True
                self._world.wait(lost)
                with _looking(lost, _READ.format(f"show {customer_id}")):
                    if self._summary(customer_id) is None:
                        continue
            return
        raise _failed(f"create customer {customer_id}")

    def delete_customer(self, customer_id: str) -> Tombstone:
        """See the port. What may still arrive would bring the customer back: it is found out about first."""
        self._points.settle(customer_id, all_of_them=True)
        tombstone = self._delete_customer(customer_id)
        try:
            self._points.forget(customer_id)
        except RpctlError as error:  # the customer is gone all the same
            self._world.warn(f"the journal still names the customer: {error.message}")
        return tombstone

    def _delete_customer(self, customer_id: str) -> Tombstone:
        """Sent again only while the very entries are still there: a customer who was created anew
        meanwhile is another one."""
        before = self._summary(customer_id)
        for _ in range(MAX_SENDINGS):
            try:
                return self._service.delete_customer(customer_id)
            except CustomerNotFound:
                if before is None:
                    raise
                return tombstone_of(before)
            except Unsettled as lost:
                self._world.wait(lost)
                with _looking(lost, _READ.format(f"show {customer_id}")):
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
        for _ in range(MAX_SENDINGS):
            try:
                return self._service.create_option(whole)
            except Unsettled as lost:
                self._world.wait(lost)
                with _looking(lost, _LIST):
                    options = self._service.options()
                new = [option for option in options if option.id not in before]
                made = [one for one in new if one.id == whole["id"]] or [one for one in new if _holds(one, whole)]
                if len(made) == 1:
                    return made[0]
                if new:
                    raise OutcomeUnknown(
                        f"Whether the redeem option was made cannot be told: {lost.message}.", _LIST
                    ) from lost
        raise _failed("create the redeem option")

    def update_option(self, option_id: str, version: int, document: Document) -> RedeemOption:
        """See the port. Where the option is at the next version and holds what was sent, that was this update."""
        for _ in range(MAX_SENDINGS):
            try:
                return self._service.update_option(option_id, version, document)
            except StaleVersion as stale:
                return self._ours(self._option(option_id), version, document, stale)
            except Unsettled as lost:
                self._world.wait(lost)
                with _looking(lost, "`rpctl options show ID` tells; the same command does nothing twice."):
                    current = self._option(option_id)
                if current.version != version:
                    return self._ours(current, version, document, None)
        raise _failed(f"update redeem option {option_id}")

    def delete_option(self, option_id: str) -> None:
        """See the port; deleting what is gone is done."""
        is_sent = False
        for _ in range(MAX_SENDINGS):
            try:
                self._service.delete_option(option_id)
            except OptionNotFound:
                if not is_sent:
                    raise
            except Unsettled as lost:
                is_sent = True
                self._world.wait(lost)
                with _looking(lost, _LIST):
                    if any(option.id == option_id for option in self._service.options()):
                        continue
            return
        raise _failed(f"delete redeem option {option_id}")

    def set_program(self, site_code: str, settings: dict[str, Any]) -> Program:
        """See the port; the same values again change nothing."""
        return self._service.set_program(site_code, settings)

    # -- finding out -----------------------------------------------------------------------------------

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

    def _ours(
        self, current: RedeemOption, version: int, document: Document, stale: StaleVersion | None
    ) -> RedeemOption:
        if current.version == version + 1 and _holds(current, document):
            return current
        error = StaleVersion(
            f"Redeem option {current.id} is at version {current.version}; the update was made from version {version}.",
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

    Raises `CouponCodeLost` where points were taken and no code came, `ServiceUnavailable` where nothing was taken or
    it was given back, `OutcomeUnknown` where that cannot be read, and what the service refuses it with.
    """
    before = storefront.summary()
    try:
        return storefront.redeem(option_id, site_code)
    except Unsettled as lost:
        surroundings.wait(lost)
        with _looking(lost, "`rpctl me summary` tells whether points were taken; exchange again only if none were."):
            after = storefront.summary()
        taken = _redeemed(after) - _redeemed(before)
        given_back = _given_back(after) - _given_back(before)
        if taken <= 0:
            raise ServiceUnavailable(f"No points were taken: {lost.message}.") from lost
        if given_back >= taken:
            raise ServiceUnavailable(f"The {taken} points were given back, and no coupon was made.") from lost
        known = {entry.id for entry in before.redeemed}
        raise CouponCodeLost(
            f"{taken - given_back} points were taken, and the coupon's code was not received.",
            "Look the coupon up in the shop's administration; exchanging again would take the points once more.",
            pointsTaken=taken - given_back,
            entryIds=[entry.id for entry in after.redeemed if entry.id not in known],
        ) from lost


def _redeemed(summary: Summary) -> int:
    return sum(entry.points for entry in summary.redeemed)


def _given_back(summary: Summary) -> int:
    """What the service gave back because a coupon could not be made, in its documented words."""
    return sum(lot.points for lot in summary.added if lot.description.startswith("Chargeback"))


@contextmanager
def _looking(lost: Unsettled, hint: str) -> Iterator[None]:
    """Reading what became of a write: where that fails, nothing is known."""
    try:
        yield
    except OptionNotFound:
        raise
    except RpctlError as error:
        raise OutcomeUnknown(
            f"Whether it was done cannot be told: {lost.message}, and then: {error.message}", hint
        ) from lost


def _failed(what: str) -> ServiceUnavailable:
    return ServiceUnavailable(f"The service failed {MAX_SENDINGS} times to {what}; it was not done.")


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
