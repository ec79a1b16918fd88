# The documented example
#
# Two lots of 209 points and a redemption over both. usedPoints counts up, usedWith lists the redemption in both
# lots, and the balances after each entry stand beside it. JSON is the API's own document, field for field.
$ rpctl points add C1 209 --reference order-1 --description "Order 1" --created-at 2026-01-01 -q
$ rpctl points add C1 209 --reference order-2 --description "Order 2" --created-at 2026-01-02 --valid-until 2999-12-31 -q
$ rpctl points redeem C1 300 --description "Voucher" --created-at 2026-01-03 -q
$ rpctl points summary C1 -o json
{
  "customerId": "C1",
  "activePoints": 118,
  "summary": {
    "addedPointsList": [
      {
        "id": "<id>",
        "reference-id": "order-1",
        "description": "Order 1",
        "points": 209,
        "createdAt": "2026-01-01T00:00:00.000Z",
        "allPointsAfterCreation": 209,
        "usedPoints": 91,
        "usedWith": [
          "<id>"
        ]
      },
      {
        "id": "<id>",
        "reference-id": "order-2",
        "description": "Order 2",
        "points": 209,
        "createdAt": "2026-01-02T00:00:00.000Z",
        "allPointsAfterCreation": 418,
        "usedPoints": 209,
        "validUntil": "2999-12-31T23:59:59.999Z",
        "usedWith": [
          "<id>"
        ]
      }
    ],
    "redeemedPointsList": [
      {
        "id": "<id>",
        "description": "Voucher",
        "points": 300,
        "createdAt": "2026-01-03T00:00:00.000Z",
        "allPointsAfterCreation": 118
      }
    ]
  }
}

# The lot that expires was used up before the one that never does.
$ rpctl points explain C1 -o tsv --fields reference-id,granted,used,left
reference-id	granted	used	left
order-1	209	91	118
order-2	209	209	0
$ rpctl points balance C1
118
$ rpctl points balance C1 -o json
118
$ rpctl points balance C1 --as-of 2026-01-02
418

# The same redemption in both lists:
$ rpctl points summary C1 -o json > summary.json
$ python3 -c 'import json; s = json.load(open("summary.json"))["summary"]; print({r["id"] for r in s["redeemedPointsList"]} == {u for a in s["addedPointsList"] for u in a["usedWith"]})'
True
