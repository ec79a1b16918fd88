"""Data that lasts: what stands beside a ledger file, and what a new data set begins with."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from rpctl.errors import InvalidFile, InvalidValue, LedgerBusy, LedgerUnusable, RpctlError
from rpctl.sandbox.assembly import Wishes
from sandbox_client import Running, running


def beside(ledger: Path) -> Path:
    """What stands beside a ledger."""
    return ledger.with_name(ledger.name + "-sandbox")


def test_a_ledger_file_is_kept_with_ids_mixins_and_whose_it_is(tmp_path: Path) -> None:
    ledger = tmp_path / "data" / "trial.db"
    with running(ledger=ledger) as api:
        api.add("C1", 5, id="mine", description="")
        api.redeem("C1", 2, id="taken")
        api.send("PUT", f"/site/{api.tenant}/sites/main/mixins/couponSettings", {"foreign": {"kept": True}})
        before = {**api.exports, "summary": api.summary("C1")}
    with running(ledger=ledger) as api:
        after = {**api.exports, "summary": api.summary("C1")}
        mixin = api.send("GET", f"/site/{api.tenant}/sites/main/mixins/couponSettings").json

    own = ("RPCTL_URL", "RPCTL_CUSTOMER_TOKEN")
    assert {k: v for k, v in before.items() if k not in own} == {k: v for k, v in after.items() if k not in own}
    assert before["RPCTL_CUSTOMER_TOKEN"] != after["RPCTL_CUSTOMER_TOKEN"]
    assert after["summary"]["summary"]["addedPointsList"][0]["id"] == "mine"
    assert after["summary"]["summary"]["addedPointsList"][0]["description"] == ""
    assert mixin == {"foreign": {"kept": True}}


def test_what_stands_beside_a_ledger_is_its_owner_s_alone(tmp_path: Path) -> None:
    with running(ledger=tmp_path / "trial.db"):
        pass

    assert stat.S_IMODE(beside(tmp_path / "trial.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "trial.db").stat().st_mode) == 0o600


def test_every_new_data_set_has_a_tenant_client_and_secret_of_its_own() -> None:
    with running() as one, running() as other:
        for name in ("RPCTL_TENANT", "RPCTL_CLIENT_ID", "RPCTL_CLIENT_SECRET", "RPCTL_CUSTOMER_TOKEN"):
            assert one.exports[name] != other.exports[name]
        assert 3 <= len(one.tenant) <= 16
        assert one.tenant == one.tenant.lower()


def test_a_ledger_is_one_sandbox_s_at_a_time(tmp_path: Path) -> None:
    ledger = tmp_path / "trial.db"
    with running(ledger=ledger), pytest.raises(LedgerBusy, match="Another sandbox serves the ledger"):
        Running(Wishes(ledger=ledger))
    with running(ledger=ledger):
        pass


def test_a_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    ledger = tmp_path / "trial.db"
    with running(ledger=ledger) as api:
        api.add("C1", 5, id="mine")
    with beside(ledger).open("ab") as file:
        file.write(b'{"entry":"half')

    with running(ledger=ledger) as api:
        api.add("C1", 5, id="second")
    with running(ledger=ledger) as api:
        assert [one["id"] for one in api.summary("C1")["summary"]["addedPointsList"]] == ["mine", "second"]


@pytest.mark.parametrize("line", ["nothing", "5", '{"tenant": "only"}'])
def test_damage_beside_a_ledger_is_told_and_lets_go_of_it(line: str, tmp_path: Path) -> None:
    ledger = tmp_path / "trial.db"
    with running(ledger=ledger):
        pass
    beside(ledger).write_text(f"{line}\n", encoding="utf-8")

    for _ in range(2):  # nothing is left locked
        with pytest.raises(InvalidFile) as refused:
            Running(Wishes(ledger=ledger))
        assert str(beside(ledger)) in refused.value.message


def test_what_is_no_ledger_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Sir", encoding="utf-8")

    with pytest.raises(LedgerUnusable):
        Running(Wishes(ledger=tmp_path / "letter.txt"))

    assert [(one.name, one.read_text(encoding="utf-8")) for one in tmp_path.iterdir()] == [("letter.txt", "Dear Sir")]


def test_the_ledger_stays_sound(tmp_path: Path) -> None:
    with running(ledger=tmp_path / "trial.db") as api:
        api.add("C1", 5, id="same")
        api.add("C1", 5, id="same")
        api.redeem("C1", 7)
        api.points("DELETE", "/customer/C1")
        api.add("C1", 1)

        assert list(api.sandbox.data.backend.verify().problems()) == []


# -- what it begins with ----------------------------------------------------------------------------------

ENTRY = {"points": 10, "createdAt": "2026-01-01T00:00:00Z"}


def loaded(tmp_path: Path, content: Any, name: str = "begin.json") -> Wishes:
    """A wish to begin with this content: text as it is, anything else as JSON."""
    file = tmp_path / name
    file.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return Wishes(load=file)


def test_what_one_sandbox_tells_another_can_begin_with(tmp_path: Path) -> None:
    with running() as first:
        first.add("C1", 10, id="late", validUntil="2027-01-01T00:00:00Z", **{"reference-id": "o1"})
        first.add("C1", 10, id="soon", validUntil="2026-06-01T00:00:00Z", description="")
        first.redeem("C1", 15, id="r1", description="lunch")
        first.points("POST", "/customer/C2", {})
        first.points("POST", f"/{first.tenant}/redeemOptions", {"type": "coupon", "name": "n", "points": 5})
        summaries = first.points("GET", "/summaryBatch").json
        options = first.points("GET", f"/{first.tenant}/redeemOptions").json

    with running(loaded(tmp_path, {"summaries": summaries, "redeemOptions": options})) as second:
        assert second.sandbox.loaded == 2
        assert second.points("GET", "/summaryBatch").json == summaries
        assert second.points("GET", f"/{second.tenant}/redeemOptions").json == options


def test_an_array_of_summaries_is_enough(tmp_path: Path) -> None:
    lists = {"addedPointsList": [{**ENTRY, "id": "a"}]}  # redeemedPointsList may be absent

    with running(loaded(tmp_path, [{"customerId": "0042", "activePoints": 10, "summary": lists}])) as api:
        assert api.points("GET", "/customer/0042").body == b"10"


def test_what_never_expires_does_not_begin_to_by_the_ledger_s_program(tmp_path: Path) -> None:
    ledger = tmp_path / "trial.db"
    with running(ledger=ledger) as api:
        api.sandbox.data.backend.set_program("main", {"validity_months": 2})
    summaries = [{"customerId": "C1", "summary": {"addedPointsList": [ENTRY]}}]

    with running(ledger=ledger, load=loaded(tmp_path, summaries).load) as api:
        assert "validUntil" not in api.summary("C1")["summary"]["addedPointsList"][0]


def test_balances_can_come_from_a_csv(tmp_path: Path) -> None:
    with running(loaded(tmp_path, "customer_id,points\n0042,5\nC2,7\n0042,1\n", "begin.csv")) as api:
        assert api.sandbox.loaded == 2
        assert list(api.sandbox.data.backend.customers()) == [("0042", 6), ("C2", 7)]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[", "is not JSON"),
        ("customer,points\nC1,5\n", "The header is not customer_id,points"),
        ("customer_id,points\nC1\n", "cannot be loaded: ValueError not enough values"),
        ("customer_id,points\nC1,5.5\n", "'5.5' is not a number of points"),
        ([{"activePoints": 5}], "cannot be loaded: KeyError 'customerId'"),
        ([5], "cannot be loaded: TypeError"),
        ({"redeemOptions": [{}]}, "The redeem option has no name"),
        ([{"customerId": "C1", "summary": {"addedPointsList": [{"points": 1}]}}], "KeyError 'createdAt'"),
        (
            [{"customerId": "C1", "summary": {"addedPointsList": [], "redeemedPointsList": [{**ENTRY, "id": "r"}]}}],
            "The points of customer C1 do not add up: There is no customer C1.",
        ),
        (
            [{"customerId": "C1", "summary": {"addedPointsList": [{**ENTRY, "createdAt": "2030-01-01T00:00:00Z"}]}}],
            "is later than now",
        ),
        ([{"customerId": "C1", "summary": {"addedPointsList": []}}] * 2, "Customer C1 is there twice."),
    ],
)
def test_what_cannot_be_loaded_says_why(content: Any, why: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidFile) as refused:
        Running(loaded(tmp_path, content))

    assert why in refused.value.message


def test_what_cannot_be_loaded_leaves_nothing_of_itself(tmp_path: Path) -> None:
    ledger = tmp_path / "trial.db"
    lists = {"addedPointsList": [ENTRY], "redeemedPointsList": [{**ENTRY, "points": 99}]}
    summaries = [{"customerId": "C1", "summary": {"addedPointsList": [ENTRY]}}, {"customerId": "C2", "summary": lists}]
    with pytest.raises(InvalidFile, match="customer C2 do not add up"):
        Running(Wishes(ledger=ledger, load=loaded(tmp_path, summaries).load))

    with running(ledger=ledger) as api:
        assert api.points("GET", "/summaryBatch").body == b"[]"


def test_what_is_loaded_is_for_a_new_ledger(tmp_path: Path) -> None:
    ledger = tmp_path / "trial.db"
    wishes = Wishes(ledger=ledger, load=loaded(tmp_path, "customer_id,points\nC1,5\n", "begin.csv").load)
    with running(wishes):
        pass

    with pytest.raises(InvalidValue, match="--load is for a new ledger"):
        Running(wishes)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(RpctlError, match=r"absent\.json cannot be read: No such file or directory"):
        Running(Wishes(load=tmp_path / "absent.json"))
