"""How a secret is given, asked for, tried and stored: what `rpctl auth login` does, a step a function."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from rpctl.auth.credentials import VIEW
from rpctl.auth.secrets import (
    MAX_BYTES,
    SECRET_FILE,
    VARIABLES,
    Held,
    Kind,
    all_held,
    checked,
    places,
    read_file,
    text_of,
)
from rpctl.errors import InvalidValue, UsageError

if TYPE_CHECKING:
    from rpctl.auth.secrets import Secret
    from rpctl.auth.service_token import ServiceToken
    from rpctl.auth.token_cache import Token
    from rpctl.cli.services import Session


def kinds(session: Session) -> list[Kind]:
    """What the profile's service can be authenticated with."""
    return list(Kind) if session.settings.has_tokens else [Kind.CLIENT_SECRET]


def kind_of(*, customer: bool, employee: bool) -> Kind:
    """What ``--customer`` or ``--employee`` mean, or neither. Raises `UsageError`."""
    if customer and employee:
        raise UsageError("--customer and --employee are different tokens.", "Store them one after the other.")
    return Kind.CUSTOMER_TOKEN if customer else Kind.EMPLOYEE_TOKEN if employee else Kind.CLIENT_SECRET


def options_of(
    session: Session, kind: Kind, *, secret_stdin: bool, secret_file: str | None, token_stdin: bool
) -> list[str]:
    """The options that say where the secret comes from; none where it is asked for. Raises `UsageError`."""
    if kind is Kind.CLIENT_SECRET:
        if token_stdin:
            raise UsageError("--token-stdin needs --customer or --employee.", "--secret-stdin reads the client secret.")
        if secret_stdin and secret_file is not None:
            raise UsageError("--secret-stdin and --secret-file are two places for one secret.", "Name one.")
        how = ["--secret-file", secret_file] if secret_file is not None else ["--secret-stdin"] * secret_stdin
    else:
        if secret_stdin or secret_file is not None:
            raise UsageError(
                "--secret-stdin and --secret-file are for the client secret.", "--token-stdin reads a token."
            )
        how = ["--customer" if kind is Kind.CUSTOMER_TOKEN else "--employee", *["--token-stdin"] * token_stdin]
    is_given = secret_stdin or token_stdin or secret_file is not None
    if not is_given and (session.settings.no_input or not session.terminal.can_ask):
        option = "--secret-stdin or --secret-file FILE" if kind is Kind.CLIENT_SECRET else "--token-stdin"
        raise UsageError(f"There is no {kind.value}, and nobody can be asked here.", f"Add {option}.")
    return how


def from_file(session: Session, kind: Kind, path: str) -> Secret:
    """What the file that was named holds. Raises `InvalidConfig`, `InvalidValue`."""
    from rpctl.config.paths import expand_home

    found = read_file(kind, str(expand_home(path, session.environ)), "--secret-file")
    if found is None:
        raise InvalidValue("The file that --secret-file names is empty.", "It holds the secret in one line.")
    return found


def given(session: Session, kind: Kind) -> Secret:
    """What is typed without echo, or comes by standard input. Raises `InvalidValue`."""
    terminal = session.terminal
    if terminal.stdin is not None and terminal.stdin.isatty():
        what = session.credentials.account.named(kind.value)
        text = terminal.ask_secret(f"{what[0].upper()}{what[1:]}:")
    else:
        content = b"" if terminal.stdin is None else terminal.stdin.buffer.read(MAX_BYTES + 1)
        text = text_of(kind, content, "standard input")
    if not text:
        raise InvalidValue(f"The {kind.value} from standard input is empty.", "Nothing was stored.")
    return checked(kind, text, "standard input")


def in_file(session: Session, kind: Kind, how: list[str], *, yes: bool) -> bool:
    """Whether it goes to a file, because there is no keyring. Raises `ConsentMissing`."""
    store = session.credentials.store
    why = store.absence(kind)
    if why is None:
        return False
    variables = [SECRET_FILE] * (kind is Kind.CLIENT_SECRET) + [VARIABLES[kind]]
    session.terminal.note(f"no keyring: {why}; {' or '.join(variables)} hands it over without storing it")
    session.consent(
        f"Store the {kind.value} as plain text in {store.file(kind)}, which only you can read?",
        yes=yes,
        command=session.command("auth", "login", *how, "--yes"),
    )
    return True


def tokens_of(session: Session, secret: Secret) -> ServiceToken:
    """Tokens for this very secret, which are not kept before the service has accepted it and it is stored."""
    from rpctl.auth.service_token import ServiceToken
    from rpctl.auth.token_cache import TokenCache

    account = session.credentials.account
    return ServiceToken(account, (VIEW,), TokenCache(account, None), lambda: secret, session.clock)


def ask(session: Session, tokens: ServiceToken) -> Token:
    """Asks the service for a token. Raises what `read_token_answer` raises, and what the way there does."""
    from rpctl.auth.service_token import PATH

    form = tokens.form()
    with closing(session.http) as http:
        answer = http.request("POST", PATH, form=form)
    return tokens.accept(answer.status, answer.body)


def warn_of_stronger(session: Session, kind: Kind, stored: str) -> None:
    """Says where something else wins over what was just stored."""
    winner = next(iter(held(session, kind)), None)
    if winner is not None and winner.source != stored:
        session.terminal.warn(f"{winner.source} has a {kind.value} too, and wins")
    if kind is Kind.CLIENT_SECRET and session.settings.has_tokens:
        for ready in held(session, Kind.EMPLOYEE_TOKEN)[:1]:
            session.terminal.warn(f"the employee token from {ready.source} wins over the client secret")


def held(session: Session, kind: Kind) -> list[Held]:
    """The places that have this, the winner first."""
    return list(all_held(kind, places(kind, session.environ, session.credentials.store)))
