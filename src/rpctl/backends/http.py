"""One HTTP client for all services: time-outs, retries of what is safe, and httpx's errors told in our own.

A request that changes something is sent once: what is known not to have been applied (no connection, 429) is tried
again, everything else that is not a clear answer is `Unsettled`, for the caller to find out. Redirects are never
followed: a token goes to no other host. Apart from the authentication, only this module, `bodies` and
`unanswered` name httpx.
"""

from __future__ import annotations

import json as json_module
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import urlsplit

from rpctl.errors import AnswerInvalid, InvalidConfig, InvalidValue

sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type] # its command line loads click and rich
import httpx  # noqa: E402

from rpctl.auth.client_credentials import Authorization  # noqa: E402
from rpctl.backends.bodies import Readable, of_no_use, read, refuse_layers, shorten, unpacked  # noqa: E402
from rpctl.backends.departure import Departure  # noqa: E402
from rpctl.backends.patience import LEAST_S, Asking, Waiting, asked_pause_s, patiently  # noqa: E402
from rpctl.backends.unanswered import PROXY_HINT, Lost  # noqa: E402
from rpctl.backends.watch import Watch  # noqa: E402

if TYPE_CHECKING:
    import ssl

    from rpctl.backends.connection import Received
    from rpctl.backends.departure import Leaving
    from rpctl.backends.direct import Direct

__all__ = ["LEAVING", "MAX_ANSWER_BYTES", "Answer", "Http", "Readable", "Shared", "Waiting"]

LEAVING: Final = "rpctl.leaving"
"""The extension of a request that is told when it leaves; requests for tokens on its way do not carry it on."""

_CONNECT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 32 * 1024 * 1024
"""More than this is no answer to a single question; lists of everybody are streamed."""


class Answer(NamedTuple):
    """A whole answer; ``request`` is what was asked, as ``GET /path``, for messages."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    request: str

    @property
    def retry_after_s(self) -> float | None:
        """How long the answer asks to wait, in seconds or until a date by this machine's clock; None where it does
        not say so."""
        return asked_pause_s(self.headers)


class _Asked(NamedTuple):
    """A request as `Http.request` was asked for it; ``told``: as ``GET /path``."""

    method: str
    path: str
    told: str
    auth: httpx.Auth | None
    params: Mapping[str, str] | None
    form: Mapping[str, str] | None
    content: bytes | None
    headers: Mapping[str, str] | None
    leaving: Leaving | None
    limit: int
    safe: bool


class Shared:
    """What the clients of one service have in common: the watch over their requests, and whom they trust."""

    def __init__(self) -> None:
        self.watch = Watch()
        self._loading = threading.Lock()
        self._trust: ssl.SSLContext | None = None

    def trust(self, base_url: str) -> ssl.SSLContext:
        """The certificates that are trusted; loaded once, which takes long. Raises `InvalidConfig` where the
        environment names some that cannot be used."""
        with self._loading:
            if self._trust is None:
                is_plain = base_url.startswith("http://")  # which needs no certificates
                try:
                    self._trust = _nothing_trusted() if is_plain else httpx.create_ssl_context()
                except OSError as error:
                    raise InvalidConfig(
                        f"The certificates that the environment names cannot be used: {error.strerror or error}.",
                        "Check SSL_CERT_FILE and SSL_CERT_DIR.",
                    ) from error
            return self._trust


class Http:
    """The client of one service at ``base_url``, for one thread. ``headers`` go with every request; ``trace`` is told
    each request and answer in a line, without secrets. Nothing is opened before the first request."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        waiting: Waiting | None = None,
        trace: Callable[[str], None] | None = None,
        shared: Shared | None = None,
    ) -> None:
        self.base_url = base_url
        self._is_twin = shared is not None
        self._shared = shared or Shared()
        self._headers = dict(headers)
        self._waiting = waiting or Waiting()
        self._trace = trace
        self._opened: httpx.Client | None = None
        self._socket: socket.socket | None = None
        self._departure = Departure()
        self._asked_for: tuple[str, int] | None = None  # whom the last connection was to: a proxy, maybe
        self._token_pause_s: float | None = None  # what the last answer to a request for a token asked for

    def twin(self) -> Http:
        """Another client of the same service, for another thread, that sends by the thousand: what takes long to load
        is loaded once for all of them, and what is plain goes the short way (`rpctl.backends.direct`)."""
        return Http(self.base_url, self._headers, self._waiting, self._trace, self._shared)

    # -- requests --------------------------------------------------------------------------------------

    def request(  # noqa: PLR0913 -- what a request is made of
        self,
        method: str,
        path: str,
        *,
        auth: httpx.Auth | None = None,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        form: Mapping[str, str] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool = True,
        leaving: Leaving | None = None,
        once_only: bool = False,
        patient: bool = True,
        limit: int = MAX_ANSWER_BYTES,
    ) -> Answer:
        """Sends a request and returns its answer, whatever the status is.

        ``path`` is encoded already and begins with a slash; ``safe``: sending it again harms nobody, so 5xx, 429 and
        lost answers are tried again with growing pauses (or what Retry-After says) while there is time. The last
        answer with such a status is returned. ``leaving`` is called whenever the request is about to leave, after the
        token is had; what it raises ends the request before anything is sent. ``once_only``: whatever the answer is, it
        is the last one; not ``patient``: a 429 is, one to a request for a token too (`RateLimited`).

        Raises `ServiceUnreachable`, `TlsFailed`: nothing was sent; `TimedOut`, `ServiceUnavailable`, `AnswerInvalid`
        for what is safe; `Unsettled` for what is not and may have been applied; what the authentication raises.
        """
        if json is not None:
            content = json_module.dumps(json, ensure_ascii=False, allow_nan=False).encode()
            headers = {"Content-Type": "application/json", **(headers or {})}
        told = f"{method} {path.partition('?')[0]}"
        asked = _Asked(method, path, told, auth, params, form, content, headers, leaving, limit, safe)

        def once(left_s: float) -> Answer:
            ends_s = time.monotonic() + left_s
            return self._directly(asked, ends_s) or self._by_httpx(asked, max(ends_s - time.monotonic(), LEAST_S))

        return self._patiently(once, Asking(told, self.base_url, safe, once_only, patient))

    @contextmanager
    def stream(self, path: str, *, auth: httpx.Auth | None = None) -> Iterator[tuple[Answer, Readable | None]]:
        """A GET whose answer is read while it comes: without a body and with what to read where the status is 200,
        else the whole answer and None. Only its beginning is tried again. Raises as `request` does, in the middle
        too."""
        told = f"GET {path}"
        opened: list[tuple[ExitStack, httpx.Response]] = []

        def once(left_s: float) -> Answer:
            request = self._build("GET", path, left_s)
            with ExitStack() as stack:
                response, watched = stack.enter_context(self._answering(request, auth, left_s))
                body = b""
                if response.status_code == httpx.codes.OK:
                    self._shared.watch.end(watched)  # a long list may take long, as long as it comes
                    opened.append((stack.pop_all(), response))
                else:
                    body = read(response, MAX_ANSWER_BYTES, told)
                return Answer(response.status_code, response.headers, body, told)

        answer = self._patiently(once, Asking(told, self.base_url, safe=True))
        if not opened:
            yield answer, None
            return
        held, response = opened[0]
        with held:
            yield answer, Readable(response.iter_bytes(), told)

    def close(self) -> None:
        """Closes the connections."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None
        if "_direct" in self.__dict__:  # made by now
            self._direct.close()
        self._shared.watch.rest()

    # -- once ------------------------------------------------------------------------------------------

    @property
    def _client(self) -> httpx.Client:
        if self._opened is None:
            host = urlsplit(self.base_url).hostname or ""
            hooks: dict[str, list[Callable[..., Any]]] = {
                "request": [self._leaves],
                "response": [refuse_layers, _shorten_refusals, self._tell_response],
            }
            try:
                host.encode("idna")
                verify = self._shared.trust(self.base_url)
                transport = httpx.HTTPTransport(verify=verify) if _is_this_machine(host) else None  # without proxies
                self._opened = httpx.Client(
                    headers=self._headers, transport=transport, verify=verify, event_hooks=hooks
                )
            except UnicodeError:
                raise InvalidConfig(f"{host} is no name that a host can have.", "Check the url.") from None
            except ImportError:
                raise InvalidConfig("SOCKS proxies are not supported.", PROXY_HINT) from None
            except (ValueError, httpx.InvalidURL):  # whose text may hold the proxy's password
                raise InvalidConfig("The proxy that the environment names is no http:// URL.", PROXY_HINT) from None
        return self._opened

    def _by_httpx(self, asked: _Asked, left_s: float) -> Answer:
        method, path, told, auth, params, form, content, headers, leaving, limit, safe = asked
        request = self._build(method, path, left_s, params=params, data=form, content=content, headers=headers)
        request.extensions[LEAVING] = leaving
        with self._answering(request, auth, left_s) as (response, _):
            try:
                body = read(response, limit, told)
            except AnswerInvalid as error:
                raise of_no_use(error, safe=safe) from None
            return Answer(response.status_code, response.headers, body, told)

    def _build(self, method: str, path: str, left_s: float, **parts: Any) -> httpx.Request:
        timeout = httpx.Timeout(left_s, connect=min(_CONNECT_S, left_s))
        extensions: dict[str, Any] = {"trace": self._note_connection, LEAVING: None}
        try:
            request = self._client.build_request(
                method, self.base_url + path, timeout=timeout, extensions=extensions, **parts
            )
        except httpx.InvalidURL as error:
            raise InvalidValue(f"{method} cannot be sent to this path: {error}.", "Check the id or path.") from None
        wanted = urlsplit(self.base_url).path + path.partition("?")[0]
        if request.url.raw_path.partition(b"?")[0] != wanted.encode():  # never another path than was meant
            raise InvalidValue(f"{path} cannot be sent as it is.", "Check the id: it would name another path.")
        return request

    def _note_connection(self, event: str, info: Mapping[str, Any]) -> None:
        if event.endswith(".send_request_headers.started"):
            self._departure.is_connected(info["request"].extensions.get(LEAVING))
        if event.endswith((".connect_tcp.complete", ".start_tls.complete")):  # inside a proxy's tunnel too
            self._socket = info["return_value"].get_extra_info("socket")
        elif event.endswith(".connect_tcp.started"):
            self._asked_for = (info["host"], info["port"])

    @contextmanager
    def _answering(
        self, request: httpx.Request, auth: httpx.Auth | None, left_s: float
    ) -> Iterator[tuple[httpx.Response, object]]:
        """The answer's beginning, and the watch over it; at the end of the context it is closed. Each read has its
        time-out, and a watch ends what drips on for longer than the whole may take."""
        late = threading.Event()
        watched = self._shared.watch.begin(left_s, lambda: self._cut(late))
        response = None
        try:
            response = self._client.send(request, auth=auth, stream=True)
            yield response, watched
        except httpx.HTTPError as error:
            own = getattr(error, "_request", None) in (request, None)
            since_s = self._departure.since_s
            raise Lost(error, self._asked_for, since_s, is_late=late.is_set(), is_own=own) from error
        finally:
            self._shared.watch.end(watched)
            if response is not None:
                with suppress(httpx.HTTPError, OSError):
                    response.close()

    def _cut(self, late: threading.Event) -> None:
        late.set()
        if self._socket is not None:
            with suppress(OSError):  # the plain method: TLS is not to be ended from another thread
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _leaves(self, request: httpx.Request) -> None:
        """Before every request, those for tokens too."""
        request.extensions["started_s"] = time.monotonic()
        self._departure.begins(request.extensions.get(LEAVING))
        self._tell(f"> {request.method} {request.url}")

    def _tell_response(self, response: httpx.Response) -> None:
        request = response.request
        took_ms = (time.monotonic() - request.extensions["started_s"]) * 1000
        self._tell(f"< {response.status_code} {request.method} {request.url.path} ({took_ms:.0f} ms)")
        if LEAVING not in request.extensions:
            self._token_pause_s = asked_pause_s(response.headers)

    def _tell(self, line: str) -> None:
        if self._trace is not None:
            self._trace(line)

    # -- directly --------------------------------------------------------------------------------------

    @cached_property
    def _direct(self) -> Direct:
        from rpctl.backends.direct import Direct

        host = urlsplit(self.base_url).hostname or ""
        return Direct(
            self.base_url,
            self._headers,
            lambda: self._shared.trust(self.base_url),
            self._tell,
            self._departure,
            is_near=_is_this_machine(host),
        )

    def _directly(self, asked: _Asked, ends_s: float) -> Answer | None:
        """The answer to a request that can go the short way; None: it has not left, or was refused for its token, of
        which another may be had, and httpx is to send it."""
        if not self._is_twin or asked.form is not None or not self._direct.is_plain:
            return None
        auth = asked.auth if isinstance(asked.auth, Authorization) else None
        value = auth.at_hand(self.base_url) if auth else None
        if value is None and asked.auth is not None:
            return None
        request = self._direct.request(
            asked.method,
            asked.path,
            params=asked.params,
            headers=asked.headers,
            authorization=f"{auth.scheme} {value}" if auth else None,
            content=asked.content,
        )
        if request is None:
            return None
        received = self._direct.answer(request, asked.leaving, ends_s, asked.limit, asked.told, safe=asked.safe)
        if received.status == httpx.codes.UNAUTHORIZED and auth and auth.refuse(value or ""):
            return None
        return self._as_answer(received, asked)

    def _as_answer(self, received: Received, asked: _Asked) -> Answer:
        """As httpx would give it: its body may be packed although nobody asked for that."""
        status, fields, body = received
        headers = httpx.Headers([(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields])
        if "Content-Encoding" in headers:
            request = httpx.Request(asked.method, self.base_url)
            try:
                body = unpacked(request, status, headers, body, asked.limit, asked.told)
            except AnswerInvalid as error:
                raise of_no_use(error, safe=asked.safe) from None
            except httpx.DecodingError as error:
                raise Lost(error, None, self._departure.since_s, is_late=False, is_own=True) from error
        return Answer(status, headers, body, asked.told)

    # -- again -----------------------------------------------------------------------------------------

    def _patiently(self, once: Callable[[float], Answer], asking: Asking) -> Answer:
        return patiently(once, asking, self._waiting, lambda: self._token_pause_s, self._tell)


def _shorten_refusals(response: httpx.Response) -> None:
    """A 401 and what answers a request for a token are read whole, wherever they come from."""
    is_own = LEAVING in response.request.extensions
    if not is_own or response.status_code == httpx.codes.UNAUTHORIZED:
        shorten(response)


def _is_this_machine(host: str) -> bool:
    from ipaddress import ip_address

    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _nothing_trusted() -> Any:
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
