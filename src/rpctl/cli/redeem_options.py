"""rpctl options: list, show, create, update, delete."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rpctl.domain.redeem_options import RedeemOption, check_option, merge
from rpctl.domain.values import NEVER, format_instant, parse_count, parse_decimal, parse_id, parse_points, parse_when
from rpctl.errors import InvalidFile, InvalidValue, OptionNotFound, StaleVersion, UsageError
from rpctl.render import views

if TYPE_CHECKING:
    from rpctl.cli.services import Session

app = typer.Typer()

OptionId = Annotated[str, typer.Argument(metavar="ID", help="The redeem option's id.")]
Name = Annotated[str | None, typer.Option(metavar="TEXT", help="What the customer sees.")]
Points = Annotated[str | None, typer.Option(metavar="N", help="What the coupon costs.")]
Description = Annotated[str | None, typer.Option(metavar="TEXT", help="What the customer reads about it.")]
Percent = Annotated[str | None, typer.Option(metavar="0-100", help="A coupon for so many percent.")]
Amount = Annotated[str | None, typer.Option(metavar="AMOUNT", help="A coupon for a fixed amount, with --currency.")]
Currency = Annotated[str | None, typer.Option(metavar="CODE", help="ISO 4217, such as EUR.")]
FreeShipping = Annotated[bool, typer.Option("--free-shipping", help="A coupon for free shipping.")]
MaxRedemptions = Annotated[str | None, typer.Option(metavar="N", help="How often a coupon works; -1: no limit.")]
PerCustomer = Annotated[str | None, typer.Option(metavar="N", help="How often for one customer; -1: no limit.")]
ValidFrom = Annotated[str | None, typer.Option(metavar="WHEN", help="From when the coupon works.")]
ValidUntil = Annotated[str | None, typer.Option(metavar="WHEN", help="Until when the coupon works.")]
MinOrder = Annotated[str | None, typer.Option(metavar="AMOUNT", help="Smallest order, with --currency.")]
From = Annotated[str | None, typer.Option("--from", metavar="FILE|-", help="A whole JSON document; options change it.")]

_COLUMNS = (
    views.Column("id"),
    views.Column("name"),
    views.Column("points", number=True),
    views.Column("discount", lambda option: _discount(option.get("coupon") or {})),
    views.Column(
        "validUntil",
        lambda option: ((option.get("coupon") or {}).get("restrictions") or {}).get("validUntil"),
        title="valid until",
        brief=views.brief_moment,
    ),
    views.Column("version", lambda option: option["metadata"]["version"], number=True),
    views.Column("description"),
    views.Column("type", shown=False),
    views.Column("coupon", shown=False),
    views.Column("metadata", shown=False),
)
_FIELDS = tuple(column.name for column in _COLUMNS)


@app.command(name="list")
def list_(ctx: typer.Context) -> views.View:
    """List the redeem options.

    $ rpctl options list
    $ rpctl options list -o json
    """
    return views.View((option.document for option in ctx.obj.backend.options()), _COLUMNS)


@app.command()
def show(ctx: typer.Context, id: OptionId) -> views.View:
    """Show one redeem option, whole.

    $ rpctl options show 6650a1 -o json
    """
    return _view([_find(ctx.obj, parse_id(id, "option id"))])


@app.command()
def create(
    ctx: typer.Context,
    name: Name = None,
    points: Points = None,
    description: Description = None,
    percent: Percent = None,
    amount: Amount = None,
    currency: Currency = None,
    free_shipping: FreeShipping = False,
    max_redemptions: MaxRedemptions = None,
    max_redemptions_per_customer: PerCustomer = None,
    valid_from: ValidFrom = None,
    valid_until: ValidUntil = None,
    min_order: MinOrder = None,
    from_: From = None,
) -> views.View:
    """Create a redeem option.

    $ rpctl options create --name "10 Euro" --points 90 --amount 10 --currency EUR
    $ rpctl options create --from option.json
    """
    session: Session = ctx.obj
    changes = _changes(session, ctx.params)
    document = merge(_read(session, from_) if from_ else {}, changes)
    if "coupon" in document and isinstance(document["coupon"], dict):
        document["coupon"].setdefault("name", document.get("name"))
    for flag, value in (("--name", name), ("--points", points)):
        if not from_ and value is None:
            raise UsageError(f"{flag} is missing.", 'rpctl options create --name "10 %" --points 90 --percent 10')
    if not from_ and "coupon" not in document:
        raise UsageError("A redeem option needs a coupon.", "Add --percent 10, or --amount 10 --currency EUR.")
    books = session.writing(_FIELDS)
    if session.settings.is_online:  # it has no key: the same command again might make another one
        session.repeat_hint = "`rpctl options list` shows whether it was made; repeat this only if it was not."
    return _view([books.create_option(document)], written=True)


@app.command()
def update(
    ctx: typer.Context,
    id: OptionId,
    name: Name = None,
    points: Points = None,
    description: Description = None,
    percent: Percent = None,
    amount: Amount = None,
    currency: Currency = None,
    free_shipping: FreeShipping = False,
    max_redemptions: MaxRedemptions = None,
    max_redemptions_per_customer: PerCustomer = None,
    valid_from: ValidFrom = None,
    valid_until: ValidUntil = None,
    min_order: MinOrder = None,
    from_: From = None,
    if_version: Annotated[
        str | None, typer.Option("--if-version", metavar="N", help="Only if the option still has this version.")
    ] = None,
) -> views.View:
    """Change what is named; the rest stays, fields that rpctl does not know included.

    $ rpctl options update 6650a1 --points 80
    $ rpctl options show 6650a1 -o json | jq '.points = 80' | rpctl options update 6650a1 --from -

    A document with metadata.version is refused if someone changed the option since (exit 6, stale_version).
    """
    session: Session = ctx.obj
    option_id = parse_id(id, "option id")
    books = session.writing(_FIELDS)  # first, so that one token serves for reading and writing
    current = _find(session, option_id)
    changes = _changes(session, ctx.params, current)
    if not changes and not from_:
        raise UsageError("Nothing to change.", "Name what to change, e.g. --points 80.")
    whole = _read(session, from_) if from_ else current.document
    if whole.get("id", option_id) != option_id:
        raise UsageError(
            f"The document is redeem option {whole['id']}, not {option_id}.",
            "Name its own id, or take the id out of it.",
        )
    known = parse_count(if_version, "versions") if if_version is not None else _version_of(whole, current.version)
    document = merge(whole, changes)
    if known != current.version:
        if known + 1 == current.version and check_option(document) == check_option(current.document):
            session.terminal.note(f"this update is in already, as version {current.version}; nothing changed")
            return _view([current], written=True)
        raise StaleVersion(
            f"Redeem option {option_id} is at version {current.version}; the update was made from version {known}.",
            currentVersion=current.version,
            sentVersion=known,
        )
    return _view([books.update_option(option_id, known, document)], written=True)


@app.command()
def delete(
    ctx: typer.Context,
    id: OptionId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> views.View:
    """Delete a redeem option; coupons that were issued for it stay.

    $ rpctl options delete 6650a1 --yes
    """
    session: Session = ctx.obj
    backend = session.writing(("id", "deleted"))
    option = _find(session, parse_id(id, "option id"))
    session.consent(
        f"Delete redeem option {option.id} ({option.name})?",
        yes=yes,
        command=session.command("options", "delete", "--yes", arguments=[option.id]),
    )
    backend.delete_option(option.id)
    return views.record({"id": option.id, "deleted": True}, written=True)


def _view(options: Iterable[RedeemOption], *, written: bool = False) -> views.View:
    return views.View([option.document for option in options], _COLUMNS, many=False, written=written)


def _find(session: Session, option_id: str) -> RedeemOption:
    for option in session.backend.options():
        if option.id == option_id:
            return option
    raise OptionNotFound(f"There is no redeem option {option_id}.")


def _version_of(document: Any, default: int) -> int:
    metadata = document.get("metadata")
    version = metadata.get("version", default) if isinstance(metadata, dict) else default
    if not isinstance(version, int):
        raise InvalidValue(f"metadata.version is {version!r}; it is a whole number.")
    return version


def _changes(session: Session, given: Mapping[str, Any], current: RedeemOption | None = None) -> dict[str, Any]:
    """The document of what was named on the command line; ``given`` are the command's parameters."""
    changes: dict[str, Any] = {name: given[name] for name in ("name", "description") if given[name] is not None}
    if given["points"] is not None:
        changes["points"] = parse_points(given["points"])
    coupon = _discount_of(given)
    for name, field in (
        ("max_redemptions", "maxRedemptions"),
        ("max_redemptions_per_customer", "maxRedemptionsPerCustomer"),
    ):
        if given[name] is not None:
            coupon[field] = _limit(given[name])
    restrictions = _restrictions_of(session, given)
    for money in (coupon.get("discountAbsolute"), restrictions.get("minOrderValue")):
        if money:
            money["currency"] = given["currency"] or _currency(current)
            if money["currency"] is None:
                raise UsageError("An amount needs a currency.", "Add --currency EUR.")
    if restrictions:
        coupon["restrictions"] = restrictions
    if coupon:
        changes["coupon"] = coupon
    return changes


def _discount_of(given: Mapping[str, Any]) -> dict[str, Any]:
    """The coupon's discount; a new one takes the place of every other kind, which None removes."""
    percent, amount, free_shipping = given["percent"], given["amount"], given["free_shipping"]
    if (percent is not None) + (amount is not None) + free_shipping > 1:
        raise UsageError("--percent, --amount and --free-shipping exclude one another.")
    nothing = {"discountPercentage": None, "discountAbsolute": None}
    if percent is not None:
        return {**nothing, "discountType": "PERCENT", "discountPercentage": _number(percent, "percentage")}
    if amount is not None:
        return {**nothing, "discountType": "ABSOLUTE", "discountAbsolute": {"amount": _number(amount, "amount")}}
    return {**nothing, "discountType": "FREE_SHIPPING"} if free_shipping else {}


def _restrictions_of(session: Session, given: Mapping[str, Any]) -> dict[str, Any]:
    restrictions: dict[str, Any] = {}
    if given["min_order"] is not None:
        restrictions["minOrderValue"] = {"amount": _number(given["min_order"], "smallest order")}
    if given["valid_from"] is not None:
        start = parse_when(given["valid_from"], session.zone).resolve(session.clock())
        restrictions["validFrom"] = format_instant(start)
    if given["valid_until"] is not None:
        end = parse_when(given["valid_until"], session.zone, end_of_day=True).resolve(session.clock())
        restrictions["validUntil"] = None if end >= NEVER else format_instant(end)
    return restrictions


def _currency(option: RedeemOption | None) -> str | None:
    coupon = (option.document.get("coupon") if option else None) or {}
    found = (coupon.get("discountAbsolute") or {}).get("currency")
    return found or ((coupon.get("restrictions") or {}).get("minOrderValue") or {}).get("currency")


class _NoNumber(ValueError):
    """NaN or Infinity, which JSON does not have."""


def _no_number(text: str) -> None:
    raise _NoNumber(text)


def _limit(text: str) -> int:
    return -1 if text == "-1" else parse_count(text, "redemptions")


def _number(text: str, what: str) -> int | float:
    value: Decimal = parse_decimal(text, what)
    return int(value) if value == value.to_integral_value() else float(value)


def _read(session: Session, name: str) -> dict[str, Any]:
    where = "standard input" if name == "-" else name
    try:
        if name == "-":
            text = session.terminal.stdin.read() if session.terminal.stdin else ""
        else:
            text = Path(name).read_text(encoding="utf-8-sig")
        document = json.loads(text, parse_constant=_no_number)
    except OSError as error:
        raise InvalidFile(
            f"{where} cannot be read: {error.strerror}.", "Check the name and its permissions."
        ) from error
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{where} is not UTF-8 text.", "Save it as UTF-8.") from error
    except _NoNumber as error:
        raise InvalidFile(
            f"{where} is not JSON: {error} is no number there.", "Write a number, or leave it out."
        ) from None
    except json.JSONDecodeError as error:
        raise InvalidFile(
            f"{where} is not JSON: {error.msg} in line {error.lineno}, column {error.colno}.",
            "`rpctl options show ID -o json` shows what it looks like.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise InvalidFile(f"{where} holds JSON beyond all measure.", "An option is a small document.") from error
    if isinstance(document, list) and len(document) == 1:
        document = document[0]
    if not isinstance(document, dict):
        raise InvalidFile(f"{where} holds no JSON object.", "`rpctl options show ID -o json` shows what it looks like.")
    return document


def _discount(coupon: dict[str, Any]) -> str:
    kind = coupon.get("discountType")
    if kind == "PERCENT":
        return f"{coupon.get('discountPercentage')} %"
    if kind == "ABSOLUTE":
        money = coupon.get("discountAbsolute") or {}
        return f"{money.get('amount')} {money.get('currency')}"
    return "free shipping" if kind == "FREE_SHIPPING" else ""
