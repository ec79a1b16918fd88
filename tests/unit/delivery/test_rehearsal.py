"""A dry run of an import over a service: what the run would come to, and nothing of it lasts."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from shop import DAY, FACTOR_2, NOON, OFF, Machine, Shop, add, redeem

from rpctl.backends.port import Sending
from rpctl.delivery.journal import State
from rpctl.delivery.requests import marks_of
from rpctl.domain.changes import AddPoints
from rpctl.domain.outcomes import Applied, Outcome, Refused
from rpctl.domain.values import format_instant
from rpctl.errors import RpctlError, ServiceUnreachable


@pytest.fixture
def machine(shop: Shop, tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(shop, tmp_path)
    yield machine
    shop.release.set()
    machine.end()


def has(shop: Shop, customer: str, points: int, key: str = "before") -> None:
    """The service has points of a customer that rpctl did not send, unless by that key."""
    shop.book(Sending("add", customer, points, *marks_of(shop.target, key)))


def codes(outcomes: list[Outcome]) -> list[str]:
    return [one.error.code if isinstance(one, Refused) else type(one).__name__ for one in outcomes]


def error_of(outcome: Outcome) -> RpctlError:
    assert isinstance(outcome, Refused)
    return outcome.error


def test_balances_are_kept_in_the_order_of_the_file(shop: Shop, machine: Machine) -> None:
    has(shop, "C1", 30)
    told = machine.rehearse(
        redeem("C1", 20, "a"), redeem("C1", 20, "b"), add("C1", 15, "c"), redeem("C1", 25, "d"), redeem("C1", 1, "e"),
    )  # fmt: skip

    assert codes(told) == ["Applied", "insufficient_points", "Applied", "Applied", "insufficient_points"]
    assert error_of(told[1]).details == {"customerId": "C1", "available": 10, "requested": 20}
    assert [one.points for one in told if isinstance(one, Applied)] == [20, 15, 25]


def test_a_customer_who_is_not_there_has_points_after_an_addition_only(machine: Machine) -> None:
    told = machine.rehearse(redeem("C1", 20, "a"), add("C1", 20, "b"), redeem("C1", 20, "c"))
    assert codes(told) == ["customer_not_found", "Applied", "Applied"]


def test_points_past_their_validity_are_told_and_are_no_balance(shop: Shop, machine: Machine) -> None:
    has(shop, "C1", 5)
    yesterday, now = format_instant(NOON - DAY), format_instant(NOON)
    told = machine.rehearse(
        add("C1", 20, "a", until=yesterday, created_at=NOON - 2 * DAY),
        add("C1", 20, "b", until=now),
        add("C1", 20, "c", until="+1d"),
        redeem("C1", 26, "d"),
        redeem("C1", 25, "e"),
    )

    assert [one.expired_on_arrival for one in told if isinstance(one, Applied)] == [True, True, False, False]
    assert codes(told)[3:] == ["insufficient_points", "Applied"]


def test_a_disabled_program_refuses_additions_and_no_redemptions(shop: Shop, machine: Machine) -> None:
    shop.programs["off"] = OFF
    has(shop, "C1", 30)
    told = machine.rehearse(
        add("C1", 5, "a", site_code="off"),
        AddPoints("C1", "b", None, Decimal(5), site_code="off"),
        redeem("C1", 30, "c", site_code="off"),
        add("C1", 5, "d"),
    )
    assert codes(told) == ["program_disabled", "program_disabled", "Applied", "Applied"]


def test_an_order_value_earns_by_the_sites_factor(shop: Shop, machine: Machine) -> None:
    shop.programs["double"] = FACTOR_2
    told = machine.rehearse(
        AddPoints("C1", "a", None, Decimal("7.6"), site_code="double"),
        redeem("C1", 16, "b"),
        AddPoints("C1", "c", None, Decimal("0.4"), site_code="double"),
        redeem("C1", 15, "d"),
    )
    assert codes(told) == ["Applied", "insufficient_points", "earns_nothing", "Applied"]


def test_the_same_key_twice_is_one_change_or_a_mistake(machine: Machine) -> None:
    told = machine.rehearse(add("C1", 5, "a"), add("C1", 5, "a"), add("C1", 6, "a"), add("C2", 5, "a"))
    assert codes(told) == ["Applied", "AlreadyApplied", "key_reused", "key_reused"]


def test_a_key_that_was_refused_is_free(machine: Machine) -> None:
    told = machine.rehearse(redeem("C1", 5, "a"), add("C1", 5, "a"), redeem("C1", 5, "b"))
    assert codes(told) == ["customer_not_found", "Applied", "Applied"]


def test_what_the_service_has_already_is_not_booked_again(shop: Shop, machine: Machine) -> None:
    has(shop, "C1", 30, "a")
    told = machine.rehearse(add("C1", 30, "a"), redeem("C1", 31, "b"), add("C1", 40, "a"))
    assert codes(told) == ["AlreadyApplied", "insufficient_points", "key_reused"]


def test_what_the_journal_knows_is_not_booked_again(shop: Shop, machine: Machine) -> None:
    machine.apply(add("C1", 30, "a"), add("C2", 1, "gone"))
    shop.keeps = frozenset()
    machine.journal.forget("C2")
    told = machine.rehearse(add("C1", 30, "a"), add("C1", 31, "a"), add("C2", 1, "gone"), redeem("C1", 31, "b"))
    assert codes(told) == ["AlreadyApplied", "key_reused", "customer_deleted", "insufficient_points"]


def test_keys_of_the_journal_under_which_nothing_counts_are_free(shop: Shop, machine: Machine) -> None:
    shop.script_of["C1"] = deque(["refused"])
    assert codes(machine.apply(add("C1", 30, "a"))) == ["request_refused"]
    assert codes(machine.rehearse(add("C1", 31, "a"))) == ["Applied"]


def test_a_refusal_ends_a_strict_rehearsal(machine: Machine) -> None:
    told = machine.rehearse(add("C1", 5, "a"), redeem("C1", 6, "b"), add("C1", 5, "c"), stops=True)
    assert codes(told) == ["Applied", "insufficient_points"]


def test_what_earns_nothing_ends_no_strict_rehearsal(machine: Machine) -> None:
    told = machine.rehearse(AddPoints("C1", "a", None, Decimal("0.1")), add("C1", 5, "b"), stops=True)
    assert codes(told) == ["earns_nothing", "Applied"]


def test_nothing_is_sent_or_written_and_the_next_rehearsal_begins_anew(shop: Shop, machine: Machine) -> None:
    has(shop, "C1", 30)
    machine.bulk.survey([[redeem("C1", 30, "a")]], 1, applies=False)
    for _ in range(2):
        with machine.bulk.rehearsal() as rehearsed:
            assert codes(rehearsed.apply([redeem("C1", 30, "a"), redeem("C1", 1, "b")])) == [
                "Applied", "insufficient_points",
            ]  # fmt: skip
            with rehearsed.rehearsal() as inner:
                assert codes(inner.apply([add("C1", 7, "c")])) == ["Applied"]
            assert codes(rehearsed.apply([redeem("C1", 7, "d")])) == ["insufficient_points"]

    assert (shop.sent, shop.balance("C1"), list(machine.folder.iterdir())) == ([], 30, [])


def test_a_rehearsal_comes_to_what_the_run_comes_to(shop: Shop, machine: Machine) -> None:
    has(shop, "C1", 30)
    has(shop, "C2", 8, "g")
    changes = [
        redeem("C1", 20, "a"), redeem("C1", 20, "b"), add("C1", 15, "c"), redeem("C1", 25, "d"), add("C1", 9, "a"),
        redeem("C3", 1, "e"), add("C3", 1, "e"), add("C3", 1, "e"), add("C2", 8, "g"), add("C2", 9, "g"),
    ]  # fmt: skip
    rehearsed = machine.rehearse(*changes)
    assert codes(machine.apply(*changes)) == codes(rehearsed)


# -- the survey -------------------------------------------------------------------------------------------


def test_a_few_customers_are_asked_for_one_by_one_and_many_in_one_list(shop: Shop, machine: Machine) -> None:
    machine.rehearse(*[add(f"C{number}", 1, f"k{number}") for number in range(100)], add("C1", 2, "again"))
    assert (sorted(shop.read), shop.lists_read) == (sorted(f"C{number}" for number in range(100)), 0)
    shop.read.clear()
    machine.rehearse(*[add(f"C{number}", 1, f"k{number}") for number in range(101)])
    assert (shop.read, shop.lists_read) == ([], 1)


def test_a_list_finds_what_summaries_find(shop: Shop, machine: Machine) -> None:
    for number in range(0, 120, 2):
        has(shop, f"C{number}", 1, f"k{number}")
    told = machine.rehearse(*[add(f"C{number}", 1, f"k{number}") for number in range(120)])
    assert codes(told) == ["AlreadyApplied", "Applied"] * 60


def test_several_entries_of_a_row_are_warned_of(shop: Shop, machine: Machine) -> None:
    shop.keeps = frozenset({"texts"})
    for _ in range(2):
        has(shop, "C1", 5, "a")
    machine.rehearse(add("C1", 5, "a"), add("C1", 5, "b"))
    assert [line.startswith("the service has several entries of 1 of these rows") for line in machine.warnings] == [
        True
    ]


def test_a_service_that_cannot_be_read_ends_it(shop: Shop, machine: Machine) -> None:
    shop.unreadable = ServiceUnreachable("gone")
    with pytest.raises(ServiceUnreachable):
        machine.rehearse(add("C1", 5, "a"))


def test_what_is_unclear_is_settled_before_a_run_and_not_before_a_dry_run(shop: Shop, machine: Machine) -> None:
    machine.teach()
    shop.script.append("gone")
    with pytest.raises(ServiceUnreachable):
        shop.arriving = lambda _: setattr(shop, "unreadable", ServiceUnreachable("gone"))
        machine.speed = machine.speed._replace(patience_s=0.0)
        machine.end()
        machine.apply(add("C1", 5, "a"), run="first")
    shop.unreadable, shop.arriving = None, lambda _: None
    assert machine.row("a").is_open
    machine.end()

    machine.rehearse(add("C1", 6, "b"))
    assert machine.row("a").is_open
    assert codes(machine.apply(add("C2", 6, "c"))) == ["Applied"]  # another customer
    assert machine.row("a").is_open
    assert codes(machine.apply(add("C1", 6, "b"))) == ["Applied"]
    assert (machine.row("a").state, shop.balance("C1")) == (State.PLANNED, 6)
