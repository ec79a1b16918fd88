"""The journal: a row for each change that is sent to a service, written before the request leaves.

    planned -> sending -> applied | refused | unknown

A row that is `sending` or `unknown` may count and may not; nobody sends it anew before that is found out. Each row is
worked on by one process at a time, by a lock that the system lets go of with the process. Besides `runs` the only
module of this room that holds SQL.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from rpctl.backends.port import Sending
from rpctl.domain.outcomes import Recorded
from rpctl.errors import DeliveryUnderWay, JournalBusy, JournalFailed, JournalUnusable, StorageFull, Temporary
from rpctl.locks import Held, Locks

if TYPE_CHECKING:
    from pathlib import Path

    from rpctl.delivery.keys import KeyAnswer
    from rpctl.domain.values import Instant

_APPLICATION_ID: Final = 0x72706A6C  # "rpjl"
_BUSY_S: Final = 30.0
_LOG_S: Final = 2.0  # for readers, whom the emptying of the log has to wait for
_CHUNK: Final = 500  # keys of one question; SQLite allows 999 and more
_FIRST: Final = """
CREATE TABLE deliveries (
    target TEXT NOT NULL,
    key TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    customer_id TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('planned', 'sending', 'applied', 'refused', 'unknown')),
    sent_at INTEGER NOT NULL,
    ticks TEXT NOT NULL,
    reverses TEXT,
    sending TEXT NOT NULL,
    PRIMARY KEY (target, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX reversals ON deliveries (target, reverses) WHERE reverses IS NOT NULL;
CREATE INDEX unsettled ON deliveries (target, customer_id) WHERE state IN ('sending', 'unknown');
CREATE TABLE markers (
    target TEXT NOT NULL,
    kind TEXT NOT NULL,
    marker TEXT NOT NULL,
    reach INTEGER NOT NULL CHECK (reach >= 0),
    PRIMARY KEY (target, kind, marker)
) STRICT, WITHOUT ROWID;
"""
_WITH_RUNS: Final = """
ALTER TABLE deliveries ADD COLUMN run TEXT;
ALTER TABLE deliveries ADD COLUMN line INTEGER;
ALTER TABLE deliveries ADD COLUMN told TEXT;
CREATE INDEX of_run ON deliveries (run, line) WHERE run IS NOT NULL;
CREATE TABLE import_runs (
    target TEXT NOT NULL,
    run TEXT NOT NULL UNIQUE,
    started_at INTEGER NOT NULL,
    finished_at INTEGER,
    undo_begun_at INTEGER,
    undone_at INTEGER,
    file TEXT NOT NULL,
    content BLOB NOT NULL,
    generation INTEGER NOT NULL,
    sample BLOB NOT NULL,
    keys TEXT NOT NULL,
    report TEXT NOT NULL,
    request TEXT,
    undo TEXT
) STRICT;
"""
_WITH_KEYS: Final = """
CREATE TABLE key_answers (
    target TEXT PRIMARY KEY,
    answer TEXT NOT NULL CHECK (answer IN ('refused', 'repeated', 'shared', 'counted')),
    code TEXT NOT NULL,
    code_name TEXT NOT NULL,
    frees INTEGER,
    is_first INTEGER
) STRICT, WITHOUT ROWID;
"""
_VERSIONS: Final = (_FIRST, _WITH_RUNS, _WITH_KEYS)
"""What makes each version of the file of the one before; the number of the first is 1."""


class State(StrEnum):
    """How far a delivery has come."""

    PLANNED = "planned"
    SENDING = "sending"
    APPLIED = "applied"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Delivery(NamedTuple):
    """A row. ``sent_at`` and ``ticks``: when it was sent last (`Surroundings.stamp`); ``fingerprint``: the digest of
    what was asked for; ``run`` and ``line``: the import run that it belongs to and where it stands in its file, of a
    reversal the row that is undone; ``told``: why it was refused or is not known, a code and a sentence."""

    key: str
    fingerprint: str
    state: State
    sent_at: Instant
    sending: Sending
    ticks: str = ""
    run: str | None = None
    line: int | None = None
    told: tuple[str, str] | None = None

    @property
    def is_forgotten(self) -> bool:
        """Whether the customer was deleted since."""
        return not self.sending.customer_id

    @property
    def is_free(self) -> bool:
        """Whether nothing of it counts, so that its key does not either."""
        return self.state in (State.REFUSED, State.PLANNED)

    @property
    def is_open(self) -> bool:
        """Whether it may count and may not."""
        return self.state in (State.SENDING, State.UNKNOWN)


class Journal:
    """The rows of one target (the books at one URL and tenant) in the file at ``path``, which is made when it is first
    needed. Every method may raise `JournalUnusable` and `StorageFull`."""

    def __init__(self, path: Path, target: str) -> None:
        self.path = path
        self.target = target
        self._locks = Locks(path.with_name(f"{path.name}-keys"))
        self.import_locks = Locks(path.with_name(f"{path.name}-imports"))
        self._opened: sqlite3.Connection | None = None
        self._listings = 0
        self._place: tuple[int, int] | None = None

    # -- deliveries ------------------------------------------------------------------------------------

    @contextmanager
    def claim(self, key: str) -> Iterator[None]:
        """Only this process works on the key until the end of the context. Raises `DeliveryUnderWay`."""
        at = int.from_bytes(hashlib.sha256(f"{self.target}\x1f{key}".encode()).digest()[:8], "big") >> 2
        with ExitStack() as stack:
            try:
                stack.enter_context(self._locks.hold(at))
            except Held as held:
                busy = DeliveryUnderWay(f"Another process{held.who} is sending the change with the key {key}.", key=key)
                raise busy from None
            except OSError as error:
                raise _unusable(self.path, error) from error
            yield

    def find(self, key: str) -> Delivery | None:
        """The row of a key."""
        with self._translated():
            rows = self._connection().execute(f"{_SELECT} AND key = ?", (self.target, key)).fetchall()
        return _delivery(rows[0]) if rows else None

    def unsettled(self, customer_id: str) -> list[Delivery]:
        """A customer's rows that may count and may not, in the order of sending."""
        sql = f"{_SELECT} AND customer_id = ? AND state IN ('sending', 'unknown') ORDER BY sent_at, key"
        with self._translated():
            return [_delivery(row) for row in self._connection().execute(sql, (self.target, customer_id))]

    def all_unsettled(self) -> list[Delivery]:
        """Everybody's, in the order of sending."""
        sql = f"{_SELECT} AND state IN ('sending', 'unknown') ORDER BY sent_at, key"
        with self._translated():
            return [_delivery(row) for row in self._connection().execute(sql, (self.target,))]

    def write(self, delivery: Delivery) -> None:
        """Writes the row, durably, in place of what the key had."""
        self._check_place()
        with self._translated():
            self._connection().execute(_REPLACE, self._values(delivery))

    def find_all(self, keys: Sequence[str]) -> dict[str, Delivery]:
        """The rows of those of the keys that have one."""
        found: dict[str, Delivery] = {}
        with self._translated():
            for at in range(0, len(keys), _CHUNK):
                some = keys[at : at + _CHUNK]
                sql = f"{_SELECT} AND key IN ({','.join('?' * len(some))})"
                found |= {row[0]: _delivery(row) for row in self._connection().execute(sql, (self.target, *some))}
        return found

    def write_all(
        self, rows: Iterable[Delivery], settled: Iterable[Delivery] = (), report: tuple[str, str] | None = None
    ) -> set[str]:
        """Writes many in one transaction: ``rows`` whole, of ``settled`` what became of them; ``report``: an import
        run, and its report so far as JSON. Answers with the keys of rows that were not written, because the customer
        was deleted since."""
        rows = list(rows)
        with self.transaction() as connection:
            gone = self._forgotten(connection, [row.key for row in rows])
            connection.executemany(_REPLACE, [self._values(row) for row in rows if row.key not in gone])
            connection.executemany(
                "UPDATE deliveries SET state = ?, told = ? WHERE target = ? AND key = ? AND customer_id <> ''",
                ((one.state, _told(one), self.target, one.key) for one in settled),
            )
            if report is not None:
                run, text = report
                sql = "UPDATE import_runs SET report = ? WHERE target = ? AND run = ?"
                connection.execute(sql, (text, self.target, run))
        return gone

    def _forgotten(self, connection: sqlite3.Connection, keys: Sequence[str]) -> set[str]:
        found: set[str] = set()
        for at in range(0, len(keys), _CHUNK):
            some = keys[at : at + _CHUNK]
            sql = f"{_SELECT} AND customer_id = '' AND key IN ({','.join('?' * len(some))})"
            found |= {key for key, *_ in connection.execute(sql, (self.target, *some))}
        return found

    def redecide(self, dropped: Iterable[str], rows: Sequence[Delivery]) -> None:
        """Writes rows in place of others that were decided on and never left, in one transaction."""
        with self.transaction() as connection:
            connection.executemany(
                "DELETE FROM deliveries WHERE target = ? AND key = ? AND state IN ('planned', 'refused')",
                ((self.target, key) for key in dropped),
            )
            gone = self._forgotten(connection, [row.key for row in rows])
            rows = [row for row in rows if row.key not in gone and not self._is_of_nobody(connection, row)]
            connection.executemany(_REPLACE, map(self._values, rows))

    def _is_of_nobody(self, connection: sqlite3.Connection, row: Delivery) -> bool:
        """Whether the customer of the import's row that this one is about was deleted."""
        sql = "SELECT EXISTS (SELECT 1 FROM deliveries WHERE run = ? AND line = ? AND +target = ? AND customer_id = '')"
        (found,) = connection.execute(sql, (row.run, row.line, self.target)).fetchone()
        return bool(found)

    def _values(self, delivery: Delivery) -> tuple[object, ...]:
        sending = delivery.sending
        return (
            self.target, delivery.key, delivery.fingerprint, sending.customer_id, delivery.state, delivery.sent_at,
            delivery.ticks, sending.reverses, json.dumps(sending._asdict(), ensure_ascii=False), delivery.run,
            delivery.line, _told(delivery),
        )  # fmt: skip

    def reversal_of(self, entry_id: str) -> Delivery | None:
        """What was sent to take this entry back, whatever became of it but a refusal."""
        sql = f"{_SELECT} AND reverses = ? AND state NOT IN ('refused', 'planned')"
        with self._translated():
            rows = self._connection().execute(sql, (self.target, entry_id)).fetchall()
        return _delivery(rows[0]) if rows else None

    def of_run(self, run: str, order: Literal["line", "customer_id", "customer_id, line DESC"]) -> Iterator[Delivery]:
        """The rows of an import and of its undoing, some at a time and each as it is then: nobody is kept from
        writing meanwhile."""
        if not self.is_made:
            return
        self._listings += 1
        listing = self._listings
        with self.reading() as connection:
            connection.execute(_LISTINGS)
            connection.execute(_LIST[order], (listing, run, self.target))
        place, last = 0, 1
        while place < last:
            with self.reading() as connection:
                (last,) = connection.execute("SELECT count(*) FROM listed WHERE listing = ?", (listing,)).fetchone()
                places = (place, place + _CHUNK)
                page = connection.execute(_LISTED, (self.target, listing, *places)).fetchall()
            yield from map(_delivery, page)
            place += _CHUNK
        with self.reading() as connection:
            connection.execute("DELETE FROM listed WHERE listing = ?", (listing,))

    def reversals_of(self, run: str, customer_id: str) -> list[Delivery]:
        """The reversals of a customer's rows of a run, the latest row's first."""
        sql = f"{_SELECT} AND run = ? AND customer_id = ? AND reverses IS NOT NULL ORDER BY line DESC"
        with self.reading() as connection:
            return [_delivery(row) for row in connection.execute(sql, (self.target, run, customer_id))]

    def forget(self, customer_id: str) -> None:
        """Takes a deleted customer's id and text out; the keys stay, so that none counts again."""
        sql = (
            "UPDATE deliveries SET customer_id = '', reverses = NULL, told = NULL, state = 'applied',"
            " sending = json_remove("
            "json_set(sending, '$.customer_id', ''), '$.description', '$.reference_id', '$.reverses')"
            " WHERE target = ? AND customer_id = ?"
        )
        with self._translated():
            self._connection().execute(sql, (self.target, customer_id))
        self.empty_log()

    # -- markers ---------------------------------------------------------------------------------------

    def markers(self, kind: str) -> dict[str, int]:
        """How far each marker is known to reach at this target, for one kind of sending; 0: it does not survive."""
        sql = "SELECT marker, reach FROM markers WHERE target = ? AND kind = ?"
        with self._translated():
            return dict(self._connection().execute(sql, (self.target, kind)))

    def learn(self, kind: str, reach: Mapping[str, int]) -> None:
        """Remembers what a clear success told of markers."""
        rows = [(self.target, kind, marker, far) for marker, far in reach.items()]
        with self._translated():
            self._connection().executemany("INSERT OR REPLACE INTO markers VALUES (?, ?, ?, ?)", rows)

    # -- keys ------------------------------------------------------------------------------------------

    def key_answer(self) -> KeyAnswer | None:
        """How this target answers a key that it has seen, as far as that was learned."""
        from rpctl.delivery.keys import Answer, KeyAnswer

        with self.reading() as connection:
            sql = "SELECT answer, code, code_name, frees, is_first FROM key_answers WHERE target = ?"
            row = connection.execute(sql, (self.target,)).fetchone()
        if row is None:
            return None
        frees, is_first = (None if one is None else bool(one) for one in row[3:])
        return KeyAnswer(Answer(row[0]), (row[1], row[2]), frees, is_first)

    def learn_key_answer(self, told: KeyAnswer) -> None:
        """Remembers how it does."""
        with self.reading() as connection:
            sql = "INSERT OR REPLACE INTO key_answers VALUES (?, ?, ?, ?, ?, ?)"
            connection.execute(sql, (self.target, told.answer, *told.outcome, told.frees, told.is_first))

    def an_applied(self) -> Delivery | None:
        """A change that is known to be in, whose customer is still there: the latest addition, or else the latest of
        all; None: there is none."""
        order = "json_extract(sending, '$.kind') = 'redeem', sent_at DESC"
        sql = f"{_SELECT} AND state = 'applied' AND customer_id <> '' ORDER BY {order} LIMIT 1"
        with self.reading() as connection:
            rows = connection.execute(sql, (self.target,)).fetchall()
        return _delivery(rows[0]) if rows else None

    def close(self) -> None:
        """Closes the file."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        self._locks.close()
        self.import_locks.close()

    # -- the file --------------------------------------------------------------------------------------

    @property
    def is_made(self) -> bool:
        """Whether there is a file; where there is none, there is nothing to read."""
        with self._translated():
            return self.path.exists()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The open file, for questions of one statement each."""
        with self._translated():
            yield self._connection()

    def _check_place(self) -> None:
        """That the file is still where it was opened: what is written elsewhere nobody reads."""
        with self._translated():
            self._connection()
            try:
                found = self.path.stat()
            except FileNotFoundError:
                found = None
        if found is None or (found.st_dev, found.st_ino) != self._place:
            raise JournalFailed(
                f"The journal {self.path} was removed or replaced while it was in use.",
                "Bring it back, or wait until no request can arrive any more; then run the same command again.",
                path=str(self.path),
            )

    @contextmanager
    def transaction(self, *, at_once: bool = False) -> Iterator[sqlite3.Connection]:
        """The open file in a transaction of its own, taken back where the context ends by an error; ``at_once``:
        without waiting for others, so that it may raise `JournalBusy` soon."""
        self._check_place()
        with self.reading() as connection:
            try:
                with _patience(connection, 0 if at_once else _BUSY_S):
                    connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise

    def empty_log(self) -> bool:
        """Writes SQLite's log back into the file and empties it, so that erased text is in neither; False where others
        read what was before for longer than a moment: it then goes when the last of them closes the file."""
        with self._translated():
            connection = self._connection()
            with _patience(connection, _LOG_S):
                busy, *_ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        return not busy

    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            with self._translated():
                self._opened = self._open()
        return self._opened

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        found = self.path.stat()
        self._place = (found.st_dev, found.st_ino)
        connection = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = ON")  # from the first row on: each writing of a row frees its last
        kind, version = _kind(connection)
        if kind == 0 and version == 0 and not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            connection.execute("PRAGMA journal_mode = WAL")
            kind = _APPLICATION_ID
        if kind == _APPLICATION_ID and version < len(_VERSIONS):
            connection.execute("BEGIN IMMEDIATE")
            for make in _VERSIONS[_kind(connection)[1] :]:  # somebody else may have made it meanwhile
                for statement in make.split(";\n"):
                    connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {len(_VERSIONS)}")
            connection.execute("COMMIT")
            kind, version = _kind(connection)
        if kind != _APPLICATION_ID or version != len(_VERSIONS):
            what = "is newer than this rpctl knows" if kind == _APPLICATION_ID else "is no journal of rpctl"
            raise JournalUnusable(f"{self.path} {what}; nothing was sent.", path=str(self.path))

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise _unusable(self.path, error) from error


_SELECT: Final = (
    "SELECT key, fingerprint, state, sent_at, sending, ticks, run, line, told FROM deliveries WHERE target = ?"
)
_LISTINGS: Final = """
CREATE TEMP TABLE IF NOT EXISTS listed (
    listing INTEGER, place INTEGER, key TEXT, PRIMARY KEY (listing, place)
) WITHOUT ROWID
"""
_LIST: Final = {
    order: (
        f"INSERT INTO listed SELECT ?, row_number() OVER (ORDER BY {order}), key FROM deliveries"  # noqa: S608
        " WHERE run = ? AND +target = ?"
    )
    for order in ("line", "customer_id", "customer_id, line DESC")
}
_LISTED: Final = (
    "SELECT d.key, fingerprint, state, sent_at, sending, ticks, run, line, told FROM listed l"
    " CROSS JOIN deliveries d ON d.target = ? AND d.key = l.key"
    " WHERE l.listing = ? AND l.place > ? AND l.place <= ? ORDER BY l.place"
)
_REPLACE: Final = "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


def _delivery(row: tuple[Any, ...]) -> Delivery:
    key, fingerprint, state, sent_at, sending, ticks, run, line, told = row
    reason = None if told is None else tuple(json.loads(told))
    return Delivery(
        key, fingerprint, State(state), sent_at, Sending(**json.loads(sending)), ticks, run, line, reason
    )  # fmt: skip


def _told(delivery: Delivery) -> str | None:
    return None if delivery.told is None else json.dumps(delivery.told, ensure_ascii=False)


@contextmanager
def _patience(connection: sqlite3.Connection, wait_s: float) -> Iterator[None]:
    """How long others are waited for."""
    connection.execute(f"PRAGMA busy_timeout = {wait_s * 1000:.0f}")
    try:
        yield
    finally:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_S * 1000:.0f}")


def _kind(connection: sqlite3.Connection) -> tuple[int, int]:
    (kind,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return kind, version


def _unusable(path: Path, error: sqlite3.Error | OSError) -> JournalUnusable | Temporary:
    import errno

    if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return JournalBusy(f"Another process kept the journal {path} for more than {_BUSY_S:.0f} s.")
    if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL or getattr(error, "errno", None) in (
        errno.ENOSPC,
        errno.EDQUOT,
    ):
        return StorageFull(f"The journal {path} cannot be written: the disk is full.")
    why = getattr(error, "strerror", None) or str(error)
    if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_IOERR:
        return JournalFailed(f"The journal {path} cannot be read or written: {why}.")
    return JournalUnusable(f"The journal {path} cannot be used: {why}.", path=str(path))


def recorded(row: Delivery) -> Recorded:
    """What is recorded of a change that is in; its place is its line in the file."""
    sending = row.sending
    return Recorded(row.line or 0, sending.points, row.run, sending.is_past(row.sent_at))
