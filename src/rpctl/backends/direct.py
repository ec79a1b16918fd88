"""The short way to a service, for clients that send by the thousand: on a connection of our own that stays.

Only what is plain goes it: no proxy, no path that would have to be written another way. Everything else is httpx's.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from rpctl.backends.bodies import of_no_use, too_long
from rpctl.backends.connection import Connection, NoAnswer, Received, Request, TooLong
from rpctl.backends.unanswered import Lost, in_httpx_words

if TYPE_CHECKING:
    import ssl

    from rpctl.backends.departure import Departure, Leaving

CONNECT_S: Final = 10.0
"""So long may a connection take, in seconds."""

_HOST: Final = re.compile(r"(?=.{1,253}$)[0-9A-Za-z\-]{1,63}(?:\.[0-9A-Za-z\-]{1,63})*")
_PATH: Final = re.compile(r"(?:/[0-9A-Za-z\-._~%!$&'()*+,;=:@]*){1,100}")
_LONGEST_PATH: Final = 8_000
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Direct:
    """The way to ``base_url``, whose ``headers`` go with every request. ``is_near``: it is this machine, to which no
    proxy leads; ``trust`` is asked for whom to trust before the first connection over TLS; ``tell`` is told each
    request and answer in a line, without secrets."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        trust: Callable[[], ssl.SSLContext],
        tell: Callable[[str], None],
        departure: Departure,
        *,
        is_near: bool,
    ) -> None:
        self._url = urlsplit(base_url)
        self._origin = f"{self._url.scheme}://{self._url.netloc}"
        self._headers = list(headers.items())
        self._trust = trust
        self._tell = tell
        self._departure = departure
        self._made: Connection | None = None
        self.is_plain = self._is_plain(headers) and (is_near or not _proxies())

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        authorization: str | None,
        content: bytes | None,
    ) -> Request | None:
        """A request as it is sent, with the header Authorization as it is to be; None where it is not plain."""
        whole = f"{self._url.path}{path}"
        if not (_PATH.fullmatch(whole) and len(whole) < _LONGEST_PATH) or "/./" in whole or "/../" in whole:
            return None
        if whole.endswith(("/.", "/..")) or not _are_plain(headers or {}):
            return None
        query = f"?{urlencode(params)}" if params else ""
        who = [] if authorization is None else [("Authorization", authorization)]
        return Request(method, whole + query, [*self._headers, *(headers or {}).items(), *who], content)

    def answer(
        self, request: Request, leaving: Leaving | None, ends_s: float, limit: int, told: str, *, safe: bool
    ) -> Received:
        """Sends it, on a connection that was seen to be open. ``leaving``, ``limit``, ``safe``: as for `Http.request`.

        Raises `Lost`, what ``leaving`` raises, and of an answer that is too long what `of_no_use` makes of it.
        """
        started_s = time.monotonic()
        self._departure.begins(leaving)
        self._tell(f"> {request.method} {self._origin}{request.target}")
        connection = self._connection()
        try:
            if not connection.is_open():
                connection.open(min(started_s + CONNECT_S, ends_s))
        except OSError as error:
            raise self._lost(error, ends_s, is_sent=False) from error
        self._departure.is_connected(leaving)
        try:
            received = connection.ask(request, ends_s, limit)
        except TooLong as error:
            raise of_no_use(too_long(told, limit, error.status), safe=safe) from None
        except (OSError, NoAnswer) as error:
            raise self._lost(error, ends_s, is_sent=True) from error
        took_ms = (time.monotonic() - started_s) * 1000
        self._tell(f"< {received.status} {told} ({took_ms:.0f} ms)")
        return received

    def close(self) -> None:
        """Closes the connection."""
        if self._made is not None:
            self._made.close()

    def _connection(self) -> Connection:
        if self._made is None:
            url = self._url
            is_safe = url.scheme == "https"
            port = url.port or (443 if is_safe else 80)
            self._made = Connection(url.hostname or "", port, self._trust() if is_safe else None)
        return self._made

    def _lost(self, error: Exception, ends_s: float, *, is_sent: bool) -> Lost:
        is_late = time.monotonic() >= ends_s
        return Lost(in_httpx_words(error, is_sent=is_sent), None, self._departure.since_s, is_late=is_late, is_own=True)

    def _is_plain(self, headers: Mapping[str, str]) -> bool:
        url = self._url
        is_url = url.scheme in ("http", "https") and not url.query and not url.fragment and url.username is None
        return is_url and _HOST.fullmatch(url.hostname or "") is not None and _are_plain(headers)


def _are_plain(headers: Mapping[str, str]) -> bool:
    """Whether these can stand in a request as they are."""
    return all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers.items())


def _proxies() -> dict[str, str]:
    """The proxies that the environment or the system names, whatever they are for."""
    from urllib.request import getproxies

    return {scheme: proxy for scheme, proxy in getproxies().items() if scheme != "no" and proxy}
