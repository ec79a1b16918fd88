"""The completion of fish: one static script of `complete` lines and the functions that say where the cursor is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rpctl.cli.offers import Offer, Values
from rpctl.cli.tree import Command, Option, Tree

_HEAD: Final = r"""# fish completion for rpctl
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
    printf '%s\n' @takes@
    switch $argv[1]
"""

_TAIL: Final = r"""    end
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
        else if contains -- "$path" @groups@
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
"""
_MANY: Final = 9999


def completion(tree: Tree) -> str:
    """The script for share/fish/vendor_completions.d/rpctl.fish."""
    groups = " ".join(_quoted(" ".join(command.path)) for command in tree.every_command() if command.commands)
    head = _HEAD.replace("@takes@", " ".join(_taking(tree.common)))
    text = head + "".join(map(_takes, tree.every_command())) + _TAIL.replace("@groups@", groups)
    lines = [_option(option, "") for option in tree.common]
    for command in tree.every_command():
        lines += ["", *_command(command)]
    return text + "\n".join(lines) + "\n"


def _taking(options: Iterable[Option]) -> list[str]:
    return [name for option in options if option.metavar for name in option.names]


def _takes(command: Command) -> str:
    names = " ".join(_taking(command.options))
    case = f"        case {_quoted(' '.join(command.path))}\n"
    return f"{case}            printf '%s\\n' {names}\n" if names else ""


def _command(command: Command) -> list[str]:
    path = " ".join(command.path)
    at = f" -n {_quoted(f'__rpctl_at {_quoted(path)}')}"
    found = [
        f"complete -c rpctl{at} -a {below.name} -d {_quoted(below.summary)}"  # a noun or a verb
        for below in command.commands
    ]
    found += [_option(option, at) for option in command.options]
    for number, argument in enumerate(command.arguments):
        offered = _offered(argument.values)
        if offered:
            last = _MANY if argument.many else number
            found.append(f"complete -c rpctl -n {_quoted(f'__rpctl_at {_quoted(path)} {number} {last}')}{offered}")
    return found


def _option(option: Option, condition: str) -> str:
    parts = [f"complete -c rpctl{condition}"]
    for name in option.names:
        parts.append(f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}")
    if option.metavar:
        files = option.values.offer is Offer.FILES
        parts.append(" -r -F" if files else f" -x{_offered(option.values)}")
    parts.append(f" -d {_quoted(option.help.rstrip('.'))}")
    return "".join(parts)


def _offered(values: Values) -> str:
    match values.offer:
        case Offer.WORDS:
            return f" -a {_quoted(' '.join(values.words))}"
        case Offer.PAIRS:
            return f" -a {_quoted(' '.join(f'{word}=' for word in values.words))}"
        case Offer.FILES:
            return " -F"
        case Offer.PROFILES:
            return " -a '(__rpctl_profiles)'"
        case Offer.NOTHING:
            return ""


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
