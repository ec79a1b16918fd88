"""Bytes to rows: encodings, delimiters, line numbers, and files that are none."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from rpctl.errors import InvalidFile, InvalidValue
from rpctl.importing.opening import open_source

ROWS = "customer_id,points\nJosé,5\n"


def rows(path: Path, **options: object) -> list[tuple[int, list[str]]]:
    with open_source(path, path.name, **options) as source:  # type: ignore[arg-type]
        return list(source.rows())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "points.csv"


@pytest.mark.parametrize(
    ("data", "encoding"),
    [
        (ROWS.encode(), None),
        (ROWS.encode("utf-8-sig"), None),
        (ROWS.encode("utf-8-sig"), "utf-8"),
        (ROWS.encode("utf-16"), None),
        (b"\xfe\xff" + ROWS.encode("utf-16-be"), None),
        (ROWS.encode("cp1252"), "cp1252"),
        (ROWS.encode("utf-16-le"), "utf-16-le"),
        (ROWS.encode("utf-8-sig"), "UTF8"),
        (b"\xff\xfe" + ROWS.encode("utf-16-le"), "utf-16-le"),
        (ROWS.replace("\n", "\r\n").encode(), None),
        (ROWS.replace("\n", "\r").encode(), None),
        (ROWS.rstrip().encode(), None),
        (ROWS.encode() + b"\n\n,\n", None),
        (ROWS.replace(",", ";").encode(), None),
        (ROWS.replace(",", "\t").encode(), None),
        (ROWS.replace(",", "|").encode(), None),
    ],
)
def test_the_same_cells_come_out_of_every_encoding_and_delimiter(path: Path, data: bytes, encoding: str | None) -> None:
    path.write_bytes(data)
    with open_source(path, "f", encoding=encoding) as source:
        assert source.header == ["customer_id", "points"]
        assert list(source.rows()) == [(2, ["José", "5"])]
        digest = source.content().digest
    path.write_text(ROWS, encoding="utf-8")
    with open_source(path, "f") as source:
        assert source.content().digest == digest


@pytest.mark.parametrize(
    ("header", "mapping", "delimiter"),
    [
        ("customer_id;points;reason,long", {}, ";"),
        ("Kunde;Punkte", {"customer_id": "Kunde", "points": "Punkte"}, ";"),
        ("x|customer_id|points,y,z", {}, "|"),
        ("customer_id", {}, ","),
        ('"customer_id";"points"', {}, ";"),
    ],
)
def test_the_delimiter_is_the_one_that_yields_known_names(
    path: Path, header: str, mapping: dict[str, str], delimiter: str
) -> None:
    path.write_text(header + "\n")
    with open_source(path, "f", mapping=mapping) as source:
        assert source.delimiter == delimiter


def test_a_typed_delimiter_wins(path: Path) -> None:
    path.write_text("customer_id:points\nC1:5\n")
    assert rows(path, delimiter=":") == [(2, ["C1", "5"])]


def test_a_line_number_is_that_of_the_first_line_of_a_row(path: Path) -> None:
    path.write_text('customer_id,points,reason\nC1,1,"a\nb\nc"\n\n\nC2,2,"d"\r\nC3,3,"e\r\nf"\nC4,4,g\n')
    assert [(line, row[0]) for line, row in rows(path)] == [(2, "C1"), (7, "C2"), (8, "C3"), (10, "C4")]


def test_cells_are_data(path: Path) -> None:
    path.write_text('customer_id,points,reason\n=1+1,5,"[bold]""x"" \x1b[31m"\n')
    assert rows(path) == [(2, ["=1+1", "5", '[bold]"x" \x1b[31m'])]


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b"\n\n\r\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
        (b"PK\x03\x04\x00\x00customer_id", "is a spreadsheet or a zip archive"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "is a spreadsheet of an old kind"),
        (b"\x1f\x8b\x08\x00customer_id", "compressed with gzip"),
        (b"\x7fELF\x00\x00customer_id", "not a text file"),
        (b"customer_id,points\n" + b"C1,5\n" * 20_000 + b"C\0,5\n", "line 20002: this is not text"),
        ("customer_id,points\nC1,5\nJosé,5\n".encode("cp1252"), "line 3: this is not UTF-8"),
        (ROWS.encode("utf-16")[:-1], "UTF-16"),
        (b'customer_id,points\nC1,5\n"C2,5\nC3,5\n', "line 3: a quoted cell that begins here is not closed"),
        (b'customer_id,points\n"C1,5\n' + b"C3,5\n" * 40_000, "or a quoted cell that begins here is not closed"),
        (b"customer_id,points\n" + b"C" * 131_073 + b",5\n", "line 2: a cell is longer than 131072 characters, or a"),
        (b'customer_id,points\n"C1"x,5\n', "line 2: text follows the closing quote"),
        (b"customer_id,points\n" + b"C" * 2_000_000, "line 2 is longer"),
    ],
)
def test_what_is_no_csv_is_refused_with_its_line(path: Path, data: bytes, says: str) -> None:
    path.write_bytes(data)
    with pytest.raises(InvalidFile, match=says), open_source(path, "points.csv") as source:
        source.content()


def test_the_hint_for_an_unknown_encoding_names_the_option(path: Path) -> None:
    path.write_bytes("customer_id,points\nJosé,5\n".encode("cp1252"))
    with pytest.raises(InvalidFile) as caught:
        rows(path)
    assert "--encoding" in str(caught.value.hint)


@pytest.mark.parametrize("options", [{"encoding": "klingon"}, {"encoding": "rot13"}, {"delimiter": "::"}])
def test_impossible_options_are_refused(path: Path, options: dict[str, str]) -> None:
    path.write_text(ROWS)
    with pytest.raises(InvalidValue):
        rows(path, **options)


def test_what_is_absent_or_a_directory_or_unreadable_is_refused(tmp_path: Path, path: Path) -> None:
    with pytest.raises(InvalidFile, match="There is no file"):
        rows(path)
    with pytest.raises(InvalidFile, match="is a directory"):
        rows(tmp_path)
    path.write_text(ROWS)
    path.chmod(0)
    if not os.access(path, os.R_OK):
        with pytest.raises(InvalidFile, match="cannot be read"):
            rows(path)


@pytest.mark.parametrize("row", ["+2AA-,5", '"+2AA-",5'])
def test_half_a_character_is_told_with_its_line(path: Path, row: str) -> None:
    path.write_text(f"customer_id,points\nC1,5\n{row}\n")
    with (
        pytest.raises(InvalidFile, match="line 3: this is not text"),
        open_source(path, "points.csv", encoding="utf-7") as source,
    ):
        source.content()


def test_a_disk_that_fails_in_the_middle_of_a_file_is_an_unreadable_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.write_text("customer_id,points\n" + "C1,5\n" * 40_000)

    class Failing(io.FileIO):
        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            if self.tell() >= 100_000:
                raise OSError(errno.EIO, "Input/output error")
            return super().readinto(buffer)

    monkeypatch.setattr(Path, "open", lambda self, mode: io.BufferedReader(Failing(self, mode)))
    with (
        pytest.raises(InvalidFile, match="cannot be read: Input/output error"),
        open_source(path, "points.csv") as source,
    ):
        source.content()


def test_a_stream_is_read_as_often_as_wanted() -> None:
    with open_source(io.BytesIO(ROWS.encode()), "-") as source:
        assert list(source.rows()) == list(source.rows()) == [(2, ["José", "5"])]


def test_a_pipe_with_a_name_is_read_as_often_as_wanted() -> None:
    there, here = os.pipe()
    os.write(here, ROWS.encode())
    os.close(here)
    try:
        with open_source(Path(f"/dev/fd/{there}"), "pipe") as source:
            assert list(source.rows()) == list(source.rows()) == [(2, ["José", "5"])]
    finally:
        os.close(there)


def test_a_file_that_is_changed_between_two_readings_is_refused(path: Path) -> None:
    path.write_text(ROWS)
    with open_source(path, "points.csv") as source:
        source.content()
        path.write_text(ROWS + "C9,9\n")
        with pytest.raises(InvalidFile, match="was changed"):
            list(source.rows())


def test_a_file_without_a_header_line_takes_the_names_that_were_typed(path: Path) -> None:
    path.write_text("C1;5\n")
    with open_source(path, "f", columns=["customer_id", "points"]) as source:
        assert (source.delimiter, source.header) == (";", ["customer_id", "points"])
        assert list(source.rows()) == [(1, ["C1", "5"])]


def test_the_digest_knows_nothing_of_the_names_that_were_typed(path: Path) -> None:
    path.write_text("C1,5\n")
    digests = set()
    for columns in (["customer_id", "points"], ["Customer_Id", "points"], ["email", "order_value"]):
        with open_source(path, "f", columns=columns) as source:
            digests.add(source.content().digest)
    assert len(digests) == 1
    path.write_text("customer_id,points\nC1,5\n")
    with open_source(path, "f") as source:
        assert source.content().digest not in digests


def test_a_header_that_is_no_text_is_refused(path: Path) -> None:
    path.write_bytes(b"customer_id,points,+2AA-\nC1,5,x\n")
    with open_source(path, "points.csv", encoding="utf-7") as source, pytest.raises(InvalidFile, match="line 1"):
        source.content()


@pytest.mark.parametrize("header", ["customer_id,points,key", "key,customer_id,points"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_rows_whose_cell_of_a_key_is_empty_or_missing_are_counted(tmp_path: Path, header: str, quote: str) -> None:
    cells = {"customer_id": "C1", "points": "5"}
    rows = [[{**cells, "key": key}[name] for name in header.split(",")] for key in ("k1", "", " ", "k2")]
    text = "\n".join([header, *(",".join(f"{quote}{cell}{quote}" for cell in row) for row in rows), ""])
    (path := tmp_path / "f.csv").write_text(text)
    with open_source(path, "f.csv") as source:
        assert source.content(None, header.split(",").index("key")).keyless == 2
    path.write_text("customer_id,points,key\nC1,5\nC1,5,k1\n")
    with open_source(path, "f.csv") as source:
        assert source.content(None, 2).keyless == 1
