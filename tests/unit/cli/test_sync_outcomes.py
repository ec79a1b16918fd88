"""A push over a service that loses answers, fails, or is not there: nothing is lost and nothing counts twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tills import Till

from relay import Relay, relay
from rpctl.sandbox.application import Application
from sandbox_client import Running, running

KEPT_NO_MARKS = frozenset({"id", "description", "reference-id"})


@pytest.fixture
def opened(command_line: Callable[..., Any], home: Path) -> Iterator[Callable[..., Till]]:
    """Makes services of which something is wanted, and a till for each."""
    with ExitStack() as services:

        def made(**wishes: Any) -> Till:
            service = services.enter_context(running(token_lifetime_s=10**9, **wishes))
            return Till(command_line("till", **service.environ), service, home / "till")

        yield made


@pytest.fixture
def line(till: Till) -> Iterator[Relay]:
    """The till's line to its service, which can be cut."""
    with relay(till.shop.port) as one:
        till.line.environ |= {"RPCTL_URL": one.url, "RPCTL_TIMEOUT_S": "0.5"}
        yield one


def posts(service: Running) -> int:
    """How many changes were sent."""
    return sum(line.startswith("POST /reward-points") for line in list(service.log))


def record(till: Till, rows: int, customers: str) -> dict[str, int]:
    """A file of additions, recorded: what each customer has then."""
    names = [f"{customers}{row % 7}" for row in range(rows)]
    file = till.file(" ".join(f"{name},{row + 1}" for row, name in enumerate(names)), f"{customers}.csv")
    assert till.document("points", "import", file, "--offline")["applied"] == rows
    return {name: till.balance(name) for name in names[:7]}


def found(till: Till, names: dict[str, int]) -> tuple[dict[str, int], int]:
    """What these customers have at the service, and how many entries."""
    summaries = {one["customerId"]: one for one in till.shop.points("GET", "/summaryBatch").json}
    entries = [entry for name in names for some in summaries[name]["summary"].values() for entry in some]
    return {name: summaries[name]["activePoints"] for name in names}, len(entries)


def test_lost_answers_are_looked_for_and_each_change_counts_once(opened: Callable[..., Till]) -> None:
    till = opened(lose_answer_rate=0.3, seed=3)
    balances = record(till, 40, "lost")
    report = till.document("sync", "push")

    assert (report["sent"] + report["alreadySent"], report["unknown"], till.states()) == (40, 0, {})
    assert sum(status == 0 for _, _, status in till.shop.sandbox.application.requests) > 5
    assert {name: till.balance(name) for name in balances} == balances
    assert {name: till.document("points", "summary", name)["activePoints"] for name in balances} == balances


def test_what_cannot_be_told_stays_and_is_never_sent_again(opened: Callable[..., Till]) -> None:
    till = opened(lose_answer_rate=0.2, seed=5, drop_markers=KEPT_NO_MARKS)
    record(till, 40, "mute")
    first = till.document("sync", "push", status=8)
    sent = posts(till.shop)
    second = till("sync", "push")

    assert first["sent"] + first["unknown"] + first["heldBack"] == 40
    assert 0 < first["unknown"] < 40 - first["sent"]  # what comes behind is held back
    assert sent == first["sent"] + first["unknown"]  # each that left did so once
    assert (second.status, posts(till.shop)) == (8, sent)
    changes = "1 change" if first["unknown"] == 1 else f"{first['unknown']} changes"
    assert f"warning: unknown: {changes}; the same command looks again for them" in second.err
    assert len(till.states()) == 40 - first["sent"]


def test_while_the_service_is_away_everything_waits(till: Till, line: Relay) -> None:
    till.shop.add("away", 50)
    till.ok("sync", "pull", "-q")
    till.redeem("away", 20, "away-1")
    line.cut()
    kept = till.kept()
    errors = [till.error("sync", *words) for words in (["push"], ["push", "--dry-run"], ["pull"], ["pull", "away"])]

    assert [(error["exitStatus"], error["retryable"]) for error in errors] == [(75, True)] * 4
    assert till.states() == {"away-1": "waiting"}
    assert kept.keys() <= till.kept().keys()
    assert till.balance("away") == 30
    line.mend()
    assert till.document("sync", "push")["sent"] == 1
    assert till.truth("away") == 30


def test_a_line_that_is_lost_in_the_middle(till: Till, line: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    till.ok("sync", "pull", "-q")
    balances = record(till, 60, "mid")
    _cut_after(20, line, monkeypatch)
    stopped = till("sync", "push", "-o", "json")
    monkeypatch.undo()
    waiting = len(till.states())
    line.mend()
    till.line.environ["RPCTL_TIMEOUT_S"] = "5"
    report = till.document("sync", "push")

    assert (stopped.status, 0 < waiting < 60) == (75, True)
    assert report["sent"] + report["alreadySent"] == waiting
    assert found(till, balances) == (balances, 60)
    assert {name: till.balance(name) for name in balances} == balances


def _cut_after(changes: int, line: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many changes come through, and the next one is done and not answered."""
    answer = Application.__call__
    came = 0

    async def counted(application: Application, abort: Any, scope: Any, receive: Any, send: Any) -> None:
        nonlocal came
        await answer(application, abort, scope, receive, send)
        if scope["method"] == "POST" and "/customer/" in scope["path"]:
            came += 1
            if came == changes:
                line.cut()

    monkeypatch.setattr(Application, "__call__", counted)


def test_whom_this_machine_deletes_is_not_sent_anything_any_more(till: Till) -> None:
    till.shop.add("left", 50)
    till.ok("sync", "pull", "-q")
    till.add("left", 5, "left-1")
    told = till("customer", "delete", "left", "--confirm", "left", "-q")

    assert (told.status, told.err) == (0, "warning: 1 change of the customer that waited to be sent will not be\n")
    assert till.states() == {}
    assert till.document("sync", "push")["sent"] == 0
    assert till.error("points", "balance", "left", "--offline")["code"] == "customer_not_found"
    assert till.error("points", "add", "left", "5", "--key", "left-1", "--offline")["code"] == "customer_deleted"
    assert till.shop.points("GET", "/customer/left/summary").status == 404


def test_all_conflicts_but_the_dropped_ones_are_sent_once_more(till: Till) -> None:
    for customer in ("both-a", "both-b"):
        till.shop.add(customer, 10)
        till.ok("sync", "pull", customer)
        till.redeem(customer, 10, f"{customer}-spent")
        till.shop.redeem(customer, 10)
    assert till.document("sync", "push", status=3)["conflicts"] == 2
    for customer in ("both-a", "both-b"):
        till.shop.add(customer, 10)
    report = till.document("sync", "push", "--retry-all", "--drop", "both-a-spent")
    assert (report["retried"], report["dropped"], report["sent"], report["conflicts"]) == (1, 1, 1, 0)
    till.ok("sync", "pull", "both-a", "both-b")
    assert (till.balance("both-a"), till.balance("both-b")) == (10, 0)


def test_what_waits_for_another_service_is_said(till: Till) -> None:
    till.add("elsewhere", 5, "elsewhere-1")
    ended = till("sync", "push", RPCTL_TENANT="another1")
    assert ended.status == 0
    assert f"warning: 1 change recorded here waits for tenant {till.shop.tenant} at " in ended.err
    assert till.states()["elsewhere-1"] == "waiting"
    assert till.document("sync", "push")["sent"] == 1
    assert "waits for tenant" not in till("sync", "push", RPCTL_TENANT="another1").err


def test_many_customers_are_read_anew_with_everybody(till: Till) -> None:
    names = [f"many{number}" for number in range(120)]
    till.ok("points", "import", till.file(" ".join(f"{name},3" for name in names), "many.csv"), "--offline", "-q")
    before = len(till.shop.log)
    report = till.document("sync", "push")
    assert (report["sent"], report["refreshed"]) == (120, 120)
    asked = [line.split()[:2] for line in till.shop.log[before:]]
    behind = asked[max(at for at, (method, _) in enumerate(asked) if method == "POST") + 1 :]
    assert behind == [["GET", "/reward-points/summaryBatch"]]
    assert [till.balance(name) for name in names] == [3] * 120
    assert not till.states()


def test_what_this_machine_did_online_is_known_offline(till: Till) -> None:
    till.shop.add("flapping", 100)
    till.ok("sync", "pull", "flapping")
    till.ok("points", "redeem", "flapping", "80", "-q")
    assert till.balance("flapping") == 20
    assert till.error("points", "redeem", "flapping", "80", "--offline")["code"] == "insufficient_points"
    before = len(till.shop.log)
    till.ok("points", "add", "not mirrored", "5", "-q")
    assert [line.split()[0] for line in till.shop.log[before:] if "/oauth" not in line].count("GET") == 1


def test_a_ledger_that_is_worked_on_for_itself_is_said_to_be(till: Till) -> None:
    ended = till("points", "add", "C1", "5", "--offline", "--ledger", "aside.db", "-o", "json")
    assert "aside.db for itself: it is not sent to the service" in ended.err
    assert "for itself" not in till("points", "add", "C1", "5", "--offline").err


def test_unsent_changes_are_named_before_their_ledger_is_replaced(till: Till) -> None:
    ledger = str(till.document("ledger", "info", "--offline")["path"])
    till.add("unsent", 5, "unsent-1")
    till.ok("ledger", "backup", "before.db", "--offline")
    count = len(till.states())
    ended = till("ledger", "restore", "before.db", "--ledger", ledger, "--offline")
    assert (ended.status, f"{count:,} changes in it are not sent" in ended.err) == (6, True)
    assert "unsent-1" in till.states()


def test_who_is_not_there_is_named_by_a_pull(till: Till) -> None:
    ended = till("sync", "pull", "nobodyy", "-o", "json")
    assert (ended.status, "there is no customer nobodyy" in ended.err) == (0, True)
    assert '"removed": 0' in ended.out
