"""A service that keeps the keys of changes, which answers as a test says; one change at a time, and many."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from shop import NOON, SETTLE_S, WAIT_S, Machine, add, redeem

from rpctl.backends.port import Receipt, Sending, Unsettled
from rpctl.delivery.bulk import Speed
from rpctl.delivery.journal import Journal
from rpctl.delivery.keyed import KeyedDeliverer
from rpctl.delivery.surroundings import Surroundings
from rpctl.domain.changes import Change
from rpctl.domain.outcomes import Outcome
from rpctl.domain.points import Summary
from rpctl.errors import (
    CustomerNotFound,
    RateLimited,
    RequestRefused,
    RpctlError,
    ServiceUnreachable,
    TlsFailed,
    TokenRefused,
)

USED: Final = ("17", "KeyUsed")
SHORT: Final = ("21", "TooFewPoints")
OTHER: Final = ("30", "NotToday")


class KeyedShop:
    """``script`` and ``script_of`` (by customer) say what becomes of the sendings in the order of their arrival, ``ok``
    at its end; sendings that only repeat a change are among them:

    ok; warn; lost (in, no answer); failed (not in, and the service says so); gone (never in, no answer); late N (in
    after N seconds, no answer); limited [N] (429); refused (for another reason, unless the key was used); blank
    (refused without a code); forbidden (403); malformed (400); tls; unauthorized; unreachable; bug; held X (waits for
    `release`, then X).

    ``used``: the outcome that a used key is answered with, or ``repeated`` (a success, nothing is changed), ``counted``
    (it counts again) or ``broken`` (it fails without telling); ``burns``: a refused change uses its key;
    ``points_first``: too few points are told before a used key is; ``is_mute``: successes tell no balance.
    """

    capabilities: frozenset[str] = frozenset({"reason"})
    keeps_keys = True
    target = "https://keyed shop"

    def __init__(self, *script: str) -> None:
        self.lock = threading.RLock()
        self.script = deque(script)
        self.script_of: dict[str, deque[str]] = {}
        self.now = NOON
        self.time_s: Callable[[], float] = time.monotonic
        self.used: tuple[str, str] | str = USED
        self.burns = self.points_first = self.is_mute = False
        self.release = threading.Event()
        self.arriving: Callable[[Sending], None] = lambda _: None
        self.sent: list[Sending] = []
        self.alone: list[bool] = []
        """Of each sending whether no other was under way."""
        self.counted: list[tuple[str, str, int]] = []
        """Key, customer and signed points of what counts."""
        self.keys: set[str] = set()
        self.read: list[str] = []
        self.unreadable: RpctlError | None = None
        self._at_work = 0
        self._under_way: list[tuple[float, Sending]] = []

    def twin(self) -> KeyedShop:
        return self

    def close(self) -> None:
        pass

    def check(self, sending: Sending) -> None:
        pass

    def send(self, sending: Sending, leaving: Callable[[], None], *, patient: bool = True) -> Receipt:
        leaving()
        with self.lock:
            self._at_work += 1
            self.sent.append(sending)
            self.alone.append(self._at_work == 1)
            script = self.script_of.get(sending.customer_id, self.script)
            what = script.popleft() if script else "ok"
        try:
            self.arriving(sending)
            return self._answer(sending, what)
        finally:
            with self.lock:
                self._at_work -= 1

    def _answer(self, sending: Sending, what: str) -> Receipt:
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
                self._under_way.append((self.time_s() + float(more), sending))
            raise Unsettled("no answer", answered=False)
        with self.lock:
            self.arrive()
            if word == "refused" and sending.key not in self.keys:
                if self.burns:
                    self.keys.add(sending.key)
                raise refusal(OTHER)
            try:
                self._decide(sending)
            except RequestRefused:
                if word != "lost":
                    raise
            receipt = Receipt("mind this" if word == "warn" else None, self._told(sending.customer_id))
        if word == "lost":
            raise Unsettled("no answer", answered=False, answer=("POST /x", 504))
        return receipt

    def _decide(self, sending: Sending) -> None:
        customer_id, points = sending.customer_id, signed(sending)
        is_short = self.balance(customer_id) + points < 0
        if is_short and self.points_first:
            raise refusal(SHORT)
        if sending.key in self.keys and self.used != "counted":
            if self.used == "repeated":
                return
            if isinstance(self.used, str):
                raise Unsettled("it broke", answered=True)
            raise refusal(self.used)
        if is_short:
            if self.burns:
                self.keys.add(sending.key)
            raise refusal(SHORT)
        self.keys.add(sending.key)
        self.counted.append((sending.key, customer_id, points))

    def _told(self, customer_id: str) -> int | None:
        return None if self.is_mute else self.balance(customer_id)

    def arrive(self, *, everything: bool = False) -> None:
        """What is under way is in, as far as its time has come."""
        with self.lock:
            now_s = float("inf") if everything else self.time_s()
            due = [one for one in self._under_way if one[0] <= now_s]
            self._under_way = [one for one in self._under_way if one[0] > now_s]
            for _, sending in due:
                with suppress(RequestRefused, Unsettled):  # nobody hears it
                    self._decide(sending)

    # -- books -----------------------------------------------------------------------------------------

    def active_points(self, customer_id: str) -> int:
        return self.summary(customer_id).active_points

    def summary(self, customer_id: str) -> Summary:
        with self.lock:
            self.read.append(customer_id)
            if self.unreadable is not None:
                raise self.unreadable
            self.arrive()
            if not any(who == customer_id for _, who, _ in self.counted):
                raise CustomerNotFound("nobody")
            return Summary(customer_id, self.balance(customer_id), (), ())

    def balance(self, customer_id: str) -> int:
        return sum(points for _, who, points in self.counted if who == customer_id)

    def count(self, key: str) -> int:
        """How often a key counts."""
        return Counter(one for one, _, _ in self.counted)[key]

    def keys_sent(self) -> list[str]:
        return [sending.key for sending in self.sent]


def trust_the_disk(patched: Any) -> None:
    """Journals do not wait for the disk: no machine loses its power here, and each writing would take long."""
    prepare = Journal._prepare

    def prepared(journal: Journal, connection: sqlite3.Connection) -> None:
        prepare(journal, connection)
        connection.execute("PRAGMA synchronous = OFF")

    patched.setattr(Journal, "_prepare", prepared)


def hasten(patched: Any) -> None:
    """A change is sent again soon, although it may arrive for longer."""
    for module in ("keyed", "keyed_dispatch", "surroundings"):
        patched.setattr(f"rpctl.delivery.{module}.AFTER_FAILURE_S", 0.001)


def signed(sending: Sending) -> int:
    return -sending.points if sending.kind == "redeem" else sending.points


def refusal(outcome: tuple[str, str]) -> RequestRefused:
    error = RequestRefused(f"no: {outcome[1]}").of_request("POST /x", 200)
    error.outcome = outcome
    return error


_RAISES: Final[dict[str, Callable[[], Exception]]] = {
    "failed": lambda: Unsettled("it failed", answered=True),
    "gone": lambda: Unsettled("no answer", answered=False),
    "blank": lambda: refusal(("", "")),
    "forbidden": lambda: RequestRefused("not yours").of_request("POST /x", 403),
    "malformed": lambda: RequestRefused("what").of_request("POST /x", 400),
    "tls": lambda: TlsFailed("no trust"),
    "unauthorized": lambda: TokenRefused("who are you").of_request("POST /x", 401),
    "unreachable": lambda: ServiceUnreachable("nobody there."),
    "bug": lambda: ZeroDivisionError("a bug"),
}


class Alone:
    """A machine that sends one change at a time, each in a process of its own; no pause lasts. ``settle_s``: so long a
    sending may still arrive."""

    def __init__(self, shop: KeyedShop, folder: Path, settle_s: float = 30.0) -> None:
        self.shop = shop
        self.folder = folder
        self.now_s = 1_000_000.0
        self.settle_s = settle_s
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.journal = Journal(folder / "journal.db", shop.target)
        self.deliverer = self._made()

    def _made(self) -> KeyedDeliverer:
        shop: Any = self.shop
        return KeyedDeliverer(shop, self.journal, Surroundings(
            lambda: int(self.now_s * 1000), self.sleep, self.settle_s, self.notes.append, self.warnings.append,
            ticks=lambda: ("boot", int(self.now_s * 1000)),
        ))  # fmt: skip

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def again(self) -> None:
        """The process ends; what comes next is another one."""
        self.journal.close()
        self.journal = Journal(self.folder / "journal.db", self.shop.target)
        self.deliverer = self._made()

    def send(self, change: Change, *, given: bool = True) -> Outcome:
        self.again()
        return self.deliverer.apply(change, key_given=given)

    def add(self, points: int, key: str, *, given: bool = True, customer: str = "C1") -> Outcome:
        return self.send(add(customer, points, key), given=given)

    def redeem(self, points: int, key: str, *, given: bool = True, customer: str = "C1") -> Outcome:
        return self.send(redeem(customer, points, key), given=given)

    def state(self, key: str) -> str | None:
        found = self.journal.find(key)
        return None if found is None else found.state

    def teach(self) -> None:
        """All that the shop's answers can tell is learned, by a customer of its own."""
        own = f"T{self.folder}"
        self.add(5, f"{own} 1", customer=own)
        self.redeem(3, f"{own} 2", customer=own)
        self.redeem(3, f"{own} 3", customer=own, given=False)
        self.again()
        self.shop.sent.clear()
        self.shop.alone.clear()
        self.shop.read.clear()
        self.warnings.clear()


class Importer(Machine):
    """A machine that imports over it."""

    def __init__(self, shop: KeyedShop, folder: Path, speed: Speed | None = None, settle_s: float = SETTLE_S) -> None:
        keyed: Any = shop
        super().__init__(keyed, folder, speed)
        self.keyed = shop
        self.settle_s = settle_s

    def teach(self) -> None:
        alone = Alone(self.keyed, self.folder, self.settle_s)
        alone.teach()
        alone.journal.close()
