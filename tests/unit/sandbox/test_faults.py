"""Faults on demand: requests that fail, answers that are lost, limits, latency, and markers that are not kept."""

from __future__ import annotations

import time
from http.client import RemoteDisconnected

import pytest

from rpctl.sandbox.faults import Fault, Faults, RateLimit
from sandbox_client import running


def drawn(faults: Faults, count: int = 2_000) -> list[Fault]:
    """The next faults."""
    return [faults.next() for _ in range(count)]


def test_the_same_seed_draws_the_same_faults_and_another_seed_others() -> None:
    first = drawn(Faults(0.2, 0.3, seed=7))

    assert first == drawn(Faults(0.2, 0.3, seed=7))
    assert first != drawn(Faults(0.2, 0.3, seed=8))


def test_faults_are_as_frequent_as_was_asked_for() -> None:
    found = drawn(Faults(0.2, 0.3))

    assert 350 < found.count(Fault.FAILED) < 450
    assert 400 < found.count(Fault.ANSWER_LOST) < 560  # of those that did not fail
    assert set(drawn(Faults())) == {Fault.NONE}
    assert set(drawn(Faults(fail_rate=1, lose_answer_rate=1))) == {Fault.FAILED}
    assert set(drawn(Faults(lose_answer_rate=1))) == {Fault.ANSWER_LOST}


def test_a_request_that_fails_does_nothing() -> None:
    with running(fail_rate=1) as api:
        answer = api.points("POST", "/customer/C1/addPoints", {"points": 5})

        assert (answer.status, answer.json) == (
            500,
            {
                "timestamp": "2026-03-01T12:00:00.000Z",
                "status": 500,
                "error": "Internal Server Error",
                "path": "/customer/C1/addPoints",
            },
        )
        assert list(api.sandbox.data.backend.customers()) == []
        assert api.log[-1].endswith(" ms  fault: failed")
        assert api.login().status == 200
        assert api.send("GET", "/nothing").status == 404


def test_a_lost_answer_is_one_to_something_that_was_done() -> None:
    with running(lose_answer_rate=1) as api:
        with pytest.raises((RemoteDisconnected, ConnectionResetError)):
            api.points("POST", "/customer/C1/addPoints", {"points": 5})

        assert list(api.sandbox.data.backend.customers()) == [("C1", 5)]
        assert api.sandbox.application.requests[-1] == ("POST", "/reward-points/customer/C1/addPoints", 0)
        assert api.log[-1].startswith("POST /reward-points/customer/C1/addPoints 201 ")
        assert api.log[-1].endswith("  fault: answer lost")
        assert api.login().status == 200


def test_one_by_one_requests_meet_the_faults_of_the_seed() -> None:
    def met() -> list[str]:
        with running(fail_rate=0.3, lose_answer_rate=0.3, seed=4) as api:
            api.token()
            for number in range(30):
                try:
                    api.points("POST", f"/customer/C{number}/addPoints", {"points": 1})
                except (RemoteDisconnected, ConnectionResetError):
                    continue
            return [line.partition(" ms")[2] for line in api.log]

    first = met()

    assert {"", "  fault: failed", "  fault: answer lost"} == set(first)
    assert first == met()


def test_a_bucket_lets_so_many_through_in_a_second() -> None:
    now = [0.0]
    limit = RateLimit(500, lambda: now[0])
    through = 0
    for _ in range(10_000):
        through += limit.take() is None
        now[0] += 0.001

    assert through == pytest.approx(500 * 10 + 50, abs=2)


def test_a_long_rest_saves_up_no_more_than_a_tenth_of_a_second() -> None:
    now = [0.0]
    limit = RateLimit(500, lambda: now[0])
    now[0] = 3_600

    assert [limit.take() for _ in range(51)].index(0.002) == 50


def test_an_empty_bucket_tells_how_long_it_takes() -> None:
    now = [0.0]
    limit = RateLimit(2, lambda: now[0])

    assert [limit.take(), limit.take()] == [None, 0.5]
    now[0] = 0.5
    assert limit.take() is None


def test_too_many_requests_are_told_when_to_come_back() -> None:
    with running(rate_limit=1) as api:
        first = api.points("GET", "/summaryBatch")
        second = api.points("POST", "/customer/C1/addPoints", {"points": 5})

        assert (first.status, second.status) == (200, 429)
        assert second.headers["retry-after"] == "1"
        assert second.json["title"] == "Too Many Requests"
        assert list(api.sandbox.data.backend.customers()) == []
        assert api.log[-1].endswith("  fault: too many")
        assert api.login().status == 200


def test_no_answer_comes_before_the_latency_and_answers_wait_side_by_side() -> None:
    from concurrent.futures import ThreadPoolExecutor

    with running(latency_s=0.2) as api:
        api.token()

        def asked(_: int) -> float:
            began = time.monotonic()
            assert api.points("GET", "/summaryBatch").status == 200
            return time.monotonic() - began

        began = time.monotonic()
        with ThreadPoolExecutor(8) as pool:
            spent = list(pool.map(asked, range(8)))

        assert min(spent) >= 0.199
        assert time.monotonic() - began < 0.8


def test_an_answer_that_waits_is_to_something_that_was_done_already() -> None:
    import socket

    with running(latency_s=5) as api, socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        head = f"POST /reward-points/customer/C1/addPoints HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token()}"
        connection.sendall(f"{head}\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n".encode())
        connection.sendall(b'{"points":5}')
        deadline = time.monotonic() + 4
        while not list(api.sandbox.data.backend.customers()) and time.monotonic() < deadline:
            time.sleep(0.01)

        assert list(api.sandbox.data.backend.customers()) == [("C1", 5)]


SENT = {"id": "mine", "description": "my words", "reference-id": "order-1"}


@pytest.mark.parametrize(
    ("marker", "shown"),
    [
        ("id", {"description": "my words", "reference-id": "order-1"}),
        ("description", {"id": "mine", "description": "points added", "reference-id": "order-1"}),
        ("reference-id", {"id": "mine", "description": "my words", "reference-id": None}),
    ],
)
def test_a_marker_that_is_dropped_is_not_kept(marker: str, shown: dict[str, str]) -> None:
    with running(drop_markers=frozenset({marker})) as api:
        api.add("C1", 5, **SENT)
        api.redeem("C1", 5, id="redeemed", description="mine too")

        lists = api.summary("C1")["summary"]
        (lot,), (redemption,) = lists["addedPointsList"], lists["redeemedPointsList"]
        assert {name: lot[name] for name in shown} == shown
        assert (lot["id"] == "mine") == (marker != "id")
        assert (redemption["id"] == "redeemed") == (marker != "id")
        assert redemption["description"] == ("points redeemed" if marker == "description" else "mine too")
        assert lot["usedWith"] == [redemption["id"]]


def test_what_the_service_writes_itself_it_writes_for_an_empty_description_too() -> None:
    with running(drop_markers=frozenset({"description"})) as api:
        api.add("C1", 5, description="")

        assert api.summary("C1")["summary"]["addedPointsList"][0]["description"] == "points added"


def test_faults_meet_options_and_mixins_too() -> None:
    with running(fail_rate=1) as api:
        paths = (f"/reward-points/{api.tenant}/redeemOptions", f"/site/{api.tenant}/sites/main/mixins/couponSettings")
        assert [api.send("GET", path).status for path in paths] == [500, 500]


def test_an_unauthorised_request_uses_up_a_fault() -> None:
    """The order of faults is the order of requests, whatever comes of them."""

    def marks(*, strangers: bool) -> list[str]:
        with running(fail_rate=0.5, seed=3) as api:
            for number in range(20):
                api.points("GET", "/summaryBatch", token=None if strangers and number % 2 else "")
            return [line.partition(" ms")[2] for line in api.log]

    assert marks(strangers=True) == marks(strangers=False)


def test_a_sandbox_ends_although_an_answer_waits() -> None:
    import socket

    began = time.monotonic()
    with running(latency_s=30) as api:
        connection = socket.create_connection(("127.0.0.1", api.port), timeout=10)
        token = api.token()
        connection.sendall(
            f"GET /reward-points/summaryBatch HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
        )
        time.sleep(0.1)
    connection.close()

    assert time.monotonic() - began < 3
