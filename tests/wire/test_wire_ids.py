"""Ids reach the service as one segment of a path, encoded once, or they are refused: never as another path."""

from __future__ import annotations

import json
from collections.abc import Iterator
from string import ascii_letters, digits
from typing import Any, Final

import pytest
import respx
from documented import OPTION, SUMMARY

from servers import Got, Server, answering, reply

IDS: Final = [
    "../", "/", "?", "#", "%", "%2F", "%2f", "a b", "ü", "😀", "a/../b", "../C2", "..%2FC2", "%2e%2e", "%2E%2E%2F",
    "//", "C1/summary", "C1?siteCode=x", "C1#x", "C1;v=1", "a\\b", "..\\", "+", "a+b", "&", "=", ":", "@", "~", "...",
    "-1", "C1%00", "%0d%0aX: y", "'\"<>`{}|^[]", "customer@example.com", "http://other.example/", "e\u0301", "é",
    "x" * 255,
]  # fmt: skip
REFUSED: Final = [".", "..", "", " ", "a\nb", "a\r\nX: y", "\x00", "a\u202eb", "x" * 256, "\udcff"]
UNRESERVED: Final = set((ascii_letters + digits + "-._~").encode())


def encoded(text: str) -> str:
    """By RFC 3986: every byte that is not unreserved."""
    return "".join(chr(byte) if byte in UNRESERVED else f"%{byte:02X}" for byte in text.encode())


@pytest.fixture
def listening() -> Iterator[Server]:
    """A service on a real socket that knows everybody."""

    def answer(got: Got) -> bytes:
        if got.method == "DELETE" and "redeemOptions" in got.target:
            return reply(204)
        if got.method != "GET":
            return reply(201 if "Points" in got.target else 200)
        return reply(200, SUMMARY if got.target.endswith("/summary") else 5)

    with Server(answering(answer)) as server:
        yield server


@pytest.mark.parametrize("customer", IDS)
def test_a_customers_id_is_one_segment_encoded_once(online: Any, listening: Server, customer: str) -> None:
    with respx.mock(assert_all_mocked=False) as router:  # nothing is mocked here: it goes over the socket
        router.route(host="127.0.0.1").pass_through()
        online.environ |= {"RPCTL_URL": listening.url, "RPCTL_TIMEOUT_S": "20"}
        for words in (["points", "balance"], ["points", "summary"], ["points", "add"], ["points", "redeem"]):
            after = ["5", "-q"] if words[1] in ("add", "redeem") else []
            ended = online(*words, *after[1:], "--", customer, *after[:1])
            assert ended.status == 0, ended.err
        online.ok("customer", "create", "-q", "--", customer)
        online.ok("customer", "delete", "-q", f"--confirm={customer}", "--", customer)
    root = f"/reward-points/customer/{encoded(customer)}"
    targets = {got.target for got in listening.got}
    assert targets == {
        root, f"{root}/summary", f"{root}/addPoints?siteCode=main", f"{root}/redeemPoints",
    }  # fmt: skip
    created = [got.body for got in listening.got if got.method == "POST" and got.target == root]
    assert [json.loads(body) for body in created] == [{"customerId": customer}]


@pytest.mark.parametrize("customer", REFUSED)
@pytest.mark.parametrize("words", ["points balance", "points summary", "points add", "customer create"])
def test_an_id_that_would_be_another_path_is_refused_before_anything_is_sent(
    online: Any, service: respx.MockRouter, words: str, customer: str
) -> None:
    ended = online(*words.split(), "--", customer, *(["5"] if words == "points add" else []))
    assert (ended.status, ended.out, len(service.calls)) == (2, "", 0), ended.err
    assert [line.partition(":")[0] for line in ended.err.splitlines()] == ["error", "hint"]
    if customer in (".", ".."):
        assert f"The id {customer!r} cannot be sent: in a path it means another one." in ended.err


@pytest.mark.parametrize("option", IDS)
def test_an_options_id_is_one_segment_encoded_once(online: Any, service: respx.MockRouter, option: str) -> None:
    service.get("/reward-points/shop/redeemOptions").respond(json=[{**OPTION, "id": option}])
    service.route(method="PUT").respond(200)
    service.route(method="DELETE").respond(204)
    online.ok("options", "update", "--points=80", "-q", "--", option)
    online.ok("options", "delete", "--yes", "-q", "--", option)
    targets = [call.request.url.raw_path.decode() for call in service.calls if call.request.method != "GET"]
    assert targets == [f"/reward-points/shop/redeemOptions/{encoded(option)}"] * 2


@pytest.mark.parametrize("option", [".", ".."])
def test_an_option_whose_id_would_be_another_path_stays(online: Any, service: respx.MockRouter, option: str) -> None:
    service.get("/reward-points/shop/redeemOptions").respond(json=[{**OPTION, "id": option}])
    assert online("options", "delete", "--yes", "--", option).status == 2
    assert [call.request.method for call in service.calls] == ["GET"]


@pytest.mark.parametrize("site", ["../x", "a/b", "a?b", "%2F", "ü", "a b"])
def test_a_sites_code_is_one_segment_or_one_value(online: Any, service: respx.MockRouter, site: str) -> None:
    service.route(method="GET").respond(json={"rewardpoints": {}})
    service.route(method="POST").respond(201)
    online.ok("program", "show", f"--site={site}")
    online.ok("points", "add", "C1", "5", f"--site={site}", "-q")
    show, *_, add = [call.request for call in service.calls if call.request.url.path.find("/summary") < 0]
    assert show.url.raw_path.decode() == f"/site/shop/sites/{encoded(site)}/mixins/couponSettings"
    assert (add.url.raw_path.count(b"?"), add.url.params.multi_items()) == (1, [("siteCode", site)])
