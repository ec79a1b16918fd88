"""A service that takes the client id and the secret themselves: what is sent, to whom, and what never shows."""

from __future__ import annotations

from base64 import b64decode

import httpx
import pytest
from token_service import SECRET, Clock, Service

from rpctl.auth.client_credentials import Basic
from rpctl.auth.credentials import VIEW, Account, Credentials, Folders
from rpctl.errors import CredentialsMissing, InvalidConfig, UsageError


def made(service: Service, folders: Folders, clock: Clock, client_id: str = "Api", **environ: str) -> Credentials:
    account = Account(service.url, client_id, client_id)
    return Credentials(account, {"RPCTL_KEYRING": "off", **environ}, folders, clock, has_tokens=False)


def get(credentials: Credentials, url: str) -> int:
    with httpx.Client(trust_env=False, verify=False) as client:
        return client.get(url, auth=credentials.service([VIEW])).status_code


@pytest.mark.parametrize("secret", [SECRET, "with:colons", "chave número 1", " "])
def test_the_id_and_the_secret_are_sent_and_no_token_is_asked_for(
    service: Service, folders: Folders, clock: Clock, secret: str
) -> None:
    credentials = made(service, folders, clock, RPCTL_CLIENT_SECRET=secret, RPCTL_ACCESS_TOKEN="T0ken")

    get(credentials, service.url)

    (sent,) = service.asked
    scheme, _, value = (sent.authorization or "").partition(" ")
    assert (scheme, b64decode(value).decode(), service.forms) == ("Basic", f"Api:{secret}", [])


def test_a_refusal_is_final(service: Service, folders: Folders, clock: Clock) -> None:
    auth = made(service, folders, clock, RPCTL_CLIENT_SECRET=SECRET).service([])

    assert isinstance(auth, Basic)
    value = auth.at_hand(service.url)
    assert auth.refuse(value or "") is False
    assert auth.at_hand(service.url) == value


@pytest.mark.parametrize("other", ["https://127.0.0.1:PORT/", "http://localhost:PORT/", "http://127.0.0.1:1/"])
def test_they_go_to_their_own_service_only(service: Service, folders: Folders, clock: Clock, other: str) -> None:
    other = other.replace("PORT", service.url.rpartition(":")[2])
    credentials = made(service, folders, clock, RPCTL_CLIENT_SECRET=SECRET)

    with pytest.raises(UsageError, match="are not sent to") as caught:
        get(credentials, other)
    auth = credentials.service([])
    assert isinstance(auth, Basic)
    with pytest.raises(UsageError, match="are not sent to"):
        auth.at_hand(other)

    assert service.asked == []
    assert SECRET not in caught.value.message + repr(auth) + str(auth.__dict__)


def test_without_a_secret_every_place_is_named_and_no_token_is_looked_for(
    service: Service, folders: Folders, clock: Clock
) -> None:
    with pytest.raises(CredentialsMissing, match="There is no client secret for client Api at ") as missing:
        made(service, folders, clock, RPCTL_ACCESS_TOKEN="T0ken").service([])

    assert missing.value.details["lookedAt"][:1] == ["RPCTL_CLIENT_SECRET_FILE"]


def test_an_id_with_a_colon_would_end_in_its_middle(service: Service, folders: Folders, clock: Clock) -> None:
    with pytest.raises(InvalidConfig, match="has a colon in it") as refused:
        made(service, folders, clock, "a:b", RPCTL_CLIENT_SECRET=SECRET).service([])

    assert SECRET not in refused.value.message
