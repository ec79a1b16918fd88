"""`rpctl auth`: what is stored where, who wins, what is said, and that no secret is ever seen."""

from __future__ import annotations

import json
import shlex
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from token_service import SECRET, MemoryKeyring, Service

if TYPE_CHECKING:
    from conftest import CommandLine, Ended


@pytest.fixture
def live(rpctl: CommandLine, service: Service) -> CommandLine:
    """The command line with a profile for the service in force, and no keyring."""
    rpctl.environ["RPCTL_KEYRING"] = "off"
    create = ("profile", "create", "live", "--backend", "emporix", "--tenant", "acme", "--client-id", "kLm3")
    rpctl.ok(*create, "--url", service.url)
    rpctl.ok("profile", "use", "live")
    return rpctl


@pytest.fixture
def desktop(live: CommandLine, keyring: MemoryKeyring) -> CommandLine:
    """The same with a keyring."""
    del live.environ["RPCTL_KEYRING"]
    return live


def login(rpctl: CommandLine, *options: str, secret: str = SECRET, **how: Any) -> Ended:
    return rpctl("auth", "login", "--secret-stdin", *options, stdin=f"{secret}\n", **how)


def stored(home: Path) -> list[Path]:
    return sorted((home / ".local/share/rpctl/credentials").glob("*"))


def shown(ended: Ended) -> str:
    return ended.out + ended.err


# -- login ------------------------------------------------------------------------------------------------


def test_a_secret_goes_to_the_keyring_once_the_service_has_accepted_it(
    desktop: CommandLine, keyring: MemoryKeyring, service: Service, home: Path
) -> None:
    ended = login(desktop, "-o", "json")

    assert ended.status == 0
    assert json.loads(ended.out) == {
        "schema": "rpctl.auth-login/1",
        "profile": "live",
        "url": service.url,
        "tenant": "acme",
        "clientId": "kLm3",
        "credential": "client secret",
        "stored": "the keyring",
        "verified": True,
    }
    assert keyring.kept == {("rpctl", f"client secret of kLm3 for acme at {service.url}"): SECRET}
    assert [form["client_secret"] for form in service.forms] == [SECRET]
    assert SECRET not in shown(ended) + "".join(file.read_text() for file in stored(home))


def test_a_wrong_secret_is_not_stored(desktop: CommandLine, keyring: MemoryKeyring, home: Path) -> None:
    ended = login(desktop, secret="hunter2")

    assert ended.status == 4
    assert "refuses client kLm3 of tenant acme (HTTP 401); its secret came from standard input" in ended.err
    assert "hunter2" not in shown(ended)
    assert (keyring.kept, stored(home)) == ({}, [])


def test_without_verification_nothing_is_asked(desktop: CommandLine, keyring: MemoryKeyring, service: Service) -> None:
    assert login(desktop, "--no-verify", secret="hunter2").status == 0

    assert service.asked == []
    assert set(keyring.kept.values()) == {"hunter2"}


def test_where_there_is_no_keyring_the_file_is_asked_for_first(live: CommandLine, service: Service, home: Path) -> None:
    ended = login(live)

    assert ended.status == 6
    assert "no keyring: RPCTL_KEYRING turns it off" in ended.err
    assert "RPCTL_CLIENT_SECRET_FILE or RPCTL_CLIENT_SECRET hands it over without storing it" in ended.err
    assert (service.asked, stored(home)) == ([], [])
    hint = ended.err.splitlines()[-1].removeprefix("hint: If that is meant: ")
    program, *argv = shlex.split(hint)
    assert program == "rpctl"

    assert live(*argv, stdin=SECRET).status == 0

    (file,) = stored(home)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert live.ok("auth", "status", "--fields", "source", "--no-header").splitlines()[0] == str(file)


def test_a_person_is_asked_and_types_without_echo(live: CommandLine, home: Path) -> None:
    ended = live("auth", "login", stdin=f"yes\n{SECRET}\n", tty=True)

    assert ended.status == 0, ended
    assert "which only you can read? Type yes to go on:" in ended.err
    assert "Client secret of kLm3 for acme" in ended.err
    assert len(stored(home)) == 1

    assert live("auth", "login", stdin="no\n", tty=True).status == 6


def test_a_secret_file_is_read(desktop: CommandLine, keyring: MemoryKeyring, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET + "\r\n")
    (tmp_path / "secret").chmod(0o600)

    assert desktop("auth", "login", "--secret-file", "secret").status == 0
    assert set(keyring.kept.values()) == {SECRET}


@pytest.mark.parametrize(
    ("argv", "status"),
    [
        (("auth", "login", SECRET), 2),
        (("auth", "login", "--secret-stdin", "--yes", SECRET), 2),
        (("auth", "login", "--customer", SECRET), 2),
        (("auth", "login", f"--secret={SECRET}"), 2),
        (("auth", "login", "--secret", SECRET), 2),
        (("auth", "login", f"--secret-stdin={SECRET}"), 2),
        (("auth", "login", "--secret-file", SECRET), 7),
        (("auth", "login", "--secret-file", f"/nowhere/{SECRET}"), 7),
        (("auth", "login", "--secret-file", f"{SECRET}\0"), 7),
        (("auth", "status", SECRET), 2),
        (("auth", "logout", SECRET), 2),
        (("auth", "token", SECRET), 2),
        (("auth", "token", "--scope", f"{SECRET} x"), 2),
    ],
)
@pytest.mark.parametrize("debug", ["", "1"])
def test_a_secret_on_the_command_line_is_refused_and_not_repeated(
    live: CommandLine, argv: tuple[str, ...], status: int, debug: str
) -> None:
    for output in ("table", "json"):
        ended = live(*argv, RPCTL_DEBUG=debug, RPCTL_OUTPUT=output)

        assert ended.status == status, ended
        assert SECRET not in shown(ended)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--token-stdin",), "--token-stdin needs --customer or --employee"),
        (("--customer", "--secret-stdin"), "are for the client secret"),
        (("--employee", "--secret-file", "x"), "are for the client secret"),
        (("--customer", "--employee", "--token-stdin"), "are different tokens"),
        (("--secret-stdin", "--secret-file", "x"), "two places for one secret"),
        ((), "There is no client secret, and nobody can be asked here"),
        (("--customer",), "There is no customer token, and nobody can be asked here"),
    ],
)
def test_options_that_contradict_each_other_are_wrong_usage(
    live: CommandLine, options: tuple[str, ...], what: str
) -> None:
    ended = live("auth", "login", *options, stdin=SECRET)

    assert ended.status == 2
    assert what in ended.err


@pytest.mark.parametrize("content", ["", "\n", "a\nb\n", "a\x1b[31m", "a\0"])
def test_what_is_no_secret_is_refused_unseen(desktop: CommandLine, keyring: MemoryKeyring, content: str) -> None:
    ended = desktop("auth", "login", "--secret-stdin", stdin=content)

    assert ended.status == 2
    assert keyring.kept == {}
    assert "\x1b" not in ended.err


def test_bytes_that_are_no_text_are_refused(desktop: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfe" + SECRET.encode())
    (tmp_path / "secret").chmod(0o600)

    ended = desktop("auth", "login", "--secret-file", "secret")

    assert ended.status == 2
    assert "is not UTF-8 text" in ended.err


def test_a_ledger_needs_no_login(rpctl: CommandLine) -> None:
    for verb in ("login", "status", "logout", "token"):
        ended = rpctl("auth", verb, *["--secret-stdin"] * (verb == "login"))
        assert ended.status == 2
        assert "works on a local ledger, not on a service" in ended.err


def test_a_secret_needs_a_client_id(rpctl: CommandLine, service: Service) -> None:
    environ = {"RPCTL_BACKEND": "emporix", "RPCTL_TENANT": "acme", "RPCTL_URL": service.url, "RPCTL_KEYRING": "off"}

    ended = login(rpctl, **environ)

    assert ended.status == 7
    assert "There is no client id for tenant acme" in ended.err


def test_a_new_secret_forgets_the_tokens_of_the_old_one(desktop: CommandLine, service: Service) -> None:
    login(desktop)
    assert desktop.ok("auth", "token") == "token-1\n"
    assert desktop.ok("auth", "token", "--scope", "a") == "token-2\n"

    service.secret = "another"
    login(desktop, secret="another")

    assert desktop.ok("auth", "token") == "token-3\n"
    assert desktop.ok("auth", "token", "--scope", "a") == "token-4\n"


def test_who_wins_over_what_was_stored_is_said(desktop: CommandLine) -> None:
    ended = login(desktop, RPCTL_CLIENT_SECRET="other", RPCTL_ACCESS_TOKEN="ready")

    assert ended.status == 0
    assert "warning: RPCTL_CLIENT_SECRET has a client secret too, and wins" in ended.err
    assert "warning: the employee token from RPCTL_ACCESS_TOKEN wins over the client secret" in ended.err


# -- tokens of others -------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["--customer", "--employee"])
def test_a_ready_token_is_stored_and_used(
    desktop: CommandLine, keyring: MemoryKeyring, service: Service, which: str
) -> None:
    ended = desktop("auth", "login", which, "--token-stdin", stdin="ready-token\n")

    assert ended.status == 0
    assert "ready-token" not in shown(ended)
    assert set(keyring.kept.values()) == {"ready-token"}
    assert desktop.ok("auth", "token", *["--customer"] * (which == "--customer")) == "ready-token\n"
    assert service.asked == []


@pytest.mark.parametrize("token", ["Bearer abc", "a b", "ü"])
def test_what_is_no_token_is_not_stored(desktop: CommandLine, keyring: MemoryKeyring, token: str) -> None:
    ended = desktop("auth", "login", "--customer", "--token-stdin", stdin=token)

    assert (ended.status, keyring.kept) == (2, {})
    assert token not in ended.err


def test_a_customers_token_is_missing_where_there_is_none(live: CommandLine) -> None:
    ended = live("auth", "token", "--customer")

    assert ended.status == 4
    assert "RPCTL_CUSTOMER_TOKEN" in ended.err
    assert "`rpctl auth login --customer --token-stdin` stores one" in ended.err


# -- status -----------------------------------------------------------------------------------------------


def test_status_tells_who_won_what_is_shadowed_and_until_when_tokens_hold(
    desktop: CommandLine, service: Service
) -> None:
    login(desktop)

    document = json.loads(desktop.ok("auth", "status", "-o", "json", RPCTL_CLIENT_SECRET="other"))

    assert document == {
        "schema": "rpctl.auth-status/1",
        "profile": "live",
        "url": service.url,
        "tenant": "acme",
        "clientId": "kLm3",
        "credentials": [
            {
                "credential": "client secret",
                "source": "RPCTL_CLIENT_SECRET",
                "shadowed": ["the keyring"],
                "problem": None,
            }
        ],
        "tokens": [{"scopes": ["rewardspoints.rewardpoints_view"], "validUntil": "2026-03-01T15:59:59.000Z"}],
    }
    assert desktop.ok("auth", "status").splitlines() == [
        "credential\tsource\tshadowed\tvalidUntil\tscopes",
        "client secret\tthe keyring\t\t\t",
        "access token\tcache\t\t2026-03-01T15:59:59.000Z\trewardspoints.rewardpoints_view",
    ]


def test_status_ends_with_4_where_there_is_nothing(live: CommandLine) -> None:
    ended = live("auth", "status", "-o", "json")

    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, error["code"], error["details"]["tenant"]) == (4, "credentials_missing", "acme")
    assert "RPCTL_CLIENT_SECRET" in error["details"]["lookedAt"]


def test_status_says_what_cannot_be_used(live: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "open").write_text(SECRET)
    (tmp_path / "open").chmod(0o644)

    alone = live("auth", "status", RPCTL_CLIENT_SECRET_FILE="open")
    beside = live.ok("auth", "status", RPCTL_CLIENT_SECRET_FILE="open", RPCTL_ACCESS_TOKEN="ready")

    assert alone.status == 7
    assert "Every user of this machine may read the file that RPCTL_CLIENT_SECRET_FILE names" in alone.err
    assert "RPCTL_CLIENT_SECRET_FILE: Every user of this machine may read" in beside


def test_an_expired_token_is_none(live: CommandLine) -> None:
    assert live.ok("auth", "token", RPCTL_CLIENT_SECRET=SECRET)
    assert live("auth", "status").status == 0

    live.now += 14_400_000

    assert live("auth", "status").status == 4


# -- logout -----------------------------------------------------------------------------------------------


def test_logout_removes_what_login_stored_and_names_what_remains(
    desktop: CommandLine, keyring: MemoryKeyring, home: Path
) -> None:
    login(desktop)
    desktop("auth", "login", "--customer", "--token-stdin", stdin="ready")

    ended = desktop("auth", "logout", RPCTL_CLIENT_SECRET="other")

    assert ended.status == 0
    assert ended.out.splitlines()[1:] == [
        "client secret\tthe keyring\tremoved",
        "access token\tcache (1)\tremoved",
        "client secret\tRPCTL_CLIENT_SECRET\tremains",
        "customer token\tthe keyring\tremoved",
    ]
    assert "RPCTL_CLIENT_SECRET still has the client secret" in ended.err
    assert (keyring.kept, stored(home)) == ({}, [])
    assert desktop("auth", "status").status == 4


def test_logout_of_a_file_and_of_nothing(live: CommandLine, home: Path) -> None:
    login(live, "--yes")
    assert len(stored(home)) == 1

    assert live("auth", "logout").status == 0
    assert stored(home) == []
    ended = live("auth", "logout")
    assert (ended.status, "nothing was stored" in ended.err) == (0, True)


def test_only_one_kind_is_removed_where_it_is_named(desktop: CommandLine, keyring: MemoryKeyring) -> None:
    login(desktop)
    desktop("auth", "login", "--customer", "--token-stdin", stdin="ready")

    desktop.ok("auth", "logout", "--customer")

    assert set(keyring.kept.values()) == {SECRET}


def test_other_accounts_keep_theirs(desktop: CommandLine, keyring: MemoryKeyring) -> None:
    login(desktop)
    login(desktop, RPCTL_TENANT="other")

    desktop.ok("auth", "logout")

    assert len(keyring.kept) == 1
    assert desktop.ok("auth", "token", RPCTL_TENANT="other") == "token-2\n"
    assert desktop("auth", "token").status == 4


# -- token ------------------------------------------------------------------------------------------------


def test_token_prints_the_token_and_keeps_it(live: CommandLine, service: Service) -> None:
    for output in ("tsv", "json", "csv", "table"):
        assert live.ok("auth", "token", "-o", output, RPCTL_CLIENT_SECRET=SECRET) == "token-1\n"
    assert len(service.forms) == 1


def test_token_asks_for_the_scopes_that_are_named(live: CommandLine, service: Service) -> None:
    live.ok("auth", "token", "--scope", "b", "--scope", "a", RPCTL_CLIENT_SECRET=SECRET)

    assert service.forms[0]["scope"] == "a b tenant=acme"


def test_a_ready_token_has_the_scopes_it_has(live: CommandLine) -> None:
    ended = live("auth", "token", "--scope", "a", RPCTL_ACCESS_TOKEN="ready")

    assert (ended.status, ended.out) == (0, "ready\n")
    assert "--scope changes nothing" in ended.err


# -- never seen -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("answer", [(401, b'{"error": "%s"}'), (500, b"%s"), (200, b'{"access_token": "%s \\u0001"}')])
def test_no_secret_is_seen_whatever_goes_wrong(
    desktop: CommandLine, service: Service, answer: tuple[int, bytes]
) -> None:
    desktop.environ |= {"RPCTL_DEBUG": "1", "RPCTL_TIMEOUT_S": "0.3"}
    for argv in (("auth", "login", "--secret-stdin"), ("auth", "token"), ("auth", "status")):
        for output in ("json", "table"):
            service.answers = [(answer[0], answer[1] % SECRET.encode())] * 12
            more = {"RPCTL_CLIENT_SECRET": SECRET} if argv[1] != "login" else {}
            ended = desktop(*argv, "-o", output, "-v", stdin=SECRET, **more)

            assert (ended.status != 0) == (argv[1] != "status")
            assert SECRET not in shown(ended)


def test_a_bug_shows_no_secret(
    desktop: CommandLine, keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("rpctl.auth.service_token.read_token_answer", broken)

    ended = login(desktop, RPCTL_DEBUG="1")

    assert ended.status == 1
    assert "broken" in ended.err
    log = home / ".local/state/rpctl/rpctl.log"
    assert SECRET not in shown(ended) + log.read_text()
