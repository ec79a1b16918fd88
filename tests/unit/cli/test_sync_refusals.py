"""What every command does without a line, what is refused by name, and how `rpctl sync` ends where it cannot do it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from tills import Till

from sandbox_client import Running

RECORDED: Final = {
    "points add": "add one 5 --key a", "points redeem": "redeem one 5 --key b", "points import": "import rows.csv",
    "points reverse": "reverse one ENTRY --key c",
}  # fmt: skip
"""The changes that can be made without a line."""

READ: Final = {
    "points balance": "one", "points summary": "one", "points history": "one", "points explain": "one",
    "customer show": "one", "customer list": "", "options list": "", "program show": "", "imports list": "",
    "sync status": "",
}  # fmt: skip
"""What is answered from what was fetched, and on top of it what waits."""

REFUSED: Final = {
    "customer create": "new", "customer delete": "one --confirm one", "me balance": "", "me summary": "",
    "me redeem": "x", "options create": "--name o --points 4 --percent 1", "options update": "x --points 4",
    "options delete": "x --yes", "program set": "--factor 2", "imports undo": "x --yes", "ledger restore": "b.db --yes",
    "api": "POST /reward-points/customer/one/addPoints",
}  # fmt: skip
"""What changes something but points, or is nothing without the service."""

AS_EVER: Final = {
    "options show", "imports show", "imports resume", "imports prune", "ledger info", "ledger verify", "ledger backup",
    "ledger export", "auth login", "auth status", "auth logout", "auth token", "profile create", "profile list",
    "profile show", "profile use", "profile delete", "config show", "config path", "doctor", "help", "commands",
    "completion", "sandbox",
}  # fmt: skip
"""Commands for which it makes no difference, or that read one thing of those above."""

TALKS: Final = {"sync push", "sync pull"}


@pytest.fixture
def stocked(till: Till) -> Till:
    """A till that knows one customer."""
    if till.shop.points("GET", "/customer/one/summary").status == 404:
        till.shop.add("one", 50)
    till.ok("sync", "pull", "-q")
    till.file("one,5")
    return till


def test_every_command_is_in_the_table(till: Till) -> None:
    paths = [one["path"] for one in till.document("commands")["commands"]]

    assert sorted(paths) == sorted([*RECORDED, *READ, *REFUSED, *AS_EVER, *TALKS])


@pytest.mark.parametrize("command", REFUSED)
def test_what_cannot_wait_is_refused_by_its_name(stocked: Till, command: str) -> None:
    kept, requests = stocked.kept(), stocked.requests
    error = stocked.error(*command.split(), *REFUSED[command].split(), "--offline")

    assert (error["code"], error["exitStatus"]) == ("unsupported_operation", 6)
    assert f"`rpctl {command}` cannot be done offline" in error["message"]
    assert "without --offline" in error["hint"]
    assert (stocked.kept(), stocked.requests) == (kept, requests)


@pytest.mark.parametrize(
    "words", ["customer create new --points 5", "points redeem one --option x", "customer create one --points 5"]
)
def test_a_change_of_points_that_needs_the_service_is_refused(stocked: Till, words: str) -> None:
    requests = stocked.requests
    error = stocked.error(*words.split(), "--offline")

    assert (error["code"], stocked.requests, stocked.states()) == ("unsupported_operation", requests, {})


@pytest.mark.parametrize("command", READ)
def test_what_is_read_is_answered_without_the_service(stocked: Till, command: str) -> None:
    stocked.add("one", 7, "waits")
    requests = stocked.requests
    stocked.ok(*command.split(), *READ[command].split(), "--offline", "-q")

    assert stocked.requests == requests


def test_what_changes_points_is_recorded_and_nothing_is_sent(stocked: Till) -> None:
    requests = stocked.requests
    (lot,) = stocked.document("points", "summary", "one", "--offline")["summary"]["addedPointsList"]
    for words in RECORDED.values():
        stocked.ok("points", *words.replace("ENTRY", lot["id"]).split(), "--offline", "-q")

    assert stocked.requests == requests
    assert list(stocked.states().values()) == ["waiting"] * 4
    assert stocked.balance("one") == 50 + 5 - 5 + 5 - 45


@pytest.mark.parametrize(
    ("words", "status", "code"),
    [
        ("push --offline", 2, "usage"),
        ("pull --offline", 2, "usage"),
        ("push --ledger own.db", 2, "usage"),
        ("pull --ledger own.db", 2, "usage"),
        ("push --retry a --retry-all", 2, "usage"),
        ("push --drop a --drop-all", 2, "usage"),
        ("push --retry-all --drop-all", 2, "usage"),
        ("push --concurrency 0", 2, "invalid_value"),
        ("push --rate 0", 2, "invalid_value"),
        ("push --fields nothing", 2, "invalid_value"),
        ("pull --fields nothing", 2, "invalid_value"),
        ("status --fields nothing", 2, "invalid_value"),
        ("status --limit 0", 2, "invalid_value"),
        ("pull ..", 2, "invalid_value"),
        ("push --retry nothing", 5, "not_found"),
        ("push --drop nothing", 5, "not_found"),
    ],
)
def test_how_sync_ends_where_it_is_asked_wrongly(stocked: Till, words: str, status: int, code: str) -> None:
    stocked.add("one", 7, "waits")
    kept, requests = stocked.kept(), stocked.requests
    error = stocked.error("sync", *words.split())

    assert (error["exitStatus"], error["code"]) == (status, code)
    assert (stocked.kept(), stocked.asked(requests)) == (kept, [])


def test_what_becomes_of_conflicts_is_settled_together_or_not_at_all(stocked: Till) -> None:
    for name in ("two", "three"):
        stocked.shop.add(name, 50)
        stocked.ok("sync", "pull", name, "-q")
        stocked.redeem(name, 40, f"{name}-1")
        stocked.shop.redeem(name, 30)
    assert stocked("sync", "push", "-q").status == 3
    kept = stocked.kept()
    for words in ("--retry two-1 --drop other", "--drop two-1 --retry other"):
        assert stocked.error("sync", "push", *words.split())["code"] == "not_found"
    assert stocked.kept() == kept
    assert stocked.error("sync", "push", "--retry", "two-1", "--drop", "two-1")["exitStatus"] in (2, 5)
    assert stocked.kept() == kept

    rest = stocked.document("sync", "push", "--drop-all", "--retry", "three-1", status=3)
    assert (rest["retried"], rest["dropped"], stocked.states()) == (1, 1, {"three-1": "conflict"})


@pytest.mark.parametrize("verb", ["status", "push", "pull"])
@pytest.mark.parametrize(
    ("environ", "status"), [({"RPCTL_BACKEND": "ledger"}, 2), ({"RPCTL_TENANT": ""}, 7), ({"RPCTL_URL": "x"}, 7)]
)
def test_without_a_service_there_is_nothing_to_sync(till: Till, verb: str, environ: Any, status: int) -> None:
    assert till.error("sync", verb, **environ)["exitStatus"] == status
    assert till.kept() == {}


def test_a_wrong_token_sends_nothing_and_loses_nothing(stocked: Till) -> None:
    stocked.add("one", 7, "waits")
    for verb in ("push", "pull"):
        assert stocked.error("sync", verb, RPCTL_ACCESS_TOKEN="wrong")["exitStatus"] == 4

    assert stocked.states() == {"waits": "waiting"}
    assert stocked.balance("one") == 57


def test_a_read_only_profile_records_and_sends_nothing_but_fetches(stocked: Till) -> None:
    stocked.add("one", 7, "waits")
    kept, requests = stocked.kept(), stocked.requests
    rows = (["points", "add", "one", "5", "--offline"], ["points", "import", "rows.csv", "--offline"])
    for words in (*rows, ["sync", "push"], ["sync", "push", "--drop-all"]):
        assert stocked.error(*words, RPCTL_READ_ONLY="1")["code"] == "read_only_profile"

    assert (stocked.kept(), stocked.requests) == (kept, requests)
    assert stocked.document("sync", "push", "--dry-run", RPCTL_READ_ONLY="1")["sent"] == 1
    assert set(stocked.asked(requests)) == {"GET"}
    assert stocked.document("sync", "pull", RPCTL_READ_ONLY="1")["customers"] > 0
    assert stocked.document("sync", "status", RPCTL_READ_ONLY="1")["waiting"] == 1


# -- BonifiQ ----------------------------------------------------------------------------------------------


@pytest.fixture
def loja(shop: Running, command_line: Callable[..., Any], home: Path) -> Iterator[Till]:
    """A till of a shop on BonifiQ, which stands beside the other service on the same points."""
    environ = {**shop.environ, "RPCTL_BACKEND": "bonifiq", "RPCTL_TENANT": ""}
    yield Till(command_line("loja", **environ), shop, home / "loja")


def test_over_bonifiq_its_rules_hold_without_a_line(loja: Till) -> None:
    loja.shop.add("ann", 50)
    pulled = loja.document("sync", "pull", "ann")
    requests = loja.requests

    assert (pulled["customers"], pulled["options"]) == (1, None)
    assert "reason" in loja.error("points", "add", "ann", "5", "--offline")["message"]
    html = ("--reason", "why", "--description", "<b>bold</b>")
    assert "HTML" in loja.error("points", "add", "ann", "5", *html, "--offline")["message"]
    assert "--factor" in loja.error("points", "add", "ann", "--order-value", "5", "--reason", "x", "--offline")["hint"]
    for words in ("customer list", "options list", "program show", "points explain ann"):
        assert loja.error(*words.split(), "--offline")["code"] == "unsupported_operation"
    loja.redeem("ann", 20, "ann-1", "--reason", "at the till")
    assert loja.error("points", "redeem", "ann", "31", "--reason", "x", "--offline")["code"] == "insufficient_points"
    loja.ok(
        "points", "add", "ann", "--order-value", "5.90", "--factor", "2", "--reason", "x", "--key", "ann-2",
        "--offline", "-q",
    )  # fmt: skip
    assert (loja.requests, loja.balance("ann")) == (requests, 41)
    done = loja.document("sync", "push")
    assert (done["sent"], done["conflicts"], loja.truth("ann"), loja.balance("ann")) == (2, 0, 41, 41)


def test_over_bonifiq_not_everybody_can_be_fetched(loja: Till) -> None:
    error = loja.error("sync", "pull")

    assert (error["code"], error["exitStatus"]) == ("unsupported_operation", 6)
    assert "`rpctl sync pull CUSTOMER`" in error["hint"]


def test_over_bonifiq_what_was_spent_elsewhere_is_a_conflict(loja: Till) -> None:
    loja.shop.add("bea", 50)
    loja.ok("sync", "pull", "bea", "-q")
    loja.redeem("bea", 40, "bea-1", "--reason", "at the till")
    loja.add("bea", 5, "bea-2", "--reason", "behind it")
    loja.shop.redeem("bea", 30)
    foreseen = loja.document("sync", "push", "--dry-run", status=3)
    document = loja.document("sync", "push", status=3)

    assert [document[name] for name in ("sent", "conflicts", "heldBack")] == [0, 1, 1]
    assert [foreseen[name] for name in ("sent", "conflicts", "heldBack")] == [0, 1, 1]
    assert document["conflictList"][0]["activePoints"] == 20
    assert loja.document("sync", "push", "--drop", "bea-1")["sent"] == 1
    assert (loja.truth("bea"), loja.balance("bea")) == (25, 25)


def test_a_row_needs_its_reason_over_bonifiq_without_a_line_too(loja: Till) -> None:
    loja.file("cleo,5")
    assert loja.error("points", "import", "rows.csv", "--offline")["exitStatus"] != 0
    report = loja.document("points", "import", "rows.csv", "--set", "reason=slips", "--offline")

    assert (report["applied"], loja.balance("cleo")) == (1, 5)
    sent = loja("sync", "push", "-o", "json")
    assert (sent.status, json.loads(sent.out)["sent"], loja.truth("cleo")) == (0, 1, 5)
