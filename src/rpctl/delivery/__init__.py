"""Exactly once over a service that promises nothing: every change that goes to one goes through here.

    journal    what was sent and what became of it, in a SQLite file of its own: intent first, then the request
    requests   changes as they leave: points of an order value, moments, reversals
    reconcile  what a summary tells of a sending; pure
    deliver    changes of points, each once by its key
    surroundings  the world: the time, how long to wait, whom to tell
    settle     the other writes: redeem options, customers, a customer's exchange for a coupon

Nothing is sent again while an earlier sending may still count, and what cannot be told is said to be unknown.
"""
