"""Which column of a header is which field of a change: native names, other products' names, what was typed.

Names are compared without letter case, spaces, underscores and hyphens. This module sees headers only, never rows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rpctl.errors import InvalidFile, InvalidValue
from rpctl.importing.products import ALIASES, BALANCES, BESIDE, WITHOUT_COUNTERPART

FIELDS: Final = (
    "customer_id",
    "points",
    "order_value",
    "operation",
    "reference_id",
    "description",
    "reason",
    "valid_until",
    "created_at",
    "site_code",
    "key",
)
"""The native header; ``customer_id`` and one of ``points`` and ``order_value`` are required."""

REJECT_COLUMNS: Final = ("line", "error_code", "error")
"""What a rejects file adds besides the key: read over, so that a corrected one is imported as it is."""

OPTIONS_COLUMN: Final = "options: "
"""How the name of the column begins by which a rejects file says how it is to be read."""

_NATIVE: Final = {name.replace("_", ""): name for name in FIELDS}
_READ_OVER: Final = {name.replace("_", "") for name in REJECT_COLUMNS}
_SHOWN: Final = 12
_BETWEEN_WORDS: Final = re.compile(r"[\s_-]+")


@dataclass(frozen=True, slots=True)
class Columns:
    """A header that was understood.

    ``positions``: field -> index of its column, from 0; ``constants``: field -> the cell that every row has;
    ``notes``: readings that the user should know of, a sentence each; ``by_action``: the description was
    found under the name ``Action``, which elsewhere holds operations; ``key_from``: the name as typed and the
    index of every cell from which the rows' keys come, constants counted on behind the last column;
    ``of_rejects``: it is the header of a rejects file, whose rows bring their keys along; ``balance``: the points
    are those that a customer has, so that 0 is no change; ``nameless``: so many columns at the end have no name and
    must be empty, as behind a delimiter at the end of every line.
    """

    header: tuple[str, ...]
    positions: Mapping[str, int]
    constants: Mapping[str, str]
    notes: tuple[str, ...] = ()
    by_action: bool = False
    key_from: tuple[tuple[str, int], ...] = ()
    of_rejects: bool = False
    balance: bool = False
    nameless: int = 0

    def keys(self, rows: int, keyless: int) -> str:
        """Where the rows' keys come from, as an import run remembers it: nothing for the content of the file, which is
        also where they come from if more than half of the cells in a column of keys are empty."""
        if "key" in self.positions:
            return "given" if 2 * keyless <= rows else ""
        return "from " + ",".join(sorted(squeeze(name) for name, _ in self.key_from)) if self.key_from else ""


def squeeze(name: str) -> str:
    """A column's name as it is compared: without letter case, spaces, underscores and hyphens."""
    return _BETWEEN_WORDS.sub("", name).casefold()


def known_names(header: Sequence[str], mapping: Mapping[str, str]) -> int:
    """How many of these names could be columns of ours; tells the right delimiter from the wrong ones."""
    typed = {squeeze(column) for column in mapping.values()} | BESIDE.keys()
    return sum(
        name in typed or name in _NATIVE or name in ALIASES or name in _READ_OVER or name in WITHOUT_COUNTERPART
        for name in {squeeze(name) for name in header if name.strip()}
    )


def is_of_rejects(header: Sequence[str]) -> bool:
    """Whether a rejects file has this header."""
    return _READ_OVER.issubset(map(squeeze, header))


def check_fields(named: Mapping[str, str], option: str) -> dict[str, str]:
    """``field=...`` of an option by the fields' native names. Raises `InvalidValue` for an unknown field."""
    checked: dict[str, str] = {}
    for name, value in named.items():
        field = _NATIVE.get(squeeze(name))
        if field is None:
            raise InvalidValue(f"{option} {name}=...: there is no field {name!r}.", f"Fields are {', '.join(FIELDS)}.")
        if field in checked:
            raise InvalidValue(f"{option} names the field {field} twice.")
        checked[field] = value
    return checked


def understand(
    header: Sequence[str],
    mapping: Mapping[str, str],
    constants: Mapping[str, str],
    *,
    ignore_extra: bool = False,
    key_from: Sequence[str] = (),
) -> Columns:
    """The columns of a header.

    ``mapping``: field -> column name (beats a native name, which beats another product's name);
    ``constants``: field -> cell, in place of any column; ``ignore_extra``: unknown columns are left out;
    ``key_from``: the fields or columns whose cells make a row's key. A field's name means the column that is read
    as this field, any other one a column by its name, which need not be known otherwise.
    Raises `InvalidValue` for an unknown field or a contradiction between options, `InvalidFile` for a
    repeated column, two columns for one field, an unknown column, and a required one that is missing.
    """
    mapping, constants = check_fields(mapping, "--map"), check_fields(constants, "--set")
    _check_contradictions(mapping, constants, key_from)
    names = [name.strip() for name in header]
    _check_repeated(names)
    if "key" in mapping and is_of_rejects(names) and _brings_keys(names, mapping):
        del mapping["key"]  # the keys of its rows are in it, and after --again they are not those of that column
    search = _Search(names, constants)
    for field, column in mapping.items():
        search.positions[field] = at = _find(column, names, f"--map {field}={column}")
        if squeeze(names[at]) in _READ_OVER:
            raise InvalidFile(
                f"--map {field}={column}: a rejects file has a column {names[at]} of its own.",
                "Give the column another name in the file.",
            )
    search.claim_native()
    search.find_key_columns(key_from)
    extra = search.claim_aliases()
    of_rejects = is_of_rejects(names)
    nameless = 0 if ignore_extra else search.leave_out(extra)
    _check_required(names, search.positions.keys() | constants.keys())
    if key_from and "key" in search.positions and not of_rejects:
        raise InvalidFile(
            f"The column {names[search.positions['key']]} holds keys, and --key-from gives the rows others.",
            "Leave --key-from out, or give the column another name.",
        )
    points = search.positions.get("points")
    return Columns(
        tuple(header),
        search.positions,
        constants,
        tuple(search.notes),
        search.by_action,
        search.key_sources(key_from),
        of_rejects and "key" in search.positions,
        balance=points is not None and search.squeezed[points] in BALANCES,
        nameless=nameless,
    )


class _Search:
    """The search for fields in one header: first the native names, then other products'."""

    def __init__(self, names: list[str], constants: Mapping[str, str]) -> None:
        self.names = names
        self.squeezed = [squeeze(name) for name in names]
        self.constants = constants
        self.positions: dict[str, int] = {}
        self.notes: list[str] = []
        self.by_action = False
        self.key_columns: dict[str, int] = {}

    def find_key_columns(self, key_from: Sequence[str]) -> None:
        """Finds those sources of the rows' keys that are named as columns and not as fields."""
        for name in key_from:
            if squeeze(name) not in _NATIVE:
                self.key_columns[name] = _find(name, self.names, f"--key-from {name}")

    def key_sources(self, key_from: Sequence[str]) -> tuple[tuple[str, int], ...]:
        """The sources of the rows' keys, each as it was named and where it stands."""
        constants = {field: len(self.names) + at for at, field in enumerate(self.constants)}
        sources = dict(self.key_columns)
        for name in key_from:
            field = _NATIVE.get(squeeze(name))
            if field is not None and field not in self.positions and field not in constants:
                raise InvalidFile(
                    f"--key-from {name}: the file has no column for {field}.",
                    f"Its columns are {', '.join(name for name in self.names if name)}.",
                )
            if field is not None:
                sources[name] = self.positions.get(field, constants.get(field, 0))
        if len(set(sources.values())) < len(key_from):
            raise InvalidValue(f"--key-from {','.join(key_from)} names a column twice.")
        if sources and min(sources.values()) >= len(self.names):
            raise InvalidValue(
                f"--key-from {','.join(key_from)}: --set gives this to every row, so all would have the same key.",
                "A key stands for one change.",
            )
        return tuple(sources.items())

    def claim_native(self) -> None:
        """Gives native columns their fields, unless something that was typed did."""
        typed = dict(self.positions)
        for at, squeezed in enumerate(self.squeezed):
            field = _NATIVE.get(squeezed)
            if field is None:
                continue
            if at in typed.values():
                if typed.get(field) != at:
                    others = ", ".join(name for name, index in typed.items() if index == at)
                    self.notes.append(f"Column {self.names[at]} is read as {others}, not as {field}.")
            elif field in typed or field in self.constants:
                self.notes.append(f"Column {self.names[at]} is not read: {field} was given on the command line.")
            else:
                self._claim(field, at)

    def claim_aliases(self) -> list[int]:
        """Gives other products' columns their fields where they are still free; returns who is nobody's."""
        settled = self.positions.keys() | self.constants.keys()
        taken = set(self.positions.values())
        extra = []
        for at, squeezed in enumerate(self.squeezed):
            if at in taken or squeezed in _NATIVE or squeezed in _READ_OVER:
                continue
            if self.names[at].startswith(OPTIONS_COLUMN) and is_of_rejects(self.names):
                continue
            field = self._meaning(squeezed)
            if field in settled:
                self.notes.append(f"Column {self.names[at]} is not read: {field} has a column or value of its own.")
            elif field is not None:
                self._claim(field, at)
                self.by_action |= squeezed == "action"
                nothing = "; rows with 0 are skipped" if squeezed in BALANCES else ""
                self.notes.append(f"Column {self.names[at]} is read as {field}{nothing}.")
            elif at in self.key_columns.values():
                continue
            elif squeezed in WITHOUT_COUNTERPART or self._is_beside(squeezed):
                self.notes.append(f"Column {self.names[at]} has no counterpart and is not read.")
            else:
                extra.append(at)
        return extra

    def leave_out(self, extra: list[int]) -> int:
        """Leaves out of those columns what nobody misses, last ones without a name, and returns how many these are.
        Raises `InvalidFile` for any other, but in a rejects file: there it was left out once."""
        names, nameless = self.names, 0
        while extra and extra[-1] == len(names) - 1 - nameless and not names[extra[-1]]:
            nameless += 1
            extra = extra[:-1]
        if extra and is_of_rejects(names):
            self.notes.append(f"Not read: {', '.join(names[at] or f'column {at + 1}' for at in extra)}.")
        elif extra:
            shown = ", ".join(names[at][:60] or f"(column {at + 1} has no name)" for at in extra[:_SHOWN])
            shown += f" and {len(extra) - _SHOWN} more" if len(extra) > _SHOWN else ""
            raise InvalidFile(
                f"The file has columns that rpctl does not know: {shown}.",
                "--map FIELD=COLUMN gives a column a meaning, --ignore-extra leaves it out; "
                f"fields are {', '.join(FIELDS)}.",
            )
        return nameless

    def _meaning(self, squeezed: str) -> str | None:
        return BESIDE[squeezed][0] if self._is_beside(squeezed) else ALIASES.get(squeezed)

    def _is_beside(self, squeezed: str) -> bool:
        return squeezed in BESIDE and not BESIDE[squeezed][1].isdisjoint(self.squeezed)

    def _claim(self, field: str, at: int) -> None:
        if field in self.positions:
            first = self.names[self.positions[field]]
            raise InvalidFile(
                f"Two columns are for {field}: {first} and {self.names[at]}.",
                f"Say which with --map {field}=COLUMN.",
            )
        self.positions[field] = at


def _check_contradictions(mapping: Mapping[str, str], constants: Mapping[str, str], key_from: Sequence[str]) -> None:
    for field in mapping.keys() & constants.keys():
        raise InvalidValue(f"The field {field} is given by --map and by --set.", "Leave one of them out.")
    if "key" in constants:
        raise InvalidValue("--set key=... would give every row the same key.", "A key stands for one change.")
    if key_from and "key" in mapping:
        raise InvalidValue("--key-from and --map key=... both give the rows their keys.", "Leave one of them out.")
    if "key" in map(squeeze, key_from):
        raise InvalidValue("--key-from key: a column with keys is used without being named.", "Leave it out.")


def _check_repeated(names: list[str]) -> None:
    seen = set()
    for name in names:
        if name and name in seen:
            raise InvalidFile(f"The header has the column {name} twice.", "Rename or remove one of them.")
        seen.add(name)


def _brings_keys(names: list[str], mapping: Mapping[str, str]) -> bool:
    """Whether a rejects file has its own column of keys: ``key``, unless that was read as something else."""
    others = {squeeze(column) for field, column in mapping.items() if field != "key"}
    return bool({"idempotencykey", "key"}.difference(others).intersection(map(squeeze, names)))


def _find(column: str, names: list[str], option: str) -> int:
    wanted = column.strip()
    if wanted in names and wanted:
        return names.index(wanted)
    alike = [at for at, name in enumerate(names) if name and squeeze(name) == squeeze(wanted)]
    if len(alike) != 1:
        raise InvalidFile(
            f"{option}: the file has no column {column!r}.",
            f"Its columns are {', '.join(name for name in names if name)}.",
        )
    return alike[0]


def _check_required(names: list[str], given: set[str]) -> None:
    missing = None
    if "customer_id" not in given:
        missing = "customer_id"
    elif not given & {"points", "order_value"}:
        missing = "points"
    if missing:
        instead = " (or order_value)" if missing == "points" else ""
        raise InvalidFile(
            f"The file has no column for {missing}{instead}; its columns are {', '.join(names)}.",
            f"--map {missing}=COLUMN says which one it is.",
        )
