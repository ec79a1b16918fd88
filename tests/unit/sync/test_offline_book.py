"""Changes recorded while the service is out of reach, and reads answered without it."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import pytest
from counter import ALL, DAY, HOUR, NOON, Counter, Rules, add, entry_id, has, lot, redeem, reverse, truth

from rpctl.delivery.journal import Delivery
from rpctl.delivery.journal import State as Sent
from rpctl.delivery.requests import fingerprint, marks_of, sending_of
from rpctl.domain.changes import Change, Customers, RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused
from rpctl.domain.points import RedeemedPoints
from rpctl.domain.program import Program
from rpctl.domain.values import NEVER, add_months
from rpctl.errors import CustomerNotFound, InsufficientPoints, StorageFull, UnsupportedOperation


def code(outcome: Outcome) -> str:
    return outcome.error.code if isinstance(outcome, Refused) else type(outcome).__name__


def sent(till: Counter, change: Change, state: Sent) -> None:
    """This machine sent the change before the line was lost."""
    sending = sending_of(change, _Known(till), NOON, lambda: truth(lot("l1", 50)))
    till.journal.write(Delivery(change.key, fingerprint(change), state, NOON, sending))


class _Known:
    def __init__(self, till: Counter) -> None:
        self.target, self.capabilities, self.check, self.program = till.target, ALL, till.rules.check, Program


# -- recorded ----------------------------------------------------------------------------------------------


def test_an_addition_is_recorded_as_it_will_be_sent(till: Counter) -> None:
    till.knows(has(10))
    outcome = till.one(add("C1", 50, "a", reference_id="o-1", until="+90d"))
    assert isinstance(outcome, Applied)
    assert outcome.entry is not None
    assert (outcome.points, outcome.created_customer, outcome.expired_on_arrival) == (50, False, False)
    assert (outcome.entry.id, outcome.entry.all_points_after_creation) == (entry_id("a"), 60)
    (row,) = till.outbox.waiting()
    assert (row.sending.created_at, row.sending.valid_until, row.is_known) == (NOON, NOON + 90 * DAY, True)
    assert till.book.active_points("C1") == 60


def test_a_customer_who_is_not_known_is_new_once(till: Counter) -> None:
    outcomes = till.book.apply([add("C9", 1, "a"), add("C9", 1, "b")])
    assert [one.created_customer for one in outcomes if isinstance(one, Applied)] == [True, False]
    assert [row.is_known for row in till.rows()] == [False, False]  # what waits may be given up


def test_a_change_is_dated_when_it_happens_and_never_before_what_waits(till: Counter) -> None:
    till.knows(has(10))
    till.one(redeem("C1", 1, "a"))
    till.now -= HOUR  # a clock that was set back
    till.one(redeem("C1", 1, "b"))
    till.one(redeem("C1", 1, "c", created_at=NOON - DAY))
    till.now += DAY
    till.one(redeem("C1", 1, "d"))
    assert [row.sending.created_at for row in till.rows()] == [NOON, NOON, NOON - DAY, NOON - HOUR + DAY]


def test_a_service_that_dates_changes_itself_is_told_no_date(till: Counter) -> None:
    till.rules.capabilities = ALL - {"dates"}
    till.one(add("C1", 1, "a"))
    assert till.rows()[0].sending.created_at is None
    assert code(till.one(add("C1", 1, "b", created_at=NOON))) == "unsupported_operation"


def test_when_points_end_is_known_by_the_mirrored_program(till: Counter) -> None:
    till.mirror.set_program(Program("main", validity_months=2, configured=True))
    outcomes = till.book.apply(
        [add("C1", 5, "a"), add("C1", 7, "b", created_at=NOON - 90 * DAY), add("C1", 1, "c", until="never")]
    )
    assert [one.expired_on_arrival for one in outcomes if isinstance(one, Applied)] == [False, True, False]
    first = till.rows()[0].sending
    assert (first.valid_until, first.ends_at) == (None, add_months(NOON, 2))
    assert till.book.active_points("C1") == 6
    till.now = add_months(NOON, 2)
    assert till.book.active_points("C1") == 1


REFUSED: dict[str, tuple[Change, str]] = {
    "more than there is": (redeem("C1", 101, "k"), "insufficient_points"),
    "nobody's points": (redeem("C9", 1, "k"), "customer_not_found"),
    "a coupon": (RedeemPoints("C1", "k", option_id="o1"), "unsupported_operation"),
    "a new customer": (add("C9", 5, "k", customers=Customers.NEW), "unsupported_operation"),
    "an existing one who is not": (add("C9", 5, "k", customers=Customers.EXISTING), "customer_not_found"),
    "an order value": (add("C1", None, "k", order_value=Decimal(9)), "unsupported_operation"),
    "a reason": (add("C1", 5, "k", reason="why"), "unsupported_operation"),
    "a later day": (add("C1", 5, "k", created_at=NOON + DAY), "invalid_value"),
    "what the service is known not to take": (add("odd", 5, "k"), "invalid_value"),
    "a reversal of nothing": (reverse("C1", "x", "k"), "entry_not_found"),
    "a reversal of nobody's": (reverse("C9", "x", "k"), "customer_not_found"),
}


@pytest.mark.parametrize(("change", "why"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_done_is_refused_and_leaves_its_key_free(till: Counter, change: Change, why: str) -> None:
    till.rules.refused = "odd"
    till.knows(has(100))
    assert code(till.one(change)) == why
    assert (till.rows(), till.book.active_points("C1")) == ([], 100)
    assert code(till.one(add("C1", 1, "k"))) == "Applied"


def test_where_there_is_no_file_nothing_is_made_for_what_is_refused(till: Counter) -> None:
    assert code(till.one(redeem("C1", 1, "k"))) == "customer_not_found"
    with pytest.raises(CustomerNotFound, match="C1"):
        till.book.active_points("C1")
    assert [one.name for one in till.folder.iterdir()] == []


def test_a_refusal_for_lack_of_points_has_both_numbers(till: Counter) -> None:
    till.knows(has(100))
    till.one(redeem("C1", 60, "a"))
    outcome = till.one(redeem("C1", 41, "b"))
    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, InsufficientPoints)
    assert (outcome.error.details["available"], outcome.error.details["requested"]) == (40, 41)
    assert code(till.one(redeem("C1", 40, "c"))) == "Applied"


def test_an_order_value_earns_what_the_mirrored_program_says(till: Counter) -> None:
    till.mirror.set_program(Program("main", factor=Decimal("0.5"), configured=True))
    till.mirror.set_program(Program("shut", enabled=False, configured=True))
    outcomes = till.book.apply(
        [
            add("C1", None, "a", order_value=Decimal("29.9")),
            add("C1", None, "b", order_value=Decimal(1)),
            add("C1", None, "c", order_value=Decimal(9), site_code="other"),
            add("C1", 9, "d", site_code="shut"),
        ]
    )
    assert [code(one) for one in outcomes] == ["Applied", "earns_nothing", "unsupported_operation", "program_disabled"]
    assert [row.sending.points for row in till.rows()] == [14]


def test_where_there_is_no_program_the_factor_is_typed(till: Counter) -> None:
    till.rules.capabilities = frozenset({"references"})
    assert code(till.one(add("C1", None, "a", order_value=Decimal(9), factor=Decimal(2)))) == "Applied"
    assert till.rows()[0].sending.points == 18


# -- once --------------------------------------------------------------------------------------------------


def test_a_key_counts_once(till: Counter) -> None:
    changes = [add("C1", 5, "a"), add("C1", 5, "a"), add("C1", 6, "a")]
    assert [code(one) for one in till.book.apply(changes)] == ["Applied", "AlreadyApplied", "key_reused"]
    assert [code(one) for one in till.book.apply(changes)] == ["AlreadyApplied", "AlreadyApplied", "key_reused"]
    again = till.one(changes[0])
    assert isinstance(again, AlreadyApplied)
    assert again.entry is not None
    assert again.entry.id == entry_id("a")
    assert till.book.active_points("C1") == 5


JOURNAL: dict[str, tuple[Sent, int, str, int]] = {
    "it is in": (Sent.APPLIED, 5, "AlreadyApplied", 0),
    "it is in, and something else": (Sent.APPLIED, 6, "key_reused", 0),
    "it was refused": (Sent.REFUSED, 5, "Applied", 1),
    "it was refused, and is something else now": (Sent.REFUSED, 6, "Applied", 1),
    "it never left": (Sent.PLANNED, 5, "Applied", 1),
    "nobody knows": (Sent.UNKNOWN, 5, "Applied", 1),
    "nobody knows, and it is something else": (Sent.SENDING, 6, "key_reused", 0),
}


@pytest.mark.parametrize(("state", "points", "outcome", "rows"), JOURNAL.values(), ids=JOURNAL)
def test_what_this_machine_sent_before_is_known_by_its_journal(
    till: Counter, state: Sent, points: int, outcome: str, rows: int
) -> None:
    sent(till, add("C1", 5, "a"), state)
    found = till.one(add("C1", points, "a"))
    assert (code(found), len(till.rows())) == (outcome, rows)
    assert (isinstance(found, AlreadyApplied) and found.entry is not None) is (outcome == "AlreadyApplied")


def test_of_a_customer_who_was_deleted_online_nothing_is_recorded_again(till: Counter) -> None:
    sent(till, add("C1", 5, "a"), Sent.APPLIED)
    till.journal.forget("C1")
    assert code(till.one(add("C1", 5, "a"))) == "customer_deleted"


def test_without_a_journal_none_is_made(till: Counter) -> None:
    till.one(add("C1", 5, "a"))
    assert not till.journal.path.exists()


def test_what_another_machine_sent_is_seen_in_the_mirror(till: Counter) -> None:
    till.knows(truth(lot(entry_id("a"), 5), lot("x", 9), RedeemedPoints(entry_id("r"), "C1", 3, NOON, 11), active=11))
    changes = [add("C1", 5, "a"), add("C1", 6, "a"), redeem("C1", 3, "r"), redeem("C1", 5, "a")]
    assert [code(one) for one in till.book.apply(changes)] == ["AlreadyApplied", "key_reused"] * 2
    assert till.rows() == []


# -- reversals ---------------------------------------------------------------------------------------------


def test_an_entry_of_the_mirror_is_reversed_once(till: Counter) -> None:
    till.knows(truth(lot("l1", 50, used=20), lot("l2", 9)))
    outcome = till.one(reverse("C1", "l1", "a"))
    assert isinstance(outcome, Applied)
    assert (outcome.points, outcome.short, till.book.active_points("C1")) == (30, 20, 9)
    assert [code(till.one(reverse("C1", "l1", key))) for key in "ab"] == ["AlreadyApplied", "already_reversed"]
    assert [row.sending.reverses for row in till.rows()] == ["l1"]


def test_what_waits_is_reversed_on_top(till: Counter) -> None:
    till.knows(truth(lot("soon", 30, until=NOON + DAY), lot("long", 50)))
    till.one(redeem("C1", 40, "a"))
    outcome = till.one(reverse("C1", entry_id("a"), "b"))
    assert isinstance(outcome, Applied)
    assert (outcome.points, till.book.active_points("C1")) == (40, 80)
    assert (till.rows()[-1].sending.valid_until, till.rows()[-1].sending.reverses) == (NEVER, entry_id("a"))
    assert code(till.one(reverse("C1", entry_id("a"), "c"))) == "already_reversed"
    reversal = till.rows()[-1].sending.entry_id
    assert code(till.one(reverse("C1", reversal, "d"))) == "not_reversible"


def test_of_added_points_only_what_is_left_is_taken_back(till: Counter) -> None:
    till.one(add("C1", 50, "a"))
    till.one(redeem("C1", 20, "b"))
    outcome = till.one(reverse("C1", entry_id("a"), "c"))
    assert isinstance(outcome, Applied)
    assert (outcome.points, outcome.short, till.book.active_points("C1")) == (30, 20, 0)
    assert code(till.one(reverse("C1", entry_id("a"), "d"))) == "already_reversed"


def test_an_entry_that_got_another_id_at_the_service_is_not_reversed_once_more(till: Counter) -> None:
    till.one(add("C1", 50, "a"))
    till.one(reverse("C1", entry_id("a"), "b"))
    taken_back = till.rows()[-1].sending
    theirs = [
        lot("theirs", 50, used=50, token=marks_of(till.target, "a")[1]),
        RedeemedPoints("also theirs", "C1", 50, NOON, 0, token=taken_back.token),
    ]
    till.knows(truth(*theirs, lot("x", 60)))
    assert code(till.one(reverse("C1", "theirs", "c"))) == "already_reversed"


@pytest.mark.parametrize(
    ("state", "outcome"),
    [(Sent.APPLIED, "already_reversed"), (Sent.UNKNOWN, "unsupported_operation"), (Sent.REFUSED, "Applied")],
)
def test_what_this_machine_reversed_online_is_known_by_its_journal(till: Counter, state: Sent, outcome: str) -> None:
    till.knows(truth(lot("l1", 50)))
    sent(till, reverse("C1", "l1", "online"), state)
    assert code(till.one(reverse("C1", "l1", "offline"))) == outcome


# -- together ----------------------------------------------------------------------------------------------


def test_a_failure_in_the_middle_leaves_nothing_of_the_transaction(till: Counter) -> None:
    till.knows(has(100))
    till.one(redeem("C1", 1, "a"))

    def fail() -> None:
        raise StorageFull("the disk is full")

    with pytest.raises(StorageFull):
        till.book.apply([redeem("C1", 1, "b"), add("C2", 1, "c")], record=fail)
    assert ([row.key for row in till.rows()], till.book.active_points("C1")) == (["a"], 99)
    assert [code(one) for one in till.book.apply([redeem("C1", 99, "b")])] == ["Applied"]


def test_all_or_nothing(till: Counter) -> None:
    till.knows(has(100))
    batches = [[redeem("C1", 60, "a")], [redeem("C1", 30, "b"), redeem("C1", 30, "c")], [redeem("C1", 1, "d")]]
    settled = list(till.book.apply_batches(batches, all_or_nothing=True))
    assert [[code(one) for one in some] for some in settled] == [["Applied"], ["Applied", "insufficient_points"]]
    assert [row.key for row in till.rows()] == ["a"]


def test_a_rehearsal_leaves_no_trace(till: Counter) -> None:
    till.knows(has(100))
    with till.book.rehearsal() as copy:
        assert [code(one) for one in copy.apply([redeem("C1", 60, "a"), redeem("C1", 60, "b")])] == [
            "Applied",
            "insufficient_points",
        ]
    assert (till.rows(), till.book.active_points("C1")) == ([], 100)


def test_between_two_batches_others_may_take_what_there_was(till: Counter, other: Counter) -> None:
    till.knows(has(100))
    settled = till.book.apply_batches([[redeem("C1", 60, "a")], [redeem("C1", 30, "b")], [redeem("C1", 10, "c")]])
    outcomes = [code(one) for one in next(settled)]
    outcomes.append(code(other.one(redeem("C1", 20, "x"))))
    outcomes += [code(one) for some in settled for one in some]
    assert outcomes == ["Applied", "Applied", "insufficient_points", "Applied"]
    assert till.book.active_points("C1") == 10


def test_two_who_record_at_once_never_take_more_than_there_is(till: Counter, other: Counter) -> None:
    till.knows(has(20))

    def take(counter: Counter, name: str) -> list[str]:
        return [code(counter.one(redeem("C1", 1, f"{name}{at}"))) for at in range(15)]

    with ThreadPoolExecutor() as threads:
        outcomes = [*threads.map(take, (till, other), "ab")]
    assert sum(some.count("Applied") for some in outcomes) == 20
    assert (till.book.active_points("C1"), len(till.rows())) == (0, 20)


def test_a_customer_with_very_many_redemptions_is_read_once_in_a_pass(
    till: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    from rpctl.sync import deciding

    built: list[Sequence[str]] = []
    build = deciding.standings
    monkeypatch.setattr(deciding, "standings", lambda tables, of, ids: built.append(ids) or build(tables, of, ids))
    till.knows(has(1000))
    batches = [[redeem("C1", 1, f"{batch} {at}") for at in range(10)] for batch in range(10)]
    assert sum(len(some) for some in till.book.apply_batches(batches)) == 100
    assert [ids for ids in built if ids] == [["C1"]]


# -- reading -----------------------------------------------------------------------------------------------


def test_customers_are_those_of_the_mirror_and_of_the_outbox(till: Counter) -> None:
    till.knows(
        *(has(number, f"C{number:04}") for number in range(1, 402)), truth(lot("l", 5, until=NOON + 1), customer="ends")
    )
    till.book.apply([add("C0003", 1, "a"), add("b-new", 7, "b"), redeem("C0400", 400, "c")])
    till.now += HOUR
    found = dict(till.book.customers())
    assert list(found) == sorted(found)
    assert (len(found), found["C0003"], found["C0400"], found["C0401"]) == (403, 4, 0, 401)
    assert (found["b-new"], found["ends"]) == (7, 0)
    assert list(till.book.customers("c04", 2)) == [("C0400", 0), ("C0401", 401)]
    assert [one.customer_id for one in till.book.summaries(3)] == ["C0001", "C0002", "C0003"]
    assert {one.customer_id: one.active_points for one in till.book.summaries()} == found


def test_a_summary_shows_what_waits_after_what_is_known(till: Counter) -> None:
    till.knows(has(100))
    till.one(redeem("C1", 30, "a", description="Umtausch"))
    summary = till.book.summary("C1")
    assert [(one.id, one.points) for one in summary.entries()] == [("first of C1", 100), (entry_id("a"), 30)]
    assert (summary.active_points, summary.redeemed[0].description, summary.added[0].left) == (70, "Umtausch", 70)


def test_what_was_never_fetched_is_not_known(till: Counter) -> None:
    for read in (till.book.options, lambda: till.book.program("main")):
        with pytest.raises(UnsupportedOperation, match="not known offline"):
            read()
    till.mirror.set_options([{"id": "o1"}])
    till.mirror.set_program(Program("main"))
    assert ([one.id for one in till.book.options()], till.book.program("main")) == (["o1"], Program("main"))


def test_nothing_but_points_is_changed_offline(till: Counter) -> None:
    book = till.book
    for change in (
        lambda: book.create_customer("C1"),
        lambda: book.delete_customer("C1"),
        lambda: book.create_option({}),
        lambda: book.update_option("o", 1, {}),
        lambda: book.delete_option("o"),
        lambda: book.set_program("main", {}),
        lambda: book.coupon("x"),
    ):
        with pytest.raises(UnsupportedOperation, match="Offline"):
            change()


def test_the_books_rules_are_the_services_but_for_coupons(till: Counter) -> None:
    assert Counter(till.folder, rules=Rules(ALL | {"exchange"})).book.capabilities == ALL
