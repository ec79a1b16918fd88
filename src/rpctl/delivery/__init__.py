"""Exactly once over a service that promises nothing: every change that goes to one goes through here.

One change:

    journal       what was sent and what became of it, in a SQLite file of its own: intent first, then the request
    requests      changes as they leave: points of an order value, moments, reversals
    reconcile     what a summary tells of a sending; pure
    refusals      why a service refused, in the ledger's words
    deliver       changes of points, each once by its key
    keyed         the same over a service that keeps keys; keys: what it answers to one that it has seen
    settle        the other writes: redeem options, customers, a customer's exchange for a coupon
    surroundings  the world: the time, how long to wait, whom to tell

Many changes:

    bulk          an import: what fills the port's `Applies`
    sight         what the service has of them before the first leaves
    prepare       what is sent of each; rehearsal: the same with nothing sent
    dispatch      the one thread that decides: claims, writes, hands over, judges; parcel: one of the changes on its way
    keyed_dispatch  the same over a service that keeps keys
    lanes         who may go next, by customer and key; pace: how fast; reach: whether the service is there; pure
    crew          the threads that send
    writing       what is to be written, some rows at a time; claims, marks: what one process holds and knows
    runs          import runs recorded in the journal
    undoing       takes back what a run applied; takeback: what that comes to for a customer; pure

Nothing is sent again while an earlier sending may still count, and what cannot be told is said to be unknown.
"""
