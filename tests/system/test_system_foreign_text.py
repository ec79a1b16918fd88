"""Text that means harm: escape sequences, bidi overrides, markup, formulas, SQL, paths. It is shown as what it is and
never acts, in any format, on a terminal or in a file."""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from contextlib import closing

import pytest
from real_machine import Machine, refusal

FORMATS = ["table", "tsv", "csv", "json", "jsonl"]
BIDI = "\u202e"
MARKUP = "[red]x[/red] [link=http://e.example]y[/link] :smile: [/]"
FORMULAS = ["=1+1", "+1", "-1+1", "@SUM(A1)", "=cmd|' /C calc'!A0", "\t=1", "\r=1"]
HARM = ["\x1b[2J", "\x1b]0;title\x07", "\x9b31m", "\x08", "\u202e", "\u2066", "\u200b", "\ufeff", "\u2028"]
SQL = ["'; DROP TABLE entries; --", '"; DELETE FROM customers; --', "' OR '1'='1", "%", "_", "\\", "a%b", "a_b", "a\\b"]
PATHS = ["../../x", "/etc/passwd", "..", ".", "~", "$HOME", "`id`", "$(id)", "a;b", "a|b", "<b>"]


def harmed(machine: Machine) -> None:
    """Writes into the database what rpctl itself would refuse, as another program or an older service might."""
    text = "before" + "".join(HARM) + "after"
    with closing(sqlite3.connect(machine.ledger)) as connection:
        connection.execute("UPDATE entries SET description = ?, reference_id = ?", (text, text))
        connection.execute("UPDATE customers SET customer_id = 'C1' || ?", ("\x1b[31m" + BIDI,))
        connection.commit()


@pytest.mark.parametrize("form", FORMATS)
def test_what_could_harm_a_terminal_never_reaches_it(machine: Machine, form: str) -> None:
    machine.here("points", "add", "C1", "5").ok()
    harmed(machine)
    for words in (["points", "summary"], ["customer", "list"], ["ledger", "export"], ["ledger", "verify"]):
        done = machine.on_terminal(*words, "-o", form, columns=400, environ={"NO_COLOR": "1"})
        assert done.status in (0, 3)
        assert [harm for harm in HARM if harm in done.out] == []
        assert "\x1b" not in done.out


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_programs_get_the_very_text_as_json(machine: Machine, form: str) -> None:
    machine.here("points", "add", "C1", "5").ok()
    harmed(machine)
    done = machine.run("points", "summary", "-o", form).ok()
    document = json.loads(done.out) if form == "jsonl" else done.document[0]
    assert document["customerId"] == "C1\x1b[31m" + BIDI
    assert document["summary"]["addedPointsList"][0]["description"] == "before" + "".join(HARM) + "after"
    assert [harm for harm in HARM if harm in done.out] == []


def test_the_bidi_override_of_a_description_is_shown_as_an_escape(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5", "--description", f"pay {BIDI}001").ok()
    for form in FORMATS:
        done = machine.on_terminal("points", "history", "C1", "-o", form, columns=200)
        assert (BIDI in done.out, "\\u202e" in done.out) == (False, True)


def test_errors_and_notes_are_cleaned_too(machine: Machine) -> None:
    name = "x\x1b[31m\u202e.csv"
    done = machine.on_terminal("points", "import", name, environ={"NO_COLOR": "1"})
    assert (done.status, "\x1b" in done.out, BIDI in done.out) == (7, False, False)
    machine.csv(name, ["C1,5", "C2,0"])
    done = machine.on_terminal("points", "import", name, environ={"NO_COLOR": "1", "TERM": "dumb"})
    assert (done.status, "\x1b" in done.out, BIDI in done.out) == (3, False, False)


@pytest.mark.parametrize("form", FORMATS)
def test_markup_is_text(machine: Machine, form: str) -> None:
    machine.here("points", "add", "C1[bold]", "5", "--description", MARKUP, "--reference", "[red]9").ok()
    shown = machine.on_terminal("points", "history", "C1[bold]", "-o", form, columns=250, environ={"NO_COLOR": "1"}).out
    assert MARKUP in shown
    assert "[red]9" in shown
    assert "C1[bold]" in machine.on_terminal("customer", "list", "-o", form).out
    assert "[red]" in machine.on_terminal("points", "balance", "[red]").out


def test_formulas_are_neutralised_in_csv_and_left_alone_elsewhere(machine: Machine) -> None:
    machine.csv("changes.csv", [], "customer_id,points,description")
    with (machine.work / "changes.csv").open("a", newline="") as file:
        csv.writer(file).writerows([f"C{at}", 5, text] for at, text in enumerate(FORMULAS))
    machine.run("points", "import", "changes.csv").ok()
    texts = [text.strip() for text in FORMULAS]

    def described(*words: str) -> list[str]:
        out = machine.run("ledger", "export", "-o", "csv", *words).ok().stdout.decode()
        return [row["description"] for row in csv.DictReader(io.StringIO(out, newline=""))]

    assert described() == ["'" + text for text in texts]
    assert described("--raw-csv") == texts
    assert [one["description"] for one in machine.run("ledger", "export", "-o", "json").document] == texts


def test_a_customer_id_that_is_a_formula_is_neutralised_in_csv(machine: Machine) -> None:
    machine.here("points", "add", "=HYPERLINK(1)", "5").ok()
    assert "'=HYPERLINK(1),5" in machine.run("customer", "list", "-o", "csv").ok().out


def test_an_id_is_never_code_nor_a_path(machine: Machine) -> None:
    machine.here("points", "add", "other", "1").ok()
    for text in (*SQL, *PATHS):
        machine.here("points", "add", text, "5", "--key", text, "--reference", text, "--reason", text).ok()
    for text in SQL:
        machine.here("points", "redeem", text, "2", "--description", text, "--key", f"{text}2").ok()
    assert machine.balances() == {"other": 1} | dict.fromkeys(SQL, 3) | dict.fromkeys(PATHS, 5)
    assert machine.balance("%") == 3
    assert list(machine.work.iterdir()) == []
    assert machine.verified() == 1 + 2 * len(SQL) + len(PATHS)


def test_searching_means_the_very_letters(machine: Machine) -> None:
    ids = ["ab", "a%b", "a_b", "a\\b", "a*b", "a?b", "A%B", "axb"]
    machine.csv("changes.csv", [f"{one},1" for one in ids])
    machine.run("points", "import", "changes.csv").ok()

    def found(text: str) -> set[str]:
        return {one["customerId"] for one in machine.here("customer", "list", "-o", "json", "--search", text).document}

    assert found("%") == {"a%b", "A%B"}
    assert found("_") == {"a_b"}
    assert found("\\") == {"a\\b"}
    assert found("*") == {"a*b"}
    assert found("a%b") == {"a%b", "A%B"}
    assert found("' OR 1=1 --") == set()
    assert found("b") == set(ids)


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "a/b", ".", "..", "", " ", "a b", "A", "x\ny", "x" * 300, "é"])
def test_a_profile_name_is_never_a_path(machine: Machine, name: str) -> None:
    refusal(machine.here("profile", "create", name), 2)
    refusal(machine.here("points", "add", "C1", "5", "--profile", name), 2)
    done = machine.run("points", "add", "C1", "5", environ={"RPCTL_PROFILE": name}) if name else None
    assert done is None or done.status == 7
    assert [path for path in machine.home.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "name",
    [
        "a?mode=memory",
        "a#b",
        "a%41",
        "a b",
        "ä日😀",
        "a&b=c",
        "file:x.db",
        ":memory:",
        "a'b\"c",
        "-x.db",
        b"caf\xe9.db",
        "a\\b",
    ],
    ids=ascii,
)
def test_the_ledger_is_the_very_file_that_was_named(machine: Machine, name: str | bytes) -> None:
    at = ["--ledger", name] if isinstance(name, bytes) else [f"--ledger={name}"]
    machine.run("points", "add", "C1", "5", *at).ok()
    made = list(machine.work.iterdir())
    assert made == [machine.work / (name if isinstance(name, str) else name.decode(errors="surrogateescape"))]
    assert machine.here("points", "balance", "C1", *at).ok().out == "5\n"
    assert machine.here("ledger", "info", "-o", "json", *at).ok().document["entries"] == 1
    machine.run("ledger", "backup", b"copy of " + made[0].name.encode(errors="surrogateescape"), *at).ok()
    assert len(list(machine.work.iterdir())) == 2


def test_a_csv_file_may_have_any_name(machine: Machine) -> None:
    for number, name in enumerate([b"caf\xe9.csv", b"a b.csv", b"?#%41.csv", b"=1.csv"]):
        (machine.work / name.decode(errors="surrogateescape")).write_text(f"customer_id,points\nC{number},5\nC9,0\n")
        done = machine.run("points", "import", name, "-o", "json")
        assert (done.status, done.document["applied"]) == (3, 1)
    assert len(machine.run("imports", "list", "-o", "json").ok().document) == 4
    assert machine.balances() == {f"C{number}": 5 for number in range(4)}
