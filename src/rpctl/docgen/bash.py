"""The completion of bash: one static script that starts no process, with or without the package bash-completion."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rpctl.cli.offers import FREE, Offer, Values
from rpctl.cli.tree import Command, Option, Tree

_HEAD: Final = """\
# bash completion for rpctl
# Written by `python -m rpctl.docgen`; changes belong into the program.
# Starts no process, needs no other package, and works from bash 3.2 on.

# Tells of the command $1, such as "points add": the commands below it, its switches, its options that take a
# value, what each of its arguments offers, and what any further one does.
__rpctl_command() {
    below='' arguments='' further=words
    switches='@switches@'
    takes='@takes@'
    case $1 in
"""

_VALUES: Final = """\
    esac
}

# Tells what the value of the option $2 of the command $1 offers.
__rpctl_value() {
    offer=nothing list=''
    case "$1 $2" in
"""

_TAIL: Final = r"""    esac
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
"""


def completion(tree: Tree) -> str:
    """The script for share/bash-completion/completions/rpctl."""
    head = _HEAD.replace("@switches@", _switches(tree.common)).replace("@takes@", _takes(tree.common))
    return head + "".join(map(_command, tree.every_command())) + _VALUES + _values(tree) + _TAIL


def _command(command: Command) -> str:
    told = []
    if command.commands:
        told.append(f"below='{' '.join(below.name for below in command.commands)}'")
    if switches := _switches(command.options):
        told.append(f"switches+=' {switches}'")
    if takes := _takes(command.options):
        told.append(f"takes+=' {takes}'")
    if command.arguments:
        told.append(f"arguments='{' '.join(_argument(argument.values) for argument in command.arguments)}'")
        if command.arguments[-1].many:
            told.append(f"further={_argument(command.arguments[-1].values)}")
    inner = "\n".join(f"        {one}" for one in told)
    return f"    '{' '.join(command.path)}')\n{inner}\n        ;;\n" if told else ""


def _switches(options: Iterable[Option]) -> str:
    return " ".join(name for option in options if not option.metavar for name in option.names)


def _takes(options: Iterable[Option]) -> str:
    return " ".join(name for option in options if option.metavar for name in option.names)


def _argument(values: Values) -> str:
    return f"words:{','.join(values.words)}" if values.offer is Offer.WORDS else values.offer.value


def _values(tree: Tree) -> str:
    patterns: dict[Values, list[str]] = {}
    for option in tree.common:
        patterns.setdefault(option.values, []).extend(f"*' {name}'" for name in option.names)
    for command in tree.every_command():
        for option in command.options:
            names = (f"'{' '.join((*command.path, name))}'" for name in option.names)
            patterns.setdefault(option.values, []).extend(names)
    patterns.pop(FREE, None)
    return "".join(f"    {' | '.join(which)}) {_told(values)} ;;\n" for values, which in patterns.items())


def _told(values: Values) -> str:
    words = [f"{word}=" if values.offer is Offer.PAIRS else word for word in values.words]
    told = f"offer={values.offer.value}"
    return f"{told} list='{' '.join(words)}'" if words else told
