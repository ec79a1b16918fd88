"""What is to become of changes that tills record: said in plain Python, by the manual, without the program's code."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Final

from till_server import Books, Entry

NOT_IN: Final = ("failed", "gone", "unreachable", "limited")
"""Fates after which a change is sent once more."""


@dataclass
class Row:
    """A recorded change. ``known``: the till knew the service to have the customer; ``at``: its business date;
    ``target``: what it reverses, by the serial number of the entry or by the key of an own row; ``state``: waiting,
    sent, conflict; ``is_shown``: the mirror has it too."""

    key: str
    customer: str
    kind: str
    points: int
    until: int
    known: bool
    at: int
    target: int | str | None = None
    state: str = "waiting"
    is_shown: bool = False
    why: str = ""

    def asks_for(self) -> tuple[object, ...]:
        return (self.kind, self.customer, self.points, self.until) if self.target is None else (self.target,)


@dataclass
class TillModel:
    """``seen``: customers as the mirror has them; ``is_sure``: whether all of that is known here; ``sent_keys``: what
    the journal knows to be in, and as what; ``unclear``: keys that it knows to be under way."""

    rows: list[Row] = field(default_factory=list)
    seen: dict[str, list[Entry]] = field(default_factory=dict)
    is_sure: bool = True
    sent_keys: dict[str, tuple[object, ...]] = field(default_factory=dict)
    unclear: set[str] = field(default_factory=set)

    def row(self, key: str) -> Row | None:
        return next((row for row in self.rows if row.key == key), None)

    def blocked(self) -> set[str]:
        return {row.customer for row in self.rows if row.state == "conflict"}

    def counts(self, customer: str) -> bool:
        return any(row.customer == customer and self._is_on_top(row) for row in self.rows)

    def knows(self, customer: str) -> bool:
        return customer in self.seen or self.counts(customer)

    def reversed_by_others(self, row: Row, books: Books) -> bool:
        serial = self._serial(books.of.get(row.customer, []), row)
        theirs = (one for one in books.of.get(row.customer, []) if one.reverses == serial)
        return serial is not None and any(one.key != row.key for one in theirs)

    def date(self, customer: str, now: int) -> int:
        """Of a change that is recorded now: no earlier than that of those before."""
        return max([now, *(row.at for row in self.rows if row.customer == customer and self._is_on_top(row))])

    @staticmethod
    def _is_on_top(row: Row) -> bool:
        return not row.is_shown and row.state != "conflict"

    def is_there(self, customer: str) -> bool:
        """Whether the till knows the service to have the customer, or knew it for what is not sent yet."""
        theirs = [row for row in self.rows if row.customer == customer]
        sent = any(row.state == "sent" and not row.is_shown for row in theirs)
        return (
            customer in self.seen or sent or any(row.known and row.state in ("waiting", "conflict") for row in theirs)
        )

    # -- offline ---------------------------------------------------------------------------------------

    def balance(self, customer: str, now: int) -> int:
        """The last truth and what waits; what is missing is made up for by what is added first, and nobody has less
        than nothing."""
        truth = self.seen.get(customer, [])
        lots = [[one.until, one.left] for one in truth if one.kind == "add"]
        missing = 0
        for row in self.rows:
            if row.customer != customer or not self._is_on_top(row) or self._shows(truth, row):
                continue
            if row.kind == "redeem":
                rest = row.points
                for lot in sorted((lot for lot in lots if lot[0] > row.at), key=lambda lot: lot[0]):
                    taken = min(lot[1], rest)
                    lot[1] -= taken
                    rest -= taken
                missing += rest
            elif row.target is None or self._has_target(truth, row):
                owed = min(missing, row.points)
                missing -= owed
                lots.append([row.until, row.points - owed])
        return sum(left for until, left in lots if until > now)

    def _shows(self, truth: list[Entry], row: Row) -> bool:
        if row.target is None:
            return any(one.key == row.key for one in truth)
        serial = self._serial(truth, row)
        return serial is not None and any(one.reverses == serial for one in truth)

    def _has_target(self, truth: list[Entry], row: Row) -> bool:
        own = self.row(row.target) if isinstance(row.target, str) else None
        if own is not None and self._is_on_top(own) and not self._shows(truth, own):
            return True
        return self._serial(truth, row) is not None

    def _serial(self, truth: list[Entry], row: Row) -> int | None:
        """The entry that is reversed; of an own row not what somebody else made of the same key."""
        if isinstance(row.target, int):
            return next((one.serial for one in truth if one.serial == row.target), None)
        own = self.row(row.target or "")
        theirs = (one for one in truth if one.key == row.target)
        same = (one.serial for one in theirs if own and (one.kind, one.points) == (own.kind, own.points))
        return next(same, None)

    # -- settled ---------------------------------------------------------------------------------------

    def retry(self, keys: list[str] | None) -> None:
        for row in self.rows:
            if row.state == "conflict" and (keys is None or row.key in keys):
                row.state, row.why = "waiting", ""

    def drop(self, keys: list[str] | None, unclear: Sequence[str] = ()) -> None:
        gone = {row.key for row in self.rows if row.state == "conflict" and (keys is None or row.key in keys)}
        gone |= {row.key for row in self.rows if row.state == "waiting" and row.key in unclear}
        gone |= {row.key for row in self.rows if row.target in gone and row.state in ("waiting", "conflict")}
        self.rows = [row for row in self.rows if row.key not in gone]

    # -- online ----------------------------------------------------------------------------------------

    def why_not_online(self, row: Row, books: Books, now: int) -> str | None:
        """Why a change is refused that is sent at once; nothing: it is not; in: it is there. None: that is not known
        while anything is under way."""
        if self.unclear:
            return None
        if row.key in self.sent_keys:
            return "in" if self.sent_keys[row.key] == row.asks_for() else "key_reused"
        mine = [one for one in books.of.get(row.customer, []) if one.key == row.key]
        if mine:
            return "in" if (mine[0].kind, mine[0].points) == (row.kind, row.points) else "key_reused"
        if row.kind == "redeem" and books.balance(row.customer, now) < row.points:
            return "insufficient_points" if row.customer in books.of else "customer_not_found"
        return ""

    # -- pushed ----------------------------------------------------------------------------------------

    def pushed(self, books: Books, now: int, fates: dict[str, list[str]]) -> tuple[dict[str, tuple[str, str]], Books]:
        """What becomes of each row that may be sent, by key: a state and why; and the books after it. A row that is
        held back is left out."""
        before, after = books, deepcopy(books)
        blocked = self.blocked()
        told: dict[str, tuple[str, str]] = {}
        looked_at = {row.customer for row in self.rows if row.state == "waiting" and row.customer not in blocked}
        for row in self.rows:
            if row.state != "waiting" or row.customer not in looked_at:
                continue
            if row.customer in blocked:
                if self.sent_keys.get(row.key) == row.asks_for():
                    told[row.key] = ("sent", "in")  # whatever is in front of it
                continue
            why = self._why_not(row, before, after, now, fates.get(row.key, []), looked_at)
            told[row.key] = ("conflict", why) if why not in ("", "in") else ("sent", why)
            if why not in ("", "in"):
                blocked.add(row.customer)
            elif why == "":
                self._book(row, after, now)
        return told, after

    def _why_not(self, row: Row, before: Books, after: Books, now: int, fates: list[str], looked_at: set[str]) -> str:
        """Why a row is refused; nothing: it is sent; in: that is not needed."""
        if row.key in self.sent_keys:
            return "in" if self.sent_keys[row.key] == row.asks_for() else "key_reused"
        mine = [one for one in before.of.get(row.customer, []) if one.key == row.key]
        if row.key in self.unclear and any((one.kind, one.points) == (row.kind, row.points) for one in mine):
            return "in"
        if row.known and row.customer not in before.of:
            return "customer_deleted"
        if row.target is not None:
            serial = self._serial(after.of.get(row.customer, []), row)
            if serial is None:
                return "entry_not_found" if row.customer in after.of else "customer_not_found"
            if after.is_reversed(serial):
                return "already_reversed"
        elif used := [one for one in before.with_key(row.key) if one.customer in looked_at]:
            first = (mine or used)[0]
            same = (first.kind, first.customer, first.points) == (row.kind, row.customer, row.points)
            return "in" if same else "key_reused"
        if row.kind == "redeem" and after.balance(row.customer, now) < row.points:
            return "insufficient_points" if row.customer in after.of else "customer_not_found"
        fate = next((one for one in fates if one not in NOT_IN), "ok")
        return "request_refused" if fate == "refused" else ""

    def _book(self, row: Row, books: Books, now: int) -> None:
        points = row.points if row.kind == "add" else 0
        entry = Entry(0, row.kind, row.customer, row.points, row.until, points, f"model {row.key}", "", row.key)
        if row.target is not None:
            entry.reverses = self._serial(books.of.get(row.customer, []), row)
        books.book(entry, now)
