# A day at the support desk
#
# No set-up: the first change makes the ledger. People read tables; these are drawn for a window 100 columns wide.
$ export RPCTL_OUTPUT=table COLUMNS=100

# Ms Smith's order was forgotten. Her id is new to the ledger, and a note says so, because a mistyped id pays a
# stranger; --existing would have refused it.
$ rpctl points add smith@example.com 120 --reference order-1041 --reason "forgotten, ticket 311"
note: key <key>
note: customer smith@example.com is new
created (UTC)  <when>
type           added
points         120
balance        120
used           0
reference      order-1041
description    points for order order-1041
id             <id>
$ rpctl points add smith@example.con 120 --reference order-1041 --existing
error: There is no customer smith@example.con.
hint: Check the id; `rpctl customer list --search TEXT` finds customers.
[5]
$ rpctl points balance smith@example.com
120

# Goodwill that lives a year, and a redemption at the till.
$ rpctl points add smith@example.com 50 --description "Sorry for the delay" --valid-until +12m -q
$ rpctl points redeem smith@example.com 70 --description "Paid at the till"
note: key <key>
created (UTC)  <when>
type           redeemed
points         70
balance        100
description    Paid at the till
id             <id>

# "Why do I have 100 points?" The points that expire first were used first.
$ rpctl points history smith@example.com
Customer smith@example.com: 100 active points

date (UTC)        type      points  balance  valid until       reference   description      id
────────────────────────────────────────────────────────────────────────────────────────────────────
<a day and time>  added        120      120                    order-1041  points for       <its id>
                                                                           order
                                                                           order-1041
<a day and time>  added         50      170  <a day and time>              Sorry for the    <its id>
                                                                           delay
<a day and time>  redeemed     -70      100                                Paid at the      <its id>
                                                                           till
$ rpctl points explain smith@example.com
Customer smith@example.com: 100 active points; every number adds up

created (UTC)     granted  used  expired  left  valid until       reference   id        used with
───────────────────────────────────────────────────────────────────────────────────────────────────
<a day and time>      120    20        0   100                    order-1041  <its id>  <its id>:20
<a day and time>       50    50        0     0  <a day and time>              <its id>  <its id>:50

# More than there is: refused whole, nothing is taken.
$ rpctl points redeem smith@example.com 101
error: Customer smith@example.com has 100 points, fewer than the 101 to redeem.
hint: Nothing was taken; `rpctl points explain CUSTOMER` shows lot by lot what is left.
[6]

# The redemption was a mistake. The beginning of its id is enough; the points come back as a new lot.
$ id=$(rpctl points history smith@example.com --type redeemed -o tsv --no-header --fields id)
$ rpctl points reverse smith@example.com ${id:0:8} --reason "wrong customer" -q
$ rpctl points reverse smith@example.com $id --reason "wrong customer"
error: Entry <id> was reversed before, by entry <id>.
hint: Nothing was changed; `rpctl points history CUSTOMER` shows both entries.
[6]
$ rpctl points balance smith@example.com
170

# Who else is there?
$ rpctl customer create jones@example.com --points 10 -q
$ rpctl customer list
customerId         activePoints
───────────────────────────────
jones@example.com            10
smith@example.com           170
$ rpctl customer list --search smi
customerId         activePoints
───────────────────────────────
smith@example.com           170
