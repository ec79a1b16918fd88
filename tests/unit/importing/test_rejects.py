"""The rejects file by itself: it means the same without the options, replaces nothing and waits for nobody."""

from __future__ import annotations

import csv
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rpctl.backends.ledger.backend import LedgerBackend, Setting
from rpctl.domain.values import parse_instant
from rpctl.errors import OutputExists
from rpctl.importing.columns import understand
from rpctl.importing.opening import open_source
from rpctl.importing.options import ImportOptions
from rpctl.importing.rejects import RejectsFile
from rpctl.importing.report import Report
from rpctl.importing.run import import_file

NOW = parse_instant("2026-03-01T12:00:00Z")
REDEEM = {"operation": "redeem"}


class Desk:
    """A ledger where C1 and C2 have 100 points each, and a folder for files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.backend = LedgerBackend(folder / "ledger.db", Setting(lambda: NOW, "tester", "0"))
        self.run("customer_id,points\nC1,100\nC2,100\n", "start.csv")

    def run(self, text: str | None, name: str = "s.csv", **options: Any) -> Report:
        if text is not None:
            (self.folder / name).write_text(text, encoding="utf-8")
        path = self.folder / name
        run = f"run-{len(self.backend.runs()) + 1}"
        asked = ImportOptions(**options)
        return import_file(path, name, asked, self.backend, self.backend, lambda: NOW, lambda: run)

    def correct(self, name: str, wrong: str, right: str) -> None:
        text = (self.folder / name).read_text(encoding="utf-8")
        assert wrong in text
        (self.folder / name).write_text(text.replace(wrong, right, 1), encoding="utf-8")

    def rows(self, name: str = "s.rejected.csv") -> list[dict[str, str]]:
        return list(csv.DictReader((self.folder / name).read_text(encoding="utf-8-sig").splitlines()))

    def balances(self) -> dict[str, int]:
        return dict(self.backend.customers())


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.backend.close()


@pytest.fixture
def _in_time() -> Iterator[None]:
    def late(*_: object) -> None:
        raise AssertionError("it waits for a pipe")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(10)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


# -- what the options gave --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("customer_id,points\nC1,5\nC2,five\n", ["customer_id", "points", "operation"]),
        ("customer_id,Operation,points\nC1,add,5\nC2,add,five\n", ["customer_id", "Operation", "points"]),
        ("customer_id,Transaction Type,points\nC1,,5\nC2,,five\n", ["customer_id", "Transaction Type", "points"]),
        ("customer_id,Operation,operation,points\nC1,add,,5\nC2,add,,five\n", ["customer_id", "Operation", "points"]),
        (
            "customer_id,operation,Transaction Type,points\nC1,add,a,5\nC2,add,b,five\n",
            ["customer_id", "operation", "Transaction Type", "points"],
        ),
    ],
)
def test_corrected_rejects_mean_the_same_without_the_constants(desk: Desk, text: str, header: list[str]) -> None:
    assert desk.run(text, set=REDEEM).refused == 1
    assert desk.balances() == {"C1": 95, "C2": 100}
    assert list(desk.rows()[0]) == [*header, "key", "line", "error_code", "error"]
    desk.correct("s.rejected.csv", "five", "5")
    assert desk.run(None, "s.rejected.csv").applied == 1
    assert desk.balances() == {"C1": 95, "C2": 95}
    assert desk.run(None, "s.rejected.csv", set=REDEEM).already_applied == 1


def test_two_names_of_other_products_give_way_to_a_native_column(desk: Desk) -> None:
    options: dict[str, Any] = {"set": {"valid_until": "+30d"}}
    assert desk.run("customer_id,points,expiry,expires\nC1,x,a,b\n", **options).refused == 1
    desk.correct("s.rejected.csv", "C1,x", "C1,5")
    assert desk.rows()[0]["valid_until"] == "+30d"
    assert desk.run(None, "s.rejected.csv").applied == 1


def test_a_description_is_not_put_where_it_would_be_taken_for_an_operation(desk: Desk) -> None:
    assert desk.run("customer_id,points,Action\nC1,x,Gift\n", set={"description": "Award"} | REDEEM).refused == 1
    desk.correct("s.rejected.csv", "C1,x", "C1,5")
    row = desk.rows()[0]
    assert (row["Action"], row["description"], row["operation"]) == ("Gift", "Award", "redeem")
    assert desk.run(None, "s.rejected.csv").applied == 1
    assert desk.balances()["C1"] == 95


def test_a_mapped_column_is_kept_beside_the_constant_of_its_name(desk: Desk) -> None:
    mapping = {"reference_id": "operation"}
    assert desk.run("customer_id,points,operation\nC1,x,R1\n", set=REDEEM, map=mapping).refused == 1
    desk.correct("s.rejected.csv", "C1,x", "C1,5")
    assert desk.rows()[0]["operation"] == "R1"
    assert desk.run(None, "s.rejected.csv").applied == 1
    assert desk.run(None, "s.rejected.csv", map=mapping).already_applied == 1
    assert desk.balances()["C1"] == 95


def test_rejects_of_rejects_keep_what_was_given_in_every_round(desk: Desk) -> None:
    desk.run("customer_id,points\nC1,one\nC2,two\n", set=REDEEM, site_code="berlin")
    key = desk.rows()[1]["key"]
    desk.correct("s.rejected.csv", "one", "1")
    assert (desk.run(None, "s.rejected.csv").applied, desk.balances()["C1"]) == (1, 99)
    (row,) = desk.rows("s.rejected.rejected.csv")
    assert list(row) == ["customer_id", "points", "operation", "site_code", "key", "line", "error_code", "error"]
    assert (row["operation"], row["site_code"], row["key"]) == ("redeem", "berlin", key)
    desk.correct("s.rejected.rejected.csv", "two", "2,")  # still wrong
    assert desk.run(None, "s.rejected.rejected.csv").refused == 1
    last = "s.rejected.rejected.rejected.csv"
    text = (desk.folder / last).read_text(encoding="utf-8").splitlines()
    (desk.folder / last).write_text(f"{text[0]}\nC2,2,redeem,berlin,{key},2,,\n", encoding="utf-8")
    assert (desk.run(None, last).applied, desk.balances()["C2"]) == (1, 98)


@pytest.mark.parametrize(
    ("text", "options", "site"),
    [
        ("customer_id,points\nC1,x\n", {"site_code": "berlin"}, "berlin"),
        ("customer_id,points\nC1,x\n", {"site_code": "berlin", "set": {"site_code": "paris"}}, "paris"),
        ("customer_id,points\nC1,x\n", {"site_code": "berlin", "set": {"site_code": ""}}, "berlin"),
        ("customer_id,points,site_code\nC1,x,\n", {"site_code": "berlin"}, "berlin"),
        ("customer_id,points,site_code\nC1,x,rome\n", {"site_code": "berlin"}, "rome"),
        ("customer_id,points\nC1,x\n", {}, None),
    ],
)
def test_the_site_of_refused_rows_goes_with_them(
    desk: Desk, text: str, options: dict[str, Any], site: str | None
) -> None:
    desk.run(text, **options)
    assert desk.rows()[0].get("site_code") == site


# -- the encoding -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoding", "constant"), [("idna", "gift"), ("punycode", "gift"), ("cp1252", "пода́рок"), ("ascii", "Grüße")]
)
def test_an_encoding_that_cannot_write_the_rejects_gives_way(desk: Desk, encoding: str, constant: str) -> None:
    source = desk.folder / "s.csv"
    source.write_bytes("customer_id,points\nC1,x\n".encode("ascii") + (b"-" if encoding == "punycode" else b""))
    with open_source(source, "s.csv", encoding="ascii") as opened:
        opened.encoding = encoding
        columns = understand(["customer_id", "points"], {}, {"description": constant})
        rejects = RejectsFile(desk.folder / "s.rejected.csv", opened, columns)
        rejects.write(2, ["C1", "x"], "k", "invalid_value", "“x” is no number.")
        rejects.place()
        assert not rejects.clashes()
        rejects.close()
    assert (desk.folder / "s.rejected.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert desk.rows()[0]["description"] == constant
    desk.run(None, "s.rejected.csv", rejects=desk.folder / "again.csv")
    assert desk.rows("again.csv")[0]["description"] == constant


def test_an_import_in_idna_ends_with_rejects(desk: Desk) -> None:
    assert desk.run("customer_id,points\nC1,x\n", encoding="idna").refused == 1
    assert desk.rows()[0]["points"] == "x"


# -- the place --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("same", [False, True])
def test_a_file_that_comes_at_the_last_moment_is_not_taken_for_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, same: bool
) -> None:
    path = tmp_path / "r.csv"
    source = tmp_path / "s.csv"
    source.write_text("customer_id,points\nC1,x\n", encoding="utf-8")
    with open_source(source, "s.csv") as opened:
        columns = understand(opened.header, {}, {})
        one, other = (RejectsFile(path, opened, columns) for _ in range(2))
        one.write(2, ["C1", "x"], "k1", "invalid_value", "one")
        other.write(2, ["C1", "x"], "k1" if same else "k2", "invalid_value", "other")
        monkeypatch.setattr(one, "clashes", lambda: False)  # as it was a moment ago
        other.place()
        if same:
            assert one.place() == path
        else:
            with pytest.raises(OutputExists):
                one.place()
        one.close()
        other.close()
    assert ",other\n" in path.read_text(encoding="utf-8")


@pytest.mark.usefixtures("_in_time")
@pytest.mark.parametrize("kind", ["pipe", "link to a pipe", "device", "directory", "broken link"])
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_is_no_regular_file_is_in_the_way_and_not_read(desk: Desk, kind: str, dry_run: bool) -> None:
    path = desk.folder / "there"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "link to a pipe":
        os.mkfifo(desk.folder / "pipe")
        path.symlink_to("pipe")
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("absent")
    with pytest.raises(OutputExists):
        desk.run("customer_id,points\nC1,5\nC2,x\n", rejects=path, dry_run=dry_run)
    assert desk.balances() == {"C1": 100, "C2": 100}
