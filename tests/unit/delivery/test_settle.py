"""Writes that are no changes of points, where answers are lost: a service that does what it is told, and says less."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest

from rpctl.backends.port import Unsettled, tombstone_of
from rpctl.delivery.settle import Settling, exchange
from rpctl.delivery.surroundings import Surroundings
from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary
from rpctl.domain.redeem_options import RedeemOption
from rpctl.domain.values import NEVER
from rpctl.errors import (
    CouponCodeLost,
    CustomerExists,
    CustomerNotFound,
    OptionExists,
    OptionNotFound,
    OutcomeUnknown,
    ServiceUnavailable,
    StaleVersion,
    TimedOut,
)

DOCUMENT = {"type": "coupon", "name": "ten", "points": 40}


class Service:
    """Customers and options in dictionaries. ``answers`` says of each write what becomes of it: ``done``, ``lost``
    (done, and the answer lost), ``failed`` (nothing done), ``late`` (nothing done so far)."""

    capabilities: frozenset[str] = frozenset()
    target = "here"

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.customers_: dict[str, Summary] = {}
        self.options_: dict[str, RedeemOption] = {}
        self.sent = 0
        self.own_ids = count(1)
        self.keeps_ids = True

    def write(self, do: Callable[[], Any]) -> Any:
        self.sent += 1
        answer = self.answers.pop(0) if self.answers else "done"
        if answer in ("failed", "late"):
            raise Unsettled("no answer", answered=answer == "failed")
        result = do()
        if answer == "lost":
            raise Unsettled("no answer", answered=False)
        return result

    def summary(self, customer_id: str) -> Summary:
        if customer_id not in self.customers_:
            raise CustomerNotFound("nobody")
        return self.customers_[customer_id]

    def create_customer(self, customer_id: str) -> None:
        def do() -> None:
            if customer_id in self.customers_:
                raise CustomerExists("there")
            self.customers_[customer_id] = Summary(customer_id, 0)

        self.write(do)

    def delete_customer(self, customer_id: str) -> Any:
        found = self.summary(customer_id)
        return self.write(lambda: (self.customers_.pop(customer_id), tombstone_of(found))[1])

    def options(self) -> list[RedeemOption]:
        return list(self.options_.values())

    def create_option(self, document: Any) -> RedeemOption:
        def do() -> RedeemOption:
            option_id = document["id"] if self.keeps_ids else f"own-{next(self.own_ids)}"
            self.options_[option_id] = RedeemOption(option_id, 1, {**document, "id": option_id})
            return self.options_[option_id]

        return self.write(do)

    def update_option(self, option_id: str, version: int, document: Any) -> RedeemOption:
        def do() -> RedeemOption:
            if self.options_[option_id].version != version:
                raise StaleVersion("stale")
            self.options_[option_id] = RedeemOption(option_id, version + 1, dict(document))
            return self.options_[option_id]

        return self.write(do)

    def delete_option(self, option_id: str) -> None:
        def do() -> None:
            if option_id not in self.options_:
                raise OptionNotFound("gone")
            del self.options_[option_id]

        self.write(do)


class World:
    """What was slept and said."""

    def __init__(self) -> None:
        self.slept: list[float] = []
        self.notes: list[str] = []
        self.settled: list[str] = []
        self.forgotten: list[str] = []
        self.forget = self.forgotten.append
        self.surroundings = Surroundings(lambda: 0, self.slept.append, 30.0, self.notes.append, self.notes.append)

    def settle(self, customer_id: str, *, all_of_them: bool = False) -> None:
        assert all_of_them  # what another process sends now would bring a deleted customer back
        self.settled.append(customer_id)


@pytest.fixture
def world() -> World:
    return World()


def settling(service: Any, world: World) -> Settling:
    return Settling(service, world.surroundings, lambda: "made-id", world)


def lot(entry_id: str) -> AddedPoints:
    return AddedPoints(entry_id, "C1", 50, 0, NEVER, 50)


# -- customers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answers", [("done",), ("lost",), ("failed", "done"), ("late", "lost"), ("failed",) * 5])
def test_a_customer_is_created_whatever_becomes_of_the_answer(answers: tuple[str, ...], world: World) -> None:
    service = Service(*answers)
    settling(service, world).create_customer("C1")

    assert list(service.customers_) == ["C1"]
    assert service.sent == len(answers) + (answers[-1] == "failed")


def test_a_customer_who_was_there_before_is_refused(world: World) -> None:
    service = Service()
    service.customers_["C1"] = Summary("C1", 0)
    with pytest.raises(CustomerExists):
        settling(service, world).create_customer("C1")


def test_a_lost_answer_is_waited_for_as_long_as_it_may_take_and_a_failure_for_a_second(world: World) -> None:
    settling(Service("late", "failed", "done"), world).create_customer("C1")

    assert world.slept == [30.0, 1.0]
    assert world.notes == ["no answer; looking again in 30 s"]


def test_what_fails_every_time_was_not_done(world: World) -> None:
    with pytest.raises(ServiceUnavailable, match="failed 6 times to create customer C1; it was not done"):
        settling(Service(*["failed"] * 9), world).create_customer("C1")


@pytest.mark.parametrize("answers", [("done",), ("lost",), ("failed", "done"), ("late", "lost")])
def test_a_customer_is_deleted_and_what_they_had_is_told(answers: tuple[str, ...], world: World) -> None:
    service = Service(*answers)
    service.customers_["C1"] = Summary("C1", 50, (lot("a"),))
    tombstone = settling(service, world).delete_customer("C1")

    assert (tombstone.entries, tombstone.points_added, tombstone.points_left) == (1, 50, 50)
    assert (service.customers_, world.settled, world.forgotten) == ({}, ["C1"], ["C1"])


def test_a_customer_who_was_created_anew_meanwhile_is_not_deleted(world: World) -> None:
    service = Service("lost")
    service.customers_["C1"] = Summary("C1", 50, (lot("a"),))
    again = Summary("C1", 50, (lot("b"),))
    world.surroundings = world.surroundings._replace(sleep=lambda _: service.customers_.update(C1=again))
    settling(service, world).delete_customer("C1")

    assert (service.customers_, service.sent) == ({"C1": again}, 1)


def test_nobody_is_not_deleted(world: World) -> None:
    with pytest.raises(CustomerNotFound):
        settling(Service(), world).delete_customer("C1")


# -- redeem options ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps_ids", [True, False])
@pytest.mark.parametrize("answers", [("done",), ("lost",), ("failed", "done"), ("late", "lost"), ("failed", "lost")])
def test_an_option_is_made_once(answers: tuple[str, ...], keeps_ids: bool, world: World) -> None:
    service = Service(*answers)
    service.keeps_ids = keeps_ids
    service.options_["like it"] = RedeemOption("like it", 1, {**DOCUMENT, "id": "like it"})
    made = settling(service, world).create_option(DOCUMENT)

    assert list(service.options_) == ["like it", made.id]
    assert made.id == ("made-id" if keeps_ids else "own-1")


def test_what_somebody_else_made_meanwhile_leaves_it_unknown(world: World) -> None:
    service = Service("late")
    other = RedeemOption("other", 1, {"id": "other", "name": "something else", "points": 1})
    world.surroundings = world.surroundings._replace(sleep=lambda _: service.options_.update(other=other))
    with pytest.raises(OutcomeUnknown):
        settling(service, world).create_option(DOCUMENT)

    assert service.sent == 1


def test_an_option_whose_id_is_taken_is_refused(world: World) -> None:
    service = Service()
    service.options_["x"] = RedeemOption("x", 1, DOCUMENT)
    with pytest.raises(OptionExists):
        settling(service, world).create_option({**DOCUMENT, "id": "x"})

    assert service.sent == 0


@pytest.mark.parametrize("answers", [("done",), ("lost",), ("failed", "done"), ("late", "lost")])
def test_an_update_counts_once(answers: tuple[str, ...], world: World) -> None:
    service = Service(*answers)
    service.options_["x"] = RedeemOption("x", 3, {**DOCUMENT, "id": "x"})
    updated = settling(service, world).update_option("x", 3, {**DOCUMENT, "points": 20, "coupon": {"code": None}})

    assert (updated.version, updated.document["points"]) == (4, 20)


def test_our_own_repeated_update_is_not_stale(world: World) -> None:
    service = Service()
    service.options_["x"] = RedeemOption("x", 4, {**DOCUMENT, "points": 20, "new": 1})

    assert settling(service, world).update_option("x", 3, {**DOCUMENT, "points": 20}).version == 4


def test_what_only_the_service_sets_is_no_difference(world: World) -> None:
    service = Service()
    coupon = {"name": "c", "discountType": "PERCENT", "discountPercentage": 5}
    service.options_["x"] = RedeemOption("x", 4, {**DOCUMENT, "coupon": {**coupon, "status": "VALID"}})
    sent = {**DOCUMENT, "coupon": {**coupon, "code": "A", "status": "EXPIRED", "description": None}}

    assert settling(service, world).update_option("x", 3, sent).version == 4


@pytest.mark.parametrize(("version", "points"), [(5, 20), (4, 21)])
def test_somebody_elses_update_is_stale_with_both_versions(version: int, points: int, world: World) -> None:
    service = Service()
    service.options_["x"] = RedeemOption("x", version, {**DOCUMENT, "points": points})
    with pytest.raises(StaleVersion) as stale:
        settling(service, world).update_option("x", 3, {**DOCUMENT, "points": 20})

    assert stale.value.details == {"currentVersion": version, "sentVersion": 3}


@pytest.mark.parametrize("answers", [("done",), ("lost",), ("failed", "done"), ("late", "lost")])
def test_an_option_is_deleted(answers: tuple[str, ...], world: World) -> None:
    service = Service(*answers)
    service.options_["x"] = RedeemOption("x", 1, DOCUMENT)
    settling(service, world).delete_option("x")

    assert service.options_ == {}


def test_an_option_that_was_not_there_is_not_found(world: World) -> None:
    with pytest.raises(OptionNotFound):
        settling(Service(), world).delete_option("x")


# -- an exchange ------------------------------------------------------------------------------------------


class Storefront:
    """A customer with 90 points."""

    def __init__(self, *, taken: bool, lost: bool) -> None:
        self.taken, self.lost, self.sent = taken, lost, 0
        self.entries: tuple[RedeemedPoints, ...] = (RedeemedPoints("old", "C1", 5, 0, 90),)
        self.readable = True
        self.given_back = False
        self.new = RedeemedPoints("new", "C1", 40, 0, 50)

    def summary(self) -> Summary:
        if not self.readable:
            raise TimedOut("too late")
        words = "Chargeback - redeemed voucher could not be created."
        back = (
            (AddedPoints("back", "C1", 40, 0, NEVER, 90, description=words),) if self.given_back and self.sent else ()
        )
        return Summary("C1", 90, back, self.entries)

    def redeem(self, option_id: str, site_code: str) -> str:
        self.sent += 1
        if self.taken:
            self.entries += (self.new,)
        if self.lost:
            raise Unsettled("no answer", answered=False)
        return "LLS-232394"


def test_an_exchange_gives_the_code(world: World) -> None:
    assert exchange(Storefront(taken=True, lost=False), "x", "main", world.surroundings) == "LLS-232394"


def test_a_lost_code_is_told_with_what_was_taken_and_never_exchanged_again(world: World) -> None:
    customer = Storefront(taken=True, lost=True)
    with pytest.raises(CouponCodeLost, match="40 points were taken, and the coupon's code was not received") as lost:
        exchange(customer, "x", "main", world.surroundings)

    assert (lost.value.exit_status, lost.value.details, customer.sent) == (
        8, {"pointsTaken": 40, "entryIds": ["new"]}, 1,
    )  # fmt: skip
    assert world.slept == [30.0]


def test_where_nothing_was_taken_it_may_be_tried_again(world: World) -> None:
    customer = Storefront(taken=False, lost=True)
    with pytest.raises(ServiceUnavailable, match="No points were taken"):
        exchange(customer, "x", "main", world.surroundings)

    assert customer.sent == 1


def test_where_that_cannot_be_read_it_is_unknown(world: World) -> None:
    customer = Storefront(taken=True, lost=True)
    world.surroundings = world.surroundings._replace(sleep=lambda _: setattr(customer, "readable", False))
    with pytest.raises(OutcomeUnknown):
        exchange(customer, "x", "main", world.surroundings)


def test_points_are_counted_where_entries_have_no_ids(world: World) -> None:
    customer = Storefront(taken=True, lost=True)
    customer.entries = (RedeemedPoints("", "C1", 5, 0, 90),)
    customer.new = RedeemedPoints("", "C1", 40, 0, 50)
    with pytest.raises(CouponCodeLost):
        exchange(customer, "x", "main", world.surroundings)


def test_points_that_were_given_back_were_not_taken(world: World) -> None:
    customer = Storefront(taken=True, lost=True)
    customer.given_back = True
    with pytest.raises(ServiceUnavailable, match="The 40 points were given back, and no coupon was made"):
        exchange(customer, "x", "main", world.surroundings)


# -- where looking fails too --------------------------------------------------------------------------------


class Blind(Service):
    """A service that can no longer be read once something was sent."""

    def options(self) -> list[RedeemOption]:
        if self.sent:
            raise TimedOut("too late")
        return super().options()

    def summary(self, customer_id: str) -> Summary:
        if self.sent:
            raise TimedOut("too late")
        return super().summary(customer_id)


@pytest.mark.parametrize(
    "what", ["create_customer", "delete_customer", "create_option", "update_option", "delete_option"]
)
def test_what_cannot_be_read_after_a_lost_answer_is_unknown(what: str, world: World) -> None:
    service = Blind("lost")
    service.options_["x"] = RedeemOption("x", 1, DOCUMENT)
    if what == "delete_customer":
        service.customers_["C1"] = Summary("C1", 0)
    words: dict[str, tuple[Any, ...]] = {
        "create_customer": ("C1",), "delete_customer": ("C1",), "create_option": (DOCUMENT,),
        "update_option": ("x", 1, DOCUMENT), "delete_option": ("x",),
    }  # fmt: skip
    with pytest.raises(OutcomeUnknown) as unknown:
        getattr(settling(service, world), what)(*words[what])

    assert (unknown.value.exit_status, service.sent) == (8, 1)
    assert unknown.value.hint


def test_what_was_lost_long_ago_is_looked_for_at_once(world: World) -> None:
    world.surroundings.wait(Unsettled("late", answered=False, since_s=60.0))
    world.surroundings.wait(Unsettled("late", answered=False, since_s=10.0))

    assert world.slept == [20.0]
