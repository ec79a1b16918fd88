# A file of bonuses was imported that nobody should have had.
$ printf 'customer_id,points\nA1,100\nA2,50\nA1,-60\n' > bonus.csv
$ rpctl points import bonus.csv -o tsv --fields applied,pointsAdded,pointsRedeemed
applied	pointsAdded	pointsRedeemed
3	150	60
$ rpctl points redeem A2 20 -q
$ run=$(rpctl imports list --no-header --fields run)

# First see what can be had back. Nothing is changed by that.
$ rpctl imports undo $run --dry-run
note: would reverse: entries 3, points taken back 130, given back 60
warning: kept: spent points 20, expired points 0
note: dry run: nothing was changed
bucket	customerId	points	reason
reversed	A1	100	taken_back
reversed	A1	60	given_back
reversed	A2	30	taken_back
kept	A2	20	spent
[3]

# Nobody is asked without a terminal: the command says what would go through.
$ rpctl imports undo $run
error: Undo import run <run> of bonus.csv, 3 entries? Nobody can be asked here.
hint: If that is meant: rpctl imports undo --yes <run>
[6]
$ rpctl imports undo $run --yes -o json --fields pointsTakenBack,pointsGivenBack,pointsSpent,kept
note: reversed: entries 3, points taken back 130, given back 60
warning: kept: spent points 20, expired points 0
note: the file's rows count again only with `rpctl points import --again`
{
  "pointsTakenBack": 130,
  "pointsGivenBack": 60,
  "pointsSpent": 20,
  "kept": [
    {
      "customerId": "A2",
      "points": 20,
      "reason": "spent"
    }
  ]
}
[3]
$ rpctl customer list
customerId	activePoints
A1	0
A2	0
$ rpctl points history A1 --fields type,points,balance,description
type	points	balance	description
added	100	100	points added
redeemed	-60	40	points redeemed
added	60	100	undo of import run <run>
redeemed	-100	0	undo of import run <run>
$ rpctl ledger verify --no-header
note: everything holds: entries 7, customers 2

# Twice is nothing, and the file does not count again by mistake.
$ rpctl imports undo $run --no-header
note: run <run> was undone on <day>; nothing was changed
reversed	A1	100	taken_back
reversed	A1	60	given_back
reversed	A2	30	taken_back
kept	A2	20	spent
$ rpctl points import bonus.csv
error: Import run <run> of bonus.csv was undone on <day>; nothing was applied.
hint: --again takes every row for a new change.
[6]
$ rpctl points import bonus.csv --again -o tsv --fields applied,pointsAdded,pointsRedeemed
applied	pointsAdded	pointsRedeemed
3	150	60
$ rpctl imports list --fields state,file,applied
state	file	applied
finished	bonus.csv	3
undone	bonus.csv	3

# What runs keep of paths and options can go when they are old; that they were there stays.
$ rpctl imports prune --older-than 0d --yes --fields run,file
note: pruned: runs 2
run	file
<run>	bonus.csv
<run>	bonus.csv
