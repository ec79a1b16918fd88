"""What is printed, byte by byte: every command's help, and one answer of each kind in every format.

The files are beside this module. After a wanted change ``pytest tests/golden --golden-write`` writes them anew;
read the diff before you keep it. Ids are replaced by others of the same length, so that they stay the same.
"""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
import typer

from rpctl.cli.app import ALONE, root

if TYPE_CHECKING:
    from conftest import CommandLine

HERE: Final = Path(__file__).parent
FORMATS: Final = {"table": "txt", "tsv": "tsv", "csv": "csv", "json": "json", "jsonl": "jsonl"}

ANSWERS: Final = {
    "summary": ("points", "summary", "C1"),
    "summaries": ("points", "summary"),
    "history": ("points", "history", "C1"),
    "explain": ("points", "explain", "C1"),
    "customers": ("customer", "list"),
    "added": ("points", "add", "C1", "50", "--reference", "order-3", "--valid-until", "+90d", "--key", "k9"),
    "redeemed": ("points", "redeem", "C1", "5", "--description", "Paid at the till", "--key", "k9"),
    "exchanged": ("points", "redeem", "C1", "--option", "ten-euro", "--key", "k9", "--fields", "type,points"),
    "options": ("options", "list"),
    "option": ("options", "show", "ten-euro"),
    "program": ("program", "show"),
    "import": ("points", "import", "changes.csv"),
    "import_runs": ("imports", "list"),
    "verified": ("ledger", "verify"),
    "no_summaries": ("points", "summary", "--ledger", "empty.db"),
    "no_history": ("points", "history", "C1", "--since", "2999-01-01"),
    "no_customers": ("customer", "list", "--search", "nobody"),
    "no_options": ("options", "list", "--ledger", "empty.db"),
    "no_runs": ("imports", "list", "--ledger", "empty.db"),
}

ERRORS: Final = {
    "insufficient_points": ("points", "redeem", "C1", "100000"),
    "customer_not_found": ("points", "balance", "nobody"),
    "key_reused": ("points", "add", "C1", "1", "--key", "k1"),
    "consent_missing": ("customer", "delete", "C1"),
    "invalid_value": ("points", "add", "C1", "1.5"),
    "invalid_file": ("points", "import", "missing.csv"),
    "unknown_verb": ("points", "ad", "C1", "1"),
    "unknown_option": ("points", "add", "C1", "1", "--referense", "x"),
    "missing_argument": ("points", "reverse", "C1"),
}

OPTION: Final[dict[str, Any]] = {
    "id": "ten-euro",
    "name": "10 Euro off",
    "points": 90,
    "description": "From 50 Euro on",
    "campaign": {"color": "blue", "weeks": [14, 15]},
    "coupon": {
        "name": "10 Euro off",
        "discountType": "ABSOLUTE",
        "discountAbsolute": {"amount": 10, "currency": "EUR"},
        "maxRedemptions": 1,
        "restrictions": {
            "validUntil": "2027-12-31T23:59:59.999Z",
            "minOrderValue": {"amount": 50, "currency": "EUR"},
        },
    },
}


def commands() -> list[tuple[str, ...]]:
    """The words of the root, each noun and each verb."""
    tree = root()
    context = typer.Context(typer.main.get_command(typer.Typer(callback=lambda: None)))
    words: list[tuple[str, ...]] = [()]
    for noun in tree.list_commands(context):
        words.append((noun,))
        if noun not in ALONE:
            words += [(noun, verb) for verb in tree.get_command(context, noun).list_commands(context)]
    return words


@pytest.fixture(scope="session")
def kept(request: pytest.FixtureRequest) -> bool:
    """Whether the files are to be compared with, rather than written."""
    return not request.config.getoption("--golden-write")


def compare(name: str, printed: str, kept: bool) -> None:
    """That the file is what was printed; or makes it so."""
    file = HERE / name
    if kept:
        assert file.exists(), f"{name} is missing; write it with --golden-write and read it"
        assert file.read_bytes().decode() == printed
    else:
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(printed.encode())


@dataclass
class Written:
    """Copies of the home and the working folder of who wrote the books, and where the numbers of chance stood then;
    None: nobody has yet."""

    folder: Path
    chance: object = None


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The books that the first test writes, for all others."""
    return Written(tmp_path_factory.mktemp("written"))


@pytest.fixture
def books(
    rpctl: CommandLine, home: Path, tmp_path: Path, written: Written, monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """A command line on a ledger in which something of everything has happened."""
    monkeypatch.setenv("COLUMNS", "80")  # help asks the process itself for its width
    if written.chance is None:
        write(rpctl, tmp_path)
        shutil.copytree(home, written.folder / "home")
        shutil.copytree(tmp_path, written.folder / "work")
        written.chance = rpctl._random.getstate()
    else:
        shutil.copytree(written.folder / "home", home, dirs_exist_ok=True)
        shutil.copytree(written.folder / "work", tmp_path, dirs_exist_ok=True)
        rpctl._random.setstate(written.chance)
    rpctl.at("2026-03-05T12:00:00Z")
    return rpctl


def write(rpctl: CommandLine, folder: Path) -> None:
    """Something of everything, in a ledger and in the working folder."""
    rpctl.at("2026-01-10T09:30:00Z")
    rpctl.ok("ledger", "info")
    rpctl.ok("points", "add", "C1", "209", "--reference", "order-1", "--valid-until", "2026-02-28", "--key", "k1")
    rpctl.ok("points", "add", "C1", "209", "--reference", "order-2", "--description", "Österreich, 2 × Schuhe")
    rpctl.at("2026-02-01T18:05:00Z")
    rpctl.ok("points", "redeem", "C1", "150", "--description", 'Paid "at the till"')
    rpctl.at("2026-03-05T12:00:00Z")
    wrong = json.loads(rpctl.ok("points", "add", "C1", "40", "--description", "=1+1", "-o", "json"))["id"]
    rpctl.ok("points", "reverse", "C1", wrong)
    rpctl.ok("customer", "create", "0042", "--points", "5", "--valid-until", "2027-01-31")
    rpctl.ok("customer", "create", "anna@example.com")
    assert rpctl("options", "create", "--from", "-", stdin=json.dumps(OPTION)).status == 0
    rpctl.ok("options", "create", "--name", "Free shipping", "--points", "20", "--free-shipping")
    (folder / "changes.csv").write_text(
        "customer_id,points,reference_id\n0042,7,order-8\n0042,-100,\nC9,12,order-9\nC9,x,\n", encoding="utf-8"
    )
    assert rpctl("points", "import", "changes.csv", "--rejects", "first.csv").status == 3
    rpctl.ok("ledger", "backup", "empty.db", "--ledger", empty_ledger(rpctl))


def empty_ledger(rpctl: CommandLine) -> str:
    """A ledger that was made but holds nothing."""
    rpctl.ok("program", "set", "--factor", "1", "--ledger", "new.db")
    return "new.db"


def blurred(text: str, books: CommandLine) -> str:
    """The text with ids of this run replaced by stable ones of the same length."""
    entries = books.ok("ledger", "export", "--no-header", "-o", "tsv", "--fields", "id").split()
    for at, entry in enumerate(entries, 1):
        digit = f"{at:x}"
        text = text.replace(entry, re.sub("[0-9a-f]", digit, entry)).replace(entry[:8], digit * 8)
    for option in books.ok("options", "list", "--no-header", "-o", "tsv", "--fields", "id").split():
        text = text.replace(option, "ten-euro" if option == "ten-euro" else "f" * len(option))
    for at, run in enumerate(books.ok("imports", "list", "--no-header", "-o", "tsv", "--fields", "run").split(), 1):
        text = text.replace(run, f"{at}" * len(run))
    return text.replace(books.environ["HOME"], "~")


@pytest.mark.parametrize("words", commands(), ids=lambda words: "-".join(words) or "rpctl")
def test_help(words: tuple[str, ...], rpctl: CommandLine, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")

    printed = rpctl.ok(*words, "--help")

    assert [line for line in printed.splitlines() if len(line) > 80 and not line.startswith("  $ ")] == []
    compare(f"help/{'-'.join(('rpctl', *words))}.txt", printed, kept)


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("name", ANSWERS)
def test_answer(name: str, output: str, books: CommandLine, kept: bool) -> None:
    ended = books(*ANSWERS[name], "-o", output)

    assert ended.status in (0, 3), ended
    printed = blurred(ended.out, books)
    if output == "json":
        json.loads(printed)
    compare(f"answers/{name}.{output}.{FORMATS[output]}".replace(f".{output}.{output}", f".{output}"), printed, kept)


@pytest.mark.parametrize("name", ERRORS)
def test_error(name: str, books: CommandLine, kept: bool) -> None:
    as_lines = books(*ERRORS[name])
    as_json = books(*ERRORS[name], "-o", "json")

    assert (as_lines.out, as_json.out) == ("", "")
    assert as_lines.status == as_json.status == json.loads(as_json.err)["error"]["exitStatus"]
    compare(f"errors/{name}.txt", as_lines.err, kept)
    compare(f"errors/{name}.json", as_json.err, kept)


def test_no_file_is_left_over() -> None:
    expected = {f"help/{'-'.join(('rpctl', *words))}.txt" for words in commands()}
    expected |= {f"answers/{name}.{output}" for name in ANSWERS for output in FORMATS if output != "table"}
    expected |= {f"answers/{name}.table.txt" for name in ANSWERS}
    expected |= {f"errors/{name}.{kind}" for name in ERRORS for kind in ("txt", "json")}

    assert expected == {str(file.relative_to(HERE)) for file in HERE.glob("*/*.*") if file.suffix != ".pyc"}
