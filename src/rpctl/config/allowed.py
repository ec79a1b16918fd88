"""What each setting may be, whoever set it.

Each function takes a value as it was found, returns it as the program uses it, and raises `NotAllowed`
otherwise; the caller knows who set it, and says so.
"""

from __future__ import annotations

import re
from typing import Final

BACKENDS: Final = ("ledger", "emporix", "bonifiq")
ONLINE: Final = frozenset({"emporix", "bonifiq"})
"""The backends that are services; the others are files of this machine."""
WITH_TENANTS: Final = frozenset({"emporix"})
"""The services whose books belong to a tenant; elsewhere they belong to a client id."""
WITH_TOKENS: Final = frozenset({"emporix"})
"""The services that give out access tokens; the others take the client id and the secret themselves."""
OUTPUTS: Final = ("table", "tsv", "json", "jsonl", "csv")
UTC_NAME: Final = "UTC"

# Compiled when the first name is checked: most commands check none.
_NAME: Final = r"[a-z0-9][a-z0-9_-]{0,63}"
_TENANT: Final = r"[a-z][a-z0-9]{2,15}"
_VISIBLE: Final = r"[!-~]{1,256}"
_SECONDS: Final = r"[0-9]{1,6}(\.[0-9]{1,6})?"
_URL: Final = r"(?i:https?)://[A-Za-z0-9.:\[\]_-]+(/[A-Za-z0-9._~%/-]*)?"
_YES: Final = frozenset({"1", "true", "yes", "on"})
_NO: Final = frozenset({"0", "false", "no", "off"})


class NotAllowed(ValueError):
    """The value is not allowed. ``allowed`` is the phrase that follows "Allowed: "; ``told`` stands for a value
    that a message must not show, because it may hold a secret."""

    def __init__(self, allowed: str, told: str | None = None) -> None:
        super().__init__(allowed)
        self.allowed = allowed
        self.told = told


def profile_name(value: object) -> str:
    """1 to 64 of ``a-z 0-9 _ -``, the first a letter or digit: safe as a file name, and never a path."""
    if isinstance(value, str) and re.fullmatch(_NAME, value):
        return value
    raise NotAllowed("1 to 64 characters of a-z, 0-9, _ and -, the first one a letter or a digit")


def backend(value: object) -> str:
    """One of `BACKENDS`."""
    return _one_of(BACKENDS, value)


def output(value: object) -> str:
    """One of `OUTPUTS`."""
    return _one_of(OUTPUTS, value)


def site(value: object) -> str:
    """A site code, by the rules of every id (`rpctl.domain.values.parse_id`)."""
    from rpctl.domain.values import parse_id
    from rpctl.errors import InvalidValue

    if isinstance(value, str):
        try:
            return parse_id(value, "site code")
        except InvalidValue:
            pass
    raise NotAllowed("a site code such as main, without control characters or spaces around it")


def boolean(value: object) -> bool:
    """TOML's ``true`` or ``false``."""
    if isinstance(value, bool):
        return value
    raise NotAllowed("true or false")


def switch(value: object) -> bool:
    """A boolean, or one of the words that an environment variable says it with, in any case."""
    if isinstance(value, bool):
        return value
    word = value.lower() if isinstance(value, str) else ""
    if word in _YES:
        return True
    if word in _NO:
        return False
    raise NotAllowed("1, true, yes, on, or 0, false, no, off")


def path_text(value: object) -> str:
    """The text of a path: not empty, no NUL character in it."""
    if isinstance(value, str) and value and "\0" not in value:
        return value
    raise NotAllowed("the path of a file")


def zone_text(value: object) -> str:
    """Text that may be the name of a time zone; whether there is such a zone is `time_zone`'s question."""
    if isinstance(value, str) and value:
        return value
    raise NotAllowed("the name of a time zone such as UTC or Europe/Berlin")


def time_zone(value: object) -> str:
    """The name of a time zone that this machine knows. ``UTC`` is known everywhere and loads nothing."""
    name = zone_text(value)
    if name == UTC_NAME:
        return name
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    # A name that is a directory or no zone file, and one that cannot be encoded, fail in ways of their own.
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise NotAllowed(_zones_like(name)) from None
    return name


def url(value: object) -> str:
    """The address of a service: in small letters, without the usual port and without a slash or dot at its end.

    ``https``, or ``http`` where the host is this machine (127.0.0.0/8, ::1, localhost), because what is sent
    holds secrets. No user name, password, query or fragment.
    """
    from urllib.parse import urlsplit

    if not isinstance(value, str):
        raise NotAllowed(_URL_LIKE)
    if "@" in value:
        raise NotAllowed("a URL alone; secrets have places of their own", "a URL with a user name or password in it")
    if "?" in value or "#" in value:
        raise NotAllowed("a URL that ends with its host or path", "a URL with a query or a fragment")
    try:
        parts = urlsplit(value)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        host, port = "", None
    if not host or port == 0 or not re.fullmatch(_URL, value):
        raise NotAllowed(_URL_LIKE)
    if parts.scheme == "http" and not _is_this_machine(host):
        raise NotAllowed("https://; with http:// everybody on the way reads the secrets, so it is for loopback only")
    # One spelling for one place: what is known of a service, and of what was sent there, is kept under its address.
    named = f"[{host}]" if ":" in host else host.rstrip(".")
    shown = "" if port in (None, {"https": 443, "http": 80}[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{named}{shown}{parts.path.rstrip('/')}"


def tenant(value: object) -> str:
    """A tenant's name: 3 to 16 of ``a-z 0-9``, the first a letter."""
    if isinstance(value, str) and re.fullmatch(_TENANT, value):
        return value
    raise NotAllowed("3 to 16 characters of a-z and 0-9, the first one a letter")


def client_id(value: object) -> str:
    """The public half of an API key: visible ASCII characters."""
    if isinstance(value, str) and re.fullmatch(_VISIBLE, value):
        return value
    raise NotAllowed("1 to 256 visible ASCII characters, no spaces")


def timeout_s(value: object) -> float:
    """How long one request may take as a whole: 0.1 to 600 seconds."""
    return _seconds(value, 0.1, 600.0)


def settle_s(value: object) -> float:
    """How long a service may take to show what was sent to it: 0 to 600 seconds."""
    return _seconds(value, 0.0, 600.0)


def shown(value: object) -> str:
    """A refused value for a message: quoted, on one line, cut after 60 characters."""
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"


def one_of(words: tuple[str, ...]) -> str:
    """``a``, ``a or b``, ``a, b or c``."""
    return " or ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


_URL_LIKE: Final = "a URL such as https://api.emporix.io"


def _is_this_machine(host: str) -> bool:
    if host == "localhost":
        return True
    from ipaddress import ip_address

    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _seconds(value: object, least: float, most: float) -> float:
    if isinstance(value, str):
        number = float(value) if re.fullmatch(_SECONDS, value) else -1.0
    else:
        number = float(value) if isinstance(value, int | float) and not isinstance(value, bool) else -1.0
    if least <= number <= most:
        return number
    raise NotAllowed(f"a number of seconds from {least:g} to {most:g}")


def _zones_like(name: str) -> str:
    import zoneinfo
    from difflib import get_close_matches

    by_fold = {zone.casefold(): zone for zone in zoneinfo.available_timezones()}
    if not by_fold:
        return "UTC only, because this machine has no time zone data (the package tzdata brings it)"
    like = [by_fold[fold] for fold in get_close_matches(name[:80].casefold(), by_fold, n=3)]
    return f"the name of a time zone such as {' or '.join(like or ['UTC', 'Europe/Berlin'])}"


def _one_of(words: tuple[str, ...], value: object) -> str:
    if isinstance(value, str) and value in words:
        return value
    raise NotAllowed(one_of(words))
