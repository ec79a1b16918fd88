"""What is wrong with a request before any operation looks at it, and connections."""

from __future__ import annotations

import socket
from http.client import HTTPConnection

import pytest

from sandbox_client import Running


@pytest.mark.parametrize(
    "path",
    ["/", "/nothing", "/reward-points", "/reward-points/", "/reward-points/customer/", "/reward-points/customer/C1/",
     "/reward-points/customer/C1/addPoints/x", "/reward-points/customer/%FF", "/reward-points//redeemOptions"],
)  # fmt: skip
def test_an_unknown_path_is_not_found(path: str, api: Running) -> None:
    answer = api.send("GET", path)

    assert (answer.status, answer.json) == (
        404,
        {
            "timestamp": "2026-03-01T12:00:00.000Z",
            "status": 404,
            "error": "Not Found",
            "path": path.removeprefix("/reward-points"),
        },
    )


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/customer/C1", "DELETE, GET, POST"),
        ("GET", "/customer/C1/addPoints", "POST"),
        ("POST", "/summaryBatch", "GET"),
        ("HEAD", "/summaryBatch", "GET"),
        ("PATCH", "/x/redeemOptions/y", "DELETE, PUT"),
    ],
)
def test_a_wrong_method_is_told_the_right_ones(method: str, path: str, allowed: str, api: Running) -> None:
    answer = api.points(method, path)

    assert (answer.status, answer.headers["allow"]) == (405, allowed)
    assert answer.body == b"" if method == "HEAD" else answer.json["title"] == "Method Not Allowed"


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"nothing", b'{"points": NaN}', b"\xff\xfe", b"[" * 100_000, b'{"points": ' + b"9" * 5000 + b"}"],
)
def test_what_is_no_json_is_a_problem(body: bytes, api: Running) -> None:
    answer = api.points("POST", "/customer/C1/addPoints", body)

    assert (answer.status, answer.json["detail"]) == (400, "Failed to read request")
    assert answer.json["instance"] == "/customer/C1/addPoints"


@pytest.mark.parametrize("body", [[], 5, "x", None])
def test_json_that_is_no_object_is_a_problem(body: object, api: Running) -> None:
    content = b"null" if body is None else body
    assert api.points("POST", "/customer/C1/addPoints", content).json["detail"] == "Failed to read request"


def test_a_body_that_is_missing_is_a_problem_and_not_one_of_its_type(api: Running) -> None:
    answer = api.points("POST", "/customer/C1/addPoints")

    assert (answer.status, answer.json["detail"]) == (400, "Failed to read request")


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/x-www-form-urlencoded"])
def test_only_json_is_read(media_type: str, api: Running) -> None:
    answer = api.points("POST", "/customer/C1/addPoints", b'{"points":1}', media_type=media_type)

    assert (answer.status, answer.json["title"]) == (415, "Unsupported Media Type")


def test_json_may_name_its_charset(api: Running) -> None:
    answer = api.points("POST", "/customer/C1/addPoints", b'{"points":1}', media_type="Application/JSON; charset=utf-8")

    assert answer.status == 201


def test_a_body_may_have_ten_megabytes_and_no_more(api: Running) -> None:
    def padded(size: int) -> bytes:
        return b'{"points":1,"x":"' + b"x" * (size - 19) + b'"}'

    limit = 10 * 1024 * 1024
    assert api.points("POST", "/customer/large/addPoints", padded(limit)).status == 201
    answer = api.points("POST", "/customer/large/addPoints", padded(limit + 1))

    assert (answer.status, answer.json["title"]) == (413, "Request Entity Too Large")
    assert api.summary("large")["activePoints"] == 1


def test_a_url_may_have_ten_kilobytes(api: Running) -> None:
    assert api.points("GET", f"/customer/C1?x={'y' * 10_300}").status == 414
    assert api.points("GET", f"/customer/C1?x={'y' * 10_000}").status in (200, 400)


def test_a_connection_serves_one_request_after_another_errors_included(api: Running) -> None:
    connection = HTTPConnection("127.0.0.1", api.port, timeout=10)
    headers = {"Authorization": f"Bearer {api.token()}"}
    statuses = []
    ports = set()
    try:
        for path in ("/reward-points/customer/none/summary", "/nothing", "/reward-points/summaryBatch"):
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
            assert connection.sock is not None
            ports.add(connection.sock.getsockname()[1])
    finally:
        connection.close()

    assert statuses == [404, 404, 200]
    assert len(ports) == 1


def test_a_body_may_come_in_chunks(api: Running) -> None:
    connection = HTTPConnection("127.0.0.1", api.port, timeout=10)
    headers = {"Authorization": f"Bearer {api.token()}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/reward-points/customer/chunks/addPoints", iter([b'{"poi', b'nts":3}']), headers)
        assert connection.getresponse().status == 201
    finally:
        connection.close()
    assert api.summary("chunks")["activePoints"] == 3


def test_what_is_no_http_is_refused_and_serving_goes_on(api: Running) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01 what is this\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")

    assert api.points("GET", "/summaryBatch").status == 200


def test_who_goes_away_in_the_middle_of_a_body_changes_nothing(api: Running) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        head = f"POST /reward-points/customer/half/addPoints HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {api.token()}"
        connection.sendall(f"{head}\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{{".encode())

    assert api.points("GET", "/customer/half/summary").status == 404


def test_every_answer_is_dated_by_the_sandbox_s_clock(api: Running) -> None:
    assert api.send("GET", "/nothing").headers["date"] == "Sun, 01 Mar 2026 12:00:00 GMT"
    api.now += 1000
    assert api.points("GET", "/summaryBatch").headers["date"] == "Sun, 01 Mar 2026 12:00:01 GMT"


def test_requests_are_told_and_the_sandbox_s_own_are_not(api: Running) -> None:
    api.add("told%2Fof", 1)
    api.login()
    api.points("GET", "/nothing?secret=1")

    told = api.send("GET", "/sandbox/requests", token=None).json

    assert told == [
        ["POST", "/reward-points/customer/told%2Fof/addPoints", 201],
        ["POST", "/oauth/token", 200],
        ["GET", "/reward-points/nothing", 404],
    ]
    assert [line.rsplit(" ", 2)[0] for line in api.log] == [" ".join(map(str, one)) for one in told]


def test_a_mistake_of_ours_is_a_500_and_serving_goes_on(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("broken")

    with monkeypatch.context() as patch:
        patch.setattr(type(api.sandbox.data.backend), "summary", broken)
        answer = api.points("GET", "/customer/C1/summary")

    assert (answer.status, answer.json) == (
        500,
        {
            "timestamp": "2026-03-01T12:00:00.000Z",
            "status": 500,
            "error": "Internal Server Error",
            "path": "/customer/C1/summary",
        },
    )
    assert api.log[-1].endswith("ms  bug: ValueError: broken")
    assert api.points("GET", "/summaryBatch").status == 200


def test_a_list_that_breaks_off_does_not_look_whole(api: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ValueError("broken")

    for number in range(60):
        api.add(f"many-{number}", 1)
    summary = type(api.sandbox.data.backend).summary
    seen: list[object] = []

    def breaks_later(backend: object, customer_id: str) -> object:
        seen.append(customer_id)
        return broken() if len(seen) > 50 else summary(backend, customer_id)  # type: ignore[arg-type]

    from http.client import IncompleteRead

    with monkeypatch.context() as patch:
        patch.setattr(type(api.sandbox.data.backend), "summary", breaks_later)
        with pytest.raises((IncompleteRead, ConnectionResetError)):
            api.points("GET", "/summaryBatch")
