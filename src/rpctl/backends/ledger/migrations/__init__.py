"""The schema's steps: numbered, append-only. A step that was released is never edited."""

from __future__ import annotations

from rpctl.backends.ledger.migrations import m001, m002

MIGRATIONS: tuple[str, ...] = (m001.SQL, m002.SQL)
"""Step n brings a ledger of version n - 1 to version n (``PRAGMA user_version``)."""
