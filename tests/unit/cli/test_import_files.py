"""Files as programs and people leave them: odd line ends, columns without names, links, what is packed."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import CommandLine

ROWS = b"customer_id,points\nC1,5\nC2,7\n"


def balances(rpctl: CommandLine) -> dict[str, int]:
    listed = json.loads(rpctl.ok("customer", "list", "-o", "json"))
    return {row["customerId"]: row["activePoints"] for row in listed}


def workbook() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return packed.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        ROWS.replace(b"\n", b"\r"),
        ROWS.replace(b"\n", b",\n"),
        ROWS.replace(b"\n", b";;;\r\n").replace(b",", b";"),
        b",".join([b"customer_id,points", *(b"x%d" % n for n in range(298))])
        + b"\nC1,5" + b",z" * 298 + b"\nC2,7" + b"," * 298 + b"\n",
    ],
    ids=["lone CR", "a delimiter at the end of every line", "three of them", "300 columns"],
)  # fmt: skip
def test_it_is_read_as_it_comes(rpctl: CommandLine, data: bytes) -> None:
    Path("f.csv").write_bytes(data)
    rpctl.ok("points", "import", "f.csv", *(["--ignore-extra"] if data.count(b"x") else []))
    assert balances(rpctl) == {"C1": 5, "C2": 7}


def test_of_300_columns_that_nobody_knows_the_first_are_named(rpctl: CommandLine) -> None:
    header = ",".join(["customer_id", "points", *(f"x{n}" for n in range(298))])
    Path("f.csv").write_text(f"{header}\n", encoding="utf-8")
    status, _, err = rpctl("points", "import", "f.csv")
    assert (status, "x0, x1," in err, "and 286 more" in err) == (7, True, True)


def test_text_in_a_column_without_a_name_is_not_lost(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points,\nC1,5,\nC2,7,lost?\n", encoding="utf-8")
    assert rpctl("points", "import", "f.csv").status == 3
    assert balances(rpctl) == {"C1": 5}
    rejected = Path("f.rejected.csv").read_text(encoding="utf-8")
    assert "too many are 'lost?'" in rejected
    Path("f.rejected.csv").write_text(rejected.replace("lost?", "", 1), encoding="utf-8")
    rpctl.ok("points", "import", "f.rejected.csv")
    assert balances(rpctl) == {"C1": 5, "C2": 7}


def test_a_column_without_a_name_between_others_is_not_known(rpctl: CommandLine) -> None:
    Path("f.csv").write_text(",customer_id,points\n0,C1,5\n", encoding="utf-8")
    status, _, err = rpctl("points", "import", "f.csv")
    assert (status, "(column 1 has no name)" in err) == (7, True)


def test_names_that_differ_in_letter_case_only_are_two_columns_for_one_field(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points,Points\nC1,5,7\n", encoding="utf-8")
    status, _, err = rpctl("points", "import", "f.csv")
    assert (status, "Two columns are for points: points and Points." in err) == (7, True)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("f.csv.gz", gzip.compress(ROWS, mtime=0), "gzip -dc FILE | rpctl points import -"),
        ("f.csv.xz", lzma.compress(ROWS), "xz -dc FILE | rpctl points import -"),
        ("f.csv.bz2", bz2.compress(ROWS), "bzip2 -dc FILE | rpctl points import -"),
        ("f.xlsx", workbook(), "Save the sheet as CSV"),
        ("f.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504), "Save the sheet as CSV"),
    ],
)
@pytest.mark.parametrize("options", [(), ("--encoding", "cp1252"), ("--encoding", "utf-16")])
def test_what_is_packed_is_refused_and_how_to_unpack_it_is_said(
    rpctl: CommandLine, name: str, data: bytes, says: str, options: tuple[str, ...]
) -> None:
    Path(name).write_bytes(data)
    status, _, err = rpctl("points", "import", name, *options)
    assert (status, says in err) == (7, True), err


def test_a_link_is_its_file_and_rejects_go_beside_the_link(rpctl: CommandLine) -> None:
    Path("far").mkdir()
    Path("far/f.csv").write_bytes(ROWS + b"C3,x\n")
    Path("link.csv").symlink_to("far/f.csv")
    assert rpctl("points", "import", "link.csv").status == 3
    assert [path.name for path in Path("far").iterdir()] == ["f.csv"]
    assert Path("link.rejected.csv").is_file()
    assert rpctl("points", "import", "far/f.csv").status == 3
    assert balances(rpctl) == {"C1": 5, "C2": 7}


def test_a_bom_wins_over_an_encoding_that_was_typed(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points,description\nC1,5,Grüße\n", encoding="utf-8-sig")
    rpctl.ok("points", "import", "f.csv", "--encoding", "cp1252")
    (line,) = json.loads(rpctl.ok("points", "history", "C1", "-o", "json"))["history"]
    assert line["description"] == "Grüße"


def test_a_header_alone_is_an_import_of_nothing_and_that_is_said(rpctl: CommandLine) -> None:
    Path("f.csv").write_text("customer_id,points\n", encoding="utf-8")
    status, out, err = rpctl("points", "import", "f.csv", "-o", "json")
    assert (status, json.loads(out)["rows"]) == (0, 0)
    assert "note: the file has a header and no rows" in err
