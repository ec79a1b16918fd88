"""What a new data set begins with: summaries as the API writes them, redeem options, or a CSV of balances."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from rpctl.domain.changes import AddPoints, Change, RedeemPoints
from rpctl.domain.outcomes import Refused
from rpctl.domain.redeem_options import check_option
from rpctl.domain.values import NEVER, When, parse_id, parse_instant, parse_points
from rpctl.errors import InvalidFile, InvalidValue, RpctlError
from rpctl.sandbox.dataset import DataSet

_CSV: Final = ("customer_id", "points")
_FORMS: Final = 'Allowed: [Summary ...], {"summaries": [...], "redeemOptions": [...]}, or a CSV of customer_id,points.'


def load(path: Path, data: DataSet) -> int:
    """Puts what the file has into a new data set and returns how many customers that are.

    Raises `InvalidFile` for a file that cannot be read or whose points do not add up, `InvalidValue` where the data
    set has customers already.
    """
    for _ in data.backend.customers(limit=1):
        raise InvalidValue("--load is for a new ledger; this one has customers.", "Leave it out, or name a new file.")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidFile(f"{path} cannot be read: {error.strerror}.", "Check the name and its permissions.") from error
    except UnicodeDecodeError as error:
        raise InvalidFile(f"{path} is not UTF-8 text.", "Save it as UTF-8.") from error
    is_json = text.lstrip()[:1] in ("[", "{")
    try:
        return _load_json(text, data) if is_json else _load_csv(text, data)
    except json.JSONDecodeError as error:
        raise InvalidFile(f"{path} is not JSON: {error.msg} in line {error.lineno}.", _FORMS) from None
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError, csv.Error) as error:
        raise InvalidFile(f"{path} cannot be loaded: {type(error).__name__} {error}.", _FORMS) from None
    except RpctlError as error:
        raise InvalidFile(f"{path} cannot be loaded: {error.message}", _FORMS) from None


def _load_json(text: str, data: DataSet) -> int:
    document = json.loads(text)
    both = document if isinstance(document, dict) else {"summaries": document}
    options = both.get("redeemOptions", ())
    for option in options:
        check_option(option)
    changes: dict[str, list[Change]] = {}
    for summary in both.get("summaries", ()):
        customer_id = parse_id(summary["customerId"])
        if customer_id in changes:
            raise InvalidValue(f"Customer {customer_id} is there twice.")
        changes[customer_id] = list(_changes(customer_id, summary["summary"], data))
    _apply([change for some in changes.values() for change in some], data)
    for customer_id, some in changes.items():
        if not some:
            data.backend.create_customer(customer_id)
    for option in options:
        data.backend.create_option(option)
    return len(changes)


def _changes(customer_id: str, lists: dict[str, Any], data: DataSet) -> Iterable[Change]:
    """A summary's entries as changes, in the order of their moments; of one moment added points come first."""
    added = [(entry, True) for entry in lists["addedPointsList"]]
    redeemed = [(entry, False) for entry in lists.get("redeemedPointsList") or ()]
    for entry, is_added in sorted([*added, *redeemed], key=lambda one: parse_instant(one[0]["createdAt"])):
        key = data.fresh_key()
        data.name(key, entry.get("id"), undescribed=entry.get("description") == "")
        points = parse_points(str(entry["points"]))
        created_at = parse_instant(entry["createdAt"])
        description = entry.get("description") or None
        if is_added:
            until = entry.get("validUntil")
            valid_until = When(until, parse_instant(until)) if until else When("never", NEVER)
            yield AddPoints(
                customer_id,
                key,
                points=points,
                reference_id=entry.get("reference-id"),
                description=description,
                valid_until=valid_until,
                created_at=created_at,
            )
        else:
            yield RedeemPoints(customer_id, key, points=points, description=description, created_at=created_at)


def _load_csv(text: str, data: DataSet) -> int:
    header, *rows = csv.reader(io.StringIO(text))
    if tuple(header) != _CSV:
        raise InvalidValue(f"The header is not {','.join(_CSV)}.")
    changes = []
    for customer_id, points in filter(None, rows):
        changes.append(AddPoints(parse_id(customer_id), data.fresh_key(), points=parse_points(points)))
    _apply(changes, data)
    return len({change.customer_id for change in changes})


def _apply(changes: Sequence[Change], data: DataSet) -> None:
    """All of them or none."""
    outcomes = data.backend.apply(changes, entries=False, all_or_nothing=True)
    for change, outcome in zip(changes, outcomes, strict=True):
        if isinstance(outcome, Refused):
            raise InvalidValue(f"The points of customer {change.customer_id} do not add up: {outcome.error.message}")
