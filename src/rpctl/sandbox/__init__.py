"""Documented APIs served over a ledger on loopback, for trying things out: with faults on demand, and nothing real.

What it says on the wire is written from the documentation and from nothing else: it must never share code with the
backends that talk to those APIs, or a mistake of theirs would hide itself.
"""
