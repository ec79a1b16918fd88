# The service, in a sandbox on this machine: its variables are all that a command needs
$ source <(rpctl sandbox 2>/dev/null); sandbox=$!
$ rpctl options list -o json
[]

# A profile keeps the address, and `auth login` the secret, which comes from standard input
$ rpctl profile create try --backend emporix --url "$RPCTL_URL" --tenant "$RPCTL_TENANT" --client-id "$RPCTL_CLIENT_ID" -q
$ rpctl auth login --profile try --secret-stdin --yes --fields credential,verified <<<"$RPCTL_CLIENT_SECRET"
note: no keyring: this machine has none; RPCTL_CLIENT_SECRET_FILE or RPCTL_CLIENT_SECRET hands it over without storing it
warning: RPCTL_CLIENT_SECRET has a client secret too, and wins
credential	verified
client secret	true
$ unset RPCTL_BACKEND RPCTL_URL RPCTL_TENANT RPCTL_CLIENT_ID RPCTL_CLIENT_SECRET
$ rpctl profile use try -q

# Points come and go as on a ledger
$ rpctl options create --name "10 %" --points 40 --percent 10 --fields name,points,discount,version
name	points	discount	version
10 %	40	10 %	1
$ rpctl points add C1 100 --reference order-9 --key order-9 --fields type,points,allPointsAfterCreation,reference-id
note: customer C1 is new
type	points	allPointsAfterCreation	reference-id
added	100	100	order-9
$ rpctl points add C1 100 --reference order-9 --key order-9 -q
$ rpctl points redeem C1 30 --description "paid at the till" --fields type,points,allPointsAfterCreation,description
note: key <key>
type	points	allPointsAfterCreation	description
redeemed	30	70	paid at the till
$ rpctl points redeem C1 300
error: Customer C1 has 70 points, fewer than the 300 to redeem.
hint: Nothing was taken; `rpctl points explain CUSTOMER` shows lot by lot what is left.
[6]
$ rpctl points summary C1 --fields type,points,allPointsAfterCreation,usedPoints,description
type	points	allPointsAfterCreation	usedPoints	description
added	100	100	30	points for order order-9
redeemed	30	70		paid at the till

# The customer exchanges points for a coupon with a token of their own
$ rpctl me balance
70
$ rpctl me redeem "$(rpctl options list --no-header --fields id)"
code
<code>
$ rpctl me balance
30

# What a command needs, at a glance
$ SHELL=/bin/bash rpctl doctor --no-header --fields check,status
profile	ok
credentials	ok
credentials	ok
service	ok
clock	ok
token	ok
scope	ok
scope	ok
scope	ok
tenant	ok
journal	ok
markers	ok
markers	ok
ledger	ok
completion	warn

# A file of changes, each row sent once; the same file again changes nothing
$ printf 'customer_id,points\nC1,50\nC2,20\nC1,-70\nC3,-5\n' > bonus.csv
$ rpctl points import bonus.csv --dry-run -o json --fields rows,applied,refused
warning: refused: 1 of 4 rows; they are in bonus.rejected.csv
note: dry run: nothing was changed
{
  "rows": 4,
  "applied": 3,
  "refused": 1
}
[3]
$ rpctl points import bonus.csv -o json --fields rows,applied,refused,rejectsFile
warning: refused: 1 of 4 rows; they are in bonus.rejected.csv
{
  "rows": 4,
  "applied": 3,
  "refused": 1,
  "rejectsFile": "bonus.rejected.csv"
}
[3]
$ rpctl points import bonus.csv -q -o json --fields applied,alreadyApplied,refused --rejects again.csv
warning: refused: 1 of 4 rows; they are in again.csv
{
  "applied": 0,
  "alreadyApplied": 3,
  "refused": 1
}
[3]
$ rpctl customer list --no-header
C1	10
C2	20
$ run=$(rpctl imports list --no-header --fields run | tail -1)
$ rpctl imports show $run --rows --fields line,customerId,operation,points,state,code
line	customerId	operation	points	state	code
2	C1	add	50	applied	
3	C2	add	20	applied	
4	C1	redeem	70	applied	
$ rpctl imports undo $run --yes --no-header
note: the service chooses the lots that points are taken from
note: reversed: entries 3, points taken back 70, given back 70
note: the file's rows count again only with `rpctl points import --again`
reversed	C1	50	taken_back
reversed	C1	70	given_back
reversed	C2	20	taken_back
$ kill $sandbox
$ RPCTL_TIMEOUT_S=1 rpctl points balance C1
error: 127.0.0.1:<port> cannot be reached: Connection refused.
hint: Check the URL (`rpctl config show`) and the network, then run the same command again.
[75]
