"""Files of changes without a line: recorded once, pushed once, and known again whichever way they come."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from tills import Till

COUNTS = ("rows", "applied", "alreadyApplied", "refused", "pointsAdded", "pointsRedeemed")


def counts(report: dict[str, int]) -> list[int]:
    return [report[name] for name in COUNTS]


def test_a_file_is_recorded_once_and_its_bad_rows_are_told(till: Till) -> None:
    till.shop.add("imp", 50)
    till.ok("sync", "pull", "-q")
    file = till.file("imp,-30 imp,-30 imp,x imp2,5 imp,-20 stranger,-1")
    words = ("points", "import", file, "--offline", "--rejects")
    requests = till.requests
    tried = till.document(*words, "tried.csv", "--dry-run", status=3)
    assert till.states() == {}
    first = till.document(*words, "first.csv", status=3)
    second = till.document(*words, "second.csv", status=3)

    assert counts(first) == counts(tried) == [6, 3, 0, 3, 5, 50]
    assert counts(second) == [6, 0, 3, 3, 0, 0]
    assert Path("tried.csv").read_text() == Path("first.csv").read_text()
    refused = [(row["line"], row["error_code"]) for row in csv.DictReader(Path("second.csv").read_text().splitlines())]
    assert refused == [("3", "insufficient_points"), ("4", "invalid_value"), ("7", "customer_not_found")]
    assert (till.requests, list(till.states().values())) == (requests, ["waiting"] * 3)
    assert (till.balance("imp"), till.balance("imp2")) == (0, 5)
    done = till.document("sync", "push")
    assert [done[name] for name in ("sent", "pointsAdded", "pointsRedeemed")] == [3, 5, 50]
    assert (till.truth("imp"), till.truth("imp2")) == (0, 5)


def test_a_run_is_listed_and_shown_without_a_line(till: Till) -> None:
    file = till.file("lst,5 lst,-2")
    report = till.document("points", "import", file, "--offline")
    assert json.loads(till.ok("imports", "list", "-o", "json")) == []  # those that were sent at once are others
    (listed,) = json.loads(till.ok("imports", "list", "--offline", "-o", "json"))
    shown = till.document("imports", "show", report["run"], "--offline")

    assert (listed["run"], listed["state"], listed["rows"], listed["applied"]) == (report["run"], "finished", 2, 2)
    assert (shown["run"], shown["applied"]) == (report["run"], 2)
    assert {one["importRun"] for one in till.document("sync", "status")["changes"]} == {report["run"]}
    assert till.error("imports", "undo", report["run"], "--yes", "--offline")["code"] == "unsupported_operation"
    assert till.document("sync", "push")["sent"] == 2


def test_a_stopped_import_goes_on_and_counts_each_row_once(till: Till) -> None:
    Path("rows.csv").write_text("customer_id,points,key\nres,5,res-1\nres,x,res-2\nres,7,res-3\n")
    words = ("points", "import", "rows.csv", "--offline", "--rejects", "one.csv", "--max-errors", "1")
    stopped = till.document(*words, status=3)
    recorded = len(till.states())
    resumed = till("imports", "resume", stopped["run"], "--offline", "--max-errors", "9", "--rejects", "two.csv", "-q")

    assert (recorded < 2, resumed.status) == (True, 3)
    assert till.states() == {"res-1": "waiting", "res-3": "waiting"}
    again = till.document("points", "import", "rows.csv", "--offline", "--rejects", "three.csv", status=3)
    assert counts(again) == [3, 0, 2, 1, 0, 0]
    assert till.document("sync", "push")["sent"] == 2
    assert (till.truth("res"), till.entries("res")) == (12, 2)


@pytest.mark.parametrize("pushed", [True, False])
def test_the_same_file_with_and_without_a_line_counts_once(till: Till, pushed: bool) -> None:
    name = f"both{pushed}"
    file = till.file(f"{name},5 {name},6 {name},-3")
    till.document("points", "import", file, "--offline")
    if pushed:
        assert till.document("sync", "push")["sent"] == 3
    online = till.document("points", "import", file)
    done = till.document("sync", "push")

    assert online["applied"] + online["alreadyApplied"] == 3
    assert (online["alreadyApplied"], done["sent"], done["alreadySent"]) == ((3, 0, 0) if pushed else (0, 0, 3))
    assert (till.truth(name), till.entries(name), till.balance(name)) == (8, 3, 8)
    assert counts(till.document("points", "import", file, "--offline")) == [3, 0, 3, 0, 0, 0]
    assert till.states() == {}


def test_what_was_sent_at_once_is_not_recorded_again(till: Till) -> None:
    file = till.file("first,5 first,6")
    till.document("points", "import", file)
    report = till.document("points", "import", file, "--offline")

    assert (counts(report), till.states()) == ([2, 0, 2, 0, 0, 0], {})
    assert till.document("sync", "push")["sent"] == 0
    assert till.truth("first") == 11


def test_what_another_machine_sent_with_the_same_key_counts_once(till: Till, office: Till) -> None:
    till.add("pair", 5, "pair-1", "--reference", "order-9")
    office.ok("points", "add", "pair", "5", "--reference", "order-9", "--key", "pair-1", "-q")
    till.ok("sync", "pull", "-q")
    assert (till.balance("pair"), till.states()) == (5, {"pair-1": "waiting"})
    done = till.document("sync", "push")

    assert [done[name] for name in ("waiting", "sent", "alreadySent")] == [1, 0, 1]
    assert (till.truth("pair"), till.entries("pair"), till.balance("pair")) == (5, 1, 5)


def test_a_key_that_stands_for_something_else_by_now_is_a_conflict(till: Till, office: Till) -> None:
    till.add("used", 5, "used-1")
    office.ok("points", "add", "used", "6", "--key", "used-1", "-q")
    (conflict,) = till.document("sync", "push", status=3)["conflictList"]

    assert (conflict["key"], conflict["code"], till.truth("used")) == ("used-1", "key_reused", 6)


def test_one_key_is_one_change_without_a_line(till: Till) -> None:
    till.add("key", 5, "key-1")
    again = till("points", "add", "key", "5", "--key", "key-1", "--offline")
    assert (again.status, again.err.splitlines()[-1]) == (
        0, "note: key key-1 is recorded already, and waits to be sent; nothing changed"
    )  # fmt: skip
    assert till.error("points", "add", "key", "6", "--key", "key-1", "--offline")["code"] == "key_reused"
    till.ok("sync", "push", "-q")
    for where in ((), ("--offline",)):
        repeated = till("points", "add", "key", "5", "--key", "key-1", *where)
        assert (repeated.status, repeated.err.splitlines()[-1]) == (0, "note: key key-1 is in already; nothing changed")
    assert (till.truth("key"), till.entries("key"), till.balance("key")) == (5, 1, 5)


def test_all_or_nothing_holds_without_a_line(till: Till) -> None:
    file = till.file("strict,5 strict,-9")
    till.document("points", "import", file, "--offline", "--strict", "--rejects", "r.csv", status=3)

    assert till.states() == {}
    assert till.error("points", "balance", "strict", "--offline")["code"] == "customer_not_found"


def test_what_is_typed_for_a_service_means_nothing_without_a_line(till: Till) -> None:
    file = till.file("speed,5")
    for option in ("--concurrency", "--rate"):
        assert till.error("points", "import", file, "--offline", option, "4")["exitStatus"] in (2, 6)
    assert till.states() == {}
