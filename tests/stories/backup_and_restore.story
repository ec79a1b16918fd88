# Backup, damage, restore
$ rpctl points add C1 100 -q
$ rpctl ledger backup monday.db
file	sizeBytes
monday.db	135168
$ rpctl ledger backup monday.db
error: monday.db is there already.
hint: Nothing is ever overwritten: name another file, or move this one away.
[6]

# A backup is a ledger like any other.
$ rpctl points balance C1 --ledger monday.db
100
$ rpctl points add C1 900 -q
$ rpctl points balance C1
1000

# Restoring asks first; what was there is kept beside it.
$ rpctl ledger restore monday.db
error: Replace the ledger ~/.local/share/rpctl/ledger.db by monday.db? Nobody can be asked here.
hint: If that is meant: rpctl ledger restore --yes monday.db
[6]
$ rpctl ledger restore monday.db --yes -o tsv --fields restoredFrom
restoredFrom
monday.db
$ rpctl points balance C1
100
$ rpctl ledger verify
note: everything holds: entries 1, customers 1
customerId	entryId	rule	message
$ rpctl ledger export --fields customerId,type,points,allPointsAfterCreation
customerId	type	points	allPointsAfterCreation
C1	added	100	100

# What is no ledger is refused, and left as it is.
$ echo "not a ledger" > notes.txt
$ rpctl ledger restore notes.txt --yes
error: notes.txt is not an rpctl ledger.
hint: Name a file that `rpctl ledger backup` wrote.
[7]
$ rpctl points balance C1 --ledger notes.txt
error: notes.txt is not an rpctl ledger.
hint: It was left as it is. Name another file with --ledger FILE.
[7]
$ cat notes.txt
not a ledger
