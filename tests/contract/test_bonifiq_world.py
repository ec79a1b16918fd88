"""One history on the ledger and on BonifiQ through the sandbox: what BonifiQ documents answers the same, less what it
does not tell; every other command is refused by name, and nothing is sent.

A step is the same line in both worlds, but for ``--factor``: on the ledger the program says it.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from itertools import starmap
from pathlib import Path
from typing import Any, Final

import jsonschema_rs
import pytest
import yaml
from worlds import MARCH, Step, World, play

from sandbox_client import Running, running

DOCUMENTED: Final = Path(__file__).with_name("openapi-emporix.yaml")
FACTOR: Final = "0.1"
WHY: Final = ("--reason", "why")

UNTOLD: Final = {
    "addedPointsList": {"reference-id", "allPointsAfterCreation", "usedPoints", "usedWith"},
    "redeemedPointsList": {"allPointsAfterCreation"},
}
"""What BonifiQ's history does not tell of an entry."""

UNTOLD_OF_A_CHANGE: Final = {"id", "reference-id", "createdAt", "usedPoints", "usedWith"}
"""What the answer to a change does not tell of it."""

UNTOLD_OF_A_REPEATED_ONE: Final = UNTOLD_OF_A_CHANGE | {"allPointsAfterCreation"}
"""A used key is refused, with nothing told of the change that has it."""


@pytest.fixture
def service() -> Iterator[Running]:
    with running(backend="bonifiq", token_lifetime_s=10**9) as one:
        yield one


@pytest.fixture
def ledger_world(command_line: Callable[..., Any]) -> World:
    line = command_line("ledger")
    line.ok("program", "set", "--factor", FACTOR)

    def at(now: int) -> None:
        line.now = now

    return World("ledger", line, at)


@pytest.fixture
def bonifiq_world(service: Running, command_line: Callable[..., Any]) -> World:
    line = command_line("bonifiq", **service.environ)

    def at(now: int) -> None:
        line.now = service.now = now

    return World("bonifiq", line, at)


# -- histories --------------------------------------------------------------------------------------------

POINTS: Final[list[Step]] = [
    ("points", "balance", "C1"),
    ("points", "summary", "C1"),
    ("points", "history", "C1"),
    ("customer", "show", "C1"),
    ("points", "add", "C1", "5", *WHY, "--existing"),
    ("points", "redeem", "C1", "5", *WHY),
    ("points", "add", "C1", "209", "--reason", "first order", "--description", "Thank you", "--key", "k1"),
    ("points", "add", "C1", "209", "--reason", "second", "--description", "Thank you"),
    ("points", "add", "C1", "209", "--reason", "first order", "--description", "Thank you", "--key", "k1"),
    ("points", "add", "C1", "210", "--reason", "first order", "--description", "Thank you", "--key", "k1"),
    ("points", "add", "C1", "209", "--reason", "first order", "--description", "Other", "--key", "k1"),
    ("points", "redeem", "C1", "209", "--reason", "first order", "--description", "Thank you", "--key", "k1"),
    ("points", "add", "C2", "209", "--reason", "first order", "--description", "Thank you", "--key", "k1"),
    ("points", "balance", "C2"),
    ("points", "balance", "C1"),
    ("points", "redeem", "C1", "300", *WHY, "--description", "at the till", "--key", "r1"),
    ("points", "redeem", "C1", "300", *WHY, "--description", "at the till", "--key", "r1"),
    ("points", "redeem", "C1", "301", *WHY, "--description", "at the till", "--key", "r1"),
    ("points", "redeem", "C1", "500", *WHY, "--description", "too much"),
    ("points", "redeem", "C1", "500", *WHY, "--description", "too much", "--key", "r2"),
    ("points", "redeem", "C1", "500", *WHY, "--description", "too much", "--key", "r2"),
    ("points", "redeem", "nobody", "5", *WHY),
    ("points", "balance", "nobody"),
    ("points", "add", "C1", "500", *WHY, "--existing"),
    ("points", "redeem", "C1", "500", *WHY, "--description", "too much", "--key", "r2"),
    ("points", "redeem", "C1", "100", *WHY),
    ("points", "summary", "C1"),
    ("customer", "show", "C1"),
    ("points", "history", "C1"),
    ("points", "history", "C1", "--type", "redeemed"),
    ("points", "history", "C1", "--since", "2026-03-01T12:07:00Z", "--until", "2026-03-01T12:16:00Z"),
    ("points", "redeem", "C1", "18", *WHY),
    ("points", "balance", "C1"),
    ("points", "redeem", "C1", "1", *WHY),
    ("points", "add", "C1", "0", *WHY),
    ("points", "add", "C1", "1.5", *WHY),
    ("points", "add", "C1", "2147483648", *WHY),
    ("points", "add", "C1", "5", *WHY, "--key", "a\tb"),
    ("points", "add", "C3", "2147483647", *WHY),
    ("points", "summary", "C3"),
]
ODD: Final = (
    "ana+loja@example.com.br", "äö/ü?#% ..", "../x", "0042", "a%2Fb", "x" * 200, "日本",
    "a;b=c&d", "a\nb", "",
)  # fmt: skip
IDS: Final[list[Step]] = [
    step
    for odd in ODD
    for step in (
        ("points", "balance", odd),
        ("points", "add", odd, "7", *WHY),
        ("points", "redeem", odd, "3", *WHY),
        ("points", "summary", odd),
    )
]
ORDERS: Final[list[Step]] = [
    ("points", "add", "C1", "--order-value", value, *WHY, "--factor", FACTOR, *key)
    for value, *key in (
        ("29.99",), ("9.99",), ("10", "--key", "o1"), ("10", "--key", "o1"), ("20", "--key", "o1"), ("0",), ("-3",),
        ("1e3",), ("21474836480",),
    )
]  # fmt: skip
ORDERS += [("points", "add", "C1", "5", "--order-value", "3", *WHY), ("points", "summary", "C1")]
HISTORIES: Final = {"points": POINTS, "ids": IDS, "orders": ORDERS}
DONE: Final = {"points": 19, "ids": 24, "orders": 4}
"""How many of the steps go well: what the worlds agree on is no row of refusals."""


def on_the_ledger(step: Step) -> Step:
    """The step where the program says the factor."""
    at = step.index("--factor") if "--factor" in step else len(step)
    return step[:at] + step[at + 2 :]


def less(document: dict[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name not in names}


def as_bonifiq_tells(step: Step, answer: tuple[int, Any, Any], used: set[str]) -> tuple[int, Any, Any]:
    """The ledger's answer to a step, less what BonifiQ does not tell; ``used``: the keys of changes before it."""
    status, document, error = answer
    if status != 0 or not isinstance(document, dict):
        return answer
    if step[1] in ("add", "redeem"):
        document = less(document, UNTOLD_OF_A_REPEATED_ONE if used.intersection(step) else UNTOLD_OF_A_CHANGE)
        if "--description" not in step:
            document["description"] = ""  # the service has words of its own, and tells them in its history alone
    elif "summary" in document:
        told = {name: [less(one, UNTOLD[name]) for one in entries] for name, entries in document["summary"].items()}
        document = {**document, "summary": told}
    return status, document, error


def ranked(answer: tuple[int, Any, Any]) -> tuple[int, Any, Any]:
    """The answer with the ids in it by their order: each world has its own."""
    found: set[int] = set()

    def each(value: Any, change: Callable[[int], Any]) -> Any:
        if isinstance(value, list):
            return [each(one, change) for one in value]
        if not isinstance(value, dict):
            return value
        return {
            name: change(int(one.removeprefix("id-"))) if name == "id" else each(one, change)
            for name, one in value.items()
        }

    each(answer[1], found.add)
    return answer[0], each(answer[1], sorted(found).index), answer[2]


@pytest.mark.parametrize("history", HISTORIES)
def test_both_worlds_answer_the_same_less_what_is_not_told(
    ledger_world: World, bonifiq_world: World, history: str
) -> None:
    steps = HISTORIES[history]
    here, there = play(ledger_world, [on_the_ledger(step) for step in steps]), play(bonifiq_world, steps)

    used: set[str] = set()
    for step, ours, theirs in zip(steps, here, there, strict=True):
        assert ranked(theirs) == ranked(as_bonifiq_tells(step, ours, used)), " ".join(step)
        if "--key" in step and theirs[0] == 0:
            used.add(step[step.index("--key") + 1])
    assert sum(status == 0 for status, _, _ in there) == DONE[history]


def test_points_that_end_end_in_both_worlds(ledger_world: World, bonifiq_world: World, service: Running) -> None:
    """BonifiQ's own program says how long points live: here by the sandbox's other API."""
    ledger_world.rpctl.ok("program", "set", "--validity-months", "1")
    site = f"/site/{service.tenant}/sites/main/mixins/couponSettings"
    program = {"rewardpoints": {"validityInMonths": 1}}
    assert service.send("PUT", site, program, token=service.token("employee")).status in (201, 204)
    steps = [("points", "add", "C1", "70", *WHY), ("points", "redeem", "C1", "20", *WHY), ("points", "summary", "C1")]
    here, there = play(ledger_world, steps), play(bonifiq_world, steps)
    (lot,) = there[2][1]["summary"]["addedPointsList"]
    assert lot["validUntil"] == "2026-04-01T12:00:00.000Z"
    assert ranked(there[2]) == ranked(as_bonifiq_tells(steps[2], here[2], set()))

    told = []
    for world in (ledger_world, bonifiq_world):
        world.at(MARCH + 40 * 86_400_000)
        history = json.loads(world.rpctl.ok("points", "history", "C1", "-o", "json"))
        told.append((history["activePoints"], [(one["type"], one["points"]) for one in history["history"]]))
    assert told[0] == (0, [("added", 70), ("redeemed", -20), ("expired", -50)])
    assert told[1] == (0, [("added", 70), ("redeemed", -20), ("unexplained", -50)])


# -- the documented shape ---------------------------------------------------------------------------------


def test_a_summary_has_the_documented_shape_but_for_what_is_not_told(bonifiq_world: World) -> None:
    """Names and nesting are Emporix's: a name that is not documented, or one that BonifiQ cannot know, is an error."""
    for words in (("add", "70", "--description", "Olá"), ("add", "5"), ("redeem", "20"), ("redeem", "1")):
        bonifiq_world.rpctl.ok("points", words[0], "C1", *words[1:], *WHY)
    summary = json.loads(bonifiq_world.rpctl.ok("points", "summary", "C1", "-o", "json"))
    components = yaml.safe_load(DOCUMENTED.read_text())["components"]
    whole = jsonschema_rs.validator_for({**components["schemas"]["summary"], "components": components})
    missing = {f'"{name}" is a required property' for names in UNTOLD.values() for name in names}
    assert {error.message for error in whole.iter_errors(summary)} == missing

    for schema, names in zip(("addedPoints", "redeemedPoints"), UNTOLD.values(), strict=True):
        entry = components["schemas"][schema]
        entry["required"] = [name for name in entry["required"] if name not in names]
        entry["properties"] = less(entry["properties"], names)
    told = jsonschema_rs.validator_for({**components["schemas"]["summary"], "components": components})
    assert [error.message for error in told.iter_errors(summary)] == []
    assert [len(entries) for entries in summary["summary"].values()] == [2, 2]


# -- imports ----------------------------------------------------------------------------------------------

ROWS: Final = (
    "ana@x.br,20,,one", "ana@x.br,-25,,", "ana@x.br,-5,,two", "ana@x.br,-5,,two", "nobody,-1,,", "new,x,,", "new,0,,",
    "new,2147483648,,", "1.2E+11,5,,", "new,,,", "new,5.0,,three", "new,-5,,", "new,,9.99,", "new,,125.5,four",
    "a/b?,3,,five", "new,-13,,",
)  # fmt: skip
NOT_COMPARED: Final = {"run", "durationS", "rowsPerS", "rejectsFile"}
IMPORT: Final = ("points", "import", "rows.csv", "--set", "reason=why", "-o", "json")


def imported(world: World, *options: str) -> tuple[int, dict[str, Any], list[dict[str, str]]]:
    """Status, report, and what was rejected, less the options that the file of rejects carries for itself."""
    factor = () if world.name == "ledger" else ("--factor", FACTOR)
    rejects = Path(f"{world.name}-{len(list(Path.cwd().iterdir()))}.csv")
    ended = world.rpctl(*IMPORT, *factor, *options, "--rejects", str(rejects))
    with rejects.open(newline="") as file:
        rejected = [less(row, {f"options: --factor {FACTOR}"}) for row in csv.DictReader(file)]
    return ended.status, less(json.loads(ended.out), NOT_COMPARED), rejected


def test_an_import_comes_to_the_same_in_both_worlds(
    ledger_world: World, bonifiq_world: World, service: Running
) -> None:
    Path("rows.csv").write_text("\n".join(["customer_id,points,order_value,description", *ROWS]) + "\n")
    for world in (ledger_world, bonifiq_world):
        world.at(MARCH)
    ways = [("--dry-run",), ("--strict",), (), ()]
    here = list(starmap(imported, ((ledger_world, *way) for way in ways)))
    tried = imported(bonifiq_world, "--dry-run")
    strict = imported(bonifiq_world, "--strict")
    changes = [line for line in service.log if line.startswith("POST")]
    there = [tried, strict, imported(bonifiq_world), imported(bonifiq_world)]

    assert there == here
    assert changes == []
    (_, report, rejected), (_, again, _) = there[2:]
    assert (report["applied"], report["skipped"], report["refused"]) == (7, 1, 8)
    assert (again["applied"], again["alreadyApplied"], again["refused"]) == (0, 7, 8)
    assert (tried[0], less(tried[1], {"dryRun"}), tried[2]) == (3, less(report, {"dryRun"}), rejected)
    for customer in ("ana@x.br", "new", "a/b?", "nobody"):
        asked = [play(world, [("points", "balance", customer)]) for world in (ledger_world, bonifiq_world)]
        assert asked[0] == asked[1]


# -- every command ----------------------------------------------------------------------------------------

REFUSED: Final = "refused"
ASKS: Final = "asks"
ALONE: Final = "alone"
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "points add": (ASKS, "C1 5 --reason x"),
    "points redeem": (ASKS, "C1 1 --reason x"),
    "points balance": (ASKS, "C1"),
    "points summary": (ASKS, "C1"),
    "points history": (ASKS, "C1"),
    "points explain": (REFUSED, "C1"),
    "points reverse": (REFUSED, "C1 1 --reason x"),
    "points import": (ASKS, "rows.csv --set reason=x"),
    "customer create": (REFUSED, "C9"),
    "customer show": (ASKS, "C1"),
    "customer list": (REFUSED, ""),
    "customer delete": (REFUSED, "C1 --confirm C1"),
    "me balance": (REFUSED, ""),
    "me summary": (REFUSED, ""),
    "me redeem": (REFUSED, "1"),
    "options list": (REFUSED, ""),
    "options show": (REFUSED, "1"),
    "options create": (REFUSED, "--name ten --points 40 --percent 10"),
    "options update": (REFUSED, "1 --points 3"),
    "options delete": (REFUSED, "1 --yes"),
    "program show": (REFUSED, ""),
    "program set": (REFUSED, "--factor 2"),
    "imports list": (ALONE, ""),
    "imports show": (ALONE, "$RUN --rows"),
    "imports resume": (ALONE, "$RUN"),
    "imports undo": (REFUSED, "$RUN --yes"),
    "imports prune": (ALONE, "--yes"),
    "sync status": (ALONE, ""),
    "sync push": (ALONE, ""),
    "sync pull": (ASKS, "C1"),
    "ledger info": (ALONE, "--offline"),
    "ledger verify": (ALONE, "--offline"),
    "ledger backup": (ALONE, "backup.db --offline"),
    "ledger export": (ALONE, "--offline"),
    "ledger restore": (ALONE, "backup.db --yes --offline --ledger own.db"),
    "auth login": (ALONE, "--secret-file secret --yes"),
    "auth status": (ALONE, ""),
    "auth logout": (ALONE, ""),
    "auth token": (REFUSED, ""),
    "profile create": (ALONE, "loja --backend bonifiq --client-id t"),
    "profile list": (ALONE, ""),
    "profile show": (ALONE, "loja"),
    "profile use": (ALONE, "loja"),
    "profile delete": (ALONE, "loja --yes"),
    "config show": (ALONE, ""),
    "config path": (ALONE, ""),
    "doctor": (ALONE, ""),
    "api": (ASKS, "GET /v1/pvt/Customer/C1/points"),
    "help": (ALONE, ""),
    "commands": (ALONE, ""),
    "completion": (ALONE, "bash"),
}
"""Every command, what it does over BonifiQ (it asks the service, does its work alone, or is refused), and what it is
given."""

NOT_RUN: Final = {"sandbox"}
"""It serves until it is stopped."""


def test_every_command_asks_the_service_or_needs_none_or_is_refused_by_name(
    bonifiq_world: World, service: Running
) -> None:
    line = bonifiq_world.rpctl
    Path("rows.csv").write_text("customer_id,points\nC1,5\n")
    Path("secret").write_text(service.exports["RPCTL_CLIENT_SECRET"])
    Path("secret").chmod(0o600)
    line.ok("points", "add", "C1", "5", "--reason", "x")  # what a used key is answered is learned
    line.ok("points", "add", "C1", "5", "--offline", RPCTL_BACKEND="ledger")
    there = {one["path"] for one in json.loads(line.ok("commands", "-o", "json"))["commands"]}
    assert there - NOT_RUN == COMMANDS.keys()

    run, met = "", {}
    for path, (what, given) in COMMANDS.items():
        before = len(service.log)
        ended = line(*path.split(), *given.replace("$RUN", run).split(), "-o", "json")
        asked = len(service.log) - before
        if path == "points import":
            run = json.loads(ended.out)["run"]
        met[path] = (ALONE if asked == 0 else ASKS, given) if ended.status == 0 else (str(ended), given)
        if what == REFUSED:
            assert (ended.status, ended.out, asked) == (6, "", 0), path
            error = json.loads(ended.err.splitlines()[-1])["error"]
            assert error["code"] == "unsupported_operation"
            assert f"`rpctl {path}` cannot be done: BonifiQ " in error["message"]
            assert error["hint"]
            met[path] = (REFUSED, given)
    assert met == COMMANDS
