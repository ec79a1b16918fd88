"""The command line: a file per noun; a command parses, calls one thing, and returns a view."""
