"""Changes of points to a service that answers late, wrongly or not at all: each counts once, and what is said is so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.port import Receipt, Sending, Unsettled
from rpctl.delivery.deliver import Deliverer
from rpctl.delivery.journal import Journal, State
from rpctl.delivery.surroundings import Surroundings
from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints, Reverse
from rpctl.domain.markers import split_token
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, Unknown
from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use
from rpctl.domain.program import Program
from rpctl.domain.values import NEVER
from rpctl.errors import (
    AlreadyReversed,
    CustomerExists,
    CustomerNotFound,
    DeliveryUnderWay,
    JournalUnusable,
    NotFound,
    NotReversible,
    OutcomeUnknown,
    RateLimited,
    RequestRefused,
    ServiceUnavailable,
    StorageFull,
    TimedOut,
    UnsupportedOperation,
)

SETTLE_S = 30.0


class Service:
    """Books of one customer, C1. ``script`` says what becomes of each sending in turn, ``ok`` at its end:

    ok; lost (in, no answer); failed (not in, and the service says so); late N (in after N seconds, no answer);
    slow N late M (it leaves only after N seconds); limited (429, never in); refused; exists.
    """

    capabilities: frozenset[str] = frozenset({"program", "dates", "references", "reversals", "everybody"})
    keeps_keys = False
    target = "https://service shop"

    def __init__(self, *script: str) -> None:
        self.script = list(script)
        self.now_s = 1_000_000.0
        self.under_way: list[tuple[float, Sending]] = []
        self.added: list[AddedPoints] = []
        self.redeemed: list[RedeemedPoints] = []
        self.sent: list[Sending] = []
        self.keeps_ids = self.keeps_texts = True
        self.longest_text = 9999
        self.gone: NotFound | None = None
        self.unreadable = False

    # -- time ------------------------------------------------------------------------------------------

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds
        for at, sending in list(self.under_way):
            if at <= self.now_s:
                self.under_way.remove((at, sending))
                self.book(sending)

    # -- what the port asks ----------------------------------------------------------------------------

    def check(self, sending: Sending) -> None:
        pass

    def send(self, sending: Sending, leaving: Callable[[], None]) -> Receipt:
        what = self.script.pop(0) if self.script else "ok"
        words = what.split()
        left_s = self.now_s
        if words[0] == "slow":
            leaving()
            self.sleep(float(words[1]))
            left_s = self.now_s
            words = words[2:]
        leaving()
        self.sent.append(sending)
        if words[0] == "limited":
            raise RateLimited("slow down")
        if words[0] == "refused":
            raise RequestRefused("no").of_request("POST /x", 400)
        if words[0] == "exists":
            raise CustomerExists("there").of_request("POST /x", 409)
        if words[0] == "failed":
            raise Unsettled("it failed", answered=True)
        if words[0] == "late":
            self.under_way.append((left_s + float(words[1]), sending))
            raise Unsettled("no answer", answered=False, since_s=self.now_s - left_s)
        self.book(sending)
        if words[0] == "lost":
            raise Unsettled("no answer", answered=False)
        return Receipt()

    def book(self, sending: Sending) -> None:
        number = len(self.added) + len(self.redeemed)
        entry_id = sending.entry_id if self.keeps_ids else f"own-{number}"
        text = (sending.text or "" if self.keeps_texts else "its own")[: self.longest_text]
        description, token = split_token(text)
        if sending.kind == "redeem":
            self.redeemed.append(RedeemedPoints(entry_id, "C1", sending.points, number, 0, description, token=token))
            return
        self.added.append(
            AddedPoints(
                entry_id, "C1", sending.points, number, NEVER, 0, reference_id=sending.reference_id,
                description=description, token=token,
            )
        )  # fmt: skip

    def summary(self, customer_id: str) -> Summary:
        if self.unreadable:
            raise TimedOut("too late")
        if self.gone is not None:
            raise self.gone
        if not self.added and not self.redeemed:
            raise CustomerNotFound("nobody")
        return Summary("C1", self.balance, tuple(self.added), tuple(self.redeemed))

    def program(self, site_code: str) -> Program:
        return Program(site_code)

    @property
    def balance(self) -> int:
        return sum(one.points for one in self.added) - sum(one.points for one in self.redeemed)


class Machine:
    """A machine with its journal; ``says`` are its notes and warnings."""

    def __init__(self, service: Service, journal: Journal) -> None:
        self.service = service
        self.journal = journal
        self.says: list[str] = []
        self.clock_off_s = 0.0
        self.deliverer = self.with_sleep(service.sleep)

    def with_sleep(self, sleep: Callable[[float], None]) -> Deliverer:
        world = Surroundings(
            self.clock, sleep, SETTLE_S, self.says.append, self.says.append, ticks=lambda: ("boot", self.ran_ms)
        )
        return Deliverer(self.service, self.journal, world)  # type: ignore[arg-type]

    @property
    def ran_ms(self) -> int:
        return int(self.service.now_s * 1000)

    def clock(self) -> int:
        return int((self.service.now_s + self.clock_off_s) * 1000)

    def add(self, points: int = 50, key: str = "k", *, given: bool = True, **more: Any) -> Outcome:
        return self.send(AddPoints("C1", key, points, **more), given=given)

    def redeem(self, points: int, key: str = "r", *, given: bool = True) -> Outcome:
        return self.send(RedeemPoints("C1", key, points), given=given)

    def send(self, change: Change, *, given: bool = True) -> Outcome:
        return self.deliverer.apply(change, key_given=given)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Callable[[Service], Machine]]:
    made: list[Journal] = []

    def make(service: Service) -> Machine:
        made.append(Journal(tmp_path / str(len(made)) / "journal.db", service.target))
        return Machine(service, made[-1])

    yield make
    for journal in made:
        journal.close()


Make = Callable[[Service], Machine]


# -- one change, whatever becomes of its requests ------------------------------------------------------------


@pytest.mark.parametrize(
    "script",
    [
        ("ok",),
        ("lost",),
        ("failed",),
        ("failed", "failed", "lost"),
        ("late 29",),
        ("late 29", "late 1"),
        ("slow 25 late 28",),  # it left long after the row was written
        ("failed", "late 20"),
    ],
)
def test_a_change_counts_once_whatever_becomes_of_its_answers(script: tuple[str, ...], machines: Make) -> None:
    service = Service("ok", *script)
    machine = machines(service)
    machine.add(10, "first")  # from now on the marks are known
    outcome = machine.add(50)

    assert isinstance(outcome, Applied)
    assert service.balance == 60
    assert machine.journal.find("k").state is State.APPLIED  # type: ignore[union-attr]
    assert isinstance(machine.add(50), AlreadyApplied)
    assert service.balance == 60


def test_before_the_marks_are_known_what_is_not_found_is_not_sent_again(machines: Make) -> None:
    service = Service("failed")
    service.added.append(AddedPoints("older", "C1", 1, 0, NEVER, 1))
    machine = machines(service)

    assert isinstance(machine.add(50), Unknown)
    assert len(service.sent) == 1
    assert isinstance(machine.add(5, "other"), Applied)  # teaches that ids are kept
    assert isinstance(machine.add(50), Applied)
    assert service.balance == 56


@pytest.mark.parametrize("keeps", ["ids", "texts"])
def test_either_mark_is_enough(keeps: str, machines: Make) -> None:
    service = Service("lost", "failed", "lost", "ok", "failed")
    service.keeps_ids, service.keeps_texts = keeps == "ids", keeps == "texts"
    machine = machines(service)
    outcomes = [machine.add(10, f"k{number}") for number in range(3)]

    assert all(isinstance(one, Applied) for one in outcomes)
    assert service.balance == 30


def test_a_token_is_sent_until_it_is_known_that_ids_are_kept_and_then_no_more(machines: Make) -> None:
    service = Service()
    machine = machines(service)
    for number in range(2):
        machine.add(10, f"k{number}", description="mine")

    assert [sending.text for sending in service.sent] == [f"mine [{service.sent[0].token}]", "mine"]


def test_a_token_that_may_have_been_cut_off_proves_nothing(machines: Make) -> None:
    service = Service("ok", "lost")
    service.keeps_ids, service.longest_text = False, 60
    machine = machines(service)
    machine.add(10, "short")
    outcome = machine.add(50, description="x" * 55)

    assert isinstance(outcome, Unknown)
    assert (service.balance, len(service.sent)) == (60, 2)


def test_without_any_mark_it_is_said_that_it_will_never_be_told(machines: Make) -> None:
    service = Service("ok", "lost")
    service.keeps_ids = service.keeps_texts = False
    machine = machines(service)
    machine.add(10, "first")
    outcome = machine.add(50)

    assert isinstance(outcome, Unknown)
    assert not outcome.can_be_told
    machine.says.clear()
    machine.add(1, "another")
    assert not any("cannot be told" in line for line in machine.says)  # it is no news


def test_an_entry_of_another_request_under_our_mark_is_not_ours(machines: Make) -> None:
    service = Service("ok", "failed")
    machine = machines(service)
    machine.add(10, "order-9", reference_id="order-9")
    service.added.append(AddedPoints("shop's", "C1", 20, 0, NEVER, 30, reference_id="order-8"))
    outcome = machine.add(50, "order-8", reference_id="order-8", given=False)

    assert isinstance(outcome, Applied)
    assert service.balance == 80


# -- who says that there is nobody ---------------------------------------------------------------------------


def test_a_gateways_404_proves_nothing(machines: Make) -> None:
    service = Service("ok", "lost")
    here, there = machines(service), machines(service)
    here.add(10, "first")
    service.gone = NotFound("nobody knows this path")

    assert isinstance(here.add(50, given=False), Unknown)
    with pytest.raises(NotFound):
        there.add(10, "first")  # whether another machine sent it cannot be seen now
    assert len(service.sent) == 2
    service.gone = None
    assert isinstance(here.add(50, given=False), AlreadyApplied)
    assert isinstance(there.add(10, "first"), AlreadyApplied)
    assert service.balance == 60


def test_a_service_that_does_not_show_a_new_customer_at_once_teaches_nothing(machines: Make) -> None:
    service = Service()
    machine = machines(service)
    machine.add(10, "first")
    service.gone = CustomerNotFound("not yet")
    machine.add(10, "second", given=False)

    assert machine.journal.markers("add")["id"] == 1


def test_a_summary_that_cannot_be_read_proves_nothing(machines: Make) -> None:
    service = Service("ok", "lost")
    machine = machines(service)
    machine.add(10, "first")
    service.unreadable = True

    assert isinstance(machine.add(50, given=False), Unknown)
    service.unreadable = False
    assert isinstance(machine.add(50, given=False), AlreadyApplied)


# -- refusals --------------------------------------------------------------------------------------------------


def test_a_refusal_after_an_unclear_sending_is_looked_into(machines: Make) -> None:
    """The first sending arrives later than anything may, and makes the second one fail."""
    service = Service("ok", "late 30.5", "refused")
    machine = machines(service)
    machine.add(60, "first")
    book = service.send

    def arrives_before(sending: Sending, leaving: Callable[[], None]) -> None:
        service.sleep(1.0)
        book(sending, leaving)

    service.send = arrives_before  # type: ignore[method-assign]
    outcome = machine.redeem(50)

    assert not isinstance(outcome, Refused)
    assert service.balance == 10


def test_our_own_customer_is_not_somebody_elses(machines: Make) -> None:
    service = Service("late 30.5", "exists")
    machine = machines(service)
    book = service.send

    def arrives_before(sending: Sending, leaving: Callable[[], None]) -> None:
        service.sleep(1.0)
        book(sending, leaving)

    service.send = arrives_before  # type: ignore[method-assign]
    outcome = machine.add(50, customers=Customers.NEW, given=False)

    assert isinstance(outcome, Applied)
    assert service.balance == 50


def test_a_refused_key_is_free(machines: Make) -> None:
    service = Service("refused")
    machine = machines(service)

    assert isinstance(machine.add(50), Refused)
    assert isinstance(machine.add(51), Applied)


def test_what_was_never_in_leaves_the_key_free(machines: Make) -> None:
    service = Service("limited")
    machine = machines(service)
    with pytest.raises(RateLimited):
        machine.add(50)

    assert isinstance(machine.add(51), Applied)
    assert service.balance == 51


def test_what_fails_every_time_is_not_in(machines: Make) -> None:
    service = Service("ok", *["failed"] * 6)
    machine = machines(service)
    machine.add(10, "first")
    with pytest.raises(ServiceUnavailable, match="failed 6 times; the change is not in"):
        machine.add(50)

    assert service.balance == 10


def test_an_internal_reason_is_refused_before_anything_is_sent(machines: Make) -> None:
    service = Service()
    outcome = machines(service).send(AddPoints("C1", "k", 5, reason="why"))

    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, UnsupportedOperation)
    assert service.sent == []


# -- the journal ------------------------------------------------------------------------------------------------


def test_the_row_is_written_before_the_request_leaves_and_after_the_token_is_had(machines: Make) -> None:
    service = Service()
    machine = machines(service)
    seen: list[Any] = []
    book = service.send

    def watched(sending: Sending, leaving: Callable[[], None]) -> None:
        seen.append(machine.journal.find("k"))
        book(sending, lambda: (leaving(), seen.append(machine.journal.find("k").state))[0])  # type: ignore[union-attr]

    service.send = watched  # type: ignore[method-assign]
    machine.add(50)

    assert seen == [None, State.SENDING]


def test_a_journal_that_cannot_be_written_keeps_everything_from_leaving(
    machines: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    machine = machines(service)
    monkeypatch.setattr(machine.journal, "write", failing(StorageFull("full")))
    with pytest.raises(StorageFull):
        machine.add(50)

    assert service.sent == []


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize("error", [StorageFull("full"), JournalUnusable("broken")])
def test_a_change_that_is_in_is_not_reported_otherwise_because_of_the_journal(
    error: Exception, machines: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = Service()
    machine = machines(service)
    write = machine.journal.write
    monkeypatch.setattr(machine.journal, "write", lambda row: write(row) if row.is_open else failing(error)())
    outcome = machine.add(50, given=False)

    assert isinstance(outcome, Applied)
    assert any("--key k" in line for line in machine.says)
    monkeypatch.undo()
    assert isinstance(machine.add(50, given=False), AlreadyApplied)
    assert service.balance == 50


def test_a_clock_that_is_set_forward_shortens_no_waiting(machines: Make) -> None:
    service = Service("ok", "late 20")
    machine = machines(service)
    machine.add(10, "first")
    machine.clock_off_s = 0.0
    sleep = service.sleep

    def jumps(seconds: float) -> None:
        machine.clock_off_s += 40
        sleep(seconds)

    machine.deliverer = machine.with_sleep(jumps)

    assert isinstance(machine.add(50), Applied)
    assert service.balance == 60


@pytest.mark.parametrize("off_s", [-100_000.0, 0.0, 20.0, 100_000.0])
def test_what_a_killed_process_sent_is_waited_for_whatever_the_clock_is_set_to(off_s: float, machines: Make) -> None:
    service = Service("ok", "late 29")
    machine = machines(service)
    machine.add(10, "first")
    before_s = service.now_s
    killed = machine.with_sleep(failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        killed.apply(AddPoints("C1", "k", 50), key_given=True)
    machine.clock_off_s = off_s

    assert isinstance(machine.add(50), AlreadyApplied)
    assert (service.balance, service.now_s - before_s) == (60, SETTLE_S)


def test_an_unfinished_change_of_the_customer_is_settled_before_a_new_one(machines: Make) -> None:
    service = Service("ok", "late 20")
    machine = machines(service)
    machine.add(10, "first")
    killed = machine.with_sleep(failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        killed.apply(AddPoints("C1", "k", 50), key_given=True)

    assert isinstance(machine.redeem(60), Applied)
    assert "the change with key k of customer C1, sent earlier, is in" in machine.says
    assert service.balance == 0


# -- two machines -----------------------------------------------------------------------------------------------


def test_a_key_counts_once_on_two_machines(machines: Make) -> None:
    service = Service()
    here, there = machines(service), machines(service)

    assert isinstance(here.add(50), Applied)
    assert isinstance(there.add(50), AlreadyApplied)
    assert isinstance(there.add(51, "k"), Refused)
    assert isinstance(machines(service).add(51, "k"), Refused)  # by what the service has alone
    assert service.balance == 50


def test_a_key_of_the_other_kind_is_taken(machines: Make) -> None:
    service = Service()
    here, there = machines(service), machines(service)
    here.add(50)
    outcome = there.redeem(50, "k")

    assert isinstance(outcome, Refused)
    assert outcome.error.code == "key_reused"


def test_a_key_that_two_machines_sent_at_once_is_told(machines: Make) -> None:
    service = Service()
    here, there = machines(service), machines(service)
    there.add(50, given=False)
    here.add(50, given=False)

    assert any("has 2 entries of key k" in line for line in here.says)


# -- reversals ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps", ["both", "ids", "texts", "nothing"])
def test_an_entry_is_reversed_once(keeps: str, machines: Make) -> None:
    service = Service()
    service.keeps_ids, service.keeps_texts = keeps in ("both", "ids"), keeps in ("both", "texts")
    machine = machines(service)
    machine.add(100)
    machine.redeem(80)
    (redeemed,) = service.redeemed
    first = machine.send(Reverse("C1", redeemed.id, "r1"))
    again = machine.send(Reverse("C1", redeemed.id, "r2"))

    assert isinstance(first, Applied)
    assert isinstance(again, Refused)
    assert isinstance(again.error, AlreadyReversed)
    assert isinstance(machine.send(Reverse("C1", redeemed.id, "r1")), AlreadyApplied)
    assert service.balance == 100


@pytest.mark.parametrize("keeps", ["ids", "texts"])
def test_an_entry_that_another_machine_reversed_is_not_reversed_again(keeps: str, machines: Make) -> None:
    service = Service()
    service.keeps_ids, service.keeps_texts = keeps == "ids", keeps == "texts"
    here, there = machines(service), machines(service)
    here.add(100)
    here.redeem(80)
    (redeemed,) = service.redeemed
    here.send(Reverse("C1", redeemed.id, "r1"))
    outcome = there.send(Reverse("C1", redeemed.id, "r2"))

    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, AlreadyReversed)
    assert service.balance == 100


@pytest.mark.parametrize("keeps", ["ids", "texts"])
def test_a_reversal_is_not_reversed(keeps: str, machines: Make) -> None:
    service = Service()
    service.keeps_ids, service.keeps_texts = keeps == "ids", keeps == "texts"
    machine = machines(service)
    machine.add(100)
    machine.send(Reverse("C1", service.added[0].id, "r1"))
    outcome = machine.send(Reverse("C1", service.redeemed[0].id, "r2"))

    assert isinstance(outcome, Refused)
    assert isinstance(outcome.error, NotReversible)


def test_a_reversal_that_is_not_settled_is_not_sent_with_another_key(machines: Make) -> None:
    service = Service("ok", "ok", "lost")
    service.keeps_ids = service.keeps_texts = False
    machine = machines(service)
    machine.add(100)
    machine.redeem(80)
    (redeemed,) = service.redeemed

    assert isinstance(machine.send(Reverse("C1", redeemed.id, "r1")), Unknown)
    with pytest.raises(OutcomeUnknown) as unknown:
        machine.send(Reverse("C1", redeemed.id, "r2"))
    assert "--key r1" in (unknown.value.hint or "")
    assert service.balance == 100


def test_what_is_given_back_lives_as_long_as_the_longest_lived_lot(machines: Make) -> None:
    service = Service()
    machine = machines(service)
    uses = (Use("spent"),)
    service.added += [
        AddedPoints("a", "C1", 50, 0, 2**60, 50, 50, uses),
        AddedPoints("b", "C1", 50, 0, 2**61, 100, 30, uses),
    ]
    service.redeemed.append(RedeemedPoints("spent", "C1", 80, 0, 20))
    machine.send(Reverse("C1", "spent", "r1"))

    assert (service.sent[0].kind, service.sent[0].points, service.sent[0].valid_until) == ("add", 80, 2**61)


# -- deletion ----------------------------------------------------------------------------------------------------


def test_no_key_brings_a_deleted_customer_back(machines: Make) -> None:
    service = Service("ok", "late 20")
    machine = machines(service)
    machine.add(10, "first")
    killed = machine.with_sleep(failing(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        killed.apply(AddPoints("C1", "k", 50), key_given=True)
    machine.deliverer.settle("C1")  # what may still arrive is found out about before
    service.added.clear()
    machine.deliverer.forget("C1")

    for key, points in (("first", 10), ("k", 50)):
        outcome = machine.add(points, key)
        assert isinstance(outcome, Refused)
        assert outcome.error.code == "customer_deleted"
    assert service.balance == 0


def test_a_new_journal_of_a_machine_is_made_by_its_first_change(tmp_path: Path) -> None:
    service = Service()
    with closing(Journal(tmp_path / "none/journal.db", service.target)) as journal:
        Machine(service, journal).add(5)
    assert (tmp_path / "none/journal.db").exists()


def test_a_customer_is_not_deleted_while_another_process_sends(machines: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    machine = machines(service)
    machine.add(10, "first")
    row = machine.journal.find("first")
    assert row is not None
    machine.journal.write(row._replace(key="k", state=State.SENDING))
    monkeypatch.setattr(machine.journal, "claim", failing(DeliveryUnderWay("another process is at it")))

    machine.deliverer.settle("C1")  # before another change it may stay as it is
    with pytest.raises(DeliveryUnderWay):
        machine.deliverer.settle("C1", all_of_them=True)
