"""The ledger file: made, opened, brought up to date, copied. Whatever is not ours is refused untouched.

A new ledger is built beside its place and linked into it when it is whole, so that many processes may start at
once and none ever sees half a ledger.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import quote

from rpctl.backends.ledger.migrations import MIGRATIONS
from rpctl.errors import LedgerBusy, LedgerUnusable, OutputExists, RpctlError, StorageFull

APPLICATION_ID: Final = 0x52504C47  # "RPLG", in the file's header at byte 68
BUSY_TIMEOUT_S: Final = 30.0
_SLICE_MS: Final = 200
_MAGIC: Final = b"SQLite format 3\0"
_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "fuse.sshfs", "ncpfs")


def open_file(path: Path, *, write: bool, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """A connection to an existing ledger, migrated to this program's version.

    Raises `LedgerUnusable` for what is no ledger, is newer, or cannot be opened or (with ``write``) written;
    such a file is not changed by a byte.
    """
    version = _check_header(path, len(migrations))
    writable = is_writable(path)
    if write and not writable:
        raise LedgerUnusable(
            f"The ledger {path} is read-only.",
            "Check the permissions of the file and its folder, or name another ledger with --ledger FILE.",
        )
    mode = "rw" if writable else "ro" if _wal(path).exists() else "ro&immutable=1"
    with translated(path):
        connection = _connect(f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}")
        try:
            if writable:
                _migrate(connection, path, migrations)
            elif version < len(migrations):
                raise LedgerUnusable(
                    f"The ledger {path} is of version {version} and read-only, so it cannot be brought to "
                    f"version {len(migrations)}.",
                    "Make it writable once, or copy it to where it is.",
                )
        except BaseException:
            connection.close()
            raise
    return connection


def is_writable(path: Path) -> bool:
    """Whether the system lets us write the ledger, and beside it, where SQLite keeps its log."""
    return all(os.access(place, os.W_OK, effective_ids=True) for place in (path, path.parent))


def open_untouched(path: Path) -> sqlite3.Connection:
    """A ledger of any version this program knows, to read from; not a byte of it is changed.

    Raises `LedgerUnusable`.
    """
    _check_header(path, len(MIGRATIONS))
    with translated(path):
        mode = "ro" if _wal(path).exists() else "ro&immutable=1"
        return _connect(f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}")


def overwrite(source: sqlite3.Connection, target: sqlite3.Connection, path: Path) -> None:
    """Makes ``target`` what ``source`` is, in one transaction; whoever has it open sees the new content next."""
    deadline = time.monotonic() + BUSY_TIMEOUT_S

    def give_up(status: int, *_: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise LedgerBusy(f"The ledger {path} was busy for {BUSY_TIMEOUT_S:.0f} seconds.")

    with translated(path):
        source.backup(target, progress=give_up, sleep=0.05)


def set_aside(path: Path, name: str) -> Path:
    """Moves a file that is in the way, with what SQLite keeps beside it, to ``name`` in its folder."""
    aside = path.with_name(name)
    for suffix in ("-wal", "-shm", ""):
        old = path.with_name(path.name + suffix)
        if old.exists():
            old.rename(aside.with_name(name + suffix))
    return aside


def create_file(path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Makes an empty ledger at ``path``, unless one came to be there meanwhile."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with beside(path) as new:
            with translated(path), closing(_connect(f"file:{quote(os.fsencode(new))}?mode=rw")) as connection:
                _create(connection, migrations)
            _into_place(new, path)
    except OSError as error:
        raise unusable(path, error, "made") from error


def in_memory(migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """An empty ledger that lives as long as the connection."""
    connection = _connect(":memory:")
    _create(connection, migrations)
    return connection


def copy_file(source: sqlite3.Connection, target: Path) -> None:
    """Writes a consistent copy, 0600, that appears whole or not at all. Raises `OutputExists`."""
    if target.exists():
        raise OutputExists(f"{target} is there already.")
    try:
        with beside(target) as new:
            with translated(target), closing(_connect(f"file:{quote(os.fsencode(new))}?mode=rw")) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = WAL")
            _into_place(new, target, must_be_new=True)
    except OSError as error:
        raise unusable(target, error, "written") from error


def begin_writing(connection: sqlite3.Connection) -> None:
    """Begins a transaction that holds the write lock, waiting for its turn for up to 30 s.

    SQLite waits in slices: inside it Python sees no signal, and Ctrl-C must not be deaf for so long. A slice
    also begins with short naps, so that a single change finds the gap between two batches of a long import.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    connection.execute(f"PRAGMA busy_timeout = {_SLICE_MS}")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            else:
                return
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """An empty file of our own, 0600, in the folder of ``path``; gone at the end with all SQLite puts beside it."""
    new = path.absolute().with_name(f".{path.name}.{os.urandom(6).hex()}.new")
    os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    try:
        yield new
    finally:
        for leftover in (new, _wal(new), new.with_name(new.name + "-shm"), new.with_name(new.name + "-journal")):
            leftover.unlink(missing_ok=True)


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Turns SQLite's errors into ours, the most specific first."""
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(path, error) from error


def unusable(path: Path, error: OSError, what: str) -> RpctlError:
    """The error for a file that the system would not let us make or write."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StorageFull(f"The disk of {path} is full.")
    return LedgerUnusable(
        f"The ledger {path} cannot be {what}: {os.strerror(error.errno or 0)}.",
        "Check the permissions of its folder, or name another ledger with --ledger FILE.",
    )


def network_file_system(path: Path) -> str | None:
    """The kind of network file system that holds ``path``, or None: locks are not safe on most of them."""
    best, kind = "", None
    with suppress(OSError):
        where = str(path.absolute())
        for line in Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines():
            _, mount, system, *_ = line.split(" ")
            if (where == mount or where.startswith(mount.rstrip("/") + "/")) and len(mount) >= len(best):
                best, kind = mount, system
    return kind if kind and kind.startswith(_NETWORK) else None


def integrity(connection: sqlite3.Connection) -> list[str]:
    """What SQLite itself finds wrong with the file; empty when sound."""
    found = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(20)")]
    found = [] if found == ["ok"] else found
    found += [
        f"{row[0]} row {row[1]} points to a missing row of {row[2]}"
        for row in connection.execute("PRAGMA foreign_key_check")
    ]
    return found


def _connect(uri: str) -> sqlite3.Connection:
    connection = sqlite3.connect(uri, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=True, cached_statements=64)
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _check_header(path: Path, newest: int) -> int:
    try:
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise unusable(path, error, "read") from error
    if header[:16] != _MAGIC or len(header) < 100 or int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise LedgerUnusable(
            f"{path} is not an rpctl ledger.", "It was left as it is. Name another file with --ledger FILE."
        )
    version = int.from_bytes(header[60:64], "big")
    if version > newest:
        raise LedgerUnusable(
            f"The ledger {path} is of version {version}; this rpctl knows versions up to {newest}.",
            "It was left as it is. Install the newer rpctl that wrote it.",
        )
    return version


def _create(connection: sqlite3.Connection, migrations: Sequence[str]) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.executescript(_script(migrations, 0))
    connection.executemany(
        "INSERT INTO meta (name, value) VALUES (?, ?)",
        [("ledger_id", os.urandom(16).hex()), ("key_secret", os.urandom(32))],
    )


def _migrate(connection: sqlite3.Connection, path: Path, migrations: Sequence[str]) -> None:
    version = _version(connection)
    if version == len(migrations):
        return
    if version > len(migrations):
        raise LedgerUnusable(
            f"The ledger {path} is of version {version}; this rpctl knows versions up to {len(migrations)}.",
            "Install the newer rpctl that wrote it.",
        )
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)  # another process may have taken the step meanwhile
        if version < len(migrations):
            _back_up(path, version)
            for statement in _statements(_script(migrations, version, transaction=False)):
                connection.execute(statement)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _back_up(path: Path, version: int) -> None:
    """A copy beside the ledger. Those of other days are kept: what was booked since would be in none."""
    names = (path.with_name(f"{path.name}.v{version}.bak{number or ''}") for number in count())
    # A connection of its own, because SQLite copies nothing from one that is about to write.
    with closing(_connect(f"file:{quote(os.fsencode(path.absolute()))}?mode=ro")) as committed:
        copy_file(committed, next(name for name in names if not name.exists()))


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _script(migrations: Sequence[str], version: int, *, transaction: bool = True) -> str:
    body = "\n".join(migrations[version:]) + f"\nPRAGMA user_version = {len(migrations)};"
    return f"BEGIN;\n{body}\nCOMMIT;" if transaction else body


def _statements(script: str) -> Iterator[str]:
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _into_place(new: Path, path: Path, *, must_be_new: bool = False) -> None:
    try:
        os.link(new, path)
    except FileExistsError:
        if must_be_new:
            raise OutputExists(f"{path} is there already.") from None
    except OSError:  # a file system without hard links
        if not path.exists():
            new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # or a power failure could take the file away from under its first entries
    finally:
        os.close(folder)


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _translate(path: Path, error: sqlite3.Error) -> RpctlError:
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return LedgerBusy(f"The ledger {path} was busy for {BUSY_TIMEOUT_S:.0f} seconds.")
    full = code == sqlite3.SQLITE_FULL
    if full or (code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN) and _is_full(path)):
        return StorageFull(f"The disk of the ledger {path} is full.")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return LedgerUnusable(
            f"The ledger {path} is damaged: {error}.",
            "Keep it as it is; `rpctl ledger restore FILE` brings back a backup.",
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR):
        return LedgerUnusable(
            f"The ledger {path} cannot be opened or written: {error}.",
            "Check the permissions of the file and its folder, or name another ledger with --ledger FILE.",
        )
    raise error


def _is_full(path: Path) -> bool:
    with suppress(OSError):
        room = os.statvfs(path.parent)
        return room.f_bavail * room.f_frsize < 65_536
    return False
