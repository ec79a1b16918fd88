"""What comes of a call, and the envelope that says it.

The documentation names neither codes nor their names; those in the table are made up, no two alike.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, Final, NamedTuple


class Severity(IntEnum):
    """How an outcome is to be taken."""

    SUCCESS = 0
    WARNING = 1
    ERROR = 2


class Code(NamedTuple):
    """One kind of outcome: two digits, a symbolic name, and what is said of it; no message says a success."""

    code: str
    name: str
    message: str | None = None


SUCCESS: Final = Code("00", "Success")
NOT_NOTIFIED: Final = Code("01", "CustomerNotNotified", "The points were changed; the customer was not told of it.")
CUSTOMER_ID_INVALID: Final = Code("10", "CustomerIdInvalid", "The customer's id is not valid.")
POINTS_INVALID: Final = Code("11", "PointsInvalid", "Points must be a 32-bit integer.")
POINTS_ZERO: Final = Code("12", "PointsZero", "Points must not be zero.")
OPERATION_INVALID: Final = Code("13", "OperationTypeInvalid", "OperationType must be 0 or 1.")
SIGN_MISMATCH: Final = Code("14", "SignMismatch", "Points must be positive to add and negative to remove.")
REASON_INVALID: Final = Code("15", "ReasonInvalid", "Reason is required.")
KEY_INVALID: Final = Code("16", "ChangeKeyInvalid", "ChangeKey is required.")
KEY_USED: Final = Code("17", "ChangeKeyAlreadyUsed", "This ChangeKey was used before.")
CUSTOMER_REASON_INVALID: Final = Code("18", "CustomerReasonInvalid", "CustomerReason has at most 255 characters.")
CUSTOMER_UNKNOWN: Final = Code("20", "CustomerNotFound", "The customer was not found.")
TOO_FEW_POINTS: Final = Code("21", "InsufficientPoints", "The customer has fewer points than are to be removed.")
BALANCE_TOO_LARGE: Final = Code("22", "BalanceTooLarge", "The customer's balance would be no 32-bit integer.")
PROGRAM_DISABLED: Final = Code("23", "ProgramDisabled", "The program is switched off.")
UNSPECIFIED: Final = Code("99", "Unspecified", "The points were not changed.")


class Wrong(Exception):
    """Refuses a change: nothing was done."""

    def __init__(self, code: Code) -> None:
        super().__init__(code.name)
        self.code = code


def envelope(result: dict[str, Any], severity: Severity, code: Code) -> dict[str, Any]:
    """The answer around a result."""
    is_error = severity is Severity.ERROR
    return {
        "Result": result,
        "ErrorMessage": code.message,
        "ErrorCode": int(code.code) if is_error else None,
        "Code": code.code,
        "CodeName": code.name,
        "Severity": int(severity),
        "HasWarning": severity is Severity.WARNING,
        "HasError": is_error,
    }
