"""The numbered rules of the ledger, each shown by a small story."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import Any

import pytest

from rpctl.backends.ledger.backend import LedgerBackend, coupon_code
from rpctl.backends.port import Tombstone
from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused
from rpctl.domain.points import AddedPoints, Entry
from rpctl.domain.values import NEVER, format_instant, parse_instant, parse_when
from rpctl.errors import CustomerExists, CustomerNotFound, OptionNotFound, StaleVersion

PERCENT = {"name": "Ten percent", "discountType": "PERCENT", "discountPercentage": 10}


class Book:
    """Books on a ledger in few words; every key is fresh unless it is given."""

    def __init__(self, ledger: LedgerBackend) -> None:
        self.ledger = ledger
        self._keys = map("key {}".format, count(1))

    def send(self, change: Change) -> Outcome:
        (outcome,) = self.ledger.apply([change])
        return outcome

    def add(self, customer: str, points: int | None, until: str | None = None, **more: Any) -> Entry:
        key = more.pop("key", None) or next(self._keys)
        when = parse_when(until) if until else None
        return applied(self.send(AddPoints(customer, key, points, valid_until=when, **more)))

    def redeem(self, customer: str, points: int | None, **more: Any) -> Entry:
        key = more.pop("key", None) or next(self._keys)
        return applied(self.send(RedeemPoints(customer, key, points, **more)))

    def reverse(self, entry: Entry, key: str | None = None) -> Outcome:
        return self.send(Reverse(entry.customer_id, entry.id, key or next(self._keys)))

    def used(self, customer: str) -> list[int]:
        """How many points of each lot are used, in recording order."""
        return [lot.used_points for lot in self.ledger.summary(customer).added]


def applied(outcome: Outcome) -> Entry:
    assert isinstance(outcome, Applied), outcome
    assert outcome.entry is not None
    return outcome.entry


def refusal(outcome: Outcome) -> str:
    assert isinstance(outcome, Refused), outcome
    return outcome.error.code


@pytest.fixture
def book(ledger: LedgerBackend) -> Iterator[Book]:
    yield Book(ledger)
    assert list(ledger.verify().problems()) == []


# -- 1: what is active -------------------------------------------------------------------------------------


def test_points_expire_by_themselves(book: Book, clock) -> None:
    book.add("C1", 100, "2026-06-01")
    book.add("C1", 30)
    clock.set("2026-05-31T23:59:59.999Z")
    assert book.ledger.active_points("C1") == 130
    clock.set("2026-06-01")
    assert book.ledger.active_points("C1") == 30
    assert list(book.ledger.customers()) == [("C1", 30)]
    assert book.ledger.summary("C1").active_points == 30


def test_an_expiry_takes_away_no_points_that_were_spent(book: Book, clock) -> None:
    book.add("C1", 100, "2026-06-01")
    book.add("C1", 30)
    book.redeem("C1", 90)
    clock.set("2026-06-01")
    assert book.ledger.active_points("C1") == 30


def test_active_points_can_be_asked_for_another_moment(book: Book) -> None:
    book.add("C1", 100, "2026-06-01")
    assert book.ledger.active_points("C1", parse_instant("2026-05-31")) == 100
    assert book.ledger.active_points("C1", parse_instant("2026-06-01")) == 0


def test_an_unknown_customer_has_no_balance(book: Book) -> None:
    book.add("C1", 1)
    with pytest.raises(CustomerNotFound):
        book.ledger.active_points("C2")
    with pytest.raises(CustomerNotFound):
        book.ledger.summary("C2")


# -- 2: which lots a redemption takes from -----------------------------------------------------------------


def test_redeeming_takes_the_earliest_expiry_first_and_what_never_expires_last(book: Book) -> None:
    for until in ("never", "2026-09-01", "2026-06-01"):
        book.add("C1", 10, until)
    book.redeem("C1", 15)
    assert book.used("C1") == [0, 5, 10]


def test_redeeming_takes_the_oldest_of_equal_expiries_first(book: Book) -> None:
    for date in ("2026-02-03", "2026-02-01", "2026-02-02", "2026-02-01"):
        book.add("C1", 10, "2026-06-01", created_at=parse_instant(date))
    book.redeem("C1", 25)
    assert book.used("C1") == [0, 10, 5, 10]


def test_a_redemption_says_which_lots_it_drew_on(book: Book) -> None:
    book.add("C1", 10, "2026-06-01")
    book.add("C1", 10)
    redemption = book.redeem("C1", 13)
    uses = [[(use.redemption_id, use.points) for use in lot.used_with] for lot in book.ledger.summary("C1").added]
    assert uses == [[(redemption.id, 10)], [(redemption.id, 3)]]


def test_a_redemption_of_more_than_there_is_takes_nothing(book: Book, clock) -> None:
    book.add("C1", 10, "2026-06-01")
    book.add("C1", 10)
    clock.set("2026-06-01")
    outcome = book.send(RedeemPoints("C1", "more", 11))
    assert refusal(outcome) == "insufficient_points"
    assert isinstance(outcome, Refused)
    assert outcome.error.details == {"customerId": "C1", "requested": 11, "available": 10}
    assert book.used("C1") == [0, 0]
    assert book.ledger.summary("C1").redeemed == ()


# -- 3: recording order and business date ------------------------------------------------------------------


def test_a_clock_that_steps_back_does_not_go_below_the_latest_date_of_the_customer(book: Book, clock) -> None:
    clock.set("2026-03-05")
    book.add("C1", 10)
    clock.set("2026-03-04")
    dates = [book.add("C1", 1).created_at, book.redeem("C1", 1).created_at, book.add("C2", 1).created_at]
    assert [format_instant(date)[:10] for date in dates] == ["2026-03-05", "2026-03-05", "2026-03-04"]


def test_a_change_may_be_dated_back_but_not_forward(book: Book, clock) -> None:
    past = parse_instant("2025-01-01")
    assert book.add("C1", 10, created_at=past).created_at == past
    assert book.add("C1", 10, created_at=clock.now).created_at == clock.now
    assert refusal(book.send(AddPoints("C1", "later", 1, created_at=clock.now + 1))) == "invalid_value"
    assert refusal(book.send(RedeemPoints("C1", "later", 1, created_at=clock.now + 1))) == "invalid_value"


def test_the_validity_of_lots_is_judged_at_the_date_of_the_redemption(book: Book, clock) -> None:
    book.add("C1", 10, "2026-03-10")
    clock.set("2026-03-20")
    assert refusal(book.send(RedeemPoints("C1", "now", 5))) == "insufficient_points"
    redemption = book.redeem("C1", 5, created_at=parse_instant("2026-03-09"))
    assert redemption.all_points_after_creation == 5
    assert refusal(book.send(RedeemPoints("C1", "more", 6, created_at=parse_instant("2026-03-09")))) == (
        "insufficient_points"
    )


def test_points_may_not_end_before_they_begin(book: Book, clock) -> None:
    assert refusal(book.send(AddPoints("C1", "a", 1, valid_until=parse_when("2026-02-28")))) == "invalid_value"
    with pytest.raises(CustomerNotFound):
        book.ledger.summary("C1")
    assert book.add("C1", 1, format_instant(clock.now)).all_points_after_creation == 0


def test_the_balance_after_an_entry_covers_all_that_was_recorded_up_to_it(book: Book, clock) -> None:
    entries = [book.add("C1", 10, "2026-03-10"), book.add("C1", 20)]
    clock.set("2026-03-15")
    entries.append(book.redeem("C1", 5))
    entries.append(book.add("C1", 7, created_at=parse_instant("2026-03-05")))
    expected = [10, 30, 15, 32]
    assert [entry.all_points_after_creation for entry in entries] == expected
    assert [entry.all_points_after_creation for entry in book.ledger.summary("C1").entries()] == expected


def test_points_that_have_expired_already_may_be_recorded_and_are_told_apart(book: Book) -> None:
    past = parse_instant("2025-01-01")
    outcome = book.send(AddPoints("C1", "old", 10, valid_until=parse_when("2025-06-01"), created_at=past))
    assert isinstance(outcome, Applied)
    assert outcome.expired_on_arrival
    assert outcome.entry is not None
    assert (outcome.entry.all_points_after_creation, book.ledger.active_points("C1")) == (10, 0)


# -- 4: reversals ------------------------------------------------------------------------------------------


def test_added_points_are_reversed_by_a_linked_redemption(book: Book) -> None:
    added = book.add("C1", 10)
    reversal = applied(book.reverse(added))
    assert (reversal.points, reversal.reverses, reversal.all_points_after_creation) == (10, added.id, 0)
    assert not isinstance(reversal, AddedPoints)
    assert book.used("C1") == [10]


def test_only_what_is_left_of_partly_spent_points_is_reversed(book: Book) -> None:
    added = book.add("C1", 10)
    book.add("C1", 90)
    book.redeem("C1", 4)
    outcome = book.reverse(added)
    assert isinstance(outcome, Applied)
    assert (outcome.points, outcome.short) == (6, 4)
    assert book.used("C1") == [10, 0]


@pytest.mark.parametrize(("spend", "date", "reason"), [(10, "2026-03-02", "spent"), (4, "2026-06-01", "expired")])
def test_nothing_is_reversed_of_points_that_are_spent_or_expired(
    book: Book, clock, spend: int, date: str, reason: str
) -> None:
    added = book.add("C1", 10, "2026-06-01")
    book.redeem("C1", spend)
    clock.set(date)
    outcome = book.reverse(added)
    assert refusal(outcome) == "nothing_to_reverse"
    assert isinstance(outcome, Refused)
    assert outcome.error.details == {"reason": reason}


def test_a_reversed_redemption_gives_a_new_lot_that_lives_as_long_as_the_longest_it_used(book: Book, clock) -> None:
    book.add("C1", 10, "2026-06-01")
    book.add("C1", 10, "2026-09-01")
    redemption = book.redeem("C1", 15)
    clock.set("2026-07-01")
    lot = applied(book.reverse(redemption))
    assert isinstance(lot, AddedPoints)
    assert (lot.points, lot.reverses, format_instant(lot.valid_until)[:10]) == (15, redemption.id, "2026-09-01")
    assert lot.all_points_after_creation == 20
    assert book.used("C1") == [10, 5, 0]


def test_a_redemption_is_not_reversed_when_all_it_used_has_expired(book: Book, clock) -> None:
    book.add("C1", 10, "2026-06-01")
    redemption = book.redeem("C1", 5)
    clock.set("2026-06-01")
    assert refusal(book.reverse(redemption)) == "nothing_to_reverse"


def test_nothing_is_reversed_twice_and_no_reversal_is_reversed(book: Book) -> None:
    added = book.add("C1", 10)
    reversal = applied(book.reverse(added))
    again = book.reverse(added)
    assert refusal(again) == "already_reversed"
    assert isinstance(again, Refused)
    assert again.error.details == {"entryId": reversal.id}
    assert refusal(book.reverse(reversal)) == "not_reversible"
    given_back = applied(book.reverse(book.redeem("C1", book.add("C1", 5).points)))
    assert refusal(book.reverse(given_back)) == "not_reversible"


@pytest.mark.parametrize("entry_id", ["", "nothing", "00000000-0000-0000-0000-000000000000"])
def test_an_unknown_entry_is_not_reversed(book: Book, entry_id: str) -> None:
    book.add("C1", 10)
    assert refusal(book.send(Reverse("C1", entry_id, "r"))) == "entry_not_found"


def test_another_customers_entry_is_not_reversed(book: Book) -> None:
    added = book.add("C1", 10)
    book.add("C2", 10)
    assert refusal(book.send(Reverse("C2", added.id, "r"))) == "entry_not_found"
    assert refusal(book.send(Reverse("C3", added.id, "r"))) == "customer_not_found"


def test_the_redemption_of_an_exchange_is_not_reversed(book: Book) -> None:
    option = book.ledger.create_option({"name": "o", "points": 5, "coupon": PERCENT})
    book.add("C1", 10)
    assert refusal(book.reverse(book.redeem("C1", None, option_id=option.id))) == "coupon_issued"


def test_points_added_before_a_reversal_in_one_batch_count_once(book: Book) -> None:
    first = book.add("C1", 10)
    outcomes = book.ledger.apply(
        [
            AddPoints("C1", "more", 50, valid_until=parse_when("2026-06-01")),
            Reverse("C1", first.id, "back"),
            RedeemPoints("C1", "all", 50),
        ]
    )
    assert [applied(outcome).points for outcome in outcomes] == [50, 10, 50]
    assert book.ledger.active_points("C1") == 0


# -- 5: keys -----------------------------------------------------------------------------------------------


def test_the_same_key_and_change_is_applied_once(book: Book, clock) -> None:
    change = AddPoints("C1", "order-9", 50, reference_id="9")
    first = applied(book.send(change))
    clock.set("2026-03-09")
    again = book.send(change)
    assert again == AlreadyApplied(first)
    assert book.ledger.active_points("C1") == 50


def test_the_same_key_twice_in_one_batch_is_applied_once(book: Book) -> None:
    change = AddPoints("C1", "order-9", 50)
    outcomes = book.ledger.apply([change, change, AddPoints("C1", "order-9", 51)])
    assert [type(outcome) for outcome in outcomes] == [Applied, AlreadyApplied, Refused]
    assert book.ledger.active_points("C1") == 50


ASKED = AddPoints("C1", "key", 50, None, "9", "text", "reason", parse_when("+90d"), None, "main")
OTHERS: dict[str, Change] = {
    "customer": AddPoints("C2", "key", 50, None, "9", valid_until=parse_when("+90d")),
    "points": AddPoints("C1", "key", 51, None, "9", valid_until=parse_when("+90d")),
    "an order value of the same number": AddPoints("C1", "key", None, Decimal(50), "9", valid_until=parse_when("+90d")),
    "reference": AddPoints("C1", "key", 50, None, "8", valid_until=parse_when("+90d")),
    "no reference": AddPoints("C1", "key", 50, valid_until=parse_when("+90d")),
    "validity": AddPoints("C1", "key", 50, None, "9", valid_until=parse_when("+91d")),
    "no validity": AddPoints("C1", "key", 50, None, "9"),
    "kind": RedeemPoints("C1", "key", 50, reference_id="9"),
    "reversal": Reverse("C1", "50", "key"),
}


@pytest.mark.parametrize("other", OTHERS.values(), ids=OTHERS)
def test_the_same_key_for_another_change_is_refused(book: Book, other: Change) -> None:
    applied(book.send(ASKED))
    assert refusal(book.send(other)) == "key_reused"
    assert list(book.ledger.customers()) == [("C1", 50)]


def test_text_date_site_and_kind_of_customer_do_not_make_it_another_change(book: Book, clock) -> None:
    first = applied(book.send(ASKED))
    clock.set("2026-03-05")
    same = AddPoints(
        "C1", "key", 50, None, "9", "other text", None, parse_when("+90d"), clock.now, "other", Customers.NEW
    )
    assert book.send(same) == AlreadyApplied(first)


def test_the_fingerprint_is_of_what_was_asked_before_factor_and_default_validity(book: Book) -> None:
    change = AddPoints("C1", "key", None, Decimal("12.50"), "9")
    first = applied(book.send(change))
    book.ledger.set_program("main", {"factor": Decimal(3), "validity_months": 6})
    assert book.send(AddPoints("C1", "key", None, Decimal("12.5"), "9")) == AlreadyApplied(first)


def test_a_refused_change_does_not_use_up_its_key(book: Book) -> None:
    book.add("C1", 5)
    assert refusal(book.send(RedeemPoints("C1", "key", 6))) == "insufficient_points"
    assert applied(book.send(RedeemPoints("C1", "key", 5))).points == 5


def test_a_refused_change_harms_no_other_of_its_batch(book: Book) -> None:
    outcomes = book.ledger.apply([AddPoints("C1", "a", 5), RedeemPoints("C1", "b", 9), RedeemPoints("C1", "c", 5)])
    assert [type(outcome) for outcome in outcomes] == [Applied, Refused, Applied]


# -- 6: customers ------------------------------------------------------------------------------------------


def test_a_customer_is_created_once(book: Book) -> None:
    book.ledger.create_customer("C1")
    assert list(book.ledger.customers()) == [("C1", 0)]
    with pytest.raises(CustomerExists):
        book.ledger.create_customer("C1")
    assert refusal(book.send(AddPoints("C1", "start", 5, customers=Customers.NEW))) == "customer_exists"
    assert book.add("C1", 5).points == 5


def test_a_customer_may_start_with_points(book: Book) -> None:
    outcome = book.send(AddPoints("C1", "start", 5, customers=Customers.NEW))
    assert isinstance(outcome, Applied)
    assert (outcome.created_customer, book.ledger.active_points("C1")) == (True, 5)


def test_adding_to_an_unknown_customer_creates_it_unless_it_must_exist(book: Book) -> None:
    assert refusal(book.send(AddPoints("C1", "a", 5, customers=Customers.EXISTING))) == "customer_not_found"
    outcome = book.send(AddPoints("C1", "a", 5))
    assert isinstance(outcome, Applied)
    assert outcome.created_customer
    outcome = book.send(AddPoints("C1", "b", 5, customers=Customers.EXISTING))
    assert isinstance(outcome, Applied)
    assert not outcome.created_customer


def test_redeeming_from_an_unknown_customer_is_not_found(book: Book) -> None:
    assert refusal(book.send(RedeemPoints("C1", "a", 5))) == "customer_not_found"
    assert list(book.ledger.customers()) == []


def test_deleting_a_customer_leaves_a_tombstone_and_no_text(book: Book) -> None:
    secret = "a text that nobody may find again"
    book.add("Personal-Name", 10, key="k1", description=secret, reason=secret, reference_id=secret)
    book.redeem("Personal-Name", 4, description=secret)
    assert book.ledger.delete_customer("Personal-Name") == Tombstone(2, 10, 4, 6)
    with pytest.raises(CustomerNotFound):
        book.ledger.summary("Personal-Name")
    with pytest.raises(CustomerNotFound):
        book.ledger.delete_customer("Personal-Name")
    book.ledger.close()
    for file in book.ledger.path.parent.iterdir():
        content = file.read_bytes()
        assert secret.encode() not in content
        assert b"Personal-Name" not in content


def test_the_keys_of_a_deleted_customer_bring_nobody_back(book: Book) -> None:
    change = AddPoints("C1", "order-9", 10)
    book.send(change)
    book.ledger.delete_customer("C1")
    assert refusal(book.send(change)) == "customer_deleted"
    assert refusal(book.send(AddPoints("C2", "order-9", 10))) == "customer_deleted"
    assert list(book.ledger.customers()) == []


def test_a_deleted_customer_can_be_created_anew_and_knows_nothing_of_before(book: Book) -> None:
    entry = book.add("C1", 10)
    book.ledger.delete_customer("C1")
    book.add("C1", 3)
    assert [lot.points for lot in book.ledger.summary("C1").added] == [3]
    assert refusal(book.send(Reverse("C1", entry.id, "r"))) == "entry_not_found"


# -- 7: exchange -------------------------------------------------------------------------------------------


def test_an_exchange_takes_the_points_and_makes_the_coupon(book: Book) -> None:
    option = book.ledger.create_option({"name": "o", "points": 5, "coupon": PERCENT})
    book.ledger.set_program("main", {"code_prefix": "SHOP"})
    book.add("C1", 12)
    change = RedeemPoints("C1", "x", option_id=option.id)
    entry = applied(book.send(change))
    assert not isinstance(entry, AddedPoints)
    assert (entry.points, entry.coupon_code, entry.all_points_after_creation) == (5, "SHOP-N1", 7)
    assert book.ledger.coupon("SHOP-N1").document["discountPercentage"] == 10
    assert book.send(change) == AlreadyApplied(entry)
    assert book.ledger.active_points("C1") == 7
    other = book.redeem("C1", None, option_id=option.id)
    assert not isinstance(other, AddedPoints)
    assert other.coupon_code == "SHOP-N2"


def test_an_exchange_that_cannot_be_takes_no_points(book: Book) -> None:
    shipping = {"name": "s", "points": 5, "coupon": {"name": "s", "discountType": "FREE_SHIPPING"}}
    options = [
        book.ledger.create_option(document).id
        for document in (shipping, {"name": "n", "points": 5}, {"name": "d", "points": 50, "coupon": PERCENT})
    ]
    book.add("C1", 10)
    codes = [refusal(book.send(RedeemPoints("C1", "x", option_id=one))) for one in [*options, "unknown"]]
    assert codes == ["not_exchangeable", "not_exchangeable", "insufficient_points", "option_not_found"]
    assert book.ledger.active_points("C1") == 10


def test_coupon_codes_have_no_letters_that_are_misread_and_do_not_repeat() -> None:
    codes = {coupon_code() for _ in range(1000)}
    assert len(codes) == 1000
    assert {len(code) for code in codes} == {10}
    assert set("".join(codes)) == set("ABCDEFGHJKLMNPQRSTUVWXYZ23456789")


# -- 8: redeem options -------------------------------------------------------------------------------------


def test_of_two_updates_from_one_version_the_second_is_refused(book: Book) -> None:
    option = book.ledger.create_option({"name": "first", "points": 5, "ours": {"kept": 1}})
    assert option.version == 1
    second = book.ledger.update_option(option.id, 1, {**option.document, "name": "second"})
    assert (second.version, second.name, second.document["ours"]) == (2, "second", {"kept": 1})
    with pytest.raises(StaleVersion) as caught:
        book.ledger.update_option(option.id, 1, {"name": "third", "points": 5})
    assert caught.value.details == {"currentVersion": 2, "sentVersion": 1}
    assert [one.name for one in book.ledger.options()] == ["second"]


def test_an_option_that_is_not_there_is_neither_updated_nor_deleted(book: Book) -> None:
    with pytest.raises(OptionNotFound):
        book.ledger.update_option("x", 1, {"name": "o", "points": 5})
    with pytest.raises(OptionNotFound):
        book.ledger.delete_option("x")


# -- 9: the program ----------------------------------------------------------------------------------------


def test_without_a_program_a_whole_unit_of_an_order_is_a_point_that_never_expires(book: Book) -> None:
    lot = book.add("C1", None, order_value=Decimal("29.99"))
    assert isinstance(lot, AddedPoints)
    assert (lot.points, lot.valid_until) == (29, NEVER)
    assert not book.ledger.program("main").configured


def test_the_program_decides_points_and_validity_where_the_change_does_not(book: Book, clock) -> None:
    book.ledger.set_program("main", {"factor": Decimal("0.1"), "validity_months": 1})
    clock.set("2026-01-31T08:00:00Z")
    lots = [
        book.add("C1", None, order_value=Decimal("29.90")),
        book.add("C1", 5, "never"),
        book.add("C1", 5, site_code="elsewhere"),
    ]
    seen = [(lot.points, lot.valid_until) for lot in lots if isinstance(lot, AddedPoints)]
    assert seen == [(2, parse_instant("2026-02-28T08:00:00Z")), (5, NEVER), (5, NEVER)]


def test_a_disabled_program_refuses_adding_but_not_redeeming(book: Book) -> None:
    book.add("C1", 10)
    book.ledger.set_program("main", {"enabled": False})
    assert refusal(book.send(AddPoints("C1", "a", 1))) == "program_disabled"
    assert book.redeem("C1", 4).all_points_after_creation == 6
    assert book.add("C1", 1, site_code="elsewhere").points == 1


def test_an_order_that_earns_nothing_is_refused(book: Book) -> None:
    book.ledger.set_program("main", {"factor": Decimal("0.1")})
    assert refusal(book.send(AddPoints("C1", "a", None, Decimal("9.99")))) == "earns_nothing"
    assert list(book.ledger.customers()) == []
