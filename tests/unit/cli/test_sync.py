"""`rpctl sync`: its documents field by field, and what they look like to a stranger."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tills import Till

NOON = "2026-03-01T12:00:00.000Z"
NOTHING = {
    "schema": "rpctl.sync-push/1", "dryRun": False, "waiting": 0, "sent": 0, "alreadySent": 0, "conflicts": 0,
    "heldBack": 0, "unknown": 0, "pointsAdded": 0, "pointsRedeemed": 0, "refreshed": 0, "retried": 0, "dropped": 0,
    "durationS": 0.0, "conflictList": [],
}  # fmt: skip


@pytest.fixture
def in_conflict(till: Till) -> str:
    """A customer with a redemption that the service refused (key NAME-1), and an addition behind it (NAME-2)."""
    name = f"k{till.requests}"
    till.shop.add(name, 50)
    till.ok("sync", "pull", "-q")
    till.redeem(name, 40, f"{name}-1", "--description", "at the till")
    till.add(name, 5, f"{name}-2")
    till.shop.redeem(name, 30)
    assert till("sync", "push", "-q").status == 3
    return name


# -- pull -------------------------------------------------------------------------------------------------


def test_a_pull_tells_what_it_fetched_and_whom_it_removed(till: Till) -> None:
    till.shop.add("pull1", 5)
    till.shop.add("pull2", 5)
    everybody = len(till.shop.points("GET", "/summaryBatch").json)
    first = till.document("sync", "pull")
    till.shop.points("DELETE", "/customer/pull2")

    assert first == {
        "schema": "rpctl.sync-pull/1", "customers": everybody, "removed": 0, "options": 0, "pulledAt": NOON,
        "durationS": 0.0,
    }  # fmt: skip
    assert till.document("sync", "pull") == {**first, "customers": everybody - 1, "removed": 1}
    some = till.document("sync", "pull", "pull1", "pull1", "nobody")
    assert some == {**first, "customers": 1, "removed": 0, "options": None}
    assert till.balance("pull1") == 5
    assert till.error("points", "balance", "pull2", "--offline")["code"] == "customer_not_found"
    assert till.ok("sync", "pull", "pull1", "--fields", "customers,removed", "-q") == "customers\tremoved\n1\t0\n"


def test_a_pull_fetches_the_options_and_the_program_and_shows_them_without_a_line(till: Till) -> None:
    till.ok("options", "create", "--name", "ten", "--points", "40", "--percent", "10", "-q")
    till.ok("program", "set", "--factor", "2", "--validity-months", "1", "-q")
    assert till.error("program", "show", "--offline")["code"] == "unsupported_operation"
    assert till.error("options", "list", "--offline")["code"] == "unsupported_operation"
    assert till.error("points", "add", "prog", "--order-value", "5", "--offline")["code"] == "unsupported_operation"
    assert till.document("sync", "pull")["options"] == 1
    requests = till.requests

    assert "ten" in till.ok("options", "list", "--offline")
    assert till.document("program", "show", "--offline") == till.document("program", "show")
    till.ok("points", "add", "prog", "--order-value", "5.90", "--offline", "-q")
    assert till.asked(requests) == []  # program show asks another service
    (lot,) = till.document("points", "summary", "prog", "--offline")["summary"]["addedPointsList"]
    assert (lot["points"], lot["validUntil"]) == (11, "2026-04-01T12:00:00.000Z")
    till.ok("sync", "push", "-q")
    (there,) = till.shop.summary("prog")["summary"]["addedPointsList"]
    assert (there["points"], there["validUntil"]) == (11, "2026-04-01T12:00:00.000Z")
    till.ok("program", "set", "--factor", "1", "--validity-months", "none", "-q")


# -- status -----------------------------------------------------------------------------------------------


def test_the_status_has_its_fields(till: Till, in_conflict: str) -> None:
    till.add("stat", 7, "stat-1", "--reference", "order-9")
    till.line.now += 90_000
    document = till.document("sync", "status")
    changes = document.pop("changes")
    everybody = len(till.shop.points("GET", "/summaryBatch").json)
    row = {"recordedAt": NOON, "recordedBy": "tester", "importRun": None, "reference-id": None, "description": None}

    assert document == {
        "schema": "rpctl.sync-status/1", "target": f"{till.shop.exports['RPCTL_URL']} {till.shop.tenant}",
        "waiting": 2, "conflicts": 1, "heldBack": 1, "customers": 2, "since": NOON,
        "mirror": {"customers": everybody, "pulledAt": NOON, "ageS": 90},
    }  # fmt: skip
    assert changes == [
        row | {
            "customerId": in_conflict, "type": "redeemed", "points": 40, "state": "conflict",
            "key": f"{in_conflict}-1", "description": "at the till", "code": "insufficient_points",
            "message": f"Customer {in_conflict} has 20 points, fewer than the 40 to redeem.", "activePoints": 20,
            "readAt": NOON,
        },
        row | {"customerId": in_conflict, "type": "added", "points": 5, "state": "held", "key": f"{in_conflict}-2"},
        row | {
            "customerId": "stat", "type": "added", "points": 7, "state": "waiting", "key": "stat-1",
            "reference-id": "order-9",
        },
    ]  # fmt: skip


def test_the_status_of_a_till_that_recorded_nothing_is_empty_and_makes_no_file(till: Till) -> None:
    document = till.document("sync", "status")

    assert [document[name] for name in ("waiting", "conflicts", "heldBack", "customers")] == [0, 0, 0, 0]
    assert (document["since"], document["changes"]) == (None, [])
    assert document["mirror"] == {"customers": 0, "pulledAt": None, "ageS": None}
    assert till.kept() == {}
    assert "No pull yet: `rpctl sync pull`" in till("sync", "status", tty=True, NO_COLOR="1", COLUMNS="200").out


def test_the_status_as_a_person_sees_it(till: Till, in_conflict: str) -> None:
    shown = till("sync", "status", tty=True, NO_COLOR="1", COLUMNS="220")
    lead, *_, title, _, conflict, held = shown.out.rstrip().splitlines()

    assert lead.startswith(f"Not sent: 2 changes of 1 customer, since {NOON}, 1 conflict among them. Last pull: {NOON}")
    assert "\\n" not in shown.out
    assert title.split("  ")[0] == "recorded (UTC)"
    for words in (in_conflict, "redeemed", "40", "conflict", f"{in_conflict}-1", "20", "fewer than the 40 to redeem."):
        assert words in conflict
    assert ("held" in held, f"{in_conflict}-2" in held) == (True, True)
    assert "redeemed" in till("sync", "status", tty=True, COLUMNS="80").out  # which way it goes is never left out


def test_the_status_is_listed_in_every_form(till: Till, in_conflict: str) -> None:
    till.add(in_conflict, 1, f"{in_conflict}-3", "--description", "=1+1")
    fields = ("--fields", "key,state,description")

    assert till.ok("sync", "status", *fields).splitlines() == [
        "key\tstate\tdescription", f"{in_conflict}-1\tconflict\tat the till", f"{in_conflict}-2\theld\t",
        f"{in_conflict}-3\theld\t=1+1",
    ]  # fmt: skip
    assert till.ok("sync", "status", "-o", "csv", *fields).endswith(f"{in_conflict}-3,held,'=1+1\n")
    assert till.ok("sync", "status", "-o", "tsv", "--no-header", *fields).count("\n") == 3
    (line,) = till.ok("sync", "status", "-o", "jsonl").splitlines()
    assert json.loads(line) == till.document("sync", "status")
    assert len(till.document("sync", "status", "--limit", "2")["changes"]) == 2
    assert till.document("sync", "status", "--limit", "2")["waiting"] == 2


# -- push -------------------------------------------------------------------------------------------------


def test_a_push_tells_what_was_sent(till: Till) -> None:
    till.shop.add("push1", 50)
    till.ok("sync", "pull", "-q")
    till.add("push1", 7, "push1-a")
    till.redeem("push1", 27, "push1-b")
    till.add("push2", 3, "push2-a")
    document = till.document("sync", "push")

    assert document == NOTHING | {
        "waiting": 3, "sent": 3, "pointsAdded": 10, "pointsRedeemed": 27, "refreshed": 2,
    }  # fmt: skip
    assert (till.truth("push1"), till.truth("push2")) == (30, 3)
    assert (till.balance("push1"), till.balance("push2"), till.states()) == (30, 3, {})
    requests = till.requests
    again = till("sync", "push", "-o", "json")
    assert (json.loads(again.out), again.err) == (NOTHING, "note: nothing waits to be sent\n")
    assert till.requests == requests


def test_a_change_carries_the_day_that_it_was_made_on(till: Till, monkeypatch: pytest.MonkeyPatch) -> None:
    till.ok("sync", "pull", "-q")
    till.add("day", 5, "day-1")
    till.line.now += 5 * 86_400_000
    monkeypatch.setattr(till.shop, "now", till.line.now)
    till.add("day", 6, "day-2")
    till.ok("sync", "push", "-q")

    lots = till.shop.summary("day")["summary"]["addedPointsList"]
    assert [(lot["points"], lot["createdAt"]) for lot in lots] == [(5, NOON), (6, NOON.replace("03-01", "03-06"))]


def test_a_push_with_a_conflict_shows_both_sides(till: Till, in_conflict: str) -> None:
    ended = till("sync", "push", "-o", "json")
    document = json.loads(ended.out)
    (conflict,) = document.pop("conflictList")

    assert ended.status == 3
    assert document == {name: value for name, value in NOTHING.items() if name != "conflictList"} | {
        "conflicts": 1, "heldBack": 1,
    }  # fmt: skip
    assert conflict == till.document("sync", "status")["changes"][0]
    assert ended.err.splitlines() == [
        f"warning: conflict: redeemed 40 of customer {in_conflict} (key {in_conflict}-1): Customer {in_conflict} has "
        "20 points, fewer than the 40 to redeem.",
        "note: `rpctl sync push --retry KEY` sends a conflict once more, --drop KEY gives it up",
    ]
    assert till("sync", "push", "-q", "-o", "json").err.startswith("warning: conflict: ")
    assert till.balance(in_conflict) == 25  # what is there, and what waits behind the conflict


def test_a_conflict_is_sent_once_more_and_what_waited_behind_it(till: Till, in_conflict: str) -> None:
    refused = till.document("sync", "push", "--retry", f"{in_conflict}-1", status=3)
    assert [refused[name] for name in ("retried", "waiting", "sent", "conflicts", "heldBack")] == [1, 2, 0, 1, 1]
    till.shop.add(in_conflict, 30)
    done = till.document("sync", "push", "--retry-all")

    assert [done[name] for name in ("retried", "sent", "conflicts", "heldBack", "dropped")] == [1, 2, 0, 0, 0]
    assert till.truth(in_conflict) == till.balance(in_conflict) == 15


def test_a_conflict_is_given_up_and_its_key_is_free_again(till: Till, in_conflict: str) -> None:
    done = till.document("sync", "push", "--drop", f"{in_conflict}-1")

    assert [done[name] for name in ("dropped", "sent", "conflicts", "heldBack", "retried")] == [1, 1, 0, 0, 0]
    assert till.truth(in_conflict) == till.balance(in_conflict) == 25
    till.redeem(in_conflict, 10, f"{in_conflict}-1")
    assert till.document("sync", "push")["sent"] == 1
    assert till.truth(in_conflict) == 15


def test_a_customer_who_was_deleted_is_not_brought_back_by_what_waits(till: Till) -> None:
    till.shop.add("gone", 50)
    till.ok("sync", "pull", "-q")
    till.add("gone", 5, "gone-1")
    till.add("gone", 6, "gone-2")
    till.shop.points("DELETE", "/customer/gone")
    document = till.document("sync", "push", status=3)
    (conflict,) = document["conflictList"]

    assert (conflict["key"], conflict["code"], conflict["activePoints"]) == ("gone-1", "customer_deleted", None)
    assert (document["sent"], document["heldBack"]) == (0, 1)
    assert till.shop.points("GET", "/customer/gone/summary").status == 404
    assert till.document("sync", "push", "--drop-all", status=3)["dropped"] == 1  # the next one is no better
    assert till.document("sync", "push", "--drop-all")["dropped"] == 1
    assert till.shop.points("GET", "/customer/gone/summary").status == 404


@pytest.mark.parametrize("how", [(), ("--retry-all",), ("--drop-all",)])
def test_a_dry_run_tells_what_would_happen_and_changes_nothing(till: Till, in_conflict: str, how: Any) -> None:
    till.add("dry", 5, f"dry-{in_conflict}")
    kept, requests = till.kept(), till.requests
    told = till("sync", "push", "--dry-run", "-o", "json", *how)

    assert till.kept() == kept
    assert set(till.asked(requests)) == {"GET"}
    assert told.err.splitlines()[-1] == "note: dry run: nothing was changed"
    foreseen = json.loads(told.out)
    real = till("sync", "push", "-o", "json", *how)
    done = json.loads(real.out)
    assert told.status == real.status
    assert foreseen.pop("dryRun") is not done.pop("dryRun")
    assert foreseen.pop("refreshed") < done.pop("refreshed")
    assert foreseen.pop("conflictList") == done.pop("conflictList")
    assert foreseen == done


# -- how old the truth is ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("later_s", "age"), [(0, "0 s"), (59, "59 s"), (60, "1 min"), (7_199, "1 h"), (7_200, "2 h"), (200_000, "2 d")]
)
def test_a_note_tells_how_old_the_truth_is(till: Till, later_s: int, age: str) -> None:
    till.shop.add("aged", 1)
    till.ok("sync", "pull", "aged", "-q")
    till.ok("sync", "pull", "-q")
    till.line.now += later_s * 1000

    told = till("points", "balance", "aged", "--offline").err
    assert told.removeprefix("note: offline: what the service had on 2026-03-01 12:00 UTC ") == (
        f"({age} ago); nothing waits to be sent\n"
    )


def test_a_note_tells_what_waits_and_what_is_left_out(till: Till, in_conflict: str) -> None:
    told = till("points", "balance", in_conflict, "--offline").err
    assert told.endswith("; 1 change waits to be sent; without 1 conflict (`rpctl sync status`)\n")
    till.add(in_conflict, 1, f"{in_conflict}-3")
    assert "; 2 changes wait to be sent; without 1 conflict" in till("customer", "list", "--offline").err
    assert till("points", "balance", in_conflict, "--offline", "-q").err == ""


def test_a_till_that_never_pulled_says_so(till: Till) -> None:
    till.add("new", 5, "new-1")
    told = till("points", "balance", "new", "--offline")

    assert (told.out, told.err) == (
        "5\n", "note: offline: nothing was fetched from the service yet; 1 change waits to be sent\n"
    )  # fmt: skip
    assert till.error("points", "redeem", "new", "6", "--offline")["code"] == "insufficient_points"
    assert till.error("points", "redeem", "stranger", "6", "--offline")["code"] == "customer_not_found"


def test_another_ledger_that_is_named_is_worked_on_for_itself(till: Till) -> None:
    till.ok("points", "add", "own", "5", "--offline", "--ledger", "own.db", "-q")

    assert till.ok("points", "balance", "own", "--offline", "--ledger", "own.db") == "5\n"
    assert till.error("points", "balance", "own", "--offline")["code"] == "customer_not_found"
    assert till.document("sync", "status")["waiting"] == 0
    assert till.document("sync", "push") == NOTHING
    assert Path("own.db").exists()
    assert till.document("ledger", "info", "--offline", "--ledger", "own.db")["entries"] == 1
