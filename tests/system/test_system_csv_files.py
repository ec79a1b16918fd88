"""Files as they come: from spreadsheets, from Windows, from pipes, broken, of the wrong kind, changing while they are
read. What can be read is applied once; what cannot ends with 7 before anything is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from real_machine import Machine, entries, finish, has_open, refusal, wait_until, write_lock

from peak import measured

ROWS = "customer_id,points,description\nC1,10,Grüße\nC2,20,日本\n"
READ = {"C1": 10, "C2": 20}

READABLE = {
    "UTF-8": ROWS.encode(),
    "UTF-8 with a BOM": ROWS.encode("utf-8-sig"),
    "UTF-16 LE with a BOM": b"\xff\xfe" + ROWS.encode("utf-16-le"),
    "UTF-16 BE with a BOM": b"\xfe\xff" + ROWS.encode("utf-16-be"),
    "semicolons": ROWS.replace(",", ";").encode(),
    "tabs": ROWS.replace(",", "\t").encode(),
    "vertical bars": ROWS.replace(",", "|").encode(),
    "CRLF": ROWS.replace("\n", "\r\n").encode(),
    "CRLF, UTF-16, semicolons": ROWS.replace("\n", "\r\n").replace(",", ";").encode("utf-16"),
    "no line end at the end": ROWS.rstrip("\n").encode(),
    "empty lines": ROWS.replace("\n", "\n\n").encode() + b"\r\n\n,,\n",
    "quoted newlines": b'customer_id,points,description\nC1,10,"a\nb"\nC2,20,"c\r\n\r\nd ""e"""\n',
    "everything quoted": b'"customer_id";"points"\n"C1";"10"\n"C2";"20"\n',
    "other letters in the header": b" Customer_ID ,POINTS\nC1,10\nC2,20\n",
    "points with a sign and .0": b"customer_id,points\nC1,10.0\nC2,+20\n",
}

UNREADABLE = {
    "no bytes": b"",
    "a BOM": b"\xef\xbb\xbf",
    "line ends": b"\n\r\n\n",
    "no known column": b"a,b\n1,2\n",
    "no points": b"customer_id,description\nC1,10\n",
    "no customer": b"points\n10\n",
    "an unknown column": b"customer_id,points,colour\nC1,10,red\n",
    "a column twice": b"customer_id,points,points\nC1,10,20\n",
    "two columns for one field": b"identifier,email,points\nC1,a@b.example,10\n",
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20,
    "a spreadsheet": b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)) * 20,
    "NUL bytes": b"customer_id,points\nC1,10\nC\x002,20\n",
    "NUL bytes far down": b"customer_id,points\n" + b"C1,10\n" * 20_000 + b"C\x002,20\n",
    "UTF-16 without a BOM": ROWS.encode("utf-16-le"),
    "half a UTF-16 character": ROWS.encode("utf-16") + b"x",
    "Latin-1": ROWS.replace("日本", "").encode("latin-1"),
    "a quote that stays open": b'customer_id,points\nC1,10\n"C2,20\nC3,30\n',
    "text behind a quote": b'customer_id,points\nC1,10\n"C2"x,20\n',
    "one line of 10 MB": b"customer_id,points," + b"x" * 10_000_000,
    "one row of 10 MB": b"customer_id,points\nC1," + b"1" * 10_000_000,
}


def numbered(machine: Machine, count: int) -> Path:
    return machine.csv("many.csv", [f"C{number % 7},1" for number in range(count)])


@pytest.mark.parametrize("kind", READABLE)
def test_a_file_is_read_as_it_comes_and_applied_once(machine: Machine, kind: str) -> None:
    machine.file("changes.csv", READABLE[kind])
    first = machine.run("points", "import", "changes.csv", "-o", "json").ok().document
    assert (first["rows"], first["applied"], first["pointsAdded"]) == (2, 2, 30)
    again = machine.here("points", "import", "-", "-o", "json", stdin=READABLE[kind]).ok().document
    assert (again["rows"], again["applied"], again["alreadyApplied"]) == (2, 0, 2)
    assert machine.balances() == READ


@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_read_changes_nothing_at_all(machine: Machine, kind: str) -> None:
    content = UNREADABLE[kind]
    file = machine.file("changes.csv", content)
    message = refusal(machine.here("points", "import", file), 7)
    assert len(message) < 500
    assert file.read_bytes() == content
    assert [path.name for path in machine.work.iterdir()] == ["changes.csv"]
    assert not machine.ledger.exists()


def test_bytes_that_are_no_text_are_named_by_their_line(machine: Machine) -> None:
    machine.file("changes.csv", b'customer_id,points,description\nC1,10,"a\nb"\nC2,20,\nC3,30,caf\xe9\n')
    assert refusal(machine.run("points", "import", "changes.csv"), 7) == "changes.csv, line 5: this is not UTF-8."
    machine.run("points", "import", "changes.csv", "--encoding", "cp1252").ok()
    assert machine.balances() == {"C1": 10, "C2": 20, "C3": 30}


def test_a_header_that_comes_again_is_a_bad_row_and_the_others_are_applied(machine: Machine) -> None:
    machine.csv("changes.csv", ["C1,10", "customer_id,points", "C2,20"])
    done = machine.run("points", "import", "changes.csv", "-o", "json")
    assert (done.status, done.document["applied"], done.document["refused"]) == (3, 2, 1)
    assert machine.balances() == READ
    rejected = (machine.work / "changes.rejected.csv").read_text().splitlines()
    assert rejected[1].split(",")[:2] == ["customer_id", "points"]
    assert ",3,invalid_value," in rejected[1]


def test_only_a_header_is_an_import_of_nothing(machine: Machine) -> None:
    machine.csv("changes.csv", [])
    document = machine.run("points", "import", "changes.csv", "-o", "json").ok().document
    assert (document["rows"], document["applied"]) == (0, 0)
    assert machine.balances() == {}


@pytest.mark.parametrize("kind", ["directory", "absent", "dangling link", "/dev/null", "too long a name"])
def test_what_is_no_file_is_named(machine: Machine, kind: str) -> None:
    names = {"/dev/null": "/dev/null", "too long a name": "x" * 300}
    name = names.get(kind, "changes.csv")
    if kind == "directory":
        (machine.work / name).mkdir()
    elif kind == "dangling link":
        (machine.work / name).symlink_to("nowhere.csv")
    assert name in refusal(machine.here("points", "import", name), 7)
    assert not machine.ledger.exists()


def test_an_unreadable_file_is_said_to_be_so(machine: Machine, obeying_permissions: list[str]) -> None:
    machine.file("changes.csv", ROWS).chmod(0)
    message = refusal(machine.run("points", "import", "changes.csv", prefix=obeying_permissions), 7)
    assert message == "changes.csv cannot be read: Permission denied."


def test_a_folder_that_takes_no_rejects_is_found_out_before_anything_is_applied(
    machine: Machine, obeying_permissions: list[str]
) -> None:
    machine.csv("changes.csv", ["C1,10", "C2,0"])
    machine.work.chmod(0o500)
    assert "Rejected rows" in refusal(machine.run("points", "import", "changes.csv", prefix=obeying_permissions), 7)
    assert not machine.ledger.exists()
    rejects = machine.home / "rejects.csv"
    done = machine.run("points", "import", "changes.csv", "--rejects", rejects, prefix=obeying_permissions)
    assert done.status == 3
    assert machine.balances() == {"C1": 10}
    assert rejects.stat().st_mode & 0o777 == 0o600


def test_a_named_pipe_is_read_to_its_end(machine: Machine) -> None:
    pipe = machine.work / "pipe"
    os.mkfifo(pipe)
    done = machine.shell("printf 'customer_id,points\\nC1,10\\n' > pipe & rpctl points import pipe -o json; wait")
    assert done.ok().document["applied"] == 1
    assert machine.balances() == {"C1": 10}


def test_process_substitution_and_standard_input_are_read_to_their_end(machine: Machine) -> None:
    machine.file("changes.csv", ROWS)
    first = machine.shell("rpctl points import <(cat changes.csv) -o json").ok().document
    again = machine.shell("cat changes.csv | rpctl points import - -o json").ok().document
    assert (first["applied"], again["applied"], again["alreadyApplied"]) == (2, 0, 2)


def test_rejects_of_standard_input_go_to_the_working_folder_and_can_be_imported_again(machine: Machine) -> None:
    done = machine.run("points", "import", "-", stdin="customer_id,points\nC1,10\nC2,x\n")
    assert done.status == 3
    rejects = machine.work / "stdin.rejected.csv"
    rejects.write_text(rejects.read_text().replace("C2,x", "C2,20"))
    machine.run("points", "import", rejects).ok()
    assert machine.balances() == READ


def test_another_file_is_never_overwritten_by_rejects(machine: Machine) -> None:
    machine.csv("changes.csv", ["C1,10", "C2,x"])
    (machine.work / "changes.rejected.csv").write_text("mine\n")
    refusal(machine.run("points", "import", "changes.csv"), 6)
    assert (machine.work / "changes.rejected.csv").read_text() == "mine\n"
    assert machine.balances() == {}


@pytest.mark.parametrize("change", ["appended to", "replaced", "gone", "cut off"])
def test_a_file_that_changes_between_its_two_readings_ends_the_run_before_a_row_is_applied(
    machine: Machine, change: str
) -> None:
    machine.here("points", "add", "C0", "5").ok()
    before = machine.export()
    file = numbered(machine, 20_000)
    with write_lock(machine.ledger):  # the run's own record has to wait, and so has the second reading
        process = machine.start(["rpctl", "points", "import", file])
        wait_until(lambda: has_open(process, machine.ledger))
        if change == "appended to":
            with file.open("a") as more:
                more.write("C9,1\n")
        elif change == "replaced":
            machine.csv("new.csv", ["C9,1"]).rename(file)
        elif change == "gone":
            file.unlink()
        else:
            os.truncate(file, file.stat().st_size // 2)
    refusal(finish(process), 7)
    assert machine.export() == before


@pytest.mark.parametrize("change", ["cut off", "appended to"])
def test_a_file_that_changes_during_its_second_reading_is_not_reported_as_done(machine: Machine, change: str) -> None:
    machine.here("points", "add", "C0", "5").ok()
    rows = 90_000  # of which only some are in when the first can be seen
    file = numbered(machine, rows)
    original = file.read_bytes()
    process = machine.start(["rpctl", "points", "import", file])
    wait_until(lambda: entries(machine.ledger) > 1)
    with write_lock(machine.ledger):
        if change == "cut off":
            os.truncate(file, file.stat().st_size - 600)
        else:
            with file.open("a") as more:
                more.write("C9,1\n")
    done = finish(process)
    refusal(done, 7)
    assert "was changed while it was read" in done.err or "grew while it was read" in done.err
    assert "Bring the file back as it was" in done.err
    file.write_bytes(original)
    machine.run("points", "import", file).ok()
    assert sum(machine.balances().values()) == rows + 5
    assert [bool(run["finishedAt"]) for run in machine.run("imports", "list", "-o", "json").document] == [True]
    assert machine.verified() == rows + 1


def test_two_hundred_thousand_rows_need_little_memory(machine: Machine) -> None:
    rows = (f"C{number},{number % 100 + 1},Order {number} of a customer with a long text" for number in range(200_000))
    machine.csv("many.csv", rows, "customer_id,points,description")
    done = measured(["rpctl", "points", "import", "many.csv", "-o", "json"], machine.environ, machine.work)
    assert (done.status, '"applied": 200000' in done.out) == (0, True)
    assert done.peak_mib < 256
