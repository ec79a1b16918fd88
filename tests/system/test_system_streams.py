"""Pipes, terminals, closed and full streams, cron's empty environment: data on stdout, talk on stderr, nothing cut
for a program, nothing wild for a person."""

from __future__ import annotations

import csv
import io
import json
import os
import pwd
import re

import pytest
from real_machine import RPCTL, Machine, refusal, tool

FORMATS = ["table", "tsv", "csv", "json", "jsonl"]
LONG = "A gift with many words. " * 20 + "End of the long text"
BOXES = re.compile("[\u2500-\u257f]")
ESCAPE = "\x1b"


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Ten thousand customers; only read from."""
    machine = Machine(tmp_path_factory.mktemp("crowd"))
    machine.csv("many.csv", (f"C{number:05},{number + 1}" for number in range(10_000)))
    machine.run("points", "import", "many.csv").ok()
    return machine


@pytest.mark.parametrize(
    ("command", "form"),
    [*(("points summary", form) for form in FORMATS), ("customer list", "json"), ("ledger export", "csv")],
)
def test_a_reader_that_goes_away_ends_a_command_quietly(crowd: Machine, command: str, form: str) -> None:
    done = crowd.shell(f"rpctl {command} -o {form} -q | head -1; echo ${{PIPESTATUS[0]}}")
    assert done.err == ""
    assert done.out.splitlines()[-1] == "0"


@pytest.mark.parametrize(
    "command", ["points summary", "points add C9 1 -o csv", "--help", "points --help", "--version"]
)
def test_a_reader_that_is_gone_before_the_first_line_is_no_error(machine: Machine, command: str) -> None:
    machine.here("points", "add", "C1", "5").ok()
    done = machine.shell(f"{{ sleep 0.05; rpctl {command}; echo $? >status; }} | true; wait")
    assert (done.status, "Error" in done.err) == (0, False)
    assert (machine.work / "status").read_text() == "0\n"


def test_nothing_is_lost_on_the_way_through_a_pipe(crowd: Machine) -> None:
    assert len(crowd.shell("rpctl points summary | cat").ok().out.splitlines()) == 10_001
    assert len(crowd.shell("rpctl points summary --no-header -o csv | cat").ok().out.splitlines()) == 10_000
    assert len(json.loads(crowd.shell("rpctl customer list -o json | cat").ok().out)) == 10_000


def test_a_table_of_many_says_how_many_more_there_are(crowd: Machine) -> None:
    done = crowd.run("customer", "list", "-o", "table").ok()
    assert sum(line.startswith("C0") for line in done.out.splitlines()) == 200
    assert "9800 more rows" in done.err


@pytest.mark.parametrize("environ", [{}, {"COLUMNS": "20"}, {"TERM": "xterm-256color", "COLORTERM": "truecolor"}])
def test_what_is_piped_has_no_colours_no_boxes_and_is_never_cut(machine: Machine, environ: dict[str, str]) -> None:
    machine.here("points", "add", "C1", "5", "--description", LONG, "--reference", "order-" + "9" * 200).ok()
    for words in ("points summary C1", "points history C1", "points explain C1", "ledger info"):
        done = machine.run(*words.split(), environ=environ).ok()
        assert (ESCAPE in done.out, BOXES.search(done.out)) == (False, None)
        assert len(done.out.splitlines()) == 2
    assert LONG in machine.run("points", "history", "C1", environ=environ).ok().out
    drawn = machine.run("points", "history", "C1", "-o", "table", environ=environ).ok()
    assert ESCAPE not in drawn.out + drawn.err
    assert ESCAPE not in machine.run("points", "add", "C1", "0", environ=environ).err


def test_every_format_tells_the_same(machine: Machine) -> None:
    text = 'a "quoted", text;\twith\nall sorts\\n'
    machine.run("points", "add", "C1", "5", "--description", text, "--key", "k").ok()
    documents = machine.run("ledger", "export", "-o", "json").ok().document
    assert machine.run("ledger", "export", "-o", "jsonl").ok().lines == documents
    [row] = csv.DictReader(io.StringIO(machine.run("ledger", "export", "-o", "csv").ok().stdout.decode(), newline=""))
    assert row == {name: "" if value is None else str(value) for name, value in documents[0].items()}
    header, line = machine.run("ledger", "export", "-o", "tsv").ok().out.splitlines()
    assert dict(zip(header.split("\t"), line.split("\t"), strict=True))["description"] == (
        'a "quoted", text;\\twith\\nall sorts\\n'
    )


# -- a terminal -------------------------------------------------------------------------------------------


def test_a_terminal_gets_a_table_with_colours(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5").ok()
    done = machine.on_terminal("points", "history", "C1")
    assert (done.status, ESCAPE in done.out, BOXES.search(done.out) is not None) == (0, True, True)
    assert ESCAPE in machine.on_terminal("points", "add", "C1", "0").out


@pytest.mark.parametrize(
    ("words", "environ"),
    [([], {"NO_COLOR": "1"}), ([], {"TERM": "dumb"}), (["--no-color"], {}), (["--no-color"], {"FORCE_COLOR": "1"})],
)
def test_who_wants_no_colours_gets_none(machine: Machine, words: list[str], environ: dict[str, str]) -> None:
    machine.here("points", "add", "C1", "5").ok()
    for command in (["points", "history", "C1"], ["points", "add", "C1", "0"], ["points", "balance", "nobody"]):
        assert ESCAPE not in machine.on_terminal(*command, *words, environ=environ).out


def test_colours_can_be_forced_into_a_pipe(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5").ok()
    assert ESCAPE in machine.run("points", "history", "C1", "-o", "table", environ={"FORCE_COLOR": "1"}).out


@pytest.mark.parametrize("columns", [1, 20, 40])
def test_a_narrow_terminal_never_shows_half_a_number(machine: Machine, columns: int) -> None:
    machine.here("points", "add", "customer-with-a-long-id", "2147483647", "--description", LONG, "-q").ok()
    machine.here("points", "redeem", "customer-with-a-long-id", "1234567", "-q").ok()
    whole = {"2147483647", "2146249080", "1234567"}
    for words in (["points", "history", "customer-with-a-long-id"], ["customer", "list"], ["points", "summary"]):
        done = machine.on_terminal(*words, columns=columns, environ={"NO_COLOR": "1"})
        assert (done.status, "Traceback" in done.out) == (0, False)
        shown = set(re.findall(r"(?<![\d-])(?:21|12)\d{3,}(?![\d-])", done.out))
        assert shown <= whole, done.out
        assert shown or "no room for" in " ".join(done.out.split()), done.out


def test_a_table_on_a_narrow_terminal_names_what_found_no_room(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5", "--description", LONG).ok()
    done = machine.on_terminal("points", "history", "C1", columns=30)
    assert "no room for" in " ".join(done.out.split())


def test_progress_is_for_a_person_at_a_terminal_only(machine: Machine) -> None:
    machine.csv("many.csv", (f"C{number},1" for number in range(60_000)))
    assert "\r" in machine.on_terminal("points", "import", "many.csv").stdout.replace(b"\n", b"").decode()
    machine.csv("more.csv", (f"C{number},2" for number in range(11_000)))
    assert machine.run("points", "import", "more.csv").ok().err == ""


# -- streams that are closed ------------------------------------------------------------------------------


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", "<&- >&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_closed_streams_harm_no_ledger_and_the_status_still_tells(machine: Machine, closed: str) -> None:
    def status(words: str) -> int:
        return machine.shell(f"rpctl {words} {closed}").status

    machine.csv("changes.csv", ["C2,10", "C3,0"])
    assert status("points add C1 5") == 0
    assert status("points redeem C1 6") == 6
    assert status("points summary -o json") == 0
    assert status("points import changes.csv --rejects rejected.csv") == 3
    assert machine.balances() == {"C1": 5, "C2": 10}
    assert "C3,0" in (machine.work / "rejected.csv").read_text()
    machine.verified()


def test_importing_from_a_closed_stdin_is_refused(machine: Machine) -> None:
    done = machine.shell("rpctl points import - <&-")
    assert refusal(done, 7) == "Standard input is closed."


def test_a_log_on_a_full_disk_changes_no_exit_status(machine: Machine) -> None:
    assert machine.shell("rpctl points add C1 5 2>/dev/full").status == 0
    assert machine.shell("rpctl points add C1 0 2>/dev/full").status == 2
    assert machine.shell("rpctl points add C1 0 >/dev/full 2>&1").status == 2
    assert machine.balances() == {"C1": 5}


def test_no_prompt_without_a_terminal(machine: Machine) -> None:
    machine.here("points", "add", "C1", "5").ok()
    refusal(machine.run("customer", "delete", "C1", stdin="C1\n"), 6)
    assert machine.run("customer", "delete", "C1", "-o", "json").error["code"] == "consent_missing"
    done = machine.on_terminal("customer", "delete", "C1", "--no-input")
    assert (done.status, "Nobody can be asked" in done.out) == (6, True)
    assert machine.balances() == {"C1": 5}


# -- surroundings -----------------------------------------------------------------------------------------


def test_the_empty_environment_of_cron_is_enough(machine: Machine) -> None:
    ledger = machine.work / "ledger.db"
    script = f"env -i {RPCTL} points add 'Jürgen' 5 --ledger {ledger} --description 'Grüße 😀' -o json"
    assert machine.shell(script).ok().document["description"] == "Grüße 😀"
    done = machine.shell(f"env -i {RPCTL} points history 'Jürgen' --ledger {ledger}").ok()
    assert "Grüße 😀" in done.out
    assert machine.balance("Jürgen", "--ledger", str(ledger)) == 5


def test_without_home_the_systems_user_list_says_whose_ledger_it_is(machine: Machine) -> None:
    done = machine.shell(f"env -i {RPCTL} config show -o json").ok()  # which opens nothing: that home is a real one
    [path] = [one["value"] for one in done.document["settings"] if one["setting"] == "ledger"]
    assert path == f"{pwd.getpwuid(os.getuid()).pw_dir}/.local/share/rpctl/ledger.db"


def test_a_user_nobody_knows_without_home_is_told_what_to_set(machine: Machine) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become a user that nobody knows")
    setpriv = tool("setpriv", "util-linux")
    nobody = f"{setpriv} --reuid=54321 --inh-caps=+dac_override --ambient-caps=+dac_override env -i {RPCTL}"
    assert "user id 54321" in refusal(machine.shell(f"{nobody} points balance C1"), 7)
    machine.work.chmod(0o777)
    named = "RPCTL_CONFIG=/dev/null RPCTL_LEDGER=ledger.db"
    machine.shell(f"{nobody.replace('env -i', f'env -i {named}')} points add C1 5").ok()
    assert machine.balance("C1", "--ledger", "ledger.db") == 5


@pytest.mark.parametrize(
    "environ",
    [
        {"LANG": "C"},
        {"LC_ALL": "C"},
        {"LC_ALL": "xx_XX.nonsense"},
        {"PYTHONIOENCODING": "ascii"},
    ],
    ids=str,
)
def test_whatever_the_locale_names_stay_and_json_is_json(machine: Machine, environ: dict[str, str]) -> None:
    machine.csv("changes.csv", ["Jürgen,5,Grüße 😀"], "customer_id,points,description")
    assert machine.run("points", "import", "changes.csv", environ=environ).ok().err == ""
    document = machine.run("points", "summary", "Jürgen", "-o", "json", environ=environ).ok().document
    assert (document["customerId"], document["summary"]["addedPointsList"][0]["description"]) == ("Jürgen", "Grüße 😀")
    assert machine.balance("Jürgen") == 5
    assert machine.run("points", "history", "Jürgen", "-o", "table", environ=environ).status == 0
    assert machine.run("points", "balance", "Jörg", environ=environ).status == 5


@pytest.mark.parametrize("columns", ["²", "0", "-1", "x", "", "99999"])
def test_a_strange_width_is_no_reason_to_fail(machine: Machine, columns: str) -> None:
    machine.here("points", "add", "C1", "5").ok()
    done = machine.run("points", "summary", "-o", "table", environ={"COLUMNS": columns}).ok()
    assert "C1" in done.out
