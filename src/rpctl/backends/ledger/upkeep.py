"""The ledger as a file that someone looks after: facts, backup, restore, export."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from glob import escape
from itertools import count
from pathlib import Path
from typing import Any

from rpctl.backends.ledger.backend import LedgerBackend
from rpctl.backends.ledger.migrations import MIGRATIONS
from rpctl.backends.ledger.sql import faults, file
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
    with faults.translated(path):
        facts |= entries.counts()
    if not exists:
        facts["ledgerId"] = None
    if facts["lastRecordedAt"] is not None:
        facts["lastRecordedAt"] = format_instant(facts["lastRecordedAt"])
    return facts


def backup(backend: LedgerBackend, target: Path) -> int:
    """A consistent copy while others go on working: the size in bytes. Raises `OutputExists`, `LedgerUnusable`."""
    if not faults.exists(backend.path):
        raise LedgerUnusable(
            f"There is no ledger {backend.path} to back up.", "The first `rpctl points add` makes one."
        )
    file.copy_file(backend.tables()[0].connection, target, of=backend.path)
    return target.stat().st_size


def check_restore(backend: LedgerBackend, source: Path) -> None:
    """That `restore` would go through, found out without changing anything; the same errors."""
    _sound(source, backend.path).close()
    if faults.exists(backend.path):
        file.check_restorable(backend.path)


def restore(backend: LedgerBackend, source: Path) -> Path | None:
    """Makes the ledger what the backup is. What it was before is kept beside it: its path, or None where there
    was nothing.

    Raises `InvalidFile` for a backup that is not sound, and `LedgerUnusable` where something else than a ledger
    that may be written lies in the ledger's place; then nothing is changed. A damaged ledger is replaced.
    """
    path = backend.path
    with closing(_sound(source, path)) as sound:
        if not faults.exists(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with suppress(OutputExists):  # another process was first: what it made is kept
                file.copy_file(sound, path, of=source, noun="ledger")
                return None
        file.check_restorable(path)
        kept = _free_name(path, format_instant(backend.setting.clock()))
        try:
            file.open_untouched(path, "ledger").close()  # a damaged one keeps its log, which writing might drop
            ledger = backend.tables(write=True)[0].connection
            file.overwrite(sound, ledger, path, lambda: file.copy_committed(path, kept))
        except faults.LedgerDamaged:
            backend.close()
            kept = _free_name(path, format_instant(backend.setting.clock()))
            file.replace_damaged(sound, path, kept)
        backend.close()
    return kept


def _free_name(path: Path, at: str) -> Path:
    name = f"{path.name}.before-restore-{at.replace(':', '')}"
    names = (path.with_name(name + (f"-{number}" if number else "")) for number in count())
    return next(kept for kept in names if not faults.exists(kept))


def _sound(source: Path, path: Path) -> file.Connection:
    """The backup, opened. Raises `InvalidFile` where it is none, is damaged, or is the ledger itself."""
    with suppress(OSError):
        if source.samefile(path):
            raise InvalidFile(f"{source} is the ledger itself.", "Name a backup of it.")
    try:
        backup_file = file.open_untouched(source, "backup")
        with ExitStack() as until_sound:
            until_sound.callback(backup_file.close)
            with faults.translated(source, "backup"):
                found = file.integrity(backup_file)
            if found:
                raise InvalidFile(f"The backup {source} is damaged: {found[0]}.", "Try an older backup.")
            until_sound.pop_all()
    except LedgerUnusable as error:
        raise InvalidFile(error.message, "Name a file that `rpctl ledger backup` wrote.") from error
    return backup_file


def empty_log(backend: LedgerBackend) -> bool:
    """Finishes what the deletion of a customer could not while others read: takes erased text out of the log.

    True where nothing of a deleted customer can be in the log, now or already before.
    """
    if not faults.exists(backend.path) or not faults.is_writable(backend.path):
        return True
    entries = backend.tables()[0]
    return entries.truncate_log() or not entries.counts()["deletedCustomers"]


def copies_beside(path: Path) -> list[Path]:
    """Copies of the ledger that lie beside it and still hold whom a deletion erased: what restores kept, what
    upgrades left, with their logs. Copies under other names and in other places are not known."""
    kinds = ("before-restore-*", "v*.bak*")
    places = {path.absolute(), path.resolve()}
    found = {copy for place in places for kind in kinds for copy in place.parent.glob(f"{escape(place.name)}.{kind}")}
    return sorted(copy for copy in found if not copy.name.endswith("-shm"))


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
