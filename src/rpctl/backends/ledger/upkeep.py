"""The ledger as a file that someone looks after: facts, backup, restore, export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from rpctl.backends.ledger.backend import LedgerBackend
from rpctl.backends.ledger.migrations import MIGRATIONS
from rpctl.backends.ledger.sql import file
from rpctl.backends.ledger.sql.entries import ADDED, ERASED, Entries
from rpctl.domain.values import NEVER, Instant, format_instant
from rpctl.errors import InvalidFile, LedgerUnusable, OutputExists

_TYPES = {ADDED: "added", ERASED: "erased"}


def info(backend: LedgerBackend) -> dict[str, Any]:
    """Where the ledger is, how large, and what is in it."""
    path = backend.path
    exists = path.exists()
    facts: dict[str, Any] = {
        "schema": "rpctl.ledger-info/1",
        "path": str(path),
        "exists": exists,
        "sizeBytes": path.stat().st_size if exists else 0,
        "version": len(MIGRATIONS),
        "networkFileSystem": file.network_file_system(path),
    }
    entries, _ = backend.tables()
    with file.translated(path):
        facts |= entries.counts()
    if not exists:
        facts["ledgerId"] = None
    if facts["lastRecordedAt"] is not None:
        facts["lastRecordedAt"] = format_instant(facts["lastRecordedAt"])
    return facts


def backup(backend: LedgerBackend, target: Path) -> int:
    """A consistent copy while others go on working: the size in bytes. Raises `OutputExists`, `LedgerUnusable`."""
    if not backend.path.exists():
        raise LedgerUnusable(
            f"There is no ledger {backend.path} to back up.", "The first `rpctl points add` makes one."
        )
    file.copy_file(backend.tables()[0].connection, target)
    return target.stat().st_size


def restore(backend: LedgerBackend, source: Path) -> Path | None:
    """Makes the ledger what the backup is. What it was before is kept beside it: its path, or None where there
    was nothing. Raises `InvalidFile` for a backup that is not sound; then nothing is changed."""
    with closing(_sound(source)) as backup_file:
        path = backend.path
        if not path.exists():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            file.copy_file(backup_file, path)
            return None
        if source.samefile(path):
            raise InvalidFile(f"{source} is the ledger itself.", "Name a backup of it.")
        name = f"{path.name}.before-restore-{format_instant(backend.setting.clock()).replace(':', '')}"
        try:
            entries, _ = backend.tables(write=True)
            aside = path.with_name(name)
            file.copy_file(entries.connection, aside)
        except OutputExists:
            raise
        except LedgerUnusable:  # damaged, or no ledger at all: what a backup is for
            aside = file.set_aside(path, name)
            file.copy_file(backup_file, path)
            return aside
        file.overwrite(backup_file, entries.connection, path)
        backend.close()
    return aside


def _sound(source: Path) -> Any:
    try:
        connection = file.open_untouched(source)
        with file.translated(source):
            found = file.integrity(connection)
    except LedgerUnusable as error:
        raise InvalidFile(error.message, "Name a file that `rpctl ledger backup` wrote.") from error
    if found:
        connection.close()
        raise InvalidFile(f"The backup {source} is damaged: {found[0]}.", "Try an older backup.")
    return connection


def export(backend: LedgerBackend) -> Iterator[dict[str, Any]]:
    """Every entry in recording order with all that is recorded of it, streamed; digests in hexadecimal."""
    entries = backend.tables()[0]  # now: what is no ledger is refused before a header is written
    return _exported(entries)


def _exported(entries: Entries) -> Iterator[dict[str, Any]]:
    for customer_id, who, version, run, row in entries.export():
        yield {
            "position": row.seq,
            "customerId": customer_id,
            "type": _TYPES.get(row.kind, "redeemed"),
            "id": None if row.kind == ERASED else row.entry_id,
            "points": row.points,
            "createdAt": _moment(row.created_at),
            "validUntil": _moment(row.valid_until),
            "usedPoints": None if row.remaining is None else row.points - row.remaining,
            "allPointsAfterCreation": row.balance_after,
            "reference-id": row.reference_id,
            "description": row.description,
            "reason": row.reason,
            "siteCode": row.site_code,
            "reversesPosition": row.reverses,
            "recordedAt": _moment(row.recorded_at),
            "recordedBy": who,
            "rpctlVersion": version,
            "importRun": run,
            "keyDigest": row.key.hex(),
            "entryDigest": row.digest.hex(),
        }


def _moment(instant: Instant | None) -> str | None:
    return None if instant is None or instant >= NEVER else format_instant(instant)
