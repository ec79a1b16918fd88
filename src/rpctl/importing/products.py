"""How other products name their columns, and which field each name means.

Names are squeezed: without letter case, spaces, underscores and hyphens. The pages where the products document their
headers stand beside them, as read in November 2026.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

ALIASES: Final[Mapping[str, str]] = {
    # Talon.One: import of points, export of balances, of a customer and of a card
    # https://docs.talon.one/docs/dev/tutorials/importing-loyalty-data
    # https://developers.qodex.ai/talon-one/management-api-1/loyalty-1/export-customer-loyalty-balances
    "customerprofileid": "customer_id",
    "identifier": "customer_id",
    "startdate": "created_at",
    "expirydate": "valid_until",
    "profileintegrationid": "customer_id",
    "cardidentifier": "customer_id",
    "currentbalance": "points",
    # Smile: https://help.smile.io/en/articles/4036233-import-points-with-a-csv-file
    "email": "customer_id",
    # Yotpo: import of points, import of customers with balances, export
    # https://support.yotpo.com/v1/docs/importing-or-adjusting-your-customers-points
    # https://support.yotpo.com/v1/docs/importingexporting-points-and-customers
    "emails": "customer_id",
    "emailaddress": "customer_id",
    "pointsbalance": "points",
    "currentpointsbalance": "points",
    # Influence.io; Action is the text that customers see
    # http://support.influence.io/en/articles/9184848-point-import
    "action": "description",
    # LoyaltyLion: its import has e-mail addresses and points, its export the names of its API
    # https://help.loyaltylion.com/en/articles/5553630-imports
    # https://developers.loyaltylion.com/api/resources/customers/
    "merchantid": "customer_id",
    "pointsapproved": "points",
    # Voucherify: import of loyalty cards, export of customers, of cards and of card transactions
    # https://docs.voucherify.io/build/loyalty-card-import
    # https://docs.voucherify.io/reference/export-object
    "loyaltypoints": "points",
    "loyaltycardbalance": "points",
    "expirationdate": "valid_until",
    # shops and tills
    "customeremail": "customer_id",
    "customer": "customer_id",
    "customernumber": "customer_id",
    "userid": "customer_id",
    "memberid": "customer_id",
    "integrationid": "customer_id",
    "profileid": "customer_id",
    "point": "points",
    "pointsamount": "points",
    "rewardpoints": "points",
    "ordertotal": "order_value",
    "orderamount": "order_value",
    "transactiontype": "operation",
    "reference": "reference_id",
    "orderid": "reference_id",
    "ordernumber": "reference_id",
    "note": "description",
    "comment": "description",
    "message": "description",
    "explanation": "description",
    "expiresat": "valid_until",
    "expiry": "valid_until",
    "validto": "valid_until",
    "expires": "valid_until",
    "createdon": "created_at",
    "date": "created_at",
    "orderdate": "created_at",
    "transactiondate": "created_at",
    "site": "site_code",
    "idempotencykey": "key",
}
"""Other products' column names and the field that each one means in any file."""

BALANCES: Final = frozenset(
    {"currentbalance", "pointsbalance", "currentpointsbalance", "pointsapproved", "loyaltypoints", "loyaltycardbalance"}
)
"""Names for the points that a customer has. A 0 there is no change; under any other name it is a mistake."""

WITHOUT_COUNTERPART: Final = frozenset(
    {
        # Talon.One
        "subledgerid", "loyaltyprogramid", "loyaltysubledger", "pendingbalance", "expiredbalance", "spentbalance",
        "currenttier", "cardstate",
        # Yotpo
        "fullname", "firstname", "lastname", "pointsspent", "birthday", "birthday(mm/dd)", "birthday(mm/dd/yyyy)",
        "anniversary", "referrallink",
        # LoyaltyLion
        "pointspending",
    }
)  # fmt: skip
"""Columns of the same products that say nothing about a change of points: left out with a note."""

_TALON_ONE: Final = frozenset({"customerprofileid", "identifier", "cardidentifier"})
_VOUCHERIFY: Final = frozenset({"loyaltypoints", "loyaltycardbalance"})
BESIDE: Final[Mapping[str, tuple[str | None, frozenset[str]]]] = {
    # Points at Talon.One; in every other file it is as likely to be money.
    "amount": ("points", _TALON_ONE),
    # Its transaction log says `subtraction` there: not to be left out with --ignore-extra.
    "type": ("operation", _TALON_ONE),
    # A customer in the export of customers, a transaction in the export of transactions.
    "sourceid": ("customer_id", frozenset({"loyaltypoints"})),
    # The card in a file of cards, a coupon elsewhere.
    "code": ("customer_id", _VOUCHERIFY),
    "active": (None, _VOUCHERIFY),
    "category": (None, _VOUCHERIFY),
    "name": (None, _VOUCHERIFY),
}
"""Names that mean something only beside one of others: the field, or None for no counterpart."""
