"""The man pages of section 1: one for the program, one for each noun. The common options stand in the first only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rpctl.cli.offers import Offer
from rpctl.cli.tree import PROGRAM, Argument, Command, Option, Tree
from rpctl.docgen import roff
from rpctl.manual import prose
from rpctl.manual.blocks import Term
from rpctl.manual.endings import endings
from rpctl.manual.topics import SUMMARIES, topic

MANUAL: Final = "rpctl manual"
CSV_PAGE: Final = (f"{PROGRAM}-csv", 5)
STATUS_PAGE: Final = (f"{PROGRAM}-exit-codes", 7)
_ALIKE_AT_LEAST: Final = 3
_COMMON: Final = (
    "Options that every command takes, such as -o, --fields, --profile and --ledger, and how values such as points and "
    "dates are written, are explained in"
)


def program_page(tree: Tree, version: str) -> str:
    """rpctl(1)."""
    pages = [_page_of(noun) for noun in tree.root.commands]
    body = [
        *roff.section("NAME"),
        rf"{PROGRAM} \- {roff.escaped(_phrase(tree.root.summary))}",
        *roff.section("SYNOPSIS"),
        *roff.lines(
            f"{roff.bold(PROGRAM)} {rest}"
            for rest in (
                rf"{roff.italic('NOUN VERB')} [{roff.italic('ARGUMENTS')}] [{roff.italic('OPTIONS')}]",
                rf"{roff.italic('NOUN')} {roff.bold('--help')}",
                rf"{roff.italic('NOUN VERB')} {roff.bold('--help')}",
                rf"{roff.bold('help')} [{roff.italic('TOPIC')}]",
            )
        ),
        *roff.section("DESCRIPTION"),
        *roff.paragraphs(tree.root.paragraphs[1:] or tree.root.paragraphs),
        *roff.section("EXAMPLES"),
        *roff.inset(f"$ {example}" for example in tree.root.examples),
        *roff.section("COMMANDS"),
        *_commands(tree.root.commands),
        *roff.section("COMMON OPTIONS"),
        *roff.paragraphs(["Every command takes these, before the noun or after the verb. What stands later wins."]),
        *_options(tree.common),
        *roff.section("VALUES"),
        *roff.blocks(topic("values").blocks),
        *roff.section("ENVIRONMENT"),
        *roff.blocks(topic("environment").blocks),
        *roff.section("FILES"),
        *(line for name, text in prose.FILES.items() for line in roff.item(roff.italic(name), text)),
        *roff.section("EXIT STATUS"),
        *roff.blocks(Term(str(status), (prose.STATUSES[status],)) for status in endings()),
        ".PP",
        f"{roff.references([STATUS_PAGE])} lists every error.",
        *roff.section("SEE ALSO"),
        roff.references([*pages, CSV_PAGE, STATUS_PAGE]),
        *roff.paragraphs([f"`rpctl help TOPIC` tells of {_listed([f'`{name}`' for name in SUMMARIES])}."]),
    ]
    return roff.page(PROGRAM, 1, f"{PROGRAM} {version}", MANUAL, body)


def noun_page(noun: Command, version: str) -> str:
    """rpctl-NOUN(1)."""
    name = _page_of(noun)[0]
    body = [
        *roff.section("NAME"),
        rf"{roff.escaped(name)} \- {roff.escaped(_phrase(noun.summary))}",
        *roff.section("SYNOPSIS"),
        *roff.lines(_usage(verb) for verb in noun.verbs),
        *roff.section("DESCRIPTION"),
        *roff.paragraphs(noun.paragraphs[1:]),
        ".PP",
        f"{roff.prose(_COMMON)} {roff.references([(PROGRAM, 1)])}.",
    ]
    body += _verbs(noun.commands) if noun.commands else _alone(noun)
    also = [(PROGRAM, 1), STATUS_PAGE]
    if any(option.names[-1] == "--map" for verb in noun.verbs for option in verb.options):
        also.insert(1, CSV_PAGE)
    body += [*roff.section("SEE ALSO"), roff.references(also)]
    return roff.page(name, 1, f"{PROGRAM} {version}", MANUAL, body)


def page_name(noun: Command) -> str:
    """The name of a noun's page."""
    return _page_of(noun)[0]


def _page_of(noun: Command) -> tuple[str, int]:
    return f"{PROGRAM}-{noun.name}", 1


def _verbs(verbs: Sequence[Command]) -> list[str]:
    body = roff.section("COMMANDS")
    for at, verb in enumerate(verbs):
        body += [*roff.subsection(" ".join(verb.path)), *roff.paragraphs(verb.paragraphs[:1]), *_examples(verb)]
        body += [*roff.paragraphs(verb.paragraphs[1:]), *_parameters(verb, verbs[:at])]
    return body


def _alone(command: Command) -> list[str]:
    """What follows the description of a command without verbs."""
    parameters = _parameters(command, ())
    return [
        *roff.section("EXAMPLES"),
        *_examples(command),
        *(roff.section("OPTIONS" if command.options else "ARGUMENTS") if parameters else ()),
        *parameters,
    ]


def _examples(verb: Command) -> list[str]:
    return roff.inset(f"$ {example}" for example in verb.examples)


def _parameters(verb: Command, earlier: Sequence[Command]) -> list[str]:
    body = []
    for argument in verb.arguments:
        body += roff.item(_argument(argument), _argument_text(argument))
    like, alike = _told_before(verb, earlier)
    body += _options(option for option in verb.options if option not in alike)
    if like:
        names = _listed([option.names[-1 if not option.metavar else 0] for option in alike])
        body += roff.paragraphs([f"{names} as with `{' '.join(like.path)}`."])
    return body


def _told_before(verb: Command, earlier: Sequence[Command]) -> tuple[Command | None, list[Option]]:
    """The earlier verb of the same page that shares the most options with this one, and which these are."""
    best: Command | None = None
    alike: list[Option] = []
    for other in earlier:
        shared = [option for option in verb.options if option in other.options]
        if len(shared) > len(alike):
            best, alike = other, shared
    return (best, alike) if len(alike) >= _ALIKE_AT_LEAST else (None, [])


def _usage(verb: Command) -> str:
    words = [roff.bold(" ".join((PROGRAM, *verb.path))), *map(_argument, verb.arguments)]
    return " ".join([*words, f"[{roff.italic('OPTIONS')}]"])


def _argument(argument: Argument) -> str:
    name = roff.italic(argument.name) + ("..." if argument.many else "")
    return name if argument.required else f"[{name}]"


def _argument_text(argument: Argument) -> str:
    return argument.help + _words(argument.help, argument.values.words if _is_closed(argument) else ())


def _options(options: Iterable[Option]) -> list[str]:
    body: list[str] = []
    for option in options:
        value = f" {roff.italic(option.metavar)}" if option.metavar else ""
        default = f" By default `{option.default}`." if option.default else ""
        words = option.values.words if _is_closed(option) else ()
        names = ", ".join(roff.bold(name) for name in option.names)
        body += roff.item(names + value, option.help + _words(option.help, words) + default)
    return body


def _is_closed(one: Argument | Option) -> bool:
    return one.values.offer is Offer.WORDS


def _words(told: str, words: Sequence[str]) -> str:
    return "" if all(word in told for word in words) else f" One of {', '.join(words)}."


def _commands(nouns: Iterable[Command]) -> list[str]:
    body: list[str] = []
    for noun in nouns:
        body += [".TP", roff.references([_page_of(noun)]), roff.prose(noun.summary + ".")]
        if noun.commands:
            body += [".br", roff.prose("Verbs: " + ", ".join(f"`{verb.name}`" for verb in noun.commands) + ".")]
    return body


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _phrase(summary: str) -> str:
    return summary[:1].lower() + summary[1:]
