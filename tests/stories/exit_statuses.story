# Errors and exit statuses, for scripts
#
# One line says what happened, one what to do. 0: done, a repeated key included.
$ rpctl points add C1 10 --key k1 -q
$ rpctl points add C1 10 --key k1
note: key k1 is in already; nothing changed
createdAt	type	points	allPointsAfterCreation	usedPoints	reference-id	description	id
<when>	added	10	10	0		points added	<id>

# 2: wrong usage, an argument's value included.
$ rpctl points add C1
error: Give either POINTS or --order-value.
hint: `rpctl points add C1 50`
[2]
$ rpctl points add C1 0
error: '0' is not a number of points.
hint: Points are whole numbers from 1 to 2147483647.
[2]
$ rpctl points add C1 -5
error: '-5' is not a number of points.
hint: Points are whole numbers from 1 to 2147483647, without a sign.
[2]
$ rpctl points add C1 1.5
error: '1.5' is not a number of points.
hint: Points are whole numbers from 1 to 2147483647.
[2]
$ rpctl points ad C1 5
error: `rpctl points` has no command 'ad'.
hint: Did you mean `rpctl points add`?
[2]
$ rpctl points add C1 5 --referense order-1
error: `rpctl points add` has no option --referense.
hint: Did you mean --reference?
[2]
$ rpctl customer list -o yaml
error: --output cannot be 'yaml'.
hint: Allowed: table, tsv, json, jsonl or csv.
[2]
$ rpctl customer list --fields id
error: There is no field 'id'.
hint: Fields: customerId, activePoints.
[2]

# 3: finished, but some rows were refused.
$ printf 'customer_id,points\nC1,zero\n' > bad.csv
$ rpctl points import bad.csv -o tsv --fields rows,refused
warning: refused: 1 of 1 rows; they are in bad.rejected.csv
rows	refused
1	1
[3]

# 5: not found.
$ rpctl points balance C2
error: There is no customer C2.
hint: Check the id; `rpctl customer list --search TEXT` finds customers.
[5]
$ rpctl options show nothing
error: There is no redeem option nothing.
hint: `rpctl options list` shows what there is.
[5]
$ rpctl imports show nothing
error: There is no import run nothing.
hint: `rpctl imports list` shows what there is.
[5]
$ rpctl points reverse C1 nothing
error: Customer C1 has no entry nothing.
hint: `rpctl points history CUSTOMER` shows the ids.
[5]

# 6: refused by a rule. Nothing was changed.
$ rpctl points redeem C1 11
error: Customer C1 has 10 points, fewer than the 11 to redeem.
hint: Nothing was taken; `rpctl points explain CUSTOMER` shows lot by lot what is left.
[6]
$ rpctl points add C1 20 --key k1
error: The key 'k1' belongs to another change.
hint: A key stands for one change. Repeat that very change, or use another key for this one.
[6]
$ rpctl customer create C1
error: Customer C1 exists.
hint: `rpctl points add` adds to an existing customer.
[6]
$ rpctl program set --disable -q
$ rpctl points add C1 5
error: The reward program of site main is disabled.
hint: `rpctl program set --enable` switches it on.
[6]
$ rpctl program set --enable -q
$ rpctl customer delete C1 --no-input
error: Delete customer C1 and their 10 points for good? Nobody can be asked here.
hint: If that is meant: rpctl customer delete --confirm=C1 C1
[6]

# 7: a file or the configuration is unusable. Nothing was changed.
$ rpctl points import missing.csv
error: There is no file missing.csv.
hint: Check the name.
[7]
$ rpctl points balance C1 --ledger bad.csv
error: bad.csv is not an rpctl ledger.
hint: It was left as it is. Name another file with --ledger FILE.
[7]
$ RPCTL_OUTPUT=yaml rpctl customer list
error: RPCTL_OUTPUT cannot be 'yaml'.
hint: Allowed: table, tsv, json, jsonl or csv.
[7]

# 75: for now; the same command goes on later.
$ rpctl points history C1 > /dev/full
error: Standard output cannot be written: No space left on device.
hint: What the command changed is changed; make room where the output goes, then run it again.
[75]

# 130 and 143: stopped. What was reported done is safe, and the same command goes on.
$ timeout --foreground --preserve-status -s INT 1 rpctl points import - < <(sleep 2)
error: Interrupted.
hint: What was reported done is safe; the same command goes on where it stopped.
[130]
$ timeout --foreground --preserve-status -s TERM 1 rpctl points import - < <(sleep 2)
error: Stopped by the system.
hint: What was reported done is safe; the same command goes on where it stopped.
[143]

# A reader that goes away ends the command quietly.
$ rpctl points history C1 | head -0

# With -o json the last line of stderr is an object.
$ rpctl points redeem C1 11 -o json
{"error": {"code": "insufficient_points", "message": "Customer C1 has 10 points, fewer than the 11 to redeem.", "hint": "Nothing was taken; `rpctl points explain CUSTOMER` shows lot by lot what is left.", "exitStatus": 6, "httpStatus": null, "request": null, "retryable": false, "details": {"customerId": "C1", "requested": 11, "available": 10}}}
[6]
$ rpctl points redeem C1 -o json
{"error": {"code": "usage", "message": "Give either POINTS or --option.", "hint": "`rpctl points redeem C1 30`", "exitStatus": 2, "httpStatus": null, "request": null, "retryable": false, "details": {}}}
[2]
