# A customer asks to be forgotten
$ rpctl customer create C7 --points 80 --description "Welcome" --key welcome-C7 -q
$ rpctl points redeem C7 30 -q

# Nobody can be asked in a script: it is refused, with the command that would go through.
$ rpctl customer delete C7
error: Delete customer C7 and their 50 points for good? Nobody can be asked here.
hint: If that is meant: rpctl customer delete --confirm=C7 C7
[6]
$ rpctl customer delete C7 --confirm C8
error: --confirm C8 is not customer C7.
hint: Repeat the very id to delete.
[2]
$ rpctl customer delete C7 --confirm C7
customerId	entries	pointsAdded	pointsRedeemed	pointsLeft
C7	2	80	30	50

# Gone, but for counts and sums; the ledger still adds up.
$ rpctl customer show C7
error: There is no customer C7.
hint: Check the id; `rpctl customer list --search TEXT` finds customers.
[5]
$ rpctl customer list -o json
[]
$ rpctl ledger verify
note: everything holds: entries 2, customers 1
customerId	entryId	rule	message
$ rpctl ledger info --fields customers,deletedCustomers
customers	deletedCustomers
0	1

# An old import or script cannot bring the person back: the keys are known.
$ rpctl points add C7 80 --description "Welcome" --key welcome-C7
error: The key belongs to a change of a customer who was deleted since.
hint: If the customer is really new again, use another key.
[6]

# The same person may begin anew.
$ rpctl customer create C7
customerId	activePoints
C7	0
$ rpctl points balance C7
0
