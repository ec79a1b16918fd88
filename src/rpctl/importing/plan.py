"""A row to a change or a reject: the grammar of cells. Pure: no file, no clock, no backend.

Whatever is wrong with a row is a `Reject`, a value; the rows beside it are not harmed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from hashlib import blake2b
from itertools import chain
from operator import itemgetter
from typing import Final

from rpctl.domain.changes import AddPoints, Customers, RedeemPoints
from rpctl.domain.values import (
    MAX_ID_LENGTH,
    MAX_POINTS,
    When,
    parse_decimal,
    parse_id,
    parse_text,
)
from rpctl.errors import InvalidValue, RpctlError
from rpctl.importing.columns import FIELDS, Columns, squeeze
from rpctl.importing.dates import Dates

ADDING: Final = frozenset(
    {"add", "added", "addition", "credit", "earn", "earned", "award", "grant", "issue", "accrual"}
)
REDEEMING: Final = frozenset(
    {"redeem", "redeemed", "redemption", "debit", "burn", "burned", "deduct", "spend", "spent"}
    | {"subtract", "subtraction"}
)
"""What an ``operation`` cell may say, letter case aside."""

_POINTS: Final = re.compile(r"([+-]?)(\d{1,12})(?:\.0{1,2})?", re.ASCII)  # not .000: that may be a thousand


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is no change: a stable word for programs and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Nothing:
    """A row that asks for no change: the customer's balance is 0."""


Planned = AddPoints | RedeemPoints | Nothing | Reject
"""What becomes of a row."""

_ANY: Final = Customers.ANY
_FEW: Final = 8


@dataclass(frozen=True, slots=True)
class Grammar:
    """How cells are to be read: ``zone`` of dates without an offset, ``site_code`` where a row names none,
    ``decimal_comma``: ``29,33`` is a number and ``29.33`` none, ``date_format``: strptime's, None = ISO 8601;
    ``factor``: points for one unit of an order value, None: the program says so; ``unread``: fields whose cells are
    no part of the changes, though they may count for the rows' keys."""

    zone: tzinfo
    site_code: str = "main"
    decimal_comma: bool = False
    date_format: str | None = None
    factor: Decimal | None = None
    unread: frozenset[str] = frozenset()


class Planner:
    """Turns the rows of one file into changes.

    ``content``: the digest of the file's cells, from which rows without a key of their own derive one;
    ``generation``: how often the same file was meant anew, which changes the keys that do not come from ``content``.
    Raises `InvalidValue` where ``columns.constants`` or ``grammar`` hold something impossible.
    """

    def __init__(self, columns: Columns, grammar: Grammar, content: bytes, generation: int = 0) -> None:
        self._grammar = grammar
        self._content = content
        self._generation = generation
        self._key_from = sorted((squeeze(name), at) for name, at in columns.key_from)
        self._key_names = {at: name for name, at in columns.key_from}
        self._of_rejects = columns.of_rejects
        self._by_action = columns.by_action
        self._balance = columns.balance
        self._width = len(columns.header)
        self._named = self._width - columns.nameless
        self._constants = [*columns.constants.values(), ""]
        at = dict.fromkeys(FIELDS, self._width + len(columns.constants))
        at |= columns.positions
        at |= {field: self._width + n for n, field in enumerate(columns.constants)}
        at |= dict.fromkeys(grammar.unread, self._width + len(columns.constants))
        self._customer, self._points, self._order_value, self._operation = (at[field] for field in FIELDS[:4])
        self._reference, self._description, self._reason = (at[field] for field in FIELDS[4:7])
        self._valid_until, self._created_at, self._site, self._key = (at[field] for field in FIELDS[7:])
        dates = Dates(grammar.zone, grammar.date_format)
        self._when, self._instant = dates.when, dates.instant
        self._check_constants(columns)
        self._plain_columns = self._where_plain(columns)

    def plan_all(self, rows: Sequence[list[str]], first: int) -> list[Planned]:
        """For each of the rows its change or what is wrong with it; ``first``: which row of the file the first is."""
        if self._plain_columns is None or len(rows) < _FEW:
            return [self.plan(row, ordinal)[1] for ordinal, row in enumerate(rows, first)]
        joined = list(map("|".join, rows))
        text = "|".join(joined)
        odd = "+" in text or " |" in text or "| " in text or text[0] == " " or text[-1] == " "
        if not odd and text.isprintable() and max(map(len, joined)) <= MAX_ID_LENGTH:
            return self._plan_plain(rows, first, self._plain_columns)
        some = max(len(rows) // 8, 1)
        parts = [self.plan_all(rows[at : at + some], first + at) for at in range(0, len(rows), some)]
        return list(chain.from_iterable(parts))

    def plan(self, row: list[str], ordinal: int) -> tuple[str, Planned]:
        """The row's key, and its change or what is wrong with it; ``ordinal`` counts the file's rows from 1."""
        cells = row + self._constants
        if len(row) != self._width or (self._named < self._width and any(map(str.strip, row[self._named :]))):
            return self._key_of_wrong_width(row, ordinal), self._wrong_width(row)
        key = cells[self._key].strip()
        try:
            if key:
                key = self._anew(parse_id(key, "key"))
            elif self._key_from:
                if empty := [name for at, name in self._key_names.items() if not cells[at].strip()]:
                    return "", _no_key(f"{empty[0]} is empty, but --key-from takes the row's key from it. Fill it in.")
                key = self._anew(self._key_from_cells(cells))
            elif self._of_rejects:
                return "", _no_key(
                    "The row has no key. Give it one, or import the rejects with the --key-from of their file."
                )
            else:
                key = self.derived_key(ordinal)
            return key, self._change(cells, key)
        except InvalidValue as error:
            return key, Reject(error.code, f"{error.message} {error.hint}" if error.hint else error.message)

    def _where_plain(self, columns: Columns) -> tuple[int, int, int, int, int, int] | None:
        """The columns of a file that has no others than customer, points, reference, description, validity and keys
        that stand as they are; None for any other."""
        fields = {"customer_id", "points", "reference_id", "description", "valid_until", "key"}
        unusual = columns.constants or self._by_action or self._balance or self._generation or self._key_from
        if columns.positions.keys() != fields or unusual or self._named < self._width:
            return None
        return self._customer, self._points, self._reference, self._description, self._valid_until, self._key

    def _plan_plain(
        self, rows: Sequence[list[str]], first: int, at: tuple[int, int, int, int, int, int]
    ) -> list[Planned]:
        """`plan_all` for rows whose cells are known to hold nothing odd: most of them are an addition or a redemption
        at sight, and `plan` answers for the others. It would answer the same for all, in thrice the time."""
        width, site_code, when, cells_of = self._width, self._grammar.site_code, self._when, itemgetter(*at)
        new, whens = tuple.__new__, dict[str, When | None]({"": None})
        planned: list[Planned] = []
        for row in rows:
            if len(row) == width:
                customer, points, reference, description, until, key = cells_of(row)
                if until not in whens:
                    try:
                        whens[until] = when(until)
                    except InvalidValue:
                        customer = ""  # `plan` will say so
                if customer and key and len(points) < 10 and points.isascii():
                    if points.isdigit() and (number := int(points)):
                        planned.append(new(AddPoints, (
                            customer, key, number, None, reference or None, description or None, None, whens[until],
                            None, site_code, _ANY, None,
                        )))  # fmt: skip
                        continue
                    if points[:1] == "-" and points[1:].isdigit() and not until and (number := int(points[1:])):
                        planned.append(new(RedeemPoints, (
                            customer, key, number, None, reference or None, description or None, None, None, site_code,
                        )))  # fmt: skip
                        continue
            planned.append(self.plan(row, first + len(planned))[1])
        return planned

    def derived_key(self, ordinal: int) -> str:
        """The key of a row without one: always the same for the same row of a file with the same cells.

        It begins with letters, so that no spreadsheet takes it for a number.
        """
        return "row-" + blake2b(b"%d" % ordinal, key=self._content, digest_size=16).hexdigest()

    def reused(self, row: list[str], key: str, ordinal: int) -> str | None:
        """Why a row's key may belong to another change, where the key was not given; None where it was."""
        if key == self.derived_key(ordinal):
            return (
                "This row is in already with other values: it was corrected in a rejects file, or the file was "
                "imported with other options. It was not applied again."
            )
        if self._key_from and not (row + self._constants)[self._key].strip():
            names = ",".join(self._key_names.values())
            return (
                f"--key-from {names}: a row with the same {names} is in already with other values, so this one was not "
                "applied. If it is another change, give it a key of its own."
            )
        return None

    # -- keys ------------------------------------------------------------------------------------------

    def _key_from_cells(self, cells: list[str]) -> str:
        """The key of a row by its cells under ``--key-from``, whatever else stands in the file.

        A digest and not the text itself: a key outlives its customer's deletion and goes to other systems, so no
        customer's e-mail address may be in it; it has one length and no odd characters; and nobody types it by
        chance, where ``order:1001`` may well be what a shop's script calls its own changes. The text stands
        beside it in the rejects. The names are part of it, so that an order and a refund of one number differ;
        the order in which they were typed is not.
        """
        digest = blake2b(digest_size=16, person=b"rpctl key from")
        for name, at in self._key_from:
            cell = parse_id(cells[at].strip(), self._key_names[at])
            digest.update(f"{len(name)} {name}{len(cell)} {cell}".encode())
        return "from-" + digest.hexdigest()

    def _anew(self, key: str) -> str:
        """A key that is not the file's own, as the n-th repetition of the file has it."""
        if not self._generation:
            return key
        text = f"{self._generation} {key}".encode()
        return "again-" + blake2b(text, digest_size=16, person=b"rpctl again").hexdigest()

    def _key_of_wrong_width(self, row: list[str], ordinal: int) -> str:
        # Its cells may stand in the wrong columns: what --key-from would make of them is no key to rely on.
        key = row[self._key].strip() if self._key < min(len(row), self._width) else ""
        if key or self._key_from or self._of_rejects:
            return self._anew(key) if key else ""
        return self.derived_key(ordinal)

    # -- a row -----------------------------------------------------------------------------------------

    def _change(self, cells: list[str], key: str) -> AddPoints | RedeemPoints | Nothing:
        customer_id = parse_id(cells[self._customer].strip())
        points = self._signed_points(cells)
        if points == 0:
            return Nothing()
        description = parse_text(cells[self._description], "description")
        if self._by_action and description and description.casefold() in REDEEMING:
            raise InvalidValue(
                f"The column Action says {description!r}, which looks like an operation.",
                "--map operation=Action reads it so; --map description=Action keeps it a text.",
            )
        reason = parse_text(cells[self._reason], "reason")
        reference_id = cells[self._reference].strip() or None
        if reference_id:
            parse_id(reference_id, "reference id")
        site_code = cells[self._site].strip()
        site_code = parse_id(site_code, "site code") if site_code else self._grammar.site_code
        until = cells[self._valid_until].strip()
        created = cells[self._created_at].strip()
        created_at = self._instant(created) if created else None
        if points is not None and points < 0:
            if until:
                raise InvalidValue(f"A redemption has no validity, but valid_until is {until!r}.")
            return RedeemPoints(
                customer_id, key, -points, None, reference_id, description, reason, created_at, site_code
            )
        valid_until = self._when(until) if until else None
        order_value = None if points is not None else self._parse_order_value(cells[self._order_value].strip())
        return AddPoints(
            customer_id,
            key,
            points,
            order_value,
            reference_id,
            description,
            reason,
            valid_until,
            created_at,
            site_code,
            factor=None if order_value is None else self._grammar.factor,
        )

    def _signed_points(self, cells: list[str]) -> int | None:
        """The points of a row, negative to redeem, 0 as a balance only; None where its order value decides."""
        text = cells[self._points].strip()
        operation = cells[self._operation].strip().casefold()
        redeems = operation in REDEEMING
        if operation and not redeems and operation not in ADDING:
            raise InvalidValue(f"The operation {operation!r} is neither add nor redeem.")
        if not text:
            if not cells[self._order_value].strip():
                raise InvalidValue("The row has no points.")
            if redeems:
                raise InvalidValue("An order value adds points; a redemption needs a number of points.")
            return None
        if text.isdigit() and text.isascii() and len(text) < 10:
            points = int(text)
            if points == 0 and not self._balance:
                raise _no_points(text)
        else:
            points = self._parse_points(text)
        if operation and points < 0:
            raise InvalidValue(f"The points {text} are negative.", "With an operation column points are positive.")
        return -points if redeems else points

    def _parse_points(self, text: str) -> int:
        match = _POINTS.fullmatch(self._with_decimal_point(text))
        if not match or not (0 if self._balance else 1) <= int(match[2]) <= MAX_POINTS:
            raise _no_points(text)
        return -int(match[2]) if match[1] == "-" else int(match[2])

    def _parse_order_value(self, text: str) -> Decimal:
        try:
            return parse_decimal(self._with_decimal_point(text), "order value")
        except InvalidValue as error:
            if "," in text and not self._grammar.decimal_comma:
                raise InvalidValue(error.message, "--decimal-comma reads numbers like 29,33.") from None
            raise

    def _with_decimal_point(self, text: str) -> str:
        if not self._grammar.decimal_comma:
            return text
        if "." in text:
            raise InvalidValue(f"{text!r} has a point where --decimal-comma allows only a comma.")
        return text.replace(",", ".")

    # -- what is wrong with a whole row or file --------------------------------------------------------

    def _wrong_width(self, row: list[str]) -> Reject:
        message = f"The row has {len(row)} of {self._width} cells."
        if len(row) >= self._width:
            surplus = ", ".join(repr(cell) for cell in row[self._named :])
            message = (
                f"The row has {len(row)} cells where the header has {self._named}; too many are {surplus[:500]}. "
                "A cell with the delimiter in it needs quotes."
            )
        return Reject("wrong_cell_count", message)

    def _check_constants(self, columns: Columns) -> None:
        checks: dict[str, Callable[[str], object]] = {
            "customer_id": parse_id,
            "points": self._parse_points,
            "order_value": self._parse_order_value,
            "valid_until": self._when,
            "created_at": self._instant,
            "reference_id": lambda text: parse_id(text, "reference id"),
            "site_code": lambda text: parse_id(text, "site code"),
            "description": lambda text: parse_text(text, "description"),
            "reason": lambda text: parse_text(text, "reason"),
        }
        for field, cell in columns.constants.items():
            text = cell.strip()
            if field == "operation" and text.casefold() not in ADDING | REDEEMING:
                raise InvalidValue(f"--set operation={text}: allowed are add and redeem.")
            if text and field in checks:
                try:
                    checks[field](text)
                except RpctlError as error:
                    raise InvalidValue(f"--set {field}={text}: {error.message}", error.hint) from None


def _no_key(what: str) -> Reject:
    # A key other than the one which this row will have in tomorrow's file would count the change twice.
    return Reject("key_missing", what)


def _no_points(text: str) -> InvalidValue:
    hint = f"Points are whole numbers from 1 to {MAX_POINTS}, with a minus to redeem."
    if re.fullmatch(r"[+-]?\d+,0{1,2}", text):
        hint = "--decimal-comma reads numbers like 5,0."
    return InvalidValue(f"{text!r} is not a number of points.", hint)
