# Redeem options, and points exchanged for a coupon
$ export COLUMNS=100
$ rpctl options create --name "10 Euro off" --points 90 --amount 10 --currency EUR --max-redemptions 1 -o json > option.json
$ id=$(python3 -c 'import json; print(json.load(open("option.json"))["id"])')
$ cat option.json
{
  "id": "<id>",
  "type": "coupon",
  "name": "10 Euro off",
  "points": 90,
  "coupon": {
    "discountAbsolute": {
      "amount": 10,
      "currency": "EUR"
    },
    "discountType": "ABSOLUTE",
    "maxRedemptions": 1,
    "name": "10 Euro off",
    "allowAnonymous": false
  },
  "metadata": {
    "version": 1,
    "createdAt": "<when>",
    "modifiedAt": "<when>"
  }
}
$ rpctl options create --name "Ten percent" --points 50 --percent 10 -q
$ rpctl options list -o table --fields name,points,discount,version
name         points  discount  version
──────────────────────────────────────
10 Euro off      90  10 EUR          1
Ten percent      50  10 %            1

# Two people change the same option: the one who read the older version is told.
$ rpctl options update $id --points 80 -o tsv --fields name,points,version
name	points	version
10 Euro off	80	2
$ rpctl options update $id --from option.json
error: Redeem option <id> is at version 2; the update was made from version 1.
hint: Read it again with `rpctl options show ID` and repeat the update on what is there now.
[6]
$ rpctl options update $id --points 70 --if-version 1
error: Redeem option <id> is at version 2; the update was made from version 1.
hint: Read it again with `rpctl options show ID` and repeat the update on what is there now.
[6]

# A document made by another program keeps fields that rpctl does not know.
$ rpctl options show $id -o json | sed 's/"points": 80/"points": 85, "campaign": "spring"/' | rpctl options update $id --from - -q
$ rpctl options update $id --name "Ten Euro off" -o json
{
  "id": "<id>",
  "type": "coupon",
  "name": "Ten Euro off",
  "points": 85,
  "campaign": "spring",
  "coupon": {
    "discountAbsolute": {
      "amount": 10,
      "currency": "EUR"
    },
    "discountType": "ABSOLUTE",
    "maxRedemptions": 1,
    "name": "10 Euro off",
    "allowAnonymous": false
  },
  "metadata": {
    "version": 4,
    "createdAt": "<when>",
    "modifiedAt": "<when>"
  }
}

# The exchange: points and coupon in one step, and the same key again gives the same coupon.
$ rpctl program set --code-prefix SPRING -q
$ rpctl points add C1 100 -q
$ rpctl points redeem C1 --option $id --key C1-coupon-1 -o tsv --fields points,allPointsAfterCreation,code
points	allPointsAfterCreation	code
85	15	SPRING-<code>
$ rpctl points redeem C1 --option $id --key C1-coupon-1 -o tsv --fields code
note: key C1-coupon-1 is in already; nothing changed
code
SPRING-<code>
$ rpctl points balance C1
15
$ rpctl points redeem C1 --option $id --key C1-coupon-2
error: Customer C1 has 15 points, fewer than the 85 to redeem.
hint: Nothing was taken; `rpctl points explain CUSTOMER` shows lot by lot what is left.
[6]
$ rpctl points reverse C1 $(rpctl points history C1 --type redeemed --no-header --fields id)
error: Entry <id> paid for the coupon SPRING-<code>.
hint: Withdraw the coupon in the shop first, then give the points back with `rpctl points add`.
[6]

# Deleting asks first. Coupons that were issued stay.
$ rpctl options delete $id
error: Delete redeem option <id> (Ten Euro off)? Nobody can be asked here.
hint: If that is meant: rpctl options delete --yes <id>
[6]
$ rpctl options delete $id --yes
id	deleted
<id>	true
$ rpctl options show $id
error: There is no redeem option <id>.
hint: `rpctl options list` shows what there is.
[5]
