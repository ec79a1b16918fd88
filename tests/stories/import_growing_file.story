# A till writes all its receipts of the month into one file, every night a longer one.
$ printf 'customer_id,points,receipt\nA1,10,1001\nA2,20,1002\n' > monday.csv
$ printf 'customer_id,points,receipt\nA1,10,1001\nA2,20,1002\nA1,5,1003\n' > tuesday.csv

# The number of the receipt tells its rows apart: those of earlier nights count once.
$ rpctl points import monday.csv --key-from receipt -o tsv --fields rows,applied,alreadyApplied
rows	applied	alreadyApplied
2	2	0
$ rpctl points import tuesday.csv --key-from receipt -o tsv --fields rows,applied,alreadyApplied
rows	applied	alreadyApplied
3	1	2
$ rpctl customer list
customerId	activePoints
A1	15
A2	20

# Without it the same rows would have other keys, and count twice. That is refused.
$ rpctl points import tuesday.csv --ignore-extra
error: 100% of the rows of tuesday.csv are in already, from import run <run> of tuesday.csv, under other keys; they would count twice.
hint: Take out the rows that are in; --again takes every row for a new change. A file that grows is imported with --key-from COLUMN from its first time on.
[6]

# A row without a number is refused until it has one. Its file of rejects says how it is to be read.
$ printf 'customer_id,points,receipt\nA3,7,\n' > wednesday.csv
$ rpctl points import wednesday.csv --key-from receipt -o tsv --fields rows,applied,refused
warning: refused: 1 of 1 rows; they are in wednesday.rejected.csv
rows	applied	refused
1	0	1
[3]
$ cat wednesday.rejected.csv
customer_id,points,receipt,key,line,error_code,error,options: --key-from receipt
A3,7,,,2,key_missing,"receipt is empty, but --key-from takes the row's key from it. Fill it in.",
$ sed -i 's/^A3,7,,/A3,7,1004,/' wednesday.rejected.csv
$ rpctl points import wednesday.rejected.csv -o tsv --fields rows,applied,refused
note: Read with the options: --key-from receipt, as the rejects file says.
rows	applied	refused
1	1	0

# The next night the till has the number as well, and the row counts once.
$ printf 'customer_id,points,receipt\nA1,10,1001\nA2,20,1002\nA1,5,1003\nA3,7,1004\n' > thursday.csv
$ rpctl points import thursday.csv --key-from receipt -o tsv --fields rows,applied,alreadyApplied
note: every row is in already; nothing was changed
rows	applied	alreadyApplied
4	0	4
$ rpctl customer list
customerId	activePoints
A1	15
A2	20
A3	7

# The balances of another product come as they are; who has none is skipped.
$ printf 'Full Name,Email,Points Balance\nAnna Berg,anna@example.com,310\n"Wei, Li",li@example.com,0\n' > balances.csv
$ rpctl points import balances.csv -o tsv --fields rows,applied,skipped
note: Column Full Name has no counterpart and is not read.
note: Column Email is read as customer_id.
note: Column Points Balance is read as points; rows with 0 are skipped.
rows	applied	skipped
2	1	1
