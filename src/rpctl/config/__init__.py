"""Configuration: profiles, the layers of settings and who decided each of them, and the paths.

    paths      where the configuration, the ledgers, the logs and the cache lie
    allowed    what each setting may be
    profiles   the configuration file as values: reads it, refuses what is wrong in it
    editing    changes the file: a profile more, one less, another current one; keeps the comments
    settings   flag, environment, profile, default: one value each, and its source

Every command reads its settings before it does anything, so this room is light: an environment is passed in
and never read at import, ``tomllib`` is loaded only for a file that exists, ``tomlkit`` only by ``editing``.
"""
