"""Man pages and shell completions from the command tree: tree and values (plain values), roff (escaping), man,
reference and prose (pages), bash, zsh and fish (completions), files (all of it together).

`python -m rpctl.docgen` writes them, `python -m rpctl.docgen --check` names those that are stale. Nothing here
is loaded by the program itself.
"""
