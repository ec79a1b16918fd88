"""Where the configuration, the ledgers, the logs and the cache lie. Nothing is created or opened here.

The XDG base directories are followed word for word: a variable that is empty or holds a relative path counts
as not set. This is what platformdirs answers on Linux; it is loaded only on macOS, because importing it takes
longer (3 ms) than all the rest of reading the configuration.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rpctl.errors import InvalidConfig

APP: Final = "rpctl"


def config_file(environ: Mapping[str, str]) -> Path:
    """The configuration file: ``RPCTL_CONFIG``, else ``config.toml`` in the user's configuration directory.

    It need not exist. Raises `InvalidConfig` where nobody can tell whose home this is.
    """
    if named := environ.get("RPCTL_CONFIG"):
        return expand_home(named, environ)
    return _directory(environ, "XDG_CONFIG_HOME", ".config", "user_config_path") / "config.toml"


def data_dir(environ: Mapping[str, str]) -> Path:
    """Where ledgers lie. Raises `InvalidConfig` without a home."""
    return _directory(environ, "XDG_DATA_HOME", ".local/share", "user_data_path")


def state_dir(environ: Mapping[str, str]) -> Path:
    """Where logs lie. Raises `InvalidConfig` without a home."""
    return _directory(environ, "XDG_STATE_HOME", ".local/state", "user_state_path")


def log_file(environ: Mapping[str, str]) -> Path:
    """Where a bug leaves its traceback: ``rpctl.log`` in the state directory."""
    return state_dir(environ) / "rpctl.log"


def cache_dir(environ: Mapping[str, str]) -> Path:
    """Where lies what may be lost. Raises `InvalidConfig` without a home."""
    return _directory(environ, "XDG_CACHE_HOME", ".cache", "user_cache_path")


def ledger_file(environ: Mapping[str, str], profile: str | None) -> Path:
    """The ledger file that nobody named: ``ledger.db``, or a profile's own ``profiles/NAME.db``.

    Profiles have a directory to themselves, so that one called ``ledger`` keeps books of its own.
    ``profile`` is a name that `allowed.profile_name` let through. Raises `InvalidConfig` without a home.
    """
    data = data_dir(environ)
    return data / "ledger.db" if profile is None else data / "profiles" / f"{profile}.db"


def expand_home(text: str, environ: Mapping[str, str]) -> Path:
    """A path with a leading ``~/`` read as the home directory, which cron, systemd and ``--ledger=~/x`` leave as it is.

    Raises `InvalidConfig` where there is such a ``~`` and no home.
    """
    if text == "~" or text.startswith("~/"):
        return home_dir(environ) / text[2:]
    return Path(text)


def home_dir(environ: Mapping[str, str]) -> Path:
    """``HOME``, else what the system's user list says (cron may start us with no environment at all).

    Raises `InvalidConfig` where neither knows, as in a container with a made-up user id.
    """
    named = environ.get("HOME", "")
    if named.startswith("/"):
        return Path(named)
    import pwd

    try:
        listed = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        listed = ""
    if not listed.startswith("/"):
        raise InvalidConfig(
            f"There is no home directory: HOME is not set and user id {os.getuid()} is not in the user list.",
            "Set HOME; or name the files: RPCTL_CONFIG (/dev/null for none) and RPCTL_LEDGER.",
        )
    return Path(listed)


def _directory(environ: Mapping[str, str], variable: str, below_home: str, on_macos: str) -> Path:
    named = environ.get(variable, "")
    if named.startswith("/"):
        return Path(named) / APP
    if sys.platform == "darwin":
        import platformdirs

        chosen: Path = getattr(platformdirs, on_macos)(APP)
        return chosen
    return home_dir(environ) / below_home / APP
