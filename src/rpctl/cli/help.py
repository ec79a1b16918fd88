"""rpctl help: topics, and the help of commands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rpctl.cli.options import Group
from rpctl.errors import UsageError
from rpctl.manual.blocks import Heading, Paragraph, Term, Topic
from rpctl.manual.plain import as_text
from rpctl.manual.topics import SUMMARIES, topic
from rpctl.render.views import Document, View, record

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()


@app.command(name="help")
def help_(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[TOPIC]...", help=f"One of {', '.join(SUMMARIES)}; or a command, such as points add."),
    ] = None,
) -> View:
    """Explain a topic, or show the help of a command.

    $ rpctl help exit-codes
    $ rpctl help points add
    $ rpctl help csv | less

    Without a topic it lists them. The text is as wide as the terminal, and 80 columns in a pipe; with -o json it is a
    document with the topic and its text.
    """
    session: Session = ctx.obj
    if not words:
        return _list_of_topics(session)
    name = " ".join(words)
    if words[0] not in SUMMARIES:
        text = _help_of(words, ctx) + "\n"
    elif len(words) == 1:
        text = as_text(topic(name), session.terminal.width)
    else:
        raise _nothing_below(f"The topic {words[0]}", words[1])
    return _answer({"schema": "rpctl.help/1", "topic": name, "text": text}, text, session)


def _list_of_topics(session: Session) -> View:
    how = "`rpctl help TOPIC` explains one, `rpctl help points add` shows a command's help, `rpctl --help` lists "
    terms = (Term(name, (f"{summary[:1].upper()}{summary[1:]}.",)) for name, summary in SUMMARIES.items())
    listed = Topic("", "what rpctl tells about itself", (Heading("Topics"), *terms, Paragraph(f"{how}the commands.")))
    topics = [{"topic": name, "summary": summary} for name, summary in SUMMARIES.items()]
    document = {"schema": "rpctl.help-topics/1", "topics": topics}
    return _answer(document, as_text(listed, session.terminal.width), session)


def _answer(document: Document, text: str, session: Session) -> View:
    # Without a format that was asked for the settings stay unread: help is there where the configuration is broken.
    asked = session.flags.get("output") or session.environ.get("RPCTL_OUTPUT")
    if asked and session.format.name in ("json", "jsonl"):
        return record(document)
    return View((text.removesuffix("\n"),), many=False, bare=True)


def _help_of(words: Sequence[str], ctx: Any) -> str:
    """What ``--help`` shows of the command with these words. Raises `UsageError` where there is none."""
    context: Any = ctx.find_root()
    if words[0] not in context.command.list_commands(context):
        topics = f"Topics: {', '.join(SUMMARIES)}; `rpctl --help` lists the commands."
        raise UsageError(f"There is no topic and no command {words[0]!r}.", topics)
    for word in words:
        if not isinstance(context.command, Group):
            raise _nothing_below(f"`{context.command_path}`", word)
        name, command, _ = context.command.resolve_command(context, [word])
        context = typer.Context(command, info_name=name, parent=context)
    text: str = context.get_help()
    return text


def _nothing_below(what: str, word: str) -> UsageError:
    return UsageError(f"{what} has nothing below it, so no {word!r}.", "Leave that out.")
