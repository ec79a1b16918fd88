"""BonifiQ's points: add, remove, read.

backend    a method per operation
rules      what it can do, and what it takes of a change; light
answers    envelopes and bare results, judged
wire       the documents as they come, checked
translate  wire <-> domain, pure
problems   what is no success -> errors
"""
