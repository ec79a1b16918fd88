"""A service in plain Python: lots, redemptions and balances by rules written here and nowhere else, and what becomes of
each sending as a test says. Nobody's marks are looked at; ``key`` of an entry is for the test alone."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any, Final

from rpctl.backends.port import Receipt, Sending, Unsettled
from rpctl.domain.markers import split_token
from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use
from rpctl.domain.program import Program
from rpctl.domain.values import NEVER
from rpctl.errors import CustomerNotFound, RateLimited, RequestRefused, ServiceUnreachable

LATE_S: Final = 0.004
"""After so long a late one arrives: well within the settling time."""


@dataclass
class Entry:
    """A lot or a redemption. ``uses``: what redemptions took of a lot, by their ids; ``reverses``: the serial number of
    the entry that it takes back."""

    serial: int
    kind: str
    customer: str
    points: int
    until: int
    left: int
    id: str
    text: str
    key: str
    reverses: int | None = None
    uses: dict[str, int] = field(default_factory=dict)


class Books:
    """Who has what."""

    def __init__(self) -> None:
        self.of: dict[str, list[Entry]] = {}
        self.serial = 0

    def balance(self, customer: str, now: int) -> int:
        return sum(one.left for one in self.of.get(customer, ()) if one.kind == "add" and one.until > now)

    def book(self, entry: Entry, now: int) -> None:
        """Redemptions take what ends first, of that what came first."""
        entries = self.of.setdefault(entry.customer, [])
        self.serial += 1
        entry.serial = self.serial
        rest = entry.points if entry.kind == "redeem" else 0
        for lot in sorted(entries, key=lambda one: (one.until, one.serial)):
            taken = min(lot.left, rest) if lot.kind == "add" and lot.until > now else 0
            if taken:
                lot.left -= taken
                lot.uses[entry.id] = taken
                rest -= taken
        assert rest == 0
        entries.append(entry)

    def find(self, serial: int | None) -> Entry | None:
        return next((one for entries in self.of.values() for one in entries if one.serial == serial), None)

    def with_key(self, key: str) -> list[Entry]:
        return [one for entries in self.of.values() for one in entries if one.key == key]

    def is_reversed(self, serial: int) -> bool:
        return any(one.reverses == serial for entries in self.of.values() for one in entries)


class Server:
    """``keeps``: ids or texts; ``fates``: what becomes of the next sendings of a key: ok, lost (in, no answer), failed
    (not in, and it says so), gone (never arrives, no answer), late (arrives a little later, no answer), unreachable,
    limited, refused; ok where nothing is said."""

    def __init__(self, now: int, keeps: str) -> None:
        self.lock = threading.RLock()
        self.now = now
        self.keeps = keeps
        self.books = Books()
        self.fates: dict[str, list[str]] = {}
        self.sent: list[tuple[str, str]] = []
        """Keys in the order of arrival, each with its fate."""
        self.twice: list[str] = []
        self.ever: Counter[str] = Counter()
        self.arriving: Callable[[Sending], None] = lambda _: None
        """Is told of each sending as soon as it has left."""
        self._late: list[tuple[float, Sending]] = []

    def receive(self, sending: Sending) -> None:
        """A request arrives. Raises what its answer is."""
        fates = self.fates.get(sending.key)
        fate = fates.pop(0) if fates else "ok"
        self.sent.append((sending.key, fate))
        self.arrive()
        match fate:
            case "failed":
                raise Unsettled("it failed", answered=True)
            case "gone":
                raise Unsettled("no answer", answered=False)
            case "late":
                self._late.append((time.monotonic() + LATE_S, sending))
                raise Unsettled("no answer", answered=False)
            case "unreachable":
                raise ServiceUnreachable("nobody there.")
            case "limited":
                raise RateLimited("slow down").of_request("POST /x", 429)
            case "refused":
                raise RequestRefused("no").of_request("POST /x", 400)
        if sending.kind == "redeem" and self.books.balance(sending.customer_id, self.now) < sending.points:
            raise RequestRefused("no").of_request("POST /x", 400)
        self._book(sending)
        if fate == "lost":
            raise Unsettled("no answer", answered=False)

    def balance(self, customer: str) -> int:
        return self.books.balance(customer, self.now)

    # -- books -----------------------------------------------------------------------------------------

    def arrive(self, *, all_of_them: bool = False) -> None:
        """What is late and due."""
        now_s = time.monotonic()
        for one in [one for one in self._late if all_of_them or one[0] <= now_s]:
            self._late.remove(one)
            sending = one[1]
            if sending.kind != "redeem" or self.books.balance(sending.customer_id, self.now) >= sending.points:
                self._book(sending)

    def _book(self, sending: Sending) -> None:
        number = self.books.serial + 1
        entry = Entry(
            0, sending.kind, sending.customer_id, sending.points,
            NEVER if sending.valid_until is None else sending.valid_until, 0,
            sending.entry_id if self.keeps == "ids" else f"own-{number}",
            (sending.text or "") if self.keeps == "texts" else "its own", sending.key,
        )  # fmt: skip
        if sending.reverses is not None:
            theirs = self.books.of.get(sending.customer_id, [])
            entry.reverses = next((one.serial for one in theirs if one.id == sending.reverses), None)
            if entry.reverses is None or self.books.is_reversed(entry.reverses):
                self.twice.append(f"reversal {sending.key} of {sending.reverses}")
        if any(one.customer == sending.customer_id for one in self.books.with_key(sending.key)):
            self.twice.append(sending.key)
        self.add(entry)

    def add(self, entry: Entry) -> Entry:
        if entry.kind == "add":
            entry.left = entry.points
        self.books.book(entry, self.now)
        self.ever[entry.key] += 1
        return entry

    def by_hand(self, kind: str, customer: str, points: int, until: int = NEVER) -> None:
        """Somebody's change without rpctl."""
        number = self.books.serial + 1
        self.add(Entry(0, kind, customer, points, until, 0, f"hand-{number}", "", f"by hand {number}"))

    def told(self, customer_id: str) -> Summary:
        entries = deepcopy(self.books.of[customer_id])
        added, redeemed = [], []
        for one in entries:
            description, token = split_token(one.text)
            more: dict[str, Any] = {"description": description, "position": one.serial, "token": token}
            if one.kind == "add":
                uses = tuple(Use(used_with, points) for used_with, points in one.uses.items())
                added.append(
                    AddedPoints(one.id, customer_id, one.points, self.now, one.until, 0, one.points - one.left, uses,
                    **more)
                )  # fmt: skip
            else:
                redeemed.append(RedeemedPoints(one.id, customer_id, one.points, self.now, 0, **more))
        return Summary(customer_id, self.books.balance(customer_id, self.now), tuple(added), tuple(redeemed))


class Line:
    """One process's way to the server; ``step`` is told where it has come to, and raises where it ends."""

    capabilities = frozenset({"program", "dates", "references", "reversals", "everybody"})
    keeps_keys = False
    target = "https://service tills"

    def __init__(self, server: Server, step: Callable[[str], None]) -> None:
        self._server = server
        self._step = step
        self._at_work = 0

    def twin(self) -> Line:
        return self

    def close(self) -> None: ...

    def check(self, sending: Sending) -> None: ...

    def program(self, site_code: str) -> Program:
        return Program(site_code)

    def summary(self, customer_id: str) -> Summary:
        self._step("read")
        with self._server.lock:
            self._server.arrive()
            if customer_id not in self._server.books.of:
                raise CustomerNotFound("nobody")
            return self._server.told(customer_id)

    def summaries(self, limit: int | None = None) -> Iterator[Summary]:
        for customer_id in list(self._server.books.of):
            yield self.summary(customer_id)

    def send(self, sending: Sending, leaving: Callable[[], None], *, patient: bool = True) -> Receipt:
        with self._server.lock:
            self._at_work += 1
        try:
            self._step("before")
            leaving()
            self._server.arriving(sending)
            with self._server.lock:
                self._server.receive(sending)
            self._step("after")
        finally:
            with self._server.lock:
                self._at_work -= 1
        return Receipt()

    def hang_up(self) -> None:
        """What is under way arrives."""
        while self._at_work:
            time.sleep(0.0002)
