"""Where the files lie, in every environment that cron, containers and people start us in."""

import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from rpctl.config import paths
from rpctl.errors import InvalidConfig

HOME = {"HOME": "/home/ada"}


@pytest.mark.parametrize(
    ("environ", "file"),
    [
        (HOME, "/home/ada/.config/rpctl/config.toml"),
        ({**HOME, "XDG_CONFIG_HOME": "/xdg"}, "/xdg/rpctl/config.toml"),
        ({"XDG_CONFIG_HOME": "/xdg"}, "/xdg/rpctl/config.toml"),
        ({**HOME, "XDG_CONFIG_HOME": ""}, "/home/ada/.config/rpctl/config.toml"),
        ({**HOME, "XDG_CONFIG_HOME": "relative"}, "/home/ada/.config/rpctl/config.toml"),
        ({**HOME, "RPCTL_CONFIG": "/etc/shop.toml", "XDG_CONFIG_HOME": "/xdg"}, "/etc/shop.toml"),
        ({**HOME, "RPCTL_CONFIG": "~/shop.toml"}, "/home/ada/shop.toml"),
        ({**HOME, "RPCTL_CONFIG": ""}, "/home/ada/.config/rpctl/config.toml"),
    ],
)
def test_the_configuration_file(environ: dict[str, str], file: str) -> None:
    assert paths.config_file(environ) == Path(file)


@pytest.mark.parametrize(
    ("directory", "variable", "usual"),
    [
        (paths.data_dir, "XDG_DATA_HOME", "/home/ada/.local/share/rpctl"),
        (paths.state_dir, "XDG_STATE_HOME", "/home/ada/.local/state/rpctl"),
        (paths.cache_dir, "XDG_CACHE_HOME", "/home/ada/.cache/rpctl"),
    ],
)
def test_the_other_directories(directory, variable: str, usual: str) -> None:
    assert directory(HOME) == Path(usual)
    assert directory({**HOME, variable: "/xdg"}) == Path("/xdg/rpctl")
    assert directory({**HOME, variable: "not/absolute"}) == Path(usual)


def test_the_log_lies_in_the_state_directory() -> None:
    assert paths.log_file(HOME) == Path("/home/ada/.local/state/rpctl/rpctl.log")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere platformdirs itself is asked")
@pytest.mark.parametrize(
    "xdg", [{}, {f"XDG_{kind}_HOME": f"/xdg/{kind}" for kind in ("CONFIG", "DATA", "STATE", "CACHE")}]
)
def test_the_answers_are_those_of_platformdirs(xdg: dict[str, str]) -> None:
    environ = {**HOME, **xdg}
    kinds = "('config', 'data', 'state', 'cache')"
    code = f"import platformdirs as p; [print(getattr(p, f'user_{{kind}}_dir')('rpctl')) for kind in {kinds}]"
    asked = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True)
    ours = [
        paths.config_file(environ).parent,
        paths.data_dir(environ),
        paths.state_dir(environ),
        paths.cache_dir(environ),
    ]
    assert [str(path) for path in ours] == asked.stdout.split()


def test_a_profile_called_ledger_has_a_file_of_its_own() -> None:
    assert paths.ledger_file(HOME, None) == Path("/home/ada/.local/share/rpctl/ledger.db")
    assert paths.ledger_file(HOME, "ledger") == Path("/home/ada/.local/share/rpctl/profiles/ledger.db")


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "not/absolute"}])
def test_without_a_usable_home_the_user_list_knows_it(environ: dict[str, str]) -> None:
    assert paths.home_dir(environ) == Path(pwd.getpwuid(os.getuid()).pw_dir)


def _nobody_is_listed(uid: int) -> None:
    raise KeyError(uid)


def test_where_nobody_knows_a_home_the_hint_names_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", _nobody_is_listed)
    with pytest.raises(InvalidConfig) as caught:
        paths.config_file({})
    assert caught.value.exit_status == 7
    assert "RPCTL_CONFIG" in str(caught.value.hint)
    assert "RPCTL_LEDGER" in str(caught.value.hint)


def test_files_named_outright_need_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pwd, "getpwuid", _nobody_is_listed)
    assert paths.config_file({"RPCTL_CONFIG": "/c.toml"}) == Path("/c.toml")
    assert paths.data_dir({"XDG_DATA_HOME": "/d"}) == Path("/d/rpctl")


@pytest.mark.parametrize(
    ("text", "path"), [("~/a", "/home/ada/a"), ("~", "/home/ada"), ("~bob/a", "~bob/a"), ("a/~", "a/~"), ("/a", "/a")]
)
def test_only_the_own_home_is_expanded(text: str, path: str) -> None:
    assert paths.expand_home(text, HOME) == Path(path)
