"""Many threads that send changes to one service, each with a client of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rpctl.auth.credentials import Account, Credentials, Folders
from rpctl.backends.emporix.backend import EmporixBackend
from rpctl.backends.port import Sending
from rpctl.errors import RateLimited
from servers import answering, in_turn, reply

Make = Callable[..., Any]


def _backend(made: Any, **environ: str) -> EmporixBackend:
    given = {"RPCTL_KEYRING": "off", **environ}
    credentials = Credentials(Account(made.http.base_url, "shop", "kLm3"), given, Folders(None, None), lambda: 0)
    return EmporixBackend(made.http, credentials, "shop", writing=True)


def _sending(customer_id: str = "C1") -> Sending:
    return Sending("add", customer_id, 5, "id", "rp-0")


# -- slowing down -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["add", "redeem", "create"])
def test_a_change_that_is_not_patient_says_how_long_to_wait(client: Make, serve: Make, kind: str) -> None:
    server = serve(answering(reply(429, Retry_After="3")))
    made = client(server.url)
    with pytest.raises(RateLimited) as slow:
        _backend(made, RPCTL_ACCESS_TOKEN="T0ken").send(_sending()._replace(kind=kind), lambda: None, patient=False)
    assert (slow.value.retry_after_s, made.pauses, len(server.got)) == (3.0, [], 1)


def test_a_change_is_patient_by_itself(client: Make, serve: Make) -> None:
    server = serve(in_turn(reply(429, Retry_After="3"), reply(201)))
    made = client(server.url)
    _backend(made, RPCTL_ACCESS_TOKEN="T0ken").send(_sending(), lambda: None)
    assert (made.pauses, len(server.got)) == ([3.2], 2)
