"""What `rpctl doctor` looks at, a check a function. Nothing is changed, and one thing that is wrong hides no other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from rpctl.errors import RpctlError

if TYPE_CHECKING:
    from rpctl.backends.http import Answer
    from rpctl.cli.services import Session
    from rpctl.delivery.journal import Journal

OK: Final = "ok"
WARN: Final = "warn"
FAIL: Final = "fail"
_SKEW_S: Final = 60
_FEW: Final = 5
_QUICK: Final = 50_000  # as many entries are verified in a second or two


class Check(NamedTuple):
    """A line: what was looked at, how it is (`OK`, `WARN` or `FAIL`), what was seen, and what to do about it."""

    check: str
    status: str
    message: str
    hint: str | None = None


def checkup(session: Session) -> Iterator[Check]:
    """Every check that the profile in force calls for. Raises what is wrong with the settings themselves."""
    settings = session.settings
    yield from _looked("profile", lambda: _profile(session))
    if settings.is_online:
        yield from _looked("credentials", lambda: _credentials(session))
        if settings.has_tokens:
            yield from _asked(session)
        else:
            told = "not asked: every call that is documented names a customer; `rpctl points balance CUSTOMER` asks it"
            yield Check("service", OK, told)
        yield from _looked("journal", lambda: _journal(session))
    yield from _looked("ledger", lambda: _ledger(session))
    yield from _looked("completion", lambda: _completion(session))


def _asked(session: Session) -> Iterator[Check]:
    """What the service itself tells."""
    answers: list[Answer] = []
    yield from _looked("service", lambda: _service(session, answers))
    if answers:
        yield from _looked("clock", lambda: _clock(session, answers[0]))
        yield from _looked("token", lambda: _token(session))
        yield from _looked("tenant", lambda: _tenant(session))


def _looked(check: str, look: Callable[[], Iterator[Check]]) -> Iterator[Check]:
    try:
        yield from look()
    except RpctlError as error:
        yield Check(check, FAIL, error.message, error.hint)


def _profile(session: Session) -> Iterator[Check]:
    settings = session.settings
    name = f"profile {settings.profile}" if settings.profile else "no profile"
    settings.check_world()
    if not settings.is_online:
        yield Check("profile", OK, f"{name}, on the ledger {settings.ledger}")
        return
    service = settings.online()
    marks = [word for word, on in (("production", settings.production), ("read-only", settings.read_only)) if on]
    whose = f"tenant {settings.tenant}" if settings.tenant else f"client {service.client_id}"
    yield Check("profile", OK, f"{name}: {', '.join([f'{whose} at {service.url}', *marks])}")


def _credentials(session: Session) -> Iterator[Check]:
    from rpctl.auth.secrets import Kind
    from rpctl.cli.logging_in import held, kinds

    usable = False
    for kind in kinds(session):
        found = held(session, kind)
        if not found:
            continue
        first, *others = found
        shadowed = f"; shadows {', '.join(one.source for one in others)}" if others else ""
        if first.problem:
            yield Check("credentials", FAIL, f"{kind.value} from {first.source}: {first.problem}", "Correct it.")
        else:
            usable = usable or kind is not Kind.CUSTOMER_TOKEN
            yield Check("credentials", OK, f"{kind.value} from {first.source}{shadowed}")
    if not usable:
        lacking = "neither a client secret nor a ready token" if session.settings.has_tokens else "no client secret"
        yield Check("credentials", FAIL, lacking, "`rpctl auth login` stores one.")


def _service(session: Session, answers: list[Answer]) -> Iterator[Check]:
    connection = session.connect()
    answer = connection.http.request("GET", f"/reward-points/{connection.tenant}/redeemOptions")
    answers.append(answer)
    if "json" in (answer.headers.get("Content-Type") or "").lower():
        yield Check("service", OK, f"{connection.http.base_url} answers")
    else:
        yield Check(
            "service", WARN, f"{connection.http.base_url} answers with {answer.status}, and not with JSON",
            "Check the URL; a proxy may stand in the service's place.",
        )  # fmt: skip


def _clock(session: Session, answer: Answer) -> Iterator[Check]:
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date") or "").timestamp()
    except ValueError:
        yield Check("clock", WARN, "the service does not tell its time")
        return
    skew_s = session.clock() / 1000 - theirs
    if abs(skew_s) < _SKEW_S:
        yield Check("clock", OK, "within a minute of the service's")
    else:
        way = "ahead of" if skew_s > 0 else "behind"
        yield Check(
            "clock", WARN, f"{abs(skew_s):.0f} s {way} the service's", "Set this machine's clock: dates depend on it."
        )


def _token(session: Session) -> Iterator[Check]:
    """The scopes are what the service grants; a ready token says nothing of its own."""
    from rpctl.auth.credentials import MANAGE, SITE, VIEW
    from rpctl.auth.service_token import PATH

    ready = session.credentials.ready_token()
    if ready is not None:
        yield Check("token", OK, f"the one from {ready.source} is used as it is; its scopes and end cannot be seen")
        return
    wanted = {VIEW: "reading", MANAGE: "changing points and options", SITE: "program and --order-value"}
    tokens = session.credentials.service_token(list(wanted))
    answer = session.http.request("POST", PATH, form=tokens.form())
    granted = _granted(answer.body)
    if answer.status != 200 or granted is None:
        yield from _one_by_one(session, wanted)
        return
    yield Check("token", OK, f"granted, for {int(granted[1]) // 60} minutes")
    for scope, use in wanted.items():
        if scope in granted[0]:
            yield Check("scope", OK, scope)
        else:
            yield _lacking(scope, use)


def _one_by_one(session: Session, wanted: dict[str, str]) -> Iterator[Check]:
    """A service may refuse all scopes where one is not granted."""
    from rpctl.cli.logging_in import ask
    from rpctl.errors import MissingScope

    for scope, use in wanted.items():
        try:
            ask(session, session.credentials.service_token([scope]))
        except MissingScope:
            yield _lacking(scope, use)
        else:
            yield Check("scope", OK, scope)


def _lacking(scope: str, use: str) -> Check:
    return Check("scope", WARN, f"{scope} is not granted: no {use}", "Grant it to the API key if that is wanted.")


def _granted(body: bytes) -> tuple[set[str], float] | None:
    try:
        document: Any = json.loads(body)
        return set(str(document["scope"]).split()), float(document["expires_in"])
    except (ValueError, KeyError, TypeError):
        return None


def _tenant(session: Session) -> Iterator[Check]:
    count = len(session.backend.options())
    yield Check("tenant", OK, f"{session.settings.online().tenant} can be read; redeem options: {count}")


def _journal(session: Session) -> Iterator[Check]:
    from rpctl.config.paths import state_dir

    connection = session.connect()
    path = state_dir(session.environ) / "journal.db"
    if not path.exists():
        place = next(part for part in path.parents if part.exists())
        if os.access(place, os.W_OK):
            yield Check("journal", OK, f"{path} will be made by the first change")
        else:
            yield Check("journal", FAIL, f"{path} cannot be made", f"Check the permissions of {place}.")
        return
    journal = session.journal(connection.target)
    yield Check("journal", OK, str(path))
    yield from _keys(journal) if session.service.keeps_keys else _marks(journal)
    if unsettled := journal.all_unsettled():
        keys = ", ".join(one.key for one in unsettled[:_FEW])
        yield Check(
            "journal", WARN, f"changes whose outcome is not known: {len(unsettled)} (keys {keys})",
            "Repeat each command with its key: it finds out, and counts once.",
        )  # fmt: skip


def _marks(journal: Journal) -> Iterator[Check]:
    """What a change is known by at the service."""
    for kind in ("add", "redeem"):
        known = journal.markers(kind)
        kept = [marker for marker, survives in known.items() if survives]
        if kept:
            yield Check("markers", OK, f"the service keeps the {' and the '.join(kept)} of what is sent ({kind})")
        elif known:
            yield Check(
                "markers", WARN, f"the service keeps neither ids nor descriptions of what is sent ({kind})",
                "Where an answer is lost, what became of it cannot be told (exit 8).",
            )  # fmt: skip
        else:
            yield Check("markers", OK, f"learned from the first clear answer ({kind})")


def _keys(journal: Journal) -> Iterator[Check]:
    """What the service answers to a key that it has seen."""
    from rpctl.delivery.keys import Answer

    found = journal.key_answer()
    if found is None:
        yield Check("keys", OK, "what the service answers to a used key is learned from the first clear answer")
    elif found.answer is Answer.COUNTED:
        yield Check(
            "keys", WARN, "the service counted a change again that was sent with the same key",
            "Where an answer is lost, what became of it cannot be told (exit 8).",
        )  # fmt: skip
    elif found.answer is Answer.SHARED:
        yield Check(
            "keys", WARN, "the service answers a used key as it answers other refusals",
            "Where an answer is lost, what became of it may not be told (exit 8).",
        )  # fmt: skip
    else:
        how = " ".join(filter(None, found.outcome)) or "no change"
        yield Check("keys", OK, f"the service counts each key once, and answers a used one with {how}")


def _ledger(session: Session) -> Iterator[Check]:
    from rpctl.backends.ledger import upkeep
    from rpctl.backends.ledger.backend import LedgerBackend, Setting

    path = session.settings.ledger
    if not path.exists():
        yield Check("ledger", OK, f"{path} will be made by the first change" if not session.settings.is_online else
                    "none offline")  # fmt: skip
        return
    backend = LedgerBackend(path, Setting(session.clock, "", ""))
    try:
        facts = upkeep.info(backend)
        problems = len(list(backend.verify().problems())) if facts["entries"] <= _QUICK else None
    finally:
        backend.close()
    if problems:
        yield Check("ledger", FAIL, f"{path}: {problems} problems", "`rpctl ledger verify --offline` shows them.")
    if facts["networkFileSystem"]:
        yield Check(
            "ledger", WARN, f"{path} lies on a network file system ({facts['networkFileSystem']})",
            "Locks may not hold there: move it to a local disk.",
        )  # fmt: skip
        return
    if problems is None:
        yield Check("ledger", OK, f"{path} can be read; `rpctl ledger verify` checks its {facts['entries']} entries")
    elif not problems:
        yield Check("ledger", OK, f"{path}: everything holds, entries {facts['entries']}")


def _completion(session: Session) -> Iterator[Check]:
    from rpctl.cli.completion import SCRIPTS
    from rpctl.config.paths import home_dir

    shell = Path(session.environ.get("SHELL", "")).name
    if shell not in SCRIPTS:
        yield Check("completion", OK, "not looked for: the shell is none of bash, zsh and fish")
        return
    home = home_dir(session.environ)
    places = {
        "bash": (".local/share/bash-completion/completions/rpctl", ".bashrc", ".bash_profile"),
        "zsh": (".zfunc/_rpctl", ".zshrc"),
        "fish": (".config/fish/completions/rpctl.fish",),
    }
    for place in places[shell]:
        if _names_rpctl(home / place):
            yield Check("completion", OK, f"{shell}: {home / place}")
            return
    yield Check("completion", WARN, f"not set up for {shell}", "`rpctl completion --help` tells how.")


def _names_rpctl(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return b"rpctl" in file.read(1_000_000)
    except OSError:
        return False
