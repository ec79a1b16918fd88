"""What a configuration file may say, and what is refused in it, with file, profile, key and line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rpctl.config.profiles import Profile, Profiles, load
from rpctl.errors import InvalidConfig, ProfileNotFound


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


def test_every_key_of_a_profile_is_read(file: Path) -> None:
    file.write_text(
        """\
        current = "shop"
        [profiles.shop]
        backend = "ledger"
        time_zone = "Europe/Berlin"
        site = "main"
        production = true
        read_only = false
        ledger = "/srv/shop.db"
        [profiles.1-b_c]
        """
    )
    shop = Profile("shop", "ledger", "Europe/Berlin", "main", True, False, "/srv/shop.db")
    assert load(file) == Profiles(file, "shop", {"shop": shop, "1-b_c": Profile("1-b_c")})


@pytest.mark.parametrize("content", [b"", b"\n \n", b"# nothing yet\n", b"\xef\xbb\xbf", b"[profiles]\n"])
def test_a_file_that_says_nothing_has_no_profiles(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    assert load(file) == Profiles(file, None, {})


def test_no_file_is_one_without_profiles(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    (tmp_path / "dangling").symlink_to("nowhere")
    for absent in (tmp_path / "a/b.toml", tmp_path / "plain/b.toml", tmp_path / "dangling"):
        assert load(absent) == Profiles(absent, None, {})


def test_a_byte_order_mark_and_windows_line_ends_are_no_obstacle(file: Path) -> None:
    file.write_bytes(b'\xef\xbb\xbfcurrent = "a"\r\n[profiles.a]\r\nsite = "x"\r\n')
    assert load(file) == Profiles(file, "a", {"a": Profile("a", site="x")})


@pytest.mark.parametrize(
    ("content", "message", "hint"),
    [
        (b'currant = "a"', "FILE has an unknown key 'currant'.", "Allowed: current, and tables [profiles.NAME]."),
        (b"current = 5", "`current` in FILE cannot be 5.", "Allowed: 1 to 64 characters of"),
        (b'current = ""', "`current` in FILE cannot be ''.", "Allowed: 1 to 64 characters of"),
        (b'profiles = "a"', "`profiles` in FILE is not a table.", "Write each as [profiles.NAME]."),
        (b"[[profiles]]", "`profiles` in FILE is not a table.", "Write each as [profiles.NAME]."),
        (b"[profiles.Shop]", "A profile's name in FILE cannot be 'Shop'.", "Allowed: 1 to 64 characters of"),
        (b'[profiles."../x"]', "A profile's name in FILE cannot be '../x'.", "Allowed: 1 to 64 characters of"),
        (b'[profiles]\na = "b"', "Profile 'a' in FILE is not a table.", "Write it as [profiles.a] with a line"),
        (
            b"[profiles.a]\nread-only = true",
            "Profile 'a' in FILE has an unknown key 'read-only'.",
            "Allowed: backend, time_zone, site, production, read_only, ledger, url, tenant, client_id, timeout_s",
        ),
        (
            b'[profiles.a]\nbackend = "postgres"',
            "backend of profile 'a' in FILE cannot be 'postgres'.",
            "Allowed: ledger, emporix or bonifiq.",
        ),
        (
            b'[profiles.a]\nread_only = "yes"',
            "read_only of profile 'a' in FILE cannot be 'yes'.",
            "Allowed: true or false",
        ),
        (b"[profiles.a]\nproduction = 1", "production of profile 'a' in FILE cannot be 1.", "Allowed: true or false"),
        (b'[profiles.a]\nledger = ""', "ledger of profile 'a' in FILE cannot be ''.", "Allowed: the path of a file"),
        (
            b'[profiles.a]\nledger = "a\\u0000"',
            "ledger of profile 'a' in FILE cannot be 'a\\x00'.",
            "Allowed: the path",
        ),
        (b'[profiles.a]\nsite = " x"', "site of profile 'a' in FILE cannot be ' x'.", "Allowed: a site code"),
        (
            b"[profiles.a]\ntime_zone = 1",
            "time_zone of profile 'a' in FILE cannot be 1.",
            "Allowed: the name of a time",
        ),
    ],
)
def test_what_is_wrong_is_named_with_what_is_allowed(file: Path, content: bytes, message: str, hint: str) -> None:
    file.write_bytes(content)
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert caught.value.message == message.replace("FILE", str(file))
    assert str(caught.value.hint).startswith(hint)
    assert caught.value.exit_status == 7
    assert caught.value.details["file"] == str(file)


def test_the_value_of_an_unknown_key_is_not_shown(file: Path) -> None:
    file.write_text('[profiles.a]\nclient_secret = "hunter2"')
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert caught.value.details["key"] == "client_secret"
    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}{caught.value.details}"


@pytest.mark.parametrize(
    ("content", "part", "line"),
    [
        (b'current = "a"\nsite = oops\n', "is not valid TOML: Invalid value (at line 2", 2),
        (b"[profiles.a]\n[profiles.a]\n", "is not valid TOML: Cannot declare", 2),
        (b'current = "a\n', "is not valid TOML: ", 1),
        (b"\xff\xfec\0u\0", "is not UTF-8 text (at line 1)", 1),
        (b"# ok\n# caf\xe9\n", "is not UTF-8 text (at line 2)", 2),
        (b"current = " + b"[" * 100_000, "is not valid TOML: ", None),
        (b"current = " + b"1" * 10_000, "is not valid TOML: ", None),
        (b"#" * 1_048_577, "is longer than 1 MiB", None),
    ],
)
def test_a_file_that_is_not_toml_is_refused_with_the_line(
    file: Path, content: bytes, part: str, line: int | None
) -> None:
    file.write_bytes(content)
    with pytest.raises(InvalidConfig) as caught:
        load(file)
    assert caught.value.message.startswith(f"{file} {part}")
    assert caught.value.details.get("line") == line


def test_a_directory_is_not_a_configuration_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig) as caught:
        load(tmp_path)
    assert caught.value.message == f"{tmp_path} is a directory, not a configuration file."
    assert "RPCTL_CONFIG" in str(caught.value.hint)


@contextmanager
def not_root() -> Iterator[None]:
    """Permissions bind everybody but root."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if was_root:
            os.seteuid(0)


def test_a_file_that_may_not_be_read_is_refused(file: Path) -> None:
    file.touch(mode=0o000)
    with not_root(), pytest.raises(InvalidConfig) as caught:
        load(file)
    assert caught.value.message == f"{file} cannot be read: Permission denied."


def test_a_missing_profile_is_not_found_and_the_others_are_named(file: Path) -> None:
    with pytest.raises(ProfileNotFound, match="There is no profile 'c'") as caught:
        load(file).get("c")
    assert caught.value.hint == "There are none yet; `rpctl profile create NAME` makes one."
    file.write_text("[profiles.a]\n[profiles.b]\n")
    with pytest.raises(ProfileNotFound) as caught:
        load(file).get("c")
    assert caught.value.hint == "There are: a, b."
    assert caught.value.exit_status == 5
