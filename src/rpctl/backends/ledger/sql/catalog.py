"""Redeem options, coupons and programs: their SQL."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from rpctl.domain.program import Program
from rpctl.domain.redeem_options import Coupon, Document, RedeemOption
from rpctl.domain.values import Instant, format_instant
from rpctl.errors import OptionExists, OptionNotFound, StaleVersion


class Catalog:
    """The other tables of one open ledger."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    # -- redeem options and coupons --------------------------------------------------------------------

    def options(self) -> list[RedeemOption]:
        """All options in the order of their making."""
        sql = "SELECT id, version, created_at, modified_at, document FROM redeem_options ORDER BY rowid"
        return [_option(row) for row in self.connection.execute(sql)]

    def option(self, option_id: str) -> RedeemOption:
        """One option. Raises `OptionNotFound`."""
        sql = "SELECT id, version, created_at, modified_at, document FROM redeem_options WHERE id = ?"
        row = self.connection.execute(sql, (option_id,)).fetchone()
        if row is None:
            raise OptionNotFound(f"There is no redeem option {option_id}.")
        return _option(row)

    def insert_option(self, option_id: str, document: Document, now: Instant) -> None:
        """A new option of version 1. Raises `OptionExists`."""
        if self.connection.execute("SELECT 1 FROM redeem_options WHERE id = ?", (option_id,)).fetchone():
            raise OptionExists(f"A redeem option {option_id} exists.")
        self.connection.execute(
            "INSERT INTO redeem_options VALUES (?, 1, ?, ?, ?)", (option_id, now, now, _dump(document))
        )

    def update_option(self, option_id: str, version: int, document: Document, now: Instant) -> None:
        """The option anew, if its version is still this one. Raises `OptionNotFound`, `StaleVersion`."""
        current = self.option(option_id).version
        if current != version:
            raise StaleVersion(
                f"Redeem option {option_id} is at version {current}; the update was made from version {version}.",
                currentVersion=current,
                sentVersion=version,
            )
        self.connection.execute(
            "UPDATE redeem_options SET version = version + 1, modified_at = ?, document = ? WHERE id = ?",
            (now, _dump(document), option_id),
        )

    def delete_option(self, option_id: str) -> None:
        """Removes an option. Raises `OptionNotFound`."""
        if self.connection.execute("DELETE FROM redeem_options WHERE id = ?", (option_id,)).rowcount == 0:
            raise OptionNotFound(f"There is no redeem option {option_id}.")

    def insert_coupons(self, coupons: Iterable[tuple[str, int, str, Instant, Document]]) -> None:
        """Issued coupons: code, the redemption's place, option, when, document."""
        self.connection.executemany(
            "INSERT INTO coupons VALUES (?, ?, ?, ?, ?)", [(*row[:4], _dump(row[4])) for row in coupons]
        )

    def coupon_code(self, redemption: int) -> str | None:
        """The code of the coupon that a redemption paid for."""
        row = self.connection.execute("SELECT code FROM coupons WHERE redemption = ?", (redemption,)).fetchone()
        return str(row[0]) if row else None

    def coupon(self, code: str) -> Coupon:
        """A coupon by its code."""
        sql = "SELECT code, option_id, document FROM coupons WHERE code = ?"
        code, option_id, text = self.connection.execute(sql, (code,)).fetchone()
        document = json.loads(text)
        return Coupon(code, option_id, document.get("issuedTo", ""), document)

    def forget(self, customer_id: str, stand_in: str, now: Instant) -> None:
        """Puts ``stand_in`` in a deleted customer's place wherever an option or coupon names the customer.

        A name in ``validFor`` is not just taken out: a list without names would open the coupon to everybody.
        """
        needle = _dump(customer_id)
        for table, name in (("redeem_options", "id"), ("coupons", "code")):
            sql = f"SELECT {name}, document FROM {table} WHERE instr(document, ?)"
            for key, text in self.connection.execute(sql, (needle,)).fetchall():
                document = json.loads(text)
                forgotten = _without(document, customer_id, stand_in)
                if forgotten == document:
                    continue
                sql = f"UPDATE {table} SET document = ? WHERE {name} = ?"
                self.connection.execute(sql, (_dump(forgotten), key))
                if table == "redeem_options":
                    sql = "UPDATE redeem_options SET version = version + 1, modified_at = ? WHERE id = ?"
                    self.connection.execute(sql, (now, key))

    # -- programs --------------------------------------------------------------------------------------

    def program(self, site_code: str) -> Program:
        """A site's settings, or the defaults."""
        row = self.connection.execute(
            "SELECT enabled, factor, validity_months, code_prefix FROM programs WHERE site_code = ?", (site_code,)
        ).fetchone()
        if row is None:
            return Program(site_code)
        return Program(site_code, bool(row[0]), Decimal(row[1]), row[2], row[3], configured=True)

    def save_program(self, program: Program) -> None:
        """A site's settings as they are now."""
        self.connection.execute(
            "INSERT OR REPLACE INTO programs VALUES (?, ?, ?, ?, ?)",
            (
                program.site_code,
                program.enabled,
                f"{program.factor:f}",
                program.validity_months,
                program.code_prefix,
            ),
        )


def _dump(document: Document | str) -> str:
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))


def _without(document: Any, customer_id: str, stand_in: str) -> Any:
    """The document with ``issuedTo`` and ``validFor`` naming the stand-in in the customer's place."""
    if not isinstance(document, dict):
        return document
    changed = {name: _without(value, customer_id, stand_in) for name, value in document.items()}
    if changed.get("issuedTo") == customer_id:
        changed["issuedTo"] = stand_in
    if isinstance(names := changed.get("validFor"), list):
        changed["validFor"] = [stand_in if name == customer_id else name for name in names]
    return changed


def _option(row: tuple[Any, ...]) -> RedeemOption:
    option_id, version, created_at, modified_at, text = row
    kept = json.loads(text)
    metadata = {
        **kept.pop("metadata", {}),
        "version": version,
        "createdAt": format_instant(created_at),
        "modifiedAt": format_instant(modified_at),
    }
    return RedeemOption(option_id, version, {"id": option_id, **kept, "metadata": metadata})
