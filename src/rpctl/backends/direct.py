"""The short way to a service, for clients that send by the thousand: requests as bytes for a connection of our own.

Only what is plain goes it: no proxy, no path that would have to be written another way. Everything else is httpx's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode, urlsplit

from rpctl.backends.connection import Connection

if TYPE_CHECKING:
    import ssl

_HOST: Final = re.compile(r"(?=.{1,253}$)[0-9A-Za-z\-]{1,63}(?:\.[0-9A-Za-z\-]{1,63})*")
_PATH: Final = re.compile(r"(?:/[0-9A-Za-z\-._~%!$&'()*+,;=:@]*){1,100}")
_LONGEST_PATH: Final = 8_000
_VALUE: Final = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?")
_NAME: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class Direct:
    """The way to ``base_url``, whose ``headers`` go with every request. ``is_near``: it is this machine, to which no
    proxy leads; ``trust`` is asked for whom to trust before the first connection over TLS."""

    def __init__(
        self, base_url: str, headers: Mapping[str, str], trust: Callable[[], ssl.SSLContext], *, is_near: bool
    ) -> None:
        self._url = urlsplit(base_url)
        self._trust = trust
        self._connection: Connection | None = None
        lines = [f"Host: {self._host_and_port()}", *(f"{name}: {value}" for name, value in headers.items())]
        self._head = "".join(f"{line}\r\n" for line in [*lines, "Accept-Encoding: identity"])
        self.is_plain = self._is_plain(headers) and (is_near or not _proxies())

    @property
    def connection(self) -> Connection:
        """The connection, which may have to be opened. Raises OSError where the certificates cannot be used."""
        if self._connection is None:
            url = self._url
            is_safe = url.scheme == "https"
            port = url.port or (443 if is_safe else 80)
            self._connection = Connection(url.hostname or "", port, self._trust() if is_safe else None)
        return self._connection

    def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        token: str | None,
        content: bytes | None,
    ) -> bytes | None:
        """A request as it is sent; None where it is not plain."""
        whole = f"{self._url.path}{path}"
        if not (_PATH.fullmatch(whole) and len(whole) < _LONGEST_PATH) or "/./" in whole or "/../" in whole:
            return None
        if whole.endswith(("/.", "/..")) or not are_plain(headers or {}):
            return None
        query = f"?{urlencode(params)}" if params else ""
        own = "".join(f"{name}: {value}\r\n" for name, value in (headers or {}).items())
        bearer = "" if token is None else f"Authorization: Bearer {token}\r\n"
        length = "" if content is None and method == "GET" else f"Content-Length: {len(content or b'')}\r\n"
        head = f"{method} {whole}{query} HTTP/1.1\r\n{self._head}{own}{bearer}{length}\r\n"
        return head.encode("ascii") + (content or b"")

    def close(self) -> None:
        """Closes the connection."""
        if self._connection is not None:
            self._connection.close()

    def _host_and_port(self) -> str:
        url = self._url
        usual = {"http": 80, "https": 443}.get(url.scheme)
        return (url.hostname or "") if url.port in (None, usual) else f"{url.hostname}:{url.port}"

    def _is_plain(self, headers: Mapping[str, str]) -> bool:
        url = self._url
        is_url = url.scheme in ("http", "https") and not url.query and not url.fragment and url.username is None
        return is_url and _HOST.fullmatch(url.hostname or "") is not None and are_plain(headers)


def are_plain(headers: Mapping[str, str]) -> bool:
    """Whether these can stand in a request as they are."""
    return all(_NAME.fullmatch(name) and _VALUE.fullmatch(value) for name, value in headers.items())


def _proxies() -> dict[str, str]:
    """The proxies that the environment or the system names, whatever they are for."""
    from urllib.request import getproxies

    return {scheme: proxy for scheme, proxy in getproxies().items() if scheme != "no" and proxy}
