"""What commands and options need of the service that they work on, and what can be done where it has nothing like it.

The one place: the session asks for the command before anything is opened, and commands for what was typed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from rpctl.errors import CustomerNotFound, InsufficientPoints, UnsupportedOperation

if TYPE_CHECKING:
    from rpctl.cli.services import Session
    from rpctl.errors import RpctlError

_TOKENS: Final = "tokens"

_COMMANDS: Final[Mapping[str, str]] = {
    "options": "options",
    "program": "program",
    "me": "storefront",
    "customer create": "customers",
    "customer delete": "customers",
    "customer list": "everybody",
    "points explain": "reversals",
    "points reverse": "reversals",
    "imports undo": "reversals",
    "auth token": _TOKENS,
}
"""A noun, or a noun and a verb, and what it needs: tokens, or a capability (`rpctl.backends.port.Backend`)."""

WITHOUT_CUSTOMER: Final = "without a customer"
"""What is asked for in place of an option where everybody is meant."""

_OPTIONS: Final[Mapping[str, str]] = {
    WITHOUT_CUSTOMER: "everybody",
    "--site": "program",
    "--as-of": "reversals",
    "--option": "options",
    "--customer": _TOKENS,
    "--employee": _TOKENS,
    "--scope": _TOKENS,
}

_LACKING: Final[Mapping[str, str]] = {
    "options": "documents no redeem options and no coupons",
    "program": "documents no sites and no program",
    "storefront": "documents nothing that a signed-in customer asks for",
    "customers": "documents no creating or deleting of customers",
    "everybody": "documents no list of customers",
    "reversals": "does not tell what is left of an entry",
    _TOKENS: "gives out no tokens",
}
"""What follows the service's name where it lacks a capability."""

_INSTEAD: Final[Mapping[str, str]] = {
    "me": "`rpctl points balance CUSTOMER` and `rpctl points summary CUSTOMER` tell the same of any customer.",
    "program": "Over this service --order-value takes its --factor from the command line.",
    "customer create": "`rpctl points add` adds points to a customer that the shop knows.",
    "customer list": "`rpctl points balance CUSTOMER` tells of one customer.",
    "points explain": "`rpctl points history CUSTOMER` shows every change that the service tells.",
    "points reverse": "`rpctl points add` and `rpctl points redeem` book the opposite.",
    "imports undo": "`rpctl imports show RUN --rows` tells what is in; import the opposite as a file of its own.",
    "auth token": "Requests carry the client id and the secret themselves: `rpctl api` sends one.",
    WITHOUT_CUSTOMER: "Name one: `rpctl points summary CUSTOMER`.",
    "--site": "Leave it out.",
    "--as-of": "`rpctl points history CUSTOMER --until WHEN` shows the changes up to that moment.",
    "--customer": "Leave it out: requests carry the client id and the secret.",
    "--employee": "Leave it out: requests carry the client id and the secret.",
    "--scope": "Leave it out: requests carry the client id and the secret.",
}
_ELSEWHERE: Final = "It is done in the shop's own administration; --offline --ledger FILE works on a local ledger."
_WHICH_ID: Final = "Check the id: it is the customer's id in the shop, usually the e-mail address."
_HISTORY: Final = "Nothing was taken; `rpctl points history CUSTOMER` shows every change."
_NAMES: Final[Mapping[str, str]] = {"bonifiq": "BonifiQ"}


def check_command(session: Session) -> None:
    """That the profile's service has what the command needs. Raises `UnsupportedOperation`."""
    noun, *verbs = session.path.split()[1:] or [""]
    named = [" ".join((noun, *verbs[:1])), noun]
    command = next((name for name in named if name in _COMMANDS), None)
    if command is not None:
        _check(session, f"`{session.path}`", command, _COMMANDS[command])


def hint_of(session: Session, error: RpctlError) -> str | None:
    """What to do about an error in the profile's world: a hint that names a command which the service has nothing for
    names another one. Raises nothing."""
    if error.hint is None or "settings" not in session.__dict__:  # not known yet
        return error.hint
    settings = session.settings
    if not (settings.is_online or settings.records_offline):
        return error.hint
    if isinstance(error, CustomerNotFound) and error.hint == CustomerNotFound.default_hint:
        return error.hint if "everybody" in session.capabilities else _WHICH_ID
    if isinstance(error, InsufficientPoints) and error.hint == InsufficientPoints.default_hint:
        return error.hint if "reversals" in session.capabilities else _HISTORY
    return error.hint


def check_options(session: Session, typed: Mapping[str, object]) -> None:
    """That options that were typed mean something in the profile's world: those with a value. Raises
    `UnsupportedOperation`."""
    for option in (option for option, value in typed.items() if value):
        if option == "--factor":
            _check_no_program(session)
        else:
            told = f"`{session.path}` {option}" if option == WITHOUT_CUSTOMER else f"`{session.path} {option}`"
            _check(session, told, option, _OPTIONS[option])


def _check(session: Session, told: str, name: str, capability: str) -> None:
    if capability == _TOKENS:  # whether it is worked with now or not: a matter of who one is there
        is_there = session.settings.has_tokens
    else:
        settings = session.settings
        works_on_service = settings.is_online or settings.records_offline
        is_there = not works_on_service or capability in session.capabilities
    if is_there:
        return
    service = _NAMES.get(session.settings.backend, "The service")
    hint = _INSTEAD.get(name) or _ELSEWHERE
    raise UnsupportedOperation(f"{told} cannot be done: {service} {_LACKING[capability]}.", hint)


def _check_no_program(session: Session) -> None:
    if "program" in session.capabilities:
        raise UnsupportedOperation(
            f"`{session.path} --factor` cannot be done: the site's program says what an order value earns.",
            "Leave it out; `rpctl program show` tells the factor.",
        )
