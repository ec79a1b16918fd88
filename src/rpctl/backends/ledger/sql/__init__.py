"""The ledger's database: these modules hold its SQL, and nothing outside them knows that it is SQLite."""
