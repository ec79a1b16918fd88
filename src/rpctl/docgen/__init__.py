"""Man pages and shell completions from the command tree (`rpctl.cli.tree`) and the manual: roff (escaping), man and
reference (pages), spoken (the tree as shells see it), bash, zsh and fish (completions), files (all of it together).

`python -m rpctl.docgen` writes them, `python -m rpctl.docgen --check` names those that are stale. Nothing here
is loaded by the program itself.
"""
