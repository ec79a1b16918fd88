"""Very many changes at once come to what they come to one by one, whoever works on the ledger meanwhile."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rpctl.backends.ledger import backend as backend_module
from rpctl.backends.ledger import booking, bulk, upkeep
from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.backends.ledger.sql import books
from rpctl.backends.ledger.sql.staging import Stage
from rpctl.backends.port import FileContent
from rpctl.domain.changes import AddPoints, Change, Customers, RedeemPoints
from rpctl.domain.outcomes import AlreadyApplied, Applied, Outcome, Refused, is_refusal
from rpctl.domain.values import parse_instant, parse_when
from rpctl.errors import InvalidFile, RunNotFound, StorageFull

NOW = parse_instant("2026-03-01T12:00:00Z")
DAY = 86_400_000
BATCH, TRANSACTION = 5, 10
PRAGMAS = ("foreign_keys", "cache_size", "wal_autocheckpoint", "busy_timeout", "synchronous", "secure_delete")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch takes the way for many, and two of them are a transaction."""
    monkeypatch.setattr(backend_module, "_BULK_ROWS", 1)
    monkeypatch.setattr(bulk, "_MOST_ROWS", TRANSACTION)
    monkeypatch.setattr(bulk, "_COURTESY_S", 0.0)


class Desk:
    """A ledger with an import run, one that began as its copy, and somebody else at work on the first."""

    def __init__(self, folder: Path, history: Sequence[Change] = ()) -> None:
        self.folder = folder
        self.now = NOW
        self.ledger = self._open("ledger.db")
        self.other = self._open("ledger.db")
        self.ledger.apply([AddPoints("C0", "first", 5), *history])
        self.ledger.start_run("run", NOW, "f.csv", FileContent(b"digest", 0, b""), {}, {})
        upkeep.backup(self.ledger, folder / "twin.db")
        self.twin = self._open("twin.db")

    def _open(self, name: str) -> LedgerBackend:
        backend = LedgerBackend(self.folder / name, Setting(lambda: self.now, "tester", "0"))
        # Nobody cuts the power here, and waiting for the disk would take most of the time.
        backend.tables(write=True)[0].connection.execute("PRAGMA synchronous = OFF")
        return backend

    def close(self) -> None:
        for backend in (self.ledger, self.other, self.twin):
            backend.close()

    @property
    def connection(self) -> sqlite3.Connection:
        return self.ledger.tables(write=True)[0].connection

    def settled(self) -> int:
        """How many entries the run has. Nothing is being stored any more when this is answered, and nothing will be
        before the next batch is handed over."""
        store, _ = self.other.tables(write=True)
        with store.transaction(write=True):
            return self.entries(store.connection)

    def entries(self, connection: sqlite3.Connection) -> int:
        sql = "SELECT count(*) FROM entries e JOIN origins o ON o.seq = e.origin WHERE o.run = 'run'"
        return int(connection.execute(sql).fetchone()[0])

    def run(self, batches: Iterable[Sequence[Change]], **how: Any) -> list[Outcome]:
        return list(chain(*self.ledger.apply_batches(batches, run="run", **how)))

    def one_by_one(self, changes: Sequence[Change]) -> list[Outcome]:
        """The same on the twin."""
        return [outcome for change in changes for outcome in self.twin.apply([change], run="run", entries=False)]

    def assert_same(self) -> None:
        """Everything that is stored is what the twin has, but for where it lies."""
        assert content(self.ledger.path) == content(self.twin.path)
        assert list(self.ledger.verify().problems()) == []


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.close()


def content(path: Path) -> dict[str, list[Any]]:
    """Every table, with names and ranks in place of row numbers; without salts and digests."""
    with closing(sqlite3.connect(path)) as db:
        rank = "(SELECT count(*) FROM entries r WHERE r.seq <= {})"
        queries = {
            "customers": (
                "SELECT customer_id, latest_created_at, open_points, no_expiry_before FROM customers ORDER BY 1"
            ),
            "entries": (
                "SELECT customer_id, kind, points, e.created_at, e.valid_until, remaining, balance_after, id,"
                f" reference_id, description, reason, site_code, {rank.format('reverses')}, who, run, key, fingerprint"
                " FROM entries e"
                " JOIN customers c ON c.seq = e.customer LEFT JOIN origins o ON o.seq = e.origin"
                " JOIN holdings h ON h.entry = e.seq ORDER BY e.seq"
            ),
            "allocations": (
                f"SELECT {rank.format('redemption')}, {rank.format('lot')}, points FROM allocations ORDER BY 1, 2"
            ),
            "tombstones": "SELECT deleted_at, entries, points_added, points_redeemed, points_left FROM tombstones",
            "programs": "SELECT * FROM programs",
        }
        return {name: db.execute(query).fetchall() for name, query in queries.items()}


def told(outcomes: Iterable[Outcome]) -> list[tuple[Any, ...]]:
    return [
        ("applied", one.points, one.expired_on_arrival)
        if isinstance(one, Applied)
        else ("refused", one.error.code)
        if isinstance(one, Refused)
        else (type(one).__name__,)
        for one in outcomes
    ]


def in_batches(changes: Sequence[Change], before: Callable[[int], None] = lambda at: None) -> Iterator[list[Change]]:
    """Batches; ``before(at)`` is called before the batch that begins at that change is handed over, and at the end."""
    for at in range(0, len(changes), BATCH):
        before(at)
        yield list(changes[at : at + BATCH])
    before(len(changes))


def adds(count: int, customers: int = 7) -> list[Change]:
    """Additions that all go through; every third is of a value."""
    return [
        AddPoints(f"C{n % customers}", f"k{n}", None, Decimal(n + 1))
        if n % 3 == 0
        else AddPoints(f"C{n % customers}", f"k{n}", n + 1, description="note")
        for n in range(count)
    ]


MOMENTS = range(0, 55, BATCH)


# -- what it comes to -------------------------------------------------------------------------------------


_NAMES = ("C0", "A", "A", "B", "C", "D")
_old = st.sampled_from([None] * 8 + [1, 2, 4, 9, 15, 30])
_days_ago = st.sampled_from([None] * 6 + [-1, 0, 1, 3, 40])
_until = st.sampled_from([None] * 4 + ["never", "+1d", "+1m", "+10d", "2026-02-20", "2026-03-02"])
_rows = st.lists(
    st.tuples(
        st.sampled_from(["add"] * 6 + ["value"] * 2 + ["redeem"] * 3 + ["again"]),
        st.sampled_from(_NAMES),
        st.integers(1, 40),
        _until,
        _days_ago,
        _old,
        st.sampled_from([Customers.ANY] * 12 + [Customers.EXISTING, Customers.NEW]),
    ),
    min_size=1,
    max_size=90,
)


def changes_of(rows: Sequence[tuple[Any, ...]]) -> list[Change]:
    """Changes some of which repeat an earlier one (``again``) or take its key for something else (``old``)."""
    made: list[Change] = []
    for number, (verb, name, points, until, days_ago, old, customers) in enumerate(rows):
        earlier = made[-old] if old is not None and old <= len(made) else None
        if verb == "again" and made:
            made.append(made[-(old or 1) % len(made)])
            continue
        key = earlier.key if earlier else f"key {number}"
        created_at = None if days_ago is None else NOW - days_ago * DAY
        if verb == "redeem":
            made.append(RedeemPoints(name, key, points, created_at=created_at, description="note"))
        else:
            made.append(
                AddPoints(
                    name,
                    key,
                    None if verb == "value" else points,
                    Decimal(points - 1) if verb == "value" else None,
                    "order",
                    valid_until=parse_when(until) if until else None,
                    created_at=created_at,
                    customers=customers,
                )
            )
    return made


@given(rows=_rows, old=st.integers(0, 20), sizes=st.lists(st.integers(0, 8), min_size=1, max_size=12))
@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
def test_many_at_once_come_to_what_they_come_to_one_by_one(
    rows: list[tuple[Any, ...]], old: int, sizes: list[int]
) -> None:
    changes = changes_of(rows)
    with tempfile.TemporaryDirectory() as folder, closing(Desk(Path(folder), changes[:old])) as desk:
        new = changes[old // 2 :]  # some of them again
        batches, at = [], 0
        for size in chain(sizes, iter(lambda: 6, None)):
            if at >= len(new):
                break
            batches.append(new[at : at + size])
            at += size
        assert told(desk.run(batches)) == told(desk.one_by_one(new))
        desk.assert_same()


def test_keys_that_are_in_are_known_however_long_none_was_met(desk: Desk) -> None:
    old = [RedeemPoints("C0", "old 1", 5), AddPoints("C1", "old 2", 5), AddPoints("C2", "old 3", None, Decimal(5))]
    desk.ledger.apply(old)
    desk.twin.apply(old)
    late = [
        *old,
        RedeemPoints("C0", "old 2", 500),
        AddPoints("C1", "old 3", 7),
        AddPoints("C1", "k3", None, Decimal(0)),
    ]
    for at, change in zip(range(34, 60, 4), late, strict=False):
        changes = [*adds(60)[:at], change, *adds(60)[at:]]
        assert told(desk.run(in_batches(changes))) == told(desk.one_by_one(changes))
        desk.assert_same()


@pytest.mark.parametrize(
    "late",
    [
        AddPoints("A", "k14", None, Decimal(0)),  # earns nothing
        RedeemPoints("A", "k14", 500),  # there is no such customer
        AddPoints("A", "k14", 5),
        AddPoints("C0", "k14", 15, description="note"),
        RedeemPoints("C0", "k14", 1),
    ],
)
@pytest.mark.parametrize("at", [11, 13, 15, 19, 22])
def test_what_is_refused_anyway_is_told_first_that_its_key_is_taken(desk: Desk, late: Change, at: int) -> None:
    changes = [*adds(50)[:at], late, *adds(50)[at:]]
    assert told(desk.run(in_batches(changes))) == told(desk.one_by_one(changes))
    desk.assert_same()


def test_the_report_is_kept_with_what_is_stored(desk: Desk) -> None:
    seen: list[int] = []

    def record() -> dict[str, int]:
        return {"settled": len(seen)}

    for outcomes in desk.ledger.apply_batches(in_batches(adds(50)), run="run", record=record):
        seen += [1] * len(outcomes)
    kept = desk.ledger.kept_run("run").report["settled"]
    assert 50 - 2 * TRANSACTION <= kept < 50


# -- others at work ---------------------------------------------------------------------------------------


def _adds(backend: LedgerBackend) -> None:
    backend.apply([AddPoints("C1", "theirs", 1000)])


def _redeems(backend: LedgerBackend) -> None:
    backend.apply([RedeemPoints("C0", "theirs", 3)])


def _creates(backend: LedgerBackend) -> None:
    with suppress(Exception):  # it is there, late in the run
        backend.create_customer("C6")


def _deletes(backend: LedgerBackend) -> None:
    backend.delete_customer("C0")


def _raises_the_factor(backend: LedgerBackend) -> None:
    backend.set_program("main", {"factor": Decimal(3)})


def _disables(backend: LedgerBackend) -> None:
    backend.set_program("main", {"enabled": False})


def _shortens_validity(backend: LedgerBackend) -> None:
    backend.set_program("main", {"validity_months": 1})


def _from_tomorrow(backend: LedgerBackend) -> None:
    ahead = LedgerBackend(backend.path, Setting(lambda: NOW + DAY, "tester", "0"))
    with closing(ahead):
        ahead.apply([AddPoints("C2", "theirs", 9), RedeemPoints("C2", "theirs too", 2)])


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    "act",
    [_adds, _redeems, _creates, _deletes, _raises_the_factor, _disables, _shortens_validity, _from_tomorrow],
    ids=lambda act: act.__name__,
)
def test_what_others_do_in_between_counts_from_then_on(
    desk: Desk, act: Callable[[LedgerBackend], None], moment: int
) -> None:
    changes = adds(50)
    changes[32] = RedeemPoints("C0", "k32", 4)
    settled = []

    def before(at: int) -> None:
        if at == moment:
            settled.append(desk.settled())
            act(desk.other)

    outcomes = told(desk.run(in_batches(changes, before)))
    (there,) = settled
    expected = told(desk.one_by_one(changes[:there]))
    act(desk.twin)
    assert outcomes == expected + told(desk.one_by_one(changes[there:]))
    desk.assert_same()


def test_others_who_write_all_the_time_lose_nothing_and_neither_do_we(desk: Desk) -> None:
    theirs: list[Outcome] = []

    def before(at: int) -> None:
        changes = [AddPoints(f"C{at % 3}", f"their {at}", 100), RedeemPoints("C1", f"their other {at}", 1)]
        theirs.extend(desk.other.apply(changes))

    ours = desk.run(in_batches(adds(100), before))
    assert {one[0] for one in told(ours)} == {"applied"}
    assert desk.settled() == 100
    added, redeemed = (sum(one.points for one in theirs[first::2] if isinstance(one, Applied)) for first in (0, 1))
    assert sum(points for _, points in desk.ledger.customers()) == 5 + sum(range(1, 101)) + added - redeemed
    assert (added, redeemed > 10) == (2_100, True)
    assert list(desk.ledger.verify().problems()) == []


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("ahead", [0, 7, 15])
@pytest.mark.parametrize("moment", MOMENTS[:7])
def test_a_key_that_others_take_meanwhile_counts_once(desk: Desk, moment: int, ahead: int, *, same: bool) -> None:
    changes = adds(50)
    taken: list[tuple[int, Change]] = []

    def before(at: int) -> None:
        if at == moment:
            settled = desk.settled()  # what comes next may be laid out already, or not even be read
            change = changes[settled + ahead]
            taken.append((settled, change if same else AddPoints("X", change.key, 3)))
            desk.other.apply([taken[0][1]])

    outcomes = told(desk.run(in_batches(changes, before)))
    (there, theirs) = taken[0]
    expected = told(desk.one_by_one(changes[:there]))
    desk.twin.apply([theirs])
    assert outcomes == expected + told(desk.one_by_one(changes[there:]))
    assert outcomes[there + ahead] == (("AlreadyApplied",) if same else ("refused", "key_reused"))
    desk.assert_same()


def test_another_process_that_opens_and_closes_the_ledger_leaves_it_its_log(tmp_path: Path) -> None:
    """Who closes the ledger last removes the log. Whether others have it open is told by locks, and those of a process
    end with the first descriptor of the file that it closes; in this test nobody but the run itself has opened it."""
    script = (
        "import sqlite3, sys; d = sqlite3.connect(sys.argv[1]); print(*d.execute(sys.argv[2]).fetchone()); d.close()"
    )
    count = [sys.executable, "-c", script, str(tmp_path / "ledger.db"), "SELECT count(*) FROM entries"]
    log = tmp_path / "ledger.db-wal"
    seen = []

    def before(at: int) -> None:
        if at in {15, 35}:
            inode = log.stat().st_ino
            seen.append(int(subprocess.run(count, check=True, capture_output=True).stdout))
            assert log.stat().st_ino == inode

    with closing(LedgerBackend(tmp_path / "ledger.db", Setting(lambda: NOW, "tester", "0"))) as ledger:
        list(ledger.apply_batches(in_batches(adds(50), before)))
        seen.append(int(subprocess.run(count, check=True, capture_output=True).stdout))
    assert 0 <= seen[0] < seen[1] < seen[2] == 50


# -- all or nothing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", ["spent", "reused", "taken meanwhile"])
@pytest.mark.parametrize("wrong", [0, 9, 10, 23, 38, 49])
def test_of_what_is_settled_together_with_a_refusal_nothing_is_applied(desk: Desk, wrong: int, why: str) -> None:
    changes = adds(50)
    if why == "spent":
        changes[wrong] = RedeemPoints("C0", f"k{wrong}", 100_000)
    elif why == "reused":
        changes[wrong] = AddPoints("C0", "first", 7)

    def before(at: int) -> None:
        if why == "taken meanwhile" and at == wrong // BATCH * BATCH:
            desk.other.apply([AddPoints("X", f"k{wrong}", 3)])
            desk.twin.apply([AddPoints("X", f"k{wrong}", 3)])

    *whole, last = desk.ledger.apply_batches(in_batches(changes, before), run="run", all_or_nothing=True)
    assert not any(map(is_refusal, chain(*whole)))
    assert any(map(is_refusal, last))
    applied = sum(map(len, whole))
    assert applied <= wrong < applied + len(last)
    desk.one_by_one(changes[:applied])
    if why == "taken meanwhile":
        assert desk.settled() == applied
        assert list(desk.ledger.verify().problems()) == []
    else:
        desk.assert_same()


def test_what_earns_nothing_is_no_refusal(desk: Desk) -> None:
    changes = [*adds(30), AddPoints("C0", "nothing", None, Decimal(0)), *adds(50)[30:]]
    assert told(desk.run(in_batches(changes), all_or_nothing=True)) == told(desk.one_by_one(changes))
    desk.assert_same()


# -- stopped ----------------------------------------------------------------------------------------------


@pytest.fixture
def _slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Storing takes long enough for whatever is to happen meanwhile."""
    store = Stage.store

    def slowly(*arguments: Any) -> None:
        time.sleep(0.02)
        store(*arguments)
        time.sleep(0.02)

    monkeypatch.setattr(Stage, "store", slowly)


def surroundings(connection: sqlite3.Connection) -> list[Any]:
    """What of a connection a run may change for its time."""
    attached = [row[1] for row in connection.execute("PRAGMA database_list") if row[1] != "temp"]
    return [attached, *(connection.execute(f"PRAGMA {name}").fetchone() for name in PRAGMAS)]


@pytest.mark.usefixtures("_slow")
@pytest.mark.parametrize("error", [KeyboardInterrupt(), InvalidFile("It was changed while it was read.")])
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_run_that_is_stopped_leaves_whole_transactions_and_a_ledger_as_it_was(
    desk: Desk, error: BaseException, moment: int
) -> None:
    before_it = surroundings(desk.connection)
    changes = adds(50)

    def before(at: int) -> None:
        if at == moment:
            raise error

    with pytest.raises(type(error)) as caught:
        desk.run(in_batches(changes, before))
    assert caught.value is error
    assert not desk.connection.in_transaction
    assert surroundings(desk.connection) == before_it
    with desk.other.tables(write=True)[0].transaction(write=True, at_once=True):
        there = desk.entries(desk.other.tables()[0].connection)
    assert there % TRANSACTION == 0
    assert max(0, moment - 3 * TRANSACTION) <= there <= moment
    desk.one_by_one(changes[:there])
    desk.assert_same()
    assert told(desk.run(in_batches(changes))) == [("AlreadyApplied",)] * there + told(desk.one_by_one(changes[there:]))
    desk.assert_same()


@pytest.mark.usefixtures("_slow")
def test_who_asks_for_no_more_outcomes_leaves_whole_transactions(desk: Desk) -> None:
    before_it = surroundings(desk.connection)
    settling = desk.ledger.apply_batches(in_batches(adds(50)), run="run")
    next(iter(settling))
    settling.close()  # type: ignore[attr-defined]  # it is a generator
    assert surroundings(desk.connection) == before_it
    there = desk.settled()
    assert there % TRANSACTION == 0
    assert there > 0
    desk.one_by_one(adds(50)[:there])
    desk.assert_same()


@pytest.mark.parametrize("customers", [7, 10_000])
def test_on_a_full_disk_only_whole_transactions_are_in_and_the_same_goes_through_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, customers: int
) -> None:
    monkeypatch.setattr(bulk, "_MOST_ROWS", 200)
    changes = adds(2_000, customers)
    pages = desk.connection.execute("PRAGMA page_count").fetchone()[0]
    room = desk.connection.execute("PRAGMA max_page_count").fetchone()[0]
    desk.connection.execute(f"PRAGMA max_page_count = {pages + 40}")
    with pytest.raises(StorageFull):
        desk.run(in_batches(changes))
    there = desk.settled()
    assert (there % 200, 0 < there < 2_000) == (0, True)
    assert list(desk.ledger.verify().problems()) == []
    desk.connection.execute(f"PRAGMA max_page_count = {room}")
    outcomes = told(desk.run(in_batches(changes)))
    assert outcomes[:there] == [("AlreadyApplied",)] * there
    assert {one[0] for one in outcomes[there:]} == {"applied"}
    desk.twin.apply(changes, run="run", entries=False)
    desk.assert_same()


@pytest.mark.parametrize("moment", MOMENTS[:-1])
def test_a_run_whose_ledger_was_replaced_stops_by_name_and_leaves_nothing_in_the_other(desk: Desk, moment: int) -> None:
    with closing(LedgerBackend(desk.folder / "elsewhere.db", Setting(lambda: NOW, "tester", "0"))) as elsewhere:
        elsewhere.apply([AddPoints("C1", "k40", 5), AddPoints("Z", "elsewhere", 9)])
        upkeep.backup(elsewhere, desk.folder / "backup.db")

    def before(at: int) -> None:
        if at == moment:
            desk.settled()
            upkeep.restore(desk.other, desk.folder / "backup.db")

    with pytest.raises(RunNotFound, match="restored meanwhile"):
        desk.run(in_batches(adds(50), before))
    assert dict(desk.ledger.customers()) == {"C1": 5, "Z": 9}
    assert desk.settled() == 0
    assert list(desk.ledger.verify().problems()) == []
    desk.ledger.apply([AddPoints("Z", "later", 1)])
    assert desk.ledger.active_points("Z") == 10


def test_a_backup_of_the_same_ledger_that_comes_back_is_filled_up_again(desk: Desk) -> None:
    upkeep.backup(desk.ledger, desk.folder / "backup.db")

    def before(at: int) -> None:
        if at == 30:
            desk.settled()
            upkeep.restore(desk.other, desk.folder / "backup.db")

    outcomes = desk.run(in_batches(adds(50), before))
    lost = 50 - desk.settled()
    assert (lost % TRANSACTION, lost > 0) == (0, True)  # what was settled before; the same command brings it back
    assert {one[0] for one in told(outcomes)} == {"applied"}
    assert list(desk.ledger.verify().problems()) == []
    again = told(desk.run(in_batches(adds(50))))
    assert [one[0] for one in again].count("applied") == lost
    assert desk.settled() == 50
    assert isinstance(desk.ledger.apply([adds(1)[0]])[0], AlreadyApplied)
    assert list(desk.ledger.verify().problems()) == []


@pytest.mark.parametrize("late", ["redemption", "key"])
def test_ten_thousand_rows_are_applied_whole_or_not_at_all(
    desk: Desk, late: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "_MOST_ROWS", 65_000)
    refused = RedeemPoints("C1", "late", 10**6) if late == "redemption" else AddPoints("C1", "first", 6)
    changes = [*(AddPoints(f"C{number % 300}", f"k{number}", 1) for number in range(9_999)), refused]
    batches = (changes[start : start + 1_000] for start in range(0, 10_000, 1_000))
    [outcomes] = desk.ledger.apply_batches(batches, run="run", all_or_nothing=True)
    assert (len(outcomes), [is_refusal(outcome) for outcome in outcomes].index(True)) == (10_000, 9_999)
    assert upkeep.info(desk.ledger)["entries"] == 1


@pytest.mark.parametrize("moment", [0, 1, 2, 3])
def test_an_interrupt_while_work_is_handed_over_leaves_no_thread_waiting(
    desk: Desk, moment: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit, calls = ThreadPoolExecutor.submit, []

    def interrupted(*arguments: Any) -> Any:
        future = submit(*arguments)
        calls.append(future)
        if len(calls) == moment + 1:
            raise KeyboardInterrupt
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    changes = [AddPoints(f"C{number % 7}", f"k{number}", 1) for number in range(60)]
    with pytest.raises(KeyboardInterrupt):
        desk.run(in_batches(changes))
    monkeypatch.undo()
    assert all(future.done() for future in calls)
    desk.run(in_batches(changes))
    desk.one_by_one(changes)
    desk.assert_same()


def test_a_full_disk_while_customers_are_stored_is_told_as_one(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any, **__: Any) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    monkeypatch.setattr(Stage, "store", full)
    others = [AddPoints(f"A{number}", f"a{number}", 1) for number in range(9)]
    changes = [AddPoints("C1", "k1", 1), RedeemPoints("C1", "r", 1), *others]
    with pytest.raises(StorageFull):
        desk.run(in_batches(changes))
    assert list(desk.ledger.verify().problems()) == []


def test_lots_that_are_read_together_are_all_of_a_customers_or_none(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(booking, "_FEW", 0)
    monkeypatch.setattr(books, "_LOTS_EACH", 2)
    given = [AddPoints(f"C{number % 3}", f"k{number}", 2) for number in range(18)]
    for ledger in (desk.ledger, desk.twin):
        ledger.apply(given)
    changes = [RedeemPoints(f"C{number}", f"r{number}", 9) for number in range(3)]
    assert told(desk.run([changes])) == told(desk.one_by_one(changes))
    desk.assert_same()
