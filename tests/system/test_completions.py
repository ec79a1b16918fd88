"""The completions in the real shells: what TAB offers in bash, zsh and fish.

bash is driven both ways: by its completion function, as readline calls it, and by keys in a terminal of its own;
zsh by keys in a terminal; fish by its own `complete -C`.
"""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
BASH: Final = ROOT / "completions/rpctl.bash"
ZSH: Final = ROOT / "completions/_rpctl"
FISH: Final = ROOT / "completions/rpctl.fish"
BASH_COMPLETION: Final = Path("/usr/share/bash-completion/bash_completion")

needs_zsh = pytest.mark.skipif(not shutil.which("zsh"), reason="needs zsh (Debian package zsh)")
needs_fish = pytest.mark.skipif(not shutil.which("fish"), reason="needs fish (Debian package fish)")
needs_bash_completion = pytest.mark.skipif(
    not BASH_COMPLETION.is_file(), reason="needs bash-completion (Debian package bash-completion)"
)

CONFIG: Final = """\
current = "shop"  # [profiles.no]
[profiles.shop]
site = "main"
  [ profiles . "till-2" ]
[other.no]
[profiles.last]"""

CASES: Final[Mapping[str, str]] = {
    "rpctl po": "points",
    "rpctl p": "points program profile",
    "rpctl points a": "add",
    "rpctl points re": "redeem reverse",
    "rpctl nothing a": "",
    "rpctl -q points b": "balance",
    "rpctl -o json points b": "balance",
    "rpctl --output=json points b": "balance",
    "rpctl points --profile shop h": "history",
    "rpctl --profile points customer d": "delete",
    "rpctl -o js": "json jsonl",
    "rpctl --output t": "table tsv",
    "rpctl points balance C1 --output=c": "csv",
    "rpctl points history C1 --type ": "added redeemed expired backdated unexplained",
    "rpctl points history C1 --type=r": "redeemed",
    "rpctl profile create till --backend ": "ledger emporix bonifiq",
    "rpctl points add C1 50 --ex": "--existing",
    "rpctl points add C1 50 --op": "",
    "rpctl points redeem C1 --op": "--option",
    "rpctl options delete 6650a1 --y": "--yes",
    "rpctl program set --dis": "--disable",
    "rpctl imports list --no-in": "--no-input",
    "rpctl --no-i": "--no-input",
    "rpctl points add -- --ex": "",
    "rpctl --profile ": "shop till-2 last",
    "rpctl profile use t": "till-2",
    "rpctl profile create t": "",
    "rpctl profile use shop t": "",
    "rpctl points import o.csv --map cu": "customer_id=",
    "rpctl points import o.csv --map customer_id=Email --set reas": "reason=",
    "rpctl points import ord": "orders.csv",
    "rpctl points import --map points=Amount ord": "orders.csv",
    "rpctl points import --dry-run --site main ord": "orders.csv",
    "rpctl points import --rejects ord": "orders.csv",
    "rpctl --ledger boo": "books.db",
    "rpctl ledger backup boo": "books.db",
    "rpctl ledger backup books.db ord": "",
    "rpctl ledger backup -- -books.db ord": "",
    "rpctl points add ord": "",
    "rpctl he": "help",
    "rpctl com": "commands completion",
    "rpctl help e": "exit-codes environment",
    "rpctl help v": "values",
    "rpctl help c": "csv customer config commands completion",
    "rpctl help points re": "redeem reverse",
    "rpctl -q help customer cr": "create",
    "rpctl help csv po": "",
    "rpctl help points add C": "",
    "rpctl help -o js": "json jsonl",
    "rpctl completion ": "bash zsh fish",
    "rpctl completion f": "fish",
    "rpctl completion bash f": "",
    "rpctl commands --ou": "--output",
    "rpctl points add C1 --reason ord": "",
}
"""What is typed before TAB, and what can follow."""

NO_PROCESS: Final = """PATH=; set -T; trap '((BASH_SUBSHELL)) && echo "started a process" >&2' DEBUG"""
"""With this every program and every subshell leaves a word on stderr."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home and working directory with a configuration and a few files."""
    place = tmp_path_factory.mktemp("place")
    (place / ".config/rpctl").mkdir(parents=True)
    (place / ".config/rpctl/config.toml").write_text(CONFIG)
    for name in ("orders.csv", "books.db", "two words.csv"):
        (place / name).touch()
    return place


@pytest.fixture(scope="module")
def environ(place: Path) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(place), "TERM": "xterm", "LC_ALL": "C.UTF-8"}


class Screen:
    """A shell in a terminal of its own, which is typed into and tells by files what became of it."""

    def __init__(self, argv: list[str], place: Path, environ: Mapping[str, str]) -> None:
        main, side = pty.openpty()
        self._keys = main
        self._process = subprocess.Popen(
            argv, stdin=side, stdout=side, stderr=side, cwd=place, env=dict(environ), start_new_session=True
        )
        os.close(side)
        self._shown = b""

    def type(self, keys: str, *, until: Path) -> str:
        """Types and waits."""
        until.unlink(missing_ok=True)
        os.write(self._keys, keys.encode())
        return self.wait(until)

    def wait(self, until: Path) -> str:
        """Waits for a file to be written whole (it ends with END), and returns its text without that."""
        give_up_at = time.monotonic() + 20
        while time.monotonic() < give_up_at:
            if select.select([self._keys], [], [], 0.005)[0]:
                self._shown += os.read(self._keys, 4096)
            if until.exists() and (text := until.read_text()).endswith("END\n"):
                return text.removesuffix("END\n")
        raise AssertionError(f"there is no {until}; the terminal shows {self._shown[-2000:]!r}")

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self._keys)


def run(argv: list[str], place: Path, environ: Mapping[str, str]) -> str:
    """What a shell's script prints; nothing may go to stderr."""
    done = subprocess.run(
        argv,
        cwd=place,
        env=dict(environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


# -- bash -------------------------------------------------------------------------------------------------


def in_bash(line: str, place: Path, environ: Mapping[str, str], before: str = f"source '{BASH}'") -> set[str]:
    """What the function leaves in COMPREPLY, without a process, for a line that is split as readline does it."""
    words = line.replace("=", " = ").split()
    if line.endswith(" "):
        words.append("")
    current = words[-1]
    quoted = " ".join(f"'{word}'" for word in words)
    call = f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _rpctl rpctl '{current}' x"
    script = f'{before}; {NO_PROCESS}; {call}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return set(run(["bash", "--norc", "-c", script], place, environ).split())


@pytest.mark.parametrize("line", CASES)
def test_bash_offers(line: str, place: Path, environ: dict[str, str]) -> None:
    assert in_bash(line, place, environ) == set(CASES[line].split())


@needs_bash_completion
def test_the_package_bash_completion_finds_it_by_its_name(place: Path, environ: dict[str, str], tmp_path: Path) -> None:
    installed = tmp_path / "bash-completion/completions/rpctl"
    installed.parent.mkdir(parents=True)
    installed.write_bytes(BASH.read_bytes())
    environ = {**environ, "XDG_DATA_DIRS": str(tmp_path)}
    before = f"source '{BASH_COMPLETION}'; _completion_loader rpctl; [[ $(complete -p rpctl) == *_rpctl* ]] || exit 9"
    for line in ("rpctl points re", "rpctl points history C1 --type=r", "rpctl --profile ", "rpctl points import ord"):
        assert in_bash(line, place, environ, before) == set(CASES[line].split())


@pytest.mark.parametrize(
    "package",
    ["", pytest.param(f"source '{BASH_COMPLETION}'\n", marks=needs_bash_completion)],
    ids=["alone", "package"],
)
def test_bash_completes_what_is_typed(place: Path, environ: dict[str, str], tmp_path: Path, package: str) -> None:
    told = tmp_path / "told"
    (tmp_path / "rc").write_text(
        f"{package}source '{BASH}'\n"
        f"rpctl() {{ printf '<%s>' \"$@\" >'{told}'; printf 'END\\n' >>'{told}'; }}\n"
        f"bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; printf 'END\\n' >'{tmp_path / 'up'}'\n"
    )
    screen = Screen(["bash", "--noprofile", "--rcfile", str(tmp_path / "rc"), "-i"], place, environ)
    try:
        screen.wait(tmp_path / "up")
        for keys, words in {
            "rpctl poin\tad\tC1 50 --exi\t\n": "<points><add><C1><50><--existing>",
            "rpctl points history C1 --type=red\t\n": "<points><history><C1><--type=redeemed>",
            "rpctl points history C1 --typ\tred\t\n": "<points><history><C1><--type><redeemed>",
            "rpctl points import two\t--dry\t\n": "<points><import><two words.csv><--dry-run>",
            "rpctl points import 'two\t\n": "<points><import><two words.csv>",
            "rpctl points import ~/ord\t\n": f"<points><import><{place}/orders.csv>",
            "rpctl --ledger=boo\tledger inf\t\n": "<--ledger=books.db><ledger><info>",
            "rpctl points import ord\t--map cust\tEmail\n": "<points><import><orders.csv><--map><customer_id=Email>",
            "rpctl --profile till\t-o jsonl\tprofile li\t\n": "<--profile><till-2><-o><jsonl><profile><list>",
            "rpctl points add ord\t\n": "<points><add><ord>",
        }.items():
            assert screen.type(keys, until=told) == words, keys
    finally:
        screen.close()


def test_bash_without_equals_signs_between_words(place: Path, environ: dict[str, str]) -> None:
    before = f"source '{BASH}'; COMP_WORDS=(rpctl --output=js); COMP_CWORD=1; _rpctl rpctl --output=js rpctl"
    script = f'{before}; printf "%s\\n" "${{COMPREPLY[@]}}"'
    assert run(["bash", "-c", script], place, environ).split() == ["--output=json", "--output=jsonl"]


# -- zsh --------------------------------------------------------------------------------------------------

ZSH_SETUP: Final = """\
PROMPT= RPS1=
fpath=(%(folder)s $fpath)
autoload -Uz compinit && compinit -u -D
compadd() {
    # Tells what matches; calls that only fill an array (-O, -A, -D) are none of ours.
    local -a told
    if [[ " ${(j: :)${@[1,(i)(-|--)]}} " != *\\ -(O|A|D)\\ * ]]; then
        builtin compadd -A told "$@"
        print -rl -- $told >>%(told)s
    fi
    builtin compadd "$@"
}
tell() {
    : >|%(told)s
    _main_complete
    print END >>%(told)s
}
zle -C tell list-choices tell
bindkey '^I' tell
zstyle ':completion:*' format ''
print END >%(up)s
"""


@pytest.fixture(scope="module")
def zsh(place: Path, environ: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Zsh]:
    shell = Zsh(tmp_path_factory.mktemp("zsh"), place, environ)
    yield shell
    shell.screen.close()


class Zsh:
    """An interactive zsh with the completion in its fpath."""

    def __init__(self, folder: Path, place: Path, environ: Mapping[str, str]) -> None:
        (folder / "_rpctl").write_bytes(ZSH.read_bytes())
        names = {name: str(folder / name) for name in ("told", "up")}
        (folder / ".zshrc").write_text(ZSH_SETUP % {"folder": str(folder), **names})
        self.folder = folder
        self.screen = Screen(["zsh", "-i"], place, {**environ, "ZDOTDIR": str(folder)})
        self.screen.wait(folder / "up")

    def offers(self, line: str) -> set[str]:
        """What TAB offers after a line."""
        told = self.screen.type(f"\x15{line}\t", until=self.folder / "told")
        return {one for one in told.splitlines() if one}


def in_zsh(line: str, place: Path, environ: Mapping[str, str]) -> set[str]:
    """What TAB offers in a zsh of its own."""
    with TemporaryDirectory() as folder:
        shell = Zsh(Path(folder), place, environ)
        try:
            return shell.offers(line)
        finally:
            shell.screen.close()


@needs_zsh
@pytest.mark.parametrize("line", CASES)
def test_zsh_offers(line: str, zsh: Zsh) -> None:
    assert {one.rstrip("=") for one in zsh.offers(line)} == {one.rstrip("=") for one in CASES[line].split()}


@needs_zsh
def test_zsh_may_source_it(place: Path, environ: dict[str, str]) -> None:
    script = f"autoload -Uz compinit && compinit -u -D && source '{ZSH}' && print $_comps[rpctl]"
    assert run(["zsh", "-f", "-c", script], place, environ) == "_rpctl\n"


# -- fish -------------------------------------------------------------------------------------------------


def in_fish(line: str, place: Path, environ: Mapping[str, str]) -> set[str]:
    """What `complete -C` offers, without the descriptions, with no PATH at all."""
    script = f"source '{FISH}'; set PATH; complete -C '{line}'"
    offered = run(["fish", "--no-config", "-c", script], place, {**environ, "fish_features": ""})
    return {one.partition("\t")[0] for one in offered.splitlines()}


@needs_fish
@pytest.mark.parametrize("line", CASES)
def test_fish_offers(line: str, place: Path, environ: dict[str, str]) -> None:
    option = line.rpartition(" ")[2].partition("=")[0] + "="
    offered = {one.removeprefix(option) for one in in_fish(line, place, environ)}
    assert offered == set(CASES[line].split())


@needs_fish
def test_fish_tells_what_a_command_does(place: Path, environ: dict[str, str]) -> None:
    script = f"source '{FISH}'; complete -C 'rpctl points a'"
    assert run(["fish", "--no-config", "-c", script], place, environ) == "add\tAdd points to a customer\n"


# -- which file names the profiles ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shell",
    [
        pytest.param(in_bash, id="bash"),
        pytest.param(in_zsh, id="zsh", marks=needs_zsh),
        pytest.param(in_fish, id="fish", marks=needs_fish),
    ],
)
def test_profiles_come_from_the_file_that_the_program_reads(
    shell: Callable[..., set[str]], place: Path, environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "rpctl").mkdir()
    (tmp_path / "rpctl/config.toml").write_text("[profiles.xdg]\n")
    (tmp_path / "named.toml").write_text("[profiles.named]\n")
    (place / "home.toml").write_text("[profiles.tilde]\n")
    os.mkfifo(tmp_path / "pipe")
    for variables, names in (
        ({"XDG_CONFIG_HOME": str(tmp_path)}, {"xdg"}),
        ({"XDG_CONFIG_HOME": "relative"}, {"shop", "till-2", "last"}),
        ({"XDG_CONFIG_HOME": ""}, {"shop", "till-2", "last"}),
        ({"XDG_CONFIG_HOME": str(tmp_path), "RPCTL_CONFIG": str(tmp_path / "named.toml")}, {"named"}),
        ({"RPCTL_CONFIG": "~/home.toml"}, {"tilde"}),
        ({"RPCTL_CONFIG": str(tmp_path / "absent.toml")}, set()),
        ({"RPCTL_CONFIG": str(tmp_path)}, set()),
        ({"RPCTL_CONFIG": str(tmp_path / "pipe")}, set()),
    ):
        assert shell("rpctl --profile ", place, {**environ, **variables}) == names
