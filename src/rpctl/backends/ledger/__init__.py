"""The local ledger: reward points in one SQLite file, with every rule of the service.

backend      fills the port: a method an operation
booking      decides a batch of changes inside one write transaction
digests      keys, fingerprints and entries as digests
audit        checks every invariant, independently of booking
sql/         the only modules that know the database: file, entries, catalog
migrations/  the schema, numbered, append-only
"""
