"""The audit names every kind of damage, with the customer and the entry, and finds nothing in a sound ledger."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from rpctl.backends.ledger import audit
from rpctl.backends.ledger.backend import LedgerBackend
from rpctl.backends.ledger.booking import digest_of
from rpctl.domain.changes import AddPoints, RedeemPoints, Reverse
from rpctl.domain.outcomes import Applied
from rpctl.domain.values import parse_when
from rpctl.errors import LedgerUnusable

COUPON = {"name": "Ten percent", "discountType": "PERCENT", "discountPercentage": 10}

# What `built` books, in recording order. The SQL below names the entries by these names.
#
#   Anna   a  +100 until June          Ben   d  +70 until June         Carl  p  +10
#          b  + 50 for good                  g  +100 for good                q  -10  of p
#          x  - 10 for a coupon, of a        e  -30  of d                    s  +10
#          r  -120 of a 90 and b 30
#          ur +120 gives back r for good                Dora  (deleted)  k +10, l -4
#          c  + 40 until June                           Eve   (no entry)
#          uc - 40 takes back c
#          z  - 5  of b
BALANCES = {"a": 100, "b": 150, "x": 140, "r": 20, "ur": 140, "c": 180, "uc": 140, "z": 135}


@dataclass
class Damaged:
    """A ledger file to damage, and the names of its entries by id and by place."""

    path: Path
    ledger: LedgerBackend
    names: dict[str, str]
    places: dict[str, int]

    def found(self) -> list[tuple[str | None, str | None, str]]:
        """What the audit says: customer, name of the entry, rule."""
        problems = self.ledger.verify().problems()
        return [(p.customer_id, self.names.get(p.entry_id or ""), p.rule) for p in problems]


@pytest.fixture
def built(ledger: LedgerBackend, clock) -> Iterator[Damaged]:
    ids: dict[str, str] = {}

    def book(name: str, change: AddPoints | RedeemPoints | Reverse) -> None:
        (outcome,) = ledger.apply([change])
        assert isinstance(outcome, Applied), outcome
        assert outcome.entry is not None
        ids[name] = outcome.entry.id

    def add(name: str, customer: str, points: int, until: str = "never") -> None:
        book(name, AddPoints(customer, name, points, valid_until=parse_when(until)))

    option = ledger.create_option({"name": "A coupon", "points": 10, "coupon": COUPON})
    add("a", "Anna", 100, "2026-06-01")
    add("b", "Anna", 50)
    clock.set("2026-03-02")
    book("x", RedeemPoints("Anna", "x", option_id=option.id))
    book("r", RedeemPoints("Anna", "r", 120))
    book("ur", Reverse("Anna", ids["r"], "ur"))
    add("c", "Anna", 40, "2026-06-01")
    book("uc", Reverse("Anna", ids["c"], "uc"))
    book("z", RedeemPoints("Anna", "z", 5))
    add("d", "Ben", 70, "2026-06-01")
    add("g", "Ben", 100)
    clock.set("2026-03-03")
    book("e", RedeemPoints("Ben", "e", 30))
    add("p", "Carl", 10)
    book("q", RedeemPoints("Carl", "q", 10))
    add("s", "Carl", 10)
    add("k", "Dora", 10)
    book("l", RedeemPoints("Dora", "l", 4))
    ledger.delete_customer("Dora")
    ledger.create_customer("Eve")
    ledger.close()
    with closing(sqlite3.connect(ledger.path)) as db:
        places = {name: seq for seq, name in enumerate(ids, start=1)}
        keys = dict(db.execute("SELECT seq, hex(key) FROM entries"))
    assert {name: ids[name].replace("-", "").upper() for name in ids} == {n: keys[s] for n, s in places.items()}
    yield Damaged(ledger.path, ledger, {entry_id: name for name, entry_id in ids.items()}, places)


def damage(built: Damaged, script: str, *, reseal: bool = True) -> None:
    """Runs SQL on the file behind the ledger's back; ``reseal`` makes the entries' digests fit again, and
    what is noted of their dates where they are looked up."""
    for name, seq in built.places.items():
        script = re.sub(rf":{name}\b", str(seq), script)
    with closing(sqlite3.connect(built.path, isolation_level=None)) as db:
        db.execute("PRAGMA ignore_check_constraints = ON")
        db.executescript(script)
        if reseal:
            db.executescript(
                "UPDATE holdings SET spent = remaining = 0;"
                "UPDATE holdings SET valid_until = coalesce(e.valid_until, 0), created_at = coalesce(e.created_at, 0)"
                " FROM entries e WHERE e.seq = entry"
            )
        rows = db.execute(
            "SELECT c.customer_id, e.* FROM entries e JOIN customers c ON c.seq = e.customer"
            " WHERE e.salt IS NOT NULL AND e.created_at IS NOT NULL"
        ).fetchall()
        if reseal:
            digests = [(digest_of(row[0], (*row[1:7], None, *row[7:])), row[1]) for row in rows]
            db.executemany("UPDATE entries SET digest = ? WHERE seq = ?", digests)


def test_a_sound_ledger_with_reversals_exchanges_and_deletions_has_no_problem(built: Damaged) -> None:
    run = built.ledger.verify()
    assert list(run.problems()) == []
    assert (run.entries, run.customers) == (16, 5)
    assert {built.names[e.id]: e.all_points_after_creation for e in built.ledger.summary("Anna").entries()} == BALANCES


def test_a_ledger_that_is_not_there_yet_has_no_problem(ledger: LedgerBackend) -> None:
    run = ledger.verify()
    assert list(run.problems()) == []
    assert (run.entries, run.customers) == (0, 0)
    assert not ledger.path.exists()


def test_resealing_alone_changes_nothing(built: Damaged) -> None:
    damage(built, "")
    assert built.found() == []


def test_points_that_are_used_up_need_no_expiry_noted(built: Damaged) -> None:
    damage(built, "UPDATE customers SET no_expiry_before = (SELECT valid_until FROM entries WHERE seq = :b)")
    assert built.found() == [("Ben", "d", "no_expiry_before_mismatch")]


Case = tuple[str, str, Sequence[tuple[str | None, str | None, str]]]

CASES: list[Case] = [
    (
        "an added entry without a date",
        "UPDATE entries SET created_at = NULL WHERE seq = :s",
        [(None, None, "integrity"), ("Carl", "s", "malformed_entry"), ("Carl", None, "open_points_mismatch")],
    ),
    (
        "an allocation that leads from added points",
        "UPDATE allocations SET redemption = :s WHERE redemption = :q; UPDATE entries SET balance_after = 10"
        " WHERE seq = :q",
        [("Carl", "s", "allocation_misplaced"), ("Carl", "q", "allocations_mismatch")],
    ),
    (
        "an allocation that leads to a redemption",
        "UPDATE allocations SET lot = :e WHERE redemption = :e; UPDATE holdings SET remaining = 70 WHERE entry = :d;"
        "UPDATE entries SET balance_after = 170 WHERE seq = :e; UPDATE customers SET open_points = 170 WHERE seq = 2",
        [("Ben", "e", "allocation_misplaced")],
    ),
    (
        "points taken from another customer",
        "UPDATE allocations SET lot = :p WHERE redemption = :e; UPDATE holdings SET remaining = 70 WHERE entry = :d;"
        "UPDATE entries SET balance_after = 170 WHERE seq = :e; UPDATE customers SET open_points = 170 WHERE seq = 2",
        [("Ben", "e", "lot_of_another_customer")],
    ),
    (
        "points taken before they were recorded",
        "UPDATE allocations SET lot = :s WHERE redemption = :q; UPDATE holdings SET remaining = 10 - remaining"
        " WHERE entry IN (:p, :s); UPDATE entries SET balance_after = 10 WHERE seq = :q",
        [("Carl", "q", "lot_used_before_recorded")],
    ),
    (
        "points taken at the very moment of their expiry",
        "UPDATE entries SET valid_until = (SELECT created_at FROM entries WHERE seq = :e) WHERE seq = :d;"
        "UPDATE entries SET balance_after = 100 WHERE seq = :e;"
        "UPDATE customers SET no_expiry_before = 0 WHERE seq = 2",
        [("Ben", "e", "lot_used_after_expiry")],
    ),
    (
        "a redemption of more than was taken",
        "UPDATE entries SET points = 31 WHERE seq = :e",
        [("Ben", "e", "allocations_mismatch")],
    ),
    (
        "a redemption without allocations",
        "DELETE FROM allocations WHERE redemption = :e; UPDATE holdings SET remaining = 70 WHERE entry = :d;"
        "UPDATE entries SET balance_after = 170 WHERE seq = :e; UPDATE customers SET open_points = 170 WHERE seq = 2",
        [("Ben", "e", "allocations_mismatch")],
    ),
    (
        "more taken than was added",
        "UPDATE allocations SET points = 71 WHERE redemption = :e;"
        "UPDATE entries SET points = 71, balance_after = 99 WHERE seq = :e;"
        "UPDATE holdings SET remaining = 0 WHERE entry = :d; UPDATE customers SET open_points = 100 WHERE seq = 2",
        [("Ben", "d", "lot_overused")],
    ),
    (
        "more taken than there was at all",
        "UPDATE allocations SET points = 171 WHERE redemption = :e;"
        "UPDATE entries SET points = 171, balance_after = 0 WHERE seq = :e;"
        "UPDATE holdings SET remaining = 0 WHERE entry = :d; UPDATE customers SET open_points = 100 WHERE seq = 2",
        [("Ben", "d", "lot_overused"), ("Ben", "e", "negative_balance")],
    ),
    (
        "a remaining that is not what is left",
        "UPDATE holdings SET remaining = 41 WHERE entry = :d; UPDATE customers SET open_points = 141 WHERE seq = 2",
        [("Ben", "d", "remaining_mismatch")],
    ),
    (
        "a wrong running balance",
        "UPDATE entries SET balance_after = balance_after + 1 WHERE seq = :g",
        [("Ben", "g", "balance_mismatch")],
    ),
    (
        "a running balance that is wrong from one entry on",
        "UPDATE entries SET balance_after = balance_after + 1 WHERE seq BETWEEN :r AND :z",
        [("Anna", "r", "balance_mismatch")],
    ),
    (
        "a wrong sum of open points",
        "UPDATE customers SET open_points = open_points + 1 WHERE seq = 2",
        [("Ben", None, "open_points_mismatch")],
    ),
    (
        "open points that expire before they are expected to",
        "UPDATE customers SET no_expiry_before = no_expiry_before + 1 WHERE seq = 2",
        [("Ben", "d", "no_expiry_before_mismatch")],
    ),
    (
        "a latest date that is too early",
        "UPDATE customers SET latest_created_at = latest_created_at - 1 WHERE seq = 2",
        [("Ben", None, "latest_created_at_mismatch")],
    ),
    (
        "dates beyond the calendar",
        "UPDATE entries SET created_at = 1 << 61 WHERE seq = :e; UPDATE entries SET balance_after = 100 WHERE seq = :e;"
        "UPDATE customers SET no_expiry_before = 1 << 62 WHERE seq = 2",
        [
            ("Ben", "e", "lot_used_after_expiry"),
            ("Ben", "d", "no_expiry_before_mismatch"),
            ("Ben", None, "latest_created_at_mismatch"),
        ],
    ),
    (
        "no latest date",
        "UPDATE customers SET latest_created_at = NULL WHERE seq = 2",
        [("Ben", None, "latest_created_at_mismatch")],
    ),
    (
        "a reversal of another customer's entry",
        "UPDATE entries SET reverses = :a WHERE seq = :e",
        [("Ben", "e", "reversal_target_missing")],
    ),
    (
        "a reversal of what was recorded later",
        "UPDATE entries SET reverses = :s WHERE seq = :q",
        [("Carl", "q", "reversal_target_missing")],
    ),
    (
        "a redemption that reverses a redemption",
        "UPDATE entries SET reverses = :x WHERE seq = :z",
        [("Anna", "z", "reversal_same_kind")],
    ),
    (
        "a reversal of a reversal",
        "UPDATE entries SET reverses = :ur WHERE seq = :z",
        [("Anna", "z", "reversal_of_reversal"), ("Anna", "z", "reversal_amount_wrong")],
    ),
    (
        "a second reversal",
        "DROP INDEX entries_reversed; UPDATE entries SET reverses = :c WHERE seq = :z",
        [("Anna", "z", "reversal_repeated"), ("Anna", "z", "reversal_amount_wrong")],
    ),
    (
        "more given back than was taken",
        "UPDATE entries SET points = 121 WHERE seq = :ur; UPDATE holdings SET remaining = 121 WHERE entry = :ur;"
        "UPDATE entries SET balance_after = balance_after + 1 WHERE seq BETWEEN :ur AND :z;"
        "UPDATE customers SET open_points = open_points + 1 WHERE seq = 1",
        [("Anna", "ur", "reversal_amount_wrong")],
    ),
    (
        "less taken back than was left",
        "UPDATE entries SET points = 39, balance_after = balance_after + 1 WHERE seq = :uc;"
        "UPDATE allocations SET points = 39 WHERE redemption = :uc; UPDATE holdings SET remaining = 1 WHERE entry = :c;"
        "UPDATE entries SET balance_after = balance_after + 1 WHERE seq = :z;"
        "UPDATE customers SET open_points = open_points + 1 WHERE seq = 1",
        [("Anna", "uc", "reversal_amount_wrong")],
    ),
    (
        "points taken back of more than the entry that is reversed",
        "UPDATE allocations SET points = 39 WHERE redemption = :uc; INSERT INTO allocations VALUES (:uc, :b, 1);"
        "UPDATE holdings SET remaining = 1 WHERE entry = :c;"
        "UPDATE holdings SET remaining = remaining - 1 WHERE entry = :b",
        [("Anna", "uc", "reversal_amount_wrong")],
    ),
    (
        "points given back that expire too early",
        "UPDATE entries SET valid_until = (SELECT valid_until FROM entries WHERE seq = :a) WHERE seq = :ur",
        [("Anna", "ur", "reversal_validity_wrong")],
    ),
    ("no tombstone", "DELETE FROM tombstones", [(None, None, "tombstone_missing")]),
    (
        "a name for a deleted customer",
        "UPDATE customers SET customer_id = 'Dora' WHERE seq = 4",
        [
            ("Dora", None, "tombstone_mismatch"),
            ("Dora", "k", "tombstone_missing"),
            ("Dora", "l", "tombstone_missing"),
        ],
    ),
    (
        "a tombstone with another count",
        "UPDATE tombstones SET entries = 3",
        [(None, None, "tombstone_mismatch")],
    ),
    (
        "a tombstone whose sums do not fit",
        "UPDATE tombstones SET points_left = 7",
        [(None, None, "tombstone_mismatch")],
    ),
    (
        "an entry that is gone without its tombstone",
        "DELETE FROM entries WHERE seq = :k",
        [(None, None, "integrity"), (None, None, "integrity"), (None, None, "tombstone_mismatch")],
    ),
    (
        "a deleted customer's allocation",
        "INSERT INTO allocations VALUES (:l, :k, 4)",
        [(None, None, "erased_incompletely")],
    ),
    (
        "a deleted customer's points",
        "UPDATE customers SET open_points = 6 WHERE seq = 4",
        [(None, None, "erased_incompletely")],
    ),
    (
        "a deleted customer's entry",
        "UPDATE entries SET kind = 1 WHERE seq = :k",
        [(None, None, "integrity"), (None, "k", "erased_incompletely")],
    ),
    (
        "a key that leads nowhere",
        "DELETE FROM keys WHERE entry = :g",
        [("Ben", "g", "key_lost")],
    ),
    (
        "a key that leads to the entry of another",
        "INSERT INTO keys SELECT zeroblob(16), :g",
        [(None, None, "key_lost")],
    ),
    (
        "a key that stands twice",
        "UPDATE entries SET key = (SELECT key FROM entries WHERE seq = :d) WHERE seq = :s",
        [("Carl", "d", "key_repeated")],
    ),
    (
        "an entry that is found under another customer",
        "UPDATE holdings SET customer = 4 WHERE entry = :s; UPDATE customers SET open_points = 0 WHERE seq = 3",
        [
            (None, "s", "holding_mismatch"),
            (None, "s", "erased_incompletely"),
            (None, None, "tombstone_mismatch"),
        ],
    ),
    (
        "an entry that stands twice among its customer's",
        "INSERT INTO holdings SELECT customer, 1, valid_until, created_at, entry, 0 FROM holdings WHERE entry = :g",
        [("Ben", "g", "holding_mismatch"), ("Ben", "g", "remaining_mismatch"), ("Ben", None, "open_points_mismatch")],
    ),
    (
        "points left of a redemption",
        "UPDATE holdings SET remaining = 50, spent = 0 WHERE entry = :e",
        [("Ben", "e", "holding_mismatch")],
    ),
    (
        "points left of an erased entry",
        "UPDATE holdings SET remaining = 50, spent = 0 WHERE entry = :k",
        [(None, "k", "holding_mismatch")],
    ),
    (
        "an entry that nobody has",
        "DELETE FROM holdings WHERE entry = :s; UPDATE customers SET open_points = 0 WHERE seq = 3",
        [("Carl", "s", "entry_not_held")],
    ),
    (
        "an allocation of an entry that is not there",
        "INSERT INTO allocations VALUES (999, :p, 1)",
        [(None, None, "integrity")],
    ),
]


@pytest.mark.parametrize(("script", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_damage_is_named_with_its_customer_and_entry(
    built: Damaged, script: str, expected: list[tuple[str | None, str | None, str]]
) -> None:
    damage(built, script)
    assert expected == built.found()


SEALED = {
    "points": "51", "created_at": "created_at - 1", "valid_until": "valid_until - 1",
    "id": "'other'", "reference_id": "'other'", "description": "'other'", "reason": "'other'",
    "site_code": "'other'", "reverses": "1", "origin": "2", "recorded_at": "recorded_at - 1",
    "fingerprint": "zeroblob(16)", "salt": "zeroblob(16)", "digest": "zeroblob(32)",
}  # fmt: skip


@pytest.mark.parametrize(("column", "value"), SEALED.items(), ids=SEALED)
def test_no_field_of_an_entry_changes_unnoticed(built: Damaged, column: str, value: str) -> None:
    built.names["other"] = "b"
    damage(built, f"UPDATE entries SET {column} = {value} WHERE seq = :b", reseal=False)
    assert ("Anna", "b", "digest_mismatch") in built.found()


def test_a_running_balance_does_not_change_unnoticed(built: Damaged) -> None:
    damage(built, "UPDATE entries SET balance_after = 1 WHERE seq = :b", reseal=False)
    assert ("Anna", "b", "balance_mismatch") in built.found()


def test_an_entry_moved_to_another_customer_is_noticed(built: Damaged) -> None:
    damage(built, "UPDATE entries SET customer = 3 WHERE seq = :g", reseal=False)
    assert built.found() == [("Ben", "g", "holding_mismatch")]
    damage(built, "UPDATE holdings SET customer = 3 WHERE entry = :g", reseal=False)
    assert ("Carl", "g", "digest_mismatch") in built.found()


@pytest.mark.parametrize("change", ["valid_until = valid_until - 1", "created_at = created_at - 1", "spent = 1"])
def test_nothing_that_is_noted_beside_an_entry_changes_unnoticed(built: Damaged, change: str) -> None:
    damage(built, f"UPDATE holdings SET {change} WHERE entry = :b", reseal=False)
    assert set(built.found()) & {("Anna", "b", "holding_mismatch"), (None, None, "integrity")}


def test_a_customer_renamed_is_noticed(built: Damaged) -> None:
    damage(built, "UPDATE customers SET customer_id = 'Karl' WHERE seq = 3", reseal=False)
    assert [("Karl", name, "digest_mismatch") for name in "pqs"] == built.found()


def test_a_file_that_cannot_be_read_on_is_refused_or_named(built: Damaged) -> None:
    size = built.path.stat().st_size
    with built.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    found: list[str] = []
    with pytest.raises(LedgerUnusable, match="damaged"):
        found.extend(problem.rule for problem in built.ledger.verify().problems())
    assert set(found) <= {"integrity"}


def test_the_message_of_a_running_balance_says_how_many_more_are_wrong(built: Damaged) -> None:
    damage(built, "UPDATE entries SET balance_after = balance_after + 1 WHERE seq BETWEEN :r AND :z")
    (problem,) = built.ledger.verify().problems()
    assert problem.message == "20 points were active after it; 21 are stored. So it is with 4 later entries."


def test_the_audit_reads_one_state_while_others_write(built: Damaged, clock) -> None:
    damage(built, "UPDATE customers SET open_points = 0 WHERE seq = 1")
    run = built.ledger.verify()
    problems = run.problems()
    next(problems)
    other = LedgerBackend(built.path, built.ledger.setting)
    other.apply([AddPoints("Zoe", "later", 5)])
    other.close()
    assert list(problems) == []
    assert (run.entries, run.customers) == (16, 5)


def test_every_rule_in_the_docstring_has_a_case() -> None:
    listed = re.findall(r"^    ([a-z_]+)   ", audit.__doc__ or "", re.MULTILINE)
    tried = {rule for case in CASES for _, _, rule in case[2]} | {"digest_mismatch"}
    assert sorted(listed) == sorted(tried)
