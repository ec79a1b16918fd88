"""Many threads that send changes to one service, each with a client of its own."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from rpctl.auth.credentials import Account, Credentials, Folders
from rpctl.backends.emporix.backend import EmporixBackend
from rpctl.backends.http import Http, Waiting
from rpctl.backends.port import Sending
from rpctl.errors import RateLimited
from servers import Got, answering, in_turn, reply

Make = Callable[..., Any]
TOKEN = "/oauth/token"
THREADS = 32


def _credentials(url: str, **environ: str) -> Credentials:
    return Credentials(
        Account(url, "shop", "kLm3"), {"RPCTL_KEYRING": "off", **environ}, Folders(None, None), lambda: 0
    )


def _backend(http: Http, **environ: str) -> EmporixBackend:
    return EmporixBackend(http, _credentials(http.base_url, **environ), "shop", writing=True)


def _sending(customer_id: str = "C1") -> Sending:
    return Sending("add", customer_id, 5, "id", "rp-0")


class Service:
    """Gives out ``T1``, ``T2`` ... after a while and takes changes; ``refuses`` tells of which tokens it does not."""

    def __init__(self, refuses: Callable[[str, int], bool] = lambda token, taken: False) -> None:
        self.tokens = 0
        self.taken: list[str] = []
        self._refuses = refuses
        self._turn = threading.Lock()

    def __call__(self, got: Got) -> bytes:
        if got.target == TOKEN:
            time.sleep(0.1)
            self.tokens += 1
            return reply(200, {"access_token": f"T{self.tokens}", "expires_in": 14399})
        with self._turn:
            if self._refuses(got.headers["authorization"].removeprefix("Bearer "), len(self.taken)):
                return reply(401)
            self.taken.append(got.target)
        return reply(201)


def _send_all(first: EmporixBackend, each: int) -> None:
    """Every thread sends so many changes."""
    errors: list[BaseException] = []

    def send(backend: EmporixBackend, number: int) -> None:
        try:
            for at in range(each):
                backend.send(_sending(f"C{number}-{at}"), lambda: None, patient=False)
        except BaseException as error:
            errors.append(error)
        finally:
            backend.close()

    threads = [threading.Thread(target=send, args=(first.twin(), number)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert errors == []


# -- slowing down -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["add", "redeem", "create"])
def test_a_change_that_is_not_patient_says_how_long_to_wait(client: Make, serve: Make, kind: str) -> None:
    server = serve(answering(reply(429, Retry_After="3")))
    made = client(server.url)
    backend = _backend(made.http, RPCTL_ACCESS_TOKEN="T0ken")
    with pytest.raises(RateLimited) as slow:
        backend.send(_sending()._replace(kind=kind), lambda: None, patient=False)
    assert (slow.value.retry_after_s, made.pauses, len(server.got)) == (3.0, [], 1)


def test_a_change_is_patient_by_itself(client: Make, serve: Make) -> None:
    server = serve(in_turn(reply(429, Retry_After="3"), reply(201)))
    made = client(server.url)
    _backend(made.http, RPCTL_ACCESS_TOKEN="T0ken").send(_sending(), lambda: None)
    assert (made.pauses, len(server.got)) == ([3.2], 2)


def test_a_token_that_is_to_be_waited_for_says_how_long_too(client: Make, serve: Make) -> None:
    server = serve(answering(reply(429, Retry_After="3")))
    made = client(server.url)
    with pytest.raises(RateLimited) as slow:
        _backend(made.http, RPCTL_CLIENT_SECRET="s3cret").send(_sending(), lambda: None, patient=False)
    assert (slow.value.retry_after_s, made.pauses) == (3.0, [])
    assert [got.target for got in server.got] == [TOKEN]


# -- tokens -----------------------------------------------------------------------------------------------


def test_all_threads_together_ask_for_one_token(client: Make, serve: Make) -> None:
    service = Service()
    server = serve(answering(service))
    _send_all(_backend(client(server.url).http, RPCTL_CLIENT_SECRET="s3cret"), 3)
    assert service.tokens == 1
    assert sorted(service.taken) == sorted(
        f"/reward-points/customer/C{number}-{at}/addPoints" for number in range(THREADS) for at in range(3)
    )


def test_a_token_that_ends_half_way_is_replaced_once_for_all_and_each_change_is_in_once(
    client: Make, serve: Make
) -> None:
    service = Service(lambda token, taken: token == "T1" and taken >= 2 * THREADS)
    server = serve(answering(service))
    _send_all(_backend(client(server.url).http, RPCTL_CLIENT_SECRET="s3cret"), 5)
    assert service.tokens == 2
    assert len(service.taken) == len(set(service.taken)) == 5 * THREADS
    used = Counter(got.headers["authorization"] for got in server.got if got.target != TOKEN)
    assert used["Bearer T1"] <= 2 * THREADS + THREADS  # each thread may find out for itself, and no more than once


def test_a_ready_token_that_is_refused_is_told(client: Make, serve: Make) -> None:
    server = serve(answering(reply(401)))
    auth = _credentials(server.url, RPCTL_ACCESS_TOKEN="T0ken").service(["view"])
    assert client(server.url).http.request("POST", "/points", auth=auth, safe=False).status == 401
    assert len(server.got) == 1


def test_threads_that_come_at_once_have_the_same_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Credentials, "ready_token", lambda self: time.sleep(0.05))
    credentials, made = _credentials("https://api.test"), []
    threads = [threading.Thread(target=lambda: made.append(credentials.service(["view"]))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 4
    assert len(set(map(id, made))) == 1


def test_a_token_goes_to_its_own_service_only(client: Make, serve: Make) -> None:
    from rpctl.errors import UsageError

    server, other = serve(answering(reply(201))), serve(answering(reply(201)))
    auth = _credentials(other.url, RPCTL_ACCESS_TOKEN="T0ken").service(["view"])
    with pytest.raises(UsageError, match="are not sent to"):
        client(server.url).http.request("POST", "/points", auth=auth, safe=False)
    assert server.got == []


@pytest.mark.parametrize("status", [201, 401])
def test_the_trace_of_a_change_holds_no_token(client: Make, serve: Make, status: int) -> None:
    server = serve(answering(reply(status, {"token": "s3cret"})))
    made = client(server.url)
    auth = _credentials(server.url, RPCTL_ACCESS_TOKEN="T0ken").service(["view"])
    made.http.request("POST", "/points", auth=auth, json={"points": 5}, params={"siteCode": "a"}, safe=False)
    sent, answered = made.trace
    assert sent == f"> POST {server.url}/points?siteCode=a"
    assert answered.partition(" (")[0] == f"< {status} POST /points"
    assert answered.endswith(" ms)")


# -- twins ------------------------------------------------------------------------------------------------


def test_twins_load_the_certificates_once(serve: Make, certificate: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    loaded: list[None] = []
    load = httpx.create_ssl_context
    monkeypatch.setattr("httpx.create_ssl_context", lambda: loaded.append(None) or load())
    server = serve(answering(reply(201)), tls=certificate.context)
    first = Http(server.url, {}, Waiting(5.0))
    twins = [first, *(first.twin() for _ in range(8)), first.twin().twin()]
    for twin in twins:
        assert twin.request("POST", "/points", safe=False).status == 201
        twin.close()
    assert (len(loaded), server.connections) == (1, len(twins))


def test_a_twin_has_its_firsts_headers_and_goes_by_one_connection(serve: Make) -> None:
    server = serve(answering(reply(201)))
    twin = Http(server.url, {"Emporix-Tenant": "shop"}, Waiting(5.0)).twin()
    for _ in range(3):
        twin.request("POST", "/points", json={"points": 5}, params={"siteCode": "a b"}, safe=False)
    twin.close()
    assert server.connections == 1
    assert server.got[0] == server.got[2]
    assert (server.got[0].target, server.got[0].body) == ("/points?siteCode=a+b", b'{"points": 5}')
    assert server.got[0].headers == {
        "host": server.url.removeprefix("http://"), "emporix-tenant": "shop", "content-type": "application/json",
        "content-length": "13", "accept-encoding": "identity",
    }  # fmt: skip
