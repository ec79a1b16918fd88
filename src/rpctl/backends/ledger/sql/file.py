"""The ledger file: made, opened, brought up to date, copied. Whatever is not ours is refused untouched.

A new ledger is built beside its place and linked into it when it is whole, so that many processes may start at
once and none ever sees half a ledger.
"""

from __future__ import annotations

import errno
import os
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from rpctl.backends.ledger.migrations import MIGRATIONS
from rpctl.backends.ledger.sql.faults import (
    BUSY_TIMEOUT_S,
    exists,
    is_writable,
    not_a_ledger,
    primary_code,
    read_only,
    translate,
    translated,
    unusable,
)
from rpctl.errors import LedgerBusy, LedgerUnusable, OutputExists, StorageFull

Connection = sqlite3.Connection
"""An open ledger, to those who need not know what it is."""

APPLICATION_ID: Final = 0x52504C47  # "RPLG", in the file's header at byte 68
_SLICE_MS: Final = 200
_CACHE_KIB, _BULK_CACHE_KIB = 2_000, 32_000
_LOG_PAGES, _BULK_LOG_PAGES = 1_000, 32_000  # SQLite's own, and some 128 MB
_MAGIC: Final = b"SQLite format 3\0"
_OF_THE_SOURCE: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_COMPANIONS: Final = ("-wal", "-journal")
_PENDING_BYTE, _LOCK_BYTES = 0x40000000, 512  # where SQLite's own locks lie in a database file
_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "fuse.sshfs", "ncpfs")


def open_file(path: Path, *, write: bool, migrations: Sequence[str] = MIGRATIONS) -> sqlite3.Connection:
    """A connection to an existing ledger, migrated to this program's version.

    Raises `LedgerUnusable` for what is no ledger, is newer, or cannot be opened or (with ``write``) written;
    such a file is not changed by a byte.
    """
    version = _check_header(path, len(migrations))
    writable = is_writable(path)
    if write and not writable:
        raise read_only(path)
    mode = "rw" if writable else "ro" if _wal(path).exists() else "ro&immutable=1"
    if not writable and version < len(migrations):
        raise LedgerUnusable(
            f"The ledger {path} is of version {version} and read-only, so it cannot be brought to "
            f"version {len(migrations)}.",
            "Make it writable once, or copy it to where it is.",
        )
    uri = f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}"
    with translated(path):
        try:
            return _open(uri, path, migrations if writable else ())
        except sqlite3.OperationalError as error:
            if write or not isinstance(translate(path, error), StorageFull):
                raise
            # No room for the memory that SQLite's users share: who locks the others out needs none.
            return _open(uri, path, migrations if writable else (), alone=True)


def _open(uri: str, path: Path, migrations: Sequence[str], *, alone: bool = False) -> sqlite3.Connection:
    connection = _connect(uri, alone=alone)
    try:
        if migrations:
            _migrate(connection, path, migrations)
    except BaseException:
        connection.close()
        raise
    return connection


def open_again(path: Path) -> sqlite3.Connection:
    """Another connection to a ledger that this process has open, to read from, much at a time.

    Only SQLite itself may open the file then: as soon as any other descriptor of it is closed, the system drops all
    locks that the process has on it, and whoever closes the ledger next would remove a log that is in use.
    """
    with translated(path):
        connection = _connect(f"file:{quote(os.fsencode(path.absolute()))}?mode=ro")
        connection.execute(f"PRAGMA cache_size = -{_BULK_CACHE_KIB // 2}")
        return connection


def open_untouched(path: Path, noun: str) -> sqlite3.Connection:
    """A ledger of any version this program knows, to read from; not a byte of it is changed.

    Raises `LedgerUnusable`.
    """
    _check_header(path, len(MIGRATIONS), noun)
    with translated(path, noun):
        mode = "ro" if _wal(path).exists() else "ro&immutable=1"
        connection = _connect(f"file:{quote(os.fsencode(path.absolute()))}?mode={mode}")
        try:
            if connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'meta'").fetchone() is None:
                raise not_a_ledger(path)
        except BaseException:
            connection.close()
            raise
    return connection


def check_restorable(path: Path) -> None:
    """That a backup may take the place of this ledger, damaged or not. Raises `LedgerUnusable`."""
    _check_header(path, len(MIGRATIONS))
    if not is_writable(path):
        raise read_only(path)


def overwrite(source: sqlite3.Connection, target: sqlite3.Connection, path: Path, keep: Callable[[], None]) -> None:
    """Makes ``target`` what ``source`` is, in one transaction; whoever has it open sees the new content next.

    ``keep`` is called once, when nobody can write any more and every other connection still reads the old
    content; what it raises leaves the ledger as it is.
    """
    deadline = time.monotonic() + BUSY_TIMEOUT_S
    kept = False

    def after_step(status: int, *_: int) -> None:
        nonlocal kept
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            if time.monotonic() > deadline:
                raise LedgerBusy(f"The ledger {path} was busy for {BUSY_TIMEOUT_S:.0f} seconds.")
        elif not kept:
            keep()
            kept = True

    with translated(path):
        # The first step takes the write lock, the last one commits. They must not be the same.
        pages = min(1024, source.execute("PRAGMA page_count").fetchone()[0] - 1)
        # Only with the log can others read the old content while this transaction is open.
        target.execute("PRAGMA journal_mode = WAL")
        with patience(target, _SLICE_MS):
            source.backup(target, pages=pages, progress=after_step, sleep=0.05)


def replace_damaged(source: sqlite3.Connection, path: Path, aside: Path) -> None:
    """Makes a ledger that SQLite cannot read what ``source`` is. Its bytes, and those of its log, are kept under
    the name ``aside``. Needs that this process has the ledger open nowhere.

    The file is written anew in its place: under another file of the same name, whoever waits for the old one
    would write the old one's log. Meanwhile SQLite's own lock keeps everybody out. Raises `LedgerBusy`.
    """
    import shutil

    try:
        place = path.resolve()
        with _beside(place) as new:
            with translated(path), closing(_connect(f"file:{quote(os.fsencode(new))}?mode=rw")) as copy:
                source.backup(copy)
                copy.execute("PRAGMA journal_mode = WAL")
            with place.open("r+b") as old, new.open("rb") as content:
                _lock_out(old.fileno(), path)
                for suffix in _COMPANIONS:
                    with suppress(FileNotFoundError), place.with_name(place.name + suffix).open("rb") as log:
                        _keep_bytes(log, aside.with_name(aside.name + suffix))
                _keep_bytes(old, aside)
                _sync_folder(aside.parent)
                for suffix in (*_COMPANIONS, "-shm"):
                    place.with_name(place.name + suffix).unlink(missing_ok=True)
                old.seek(0)
                shutil.copyfileobj(content, old, 1 << 20)
                old.truncate()
                old.flush()
                os.fsync(old.fileno())
    except OSError as error:
        raise unusable(path, error, "written") from error


def _lock_out(descriptor: int, path: Path) -> None:
    import fcntl

    deadline = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, _LOCK_BYTES, _PENDING_BYTE)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            if time.monotonic() > deadline:
                raise LedgerBusy(f"The ledger {path} was busy for {BUSY_TIMEOUT_S:.0f} seconds.") from None
            time.sleep(0.05)
        else:
            return


def _keep_bytes(source: BinaryIO, target: Path) -> None:
    import shutil

    descriptor = os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(descriptor, "wb") as copy:
        shutil.copyfileobj(source, copy, 1 << 20)
        copy.flush()
        os.fsync(descriptor)


def create_file(path: Path, migrations: Sequence[str] = MIGRATIONS) -> None:
    """Makes an empty ledger at ``path``, unless one came to be there meanwhile."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _beside(path) as new:
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


def copy_file(source: sqlite3.Connection, target: Path, *, of: Path, noun: str = "copy") -> None:
    """Writes a consistent copy of the ledger ``of``, 0600, that appears whole or not at all.

    Raises `OutputExists`; what goes wrong with the copy names it, by the ``noun`` too.
    """
    try:
        if exists(target):
            raise OutputExists(f"{target} is there already.")
        with _beside(target) as new:
            with translated(target, noun), closing(_connect(f"file:{quote(os.fsencode(new))}?mode=rw")) as copy:
                try:
                    source.backup(copy)
                except sqlite3.Error as error:
                    if primary_code(error) in _OF_THE_SOURCE:
                        raise translate(of, error) from error
                    raise
                copy.execute("PRAGMA journal_mode = WAL")
            _into_place(new, target, must_be_new=True)
    except OSError as error:
        raise unusable(target, error, "written", noun) from error


def copy_committed(path: Path, target: Path) -> None:
    """A copy of what is committed, while a connection of this process writes: SQLite copies nothing from that."""
    with translated(path), closing(_connect(f"file:{quote(os.fsencode(path.absolute()))}?mode=ro")) as committed:
        copy_file(committed, target, of=path)


def begin_writing(connection: sqlite3.Connection, *, leave_attached: bool = False, at_once: bool = False) -> None:
    """Begins a transaction that holds the write lock, waiting for its turn for up to 30 s, or hardly, ``at_once``;
    ``leave_attached``: not the locks of other databases that are attached to the connection.

    SQLite waits in slices: inside it Python sees no signal, and Ctrl-C must not be deaf for so long. A slice
    also begins with short naps, so that a single change finds the gap between two transactions of a long import.
    """
    deadline = time.monotonic() + (0 if at_once else BUSY_TIMEOUT_S)
    with patience(connection, _SLICE_MS):
        while True:
            try:
                if not leave_attached:
                    connection.execute("BEGIN IMMEDIATE")
                else:
                    connection.execute("BEGIN")
                    connection.execute("DELETE FROM main.meta WHERE false")  # takes the lock, and no row
            except sqlite3.OperationalError as error:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            else:
                return


@contextmanager
def for_bulk(connection: sqlite3.Connection) -> Iterator[None]:
    """The log is written back seldom while much is stored, and more of the file is kept in memory. What the tables
    demand of single rows is left unchecked: it takes a fifth of the time, and `ledger verify` checks it all."""
    connection.execute("PRAGMA foreign_keys = OFF")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute(f"PRAGMA cache_size = -{_BULK_CACHE_KIB}")
    connection.execute(f"PRAGMA wal_autocheckpoint = {_BULK_LOG_PAGES}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        connection.execute("PRAGMA ignore_check_constraints = OFF")
        connection.execute("PRAGMA foreign_keys = ON")
        with suppress(sqlite3.Error):  # what was committed is safe in the log
            connection.execute("PRAGMA wal_checkpoint")


@contextmanager
def patience(connection: sqlite3.Connection, milliseconds: int) -> Iterator[None]:
    """How long SQLite waits for others, for once."""
    connection.execute(f"PRAGMA busy_timeout = {milliseconds}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_S * 1000:.0f}")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """An empty file of our own, 0600, on the disk of ``path``; gone at the end with all SQLite puts beside it."""
    from rpctl.backends.ledger.workplace import workplace

    with workplace(path.parent) as place:
        new = place / "ledger.db"
        os.close(os.open(new, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        yield new


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
        f"{row[0]} row {'?' if row[1] is None else row[1]} points to a missing row of {row[2]}"
        for row in connection.execute("PRAGMA foreign_key_check")
    ]
    return found


def _connect(uri: str, *, alone: bool = False) -> sqlite3.Connection:
    # A bulk import stores in one thread what it books in another; they take turns.
    connection = sqlite3.connect(
        uri, timeout=BUSY_TIMEOUT_S, isolation_level=None, uri=True, cached_statements=64, check_same_thread=False
    )
    try:
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")  # before anything is read
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")
        # From the first entry on, whatever the build's default: a page that was split long before a customer is
        # deleted would keep a copy of the id in its free space.
        connection.execute("PRAGMA secure_delete = ON")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_header(path: Path, newest: int, noun: str = "ledger") -> int:
    try:
        if not stat.S_ISREG(path.stat().st_mode) and not path.is_dir():
            raise not_a_ledger(path)  # unread: a pipe would wait for ever
        with path.open("rb") as file:
            header = file.read(100)
    except OSError as error:
        raise unusable(path, error, "read", noun) from error
    if header[:16] != _MAGIC or len(header) < 100 or int.from_bytes(header[68:72], "big") != APPLICATION_ID:
        raise not_a_ledger(path)
    version = int.from_bytes(header[60:64], "big")
    if version > newest:
        raise LedgerUnusable(
            f"The {noun} {path} is of version {version}; this rpctl knows versions up to {newest}.",
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
    copy_committed(path, next(name for name in names if not exists(name)))


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
    for log in (_wal(path), _wal(path).with_name(path.resolve().name + "-journal")):
        if log.exists() and not exists(path):  # in this order: whoever makes the file makes its log after it
            raise LedgerUnusable(
                f"{log} is the log of a ledger that is gone; SQLite would read it into the new file {path}.",
                "Bring back the file that it belongs to, or move the log away.",
            )
    try:
        os.link(new, path)
    except FileExistsError:
        if must_be_new:
            raise OutputExists(f"{path} is there already.") from None
    except OSError:  # a file system without hard links
        if not path.exists():
            new.rename(path)
    _sync_folder(path.parent)  # or a power failure could take the file away from under its first entries


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _wal(path: Path) -> Path:
    place = path.resolve()  # SQLite keeps its log beside the file, not beside a link to it
    return place.with_name(place.name + "-wal")
