"""A service with the books of many customers, which answers as a test says, and a machine that imports over it."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from rpctl.backends.port import Batch, FileContent, Receipt, Sending, Unsettled
from rpctl.delivery.bulk import Bulk, Speed
from rpctl.delivery.journal import Delivery, Journal, State
from rpctl.delivery.requests import marks_of
from rpctl.delivery.runs import JournalRuns
from rpctl.delivery.surroundings import Surroundings
from rpctl.delivery.undoing import ServiceRuns
from rpctl.domain.changes import AddPoints, Change, RedeemPoints
from rpctl.domain.markers import split_token
from rpctl.domain.outcomes import Outcome, Refused
from rpctl.domain.points import AddedPoints, Entry, RedeemedPoints, Summary, Use
from rpctl.domain.program import Program
from rpctl.domain.values import NEVER, parse_instant, parse_when
from rpctl.errors import (
    CustomerNotFound,
    RateLimited,
    RequestRefused,
    RpctlError,
    ServiceUnreachable,
    TokenRefused,
)

if TYPE_CHECKING:
    from rpctl.backends.port import Record

NOON: Final = parse_instant("2026-03-01T12:00:00Z")
DAY: Final = 86_400_000
SETTLE_S: Final = 0.01
KEEPS: Final = frozenset({"ids", "texts", "references"})
WAIT_S: Final = 10.0  # for what comes at once, or the test fails


def add(customer: str, points: int, key: str, *, until: str | None = None, **more: Any) -> AddPoints:
    valid_until = None if until is None else parse_when(until)
    return AddPoints(customer, key, points, valid_until=valid_until, **more)


def redeem(customer: str, points: int, key: str, **more: Any) -> RedeemPoints:
    return RedeemPoints(customer, key, points, **more)


class Shop:
    """``script`` and ``script_of`` (by customer) say what becomes of the sendings in the order of their arrival, ``ok``
    at its end:

    ok; lost (in, no answer); failed (not in, and the service says so); gone (never in, no answer); late N (in after N
    seconds, no answer); limited [N] (429, asks for N seconds); refused; forbidden; unauthorized; unreachable; bug;
    held X (waits for `release`, then X).
    """

    capabilities: frozenset[str] = frozenset({"program", "dates", "references", "reversals", "everybody"})
    keeps_keys = False
    target = "https://service shop"

    def __init__(self, *script: str) -> None:
        self.lock = threading.RLock()
        self.script = deque(script)
        self.script_of: dict[str, deque[str]] = {}
        self.now = NOON
        self.keeps = KEEPS
        self.longest_text = 9_999
        self.programs: dict[str, Program] = {}
        self.unreadable: RpctlError | None = None
        self.release = threading.Event()
        self.arriving: Callable[[Sending], None] = lambda _: None
        """Is told of each sending as soon as it has left."""
        self.sent: list[Sending] = []
        self.sent_s: list[float] = []
        self.read: list[str] = []
        self.lists_read = 0
        self.at_work = self.most_at_work = 0
        self.opened = self.closed = 0
        self.untold: tuple[str, ...] = ()
        """What summaries leave out of lots."""
        self._added: dict[str, list[AddedPoints]] = {}
        self._redeemed: dict[str, list[RedeemedPoints]] = {}
        self._under_way: list[tuple[float, Sending]] = []
        self._position = 0

    # -- what the port asks ----------------------------------------------------------------------------

    def twin(self) -> Shop:
        self.opened += 1
        return self

    def close(self) -> None:
        self.closed += 1

    def check(self, sending: Sending) -> None:
        pass

    def send(self, sending: Sending, leaving: Callable[[], None], *, patient: bool = True) -> Receipt:
        assert not patient
        leaving()
        with self.lock:
            self.at_work += 1
            self.most_at_work = max(self.most_at_work, self.at_work)
            self.sent.append(sending)
            self.sent_s.append(time.monotonic())
            script = self.script_of.get(sending.customer_id, self.script)
            what = script.popleft() if script else "ok"
        try:
            self.arriving(sending)
            self._answer(sending, what)
            return Receipt()
        finally:
            with self.lock:
                self.at_work -= 1

    def _answer(self, sending: Sending, what: str) -> None:
        word, _, more = what.partition(" ")
        if word == "held":
            assert self.release.wait(WAIT_S), "nobody let it go on"
            return self._answer(sending, more or "ok")
        if word in _RAISES:
            raise _RAISES[word]()
        if word == "limited":
            limited = RateLimited("slow down").of_request("POST /x", 429)
            limited.retry_after_s = float(more) if more else None
            raise limited
        if word == "late":
            with self.lock:
                self._under_way.append((time.monotonic() + float(more), sending))
            raise Unsettled("no answer", answered=False)
        with self.lock:
            self._arrive()
            if sending.kind == "redeem" and self.balance(sending.customer_id) < sending.points:
                raise RequestRefused("no").of_request("POST /x", 400)
            self.book(sending)
        if word == "lost":
            raise Unsettled("no answer", answered=False)
        return None

    def summary(self, customer_id: str) -> Summary:
        with self.lock:
            self.read.append(customer_id)
            if self.unreadable is not None:
                raise self.unreadable
            self._arrive()
            return self.books_of(customer_id)

    def summaries(self, limit: int | None = None) -> Iterator[Summary]:
        self.lists_read += 1
        if self.unreadable is not None:
            raise self.unreadable
        for customer_id in list(self._added):
            with self.lock:
                found = self.books_of(customer_id)
            yield found

    def program(self, site_code: str) -> Program:
        return self.programs.get(site_code, Program(site_code))

    # -- books -----------------------------------------------------------------------------------------

    def books_of(self, customer_id: str) -> Summary:
        if customer_id not in self._added:
            raise CustomerNotFound("nobody")
        added, redeemed = self._added[customer_id], self._redeemed[customer_id]
        if self.untold:
            added = [replace(lot, untold=self.untold) for lot in added]
        return Summary(customer_id, self.balance(customer_id), tuple(added), tuple(redeemed))

    def balance(self, customer_id: str) -> int:
        return sum(lot.left for lot in self._added.get(customer_id, ()) if lot.is_valid(self.now))

    def entries(self, customer_id: str) -> list[Entry]:
        return self.books_of(customer_id).entries() if customer_id in self._added else []

    def count(self, key: str) -> int:
        """How many entries a key has, under whatever mark."""
        entry_id, token = marks_of(self.target, key)
        everything = [entry for customer_id in self._added for entry in self.entries(customer_id)]
        return sum(
            entry_id == one.id or token == one.token or getattr(one, "reference_id", None) == key for one in everything
        )

    def hide(self, customer_id: str) -> Callable[[], None]:
        """Does not show what the customer has, until what is answered is called."""
        added, self._added[customer_id] = self._added[customer_id], []

        def show() -> None:
            self._added[customer_id] = added

        return show

    def forget_uses(self, customer_id: str) -> None:
        """Does not tell any more with which redemptions points were used."""
        self._added[customer_id] = [replace(lot, used_with=()) for lot in self._added[customer_id]]

    def forget(self, customer_id: str) -> None:
        """Somebody else deleted the customer."""
        del self._added[customer_id], self._redeemed[customer_id]

    def book(self, sending: Sending) -> None:
        customer_id = sending.customer_id
        added, redeemed = self._added.setdefault(customer_id, []), self._redeemed.setdefault(customer_id, [])
        self._position += 1
        entry_id = sending.entry_id if "ids" in self.keeps else f"own-{self._position}"
        text = (sending.text or "" if "texts" in self.keeps else "its own")[: self.longest_text]
        description, token = split_token(text)
        if sending.kind == "redeem":
            self._draw(added, sending.points, entry_id)
            redeemed.append(
                RedeemedPoints(entry_id, customer_id, sending.points, self.now, 0, description, self._position,
                token=token)
            )  # fmt: skip
            return
        until = NEVER if sending.valid_until is None else sending.valid_until
        reference = sending.reference_id if "references" in self.keeps else None
        added.append(
            AddedPoints(entry_id, customer_id, sending.points, self.now, until, 0, reference_id=reference,
            description=description, position=self._position, token=token)
        )  # fmt: skip

    def _draw(self, added: list[AddedPoints], points: int, redemption_id: str) -> None:
        """From the lots that end first, of these from the oldest."""
        for at in sorted(range(len(added)), key=lambda at: added[at].valid_until):
            lot = added[at]
            used = min(lot.left, points) if lot.is_valid(self.now) else 0
            if used:
                points -= used
                uses = (*lot.used_with, Use(redemption_id, used))
                added[at] = replace(lot, used_points=lot.used_points + used, used_with=uses)

    def _arrive(self) -> None:
        now_s = time.monotonic()
        for one in [one for one in self._under_way if one[0] <= now_s]:
            self._under_way.remove(one)
            if one[1].kind != "redeem" or self.balance(one[1].customer_id) >= one[1].points:
                self.book(one[1])


_RAISES: Final[dict[str, Callable[[], Exception]]] = {
    "failed": lambda: Unsettled("it failed", answered=True),
    "gone": lambda: Unsettled("no answer", answered=False),
    "refused": lambda: RequestRefused("no").of_request("POST /x", 400),
    "forbidden": lambda: RequestRefused("not yours").of_request("POST /x", 403),
    "unauthorized": lambda: TokenRefused("who are you").of_request("POST /x", 401),
    "unreachable": lambda: ServiceUnreachable("nobody there."),
    "bug": lambda: ZeroDivisionError("a bug"),
}


class Machine:
    """A machine with its journal in ``folder``; ``says`` are its notes and warnings; ``told`` what the last pass told
    of its changes, also where it ended by an error."""

    def __init__(self, shop: Shop, folder: Path, speed: Speed | None = None) -> None:
        self.shop = shop
        self.folder = folder
        self.speed = speed or Speed(4, None, 5.0)
        self.settle_s = SETTLE_S
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.told: list[Outcome] = []
        self._made: tuple[Journal, Bulk] | None = None

    @property
    def world(self) -> Surroundings:
        return Surroundings(
            lambda: self.shop.now, time.sleep, self.settle_s, self.notes.append, self.warnings.append
        )  # fmt: skip

    @property
    def journal(self) -> Journal:
        return self._process[0]

    @property
    def bulk(self) -> Bulk:
        return self._process[1]

    @property
    def _process(self) -> tuple[Journal, Bulk]:
        if self._made is None:
            journal = Journal(self.folder / "journal.db", self.shop.target)
            shop: Any = self.shop
            self._made = journal, Bulk(shop, journal, self.world, shop.twin, self.speed)
        return self._made

    def end(self) -> None:
        """The process ends; what asks for it next is another one."""
        if self._made is not None:
            journal, bulk = self._made
            self._made = None
            bulk.close()
            journal.close()

    # -- what it does ----------------------------------------------------------------------------------

    def go(
        self, changes: Sequence[Change], run: str | None = "run", *, stops: bool = False, record: Record | None = None
    ) -> Iterator[list[Outcome]]:
        """Surveys and begins to apply them; the lines count from 2."""
        batch = Batch(changes, range(2, len(changes) + 2))
        self.bulk.survey([batch], len(batch), applies=True)
        half = (len(batch) + 1) // 2
        pieces = [Batch(batch[:half], batch.lines[:half]), Batch(batch[half:], batch.lines[half:])]
        return self.bulk.apply_batches(pieces, run=run, all_or_nothing=stops, record=record)

    def apply(self, *changes: Change, run: str | None = "run", **how: Any) -> list[Outcome]:
        """A whole pass; what it told until an error is in ``told``."""
        self.told = []
        for outcomes in self.go(changes, run, **how):
            self.told += outcomes
        return self.told

    def apply_unsurveyed(self, *changes: Change, run: str = "run") -> list[Outcome]:
        """A pass that knows nothing of what the service has, or could not find out about what was open."""
        batch = Batch(changes, range(2, len(changes) + 2))
        return [outcome for outcomes in self.bulk.apply_batches([batch], run=run) for outcome in outcomes]

    def rehearse(self, *changes: Change, stops: bool = False) -> list[Outcome]:
        """A dry run."""
        self.bulk.survey([changes], len(changes), applies=False)
        with self.bulk.rehearsal() as rehearsed:
            told = rehearsed.apply_batches([changes], all_or_nothing=stops)
            return [outcome for outcomes in told for outcome in outcomes]

    def teach(self) -> None:
        """From now on it is known what the shop keeps of additions and redemptions: one of each tells, or three that
        agree that it is nothing."""
        for number in range(1 if self.shop.keeps else 3):
            self.apply(add("T", 2, f"add {number}"), redeem("T", 1, f"redeem {number}"), run=None)
        self.end()
        self.shop.sent.clear()
        self.shop.sent_s.clear()
        self.shop.read.clear()

    @property
    def runs(self) -> ServiceRuns:
        return ServiceRuns(self.journal, self.bulk, self.world)

    def start_run(self, run: str = "run") -> None:
        JournalRuns(self.journal).start_run(run, NOON, "f.csv", FileContent(run.encode(), 0, b""), {"applied": 0}, {})

    # -- what it knows ---------------------------------------------------------------------------------

    def row(self, key: str) -> Delivery:
        found = self.journal.find(key)
        assert found is not None
        return found

    def states(self, *keys: str) -> list[str | None]:
        """What the journal's file says of keys, from whatever thread."""
        with closing(sqlite3.connect(self.folder / "journal.db")) as file:
            kept = dict(file.execute("SELECT key, state FROM deliveries"))
        return [kept.get(key) for key in keys]

    def sent_rows(self) -> dict[str, dict[str, Any]]:
        """The rows that are being sent, by the id that they are sent with: when they were written, and as what."""
        with closing(sqlite3.connect(self.folder / "journal.db")) as file:
            rows = file.execute("SELECT sent_at, sending FROM deliveries WHERE state = ?", (State.SENDING,))
            return {json.loads(text)["entry_id"]: json.loads(text) | {"sent_at": at} for at, text in rows}


Make = Callable[..., Machine]


def key_of(sending: Sending, *keys: str) -> str:
    """Which of the keys it was sent under."""
    return next(key for key in keys if marks_of(Shop.target, key)[0] == sending.entry_id)


def kinds(outcomes: list[Outcome]) -> list[str]:
    """What they are, refusals by their codes."""
    return [one.error.code if isinstance(one, Refused) else type(one).__name__ for one in outcomes]


def many(count: int, customers: int = 10, prefix: str = "k") -> list[Change]:
    """Additions of a point each: key k0 for C0, k1 for C1 and so on."""
    return [add(f"C{number % customers}", 1, f"{prefix}{number}") for number in range(count)]


def keys_sent(shop: Shop, *keys: str) -> list[str]:
    """Under which of these keys sendings arrived, in their order."""
    return [key_of(one, *keys) for one in shop.sent]


def quicken(patched: pytest.MonkeyPatch) -> None:
    """No pause is as long as in earnest."""
    patched.setattr("rpctl.delivery.reach._FIRST_PAUSE_S", 0.005)
    patched.setattr("rpctl.delivery.dispatch._AWAITED_S", 0.02)
    patched.setattr("rpctl.delivery.dispatch._CLAIM_AGAIN_S", 0.01)
    patched.setattr("rpctl.delivery.pace._PAUSE_S", 0.02)
    patched.setattr("rpctl.delivery.pace._SLOWEST", 100.0)


def wait_for(what: Callable[[], bool]) -> None:
    """Until it is so."""
    ends_s = time.monotonic() + WAIT_S
    while not what():
        assert time.monotonic() < ends_s, "it never came"
        time.sleep(0.001)


FACTOR_2: Final = Program("double", factor=Decimal(2), configured=True)
OFF: Final = Program("off", enabled=False, configured=True)
