"""Operations 1 to 7 on the wire: statuses, bodies, and every refusal that is documented."""

from __future__ import annotations

from typing import Any

import pytest

from sandbox_client import MANAGE, VIEW, Running, running

NOON = "2026-03-01T12:00:00.000Z"
EXAMPLE: dict[str, Any] = {
    "id": "6449",
    "reference-id": "EON1104",
    "description": "Reward points for order",
    "points": 100,
    "createdAt": "2026-02-11T18:32:18.591+00:00",
    "allPointsAfterCreation": 56778,
    "usedPoints": 99,
    "usedWith": ["nobody"],
    "validUntil": "2027-02-11T18:32:18.591Z",
}
"""A request as it is documented: with every field, those of the answer too."""


def refused(path: str, detail: str) -> dict[str, Any]:
    """A problem detail."""
    return {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": detail, "instance": path}


def violation(api: Running, method: str, path: str, body: Any) -> tuple[str, str]:
    """The field and message of the one thing that is wrong."""
    answer = api.points(method, path, body)
    found = answer.json
    assert answer.status == found["status"] == 400
    assert found["type"] == "validation_violation"
    assert set(found) == {"type", "status", "message", "moreInfo", "details"}
    (one,) = found["details"]
    assert set(one) == {"field", "type", "message", "moreInfo"}
    return one["field"], one["message"]


# -- 6: add -----------------------------------------------------------------------------------------------


def test_adding_answers_201_and_nothing_else(api: Running) -> None:
    answer = api.points("POST", "/customer/add-1/addPoints", {"points": 5})

    assert (answer.status, answer.body, answer.headers["content-length"]) == (201, b"", "0")


def test_the_documented_example_is_kept_and_what_is_read_only_is_not(api: Running) -> None:
    assert api.points("POST", "/customer/add-2/addPoints?siteCode=main", EXAMPLE).status == 201

    assert api.summary("add-2")["summary"]["addedPointsList"] == [
        {
            "id": "6449",
            "reference-id": "EON1104",
            "description": "Reward points for order",
            "points": 100,
            "createdAt": "2026-02-11T18:32:18.591Z",
            "allPointsAfterCreation": 100,
            "usedPoints": 0,
            "validUntil": "2027-02-11T18:32:18.591Z",
            "usedWith": [],
        }
    ]


def test_points_alone_are_enough_and_never_expire(api: Running) -> None:
    api.add("add-3", 7)

    (entry,) = api.summary("add-3")["summary"]["addedPointsList"]
    assert len(entry.pop("id")) == 36
    assert entry == {
        "reference-id": None,
        "description": "points added",
        "points": 7,
        "createdAt": NOON,
        "allPointsAfterCreation": 7,
        "usedPoints": 0,
        "usedWith": [],
    }


def test_the_same_request_twice_counts_twice(api: Running) -> None:
    for _ in range(2):
        api.add("add-4", 10, id="same", description="same")

    found = api.summary("add-4")
    assert found["activePoints"] == 20
    assert [entry["id"] for entry in found["summary"]["addedPointsList"]] == ["same", "same"]


@pytest.mark.parametrize(
    ("sent", "shown"),
    [({}, "points added"), ({"reference-id": "o1"}, "points for order o1"), ({"description": ""}, "")],
    ids=["nothing", "an order", "an empty one"],
)
def test_a_description_that_was_left_out_is_made_and_an_empty_one_is_not(
    sent: dict[str, str], shown: str, api: Running
) -> None:
    customer_id = f"described-{len(sent)}{len(shown)}"
    api.add(customer_id, 1, **sent)

    assert [entry["description"] for entry in api.summary(customer_id)["summary"]["addedPointsList"]] == [shown]


@pytest.mark.parametrize("until", [None, "9999-12-31T23:59:59.999Z", "9999-12-31T23:59:59.999+00:00"])
def test_what_stands_for_never_is_not_written_back(until: str | None, api: Running) -> None:
    api.points("DELETE", "/customer/never")
    api.add("never", 1, validUntil=until)

    assert "validUntil" not in api.summary("never")["summary"]["addedPointsList"][0]


def test_points_are_there_until_they_expire(api: Running) -> None:
    api.add("expiring", 3, validUntil="2026-03-02T00:00:00Z")
    assert api.points("GET", "/customer/expiring").body == b"3"

    api.now += 12 * 3_600_000

    assert api.points("GET", "/customer/expiring").body == b"0"


@pytest.mark.parametrize(
    ("body", "field", "message"),
    [
        ({}, "points", "must not be null"),
        ({"points": None}, "points", "must not be null"),
        ({"points": "5"}, "points", "must be an integer"),
        ({"points": 1.5}, "points", "must be an integer"),
        ({"points": True}, "points", "must be an integer"),
        ({"points": 0}, "points", "must be greater than or equal to 1"),
        ({"points": -5}, "points", "must be greater than or equal to 1"),
        ({"points": 2**31}, "points", "must be less than or equal to 2147483647"),
        ({"points": 1, "id": 5}, "id", "must be a string"),
        ({"points": 1, "id": ""}, "id", "size must be between 1 and 255"),
        ({"points": 1, "id": "x" * 256}, "id", "size must be between 1 and 255"),
        ({"points": 1, "id": "a\nb"}, "id", "must not contain control characters"),
        ({"points": 1, "reference-id": "\ud800"}, "reference-id", "must not contain control characters"),
        ({"points": 1, "reference-id": ["o"]}, "reference-id", "must be a string"),
        ({"points": 1, "description": 5}, "description", "must be a string"),
        ({"points": 1, "description": "a\0b"}, "description", "must not contain control characters"),
        ({"points": 1, "description": "x" * 2001}, "description", "size must be between 0 and 2000"),
        ({"points": 1, "createdAt": 1677672000}, "createdAt", "must be a date-time"),
        ({"points": 1, "createdAt": "2026-02-30T00:00:00Z"}, "createdAt", "must be a date-time"),
        ({"points": 1, "createdAt": "2026-02-01"}, "createdAt", "must be a date-time"),
        ({"points": 1, "validUntil": "2026-02-01T00:00:00"}, "validUntil", "must be a date-time"),
        ({"points": 1, "validUntil": "never"}, "validUntil", "must be a date-time"),
    ],
)
def test_a_field_that_is_wrong_is_named(body: dict[str, Any], field: str, message: str, api: Running) -> None:
    assert violation(api, "POST", "/customer/wrong/addPoints", body) == (field, message)
    assert api.points("GET", "/customer/wrong/summary").status == 404


def test_all_that_is_wrong_is_told_at_once(api: Running) -> None:
    answer = api.points("POST", "/customer/wrong/addPoints", {"points": "x", "id": 5})

    assert [one["field"] for one in answer.json["details"]] == ["points", "id"]
    assert answer.json["message"] == "points: must be an integer; id: must be a string"


@pytest.mark.parametrize("site", ["", "de", "s" * 17])
def test_a_site_code_has_3_to_16_characters(site: str, api: Running) -> None:
    found = violation(api, "POST", f"/customer/wrong/addPoints?siteCode={site}", {"points": 1})

    assert found == ("siteCode", "size must be between 3 and 16")


def test_a_site_code_has_no_control_characters(api: Running) -> None:
    found = violation(api, "POST", "/customer/wrong/addPoints?siteCode=a%00bc", {"points": 1})

    assert found == ("siteCode", "must not contain control characters")


@pytest.mark.parametrize("operation", ["/addPoints", "/redeemPoints", ""])
def test_a_customer_id_has_up_to_255_visible_characters(operation: str, api: Running) -> None:
    body = {"points": 1}

    assert violation(api, "POST", f"/customer/{'x' * 256}{operation}", body)[0] == "customerId"
    assert violation(api, "POST", f"/customer/a%0Ab{operation}", body)[0] == "customerId"


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"createdAt": "2026-03-01T12:00:00.001Z"}, "createdAt 2026-03-01T12:00:00.001Z is later than now."),
        (
            {"validUntil": "2026-02-01T00:00:00Z"},
            f"The points would be valid until 2026-02-01T00:00:00.000Z, before they were created ({NOON}).",
        ),
    ],
)
def test_dates_that_contradict_each_other_are_refused(more: dict[str, str], why: str, api: Running) -> None:
    answer = api.points("POST", "/customer/refused/addPoints", {"points": 1, **more})

    assert (answer.status, answer.json) == (400, refused("/customer/refused/addPoints", why))


# -- 7: redeem --------------------------------------------------------------------------------------------


def test_a_redemption_draws_on_what_expires_first_and_both_sides_tell(api: Running) -> None:
    api.add("draws", 10, id="late", validUntil="2027-01-01T00:00:00Z")
    api.add("draws", 10, id="soon", validUntil="2026-06-01T00:00:00Z")

    answer = api.points("POST", "/customer/draws/redeemPoints", {"points": 15, "id": "r1", "description": "lunch"})

    assert (answer.status, answer.body) == (201, b"")
    found = api.summary("draws")
    assert found["activePoints"] == 5
    used = [(one["id"], one["usedPoints"], one["usedWith"]) for one in found["summary"]["addedPointsList"]]
    assert used == [("late", 5, ["r1"]), ("soon", 10, ["r1"])]
    assert found["summary"]["redeemedPointsList"] == [
        {"id": "r1", "description": "lunch", "points": 15, "createdAt": NOON, "allPointsAfterCreation": 5}
    ]


def test_too_few_points_are_a_problem_that_tells_how_many_there_are(api: Running) -> None:
    api.add("poor", 3)

    answer = api.points("POST", "/customer/poor/redeemPoints", {"points": 4})

    why = "Customer poor has 3 points, fewer than the 4 to redeem."
    assert (answer.status, answer.json) == (400, refused("/customer/poor/redeemPoints", why))
    assert api.points("GET", "/customer/poor").body == b"3"


def test_redeeming_from_nobody_is_a_problem(api: Running) -> None:
    answer = api.points("POST", "/customer/stranger/redeemPoints", {"points": 1})

    why = "There is no customer stranger."
    assert (answer.status, answer.json) == (400, refused("/customer/stranger/redeemPoints", why))


def test_a_redemption_needs_whole_points(api: Running) -> None:
    assert violation(api, "POST", "/customer/x/redeemPoints", {"points": 0})[0] == "points"


# -- 3 and 4: create and delete ---------------------------------------------------------------------------


def test_a_customer_is_created_with_points_once(api: Running) -> None:
    body = {"customerId": "new-1", "startPoints": {**EXAMPLE, "points": 30}}
    first = api.points("POST", "/customer/new-1?siteCode=main", body)
    second = api.points("POST", "/customer/new-1?siteCode=main", body)

    assert (first.status, first.body) == (200, b"")
    assert api.summary("new-1")["activePoints"] == 30
    assert second.status == second.json["status"] == 409
    assert set(second.json) == {"type", "status", "message", "moreInfo", "details"}
    assert second.json["message"] == "New Reward Point Entry not Created"
    assert [set(one) for one in second.json["details"]] == [{"field", "message"}]


@pytest.mark.parametrize("more", [{}, {"startPoints": None}, {"startPoints": {"points": 0}}])
def test_a_customer_is_created_without_points(more: dict[str, Any], api: Running) -> None:
    api.points("DELETE", "/customer/new-2")

    assert api.points("POST", "/customer/new-2", {"customerId": "new-2", **more}).status == 200
    assert api.summary("new-2") == {
        "customerId": "new-2",
        "activePoints": 0,
        "summary": {"addedPointsList": [], "redeemedPointsList": []},
    }
    assert api.points("POST", "/customer/new-2", {"customerId": "new-2"}).status == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"customerId": "other"}, "customerId"),
        ({"customerId": 5}, "customerId"),
        ({"startPoints": [1]}, "startPoints"),
        ({"startPoints": {"points": -1}}, "startPoints.points"),
    ],
)
def test_a_new_entry_that_is_wrong_names_the_field(body: dict[str, Any], field: str, api: Running) -> None:
    assert violation(api, "POST", "/customer/new-3", body)[0] == field
    assert api.points("GET", "/customer/new-3/summary").status == 404


def test_a_new_entry_can_break_the_rules_of_points(api: Running) -> None:
    body = {"startPoints": {"points": 5, "createdAt": "2030-01-01T00:00:00Z"}}

    assert api.points("POST", "/customer/new-4", body).json["detail"].startswith("createdAt 2030-01-01")


def test_a_deleted_customer_is_gone_and_can_come_anew(api: Running) -> None:
    api.add("gone", 5)

    for _ in range(2):  # whether there is anything to delete or not
        deleted = api.points("DELETE", "/customer/gone")
        assert (deleted.status, deleted.body) == (200, b"")

    assert api.points("GET", "/customer/gone/summary").status == 404
    api.add("gone", 1)
    assert api.points("GET", "/customer/gone").body == b"1"


# -- 1, 2 and 5: read -------------------------------------------------------------------------------------


def test_a_balance_is_a_bare_number(api: Running) -> None:
    api.add("bare", 2000)

    answer = api.points("GET", "/customer/bare")

    assert (answer.status, answer.body, answer.headers["content-type"]) == (200, b"2000", "application/json")


def test_nobody_s_balance_is_a_problem_and_nobody_s_summary_is_not_found(api: Running) -> None:
    balance = api.points("GET", "/customer/202429132")
    summary = api.points("GET", "/customer/202429132/summary")

    why = "No reward points found for customer 202429132"
    assert (balance.status, balance.json) == (400, refused("/customer/202429132", why))
    assert (summary.status, summary.json) == (
        404,
        {"type": "resource_not_found", "status": 404, "message": why, "details": []},
    )


def test_everybody_is_told_in_the_order_of_ids() -> None:
    with running() as api:
        assert api.points("GET", "/summaryBatch").body == b"[]"
        ids = [f"C{number:03}" for number in range(120)]
        for customer_id in reversed(ids):
            api.add(customer_id, 5, id=f"e-{customer_id}")
        api.redeem("C007", 5, id="spent")

        answer = api.points("GET", "/summaryBatch")

        assert answer.headers["transfer-encoding"].lower() == "chunked"
        assert [one["customerId"] for one in answer.json] == ids
        assert answer.json[7] == api.summary("C007")
        assert answer.json[7]["summary"]["addedPointsList"][0]["usedWith"] == ["spent"]


@pytest.mark.parametrize(
    "encoded", ["a%2Fb", "a%3Fb%23c", "..%2F..%2Fetc", "%C3%A9%F0%9F%92%B6", "a%20b", "%2525", ".."]
)
def test_an_id_is_decoded_once_whatever_is_in_it(encoded: str, api: Running) -> None:
    from urllib.parse import unquote

    api.add(encoded, 4)

    assert api.summary(encoded)["customerId"] == unquote(encoded)
    assert api.points("GET", f"/customer/{encoded}").body == b"4"
    assert api.points("DELETE", f"/customer/{encoded}").status == 200
    assert api.points("GET", f"/customer/{encoded}/summary").status == 404


# -- who may ----------------------------------------------------------------------------------------------

READS = [("GET", "/summaryBatch"), ("GET", "/customer/C1"), ("GET", "/customer/C1/summary")]
WRITES = [
    ("POST", "/customer/C1"),
    ("DELETE", "/customer/C1"),
    ("POST", "/customer/C1/addPoints"),
    ("POST", "/customer/C1/redeemPoints"),
]


@pytest.mark.parametrize(("method", "path"), [*READS, *WRITES])
def test_every_operation_asks_for_its_scope(method: str, path: str, api: Running) -> None:
    needed, other = (VIEW, MANAGE) if (method, path) in READS else (MANAGE, VIEW)
    second = needed.replace("rewardspoints", "saasag")
    for token in (api.token_with(other), api.token_with(), api.token("some-customer")):
        answer = api.points(method, path, token=token)
        assert (answer.status, answer.json) == (
            403,
            {
                "code": 403,
                "status": "Forbidden",
                "message": "Scope validation failed",
                "details": [f"Missing required scopes '[{needed}, {second}]'"],
            },
        )
    assert api.points(method, path, token=api.token_with(needed)).status != 403
