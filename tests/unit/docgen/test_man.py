"""The man pages: accepted by mandoc, read as they were meant, and without anything twice."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from rpctl.cli.offers import FREE, Offer, Values
from rpctl.cli.tree import Argument, Command, Option, Tree, walk
from rpctl.docgen import man, roff
from rpctl.docgen.files import generated

needs_mandoc = pytest.mark.skipif(not shutil.which("mandoc"), reason="needs mandoc (Debian package mandoc)")

YES = Option(("-y", "--yes"), None, False, None, "Do not ask.", FREE)
TEXTS = tuple(Option((f"--{name}",), "TEXT", False, None, f"The {name}.", FREE) for name in ("name", "note", "title"))
NASTY = r""".dots 'quotes' "more" back\slash \fB ~ ^ ` -x --long-one 10 € %s *"""


def verb(path: str, *options: Option, arguments: tuple[Argument, ...] = ()) -> Command:
    """A command without any below it."""
    return Command(tuple(path.split()), ("Do it.", "More."), (f"rpctl {path} C1",), arguments, options, ())


def noun(name: str, *verbs: Command) -> Command:
    """A command with others below it."""
    return Command((name,), ("Things.",), (), (), (), verbs)


def rendered(page: str) -> str:
    """A page as mandoc shows it."""
    shown = subprocess.run(["mandoc", "-T", "utf8"], input=page, capture_output=True, text=True, check=True).stdout
    return re.sub(".\b", "", shown)


@needs_mandoc
@pytest.mark.parametrize("path", [path for path in generated(walk()) if path.startswith("man/")])
def test_mandoc_finds_nothing_wrong(path: str, tmp_path: Path) -> None:
    page = tmp_path / Path(path).name
    page.write_text(generated(walk())[path])
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", str(page)], capture_output=True, text=True, check=False
    )
    # A date would change where the page does not; its place is left empty on purpose.
    assert [line for line in done.stdout.splitlines() if "WARNING: missing date" not in line] == []
    strict = subprocess.run(["mandoc", "-T", "lint", "-W", "error", str(page)], capture_output=True, check=False)
    assert (strict.returncode, strict.stdout) == (0, b"")


@needs_mandoc
def test_text_is_shown_as_it_is_written() -> None:
    page = roff.page("x", 1, "x 1", "x", [*roff.section("X"), *roff.inset([NASTY, ".TH", "'a", "\\"])])
    shown = [line.strip() for line in rendered(page).splitlines()]
    assert [line for line in (NASTY, ".TH", "'a", "\\") if line not in shown] == []


@needs_mandoc
def test_prose_is_shown_without_its_marks() -> None:
    page = roff.page("x", 1, "x 1", "x", [*roff.section("X"), *roff.paragraphs([".Use `a\\b`, ``c`` or --long-one."])])
    assert ".Use a\\b, c or --long-one." in rendered(page)


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("plain", "plain"),
        (".TH", r"\&.TH"),
        ("'s", r"\(aqs"),
        (r"a\b", r"a\eb"),
        ("re-save", r"re\-save"),
        ("with --dry-run", r"with \fB\-\-dry\-run\fR"),
        ("with -o json", r"with \fB\-o\fR json"),
        ("-1: no limit", r"\-1: no limit"),
        ("`rpctl points`", r"\fBrpctl points\fR"),
        ("5 €", r"5 \[u20AC]"),
    ],
)
def test_prose_becomes_roff(text: str, source: str) -> None:
    assert roff.prose(text) == source


def test_long_examples_go_on_in_the_next_line() -> None:
    lines = roff.inset(["$ rpctl points import orders.csv --map order_value=amount --map created_at=date --strict"])
    assert lines[3:-2] == [
        r"$ rpctl points import orders.csv \-\-map order_value=amount \e",
        r"      \-\-map created_at=date \-\-strict",
    ]


def test_no_line_is_broken_inside_quotes() -> None:
    quoted = "$ rpctl points summary -o json | jq -r '.summary.addedPointsList[] | select(.points > 5) | .id' | sort"
    lines = roff.inset([f"{quoted} | uniq"])
    assert [line.strip() for line in lines[3:-2]] == [
        r"$ rpctl points summary \-o json \e",
        r"| jq \-r \(aq.summary.addedPointsList[] | select(.points > 5) | .id\(aq \e",
        "| sort | uniq",
    ]


def test_common_options_stand_in_one_page_only() -> None:
    pages = generated(walk())
    tags = {path: re.findall(r"^\.TP\n(.*)", text, re.M) for path, text in pages.items()}
    for option in walk().common:
        tag = ", ".join(roff.bold(name) for name in option.names)
        assert [path for path, found in tags.items() if any(one.startswith(tag) for one in found)] == ["man/rpctl.1"]


def test_every_command_is_in_its_noun_s_page() -> None:
    pages = generated(walk())
    for one in walk().root.commands:
        titles = re.findall(r'^\.SS "(.*)"', pages[f"man/rpctl-{one.name}.1"], re.M)
        assert titles == [" ".join(command.path) for command in one.commands]


def test_options_that_were_told_are_referred_to() -> None:
    page = man.noun_page(noun("thing", verb("thing make", *TEXTS), verb("thing change", *TEXTS, YES)), "1")
    assert page.count("\n.TP\n\\fB\\-\\-name\\fR") == 1
    assert r"\fB\-\-name\fR, \fB\-\-note\fR and \fB\-\-title\fR as with \fBthing make\fR." in page
    assert ".TP\n\\fB\\-y\\fR, \\fB\\-\\-yes\\fR\nDo not ask.\n" in page


def test_two_alike_are_repeated() -> None:
    page = man.noun_page(noun("thing", verb("thing make", *TEXTS[:2]), verb("thing change", *TEXTS[:2])), "1")
    assert page.count("\n.TP\n\\fB\\-\\-name\\fR") == 2


def test_words_that_the_help_does_not_name_are_added() -> None:
    told = Option(("--type",), "TYPE", False, None, "Only added or redeemed.", Values(Offer.WORDS, ("added",)))
    untold = Option(("--kind",), "KIND", False, "b", "Of it.", Values(Offer.WORDS, ("a", "b")))
    page = man.noun_page(noun("thing", verb("thing make", told, untold)), "1")
    assert "\nOnly added or redeemed.\n" in page
    assert "\nOf it. One of a, b. By default \\fBb\\fR.\n" in page


@needs_mandoc
def test_a_command_without_verbs_has_a_page_of_its_own() -> None:
    topic = Argument("TOPIC", False, False, "What to tell about.", FREE)
    page = man.noun_page(verb("help", YES, arguments=(topic,)), "1")
    shown = rendered(page)
    assert "rpctl help [TOPIC] [OPTIONS]" in shown
    assert "\nOPTIONS\n" in shown
    assert "$ rpctl help C1" in shown
    assert ".SS" not in page


def test_the_program_s_page_lists_the_nouns_and_their_verbs() -> None:
    tree = Tree(Command((), ("Top.",), (), (), (), (noun("thing", verb("thing make")),)), (YES,))
    page = man.program_page(tree, "1")
    assert ".TP\n\\fBrpctl\\-thing\\fR(1)\nThings.\n.br\nVerbs: \\fBmake\\fR.\n" in page
