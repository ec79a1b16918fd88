"""Work on a service while it is out of reach: changes wait in the profile's own ledger file, balances are the last
known truth and what waits on top of it.

outbox     what waits, in recording order, and what became of it
mirror     the last known truth: customers, redeem options, programs
standing   what a customer has: the truth and what waits; pure
deciding   decides changes offline, inside one write transaction; recording: a transaction after the other
book       fills the port's `Book`; runs: import runs that are recorded offline
documents  what is kept as JSON; pure
push       sends what waits through `rpctl.delivery`; pull: fetches the truth

What waits is decided when it is recorded: it is sent later as it is, once. The ledger's own entries are no part of
this.
"""
