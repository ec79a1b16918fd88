# A spreadsheet with mistakes in it
$ cat > changes.csv <<END
> customer_id,points,reference_id,description
> A1,100,order-1,Spring sale
> A2,-5,,Paid at the till
> 1.2E+11,30,order-2,
> A1,-60,,Paid at the till
> A3,many,order-3,
> A3,2.5,order-4,
> A4,5.0,order-5,
> END

# A dry run says what would be refused, and writes the same file of rejects.
$ rpctl points import changes.csv --dry-run --rejects rehearsed.csv -o tsv --fields rows,applied,refused,rejectsFile
warning: refused: 4 of 7 rows; they are in rehearsed.csv
note: dry run: nothing was changed
rows	applied	refused	rejectsFile
7	3	4	rehearsed.csv
[3]
$ rpctl customer list
customerId	activePoints

# Good rows go in, bad ones into a file beside the original; the exit status is 3.
$ rpctl points import changes.csv -o tsv --fields rows,applied,refused,rejectsFile
warning: refused: 4 of 7 rows; they are in changes.rejected.csv
rows	applied	refused	rejectsFile
7	3	4	changes.rejected.csv
[3]
$ rpctl customer list
customerId	activePoints
A1	40
A4	5
$ cut -d, -f1-4,6- changes.rejected.csv
customer_id,points,reference_id,description,line,error_code,error
A2,-5,,Paid at the till,3,customer_not_found,There is no customer A2.
1.2E+11,30,order-2,,4,invalid_value,The customer id '1.2E+11' is a number in scientific notation. A spreadsheet rounded it. Format the column as text and export again.
A3,many,order-3,,6,invalid_value,"'many' is not a number of points. Points are whole numbers from 1 to 2147483647, with a minus to redeem."
A3,2.5,order-4,,7,invalid_value,"'2.5' is not a number of points. Points are whole numbers from 1 to 2147483647, with a minus to redeem."

# The rejects are corrected and imported as they are: extra columns and all. The key of each row goes with it.
$ sed -i 's/^A2,-5/A2,5/; s/^1.2E+11/120000000000/; s/,many,/,7,/; s/,2.5,/,2,/' changes.rejected.csv
$ rpctl points import changes.rejected.csv -o tsv --fields rows,applied,refused
rows	applied	refused
4	4	0
$ rpctl customer list
customerId	activePoints
120000000000	30
A1	40
A2	5
A3	9
A4	5

# So the original counts nothing twice, even after that.
$ rpctl points import changes.csv --rejects again.csv -o tsv --fields applied,alreadyApplied,refused
warning: refused: 4 of 7 rows; they are in again.csv
applied	alreadyApplied	refused
0	3	4
[3]
$ cut -d, -f1,2,7 again.csv
customer_id,points,error_code
A2,-5,key_reused
1.2E+11,30,invalid_value
A3,many,invalid_value
A3,2.5,invalid_value
$ rpctl customer list
customerId	activePoints
120000000000	30
A1	40
A2	5
A3	9
A4	5

# --strict applies all rows or none.
$ printf 'customer_id,points\nA1,1\nA9,-1\n' > strict.csv
$ rpctl points import strict.csv --strict -o tsv --fields rows,applied,refused
warning: refused: 1 of 2 rows; they are in strict.rejected.csv
rows	applied	refused
2	0	1
[3]
$ rpctl points balance A1
40

# From a pipe, with a constant for all rows.
$ printf 'Email;Punkte\nA1;1000,00\n' | rpctl points import - --map customer_id=Email --map points=Punkte --decimal-comma --set reason="summer" -o tsv --fields file,applied,pointsAdded
note: The delimiter is a semicolon.
file	applied	pointsAdded
standard input	1	1000
