"""What the manual says that no table of the program holds: environment, files, exit statuses, formats, keys, the
rules of a CSV file. Text only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from rpctl.manual.blocks import Block, Heading, Lines, Paragraph, Term

ENVIRONMENT: Final[Mapping[str, str]] = {
    "RPCTL_PROFILE": "The profile to work with, as --profile.",
    "RPCTL_LEDGER": "The ledger file, as --ledger.",
    "RPCTL_BACKEND": "Where points live, in place of what the profile says: `ledger`, `emporix` or `bonifiq`.",
    "RPCTL_URL": "Where the service is; by default `https://api.emporix.io`, for bonifiq `https://api.bonifiq.com.br`. "
    "`http://` is for this machine only.",
    "RPCTL_TENANT": "The tenant of the service. BonifiQ has none: there it names the shop whose keys these are, and "
    "without it the API token does.",
    "RPCTL_CLIENT_ID": "The client id of the API key; for bonifiq the API token, whose API key is the secret.",
    "RPCTL_CLIENT_SECRET_FILE": "A file that holds the client secret and that not everybody may read.",
    "CREDENTIALS_DIRECTORY": "Set by systemd: its file `rpctl-client-secret` holds the client secret.",
    "RPCTL_CLIENT_SECRET": "The client secret itself.",
    "RPCTL_ACCESS_TOKEN": "A ready employee or service token, used as it is in place of the client id and secret.",
    "RPCTL_CUSTOMER_TOKEN": "The customer's token, for `rpctl me`.",
    "RPCTL_TIMEOUT_S": "How many seconds a request may take with all its tries; by default 60.",
    "RPCTL_SETTLE_S": "For how many seconds after it was sent a request may still arrive at the service; by default "
    "30. Where an answer is lost, what became of it is looked for after that time.",
    "RPCTL_KEYRING": "`off`: the system's keyring is never asked.",
    "RPCTL_KEYRING_TIMEOUT_S": "How many seconds the keyring has for an answer; by default 3.",
    "RPCTL_SITE": "The site whose program applies, as --site.",
    "RPCTL_TIME_ZONE": "The time zone of dates without one, such as `Europe/Berlin`; by default UTC.",
    "RPCTL_OUTPUT": "The format of the output, as --output.",
    "RPCTL_READ_ONLY": "`1`: every change is refused.",
    "RPCTL_PRODUCTION": "`1`: questions say that this is the real thing.",
    "RPCTL_NO_INPUT": "`1`: never ask, as --no-input.",
    "RPCTL_CONFIG": "The configuration file, in place of the usual one.",
    "RPCTL_DEBUG": "`1`: errors come with a traceback.",
    "NO_COLOR": "Not empty: no colours, as --no-color.",
    "FORCE_COLOR": "Not empty: colours in a pipe too, unless NO_COLOR is set.",
    "TERM": "`dumb`: no colours and no line of progress.",
    "SHELL": "Whose completion `rpctl doctor` looks for.",
    "COLUMNS": "The width of tables and help, in place of the terminal's own.",
    "XDG_CONFIG_HOME": "Where the configuration belongs; by default `~/.config`.",
    "XDG_DATA_HOME": "Where ledgers belong; by default `~/.local/share`.",
    "XDG_STATE_HOME": "Where the journal of what was sent to services, the log of a bug and copies of what was piped "
    "in belong; by default `~/.local/state`.",
    "XDG_CACHE_HOME": "Where access tokens are kept; by default `~/.cache`.",
    "HOME": "The home directory that these are in.",
}
"""Environment variables, each of them read by the program."""

PRECEDENCE: Final = (
    "A typed flag beats the environment, which beats the profile, which beats the default; `rpctl config show "
    "--sources` tells who decided. A variable that is empty counts as not set. Where `1` is said, `true`, `yes` and "
    "`on` are the same, and `0`, `false`, `no` and `off` the opposite; but RPCTL_DEBUG is on whatever it holds.",
)
"""How a variable and a flag get along."""

FILES: Final[Mapping[str, str]] = {
    "~/.config/rpctl/config.toml": "The profiles; `rpctl config path` prints where it is.",
    "~/.local/share/rpctl/ledger.db": "The ledger without a profile.",
    "~/.local/share/rpctl/profiles/NAME.db": "A profile's own ledger.",
    "LEDGER-wal, LEDGER-shm, LEDGER-imports": "Beside a ledger: SQLite's log and its index, which belong to it while "
    "it is in use, and an empty file by which two imports of one file keep out of each other's way.",
    "~/.local/state/rpctl/imports/": "Copies of what was piped into imports, each until its run has finished or is "
    "pruned.",
    "~/.local/state/rpctl/journal.db": "What was sent to services, written before each request, and what became of it; "
    "import runs too. journal.db-keys and journal.db-imports beside it are empty. Without it a change whose answer was "
    "lost can be sent twice: keep it.",
    "~/.local/share/rpctl/credentials/": "What `rpctl auth login` stored: secrets where there is no keyring, else only "
    "which there are.",
    "~/.cache/rpctl/tokens/": "Access tokens until they expire.",
    "~/.local/state/rpctl/rpctl.log": "What is known of an error that is a bug.",
}

STATUSES: Final[Mapping[int, str]] = {
    0: "Done. A repeated key whose change is in already counts as done.",
    1: "Unexpected: a bug in rpctl.",
    2: "The command line is wrong, or an argument's value is.",
    3: "Finished, but not all is well: rows of an import (or its dry run) were refused, a push left conflicts, an undo "
    "kept points that are spent or expired, or a check found problems.",
    4: "Not logged in: credentials are missing, wrong or expired.",
    5: "Not found.",
    6: "Refused: a rule says no. Nothing was changed.",
    7: "An input file or the configuration cannot be used. Nothing was sent or changed.",
    8: "Outcome unknown: the change was sent and no answer settles it. The hint is the command that finds out.",
    75: "Temporary: the same command can be tried again and goes on with what is left.",
    130: "Interrupted (Ctrl-C). What was reported done is safe; the same command goes on.",
    143: "Stopped by the system (SIGTERM). What was reported done is safe; the same command goes on.",
}
"""What each exit status means."""

WITHOUT_AN_ERROR: Final = frozenset({0, 3})
"""Statuses that a command also ends with where no error is shown."""

MEANINGS: Final[Mapping[str, str]] = {
    "unexpected": "Nobody foresaw this. The hint says where the log is.",
}
"""Codes whose class says in its docstring what it is in the program rather than what it means to a user."""

FIELDS: Final[Mapping[str, str]] = {
    "customer_id": "The customer's id, taken as text: leading zeros stay. Required.",
    "points": "A whole number from 1 to 2147483647; `5.0` is 5. A negative number redeems. Required, unless there is "
    "`order_value`.",
    "order_value": "A decimal number such as `29.90`, not negative. Where a row has no points, the program's factor "
    "turns it into added points: order value x factor, rounded down. A row that earns no whole point is skipped.",
    "operation": "Says what is done with the row's points, which are then positive. Without it their sign decides.",
    "reference_id": "The order that the points come from or pay for.",
    "description": "What the customer sees.",
    "reason": "Why, for internal use.",
    "valid_until": "Until when added points can be redeemed: `2027-01-31` (to the end of that day), an ISO instant, "
    "`+90d`, `+12m` or `never`. Empty: what the program says. Not allowed in a row that redeems.",
    "created_at": "The business date: `2026-01-31` or an ISO instant, not later than now. Empty: now.",
    "site_code": "The site whose program applies. Empty: that of --site or the profile.",
    "key": "The row's own key, so that it counts once in whatever file it comes; see `rpctl help keys`. Empty: one "
    "that is derived from the cells of the whole file and the row's place in it.",
}
"""The fields of a row, by their native names."""

CSV: Final = (
    "`rpctl points import` reads a table of point changes, a row a change. The first line names the columns, in "
    "any order. Only `customer_id` and one of `points` and `order_value` are required; an empty cell is one that "
    "is not there.",
    "The smallest file has two columns:",
)

NAMES: Final = (
    "Names are compared without letter case, spaces, underscores and hyphens: `Customer ID` is `customer_id`. "
    "Columns of other products (Talon.One, Smile, LoyaltyLion, Yotpo, Voucherify, Influence.io) and of shops are "
    "understood under their own names, which are listed with each field as they are compared; a note says how each of "
    "them is read. A native name beats such a name, and --map FIELD=COLUMN beats both.",
    "--set FIELD=VALUE gives every row the same value, in place of a column. Two columns for one field are an "
    "error. So is a column that nobody knows, unless --ignore-extra leaves it out.",
    "`amount` means points only beside the columns `customerprofileid`, `identifier` or `cardidentifier` (a file of "
    "Talon.One); in any other file --map says whether it is points or money. Beside `Loyalty Points` (a file of "
    "Voucherify) `Source ID` and `Code` are the customer.",
    "A column whose name means a balance, such as `Points Balance`, adds what every customer has: a row with 0 is "
    "skipped. In a column of points 0 is a mistake, and refused.",
)

SYNTAX: Final[Mapping[str, str]] = {
    "Encoding": "UTF-8 with or without byte order mark, or UTF-16 with one. --encoding names any other.",
    "Quotes": "A cell with the delimiter, a quote or a line break in it stands in double quotes; a quote inside is "
    "written twice. Line ends may be LF or CRLF. Lines without any text are passed over.",
    "Numbers": "`1234.50`, without separators of thousands. With --decimal-comma it is `1234,50`.",
    "Dates": "ISO 8601. --date-format FORMAT, as strptime(3) has it (`%d.%m.%Y`), reads any other. A date without an "
    "offset is in the time zone of the profile, by default UTC.",
    "Header": "--no-header-row with --columns A,B,C reads a file that begins with a row.",
}

ONCE: Final = (
    "Every row counts once. The same file again changes nothing, and a stopped import goes on with the same "
    "command. Two equal rows of one file are two changes. A file that was re-saved with the same cells, in another "
    "encoding or with another delimiter, is the same file.",
    "A longer file, such as tomorrow's export, is another one; with a column of keys, or with --key-from from its "
    "first time on, only its new rows count. Without, it is refused if more than half of its rows are in already. "
    "--again takes every row for a new change, and counts the very same file anew; `rpctl help keys` tells how.",
)

REJECTS: Final = (
    "A row that is refused harms no other row. It goes to `FILE-STEM.rejected.csv`, or where --rejects says, as it "
    "was, with its key and what is wrong. Corrected there, it can be imported as it is, without any options: those "
    "that say how cells are to be read stand in the name of its last column. The original file then does not count "
    "the row again. An existing file is never overwritten. The exit status is 3; --strict "
    "applies nothing unless every row passes, and --dry-run only tells what would become of them.",
)

OVER_A_SERVICE: Final = (
    "Over a service every row is sent as a change of its own, --concurrency of them at a time (8 if nothing else is "
    "said), those of one customer one after the other in the file's order. Before the first leaves, the service is "
    "asked once what it has of these rows already; another machine may have sent them. Where it asks to slow down, the "
    "whole import does; --rate sets a limit of requests a second. Where it is out of reach the import waits for it, "
    "for as long as RPCTL_TIMEOUT_S says, and then ends with 75.",
    "A row whose answer was lost is looked for before it is sent again (`rpctl help keys`). Where it cannot be told "
    "whether it is in, it counts as `unknown`, later rows of that customer as `waiting`, and the exit status is 8: the "
    "same command looks again and goes on. `rpctl imports show RUN --rows` lists what became of each row that was to "
    "be sent.",
    "--dry-run only reads from the service. --strict stops at the first row that is refused although every row had "
    "passed, and names the command that takes back what is in. A column that the service cannot keep is refused, or "
    "with --ignore-extra left out: reasons over Emporix; dates, references and sites over BonifiQ, which needs a "
    "reason for every row. BonifiQ keeps keys itself: it is asked nothing before, and what was lost is sent again.",
)

CSV_EXAMPLES: Final[tuple[Block, ...]] = (
    Heading("Examples"),
    Paragraph("Points for an order that live for a year, and points that paid for another one:"),
    Lines(
        (
            "customer_id,points,reference_id,valid_until",
            "00004,50,order-9,+12m",
            "00005,-30,order-10,",
        )
    ),
    Paragraph("A shop's orders, whose factor decides how many points they earn; every check first, then the import:"),
    Lines(
        (
            "$ rpctl points import orders.csv --map order_value=amount --ignore-extra --dry-run",
            "$ rpctl points import orders.csv --map order_value=amount --ignore-extra",
        )
    ),
    Paragraph("What a spreadsheet of another country saved, and a reason for every row:"),
    Lines(
        (
            "$ rpctl points import spring.csv --encoding cp1252 --decimal-comma --date-format %d.%m.%Y "
            '--set reason="spring sale"',
        )
    ),
)

VALUES: Final[tuple[Block, ...]] = (
    Term("POINTS", ("A whole number from 1 to 2147483647, without a sign.",)),
    Term("AMOUNT", ("Digits and one point, such as `29.33`; not negative, and without separators of thousands.",)),
    Term(
        "CUSTOMER, ORDER, CODE, ID, KEY",
        (
            "Text as it is: leading zeros stay. Up to 255 characters, none of them invisible, without a space at "
            "either end. What a spreadsheet makes of a long number (`1.2E+11`) is refused.",
        ),
    ),
    Term("TEXT", ("Up to 2,000 characters. In a shell it stands in quotes.",)),
    Term(
        "WHEN",
        (
            "A date (`2027-01-31`) or an instant (`2027-01-31T18:00:00Z`, `2027-01-31T18:00:00+01:00`). Without an "
            "offset it is in the time zone of the profile or of RPCTL_TIME_ZONE, by default UTC. A date alone is the "
            "first moment of its day for --created-at, --since and --valid-from, and the last one for --valid-until, "
            "--until and --as-of.",
            "--valid-until also takes `+90d`, so many days after the date of the points, `+12m`, the same day so many "
            "months later or that month's last one, and `never`. For a redeem option they count from now.",
        ),
    ),
)
"""How values are written."""

FORMATS: Final[tuple[Block, ...]] = (
    Paragraph(
        "stdout is data; notes, warnings, errors and progress go to stderr. -o FORMAT, or RPCTL_OUTPUT, names the "
        "format of the data. A number alone, such as that of `rpctl points balance`, is a bare number in every one."
    ),
    Heading("Formats"),
    Term(
        "table",
        (
            "For people, and what a terminal gets by default. A number is never cut: a column that finds no room is "
            "left out, and a note names it. After the first 200 rows a note says how many more there are.",
        ),
    ),
    Term(
        "tsv",
        (
            "What a pipe or a file gets by default. The columns' names, then a line a row, with tabs between the "
            "cells. Nothing is cut; a tab or a line break inside a cell is shown as `\\t` or `\\n`.",
        ),
    ),
    Term(
        "csv",
        (
            "For spreadsheets, quoted as in RFC 4180, with line feeds. A text that a spreadsheet would run as a "
            "formula gets an apostrophe in front; --raw-csv leaves it as it is, for programs.",
        ),
    ),
    Term(
        "json",
        (
            "The documents of the API, field for field. A list is an array with a document a line, and an empty one "
            "is `[]`. A document that only rpctl has names itself in its field `schema`. Fields may be added, but "
            "none is ever renamed or dropped.",
        ),
    ),
    Term("jsonl", ("The same documents, one a line.",)),
    Paragraph("All but tables are printed while they are read: a million customers take no more memory than ten."),
    Heading("What is shown"),
    Term(
        "--fields NAMES",
        (
            "Only these fields, in this order: columns of tables, tsv and csv, fields of JSON. A wrong name is "
            "answered with the right ones. Some fields are shown only when they are named.",
        ),
    ),
    Term("--no-header", ("Leaves out the line with the columns' names.",)),
    Term("-q", ("Drops notes, and the entry that a change prints. Warnings and errors stay.",)),
    Heading("Errors"),
    Paragraph(
        "With `json` and `jsonl` the last line of stderr is the error as one JSON object, else there is a line that "
        "says what happened and one that says what to do; see `rpctl help exit-codes`."
    ),
    Heading("Examples"),
    Lines(
        (
            "$ rpctl points summary C1 -o json",
            "$ rpctl points summary -o jsonl | jq .activePoints",
            "$ rpctl customer list -o csv >customers.csv",
            '$ rpctl customer list --no-header --fields customerId | while read -r id; do echo "$id"; done',
        )
    ),
)
"""How answers are printed."""

KEYS: Final[tuple[Block, ...]] = (
    Paragraph(
        "Every change carries a key, and a key stands for one change. The same key with the same request changes "
        "nothing more: the answer is the entry that the first one made, a note says so, and the exit status is 0. So "
        "after a crash, a lost connection or a doubt the same command with the same key is always the right one."
    ),
    Heading("One change"),
    Lines(("$ rpctl points add C1 50 --reference order-9 --key order-9",)),
    Paragraph(
        "A key is any text that the caller can make again: an order's number, a ticket's. It is good for one ledger, "
        "whichever customer or command it comes with. Without --key a fresh one is made, which a note on stderr "
        "shows; where the command is interrupted, the hint carries it."
    ),
    Paragraph(
        "The same key with another request is refused (`key_reused`, exit status 6): another kind of change, customer, "
        "points or order value, reference, entry or validity, as they were typed. Description, reason, date and site "
        "may differ; the first ones stay. A change that was refused does not use up its key. The keys of a customer "
        "who was deleted stay used (`customer_deleted`), so that no old import brings the person back."
    ),
    Heading("Over a service"),
    Paragraph(
        "A service such as Emporix knows no keys: the same request twice counts twice. There rpctl writes into a "
        "journal what it is about to send, before it sends it, and marks each change with an id made of its key and, "
        "until it is known that the service keeps such ids, with a token such as `[rp-0123456789ab]` at the end of the "
        "description. Where an answer is lost, the customer's summary is read, but not before the request can no "
        "longer arrive (RPCTL_SETTLE_S): what carries the mark is in; what does not is sent again only where such "
        "marks are known to survive. All else ends with exit status 8 (`outcome_unknown`) and is never sent again by "
        "itself; the hint is the command that finds out later."
    ),
    Paragraph(
        "A key that was given with --key counts once on several machines, because the service is asked for its mark "
        "before the first sending. A key that was made afresh is good for this machine's journal."
    ),
    Heading("Over BonifiQ"),
    Paragraph(
        "BonifiQ keeps the key of a change, the `ChangeKey`: sent a second time it is refused and changes nothing. So "
        "a change whose answer was lost is sent again, and where its key is used by then, it is in. Which code that "
        "refusal has is not documented: rpctl learns it by sending the first change that went well to a tenant a "
        "second time, and remembers it. A key that was used from elsewhere is refused (`key_reused`). Where the code "
        "turns out to stand for other refusals too, a change whose answer was lost ends with exit status 8."
    ),
    Heading("The rows of a file"),
    Paragraph("The keys of an import come from one of these:"),
    Term(
        "a column of keys",
        (
            "Named `key`, or by --map key=COLUMN. Each row counts once in whatever file it comes. Where a cell is "
            "empty, its key is derived from the file.",
        ),
    ),
    Term(
        "--key-from FIELD",
        (
            "The key is derived from that cell of the row, such as `reference_id`, or from several: "
            "`customer_id,reference_id`. This suits a file that grows daily: rows of earlier days keep their keys and "
            "count once. A row where the cell is empty is refused, and so is a second row with the same cell and "
            "other values.",
        ),
    ),
    Term(
        "the file itself",
        (
            "Without either, the key is derived from the cells of the whole file and the row's place in it. The very "
            "same file changes nothing when it comes again, in whatever encoding it was saved; two equal rows are two "
            "changes. A file that grew is another file, all of whose rows have new keys: it is refused "
            "(`already_imported`) if more than half of its rows are in.",
        ),
    ),
    Paragraph(
        "A refused row takes its key along into the rejects file. Corrected there, it counts once, and the original "
        "file does not count it again."
    ),
    Heading("The same file once more"),
    Paragraph(
        "`rpctl points import FILE --again` says that every row is meant anew: it starts a new generation of the "
        "file's keys, given ones included. A run of that file that was stopped is gone on with first, even then."
    ),
    Paragraph(
        "After `rpctl imports undo RUN` the keys of its file stay used: the file is refused (`already_imported`) until "
        "--again begins a new generation."
    ),
)
"""How a change counts exactly once."""

OFFLINE: Final[tuple[Block, ...]] = (
    Paragraph(
        "In a profile with a service --offline works while the service is out of reach. Changes of points (`points "
        "add`, `redeem`, `reverse`, `import`) are recorded in the profile's own ledger file and sent later, once; "
        "balances, histories and lists are what was fetched last, and what waits on top of it. Everything else is "
        "refused by name (exit status 6)."
    ),
    Heading("A day"),
    Lines(
        (
            "$ rpctl sync pull",
            "$ rpctl points redeem C1 30 --key till-1 --offline",
            "$ rpctl points balance C1 --offline",
            "$ rpctl sync status",
            "$ rpctl sync push --dry-run",
            "$ rpctl sync push",
        )
    ),
    Heading("What is recorded"),
    Paragraph(
        "A change is judged when it is recorded, by what is known then: more points than are known to be there, or "
        "those of a customer who is not known, are not redeemed. It keeps its date, where the service takes dates, its "
        "key and who recorded it. The same key counts once, whether it comes without a line, at once, or from another "
        "machine before the push."
    ),
    Heading("Conflicts"),
    Paragraph(
        "What the service refuses when it is sent, since points were spent elsewhere or the customer was deleted, "
        "becomes a conflict, and the exit status is 3 while there is any. A conflict does not count in balances any "
        "more. Later changes of that customer are held behind it; nobody else's are. `rpctl sync status` shows both "
        "sides."
    ),
    Term("--retry KEY", ("Sends it once more, and what was held behind it.",)),
    Term("--drop KEY", ("Gives it up, with what would have reversed it. Its key is free again.",)),
    Heading("What is known"),
    Paragraph(
        "`rpctl sync pull` fetches everybody's points, the redeem options and the site's program; a note with every "
        "answer tells how old they are. A push reads the customers whose changes it sent anew. A service that lists no "
        "customers, such as BonifiQ, is asked for those that are named: `rpctl sync pull C1 C2`."
    ),
    Paragraph(
        "What waits belongs to the service's URL and tenant: send it before either changes. Keep the ledger file and "
        "the journal, which the same command needs to go on after a crash. With --ledger FILE, --offline works on that "
        "ledger for itself, and nothing of it is sent."
    ),
)
"""Work while a service is out of reach."""
