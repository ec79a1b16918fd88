"""CSV files to changes, and the runs that apply them through the port, each row once.

opening     a file or a pipe, and its encoding; spool: copies of what is piped in
reader      bytes to rows of cells; plain: lines that need no CSV reader
content     what a file holds, whatever its bytes; overlap: how much of it stood in an earlier file
columns     a header to fields; products: other products' names
plan        a row to a change or a reject; dates: dates and times of cells
rejects     the file of refused rows; carried: the options that it brings along
run         one import from end to end; options: what it is asked; passing: one way through its rows; report: what it
            came to
journal     which run an import is; request: what a run keeps of its command
undo        takes back what a run applied; prune: forgets what old runs keep
"""
