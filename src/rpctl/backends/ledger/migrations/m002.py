"""Version 2: work on a service while it is out of reach: what is to be sent to it, and what was last known of it.

None of these tables is part of the ledger's own books. ``services`` has a row for each service that the file was used
for: its redeem options as a JSON list; ``pull`` counts the readings of everybody's points that were begun, ``pulled``
is the last one that came to its end, and ``pulled_at`` when that one began.

``outbox`` holds the changes that were recorded, in recording order. ``sending`` is what is to be sent, as JSON without
what has a column of its own; ``fingerprint`` the digest of what was asked for. ``state``: ``waiting``; ``sent``, to the
service, and the mirror does not show it yet; ``done``, the mirror has it too; ``conflict``, refused by the service for
the reason in ``told``; ``dropped``, given up, so that its key is free again. ``marked_at`` is when it was sent or
refused; ``is_known`` whether the customer was known to be at the service when it was recorded. A row whose customer was
deleted has no ``customer_id``, no text, and keeps its key.

``mirror`` holds the customers as they were at ``read_at``, ``summary`` as JSON; ``active_points`` were theirs then, and
none of these ends before ``no_expiry_before``; ``pull`` is the last reading of everybody that saw the customer.
``import_runs.target`` names the service of a run whose rows are in the outbox; the ledger's own runs have none.
"""

SQL = """
ALTER TABLE import_runs ADD COLUMN target TEXT;

CREATE TABLE services (
  seq INTEGER PRIMARY KEY,
  target TEXT NOT NULL UNIQUE,
  options TEXT,
  pull INTEGER NOT NULL DEFAULT 0,
  pull_begun_at INTEGER,
  pulled INTEGER NOT NULL DEFAULT 0,
  pulled_at INTEGER
) STRICT;

CREATE TABLE outbox (
  position INTEGER PRIMARY KEY,
  service INTEGER NOT NULL REFERENCES services,
  key TEXT NOT NULL,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
  customer_id TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'done', 'conflict', 'dropped')),
  recorded_at INTEGER NOT NULL,
  created_at INTEGER,
  marked_at INTEGER,
  origin INTEGER NOT NULL REFERENCES origins,
  line INTEGER,
  is_known INTEGER NOT NULL CHECK (is_known IN (0, 1)),
  reverses TEXT,
  told TEXT,
  sending TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX outbox_keys ON outbox (service, key) WHERE state <> 'dropped';
CREATE INDEX outbox_open ON outbox (service, position) WHERE state IN ('waiting', 'conflict');
CREATE INDEX outbox_customers ON outbox (service, state, customer_id, position);
CREATE INDEX outbox_origins ON outbox (origin);

CREATE TABLE mirror (
  service INTEGER NOT NULL REFERENCES services,
  customer_id TEXT NOT NULL,
  active_points INTEGER NOT NULL,
  no_expiry_before INTEGER NOT NULL,
  read_at INTEGER NOT NULL,
  pull INTEGER NOT NULL,
  summary TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX mirror_customers ON mirror (service, customer_id);

CREATE TABLE mirror_programs (
  service INTEGER NOT NULL REFERENCES services,
  site_code TEXT NOT NULL,
  document TEXT NOT NULL,
  PRIMARY KEY (service, site_code)
) STRICT, WITHOUT ROWID;
"""
