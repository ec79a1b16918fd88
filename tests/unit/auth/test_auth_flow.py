"""Requests carry a token: got when it is needed, kept, used until it expires, got anew once when it is refused."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from token_service import SECRET, Clock, Service

from rpctl.auth.client_credentials import ClientCredentials
from rpctl.auth.credentials import MANAGE, VIEW, Account, Credentials, Folders
from rpctl.errors import (
    AnswerInvalid,
    CredentialsMissing,
    CredentialsWrong,
    InvalidConfig,
    MissingScope,
    RateLimited,
    RequestRefused,
    RpctlError,
    ServiceUnavailable,
    UsageError,
)

Make = Callable[..., Credentials]


def get(credentials: Credentials, *scopes: str, path: str = "/points") -> int:
    with httpx.Client(trust_env=False, verify=False) as client:
        auth = credentials.service(scopes or (VIEW,))
        return client.get(credentials.account.url + path, auth=auth).status_code


# -- tokens -----------------------------------------------------------------------------------------------


def test_a_token_is_asked_for_with_the_client_id_the_secret_and_the_tenant(make: Make, service: Service) -> None:
    assert get(make(RPCTL_CLIENT_SECRET=SECRET), VIEW, MANAGE) == 200

    assert service.forms == [
        {
            "grant_type": "client_credentials",
            "client_id": "kLm3",
            "client_secret": SECRET,
            "scope": f"{MANAGE} {VIEW} tenant=acme",
        }
    ]
    assert service.used == ["Bearer token-1"]


def test_a_token_is_used_by_later_requests_and_processes(make: Make, service: Service) -> None:
    first = make(RPCTL_CLIENT_SECRET=SECRET)
    get(first)
    get(first)

    get(make(RPCTL_CLIENT_SECRET=SECRET))

    assert len(service.forms) == 1
    assert service.used == ["Bearer token-1"] * 3


def test_while_a_token_is_good_nobody_looks_for_the_secret(make: Make, service: Service) -> None:
    get(make(RPCTL_CLIENT_SECRET=SECRET))

    assert get(make(RPCTL_CLIENT_SECRET_FILE="/nowhere")) == 200


def test_other_scopes_other_accounts_and_other_tenants_have_tokens_of_their_own(make: Make, service: Service) -> None:
    account = Account(service.url, "acme", "kLm3")
    get(make(RPCTL_CLIENT_SECRET=SECRET), VIEW)
    get(make(RPCTL_CLIENT_SECRET=SECRET), VIEW, MANAGE)
    get(make(account._replace(tenant="other"), RPCTL_CLIENT_SECRET=SECRET), VIEW)
    get(make(account._replace(client_id="other"), RPCTL_CLIENT_SECRET=SECRET), VIEW)

    assert service.used == ["Bearer token-1", "Bearer token-2", "Bearer token-3", "Bearer token-4"]


def test_the_order_of_scopes_does_not_matter(make: Make, service: Service) -> None:
    get(make(RPCTL_CLIENT_SECRET=SECRET), VIEW, MANAGE)
    get(make(RPCTL_CLIENT_SECRET=SECRET), MANAGE, VIEW)

    assert len(service.forms) == 1


@pytest.mark.parametrize(("life_s", "good_s"), [(14_399, 14_339), (600, 540), (300, 270), (10, 9)])
def test_a_token_is_used_until_shortly_before_it_expires(
    make: Make, service: Service, clock: Clock, life_s: int, good_s: int
) -> None:
    service.life_s = life_s
    credentials = make(RPCTL_CLIENT_SECRET=SECRET)
    get(credentials)

    clock.now += good_s * 1000 - 1
    get(credentials)
    get(make(RPCTL_CLIENT_SECRET=SECRET))
    assert len(service.forms) == 1
    clock.now += 1
    get(credentials)

    assert len(service.forms) == 2


def test_a_token_from_the_future_is_not_trusted(make: Make, service: Service, clock: Clock) -> None:
    get(make(RPCTL_CLIENT_SECRET=SECRET))
    clock.now -= 1000

    get(make(RPCTL_CLIENT_SECRET=SECRET))

    assert len(service.forms) == 2


def test_a_refused_token_is_replaced_once(make: Make, service: Service) -> None:
    credentials = make(RPCTL_CLIENT_SECRET=SECRET)
    get(credentials)
    service.refused = {"token-1"}

    assert get(credentials) == 200
    assert service.used == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    assert get(make()) == 200  # the new one was kept


def test_a_refused_token_is_used_by_no_thread_that_comes_later(make: Make, service: Service) -> None:
    credentials = make(RPCTL_CLIENT_SECRET=SECRET)
    get(credentials)
    auth = credentials.service([VIEW])
    assert auth.at_hand(service.url) == "token-1"

    assert auth.refuse("token-1")

    assert auth.at_hand(service.url) is None
    get(credentials)
    assert (auth.at_hand(service.url), auth.refuse("token-1"), auth.at_hand(service.url)) == (
        "token-2",
        True,
        "token-2",
    )


def test_who_waits_while_nothing_comes_of_asking_for_a_token_does_not_ask_once_more(
    make: Make, account: Account, service: Service
) -> None:
    credentials = make(RPCTL_CLIENT_SECRET=SECRET)
    auth = credentials.service([VIEW])
    request = httpx.Request("GET", f"{account.url}/points")
    first = auth.sync_auth_flow(request)
    asked: list[str] = []
    ended: list[type[BaseException]] = []

    def wait() -> None:
        try:
            asked.append(next(auth.sync_auth_flow(request)).method)
        except BaseException as error:
            ended.append(type(error))

    assert next(first).method == "POST"
    waiting = threading.Thread(target=wait)
    waiting.start()
    waiting.join(0.2)  # it waits for its turn by now
    first.close()  # what httpx does where no answer came
    waiting.join(10)
    assert (asked, ended) == ([], [ServiceUnavailable])
    again = auth.sync_auth_flow(request)
    assert next(again).method == "POST"  # whoever comes later asks anew
    again.close()


def test_a_token_that_is_given_out_again_is_used_again(make: Make, service: Service) -> None:
    credentials = make(RPCTL_CLIENT_SECRET=SECRET)
    service.answers = [(200, b'{"access_token": "same"}')] * 2
    get(credentials)
    service.refused = {"same"}
    assert get(credentials) == 401
    service.refused = set()

    assert [get(credentials) for _ in range(3)] == [200] * 3

    assert len(service.forms) == 2


def test_a_second_refusal_is_the_answer(make: Make, service: Service) -> None:
    service.refused = {"token-1", "token-2"}

    assert get(make(RPCTL_CLIENT_SECRET=SECRET)) == 401
    assert service.used == ["Bearer token-1", "Bearer token-2"]


def test_a_token_that_another_process_got_meanwhile_is_taken(make: Make, service: Service) -> None:
    early = make(RPCTL_CLIENT_SECRET=SECRET)
    get(early)
    service.refused = {"token-1"}
    get(make(RPCTL_CLIENT_SECRET=SECRET))

    get(early)

    assert len(service.forms) == 2
    assert service.used[-2:] == ["Bearer token-1", "Bearer token-2"]


# -- answers ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (400, b"", CredentialsWrong),
        (401, b'{"error": "invalid_client"}', CredentialsWrong),
        (403, b"<html>", CredentialsWrong),
        (400, b'{"error": "invalid_scope"}', MissingScope),
        (404, b"", RequestRefused),
        (429, b"", RateLimited),
        (503, b"<html>", ServiceUnavailable),
        (501, b"", ServiceUnavailable),
        (302, b"", AnswerInvalid),
        (200, b"<html>hello</html>", AnswerInvalid),
        (200, b"", AnswerInvalid),
        (200, b"[]", AnswerInvalid),
        (200, b"\xff\xfe", AnswerInvalid),
        (200, b"[" * 100_000, AnswerInvalid),
        (200, b'{"access_token": ""}', AnswerInvalid),
        (200, b'{"access_token": 5}', AnswerInvalid),
        (200, b'{"access_token": "a\\r\\nX-Evil: 1"}', AnswerInvalid),
        (200, b'{"access_token": "a", "expires_in": -1}', AnswerInvalid),
        (200, b'{"access_token": "a", "expires_in": "soon"}', AnswerInvalid),
        (200, b'{"access_token": "a", "expires_in": NaN}', AnswerInvalid),
    ],
)
def test_what_is_no_token_says_what_it_is(
    make: Make, service: Service, status: int, body: bytes, error: type[RpctlError]
) -> None:
    service.answers = [(status, body)]

    with pytest.raises(error) as caught:
        get(make(RPCTL_CLIENT_SECRET=SECRET))

    assert type(caught.value) is error
    assert (caught.value.request, caught.value.http_status) == ("POST /oauth/token", status)
    assert (len(service.forms), service.used) == (1, [])  # who sends the request asks again, within its time


@pytest.mark.parametrize("said", [b"", b', "expires_in": "14399"', b', "expires_in": 14399.5', b', "expires_in": 1e99'])
def test_how_long_a_token_lives_is_read_with_patience(make: Make, service: Service, said: bytes) -> None:
    service.answers = [(200, b'{"access_token": "a"' + said + b"}")]

    assert get(make(RPCTL_CLIENT_SECRET=SECRET)) == 200


def test_a_refusal_tells_where_the_secret_came_from_and_not_the_secret(make: Make, service: Service) -> None:
    with pytest.raises(CredentialsWrong) as caught:
        get(make(RPCTL_CLIENT_SECRET="hunter2"))

    told = f"{caught.value.message} {caught.value.hint} {caught.value.details}"
    assert "its secret came from RPCTL_CLIENT_SECRET" in told
    assert service.url.removeprefix("http://") in told
    assert "tenant acme" in told
    assert "hunter2" not in told  # which the service repeats in its answer


def test_without_a_secret_every_place_that_was_looked_at_is_named(make: Make, service: Service) -> None:
    with pytest.raises(CredentialsMissing) as caught:
        get(make())

    for place in (
        "RPCTL_CLIENT_SECRET_FILE",
        "$CREDENTIALS_DIRECTORY/rpctl-client-secret",
        "RPCTL_CLIENT_SECRET,",
        "the keyring (RPCTL_KEYRING turns it off)",
        "data/credentials/",
    ):
        assert place in caught.value.message
    assert service.asked == []


def test_without_a_client_id_it_is_named(make: Make, account: Account) -> None:
    with pytest.raises(CredentialsMissing, match="There is no client id for tenant acme"):
        get(make(account._replace(client_id=None), RPCTL_CLIENT_SECRET=SECRET))


# -- ready tokens -----------------------------------------------------------------------------------------


def test_a_ready_token_wins_and_is_used_as_it_is(make: Make, service: Service) -> None:
    credentials = make(RPCTL_ACCESS_TOKEN="ready", RPCTL_CLIENT_SECRET=SECRET)

    assert get(credentials) == 200
    assert (service.forms, service.used) == ([], ["Bearer ready"])


def test_a_ready_token_that_is_refused_is_the_end_of_it(make: Make, service: Service) -> None:
    service.refused = {"ready"}

    assert get(make(RPCTL_ACCESS_TOKEN="ready", RPCTL_CLIENT_SECRET=SECRET)) == 401
    assert service.used == ["Bearer ready"]


def test_storefront_requests_take_the_customers_token_and_no_other(make: Make, service: Service) -> None:
    with httpx.Client(trust_env=False, verify=False) as client:
        client.get(service.url, auth=make(RPCTL_CUSTOMER_TOKEN="c1", RPCTL_ACCESS_TOKEN="e1").customer())
    assert service.used == ["Bearer c1"]

    with pytest.raises(CredentialsMissing, match=r"no customer token .*RPCTL_CUSTOMER_TOKEN"):
        make(RPCTL_ACCESS_TOKEN="e1", RPCTL_CLIENT_SECRET=SECRET).customer()


@pytest.mark.parametrize("value", ["a b", "Bearer abc", "a\nb", "ü", "a\x00"])
def test_a_token_that_no_header_can_carry_is_refused_unseen(make: Make, value: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        make(RPCTL_ACCESS_TOKEN=value).service([VIEW])

    assert "RPCTL_ACCESS_TOKEN" in caught.value.message
    assert value not in caught.value.message


# -- elsewhere --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variable", ["RPCTL_ACCESS_TOKEN", "RPCTL_CLIENT_SECRET"])
@pytest.mark.parametrize("other", ["https://127.0.0.1:PORT/", "http://localhost:PORT/", "http://127.0.0.1:1/"])
def test_credentials_go_to_their_own_service_only(make: Make, service: Service, variable: str, other: str) -> None:
    other = other.replace("PORT", service.url.rpartition(":")[2])
    auth = make(**{variable: SECRET}).service([VIEW])

    with (
        httpx.Client(trust_env=False, verify=False) as client,
        pytest.raises(UsageError, match="are not sent to") as caught,
    ):
        client.get(other, auth=auth)

    assert service.asked == []
    assert SECRET not in caught.value.message


def test_a_default_port_is_the_same_as_none() -> None:
    from rpctl.auth.client_credentials import _check_origin

    _check_origin(Account("https://api.emporix.io:443", "acme", None), httpx.URL("https://API.emporix.io/x"))
    _check_origin(Account("https://api.emporix.io", "acme", None), httpx.URL("https://api.emporix.io:443/x"))


# -- the cache --------------------------------------------------------------------------------------------


def cached(folders: Folders) -> list[Path]:
    assert folders.cache is not None
    return sorted((folders.cache / "tokens").glob("*.json"))


def test_tokens_are_the_owners_only(make: Make, folders: Folders) -> None:
    old = os.umask(0)
    try:
        get(make(RPCTL_CLIENT_SECRET=SECRET))
    finally:
        os.umask(old)

    (file,) = cached(folders)
    assert {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()} == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert SECRET not in file.read_text()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"{}", b"x" * 100_000, b"[" * 60_000])
def test_a_damaged_file_is_one_without_a_token(make: Make, folders: Folders, service: Service, content: bytes) -> None:
    get(make(RPCTL_CLIENT_SECRET=SECRET))
    cached(folders)[0].write_bytes(content)

    get(make(RPCTL_CLIENT_SECRET=SECRET))

    assert service.used == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize("key", ["schema", "account", "scopes", "issued", "expires", "accessToken"])
def test_a_file_with_something_else_in_it_is_one_without_a_token(
    make: Make, folders: Folders, service: Service, key: str
) -> None:
    get(make(RPCTL_CLIENT_SECRET=SECRET))
    file = cached(folders)[0]
    file.write_text(json.dumps({**json.loads(file.read_text()), key: ["wrong"] if key == "account" else True}))

    get(make(RPCTL_CLIENT_SECRET=SECRET))

    assert len(service.forms) == 2


def test_a_token_that_others_could_have_put_there_is_not_used(make: Make, folders: Folders, service: Service) -> None:
    get(make(RPCTL_CLIENT_SECRET=SECRET))
    cached(folders)[0].chmod(0o644)

    get(make(RPCTL_CLIENT_SECRET=SECRET))

    assert len(service.forms) == 2
    assert stat.S_IMODE(cached(folders)[0].stat().st_mode) == 0o600


def test_where_nothing_can_be_written_everything_goes_on(
    account: Account, clock: Clock, service: Service, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    environ = {"RPCTL_KEYRING": "off", "RPCTL_CLIENT_SECRET": SECRET}
    for cache in (tmp_path / "file" / "cache", None):
        credentials = Credentials(account, environ, Folders(None, cache), clock)
        assert get(credentials) == get(credentials) == 200

    assert len(service.forms) == 2


@pytest.mark.parametrize("has_cache", [True, False])
def test_threads_ask_for_one_token(
    account: Account, clock: Clock, folders: Folders, service: Service, has_cache: bool
) -> None:
    service.delay_s = 0.1
    environ = {"RPCTL_KEYRING": "off", "RPCTL_CLIENT_SECRET": SECRET}
    credentials = Credentials(account, environ, folders if has_cache else Folders(None, None), clock)
    threads = [threading.Thread(target=get, args=(credentials,)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (len(service.forms), service.used) == (1, ["Bearer token-1"] * 8)


_ASK = """
import sys, time
from pathlib import Path
import httpx
from rpctl.auth.credentials import VIEW, Account, Credentials, Folders
url, folder = sys.argv[1:]
environ = {"RPCTL_KEYRING": "off", "RPCTL_CLIENT_SECRET": "%s"}
now = lambda: time.time_ns() // 1_000_000
credentials = Credentials(Account(url, "acme", "kLm3"), environ, Folders(None, Path(folder)), now)
print("ready", flush=True)
sys.stdin.read(1)
print(httpx.get(url + "/points", auth=credentials.service([VIEW]), trust_env=False, verify=False).status_code)
"""


def test_processes_ask_for_one_token(service: Service, tmp_path: Path) -> None:
    service.delay_s = 0.3
    command = [sys.executable, "-c", _ASK % SECRET, service.url, str(tmp_path)]
    asking = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    for process in asking:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"

    for process in asking:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()

    assert [process.communicate(timeout=60)[0] for process in asking] == ["200\n"] * 4
    assert len(service.forms) == 1


def test_nobody_waits_for_ever_for_another_process(
    make: Make, folders: Folders, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    monkeypatch.setattr("rpctl.auth.token_cache._PATIENCE_S", 0.1)
    get(make(RPCTL_CLIENT_SECRET=SECRET))
    cached(folders)[0].unlink()
    assert folders.cache is not None
    (lock,) = (folders.cache / "tokens").glob("*.lock")
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)

        assert get(make(RPCTL_CLIENT_SECRET=SECRET)) == 200


# -- what is not shown, and what is not loaded ------------------------------------------------------------


def test_nothing_shows_a_secret(make: Make, service: Service) -> None:
    credentials = make(RPCTL_CLIENT_SECRET=SECRET, RPCTL_CUSTOMER_TOKEN=SECRET)
    get(credentials)
    token = credentials.service_token((VIEW,)).held()
    shown = [credentials.client_secret(), credentials.customer(), credentials.service([VIEW]), token]

    for one in (*shown, vars(credentials)["account"]):
        for text in (repr(one), str(one), f"{one}", f"{[one]}"):
            assert SECRET not in text
            assert "token-1" not in text
    assert isinstance(credentials.service([VIEW]), ClientCredentials)


_LOADED = """
import sys
from rpctl.auth.credentials import Account, Credentials, Folders
import rpctl.auth.secrets
credentials = Credentials(Account("https://a", "acme", "k"), {"RPCTL_CLIENT_SECRET": "x"}, Folders(None, None), int)
built = {"httpx", "keyring", "json", "hashlib", "pathlib"} & set(sys.modules) - {"pathlib"}
credentials.client_secret(), credentials.ready_token()
print(sorted(built), sorted({"httpx", "keyring"} & set(sys.modules)))
credentials.service(["s"])
print(sorted({"httpx._main", "rich", "click", "keyring"} & {name for name, one in sys.modules.items() if one}))
"""


def test_the_libraries_are_loaded_by_who_needs_them() -> None:
    done = subprocess.run([sys.executable, "-c", _LOADED], capture_output=True, text=True, check=True)

    lines = done.stdout.splitlines()
    assert lines[0].endswith("[]")
    assert "keyring" not in lines[0]
    assert "httpx" not in lines[0]
    assert lines[1] == "[]"
