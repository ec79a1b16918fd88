"""Which commands work over BonifiQ, which are refused by their names, and what an import there needs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

import pytest
import respx
from documented import URL
from documented_bonifiq import C1, RESULT, USED, envelope, refusal

from servers import Got, Server, answering, reply

REFUSED: Final = [
    "options list", "options show 1", "options delete 1 --yes", "program show", "program set --factor 2", "me balance",
    "me summary", "me redeem 1", "customer create C1", "customer create C1 --points 5 --reason x", "customer list",
    "customer delete C1 --confirm C1", "points explain C1", "points reverse C1 71 --reason x", "points summary",
    "points balance C1 --as-of 2026-01-01", "imports undo 1 --yes", "imports undo 1 --dry-run", "auth token",
    "auth token --customer", "auth login --customer --token-stdin", "auth login --employee --token-stdin",
    "auth logout --customer", "api GET /x --customer", "api GET /x --scope s",
]  # fmt: skip


@pytest.mark.parametrize("words", REFUSED)
def test_what_bonifiq_has_nothing_like_is_refused_by_name_before_anything_is_sent(
    bonifiq: Any, service: respx.MockRouter, words: str
) -> None:
    ended = bonifiq(*words.split(), "-o", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, ended.out, error["code"], len(service.calls)) == (6, "", "unsupported_operation", 0)
    assert " ".join(words.split()[: 1 if words.startswith("api") else 2]) in error["message"]
    assert error["hint"]


@pytest.mark.parametrize("words", ["options list", "program show", "customer list", "points summary"])
def test_a_ledger_that_is_named_does_all_of_it(bonifiq: Any, service: respx.MockRouter, words: str) -> None:
    bonifiq.ok("points", "add", "C1", "5", "--offline", "--ledger", "own.db", RPCTL_BACKEND="ledger")
    bonifiq.ok(*words.split(), "--offline", "--ledger", "own.db")
    assert len(service.calls) == 0


@pytest.mark.parametrize("backend", ["ledger", "emporix"])
def test_a_factor_is_refused_where_a_program_says_it(rpctl: Any, tmp_path: Path, backend: str) -> None:
    (tmp_path / "orders.csv").write_text("customer_id,order_value\nC1,5\n")
    rpctl.environ |= {"RPCTL_BACKEND": backend, "RPCTL_TENANT": "shop"}
    for words in (["points", "add", "C1", "--order-value", "5"], ["points", "import", "orders.csv"]):
        ended = rpctl(*words, "--factor", "2", "-o", "json")
        error = json.loads(ended.err.splitlines()[-1])["error"]
        assert (ended.status, error["code"]) == (6, "unsupported_operation")
        assert "--factor" in error["message"]


# -- who one is there --------------------------------------------------------------------------------------


@pytest.fixture
def shop(bonifiq: Any) -> Any:
    """The same by a profile, with the key yet to be stored."""
    for name in ("RPCTL_BACKEND", "RPCTL_URL", "RPCTL_CLIENT_ID", "RPCTL_CLIENT_SECRET"):
        del bonifiq.environ[name]
    bonifiq.environ["RPCTL_KEYRING"] = "off"
    bonifiq.ok("profile", "create", "loja", "--backend", "bonifiq", "--url", URL, "--client-id", "Api-T0ken")
    bonifiq.ok("profile", "use", "loja")
    return bonifiq


def test_a_profile_names_the_api_token_and_needs_no_tenant(shop: Any) -> None:
    made = json.loads(shop.ok("profile", "create", "two", "--backend", "bonifiq", "--client-id", "t", "-o", "json"))
    assert (made["url"], made["tenant"], made["clientId"]) == ("https://api.bonifiq.com.br", None, "t")
    ended = shop("profile", "create", "three", "--backend", "bonifiq")
    assert (ended.status, ended.err.splitlines()[0]) == (2, "error: --backend bonifiq needs --client-id.")
    named = shop("points", "balance", "C1", RPCTL_PROFILE="", RPCTL_BACKEND="bonifiq", RPCTL_CONFIG="/dev/null")
    assert (named.status, named.err.splitlines()) == (
        7,
        [
            "error: The backend bonifiq names no client id of https://api.bonifiq.com.br.",
            "hint: Set RPCTL_CLIENT_ID.",
        ],
    )


def test_the_key_is_stored_used_told_and_removed(shop: Any, service: respx.MockRouter) -> None:
    route = service.get(C1).respond(json=RESULT)
    missing = shop("points", "balance", "C1")
    assert (missing.status, len(route.calls)) == (4, 0)
    assert f"There is no client secret for client Api-T0ken at {URL.partition('//')[2]}." in missing.err

    ended = shop("auth", "login", "--secret-stdin", "--yes", "-o", "json", stdin="Api-k3y\n")
    document = json.loads(ended.out)
    assert (ended.status, document["verified"], document["tenant"]) == (0, False, None)
    assert "no token can be asked for: the first request shows whether the service accepts this" in ended.err

    assert shop.ok("points", "balance", "C1") == "20\n"
    assert route.calls[0].request.headers["Authorization"] == "Basic QXBpLVQwa2VuOkFwaS1rM3k="
    status = json.loads(shop.ok("auth", "status", "-o", "json"))
    assert [one["credential"] for one in status["credentials"]] == ["client secret"]
    removed = json.loads(shop.ok("auth", "logout", "-o", "json"))
    assert [(one["credential"], one["state"]) for one in removed["credentials"]] == [("client secret", "removed")]
    assert shop("points", "balance", "C1").status == 4
    assert "Api-k3y" not in ended.out + ended.err + missing.err


def test_a_client_id_that_would_end_in_its_middle_is_refused(bonifiq: Any, service: respx.MockRouter) -> None:
    ended = bonifiq("points", "balance", "C1", RPCTL_CLIENT_ID="token:key")
    assert (ended.status, len(service.calls)) == (7, 0)
    assert "has a colon in it" in ended.err


def test_the_doctor_asks_the_service_nothing_that_is_not_documented(bonifiq: Any, service: respx.MockRouter) -> None:
    service.post(C1).side_effect = [respx.MockResponse(json=envelope()), respx.MockResponse(json=USED)]
    bonifiq.ok("points", "add", "C1", "5", "--reason", "x", "-q")
    before = len(service.calls)
    checks = json.loads(bonifiq.ok("doctor", "-o", "json"))["checks"]
    told = {one["check"]: (one["status"], one["message"]) for one in checks}
    assert told["profile"] == ("ok", f"no profile: client Api-T0ken at {URL}")
    assert told["credentials"] == ("ok", "client secret from RPCTL_CLIENT_SECRET")
    assert told["keys"] == (
        "ok",
        "the service counts each key once, and answers a used one with 17 ChangeKeyAlreadyUsed",
    )
    assert told["service"][0] == "ok"
    assert {"token", "tenant", "clock", "markers"} & told.keys() == set()
    assert len(service.calls) == before


def test_a_raw_call_carries_the_credentials_and_ends_as_the_answer_says(
    bonifiq: Any, service: respx.MockRouter
) -> None:
    service.get(C1).respond(json=RESULT)
    assert json.loads(bonifiq.ok("api", "GET", C1)) == RESULT
    assert service.calls[0].request.headers["Authorization"].startswith("Basic ")
    body = refusal("03", "CustomerNotFound", "No")
    service.post(C1).respond(json=body)
    Path("body.json").write_text('{"Points": 5}')
    ended = bonifiq("api", "POST", C1, "--input", "body.json")
    assert (ended.status, json.loads(ended.out)) == (6, body)
    assert "CustomerNotFound (03): No." in ended.err
    service.post(C1).respond(502)
    assert bonifiq("api", "POST", C1, "--input", "body.json").status == 8
    service.post(C1).respond(401, json={"Message": "Who?"})
    assert bonifiq("api", "POST", C1, "--input", "body.json").status == 4


# -- imports -----------------------------------------------------------------------------------------------


class Books:
    """BonifiQ in a few lines: balances, and keys that count once."""

    def __init__(self) -> None:
        self.changes: dict[str, dict[str, Any]] = {}
        self.balances: dict[str, int] = {}
        self.is_closed = False

    def answer(self, got: Got) -> bytes:
        customer = unquote(got.target.split("/")[4])
        if got.method == "GET":
            there = customer in self.balances
            return reply(200, {"CustomerExists": there, "PointsBalance": self.balances.get(customer, 0)})
        if self.is_closed:
            return reply(401)
        body = json.loads(got.body)
        if body["ChangeKey"] in self.changes:
            return reply(200, USED)
        points = self.balances.get(customer, 0) + body["Points"]
        if points < 0:
            return reply(200, refusal("05", "NotEnough", "Not enough"))
        self.changes[body["ChangeKey"]] = body
        self.balances[customer] = points
        return reply(200, envelope({"PointsBalance": points}))


@pytest.fixture
def books(bonifiq: Any) -> Iterator[Books]:
    """The service on a real socket."""
    made = Books()
    with (
        Server(answering(made.answer)) as server,
        respx.mock(assert_all_mocked=False, assert_all_called=False) as router,
    ):
        router.route(host="127.0.0.1").pass_through()
        bonifiq.environ |= {"RPCTL_URL": server.url, "RPCTL_TIMEOUT_S": "20"}
        yield made


FILES: Final[dict[str, tuple[str, str, int, str]]] = {
    "no reason": ("customer_id,points\nC1,5\n", "", 7, "without a reason, and the file has no column for it"),
    "references": ("customer_id,points,reference_id\nC1,5,r\n", "--set reason=x", 7, "the column reference_id would"),
    "a reference": ("customer_id,points\nC1,5\n", "--set reason=x --set reference_id=r", 7, "--set reference_id=..."),
    "dates": ("customer_id,points,created_at\nC1,5,2026-01-01\n", "--set reason=x", 7, "the column created_at would"),
    "ends": ("customer_id,points,expirydate\nC1,5,2027-01-01\n", "--set reason=x", 7, "the column expirydate would"),
    "sites": ("customer_id,points,site_code\nC1,5,main\n", "--set reason=x", 7, "the column site_code would"),
    "a site": ("customer_id,points\nC1,5\n", "--set reason=x --site main", 6, "`rpctl points import --site`"),
    "order values": ("customer_id,order_value\nC1,5\n", "--set reason=x", 7, "no program that says"),
}


@pytest.mark.parametrize("file", FILES)
def test_an_import_is_asked_first_whether_the_service_keeps_what_it_says(
    bonifiq: Any, service: respx.MockRouter, tmp_path: Path, file: str
) -> None:
    content, options, status, message = FILES[file]
    (tmp_path / "changes.csv").write_text(content)
    ended = bonifiq("points", "import", "changes.csv", *options.split())
    assert (ended.status, ended.out, len(service.calls)) == (status, "", 0), ended.err
    assert message in ended.err.splitlines()[-2]
    assert ended.err.splitlines()[-1].startswith("hint: ")
    assert bonifiq.ok("imports", "list", "-o", "json") == "[]\n"


def test_an_import_books_each_row_once_with_its_reason(bonifiq: Any, books: Books, tmp_path: Path) -> None:
    rows = ["ana@x.br,5,one,", "ana@x.br,-3,two,Obrigada", "c+1/2,7,,", "c+1/2,9,three,<b>"]
    (tmp_path / "changes.csv").write_text("\n".join(["customer_id,points,reason,description", *rows, ""]))
    ended = bonifiq("points", "import", "changes.csv", "-o", "json")
    report = json.loads(ended.out)
    assert (ended.status, report["applied"], report["refused"]) == (3, 2, 2), ended.err
    assert books.balances == {"ana@x.br": 2}
    sent = [(body["Points"], body["Reason"], body["CustomerReason"]) for body in books.changes.values()]
    assert sent == [(5, "one", None), (-3, "two", "Obrigada")]
    rejected = (tmp_path / "changes.rejected.csv").read_text()
    assert "BonifiQ takes no change of points without a reason." in rejected
    assert "strips HTML tags" in rejected


def test_a_run_that_goes_on_keeps_its_factor(bonifiq: Any, books: Books, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("customer_id,order_value,Order\nC1,15.50,r1\nC2,20,r2\nC3,5,\n")
    books.is_closed = True
    options = ("--set", "reason=orders", "--map", "reference_id=Order", "--key-from", "reference_id", "--factor", "0.5")
    assert bonifiq("points", "import", "orders.csv", *options).status == 4
    (run,) = json.loads(bonifiq.ok("imports", "list", "-o", "json"))
    assert (run["state"], books.changes) == ("unfinished", {})
    books.is_closed = False
    ended = bonifiq("imports", "resume", run["run"], "-o", "json")
    report = json.loads(ended.out)
    assert (ended.status, report["applied"], report["refused"], books.balances) == (3, 2, 1, {"C1": 7, "C2": 10})


def test_order_values_take_the_factor_that_was_typed(bonifiq: Any, books: Books, tmp_path: Path) -> None:
    """References tell the rows apart and are not sent."""
    (tmp_path / "orders.csv").write_text("customer_id,order_value,reference_id\nC1,15.50,r1\nC2,20,r2\nC3,1,r3\n")
    options = ("--set", "reason=orders", "--key-from", "reference_id", "--factor", "0.5")
    report = json.loads(bonifiq.ok("points", "import", "orders.csv", *options, "-o", "json"))
    assert (report["applied"], report["skipped"], report["pointsAdded"]) == (2, 1, 17)
    assert books.balances == {"C1": 7, "C2": 10}

    (tmp_path / "grown.csv").write_text((tmp_path / "orders.csv").read_text() + "C4,8,r4\n")
    report = json.loads(bonifiq.ok("points", "import", "grown.csv", *options, "-o", "json"))
    assert (report["applied"], report["alreadyApplied"]) == (1, 2)

    ended = bonifiq("points", "import", "grown.csv", *options[:-1], "0.6", "-o", "json")
    assert (ended.status, json.loads(ended.out)["refused"], books.balances["C4"]) == (3, 3, 4)
    rejects = (tmp_path / "grown.rejected.csv").read_text().splitlines()
    assert "--factor 0.6" in rejects[0]
    assert all("key_reused" in line for line in rejects[1:])


def test_a_dry_run_checks_balances_and_changes_nothing(bonifiq: Any, books: Books, tmp_path: Path) -> None:
    books.balances["C1"] = 4
    (tmp_path / "changes.csv").write_text("customer_id,points\nC1,-3\nC1,-3\n")
    ended = bonifiq("points", "import", "changes.csv", "--set", "reason=x", "--dry-run", "-o", "json")
    report = json.loads(ended.out)
    assert (ended.status, report["applied"], report["refused"]) == (3, 1, 1), ended.err
    assert (books.balances, books.changes) == ({"C1": 4}, {})


def test_runs_are_listed_shown_gone_on_with_and_forgotten(bonifiq: Any, books: Books, tmp_path: Path) -> None:
    (tmp_path / "changes.csv").write_text("customer_id,points\nC1,5\n")
    run = json.loads(bonifiq.ok("points", "import", "changes.csv", "--set", "reason=x", "-o", "json"))["run"]
    assert [one["run"] for one in json.loads(bonifiq.ok("imports", "list", "-o", "json"))] == [run]
    rows = json.loads(bonifiq.ok("imports", "show", run, "--rows", "-o", "json"))
    assert [(row["state"], row["points"]) for row in rows] == [("applied", 5)]
    assert "has finished" in bonifiq("imports", "resume", run).err
    assert len(json.loads(bonifiq.ok("imports", "prune", "--older-than", "0d", "--yes", "-o", "json"))["runs"]) == 1


def test_a_strict_run_that_is_overtaken_offers_no_undo(bonifiq: Any, books: Books, tmp_path: Path) -> None:
    books.balances |= {"C1": 10, "C2": 10}
    seen = books.answer

    def overtaken(got: Got) -> bytes:
        if got.method == "POST":
            books.balances["C2"] = 0
        return seen(got)

    (tmp_path / "changes.csv").write_text("customer_id,points\nC1,-3\nC2,-3\n")
    with Server(answering(overtaken)) as server:
        ended = bonifiq(
            "points", "import", "changes.csv", "--set", "reason=x", "--strict", "--concurrency", "1",
            RPCTL_URL=server.url,
        )  # fmt: skip
    assert ended.status == 3, ended.err
    assert "--strict was not kept" in ended.err
    assert "imports undo" not in ended.err
