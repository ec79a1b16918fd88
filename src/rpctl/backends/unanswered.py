"""Requests without an answer: what httpx says of them, in our own words, and whether they may have been applied."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

import httpx

from rpctl.backends.port import Unsettled
from rpctl.errors import AnswerInvalid, RpctlError, ServiceUnavailable, ServiceUnreachable, TimedOut, TlsFailed

NOT_UNPACKED: Final = "the answer to {} cannot be unpacked"
PROXY_HINT: Final = "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY."


class Lost(Exception):
    """No answer, with what httpx says of it. ``asked_for``: host and port that the last connection was to; ``since_s``:
    how long ago the request left; ``is_own``:
    it was this request, not one for a token on its way."""

    def __init__(
        self,
        error: httpx.HTTPError,
        asked_for: tuple[str, int] | None,
        since_s: float,
        *,
        is_late: bool,
        is_own: bool,
    ) -> None:
        super().__init__()
        self.since_s = since_s
        self.error = error
        self.asked_for = asked_for
        self.is_late = is_late
        self.is_own = is_own


_NEVER_SENT: Final = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


def in_httpx_words(error: Exception, *, is_sent: bool) -> httpx.HTTPError:
    """What went wrong on a connection of our own, as httpx would say it; ``is_sent``: not while it was made."""
    kind: type[httpx.HTTPError]
    if isinstance(error, TimeoutError):
        kind = httpx.ReadTimeout if is_sent else httpx.ConnectTimeout
    elif isinstance(error, OSError):
        kind = httpx.ReadError if is_sent else httpx.ConnectError
    else:
        kind = httpx.RemoteProtocolError
    told = kind(str(error))
    told.__cause__ = error
    return told


def told_of(lost: Lost, told: str, base_url: str, *, safe: bool) -> RpctlError | Unsettled:
    """What became of a request without an answer, in our own words."""
    host = urlsplit(base_url).netloc
    error = lost.error
    kind: type[RpctlError] = ServiceUnavailable
    why = f"the connection to {host} broke before {told} was answered"
    if isinstance(error, _NEVER_SENT):
        if lost.is_late:
            return TimedOut(f"No connection to {host} was made in time; {told} was not sent.").of_request(told)
        return _no_connection(error, host, _proxy(lost.asked_for, base_url)).of_request(told)
    if lost.is_late or isinstance(error, httpx.TimeoutException):
        kind, why = TimedOut, f"{host} did not answer {told} in time"
    elif isinstance(error, httpx.DecodingError):
        kind, why = AnswerInvalid, NOT_UNPACKED.format(told)
    if safe or not lost.is_own:
        return kind(f"{sentence(why)}.").of_request(told)
    return Unsettled(why, answered=False, since_s=lost.since_s, answer=(told, None))


def _proxy(asked_for: tuple[str, int] | None, base_url: str) -> str | None:
    """The proxy that a connection was to in the service's place, None for the service itself."""
    url = urlsplit(base_url)
    own = (url.hostname, url.port or (443 if url.scheme == "https" else 80))
    return None if asked_for is None or asked_for == own else f"{asked_for[0]}:{asked_for[1]}"


def _no_connection(error: httpx.HTTPError, host: str, proxy: str | None) -> RpctlError:
    import ssl

    cause: BaseException | None = error
    why = "it took too long" if isinstance(error, httpx.TimeoutException) else str(error) or type(error).__name__
    who, hint = (f"The proxy {proxy}", PROXY_HINT) if proxy else (host, None)
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return TlsFailed(f"The certificate of {host} is not trusted: {cause.verify_message}.")
        if isinstance(cause, ssl.SSLError):
            return TlsFailed(f"{host} does not speak TLS as it should: {cause.reason or cause}.")
        if isinstance(cause, socket.gaierror):
            name = (proxy or host).rpartition(":")[0] or host
            return ServiceUnreachable(f"There is no host {name}: {cause.strerror}.", hint)
        if isinstance(cause, OSError) and cause.strerror:
            why = cause.strerror
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ProxyError):
        return ServiceUnreachable(f"{who} lets nothing through to {host}: {why}.", hint)
    return ServiceUnreachable(f"{who} cannot be reached: {why}.", hint)


def sentence(why: str) -> str:
    """Words that stand in the middle of one, as its beginning."""
    return f"T{why[1:]}" if why.startswith("the ") else why  # a host's name stays as it is
