"""The completion of zsh: one static function for ``fpath``, which may be sourced as well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rpctl.cli.offers import Offer, Values
from rpctl.cli.tree import Argument, Command, Option, Tree

_HEAD: Final = r"""#compdef rpctl
# zsh completion for rpctl
# Written by `python -m rpctl.docgen`; changes belong into the program. Starts no process.

# The names of the profiles, read from the [profiles.NAME] lines of the configuration file.
_rpctl_profiles() {
    local file=$RPCTL_CONFIG line
    local table='^[[:space:]]*\[[[:space:]]*profiles[[:space:]]*\.[[:space:]]*["'\'']?([a-z0-9][a-z0-9_-]*)'
    local -a names match mbegin mend
    if [[ -z $file ]]; then
        if [[ $XDG_CONFIG_HOME == /* ]]; then
            file=$XDG_CONFIG_HOME/rpctl/config.toml
        elif [[ $OSTYPE == darwin* ]]; then
            file="$HOME/Library/Application Support/rpctl/config.toml"
        else
            file=$HOME/.config/rpctl/config.toml
        fi
    elif [[ $file == '~/'* ]]; then
        file=$HOME/${file[3,-1]}
    fi
    [[ -f $file && -r $file ]] || return 1
    while IFS= read -r line || [[ -n $line ]]; do
        [[ $line =~ $table ]] && names+=($match[1])
    done <$file
    compadd "$@" -a names
}

# FIELD= words, after which a value is typed.
_rpctl_pairs() {
    compadd -q -S = "$@"
}

# The command $1, such as "points add": the commands below it, or its options and arguments.
_rpctl_at() {
    local curcontext=$curcontext context state state_descr line
    local -A opt_args
    local -a commands own
    case $1 in
"""

_COMMON: Final = r"""    esac
    if (( $#commands )); then
        _arguments -C -s -S -A '-*' $common ': :->command' '*:: :->below' && return
        case $state in
        command) _describe -t commands command commands ;;
        below) _rpctl_at "${1:+$1 }$words[1]" ;;
        esac
    else
        _arguments -s -S $common $own
    fi
}

_rpctl() {
    local -a common=(
"""

_TAIL: Final = """\
    )
    _rpctl_at ''
}

if [[ $funcstack[1] == _rpctl ]]; then
    _rpctl "$@"
else
    compdef _rpctl rpctl
fi
"""


def completion(tree: Tree) -> str:
    """The function for share/zsh/site-functions/_rpctl."""
    commands = "".join(map(_command, tree.every_command()))
    return _HEAD + commands + _COMMON + _block(_options(tree.common), 8) + _TAIL


def _command(command: Command) -> str:
    if command.commands:
        name = "commands"
        specs = [_quoted(f"{below.name}:{below.summary}") for below in command.commands]
    else:
        name = "own"
        specs = [*_options(command.options), *map(_argument, command.arguments)]
    if not specs:
        return ""
    return f"    '{' '.join(command.path)}')\n        {name}=(\n{_block(specs, 12)}        )\n        ;;\n"


def _block(specs: Iterable[str], indent: int) -> str:
    return "".join(f"{' ' * indent}{spec}\n" for spec in specs)


def _options(options: Iterable[Option]) -> list[str]:
    return [_option(option, name) for option in options for name in option.names]


def _option(option: Option, name: str) -> str:
    spec = "*" if option.repeatable else f"({' '.join(option.names)})" if len(option.names) > 1 else ""
    spec += name
    if option.metavar:
        spec += "=" if name.startswith("--") else "+"
    spec += f"[{_bracketed(option.help.rstrip('.'))}]"
    if option.metavar:
        spec += f":{_message(option.metavar)}:{_action(option.values)}"
    return _quoted(spec)


def _argument(argument: Argument) -> str:
    start = "*:" if argument.many else ":" if argument.required else "::"
    return _quoted(f"{start}{_message(argument.name)}:{_action(argument.values)}")


def _action(values: Values) -> str:
    match values.offer:
        case Offer.WORDS:
            return f"({' '.join(values.words)})"
        case Offer.PAIRS:
            return f"_rpctl_pairs {' '.join(values.words)}"
        case Offer.FILES:
            return "_files"
        case Offer.PROFILES:
            return "_rpctl_profiles"
        case Offer.NOTHING:
            return " "


def _bracketed(text: str) -> str:
    return text.replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]").replace(":", "\\:")


def _message(text: str) -> str:
    return text.replace("\\", "\\\\").replace(":", "\\:")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
