"""The sandbox held against a description of the documented API: requests that are made up, right and wrong ones."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import schemathesis
from schemathesis.checks import (
    content_type_conformance,
    not_a_server_error,
    positive_data_acceptance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.config import GenerationConfig, ProjectConfig, ProjectsConfig, SchemathesisConfig

DESCRIPTION: Final = Path(__file__).with_name("openapi-emporix.yaml")
EXAMPLES: Final = 30
SHAPES: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
TENANT: Final = re.compile("[a-z0-9]{3,16}")

generation = GenerationConfig(deterministic=True, max_examples=EXAMPLES, with_security_parameters=False)
config = SchemathesisConfig(projects=ProjectsConfig(default=ProjectConfig(generation=generation)))
schema = schemathesis.openapi.from_path(DESCRIPTION, config=config)


class Served(NamedTuple):
    """A sandbox in a process of its own, and tokens for it."""

    url: str
    tenant: str
    client_id: str
    client_secret: str
    service: str
    employee: str
    customer: str


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A sandbox with customer C1, who has points."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rpctl", "sandbox", "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout is not None
    try:
        with process.stdout:
            exports = dict(re.findall(r"export RPCTL_(\w+)=(.*)", process.stdout.read().decode()))
        url = exports["URL"]

        def token(path: str, **body: Any) -> str:
            request = urllib.request.Request(
                f"{url}/sandbox/{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:
                return str(json.loads(answer.read())["access_token"])

        yield Served(
            url,
            exports["TENANT"],
            exports["CLIENT_ID"],
            exports["CLIENT_SECRET"],
            token("token"),
            token("token", holder="employee"),
            token("customer-token/C1"),
        )
    finally:
        process.terminate()
        assert process.wait(timeout=10) == 0


EXCLUDED: Final = {
    # 404 is not documented for these two, so that what is not there is a 400.
    "GET /reward-points/customer/{customerId}": [positive_data_acceptance],
    "PUT /reward-points/{tenant}/redeemOptions/{redeemOptionId}": [positive_data_acceptance],
    # A createdAt that is later than now, a validUntil before it, an id of invisible characters: no schema tells.
    "POST /reward-points/customer/{customerId}": [positive_data_acceptance],
    "POST /reward-points/customer/{customerId}/addPoints": [positive_data_acceptance],
    # Nobody redeems points that are not there.
    "POST /reward-points/customer/{customerId}/redeemPoints": [positive_data_acceptance],
    "POST /reward-points/public/customer/redeem": [positive_data_acceptance],
    # What goes with allowAnonymous, dates in an order, an id that is taken: no schema tells.
    "POST /reward-points/{tenant}/redeemOptions": [positive_data_acceptance],
    # A site code of invisible characters: no schema tells.
    "GET /site/{tenant}/sites/{siteCode}/mixins/couponSettings": [positive_data_acceptance],
    "PATCH /site/{tenant}/sites/{siteCode}/mixins/couponSettings": [positive_data_acceptance],
    "PUT /site/{tenant}/sites/{siteCode}/mixins/couponSettings": [positive_data_acceptance],
    "POST /site/{tenant}/sites/{siteCode}/mixins/couponSettings": [positive_data_acceptance],
}
"""Checks that the documentation rules out, by operation."""


def headers_of(operation: str, served: Served) -> dict[str, str]:
    """Whose token an operation takes, and the tenant that goes with it."""
    headers = {"Emporix-Tenant": served.tenant}
    if operation == "POST /oauth/token":
        return headers
    token = served.customer if "/public/" in operation else served.service
    if operation.startswith("DELETE /reward-points/{tenant}"):
        token = served.employee
    return {**headers, "Authorization": f"Bearer {token}"}


@schema.parametrize()
def test_every_answer_is_one_that_is_documented(case: schemathesis.Case, served: Served) -> None:
    operation = case.operation.label
    if TENANT.fullmatch(str(case.path_parameters.get("tenant", ""))):
        case.path_parameters["tenant"] = served.tenant  # any other one is forbidden, and nothing more to be seen
    case.call_and_validate(
        base_url=served.url, headers=headers_of(operation, served), excluded_checks=EXCLUDED.get(operation)
    )


POINTS: Final = {"points": 100, "id": "e1", "reference-id": "o1", "description": "d"}
OPTION: Final = {
    "type": "coupon",
    "name": "10 %",
    "points": 90,
    "id": "o1",
    "coupon": {"name": "c", "discountType": "PERCENT", "discountPercentage": 10},
}
CUSTOMER: Final = "/reward-points/customer/{customerId}"
OPTIONS: Final = "/reward-points/{tenant}/redeemOptions"
MIXIN: Final = "/site/{tenant}/sites/{siteCode}/mixins/couponSettings"
WAY: Final = [
    ("POST", CUSTOMER, {"customerId": "C1", "startPoints": POINTS}, 200),
    ("POST", CUSTOMER, {"customerId": "C1", "startPoints": POINTS}, 409),
    ("POST", f"{CUSTOMER}/addPoints", POINTS, 201),
    ("POST", f"{CUSTOMER}/addPoints", {"points": 0}, 400),
    ("POST", f"{CUSTOMER}/redeemPoints", {"points": 80}, 201),
    ("POST", f"{CUSTOMER}/redeemPoints", {"points": 20_000}, 400),
    ("GET", CUSTOMER, None, 200),
    ("GET", f"{CUSTOMER}/summary", None, 200),
    ("GET", "/reward-points/summaryBatch", None, 200),
    ("POST", OPTIONS, OPTION, 200),
    ("PUT", f"{OPTIONS}/{{redeemOptionId}}", {**OPTION, "metadata": {"version": 1}}, 200),
    ("PUT", f"{OPTIONS}/{{redeemOptionId}}", {**OPTION, "metadata": {"version": 1}}, 409),
    ("GET", OPTIONS, None, 200),
    ("GET", "/reward-points/public/customer", None, 200),
    ("POST", "/reward-points/public/customer/redeem", {"id": "o1"}, 200),
    ("POST", "/reward-points/public/customer/redeem", {"id": "o1"}, 400),
    ("POST", "/reward-points/public/customer/redeem", {"id": "nothing"}, 404),
    ("GET", "/reward-points/public/customer/summary", None, 200),
    ("DELETE", f"{OPTIONS}/{{redeemOptionId}}", None, 204),
    ("DELETE", CUSTOMER, None, 200),
    ("GET", f"{CUSTOMER}/summary", None, 404),
    ("GET", CUSTOMER, None, 400),
    ("GET", "/reward-points/public/customer", None, 404),
    ("GET", MIXIN, None, 404),
    ("PATCH", MIXIN, {"rewardpoints": {"enabled": True}}, 404),
    ("PUT", MIXIN, {"rewardpoints": {"enabled": True}, "length": 3}, 201),
    ("PATCH", MIXIN, {"rewardpoints": {"validityInMonths": 12}}, 204),
    ("POST", MIXIN, {"rewardpoints": {"validityInMonths": 0}}, 400),
    ("GET", MIXIN, None, 200),
]
"""All operations, one after the other: method, path, body and the status that it comes to."""


def test_the_way_through_all_operations_is_documented(served: Served) -> None:
    """Made-up requests seldom go well; these do, or fail for a reason that no made-up one has."""
    place = {"tenant": served.tenant, "customerId": "C1", "redeemOptionId": "o1", "siteCode": "a-new-one"}
    met = []
    for method, path, body, _ in WAY:
        operation = schema[path][method]
        names = {name: value for name, value in place.items() if f"{{{name}}}" in path}
        more = {} if body is None else {"body": body, "media_type": "application/json"}
        case = operation.Case(method=method, path_parameters=names, **more)
        headers = headers_of(operation.label, served)
        answer = case.call_and_validate(base_url=served.url, headers=headers, checks=SHAPES)
        met.append((method, path, body, answer.status_code))

    assert met == WAY
    assert {(method, path) for method, path, *_ in WAY} == {
        (one.ok().method.upper(), one.ok().path) for one in schema.get_all_operations()
    } - {("POST", "/oauth/token")}


def test_the_token_endpoint_answers_as_documented(served: Served) -> None:
    operation = schema["/oauth/token"]["POST"]
    form = {"grant_type": "client_credentials", "client_id": served.client_id, "client_secret": served.client_secret}
    statuses = []
    for changes in ({}, {"scope": f"tenant={served.tenant}"}, {"client_secret": "wrong"}, {"grant_type": "password"}):
        case = operation.Case(body={**form, **changes}, media_type="application/x-www-form-urlencoded")
        statuses.append(case.call_and_validate(base_url=served.url, checks=SHAPES).status_code)

    assert statuses == [200, 200, 401, 400]
