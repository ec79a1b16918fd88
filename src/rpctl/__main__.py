"""The way in: ``rpctl`` and ``python -m rpctl``."""

from __future__ import annotations

import os
import sys


def main() -> int:
    """Runs the command line of this process; asking for the version loads nothing else."""
    if sys.argv[1:] in (["--version"], ["-V"]) and _said_version():
        return 0
    import gc
    import signal

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # nothing is begun yet: no traceback for a hasty Ctrl-C
    gc.disable()  # loading makes no garbage, but looking for it costs a tenth of a small command's time
    from rpctl.cli.app import main as run

    gc.enable()
    status = run()
    if sys.stdout is not None and sys.stderr is not None:
        from contextlib import suppress

        with suppress(OSError):  # a log on a full disk
            sys.stderr.flush()
        os._exit(status)  # everything is closed and flushed; tearing down the interpreter only takes time
    return status


def _said_version() -> bool:
    from rpctl import __version__

    try:
        os.write(1, f"rpctl {__version__}\n".encode())
    except BrokenPipeError:
        return True
    except OSError:  # a full disk, a closed stdout: the whole program knows what to say
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
