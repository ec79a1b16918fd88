# A till has a profile of its own; the shop's office works on the same service, on another machine
$ printf 'customer_id,points\nanna,100\nbert,80\ncarl,50\ndora,60\n' >customers.csv
$ source <(rpctl sandbox --load customers.csv 2>/dev/null); sandbox=$!
$ rpctl profile create till --backend emporix --url "$RPCTL_URL" --tenant "$RPCTL_TENANT" --client-id "$RPCTL_CLIENT_ID" -q
$ unset RPCTL_BACKEND RPCTL_URL RPCTL_TENANT RPCTL_CLIENT_ID; export RPCTL_PROFILE=till
$ office() { XDG_STATE_HOME=$PWD/office XDG_DATA_HOME=$PWD/office rpctl "$@"; }

# In the morning the till fetches what there is to know
$ rpctl sync pull --fields customers,removed
customers	removed
4	0

# Then the line is gone. What is done with --offline waits; what is not known to be there cannot be redeemed
$ kill -STOP $sandbox
$ rpctl points redeem bert 30 --key till-1 --offline --fields type,points,allPointsAfterCreation
note: offline: what the service had on <a day and time> UTC (<age> ago); nothing waits to be sent
note: recorded offline; `rpctl sync push` sends it
type	points	allPointsAfterCreation
redeemed	30	50
$ rpctl points redeem bert 60 --key till-2 --offline -q
error: Customer bert has 50 points, fewer than the 60 to redeem.
hint: Nothing was taken; `rpctl points explain CUSTOMER` shows lot by lot what is left.
[6]
$ rpctl points redeem bert 40 --key till-2 --offline -q
$ RPCTL_TIMEOUT_S=0.5 rpctl sync push
error: 127.0.0.1:<port> did not answer GET /reward-points/customer/bert/summary in time.
hint: Run the same command again later; RPCTL_TIMEOUT_S allows more time.
[75]
$ rpctl points balance bert --offline
note: offline: what the service had on <a day and time> UTC (<age> ago); 2 changes wait to be sent
10

# The day goes on: points for orders, and a slip of the fingers that is taken back as ever
$ rpctl points add bert 5 --key till-3 --offline -q
$ rpctl points add carl 10 --key till-4 --reference order-7 --offline -q
$ rpctl points add dora 500 --key till-5 --offline -q
$ slip=$(rpctl points history dora --offline -q --no-header --fields id | tail -1)
$ rpctl points reverse dora $slip --key till-6 --offline -q
$ rpctl points add dora 50 --key till-7 --offline -q

# A file of the afternoon. What is no change of points has to wait for the line
$ printf 'customer_id,points\nemil,25\nanna,-30\ndora,-5000\n' >slips.csv
$ rpctl points import slips.csv --offline -o json --fields rows,applied,refused,rejectsFile
note: offline: what the service had on <a day and time> UTC (<age> ago); 7 changes wait to be sent
warning: refused: 1 of 3 rows; they are in slips.rejected.csv
note: recorded offline; `rpctl sync push` sends them
{
  "rows": 3,
  "applied": 2,
  "refused": 1,
  "rejectsFile": "slips.rejected.csv"
}
[3]
$ rpctl customer delete dora --confirm dora --offline
error: `rpctl customer delete` cannot be done offline: profile till works on a service, and only changes of points are recorded to be sent later.
hint: Do it without --offline when the service can be reached; --ledger FILE works on a ledger of its own.
[6]
$ rpctl sync status --fields customerId,type,points,state,reference-id
customerId	type	points	state	reference-id
bert	redeemed	30	waiting	
bert	redeemed	40	waiting	
bert	added	5	waiting	
carl	added	10	waiting	order-7
dora	added	500	waiting	
dora	redeemed	500	waiting	
dora	added	50	waiting	
emil	added	25	waiting	
anna	redeemed	30	waiting	

# Meanwhile the office went on: bert spent points there too, and carl left
$ kill -CONT $sandbox
$ office points redeem bert 20 --key office-1 -q
$ office customer delete carl --confirm carl -q

# In the evening the line is back. What would happen, and what then happens
$ rpctl sync push --dry-run --fields sent,conflicts,heldBack
warning: conflict: redeemed 40 of customer bert (key till-2): Customer bert has 30 points, fewer than the 40 to redeem.
warning: conflict: added 10 of customer carl (key till-4): Customer carl was there when this was recorded, and is not any more.
note: `rpctl sync push --retry KEY` sends a conflict once more, --drop KEY gives it up
note: dry run: nothing was changed
sent	conflicts	heldBack
6	2	1
[3]
$ rpctl sync push --fields sent,conflicts,heldBack,pointsAdded,pointsRedeemed
warning: conflict: redeemed 40 of customer bert (key till-2): Customer bert has 30 points, fewer than the 40 to redeem.
warning: conflict: added 10 of customer carl (key till-4): Customer carl was there when this was recorded, and is not any more.
note: `rpctl sync push --retry KEY` sends a conflict once more, --drop KEY gives it up
sent	conflicts	heldBack	pointsAdded	pointsRedeemed
6	2	1	575	560
[3]
$ rpctl sync status --fields customerId,type,points,state,activePoints
customerId	type	points	state	activePoints
bert	redeemed	40	conflict	30
bert	added	5	held	
carl	added	10	conflict	

# Both sides agree on everybody but bert, of whom a change is held back
$ rpctl customer list
customerId	activePoints
anna	70
bert	30
dora	110
emil	25
$ diff <(rpctl customer list) <(rpctl customer list --offline -q)
3c3
< bert	30
---
> bert	35
[1]

# The office gives bert points, and his redemption goes through; what was held follows. Carl's conflict still stands
$ office points add bert 10 --key office-2 -q
$ rpctl sync push --retry till-2 --fields sent,conflicts,heldBack
warning: conflict: added 10 of customer carl (key till-4): Customer carl was there when this was recorded, and is not any more.
note: `rpctl sync push --retry KEY` sends a conflict once more, --drop KEY gives it up
sent	conflicts	heldBack
2	1	0
[3]
$ diff <(rpctl customer list) <(rpctl customer list --offline -q)

# Carl does not come back: that one is given up, and nothing is left to be sent
$ rpctl sync push --drop till-4 --fields sent,dropped,conflicts,heldBack
note: nothing waits to be sent
sent	dropped	conflicts	heldBack
0	1	0	0
$ rpctl sync status --no-header
$ rpctl customer list --no-header
anna	70
bert	5
dora	110
emil	25
$ diff <(rpctl customer list) <(rpctl customer list --offline -q)
$ kill $sandbox
