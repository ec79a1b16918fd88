"""What docgen says by itself agrees with what the program does."""

from __future__ import annotations

from rpctl import errors
from rpctl.cli.offers import WORDS, Offer
from rpctl.cli.tree import walk
from rpctl.config import allowed, settings
from rpctl.docgen.files import generated
from rpctl.importing.columns import FIELDS
from rpctl.importing.products import ALIASES
from rpctl.manual import prose
from rpctl.manual.endings import endings
from rpctl.render.views import FORMATS
from rpctl.reports.history import TYPES


def option(path: str, name: str) -> Offer:
    """What an option of the real tree offers."""
    tree = walk()
    command = next(one for one in tree.every_command() if " ".join(one.path) == path)
    return next(one.values.offer for one in (*tree.common, *command.options) if name in one.names)


def test_offered_words_are_those_that_the_program_takes() -> None:
    assert WORDS["--output"] == FORMATS
    assert WORDS["--type"] == TYPES
    assert WORDS["--backend"] == allowed.BACKENDS


def test_options_offer_what_belongs_to_them() -> None:
    offers = {
        ("points add", "--output"): Offer.WORDS,
        ("points add", "--profile"): Offer.PROFILES,
        ("points add", "--ledger"): Offer.FILES,
        ("points add", "--reason"): Offer.NOTHING,
        ("points history", "--type"): Offer.WORDS,
        ("points import", "--map"): Offer.PAIRS,
        ("points import", "--rejects"): Offer.FILES,
        ("options create", "--from"): Offer.FILES,
        ("profile create", "--backend"): Offer.WORDS,
    }
    assert {key: option(*key) for key in offers} == offers


def test_arguments_offer_what_belongs_to_them() -> None:
    offered = {
        " ".join(command.path): argument.values.offer
        for command in walk().every_command()
        for argument in command.arguments
        if argument.values.offer is not Offer.NOTHING
    }
    assert offered == {
        "points import": Offer.FILES,
        "ledger backup": Offer.FILES,
        "ledger restore": Offer.FILES,
        "profile show": Offer.PROFILES,
        "profile use": Offer.PROFILES,
        "profile delete": Offer.PROFILES,
        "api": Offer.WORDS,
        "completion": Offer.WORDS,
    }


def test_every_variable_is_documented() -> None:
    assert set(settings.VARIABLES.values()) - prose.ENVIRONMENT.keys() == set()


def test_every_field_and_every_other_name_of_a_column_is_documented() -> None:
    page = generated(walk())["man/rpctl-csv.5"]
    assert tuple(prose.FIELDS) == FIELDS
    assert [name for name in ALIASES if f"\\fB{name}\\fR" not in page] == []


def test_every_exit_status_and_every_code_is_documented() -> None:
    codes = {ending.code for found in endings().values() for ending in found}
    classes = [one for one in vars(errors).values() if isinstance(one, type) and issubclass(one, errors.RpctlError)]
    assert codes == {one.code for one in classes}
    assert {one.exit_status for one in classes} | {0, 3} == endings().keys()
    assert endings().keys() - prose.STATUSES.keys() == set()


def test_the_project_s_own_papers_are_not_mentioned() -> None:
    assert [path for path, text in generated(walk()).items() if ".md" in text] == []
