"""Rejects of a file that was read with options: corrected, imported as they are, and nothing counts twice."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

ROUNDS: dict[str, tuple[bytes, tuple[str, ...], tuple[str, str]]] = {
    "--map": (
        b"Kunde,Punkte\nC1,5\nC2,seven\n",
        ("--map", "customer_id=Kunde", "--map", "points=Punkte"),
        ("seven", "7"),
    ),
    "--map over a native column": (
        b"customer_id,points,bonus,key\nC1,500,5,red\nC2,700,seven,red\n",
        ("--map", "points=bonus", "--map", "reason=key"),
        ("seven", "7"),
    ),
    "--map of the key and the points": (
        b"customer_id,points,bonus,txn\nC1,500,5,t1\nC2,700,seven,t2\n",
        ("--map", "points=bonus", "--map", "key=txn"),
        ("seven", "7"),
    ),
    "--map of a name with spaces, quotes and line breaks": (
        b'Kunde,"Punkte ""neu""\nund \'alt\'"\nC1,5\nC2,seven\n',
        ("--map", "customer_id=Kunde", "--map", "points=Punkte \"neu\"\nund 'alt'"),
        ("seven", "7"),
    ),
    "--decimal-comma": (
        b'customer_id,order_value\nC1,"5,20"\nC2,"7.90"\n',
        ("--decimal-comma",),
        ("7.90", '"7,90"'),
    ),
    "--date-format": (
        b"customer_id,points,created_at\nC1,5,02.01.2026\nC2,7,02.13.2026\n",
        ("--date-format", "%d.%m.%Y"),
        ("02.13.2026", "13.02.2026"),
    ),
    "--date-format that looks like another": (
        b"customer_id,points,created_at\nC1,5,2026-02-01\nC2,seven,2026-02-01\n",
        ("--date-format", "%Y-%d-%m"),
        ("seven", "7"),
    ),
    "--no-header-row": (
        b"C1,5,a\nC2,seven,b\n",
        ("--no-header-row", "--columns", "customer_id,points,reason"),
        ("seven", "7"),
    ),
    "--key-from": (
        b"customer_id,points,Bon\nC1,5,R1\nC2,seven,R2\n",
        ("--key-from", "Bon"),
        ("seven", "7"),
    ),
    "--ignore-extra": (
        b"customer_id,points,colour\nC1,5,red\nC2,seven,blue\n",
        ("--ignore-extra",),
        ("seven", "7"),
    ),
    "--delimiter": (b"customer_id^points\nC1^5\nC2^seven\n", ("--delimiter", "^"), ("seven", "7")),
    "--delimiter |": (b"customer_id|points\nC1|5\nC2|seven\n", ("--delimiter", "|"), ("seven", "7")),
    "--encoding": (
        "customer_id,points,description\nC1,5,Grüße\nC2,seven,Übertrag\n".encode("cp1252"),
        ("--encoding", "cp1252"),
        ("seven", "7"),
    ),
    "--encoding utf-16-le": (
        "customer_id,points,description\nC1,5,Grüße\nC2,seven,Übertrag\n".encode("utf-16-le"),
        ("--encoding", "utf-16-le"),
        ("seven", "7"),
    ),
    "--set": (
        b"customer_id,points\nC1,5\nC2,seven\n",
        ("--set", "reason=till 4", "--site", "berlin"),
        ("seven", "7"),
    ),
    "all at once": (
        "Kunde;Umsatz;Datum;Bon;Farbe\nC1;5,20;02.01.2026;1;rot\nC2;7.10;02.01.2026;2;grün\n".encode("cp1252"),
        (
            "--map", "customer_id=Kunde", "--map", "order_value=Umsatz", "--map", "created_at=Datum",
            "--decimal-comma", "--date-format", "%d.%m.%Y", "--encoding", "cp1252", "--ignore-extra",
            "--key-from", "Bon", "--set", "reason=till 4",
        ),
        ("7.10", "7,10"),
    ),
}  # fmt: skip


def report(rpctl: CommandLine, *words: str, status: int = 0) -> tuple[int, int, int]:
    ended = rpctl("points", "import", *words, "-o", "json")
    assert ended.status == status, ended
    document: dict[str, Any] = json.loads(ended.out)
    return document["applied"], document["alreadyApplied"], document["refused"]


def balances(rpctl: CommandLine) -> dict[str, int]:
    listed = json.loads(rpctl.ok("customer", "list", "-o", "json"))
    return {row["customerId"]: row["activePoints"] for row in listed}


def text_of(path: str) -> tuple[str, str]:
    data = Path(path).read_bytes()
    encoding = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    return data.decode(encoding), encoding


def correct(path: str, wrong: str, right: str) -> None:
    text, encoding = text_of(path)
    assert wrong in text
    Path(path).write_bytes(text.replace(wrong, right, 1).encode(encoding))


@pytest.mark.parametrize("again_with_options", [False, True], ids=["as they are", "with the same options"])
@pytest.mark.parametrize("kind", ROUNDS)
def test_rejects_come_back_as_they_are(rpctl: CommandLine, kind: str, again_with_options: bool) -> None:
    data, options, (wrong, right) = ROUNDS[kind]
    Path("f.csv").write_bytes(data)
    assert report(rpctl, "f.csv", *options, status=3) == (1, 0, 1)
    Path("f.rejected.csv").rename("corrected.csv")
    correct("corrected.csv", wrong, right)
    # Rejects are no longer in a delimiter or an encoding that nobody finds without being told.
    repeated = options if again_with_options and kind not in ("--delimiter", "--encoding utf-16-le") else ()
    assert report(rpctl, "corrected.csv", *repeated) == (1, 0, 0)
    assert balances(rpctl) == {"C1": 5, "C2": 7}
    applied, already, _ = report(rpctl, "f.csv", *options, status=3)
    assert (applied, already, balances(rpctl)) == (0, 1, {"C1": 5, "C2": 7})
    assert report(rpctl, "corrected.csv") == (0, 1, 0)
    if "--date-format" in kind:
        (lot,) = json.loads(rpctl.ok("points", "summary", "C2", "-o", "json"))["summary"]["addedPointsList"]
        assert lot["createdAt"][:10] == ("2026-01-02" if "another" in kind else "2026-02-13")


def test_rejects_of_rejects_say_it_again(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("Kunde,Punkte\nC1,five\nC2,seven\n", encoding="utf-8")
    report(rpctl, "f.csv", "--map", "customer_id=Kunde", "--map", "points=Punkte", status=3)
    correct("f.rejected.csv", "five", "5")
    assert report(rpctl, "f.rejected.csv", status=3) == (1, 0, 1)
    header = text_of("f.rejected.rejected.csv")[0].splitlines()[0]
    carried = "options: --map customer_id=Kunde --map points=Punkte"
    assert header == f"Kunde,Punkte,key,line,error_code,error,{carried}"
    correct("f.rejected.rejected.csv", "seven", "7")
    assert report(rpctl, "f.rejected.rejected.csv") == (1, 0, 0)
    assert balances(rpctl) == {"C1": 5, "C2": 7}


def test_what_is_typed_wins_over_what_the_rejects_say(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points,other\nC1,x,5\n", encoding="utf-8")
    report(rpctl, "f.csv", "--map", "points=points", "--ignore-extra", status=3)
    assert report(rpctl, "f.rejected.csv", "--map", "points=other") == (1, 0, 0)
    assert balances(rpctl) == {"C1": 5}
    assert report(rpctl, "f.rejected.csv", "--set", "points=5") == (0, 1, 0)


def test_without_options_there_is_no_such_column(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points\nC1,x\n", encoding="utf-8")
    report(rpctl, "f.csv", status=3)
    assert text_of("f.rejected.csv")[0].splitlines()[0] == "customer_id,points,key,line,error_code,error"


@pytest.mark.parametrize(
    "name",
    [
        "options: --map points",
        "options: --date-format",
        "options: --rejects /etc/passwd",
        "options: 'open",
        "options: rm -rf",
    ],
)
def test_a_column_of_options_that_was_changed_beyond_reading_is_refused(rpctl: CommandLine, name: str) -> None:
    Path("f.csv").write_text(f"customer_id,points,key,line,error_code,error,{name}\nC1,5,k,2,,,\n", encoding="utf-8")
    status, _, err = rpctl("points", "import", "f.csv")
    assert (status, "does not say how" in err) == (7, True)
    assert rpctl("customer", "show", "C1").status == 5


def test_only_a_rejects_file_brings_options_along(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points,options: --map points=x\nC1,5,\n", encoding="utf-8")
    status, _, err = rpctl("points", "import", "f.csv")
    assert (status, "columns that rpctl does not know" in err) == (7, True)


def test_the_reading_is_told(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("Kunde,points\nC1,x\n", encoding="utf-8")
    report(rpctl, "f.csv", "--map", "customer_id=Kunde", status=3)
    correct("f.rejected.csv", "x", "5")
    _, _, err = rpctl("points", "import", "f.rejected.csv")
    assert "Read with the options: --map customer_id=Kunde, as the rejects file says." in err
