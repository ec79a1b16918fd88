# fish completion for rpctl
# Written by `python -m rpctl.docgen`; changes belong into the program. Starts no process.

# The names of the profiles, read from the [profiles.NAME] lines of the configuration file.
function __rpctl_profiles
    set -l file $RPCTL_CONFIG
    if test -z "$file"
        if string match -q '/*' -- $XDG_CONFIG_HOME
            set file $XDG_CONFIG_HOME/rpctl/config.toml
        else if test -d "$HOME/Library/Application Support/rpctl"
            set file "$HOME/Library/Application Support/rpctl/config.toml"
        else
            set file $HOME/.config/rpctl/config.toml
        end
    else
        set file (string replace -r '^~/' "$HOME/" -- $file)
    end
    test -f "$file" -a -r "$file"; or return
    string replace -rf '^\s*\[\s*profiles\s*\.\s*["\']?([a-z0-9][a-z0-9_-]*).*' '$1' <$file
end

# The options of the command $argv[1] that take a value.
function __rpctl_takes
    printf '%s\n' -o --output --fields --profile --ledger
    switch $argv[1]
        case 'points add'
            printf '%s\n' --order-value --factor --reference --description --reason --valid-until --created-at --site --key
        case 'points redeem'
            printf '%s\n' --option --description --reason --created-at --site --key
        case 'points balance'
            printf '%s\n' --as-of
        case 'points summary'
            printf '%s\n' --limit
        case 'points history'
            printf '%s\n' --since --until --type
        case 'points reverse'
            printf '%s\n' --description --reason --key
        case 'points import'
            printf '%s\n' --map --set --max-errors --rejects --delimiter --encoding --columns --date-format --key-from --concurrency --rate --factor --site
        case 'customer create'
            printf '%s\n' --points --reference --description --reason --valid-until --site --key
        case 'customer list'
            printf '%s\n' --limit --search
        case 'customer delete'
            printf '%s\n' --confirm
        case 'me redeem'
            printf '%s\n' --site
        case 'options create'
            printf '%s\n' --name --points --description --percent --amount --currency --max-redemptions --max-redemptions-per-customer --valid-from --valid-until --min-order --from
        case 'options update'
            printf '%s\n' --name --points --description --percent --amount --currency --max-redemptions --max-redemptions-per-customer --valid-from --valid-until --min-order --from --if-version
        case 'program show'
            printf '%s\n' --site
        case 'program set'
            printf '%s\n' --factor --validity-months --code-prefix --site
        case 'imports show'
            printf '%s\n' --state
        case 'imports resume'
            printf '%s\n' --max-errors --rejects --concurrency --rate
        case 'imports undo'
            printf '%s\n' --concurrency --rate
        case 'imports prune'
            printf '%s\n' --older-than
        case 'sync status'
            printf '%s\n' --limit
        case 'sync push'
            printf '%s\n' --retry --drop --concurrency --rate
        case 'auth login'
            printf '%s\n' --secret-file
        case 'auth token'
            printf '%s\n' --scope
        case 'profile create'
            printf '%s\n' --backend --url --tenant --client-id --site --time-zone
        case 'api'
            printf '%s\n' --input --scope
        case 'sandbox'
            printf '%s\n' --port --load --clock --latency --fail-rate --lose-answer-rate --rate-limit --drop-marker --seed --backend --key-used-code --warn-rate --token-lifetime
    end
end

# Notes which command stands before the cursor and how many arguments it has, once for each command line.
function __rpctl_scan
    set -l tokens (commandline -opc)
    set -l line (string join \n -- $tokens | string collect)
    test "$line" = "$__rpctl_line"; and return
    set -l path
    set -l count 0
    set -l options yes
    set -l value
    for token in $tokens[2..]
        if set -q value[1]
            set value
            continue
        end
        if set -q options[1]; and test "$token" = --
            set options
        else if set -q options[1]; and string match -qr '^-.' -- $token
            contains -- $token (__rpctl_takes "$path"); and set value next
        else if contains -- "$path" '' 'points' 'customer' 'me' 'options' 'program' 'imports' 'sync' 'ledger' 'auth' 'profile' 'config' 'help' 'help points' 'help customer' 'help me' 'help options' 'help program' 'help imports' 'help sync' 'help ledger' 'help auth' 'help profile' 'help config'
            set -a path $token
        else
            set count (math $count + 1)
        end
    end
    set -g __rpctl_line $line
    set -g __rpctl_path "$path"
    set -g __rpctl_count $count
end

# Whether the cursor is behind the command $argv[1], and, where $argv[2] is given, behind so many arguments of it.
function __rpctl_at
    __rpctl_scan
    test "$__rpctl_path" = "$argv[1]"; or return
    set -q argv[2]; or return 0
    test $__rpctl_count -ge $argv[2]; and test $__rpctl_count -le $argv[3]
end

complete -c rpctl -f
complete -c rpctl -s o -l output -x -a 'table tsv csv json jsonl' -d 'table, tsv, csv, json or jsonl; by default table on a terminal, else tsv'
complete -c rpctl -l fields -x -d 'Only these fields, in this order, separated by commas'
complete -c rpctl -l no-header -d 'Leave out the header line of tsv, csv and tables'
complete -c rpctl -l raw-csv -d 'Leave CSV cells that look like formulas as they are'
complete -c rpctl -l profile -x -a '(__rpctl_profiles)' -d 'Work with this profile'
complete -c rpctl -l ledger -r -F -d 'Work on this ledger file'
complete -c rpctl -l offline -d 'Without the service: record for `rpctl sync push`, answer by what was fetched last'
complete -c rpctl -s q -l quiet -d 'No notes, and nothing of what a write made'
complete -c rpctl -s v -l verbose -d 'Say on stderr what is used, and why; and each request to a service'
complete -c rpctl -l no-color -d 'No colours'
complete -c rpctl -l no-input -d 'Never ask; refuse what would have to be asked'
complete -c rpctl -s V -l version -d 'Print the version and end'
complete -c rpctl -l help -d 'Show help, examples first, and end'

complete -c rpctl -n '__rpctl_at \'\'' -a points -d 'Add, redeem, show, reverse and import points'
complete -c rpctl -n '__rpctl_at \'\'' -a customer -d 'Create, show, list and delete customers'
complete -c rpctl -n '__rpctl_at \'\'' -a me -d 'The signed-in customer: balance, summary, coupons for points'
complete -c rpctl -n '__rpctl_at \'\'' -a options -d 'Redeem options: what points can be exchanged for'
complete -c rpctl -n '__rpctl_at \'\'' -a program -d 'How orders become points, and how long they live'
complete -c rpctl -n '__rpctl_at \'\'' -a imports -d 'Earlier import runs: show, resume, undo, prune'
complete -c rpctl -n '__rpctl_at \'\'' -a sync -d 'Work recorded offline: what waits, send it, fetch what is known'
complete -c rpctl -n '__rpctl_at \'\'' -a ledger -d 'The local ledger file: verify, back up, restore, export'
complete -c rpctl -n '__rpctl_at \'\'' -a auth -d 'Log in to a service; who one is there, and where that comes from'
complete -c rpctl -n '__rpctl_at \'\'' -a profile -d 'Named settings'
complete -c rpctl -n '__rpctl_at \'\'' -a config -d 'What is in force, and who decided'
complete -c rpctl -n '__rpctl_at \'\'' -a doctor -d 'Check the profile, credentials, the service, the journal, the ledger and shell completion'
complete -c rpctl -n '__rpctl_at \'\'' -a api -d 'Send a request as it is, with the profile\'s credentials, and print what the service answers'
complete -c rpctl -n '__rpctl_at \'\'' -a help -d 'Explain a topic, or show the help of a command'
complete -c rpctl -n '__rpctl_at \'\'' -a commands -d 'List all commands; as JSON with their arguments and options'
complete -c rpctl -n '__rpctl_at \'\'' -a completion -d 'Print the completion script for bash, zsh or fish'
complete -c rpctl -n '__rpctl_at \'\'' -a sandbox -d 'Serve the documented APIs on loopback, to try things out'

complete -c rpctl -n '__rpctl_at \'points\'' -a add -d 'Add points to a customer'
complete -c rpctl -n '__rpctl_at \'points\'' -a redeem -d 'Redeem a customer\'s points, or exchange them for a coupon'
complete -c rpctl -n '__rpctl_at \'points\'' -a balance -d 'Show how many points a customer can redeem'
complete -c rpctl -n '__rpctl_at \'points\'' -a summary -d 'Show one customer\'s added and redeemed points, or everybody\'s'
complete -c rpctl -n '__rpctl_at \'points\'' -a history -d 'Show a customer\'s changes in recording order with the running balance, expiries included'
complete -c rpctl -n '__rpctl_at \'points\'' -a explain -d 'Show lot by lot what was granted, used, has expired and is left'
complete -c rpctl -n '__rpctl_at \'points\'' -a reverse -d 'Book the opposite of an entry, linked to it'
complete -c rpctl -n '__rpctl_at \'points\'' -a import -d 'Import point changes from a CSV file, every row once'

complete -c rpctl -n '__rpctl_at \'points add\'' -l order-value -x -d 'In place of POINTS: the program\'s factor decides'
complete -c rpctl -n '__rpctl_at \'points add\'' -l factor -x -d 'Points for one unit of an order value, over a service without a program'
complete -c rpctl -n '__rpctl_at \'points add\'' -l reference -x -d 'The order the points come from'
complete -c rpctl -n '__rpctl_at \'points add\'' -l description -x -d 'What the customer sees'
complete -c rpctl -n '__rpctl_at \'points add\'' -l reason -x -d 'Why, for internal use (BonifiQ needs it, Emporix does not take it)'
complete -c rpctl -n '__rpctl_at \'points add\'' -l valid-until -x -d '2027-01-31, an instant, +90d, +12m or never; by default what the program says'
complete -c rpctl -n '__rpctl_at \'points add\'' -l created-at -x -d 'The business date, e.g. 2026-01-31; by default now'
complete -c rpctl -n '__rpctl_at \'points add\'' -l site -x -d 'The site whose program applies'
complete -c rpctl -n '__rpctl_at \'points add\'' -l key -x -d 'The change\'s own key: the same key again changes nothing. By default a fresh one'
complete -c rpctl -n '__rpctl_at \'points add\'' -l existing -d 'Refuse a customer that does not exist yet'

complete -c rpctl -n '__rpctl_at \'points redeem\'' -l option -x -d 'In place of POINTS: exchange for this redeem option\'s coupon (a ledger only)'
complete -c rpctl -n '__rpctl_at \'points redeem\'' -l description -x -d 'What the customer sees'
complete -c rpctl -n '__rpctl_at \'points redeem\'' -l reason -x -d 'Why, for internal use (BonifiQ needs it, Emporix does not take it)'
complete -c rpctl -n '__rpctl_at \'points redeem\'' -l created-at -x -d 'The business date, e.g. 2026-01-31; by default now'
complete -c rpctl -n '__rpctl_at \'points redeem\'' -l site -x -d 'The site whose program applies'
complete -c rpctl -n '__rpctl_at \'points redeem\'' -l key -x -d 'The change\'s own key: the same key again changes nothing. By default a fresh one'

complete -c rpctl -n '__rpctl_at \'points balance\'' -l as-of -x -d 'As it was at that moment'

complete -c rpctl -n '__rpctl_at \'points summary\'' -l limit -x -d 'At most so many'

complete -c rpctl -n '__rpctl_at \'points history\'' -l since -x -d 'From that day or moment on'
complete -c rpctl -n '__rpctl_at \'points history\'' -l until -x -d 'Up to that day or moment'
complete -c rpctl -n '__rpctl_at \'points history\'' -l type -x -a 'added redeemed expired backdated unexplained' -d 'Only added, redeemed, expired, backdated or unexplained'


complete -c rpctl -n '__rpctl_at \'points reverse\'' -l description -x -d 'What the customer sees'
complete -c rpctl -n '__rpctl_at \'points reverse\'' -l reason -x -d 'Why, for internal use (BonifiQ needs it, Emporix does not take it)'
complete -c rpctl -n '__rpctl_at \'points reverse\'' -l key -x -d 'The change\'s own key: the same key again changes nothing. By default a fresh one'

complete -c rpctl -n '__rpctl_at \'points import\'' -l map -x -a 'customer_id= points= order_value= operation= reference_id= description= reason= valid_until= created_at= site_code= key=' -d 'Which column holds a field; repeatable'
complete -c rpctl -n '__rpctl_at \'points import\'' -l set -x -a 'customer_id= points= order_value= operation= reference_id= description= reason= valid_until= created_at= site_code= key=' -d 'The same value in every row; repeatable'
complete -c rpctl -n '__rpctl_at \'points import\'' -l ignore-extra -d 'Leave out columns that are not known'
complete -c rpctl -n '__rpctl_at \'points import\'' -l dry-run -d 'Check everything, change nothing'
complete -c rpctl -n '__rpctl_at \'points import\'' -l strict -d 'Apply nothing unless every row passes a rehearsal'
complete -c rpctl -n '__rpctl_at \'points import\'' -l max-errors -x -d 'Stop when so many rows are refused'
complete -c rpctl -n '__rpctl_at \'points import\'' -l rejects -r -F -d 'Where refused rows go; by default FILE-STEM.rejected.csv'
complete -c rpctl -n '__rpctl_at \'points import\'' -l delimiter -x -d 'By default found from the header'
complete -c rpctl -n '__rpctl_at \'points import\'' -l encoding -x -d 'By default UTF-8, or UTF-16 with a BOM'
complete -c rpctl -n '__rpctl_at \'points import\'' -l columns -x -d 'The columns\' names, with --no-header-row'
complete -c rpctl -n '__rpctl_at \'points import\'' -l no-header-row -d 'The first line is a row already'
complete -c rpctl -n '__rpctl_at \'points import\'' -l decimal-comma -d 'Numbers are written 29,33'
complete -c rpctl -n '__rpctl_at \'points import\'' -l date-format -x -d 'How dates are written, e.g. %d.%m.%Y'
complete -c rpctl -n '__rpctl_at \'points import\'' -l key-from -x -d 'What tells the rows apart, e.g. reference_id: for a file that grows'
complete -c rpctl -n '__rpctl_at \'points import\'' -l again -d 'Count every row anew, although it is in from an earlier import'
complete -c rpctl -n '__rpctl_at \'points import\'' -l wait -d 'Wait where another process is importing the same file'
complete -c rpctl -n '__rpctl_at \'points import\'' -l concurrency -x -d 'Requests at a time to a service, 1 to 128; by default 8'
complete -c rpctl -n '__rpctl_at \'points import\'' -l rate -x -d 'Requests a second at most; by default what the service takes'
complete -c rpctl -n '__rpctl_at \'points import\'' -l factor -x -d 'Points for one unit of an order value, over a service without a program'
complete -c rpctl -n '__rpctl_at \'points import\'' -l site -x -d 'The site whose program applies'
complete -c rpctl -n '__rpctl_at \'points import\' 0 0' -F

complete -c rpctl -n '__rpctl_at \'customer\'' -a create -d 'Create a customer, with starting points or without'
complete -c rpctl -n '__rpctl_at \'customer\'' -a show -d 'Show a customer\'s points, entry by entry'
complete -c rpctl -n '__rpctl_at \'customer\'' -a list -d 'List customers and their active points'
complete -c rpctl -n '__rpctl_at \'customer\'' -a delete -d 'Delete a customer\'s points and personal text, for good'

complete -c rpctl -n '__rpctl_at \'customer create\'' -l points -x -d 'Start with so many points'
complete -c rpctl -n '__rpctl_at \'customer create\'' -l reference -x -d 'The order they come from'
complete -c rpctl -n '__rpctl_at \'customer create\'' -l description -x -d 'What the customer sees'
complete -c rpctl -n '__rpctl_at \'customer create\'' -l reason -x -d 'Why, for internal use (BonifiQ needs it, Emporix does not take it)'
complete -c rpctl -n '__rpctl_at \'customer create\'' -l valid-until -x -d 'Until when they can be redeemed'
complete -c rpctl -n '__rpctl_at \'customer create\'' -l site -x -d 'The site whose program applies'
complete -c rpctl -n '__rpctl_at \'customer create\'' -l key -x -d 'The change\'s own key: the same key again changes nothing. By default a fresh one'


complete -c rpctl -n '__rpctl_at \'customer list\'' -l limit -x -d 'At most so many'
complete -c rpctl -n '__rpctl_at \'customer list\'' -l search -x -d 'Only ids that contain this'

complete -c rpctl -n '__rpctl_at \'customer delete\'' -l confirm -x -d 'The id once more, in place of being asked'

complete -c rpctl -n '__rpctl_at \'me\'' -a balance -d 'Show how many points the signed-in customer can redeem'
complete -c rpctl -n '__rpctl_at \'me\'' -a summary -d 'Show the signed-in customer\'s added and redeemed points'
complete -c rpctl -n '__rpctl_at \'me\'' -a redeem -d 'Exchange the signed-in customer\'s points for a coupon'



complete -c rpctl -n '__rpctl_at \'me redeem\'' -l site -x -d 'The site whose program applies'

complete -c rpctl -n '__rpctl_at \'options\'' -a list -d 'List the redeem options'
complete -c rpctl -n '__rpctl_at \'options\'' -a show -d 'Show one redeem option, whole'
complete -c rpctl -n '__rpctl_at \'options\'' -a create -d 'Create a redeem option'
complete -c rpctl -n '__rpctl_at \'options\'' -a update -d 'Change what is named; the rest stays, fields that rpctl does not know included'
complete -c rpctl -n '__rpctl_at \'options\'' -a delete -d 'Delete a redeem option; coupons that were issued for it stay'



complete -c rpctl -n '__rpctl_at \'options create\'' -l name -x -d 'What the customer sees'
complete -c rpctl -n '__rpctl_at \'options create\'' -l points -x -d 'What the coupon costs'
complete -c rpctl -n '__rpctl_at \'options create\'' -l description -x -d 'What the customer reads about it'
complete -c rpctl -n '__rpctl_at \'options create\'' -l percent -x -d 'A coupon for so many percent'
complete -c rpctl -n '__rpctl_at \'options create\'' -l amount -x -d 'A coupon for a fixed amount, with --currency'
complete -c rpctl -n '__rpctl_at \'options create\'' -l currency -x -d 'ISO 4217, such as EUR'
complete -c rpctl -n '__rpctl_at \'options create\'' -l free-shipping -d 'A coupon for free shipping'
complete -c rpctl -n '__rpctl_at \'options create\'' -l max-redemptions -x -d 'How often a coupon works; -1: no limit'
complete -c rpctl -n '__rpctl_at \'options create\'' -l max-redemptions-per-customer -x -d 'How often for one customer; -1: no limit'
complete -c rpctl -n '__rpctl_at \'options create\'' -l valid-from -x -d 'From when the coupon works'
complete -c rpctl -n '__rpctl_at \'options create\'' -l valid-until -x -d 'Until when the coupon works'
complete -c rpctl -n '__rpctl_at \'options create\'' -l min-order -x -d 'Smallest order, with --currency'
complete -c rpctl -n '__rpctl_at \'options create\'' -l from -r -F -d 'A whole JSON document; options change it'

complete -c rpctl -n '__rpctl_at \'options update\'' -l name -x -d 'What the customer sees'
complete -c rpctl -n '__rpctl_at \'options update\'' -l points -x -d 'What the coupon costs'
complete -c rpctl -n '__rpctl_at \'options update\'' -l description -x -d 'What the customer reads about it'
complete -c rpctl -n '__rpctl_at \'options update\'' -l percent -x -d 'A coupon for so many percent'
complete -c rpctl -n '__rpctl_at \'options update\'' -l amount -x -d 'A coupon for a fixed amount, with --currency'
complete -c rpctl -n '__rpctl_at \'options update\'' -l currency -x -d 'ISO 4217, such as EUR'
complete -c rpctl -n '__rpctl_at \'options update\'' -l free-shipping -d 'A coupon for free shipping'
complete -c rpctl -n '__rpctl_at \'options update\'' -l max-redemptions -x -d 'How often a coupon works; -1: no limit'
complete -c rpctl -n '__rpctl_at \'options update\'' -l max-redemptions-per-customer -x -d 'How often for one customer; -1: no limit'
complete -c rpctl -n '__rpctl_at \'options update\'' -l valid-from -x -d 'From when the coupon works'
complete -c rpctl -n '__rpctl_at \'options update\'' -l valid-until -x -d 'Until when the coupon works'
complete -c rpctl -n '__rpctl_at \'options update\'' -l min-order -x -d 'Smallest order, with --currency'
complete -c rpctl -n '__rpctl_at \'options update\'' -l from -r -F -d 'A whole JSON document; options change it'
complete -c rpctl -n '__rpctl_at \'options update\'' -l if-version -x -d 'Only if the option still has this version'

complete -c rpctl -n '__rpctl_at \'options delete\'' -s y -l yes -d 'Do not ask'

complete -c rpctl -n '__rpctl_at \'program\'' -a show -d 'Show how orders become points, and how long they live'
complete -c rpctl -n '__rpctl_at \'program\'' -a set -d 'Change what is named; the rest stays'

complete -c rpctl -n '__rpctl_at \'program show\'' -l site -x -d 'The site whose program applies'

complete -c rpctl -n '__rpctl_at \'program set\'' -l factor -x -d 'Points per unit of the site\'s currency, e.g. 1 or 0.5'
complete -c rpctl -n '__rpctl_at \'program set\'' -l validity-months -x -d 'How long added points live; `none`: for ever'
complete -c rpctl -n '__rpctl_at \'program set\'' -l code-prefix -x -d 'Coupon codes read TEXT-CODE; empty: no prefix'
complete -c rpctl -n '__rpctl_at \'program set\'' -l enable -l disable -d 'Disabled: adding is refused, redeeming is not'
complete -c rpctl -n '__rpctl_at \'program set\'' -l site -x -d 'The site whose program applies'

complete -c rpctl -n '__rpctl_at \'imports\'' -a list -d 'List the import runs, the latest first'
complete -c rpctl -n '__rpctl_at \'imports\'' -a show -d 'Show one import run, or its rows'
complete -c rpctl -n '__rpctl_at \'imports\'' -a resume -d 'Go on with an import that was stopped'
complete -c rpctl -n '__rpctl_at \'imports\'' -a undo -d 'Reverse everything that an import applied'
complete -c rpctl -n '__rpctl_at \'imports\'' -a prune -d 'Remove what old import runs keep of personal text'


complete -c rpctl -n '__rpctl_at \'imports show\'' -l rows -d 'Show what became of each row that was to be sent to a service'
complete -c rpctl -n '__rpctl_at \'imports show\'' -l state -x -d 'With --rows: only rows in these states, separated by commas'

complete -c rpctl -n '__rpctl_at \'imports resume\'' -l max-errors -x -d 'Stop when so many rows are refused, in place of the limit it had'
complete -c rpctl -n '__rpctl_at \'imports resume\'' -l rejects -r -F -d 'Where refused rows go, in place of where they were to go'
complete -c rpctl -n '__rpctl_at \'imports resume\'' -l concurrency -x -d 'Requests at a time to a service, 1 to 128'
complete -c rpctl -n '__rpctl_at \'imports resume\'' -l rate -x -d 'Requests a second at most; by default what the service takes'
complete -c rpctl -n '__rpctl_at \'imports resume\'' -l wait -d 'Wait where another process is at work on the same file'

complete -c rpctl -n '__rpctl_at \'imports undo\'' -l dry-run -d 'Show what it would come to, change nothing'
complete -c rpctl -n '__rpctl_at \'imports undo\'' -l concurrency -x -d 'Requests at a time to a service, 1 to 128'
complete -c rpctl -n '__rpctl_at \'imports undo\'' -l rate -x -d 'Requests a second at most; by default what the service takes'
complete -c rpctl -n '__rpctl_at \'imports undo\'' -l wait -d 'Wait where another process is at work on the same file'
complete -c rpctl -n '__rpctl_at \'imports undo\'' -s y -l yes -d 'Do not ask'

complete -c rpctl -n '__rpctl_at \'imports prune\'' -l older-than -x -d 'How long ago they ended, in days or months: 90d, 12m'
complete -c rpctl -n '__rpctl_at \'imports prune\'' -l all -d 'Unfinished runs too; they cannot be resumed after that'
complete -c rpctl -n '__rpctl_at \'imports prune\'' -l dry-run -d 'Show what would go, change nothing'
complete -c rpctl -n '__rpctl_at \'imports prune\'' -s y -l yes -d 'Do not ask'

complete -c rpctl -n '__rpctl_at \'sync\'' -a status -d 'Show what was recorded offline and is not sent yet: since when, and for whom'
complete -c rpctl -n '__rpctl_at \'sync\'' -a push -d 'Send what was recorded offline to the service, in its order, every change once'
complete -c rpctl -n '__rpctl_at \'sync\'' -a pull -d 'Fetch everybody\'s points, the redeem options and the site\'s program, for times without a line'

complete -c rpctl -n '__rpctl_at \'sync status\'' -l limit -x -d 'List at most so many changes; by default 200'

complete -c rpctl -n '__rpctl_at \'sync push\'' -l dry-run -d 'Tell what would happen, change nothing'
complete -c rpctl -n '__rpctl_at \'sync push\'' -l retry -x -d 'Send this conflict once more; repeatable'
complete -c rpctl -n '__rpctl_at \'sync push\'' -l retry-all -d 'Send every conflict once more'
complete -c rpctl -n '__rpctl_at \'sync push\'' -l drop -x -d 'Give up this conflict, or a change that stays unclear; repeatable'
complete -c rpctl -n '__rpctl_at \'sync push\'' -l drop-all -d 'Give every conflict up'
complete -c rpctl -n '__rpctl_at \'sync push\'' -l wait -d 'Wait where another process is pushing or pulling'
complete -c rpctl -n '__rpctl_at \'sync push\'' -l concurrency -x -d 'Requests at a time, 1 to 128; by default 8'
complete -c rpctl -n '__rpctl_at \'sync push\'' -l rate -x -d 'Requests a second at most; by default what the service takes'

complete -c rpctl -n '__rpctl_at \'sync pull\'' -l wait -d 'Wait where another process is pushing or pulling'

complete -c rpctl -n '__rpctl_at \'ledger\'' -a info -d 'Show where the ledger is, how large, and what is in it'
complete -c rpctl -n '__rpctl_at \'ledger\'' -a verify -d 'Check every rule on every entry of the ledger'
complete -c rpctl -n '__rpctl_at \'ledger\'' -a backup -d 'Write a consistent copy of the ledger, while others go on working'
complete -c rpctl -n '__rpctl_at \'ledger\'' -a restore -d 'Make the ledger what a backup is; what it was before is kept beside it'
complete -c rpctl -n '__rpctl_at \'ledger\'' -a export -d 'Write every entry in recording order, with all that is recorded of it'



complete -c rpctl -n '__rpctl_at \'ledger backup\' 0 0' -F

complete -c rpctl -n '__rpctl_at \'ledger restore\'' -s y -l yes -d 'Do not ask'
complete -c rpctl -n '__rpctl_at \'ledger restore\' 0 0' -F


complete -c rpctl -n '__rpctl_at \'auth\'' -a login -d 'Store the client secret of the profile in the system\'s keyring, once the service has accepted it'
complete -c rpctl -n '__rpctl_at \'auth\'' -a status -d 'Show who one is at the profile\'s service, where that comes from, and until when tokens hold'
complete -c rpctl -n '__rpctl_at \'auth\'' -a logout -d 'Remove what `rpctl auth login` stored for the profile\'s account, and its cached tokens'
complete -c rpctl -n '__rpctl_at \'auth\'' -a token -d 'Print an access token, for a script that makes requests of its own'

complete -c rpctl -n '__rpctl_at \'auth login\'' -l secret-stdin -d 'Read the secret from standard input'
complete -c rpctl -n '__rpctl_at \'auth login\'' -l secret-file -r -F -d 'Read the secret from this file'
complete -c rpctl -n '__rpctl_at \'auth login\'' -l customer -d 'The customer\'s token, for storefront requests'
complete -c rpctl -n '__rpctl_at \'auth login\'' -l employee -d 'A ready employee or service token, used in place of the client secret'
complete -c rpctl -n '__rpctl_at \'auth login\'' -l token-stdin -d 'Read the token from standard input'
complete -c rpctl -n '__rpctl_at \'auth login\'' -l no-verify -d 'Do not ask the service for a token'
complete -c rpctl -n '__rpctl_at \'auth login\'' -s y -l yes -d 'Where there is no keyring, store it in a file without asking'


complete -c rpctl -n '__rpctl_at \'auth logout\'' -l customer -d 'The customer\'s token, for storefront requests'
complete -c rpctl -n '__rpctl_at \'auth logout\'' -l employee -d 'A ready employee or service token, used in place of the client secret'

complete -c rpctl -n '__rpctl_at \'auth token\'' -l scope -x -d 'By default rewardspoints.rewardpoints_view; may be repeated'
complete -c rpctl -n '__rpctl_at \'auth token\'' -l customer -d 'The customer\'s token, for storefront requests'

complete -c rpctl -n '__rpctl_at \'profile\'' -a create -d 'Create a profile: named settings with a ledger file of their own'
complete -c rpctl -n '__rpctl_at \'profile\'' -a list -d 'List the profiles'
complete -c rpctl -n '__rpctl_at \'profile\'' -a show -d 'Show a profile'
complete -c rpctl -n '__rpctl_at \'profile\'' -a use -d 'Make a profile the one that holds by default'
complete -c rpctl -n '__rpctl_at \'profile\'' -a delete -d 'Delete a profile; its ledger file stays where it is'

complete -c rpctl -n '__rpctl_at \'profile create\'' -l backend -x -a 'ledger emporix bonifiq' -d 'ledger: a local SQLite file. emporix, bonifiq: the service'
complete -c rpctl -n '__rpctl_at \'profile create\'' -l url -x -d 'Where the service is; by default https://api.emporix.io or https://api.bonifiq.com.br'
complete -c rpctl -n '__rpctl_at \'profile create\'' -l tenant -x -d 'The tenant at the service'
complete -c rpctl -n '__rpctl_at \'profile create\'' -l client-id -x -d 'The client id of the API key (of BonifiQ its API token); `rpctl auth login` takes its secret'
complete -c rpctl -n '__rpctl_at \'profile create\'' -l site -x -d 'The site whose program applies'
complete -c rpctl -n '__rpctl_at \'profile create\'' -l time-zone -x -d 'Of dates without one, such as Europe/Berlin; by default UTC'
complete -c rpctl -n '__rpctl_at \'profile create\'' -l production -d 'Questions say that this is the real thing'
complete -c rpctl -n '__rpctl_at \'profile create\'' -l read-only -d 'Refuse every change'


complete -c rpctl -n '__rpctl_at \'profile show\' 0 0' -a '(__rpctl_profiles)'

complete -c rpctl -n '__rpctl_at \'profile use\' 0 0' -a '(__rpctl_profiles)'

complete -c rpctl -n '__rpctl_at \'profile delete\'' -s y -l yes -d 'Do not ask'
complete -c rpctl -n '__rpctl_at \'profile delete\' 0 0' -a '(__rpctl_profiles)'

complete -c rpctl -n '__rpctl_at \'config\'' -a show -d 'Show the settings in force'
complete -c rpctl -n '__rpctl_at \'config\'' -a path -d 'Print where the configuration file is, or would be'

complete -c rpctl -n '__rpctl_at \'config show\'' -l sources -d 'Tell who decided each one'



complete -c rpctl -n '__rpctl_at \'api\'' -l input -r -F -d 'The JSON body: a file, or - for standard input'
complete -c rpctl -n '__rpctl_at \'api\'' -l scope -x -d 'A scope to ask for in place of the usual; repeatable'
complete -c rpctl -n '__rpctl_at \'api\'' -l customer -d 'With the customer\'s token'
complete -c rpctl -n '__rpctl_at \'api\' 0 0' -a 'GET POST PUT PATCH DELETE'

complete -c rpctl -n '__rpctl_at \'help\'' -a exit-codes -d 'How rpctl commands end, and what to do then'
complete -c rpctl -n '__rpctl_at \'help\'' -a environment -d 'The environment variables that rpctl reads'
complete -c rpctl -n '__rpctl_at \'help\'' -a formats -d 'How answers are printed: tables, tsv, csv, JSON'
complete -c rpctl -n '__rpctl_at \'help\'' -a csv -d 'The CSV files that rpctl points import reads'
complete -c rpctl -n '__rpctl_at \'help\'' -a keys -d 'How a change counts exactly once, whatever happens'
complete -c rpctl -n '__rpctl_at \'help\'' -a offline -d 'How work goes on while a service is out of reach'
complete -c rpctl -n '__rpctl_at \'help\'' -a values -d 'How points, ids and dates are written'
complete -c rpctl -n '__rpctl_at \'help\'' -a points -d 'Add, redeem, show, reverse and import points'
complete -c rpctl -n '__rpctl_at \'help\'' -a customer -d 'Create, show, list and delete customers'
complete -c rpctl -n '__rpctl_at \'help\'' -a me -d 'The signed-in customer: balance, summary, coupons for points'
complete -c rpctl -n '__rpctl_at \'help\'' -a options -d 'Redeem options: what points can be exchanged for'
complete -c rpctl -n '__rpctl_at \'help\'' -a program -d 'How orders become points, and how long they live'
complete -c rpctl -n '__rpctl_at \'help\'' -a imports -d 'Earlier import runs: show, resume, undo, prune'
complete -c rpctl -n '__rpctl_at \'help\'' -a sync -d 'Work recorded offline: what waits, send it, fetch what is known'
complete -c rpctl -n '__rpctl_at \'help\'' -a ledger -d 'The local ledger file: verify, back up, restore, export'
complete -c rpctl -n '__rpctl_at \'help\'' -a auth -d 'Log in to a service; who one is there, and where that comes from'
complete -c rpctl -n '__rpctl_at \'help\'' -a profile -d 'Named settings'
complete -c rpctl -n '__rpctl_at \'help\'' -a config -d 'What is in force, and who decided'
complete -c rpctl -n '__rpctl_at \'help\'' -a doctor -d 'Check the profile, credentials, the service, the journal, the ledger and shell completion'
complete -c rpctl -n '__rpctl_at \'help\'' -a api -d 'Send a request as it is, with the profile\'s credentials, and print what the service answers'
complete -c rpctl -n '__rpctl_at \'help\'' -a help -d 'Explain a topic, or show the help of a command'
complete -c rpctl -n '__rpctl_at \'help\'' -a commands -d 'List all commands; as JSON with their arguments and options'
complete -c rpctl -n '__rpctl_at \'help\'' -a completion -d 'Print the completion script for bash, zsh or fish'
complete -c rpctl -n '__rpctl_at \'help\'' -a sandbox -d 'Serve the documented APIs on loopback, to try things out'








complete -c rpctl -n '__rpctl_at \'help points\'' -a add -d 'Add points to a customer'
complete -c rpctl -n '__rpctl_at \'help points\'' -a redeem -d 'Redeem a customer\'s points, or exchange them for a coupon'
complete -c rpctl -n '__rpctl_at \'help points\'' -a balance -d 'Show how many points a customer can redeem'
complete -c rpctl -n '__rpctl_at \'help points\'' -a summary -d 'Show one customer\'s added and redeemed points, or everybody\'s'
complete -c rpctl -n '__rpctl_at \'help points\'' -a history -d 'Show a customer\'s changes in recording order with the running balance, expiries included'
complete -c rpctl -n '__rpctl_at \'help points\'' -a explain -d 'Show lot by lot what was granted, used, has expired and is left'
complete -c rpctl -n '__rpctl_at \'help points\'' -a reverse -d 'Book the opposite of an entry, linked to it'
complete -c rpctl -n '__rpctl_at \'help points\'' -a import -d 'Import point changes from a CSV file, every row once'









complete -c rpctl -n '__rpctl_at \'help customer\'' -a create -d 'Create a customer, with starting points or without'
complete -c rpctl -n '__rpctl_at \'help customer\'' -a show -d 'Show a customer\'s points, entry by entry'
complete -c rpctl -n '__rpctl_at \'help customer\'' -a list -d 'List customers and their active points'
complete -c rpctl -n '__rpctl_at \'help customer\'' -a delete -d 'Delete a customer\'s points and personal text, for good'





complete -c rpctl -n '__rpctl_at \'help me\'' -a balance -d 'Show how many points the signed-in customer can redeem'
complete -c rpctl -n '__rpctl_at \'help me\'' -a summary -d 'Show the signed-in customer\'s added and redeemed points'
complete -c rpctl -n '__rpctl_at \'help me\'' -a redeem -d 'Exchange the signed-in customer\'s points for a coupon'




complete -c rpctl -n '__rpctl_at \'help options\'' -a list -d 'List the redeem options'
complete -c rpctl -n '__rpctl_at \'help options\'' -a show -d 'Show one redeem option, whole'
complete -c rpctl -n '__rpctl_at \'help options\'' -a create -d 'Create a redeem option'
complete -c rpctl -n '__rpctl_at \'help options\'' -a update -d 'Change what is named; the rest stays, fields that rpctl does not know included'
complete -c rpctl -n '__rpctl_at \'help options\'' -a delete -d 'Delete a redeem option; coupons that were issued for it stay'






complete -c rpctl -n '__rpctl_at \'help program\'' -a show -d 'Show how orders become points, and how long they live'
complete -c rpctl -n '__rpctl_at \'help program\'' -a set -d 'Change what is named; the rest stays'



complete -c rpctl -n '__rpctl_at \'help imports\'' -a list -d 'List the import runs, the latest first'
complete -c rpctl -n '__rpctl_at \'help imports\'' -a show -d 'Show one import run, or its rows'
complete -c rpctl -n '__rpctl_at \'help imports\'' -a resume -d 'Go on with an import that was stopped'
complete -c rpctl -n '__rpctl_at \'help imports\'' -a undo -d 'Reverse everything that an import applied'
complete -c rpctl -n '__rpctl_at \'help imports\'' -a prune -d 'Remove what old import runs keep of personal text'






complete -c rpctl -n '__rpctl_at \'help sync\'' -a status -d 'Show what was recorded offline and is not sent yet: since when, and for whom'
complete -c rpctl -n '__rpctl_at \'help sync\'' -a push -d 'Send what was recorded offline to the service, in its order, every change once'
complete -c rpctl -n '__rpctl_at \'help sync\'' -a pull -d 'Fetch everybody\'s points, the redeem options and the site\'s program, for times without a line'




complete -c rpctl -n '__rpctl_at \'help ledger\'' -a info -d 'Show where the ledger is, how large, and what is in it'
complete -c rpctl -n '__rpctl_at \'help ledger\'' -a verify -d 'Check every rule on every entry of the ledger'
complete -c rpctl -n '__rpctl_at \'help ledger\'' -a backup -d 'Write a consistent copy of the ledger, while others go on working'
complete -c rpctl -n '__rpctl_at \'help ledger\'' -a restore -d 'Make the ledger what a backup is; what it was before is kept beside it'
complete -c rpctl -n '__rpctl_at \'help ledger\'' -a export -d 'Write every entry in recording order, with all that is recorded of it'






complete -c rpctl -n '__rpctl_at \'help auth\'' -a login -d 'Store the client secret of the profile in the system\'s keyring, once the service has accepted it'
complete -c rpctl -n '__rpctl_at \'help auth\'' -a status -d 'Show who one is at the profile\'s service, where that comes from, and until when tokens hold'
complete -c rpctl -n '__rpctl_at \'help auth\'' -a logout -d 'Remove what `rpctl auth login` stored for the profile\'s account, and its cached tokens'
complete -c rpctl -n '__rpctl_at \'help auth\'' -a token -d 'Print an access token, for a script that makes requests of its own'





complete -c rpctl -n '__rpctl_at \'help profile\'' -a create -d 'Create a profile: named settings with a ledger file of their own'
complete -c rpctl -n '__rpctl_at \'help profile\'' -a list -d 'List the profiles'
complete -c rpctl -n '__rpctl_at \'help profile\'' -a show -d 'Show a profile'
complete -c rpctl -n '__rpctl_at \'help profile\'' -a use -d 'Make a profile the one that holds by default'
complete -c rpctl -n '__rpctl_at \'help profile\'' -a delete -d 'Delete a profile; its ledger file stays where it is'






complete -c rpctl -n '__rpctl_at \'help config\'' -a show -d 'Show the settings in force'
complete -c rpctl -n '__rpctl_at \'help config\'' -a path -d 'Print where the configuration file is, or would be'










complete -c rpctl -n '__rpctl_at \'completion\' 0 0' -a 'bash zsh fish'

complete -c rpctl -n '__rpctl_at \'sandbox\'' -l port -x -d 'Listen there; 0 is any free one'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l load -r -F -d 'Begin with these summaries (JSON) or balances (CSV)'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l clock -x -d 'What its clock says at the start; it runs on from there'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l latency -x -d 'Answer no sooner than that, such as 20ms'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l fail-rate -x -d 'So many requests fail with 500, and nothing is done'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l lose-answer-rate -x -d 'So many requests are done, and nobody gets the answer'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l rate-limit -x -d 'More requests in a second are answered with 429'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l drop-marker -x -d 'Do not keep what is sent as id, description or reference-id'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l seed -x -d 'The same seed makes the same requests fail'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l backend -x -a 'emporix bonifiq' -d 'Whose client is told how to find it: emporix or bonifiq'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l key-used-code -x -d 'What BonifiQ\'s API answers a ChangeKey with that was used before'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l warn-rate -x -d 'So many of BonifiQ\'s changes are done and come with a warning'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l bare -d 'BonifiQ\'s API leaves the envelope out where all went well'
complete -c rpctl -n '__rpctl_at \'sandbox\'' -l token-lifetime -x -d 'How long tokens are good for'
