"""The way in: ``rpctl`` and ``python -m rpctl``."""

from __future__ import annotations

import sys


def main() -> int:
    """Runs the command line of this process; asking for the version loads nothing else."""
    if sys.argv[1:] in (["--version"], ["-V"]):
        from rpctl import __version__

        sys.stdout.write(f"rpctl {__version__}\n")
        return 0
    from rpctl.cli.app import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
