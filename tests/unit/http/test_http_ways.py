"""Where requests go: never after a redirect, through a proxy only to other machines, and what is told of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from rpctl.auth.account import Account
from rpctl.auth.client_credentials import ReadyToken
from rpctl.auth.secrets import Secret
from rpctl.errors import InvalidConfig, InvalidValue, ServiceUnreachable, TimedOut, TlsFailed
from servers import Talk, answering, closing, in_turn, refusing, reply, silent

Make = Callable[..., Any]
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXIES:
        monkeypatch.delenv(name, raising=False)


def _token(url: str) -> ReadyToken:
    return ReadyToken(Account(url, "shop", None), Secret("T0ken", "a test"))


# -- redirects --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_is_an_answer_and_the_token_goes_nowhere_else(
    client: Make, serve: Make, status: int, method: str
) -> None:
    other = serve(answering(reply(200, 2000)))
    server = serve(answering(reply(status, Location=f"{other.url}/reward-points")))
    answer = client(server.url).http.request(method, "/reward-points", auth=_token(server.url), safe=method == "GET")
    assert (answer.status, len(server.got), other.connections) == (status, 1, 0)
    assert server.got[0].headers["authorization"] == "Bearer T0ken"


def test_a_redirect_of_a_list_is_an_answer_too(client: Make, serve: Make) -> None:
    other = serve(answering(reply(200, [])))
    server = serve(answering(reply(302, Location=other.url)))
    with client(server.url).http.stream("/reward-points", auth=_token(server.url)) as (answer, readable):
        assert (answer.status, readable) == (302, None)
    assert other.connections == 0


# -- proxies ----------------------------------------------------------------------------------------------


def _tunnel_to(port: int) -> Callable[[Talk], None]:
    def behave(talk: Talk) -> None:
        if talk.request():
            talk.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            talk.tunnel(port)

    return behave


@pytest.mark.parametrize("name", ["https_proxy", "HTTPS_PROXY", "all_proxy"])
def test_a_proxy_carries_what_goes_to_another_machine(
    client: Make, serve: Make, certificate: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    server = serve(answering(reply(200, 2000)), tls=certificate.context)
    proxy = serve(_tunnel_to(server.port))
    monkeypatch.setenv(name, proxy.url)
    answer = client("https://api.test").http.request("GET", "/points", auth=_token("https://api.test"))
    assert (answer.body, [got.target for got in proxy.got]) == (b"2000", ["api.test:443"])
    assert "authorization" not in proxy.got[0].headers  # the token is for the other end of the tunnel


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_proxy_carries_what_stays_on_this_machine(
    client: Make, serve: Make, certificate: Any, monkeypatch: pytest.MonkeyPatch, host: str, scheme: str
) -> None:
    proxy = serve(closing)
    for name in PROXIES[:6]:
        monkeypatch.setenv(name, proxy.url)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    server = serve(answering(reply(200, 2000)), tls=certificate.context if scheme == "https" else None)
    made = client(f"{scheme}://{host}:{server.port}")
    if (host, scheme) == ("localhost", "https"):  # for which the certificate is not
        with pytest.raises(TlsFailed):
            made.http.request("GET", "/points")
    else:
        assert made.http.request("GET", "/points").body == b"2000"
    assert proxy.connections == 0


def test_what_drips_through_a_proxy_is_ended_with_the_whole_time(
    client: Make, serve: Make, certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drips(talk: Talk) -> None:
        talk.request()
        talk.drip(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000)

    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    server = serve(drips, tls=certificate.context)
    monkeypatch.setenv("https_proxy", serve(_tunnel_to(server.port)).url)
    import time

    started_s = time.monotonic()
    with pytest.raises(TimedOut):
        client("https://api.test", whole_s=0.5).http.request("GET", "/points")
    assert time.monotonic() - started_s < 4


def test_a_proxy_that_is_not_there_is_named_and_not_the_service(client: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = refusing()
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises(ServiceUnreachable) as error:
        client("https://api.test").http.request("POST", "/points", safe=False)
    assert error.value.message == f"The proxy {proxy.removeprefix('http://')} cannot be reached: Connection refused."
    assert error.value.hint == "Check HTTPS_PROXY, ALL_PROXY and NO_PROXY."


def test_a_proxy_that_lets_nothing_through_is_named(client: Make, serve: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = serve(answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"))
    monkeypatch.setenv("https_proxy", proxy.url.replace("://", "://someone:pa55word@"))
    with pytest.raises(ServiceUnreachable) as error:
        client("https://api.test").http.request("GET", "/points")
    assert error.value.message == (
        f"The proxy 127.0.0.1:{proxy.port} lets nothing through to api.test: 407 Proxy Authentication Required."
    )


@pytest.mark.parametrize("proxy", [
    "ftp://someone:pa55word@proxy:21", "http://someone:pa55word@proxy:port", "http://someone:pa55/word@proxy:1",
    "socks5://someone:pa55word@proxy:1080", "http://[someone:pa55word@proxy",
])  # fmt: skip
def test_a_proxy_that_cannot_be_one_is_a_matter_of_the_environment(
    client: Make, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("https_proxy", proxy)
    with pytest.raises((InvalidConfig, ServiceUnreachable)) as error:
        client("https://api.test").http.request("GET", "/points")
    assert "pa55" not in str(error.value)


# -- certificates -----------------------------------------------------------------------------------------


def test_a_certificate_of_nobodys_is_not_trusted(client: Make, serve: Make, certificate: Any) -> None:
    server = serve(answering(reply(200, 1)), tls=certificate.context)
    with pytest.raises(TlsFailed, match="is not trusted: self-signed certificate"):
        client(server.url).http.request("POST", "/points", safe=False)
    assert server.got == []


def test_a_certificate_that_the_environment_names_is(
    client: Make, serve: Make, certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    server = serve(answering(reply(200, 2000)), tls=certificate.context)
    assert client(server.url).http.request("GET", "/points").body == b"2000"


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_certificates_that_cannot_be_used_are_a_matter_of_the_environment(
    client: Make, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, content: str | None
) -> None:
    file = tmp_path / "certificates.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(InvalidConfig, match="certificates that the environment names") as error:
        client("https://127.0.0.1:9").http.request("GET", "/points")
    assert error.value.hint == "Check SSL_CERT_FILE and SSL_CERT_DIR."


# -- hosts and paths --------------------------------------------------------------------------------------


@pytest.mark.parametrize("host", ["a..b", "x" * 64 + ".example"])
def test_what_can_be_no_host_is_a_matter_of_the_configuration(client: Make, host: str) -> None:
    with pytest.raises(InvalidConfig, match="no name that a host can have"):
        client(f"https://{host}").http.request("GET", "/points")


@pytest.mark.parametrize("path", ["/a/../b", "/a/./b", "/..", "/a//../b", "/" + "x" * 70_000, "/a b", "/ä", "/a\x01"])
def test_a_path_that_would_become_another_is_not_sent(client: Make, serve: Make, path: str) -> None:
    server = serve(answering(reply(200, 1)))
    with pytest.raises(InvalidValue):
        client(server.url).http.request("GET", path)
    assert server.connections == 0


def test_a_path_below_the_services_own_is_kept(client: Make, serve: Make) -> None:
    server = serve(answering(reply(200, 1)))
    client(f"{server.url}/base").http.request("GET", "/a%2F..%2Fb%252F", params={"siteCode": "a&b=c/d e"})
    assert server.got[0].target == "/base/a%2F..%2Fb%252F?siteCode=a%26b%3Dc%2Fd+e"


# -- what is told -----------------------------------------------------------------------------------------


def test_the_trace_tells_each_request_and_no_secret(client: Make, serve: Make) -> None:
    server = serve(in_turn(reply(503, Set_Cookie="session=s3cret"), reply(200, {"token": "s3cret"})))
    made = client(server.url)
    made.http.request("POST", "/points?a=b", auth=_token(server.url), form={"client_secret": "s3cret"})
    lines = [line.partition(" (")[0] for line in made.trace]
    assert lines == [
        f"> POST {server.url}/points?a=b", "< 503 POST /points", "* trying again in 0.2 s",
        f"> POST {server.url}/points?a=b", "< 200 POST /points",
    ]  # fmt: skip
    assert all(line.endswith(" ms)") for line in made.trace if line.startswith("<"))
    assert not any(secret in line for line in made.trace for secret in ("T0ken", "s3cret", "Bearer"))


def test_headers_go_with_every_request(client: Make, serve: Make) -> None:
    server = serve(in_turn(reply(503), reply(200, 1)))
    client(server.url).http.request("GET", "/points")
    assert [got.headers["emporix-tenant"] for got in server.got] == ["shop", "shop"]


def test_no_thread_is_left_behind(client: Make, serve: Make) -> None:
    fine, mute = serve(answering(reply(200, 1))), serve(silent)
    made = [client(fine.url), client(mute.url, whole_s=0.2)]
    before = threading.active_count()
    for _ in range(3):
        made[0].http.request("GET", "/points")
    with pytest.raises(TimedOut):
        made[1].http.request("GET", "/points")
    for one in made:
        one.http.close()
    for thread in threading.enumerate():
        if thread.name == "watch":
            thread.join(2)
    assert threading.active_count() <= before + 2  # two connections of the servers'
