"""`rpctl profile` and `rpctl config` for profiles that work on a service."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

CREATE = ("profile", "create", "live", "--backend", "emporix")
LIVE = (*CREATE, "--tenant", "acme", "--client-id", "kLm3", "--url", "https://Sandbox.Example/", "--production")


def test_a_profile_for_a_service_is_created_shown_and_listed(rpctl: CommandLine) -> None:
    created = json.loads(rpctl.ok(*LIVE, "-o", "json"))

    assert {key: created[key] for key in ("backend", "url", "tenant", "clientId", "production")} == {
        "backend": "emporix",
        "url": "https://sandbox.example",
        "tenant": "acme",
        "clientId": "kLm3",
        "production": True,
    }
    assert json.loads(rpctl.ok("profile", "show", "live", "-o", "json")) == created
    assert json.loads(rpctl.ok("profile", "list", "-o", "json")) == [created]


def test_where_the_service_is_need_not_be_said(rpctl: CommandLine) -> None:
    created = json.loads(rpctl.ok(*CREATE, "--tenant", "acme", "-o", "json"))

    assert (created["url"], created["clientId"]) == ("https://api.emporix.io", None)


def test_a_ledger_has_no_service(rpctl: CommandLine) -> None:
    created = json.loads(rpctl.ok("profile", "create", "books", "-o", "json"))

    assert (created["url"], created["tenant"], created["clientId"]) == (None, None, None)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (CREATE, "--backend emporix needs --tenant."),
        (
            ("profile", "create", "books", "--url", "https://a"),
            "--url says nothing about a profile with --backend ledger.",
        ),
        (
            ("profile", "create", "books", "--tenant", "acme", "--client-id", "k"),
            "--tenant or --client-id says nothing about a profile with --backend ledger.",
        ),
        ((*CREATE, "--tenant", "Acme"), "--tenant cannot be 'Acme'."),
        ((*CREATE, "--tenant", "acme", "--url", "http://a.example"), "--url cannot be 'http://a.example'."),
        ((*CREATE, "--tenant", "acme", "--client-id", "a b"), "--client-id cannot be 'a b'."),
        (("profile", "create", "x", "--backend", "postgres", "--url", "https://a"), "--backend cannot be 'postgres'."),
    ],
)
def test_what_does_not_fit_together_is_wrong_usage(rpctl: CommandLine, argv: tuple[str, ...], message: str) -> None:
    ended = rpctl(*argv)

    assert ended.status == 2
    assert ended.err.splitlines()[0] == f"error: {message}"
    assert rpctl.ok("profile", "list", "-o", "json") == "[]\n"


def test_a_profile_that_was_created_is_in_force_with_its_sources(rpctl: CommandLine) -> None:
    rpctl.ok(*LIVE)

    shown = rpctl.ok("config", "show", "--profile", "live", "-o", "json", RPCTL_TIMEOUT_S="2.5")

    told = {one["setting"]: (one["value"], one["source"].partition(" ")[0]) for one in json.loads(shown)["settings"]}
    assert told["url"] == ("https://sandbox.example", "profile")
    assert told["tenant"] == ("acme", "profile")
    assert told["client_id"] == ("kLm3", "profile")
    assert told["timeout_s"] == (2.5, "environment")
    assert told["settle_s"] == (30.0, "default")


def test_booking_on_a_typed_ledger_while_the_profile_is_online_is_refused(rpctl: CommandLine) -> None:
    rpctl.ok(*LIVE)

    refused = rpctl("points", "add", "C1", "5", "--profile", "live", "--ledger", "till.db")

    assert refused.status == 2
    assert "--ledger names a local ledger, but profile live works on https://sandbox.example." in refused.err
    rpctl.ok("ledger", "info", "--profile", "live", "--offline")
    assert rpctl.ok("points", "add", "C1", "5", "--profile", "live", "--offline", "-q") == ""
