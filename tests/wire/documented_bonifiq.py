"""What BonifiQ documents of its two calls, field for field. Nothing of rpctl is imported."""

from __future__ import annotations

from typing import Any, Final

C1: Final = "/v1/pvt/Customer/C1/points"

ADDED: Final[dict[str, Any]] = {
    "Id": 71,
    "IsCanceled": False,
    "DateReceived": "2026-01-10T09:30:00",
    "ExpirationDate": "2026-02-10T09:30:00",
    "Amount": 50,
    "CashbackAmount": 2.5,
    "BranchId": None,
    "BranchName": None,
    "OrderOriginDescription": "Order 9",
    "PointType": 1,
    "PointTypeDescription": "Purchase",
}
REDEEMED: Final[dict[str, Any]] = {
    "Id": "72",
    "IsCanceled": False,
    "DateReceived": "2026-01-12T18:32:18.5912345Z",
    "ExpirationDate": None,
    "Amount": -30.0,
    "CashbackAmount": 0,
    "BranchId": 4,
    "BranchName": "Centro",
    "OrderOriginDescription": None,
    "PointType": 2,
    "PointTypeDescription": "Rescue",
}
RESULT: Final[dict[str, Any]] = {
    "CustomerExists": True,
    "InternalId": "5f0c",
    "PointsBalance": 20,
    "PointsToExpire": [{"Points": 20, "When": "2026-12-31T00:00:00"}],
    "CashbackBalance": 1.75,
    "RedeemKey": None,
    "PointHistory": [REDEEMED, ADDED],
    "Name": "Ana",
    "Error": None,
}


def envelope(result: Any = RESULT, **fields: Any) -> dict[str, Any]:
    """A success, but for what is said."""
    return {
        "Result": result, "ErrorMessage": None, "ErrorCode": None, "Code": "00", "CodeName": "Success", "Severity": 0,
        "HasWarning": False, "HasError": False, **fields,
    }  # fmt: skip


def refusal(code: str, name: str, message: str, **fields: Any) -> dict[str, Any]:
    """An error."""
    return envelope(None, Code=code, CodeName=name, ErrorMessage=message, Severity=2, HasError=True, **fields)


USED: Final = refusal("17", "ChangeKeyAlreadyUsed", "This key was used.")
"""How a used key is answered here; which code that has is not documented."""
