"""The local ledger: reward points in one SQLite file, with every rule of the service.

backend      fills the port: a method an operation
booking      decides a batch of changes inside one write transaction
digests      keys, fingerprints and entries as digests
audit        checks every invariant, independently of booking
upkeep       the file as someone looks after it: facts, backup, restore, export
workplace    folders for what is half made, swept when their maker is gone
sql/         the only modules that know the database: faults (errors), file, balances, entries (reading), books
             (writing), catalog (options, coupons, programs, import runs), audit
migrations/  the schema, numbered, append-only
"""
