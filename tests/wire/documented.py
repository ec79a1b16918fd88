"""What the Reward Points Service documents: payloads and error bodies, word for word. Nothing of rpctl is imported."""

from __future__ import annotations

from typing import Any, Final

URL: Final = "https://api.example"

ADDED: Final[dict[str, Any]] = {
    "id": "5345b895-6b68-734e-6d1c-1acdeea574cb",
    "reference-id": "order-9",
    "description": "Order 9",
    "points": 50,
    "createdAt": "2023-05-11T18:32:18.591+00:00",
    "allPointsAfterCreation": 50,
    "usedPoints": 30,
    "validUntil": "2027-05-11T18:32:18.591Z",
    "usedWith": ["6a45b895-6b68-734e-6d1c-1acdeea574cb"],
}
REDEEMED: Final[dict[str, Any]] = {
    "id": "6a45b895-6b68-734e-6d1c-1acdeea574cb",
    "description": "At the till",
    "points": 30,
    "createdAt": "2023-05-12T18:32:18.591Z",
    "allPointsAfterCreation": 20,
}
SUMMARY: Final[dict[str, Any]] = {
    "customerId": "C1",
    "activePoints": 20,
    "summary": {"addedPointsList": [ADDED], "redeemedPointsList": [REDEEMED]},
}
OPTION: Final[dict[str, Any]] = {
    "id": "6650a1",
    "type": "coupon",
    "name": "10 percent",
    "description": "Off everything",
    "points": 90,
    "coupon": {
        "name": "10 percent",
        "discountType": "PERCENT",
        "discountPercentage": 10,
        "allowAnonymous": False,
        "maxRedemptions": -1,
        "restrictions": {"validUntil": "2030-01-01T00:00:00.000Z", "aNewOne": [1, 2]},
        "aNewField": {"deep": 0.1},
    },
    "pointsAfterCoupon": 10,
    "metadata": {"version": 3, "createdAt": "2023-05-11T18:32:18.591Z", "aNewField": "x"},
    "aNewField": ["kept", None],
}
MIXIN: Final[dict[str, Any]] = {
    "referral": {"enabled": True, "share": 0.30},
    "codePrefix": "OUR",
    "length": 8,
    "metadata": {"schema": "https://schemas.example/coupon.json"},
    "rewardpoints": {
        "enabled": True,
        "orderValueToRewardPointsFactor": 0.1,
        "validityInMonths": 12,
        "codePrefix": "LLS",
        "aNewField": {"ratio": 0.30, "list": [1, 2.50]},
    },
}

PROBLEM: Final = {
    "type": "about:blank", "title": "Bad Request", "status": 400, "detail": "Invalid request content.",
    "instance": "/customer/61443563/addPoints",
}  # fmt: skip
VALIDATION: Final = {
    "type": "validation_violation", "status": 400, "message": "There are validation errors",
    "moreInfo": "https://developer.emporix.io",
    "details": [
        {"field": "tenant", "type": "size", "message": "size must be between 3 and 16", "moreInfo": ""},
        {"field": "points", "type": "min", "message": "must be greater than 0", "moreInfo": ""},
    ],
}  # fmt: skip
UNAUTHORIZED: Final = {
    "fault": {"faultstring": "Invalid access token", "detail": {"errorcode": "oauth.v2.InvalidAccessToken"}}
}
FORBIDDEN: Final = {
    "code": 403, "status": "Forbidden", "message": "Scope validation failed",
    "details": ["Missing required scopes '[rewardspoints.rewardpoints_view, saasag.rewardpoints_view]'"],
}  # fmt: skip
FORBIDDEN_TO_MANAGE: Final = {
    **FORBIDDEN,
    "details": ["Missing required scopes '[rewardspoints.rewardpoints_manage, saasag.rewardpoints_manage]'"],
}
FORBIDDEN_SITE: Final = {**FORBIDDEN, "details": ["Missing required scopes '[site.site_manage]'"]}
NOT_FOUND: Final = {
    "type": "resource_not_found", "status": 404, "message": "No reward points found for customer 202429132",
    "details": [],
}  # fmt: skip
EXISTS: Final = {
    "type": "conflict_resource", "status": 409, "message": "New Reward Point Entry not Created", "moreInfo": "",
    "details": [{"field": "customerId", "message": "exists"}],
}  # fmt: skip
STALE: Final = {
    "status": 409, "message": "RedeemOption not Updated",
    "details": {
        "message": "The resource that was requested for update with id = 64b7a has changed. "
        "Please retry your request with valid version"
    },
}  # fmt: skip
FAILED: Final = {
    "timestamp": "2023-05-11T18:32:18.591+00:00", "status": 500, "error": "Internal Server Error",
    "path": "/customer/C1",
}  # fmt: skip
