"""The commands that only a service has, and what a service changes in the others; over a sandbox on a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox_client import Running, running

ADD = ("api", "POST", "/reward-points/customer/raw2/addPoints")


@pytest.fixture
def served() -> Iterator[Running]:
    with running(token_lifetime_s=10**9) as one:
        yield one


@pytest.fixture
def rpctl(served: Running, command_line: Callable[..., Any]) -> Any:
    line = command_line(**served.environ)
    line.now = served.now
    return line


def error_of(ended: Any) -> dict[str, Any]:
    return dict(json.loads(ended.err.splitlines()[-1])["error"])


# -- me ---------------------------------------------------------------------------------------------------


def test_a_customer_who_never_had_points_has_none(served: Running, rpctl: Any) -> None:
    token = served.token("never")

    assert rpctl("me", "balance", RPCTL_CUSTOMER_TOKEN=token).out == "0\n"
    summary = json.loads(rpctl("me", "summary", "-o", "json", RPCTL_CUSTOMER_TOKEN=token).out)
    assert summary["activePoints"] == 0
    assert summary["summary"] == {"addedPointsList": [], "redeemedPointsList": []}


def test_a_customer_exchanges_points_for_a_coupon(served: Running, rpctl: Any) -> None:
    made = json.loads(rpctl.ok("options", "create", "--name", "ten", "--points", "40", "--percent", "10", "-o", "json"))
    rpctl.ok("points", "add", "buyer", "50", "-q")
    me = {"RPCTL_CUSTOMER_TOKEN": served.token("buyer")}

    code = json.loads(rpctl("me", "redeem", made["id"], "-o", "json", **me).out)
    assert list(code) == ["code"]
    assert rpctl("me", "balance", **me).out == "10\n"
    refused = rpctl("me", "redeem", made["id"], "-o", "json", **me)
    assert (refused.status, error_of(refused)["httpStatus"]) == (6, 400)
    missing = rpctl("me", "redeem", "no-such", "-o", "json", **me)
    assert (missing.status, error_of(missing)["code"]) == (5, "option_not_found")


def test_without_a_customers_token_nobody_is_asked(rpctl: Any) -> None:
    ended = rpctl("me", "balance", "-o", "json", RPCTL_CUSTOMER_TOKEN="")

    assert (ended.status, error_of(ended)["code"]) == (4, "credentials_missing")


def test_a_read_only_profile_exchanges_nothing(served: Running, rpctl: Any) -> None:
    ended = rpctl("me", "redeem", "x", "-o", "json", RPCTL_READ_ONLY="1")

    assert (ended.status, error_of(ended)["code"]) == (6, "read_only_profile")


# -- api --------------------------------------------------------------------------------------------------


def test_the_raw_call_prints_what_the_service_answers(rpctl: Any) -> None:
    rpctl.ok("points", "add", "raw", "7", "-q")

    assert rpctl("api", "GET", "/reward-points/customer/raw").out == "7\n"
    assert rpctl("api", "get", "/reward-points/{tenant}/redeemOptions").out.startswith("[")


def test_a_raw_change_is_sent_once_with_its_body(tmp_path: Path, rpctl: Any) -> None:
    (tmp_path / "body.json").write_text('{"points": 5}')

    assert (
        rpctl("api", "POST", "/reward-points/customer/raw2/addPoints?siteCode=main", "--input", "body.json").status == 0
    )
    assert (
        rpctl("api", "POST", "/reward-points/customer/raw2/addPoints", "--input", "-", stdin='{"points": 6}').status
        == 0
    )
    assert rpctl("points", "balance", "raw2").out == "11\n"


def test_a_refusal_prints_the_body_and_ends_as_the_commands_do(rpctl: Any) -> None:
    ended = rpctl(
        "api", "POST", "/reward-points/customer/x/addPoints", "--input", "-", "-o", "json", stdin='{"points":"x"}'
    )

    assert json.loads(ended.out)["type"] == "validation_violation"
    assert (ended.status, error_of(ended)["code"], error_of(ended)["httpStatus"]) == (6, "request_refused", 400)


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("api", "BREW", "/x"), 2),
        (("api", "GET", "reward-points"), 2),
        (("api", "GET", "//elsewhere/x"), 2),
        (("api", "GET", "/a b"), 2),
        (("api", "GET", "/reward-points/../oauth"), 2),
        (("api", "GET", "/x?a=1&a=2"), 2),
        (("api", "POST", "/x", "--input", "no-such-file"), 7),
        (("api", "POST", "/x", "--input", "-"), 7),
    ],
)
def test_what_is_no_call_is_not_sent(words: tuple[str, ...], status: int, served: Running, rpctl: Any) -> None:
    before = len(served.sandbox.application.requests)

    assert rpctl(*words).status == status
    assert len(served.sandbox.application.requests) == before


def test_a_raw_change_without_an_answer_is_unknown(command_line: Callable[..., Any]) -> None:
    with running(token_lifetime_s=10**9, lose_answer_rate=1.0) as service:
        rpctl = command_line(**service.environ)
        ended = rpctl(
            "api", "POST", "/reward-points/customer/C1/addPoints", "--input", "-", "-o", "json", stdin='{"points":1}'
        )

        assert (ended.status, error_of(ended)["code"]) == (8, "outcome_unknown")
        made = [
            request for request in service.sandbox.application.requests if request[0] == "POST" and "addP" in request[1]
        ]
        assert len(made) == 1


# -- doctor -----------------------------------------------------------------------------------------------


def checks(ended: Any) -> dict[str, str]:
    """The worst that each check came to."""
    found: dict[str, str] = {}
    for one in json.loads(ended.out)["checks"]:
        found[one["check"]] = max(found.get(one["check"], "ok"), one["status"], key=["ok", "warn", "fail"].index)
    return found


WELL = {
    "profile": "ok", "credentials": "ok", "service": "ok", "clock": "ok", "token": "ok", "scope": "ok", "tenant": "ok",
    "journal": "ok", "ledger": "ok", "completion": "warn",
}  # fmt: skip


def test_all_is_well(rpctl: Any) -> None:
    ended = rpctl("doctor", "-o", "json", SHELL="/bin/zsh")

    assert (ended.status, checks(ended)) == (0, WELL)


def test_the_doctor_tells_which_marks_survive(rpctl: Any) -> None:
    rpctl.ok("points", "add", "marked", "1", "-q")
    told = [one for one in json.loads(rpctl("doctor", "-o", "json").out)["checks"] if one["check"] == "markers"]

    assert [one["message"].partition(" of what")[0] for one in told] == [
        "the service keeps the description and the id",
        "learned from the first clear answer (redeem)",
    ]


@pytest.mark.parametrize(
    ("environ", "worst", "status"),
    [
        ({"RPCTL_CLIENT_SECRET": "wrong"}, {"token": "fail"}, 3),
        ({"RPCTL_CLIENT_SECRET": ""}, {"credentials": "fail", "token": "fail"}, 3),
        ({"RPCTL_URL": "http://127.0.0.1:9", "RPCTL_TIMEOUT_S": "0.3"}, {"service": "fail"}, 3),
        ({"RPCTL_TENANT": ""}, {"profile": "fail"}, 3),
    ],
)
def test_what_is_wrong_is_told_and_hides_nothing_else(
    environ: dict[str, str], worst: dict[str, str], status: int, rpctl: Any
) -> None:
    ended = rpctl("doctor", "-o", "json", **environ)

    assert ended.status == status
    assert worst.items() <= checks(ended).items()
    assert all(one["hint"] for one in json.loads(ended.out)["checks"] if one["status"] != "ok")


def test_a_clock_that_is_wrong_is_told(rpctl: Any) -> None:
    rpctl.now += 3_600_000
    told = next(one for one in json.loads(rpctl("doctor", "-o", "json").out)["checks"] if one["check"] == "clock")

    assert (told["status"], told["message"]) == ("warn", "3600 s ahead of the service's")


def test_a_ready_token_is_tried_on_the_tenant(served: Running, rpctl: Any) -> None:
    good = rpctl("doctor", "-o", "json", RPCTL_ACCESS_TOKEN=served.token_with("rewardspoints.rewardpoints_view"))
    bad = rpctl("doctor", "-o", "json", RPCTL_ACCESS_TOKEN="made-up")

    assert (good.status, checks(good)["token"], checks(good)["tenant"]) == (0, "ok", "ok")
    assert (bad.status, checks(bad)["tenant"]) == (3, "fail")


def test_changes_that_are_not_settled_are_told(command_line: Callable[..., Any]) -> None:
    dropped = frozenset({"id", "description"})
    with running(token_lifetime_s=10**9, drop_markers=dropped, lose_answer_rate=0.6, seed=4) as service:
        rpctl = command_line(**service.environ)
        rpctl.now = service.now
        statuses = [rpctl("points", "add", "C1", "1", "--key", f"k{number}").status for number in range(12)]
        told = rpctl("doctor", "-o", "json")

        assert 8 in statuses
        assert "changes whose outcome is not known" in told.out


def test_on_a_ledger_the_doctor_asks_nobody(command_line: Callable[..., Any]) -> None:
    rpctl = command_line()
    rpctl.ok("points", "add", "C1", "5")
    ended = rpctl("doctor", "-o", "json", SHELL="/bin/sh")

    assert (ended.status, checks(ended)) == (0, {"profile": "ok", "ledger": "ok", "completion": "ok"})


def test_a_damaged_ledger_is_told(command_line: Callable[..., Any], home: Path) -> None:
    rpctl = command_line()
    path = home / ".local/share/rpctl/ledger.db"
    path.parent.mkdir(parents=True)
    path.write_text("not a ledger")

    assert checks(rpctl("doctor", "-o", "json"))["ledger"] == "fail"


# -- what a service changes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("ledger", "verify"), "unsupported_operation"),
        (("points", "add", "C1", "5", "--reason", "why"), "unsupported_operation"),
        (("points", "redeem", "C1", "--option", "x"), "unsupported_operation"),
        (("points", "balance", "C1", "--ledger", "x.db"), "usage"),
        (("points", "balance", ".."), "invalid_value"),
        (("points", "add", ".", "5"), "invalid_value"),
    ],
)
def test_what_a_service_cannot_do_is_refused_by_name(
    words: tuple[str, ...], code: str, served: Running, rpctl: Any
) -> None:
    before = len([one for one in served.sandbox.application.requests if one[0] != "GET"])
    ended = rpctl(*words, "-o", "json")

    assert error_of(ended)["code"] == code
    assert len([one for one in served.sandbox.application.requests if one[0] != "GET"]) == before


def test_offline_works_on_a_ledger(rpctl: Any) -> None:
    rpctl.ok("points", "add", "here", "5", "--offline")

    assert rpctl.ok("points", "balance", "here", "--offline") == "5\n"
    assert rpctl("points", "balance", "here").status == 5


def test_a_read_only_profile_sends_nothing(served: Running, rpctl: Any) -> None:
    before = len(served.sandbox.application.requests)

    assert rpctl("points", "add", "C1", "5", RPCTL_READ_ONLY="1").status == 6
    assert rpctl("api", "DELETE", "/x", RPCTL_READ_ONLY="1").status == 6
    assert len(served.sandbox.application.requests) == before


def test_an_update_that_is_in_already_is_not_stale(rpctl: Any) -> None:
    made = json.loads(rpctl.ok("options", "create", "--name", "o", "--points", "4", "--percent", "1", "-o", "json"))
    rpctl.ok("options", "update", made["id"], "--points", "5", "--if-version", "1")
    again = rpctl("options", "update", made["id"], "--points", "5", "--if-version", "1")
    other = rpctl("options", "update", made["id"], "--points", "6", "--if-version", "1", "-o", "json")

    assert (again.status, "in already, as version 2" in again.err) == (0, True)
    assert (other.status, error_of(other)["details"]) == (6, {"currentVersion": 2, "sentVersion": 1})


def test_deleting_an_option_needs_an_employees_token(served: Running, rpctl: Any) -> None:
    made = json.loads(rpctl.ok("options", "create", "--name", "o", "--points", "4", "--percent", "1", "-o", "json"))
    refused = rpctl("options", "delete", made["id"], "--yes", "-o", "json")

    assert (refused.status, error_of(refused)["httpStatus"]) == (6, 403)
    assert "auth login --employee" in error_of(refused)["hint"]
    assert rpctl("options", "delete", made["id"], "--yes", RPCTL_ACCESS_TOKEN=served.token("employee")).status == 0


def test_a_change_of_the_program_tells_when_it_holds(rpctl: Any) -> None:
    assert "15 minutes" in rpctl("program", "set", "--factor", "2").err
    assert "15 minutes" not in rpctl("program", "set", "--factor", "2", "--offline").err


def test_what_the_service_does_not_show_is_shown_as_it_was_sent(command_line: Callable[..., Any]) -> None:
    with running(token_lifetime_s=10**9, drop_markers=frozenset({"id", "description"})) as service:
        rpctl = command_line(**service.environ)
        rpctl.now = service.now
        ended = rpctl("points", "add", "C1", "5", "--description", "mine", "-o", "json")

        shown = json.loads(ended.out)
        assert (ended.status, shown["points"], shown["description"]) == (0, 5, "mine")
        assert list(shown) == ["id", "reference-id", "description", "points"]  # and no balance that nobody knows
        assert "this is what was sent" in ended.err


def test_a_key_that_a_file_repeats_counts_once_in_a_run_that_is_gone_on_with(rpctl: Any, tmp_path: Path) -> None:
    (tmp_path / "f.csv").write_text("customer_id,points,key\nC1,x,a\nC1,5,k\nC1,5,k\n")
    words = ["points", "import", str(tmp_path / "f.csv"), "-o", "json", "--rejects"]
    stopped = json.loads(rpctl(*words, str(tmp_path / "r1.csv"), "--max-errors", "1").out)
    gone_on = json.loads(rpctl(*words, str(tmp_path / "r2.csv")).out)

    assert (gone_on["run"], stopped["applied"]) == (stopped["run"], 0)
    assert (gone_on["applied"], gone_on["alreadyApplied"], gone_on["pointsAdded"]) == (1, 1, 5)
