# bash completion for rpctl
# Written by `python -m rpctl.docgen`; changes belong into the program.
# Starts no process, needs no other package, and works from bash 3.2 on.

# Tells of the command $1, such as "points add": the commands below it, its switches, its options that take a
# value, what each of its arguments offers, and what any further one does.
__rpctl_command() {
    below='' arguments='' further=words
    switches='--no-header --raw-csv --offline -q --quiet -v --verbose --no-color --no-input -V --version --help'
    takes='-o --output --fields --profile --ledger'
    case $1 in
    '')
        below='points customer me options program imports sync ledger auth profile config doctor api help commands completion sandbox'
        ;;
    'points')
        below='add redeem balance summary history explain reverse import'
        ;;
    'points add')
        switches+=' --existing'
        takes+=' --order-value --factor --reference --description --reason --valid-until --created-at --site --key'
        arguments='nothing nothing'
        ;;
    'points redeem')
        takes+=' --option --description --reason --created-at --site --key'
        arguments='nothing nothing'
        ;;
    'points balance')
        takes+=' --as-of'
        arguments='nothing'
        ;;
    'points summary')
        takes+=' --limit'
        arguments='nothing'
        ;;
    'points history')
        takes+=' --since --until --type'
        arguments='nothing'
        ;;
    'points explain')
        arguments='nothing'
        ;;
    'points reverse')
        takes+=' --description --reason --key'
        arguments='nothing nothing'
        ;;
    'points import')
        switches+=' --ignore-extra --dry-run --strict --no-header-row --decimal-comma --again --wait'
        takes+=' --map --set --max-errors --rejects --delimiter --encoding --columns --date-format --key-from --concurrency --rate --factor --site'
        arguments='files'
        ;;
    'customer')
        below='create show list delete'
        ;;
    'customer create')
        takes+=' --points --reference --description --reason --valid-until --site --key'
        arguments='nothing'
        ;;
    'customer show')
        arguments='nothing'
        ;;
    'customer list')
        takes+=' --limit --search'
        ;;
    'customer delete')
        takes+=' --confirm'
        arguments='nothing'
        ;;
    'me')
        below='balance summary redeem'
        ;;
    'me redeem')
        takes+=' --site'
        arguments='nothing'
        ;;
    'options')
        below='list show create update delete'
        ;;
    'options show')
        arguments='nothing'
        ;;
    'options create')
        switches+=' --free-shipping'
        takes+=' --name --points --description --percent --amount --currency --max-redemptions --max-redemptions-per-customer --valid-from --valid-until --min-order --from'
        ;;
    'options update')
        switches+=' --free-shipping'
        takes+=' --name --points --description --percent --amount --currency --max-redemptions --max-redemptions-per-customer --valid-from --valid-until --min-order --from --if-version'
        arguments='nothing'
        ;;
    'options delete')
        switches+=' -y --yes'
        arguments='nothing'
        ;;
    'program')
        below='show set'
        ;;
    'program show')
        takes+=' --site'
        ;;
    'program set')
        switches+=' --enable --disable'
        takes+=' --factor --validity-months --code-prefix --site'
        ;;
    'imports')
        below='list show resume undo prune'
        ;;
    'imports show')
        switches+=' --rows'
        takes+=' --state'
        arguments='nothing'
        ;;
    'imports resume')
        switches+=' --wait'
        takes+=' --max-errors --rejects --concurrency --rate'
        arguments='nothing'
        ;;
    'imports undo')
        switches+=' --dry-run --wait -y --yes'
        takes+=' --concurrency --rate'
        arguments='nothing'
        ;;
    'imports prune')
        switches+=' --all --dry-run -y --yes'
        takes+=' --older-than'
        ;;
    'sync')
        below='status push pull'
        ;;
    'sync status')
        takes+=' --limit'
        ;;
    'sync push')
        switches+=' --dry-run --retry-all --drop-all --wait'
        takes+=' --retry --drop --concurrency --rate'
        ;;
    'sync pull')
        switches+=' --wait'
        arguments='nothing'
        further=nothing
        ;;
    'ledger')
        below='info verify backup restore export'
        ;;
    'ledger backup')
        arguments='files'
        ;;
    'ledger restore')
        switches+=' -y --yes'
        arguments='files'
        ;;
    'auth')
        below='login status logout token'
        ;;
    'auth login')
        switches+=' --secret-stdin --customer --employee --token-stdin --no-verify -y --yes'
        takes+=' --secret-file'
        ;;
    'auth logout')
        switches+=' --customer --employee'
        ;;
    'auth token')
        switches+=' --customer'
        takes+=' --scope'
        ;;
    'profile')
        below='create list show use delete'
        ;;
    'profile create')
        switches+=' --production --read-only'
        takes+=' --backend --url --tenant --client-id --site --time-zone'
        arguments='nothing'
        ;;
    'profile show')
        arguments='profiles'
        ;;
    'profile use')
        arguments='profiles'
        ;;
    'profile delete')
        switches+=' -y --yes'
        arguments='profiles'
        ;;
    'config')
        below='show path'
        ;;
    'config show')
        switches+=' --sources'
        ;;
    'api')
        switches+=' --customer'
        takes+=' --input --scope'
        arguments='words:GET,POST,PUT,PATCH,DELETE nothing'
        ;;
    'help')
        below='exit-codes environment formats csv keys offline values points customer me options program imports sync ledger auth profile config doctor api help commands completion sandbox'
        ;;
    'help points')
        below='add redeem balance summary history explain reverse import'
        ;;
    'help customer')
        below='create show list delete'
        ;;
    'help me')
        below='balance summary redeem'
        ;;
    'help options')
        below='list show create update delete'
        ;;
    'help program')
        below='show set'
        ;;
    'help imports')
        below='list show resume undo prune'
        ;;
    'help sync')
        below='status push pull'
        ;;
    'help ledger')
        below='info verify backup restore export'
        ;;
    'help auth')
        below='login status logout token'
        ;;
    'help profile')
        below='create list show use delete'
        ;;
    'help config')
        below='show path'
        ;;
    'completion')
        arguments='words:bash,zsh,fish'
        ;;
    'sandbox')
        switches+=' --bare'
        takes+=' --port --load --clock --latency --fail-rate --lose-answer-rate --rate-limit --drop-marker --seed --backend --key-used-code --warn-rate --token-lifetime'
        ;;
    esac
}

# Tells what the value of the option $2 of the command $1 offers.
__rpctl_value() {
    offer=nothing list=''
    case "$1 $2" in
    *' -o' | *' --output') offer=words list='table tsv csv json jsonl' ;;
    *' --profile') offer=profiles ;;
    *' --ledger' | 'points import --rejects' | 'options create --from' | 'options update --from' | 'imports resume --rejects' | 'auth login --secret-file' | 'api --input' | 'sandbox --load') offer=files ;;
    'points history --type') offer=words list='added redeemed expired backdated unexplained' ;;
    'points import --map' | 'points import --set') offer=pairs list='customer_id= points= order_value= operation= reference_id= description= reason= valid_until= created_at= site_code= key=' ;;
    'profile create --backend') offer=words list='ledger emporix bonifiq' ;;
    'sandbox --backend') offer=words list='emporix bonifiq' ;;
    esac
}

# Offers the names of the profiles, read from the [profiles.NAME] lines of the configuration file.
__rpctl_profiles() {
    local file=${RPCTL_CONFIG-} line
    local table='^[[:space:]]*\[[[:space:]]*profiles[[:space:]]*\.[[:space:]]*["'\'']?([a-z0-9][a-z0-9_-]*)'
    if [[ ! $file ]]; then
        if [[ ${XDG_CONFIG_HOME-} == /* ]]; then
            file=$XDG_CONFIG_HOME/rpctl/config.toml
        elif [[ ${OSTYPE-} == darwin* ]]; then
            file="$HOME/Library/Application Support/rpctl/config.toml"
        else
            file=$HOME/.config/rpctl/config.toml
        fi
    elif [[ $file == '~/'* ]]; then
        file=$HOME/${file:2}
    fi
    [[ -f $file && -r $file ]] || return
    while IFS= read -r line || [[ $line ]]; do
        [[ $line =~ $table ]] && list+=" ${BASH_REMATCH[1]}"
    done <"$file"
}

# Leaves file names to readline, which knows about quotes, spaces and ~; where it cannot be asked, finds them.
__rpctl_files() {
    if [[ ! $prefix ]] && compopt -o default 2>/dev/null; then
        return
    fi
    local file
    for file in "$cur"*; do
        [[ -e $file ]] || continue
        [[ -d $file ]] && file+=/
        printf -v file %q "$file"
        COMPREPLY+=("$prefix$file")
    done
}

_rpctl() {
    local IFS=$' \t\n' below switches takes arguments further offer=words list=''
    local cur=${2-${COMP_WORDS[COMP_CWORD]}} prefix='' path='' pending='' options=yes count=0 at=1 word
    COMPREPLY=()
    __rpctl_command ''
    while ((at < COMP_CWORD)); do
        word=${COMP_WORDS[at]}
        at=$((at + 1))
        if [[ $word == [=:] ]]; then
            # readline splits words at these: what follows belongs to the word before
            at=$((at + 1))
            ((at > COMP_CWORD)) && return
        elif [[ $options && $word == -- ]]; then
            options=''
        elif [[ $options && $word == -?* ]]; then
            if [[ " $takes " == *" $word "* ]]; then
                [[ ${COMP_WORDS[at]} == = ]] && ((at < COMP_CWORD)) && at=$((at + 1))
                ((at == COMP_CWORD)) && pending=$word
                at=$((at + 1))
            fi
        elif [[ $below ]]; then
            path=${path:+$path }$word
            __rpctl_command "$path"
        else
            count=$((count + 1))
        fi
    done
    if [[ $pending ]]; then
        [[ $cur == = ]] && cur=''
        __rpctl_value "$path" "$pending"
    elif [[ $cur == [=:] || ${COMP_WORDS[COMP_CWORD]} == [=:] ]]; then
        return
    elif [[ $options && $cur == --*=* ]]; then
        prefix=${cur%%=*}=
        __rpctl_value "$path" "${cur%%=*}"
        cur=${cur#*=}
    elif [[ $options && $cur == -* ]]; then
        list="$switches $takes"
    elif [[ $below ]]; then
        list=$below
    else
        arguments=($arguments)
        offer=${arguments[count]-$further}
        [[ $offer == words && $options ]] && list="$switches $takes"
        [[ $offer == words:* ]] && list=${offer#words:} list=${list//,/ } offer=words
    fi
    case $offer in
    files) __rpctl_files && return ;;
    profiles) __rpctl_profiles ;;
    pairs) compopt -o nospace 2>/dev/null ;;
    esac
    for word in $list; do
        [[ $word == "$cur"* ]] && COMPREPLY+=("$prefix$word")
    done
    return 0
}

complete -F _rpctl rpctl
