"""Version 1: customers, entries, allocations, tombstones, options, coupons, programs, import runs.

Instants are milliseconds since 1970 in UTC; 4611686018427387904 in ``valid_until`` means never, so that one
comparison serves. ``entries.seq`` is the recording order. ``entries.kind``: 1 added, 2 redeemed, 0 erased with
its customer. An entry without ``id`` has its key's digest for one. ``import_runs.content`` is the digest of a file's
cells, ``generation`` how often that file was meant anew, ``sample`` the digests of some of its rows, ``keys`` where
its keys came from; its entries lie from ``first_entry`` on, up to ``last_entry`` once it has ended, and only some of
those are its own. ``request`` is what a stopped run needs to be gone on with, ``undo`` the report of its undoing.

Three b-trees carry the entries, one row in each. ``entries`` has what was recorded, in recording order, and never
changes but for an erasure. ``keys`` makes a key unique. ``holdings`` serves a customer's history, the sum of what is
active and the order in which redemptions use lots; ``remaining`` is what is left of a lot (0 of what is no lot),
``spent`` whether that is nothing, ``valid_until`` 0 where the entry has none. They are tables, and no indexes of one
table, because thousands of rows are stored several times faster where each tree takes them in an order of its own.
"""

SQL = """
CREATE TABLE meta (
  name TEXT PRIMARY KEY,
  value ANY NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE customers (
  seq INTEGER PRIMARY KEY,
  customer_id TEXT UNIQUE,
  latest_created_at INTEGER,
  open_points INTEGER NOT NULL DEFAULT 0 CHECK (open_points >= 0),
  no_expiry_before INTEGER NOT NULL DEFAULT 4611686018427387904
) STRICT;

CREATE TABLE tombstones (
  customer INTEGER PRIMARY KEY REFERENCES customers,
  deleted_at INTEGER NOT NULL,
  origin INTEGER NOT NULL REFERENCES origins,
  entries INTEGER NOT NULL,
  points_added INTEGER NOT NULL,
  points_redeemed INTEGER NOT NULL,
  points_left INTEGER NOT NULL
) STRICT;

CREATE TABLE import_runs (
  run TEXT PRIMARY KEY,
  started_at INTEGER NOT NULL,
  finished_at INTEGER,
  file TEXT NOT NULL,
  content BLOB NOT NULL,
  generation INTEGER NOT NULL,
  sample BLOB NOT NULL,
  keys TEXT NOT NULL,
  report TEXT NOT NULL,
  first_entry INTEGER NOT NULL,
  last_entry INTEGER,
  request TEXT,
  undo_begun_at INTEGER,
  undone_at INTEGER,
  undo TEXT
) STRICT;

CREATE TABLE origins (
  seq INTEGER PRIMARY KEY,
  who TEXT NOT NULL,
  rpctl_version TEXT NOT NULL,
  run TEXT REFERENCES import_runs
) STRICT;
CREATE INDEX origins_run ON origins (run, who, rpctl_version);

CREATE TABLE entries (
  seq INTEGER PRIMARY KEY,
  customer INTEGER NOT NULL REFERENCES customers,
  kind INTEGER NOT NULL CHECK (kind IN (0, 1, 2)),
  points INTEGER CHECK (points BETWEEN 1 AND 2147483647),
  created_at INTEGER,
  valid_until INTEGER,
  balance_after INTEGER CHECK (balance_after >= 0),
  id TEXT,
  reference_id TEXT,
  description TEXT,
  reason TEXT,
  site_code TEXT,
  reverses INTEGER REFERENCES entries,
  origin INTEGER REFERENCES origins,
  recorded_at INTEGER,
  key BLOB NOT NULL CHECK (length(key) = 16),
  fingerprint BLOB,
  salt BLOB,
  digest BLOB NOT NULL CHECK (length(digest) = 32),
  CHECK (CASE kind
    WHEN 0 THEN coalesce(points, created_at, valid_until, balance_after, id, reference_id, description, reason,
      site_code, reverses, origin, recorded_at, fingerprint, salt) IS NULL
    ELSE points IS NOT NULL AND created_at IS NOT NULL AND balance_after IS NOT NULL AND origin IS NOT NULL
      AND recorded_at IS NOT NULL AND fingerprint IS NOT NULL AND salt IS NOT NULL
      AND (valid_until IS NULL) = (kind = 2)
  END)
) STRICT;
CREATE UNIQUE INDEX entries_reversed ON entries (reverses) WHERE reverses IS NOT NULL;

CREATE TABLE keys (
  key BLOB PRIMARY KEY CHECK (length(key) = 16),
  entry INTEGER NOT NULL REFERENCES entries
) STRICT, WITHOUT ROWID;

CREATE TABLE holdings (
  customer INTEGER NOT NULL REFERENCES customers,
  spent INTEGER NOT NULL CHECK (spent = (remaining = 0)),
  valid_until INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  entry INTEGER NOT NULL REFERENCES entries,
  remaining INTEGER NOT NULL CHECK (remaining >= 0),
  PRIMARY KEY (customer, spent, valid_until, created_at, entry)
) STRICT, WITHOUT ROWID;

CREATE TABLE allocations (
  redemption INTEGER NOT NULL REFERENCES entries,
  lot INTEGER NOT NULL REFERENCES entries,
  points INTEGER NOT NULL CHECK (points > 0),
  PRIMARY KEY (redemption, lot)
) STRICT, WITHOUT ROWID;

CREATE TABLE redeem_options (
  id TEXT PRIMARY KEY,
  version INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  modified_at INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT;

CREATE TABLE coupons (
  code TEXT PRIMARY KEY,
  redemption INTEGER NOT NULL UNIQUE REFERENCES entries,
  option_id TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  document TEXT NOT NULL
) STRICT;

CREATE TABLE programs (
  site_code TEXT PRIMARY KEY,
  enabled INTEGER NOT NULL,
  factor TEXT NOT NULL,
  validity_months INTEGER,
  code_prefix TEXT
) STRICT;
"""
