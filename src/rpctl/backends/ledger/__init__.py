"""The local ledger: reward points in one SQLite file, with every rule of the service.

backend      fills the port: a method an operation
booking      decides a batch of changes inside one write transaction
bulk         very many changes, thousands in a transaction; simple: additions about which nothing is to be decided
runs         import runs: recorded, undone, forgotten; claims: one process at a time; undoing: the opposite of a run
digests      keys, fingerprints and entries as digests
audit        checks every invariant, independently of booking
memory       a ledger that lives as long as the process
upkeep       the file as someone looks after it: facts, backup, restore, export
offline      rows of what waits for a service that is out of reach, and of what is known of it
workplace    folders for what is half made, swept when their maker is gone
sql/         the only modules that know the database: faults (errors), file, balances, entries (reading), books
             (writing), staging (writing in a mass), catalog (options, coupons, programs), runs, undo,
             audit; outbox, mirror (of a service that is out of reach)
migrations/  the schema, numbered, append-only
"""
