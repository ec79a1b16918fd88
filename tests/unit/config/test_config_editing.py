"""Changes of the configuration file: comments stay, writers take turns, nothing else is touched."""

import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rpctl.config import editing
from rpctl.config.editing import create, delete, use
from rpctl.config.profiles import Profile, load
from rpctl.errors import InvalidConfig, InvalidValue, ProfileExists, ProfileNotFound, StorageFull, Temporary

WRITTEN_BY_HAND = """\
# The shops of the north.

current = "shop"   # the busy one

# Kiel and Lübeck
[profiles.shop]   # since 2024
backend = "ledger"   # a file
  # indented
site = 'main'

# Abroad
[profiles.eu]
backend = "ledger"
# the end
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config.toml"


@pytest.fixture
def by_hand(file: Path) -> Path:
    file.write_text(WRITTEN_BY_HAND, encoding="utf-8")
    return file


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# -- what is written --------------------------------------------------------------------------------------


def test_the_first_profile_makes_file_and_directories_for_the_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "home" / ".config" / "rpctl" / "config.toml"
    old = os.umask(0)
    try:
        create(file, Profile("shop", "ledger", "Europe/Berlin", "main", True, False, "/srv/a b.db"))
    finally:
        os.umask(old)
    assert file.read_text() == (
        '[profiles.shop]\nbackend = "ledger"\ntime_zone = "Europe/Berlin"\nsite = "main"\n'
        'production = true\nread_only = false\nledger = "/srv/a b.db"\n'
    )
    assert _mode(file) == 0o600
    assert [_mode(parent) for parent in list(file.parents)[:3]] == [0o700] * 3
    assert sorted(path.name for path in file.parent.iterdir()) == [".config.toml.lock", "config.toml"]


def test_what_was_created_is_what_is_loaded(file: Path) -> None:
    tricky = Profile("a", "ledger", ledger='/srv/"q"\\ \t\x7f#ü.db', site="0012")
    created = create(file, tricky)
    assert created == tricky
    assert load(file).by_name == {"a": tricky}


def test_a_new_profile_is_added_at_the_end_and_the_rest_stays_as_it_is(by_hand: Path) -> None:
    create(by_hand, Profile("neu", "ledger", read_only=True))
    assert by_hand.read_text("utf-8") == WRITTEN_BY_HAND + '\n[profiles.neu]\nbackend = "ledger"\nread_only = true\n'


def test_using_another_profile_changes_one_word(by_hand: Path) -> None:
    assert use(by_hand, "eu").name == "eu"
    assert by_hand.read_text("utf-8") == WRITTEN_BY_HAND.replace('"shop" ', '"eu" ')


def test_deleting_keeps_the_heading_of_the_next_profile_and_clears_current(by_hand: Path) -> None:
    assert delete(by_hand, "shop") == Profile("shop", "ledger", site="main")
    assert by_hand.read_text("utf-8") == (
        '# The shops of the north.\n\n\n# Kiel and Lübeck\n\n# Abroad\n[profiles.eu]\nbackend = "ledger"\n# the end\n'
    )


def test_deleting_another_profile_leaves_current_alone(by_hand: Path) -> None:
    delete(by_hand, "eu")
    assert by_hand.read_text("utf-8") == WRITTEN_BY_HAND.replace('[profiles.eu]\nbackend = "ledger"\n', "")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", None),
        ("[profiles.a]\n", 'current = "a"\n\n[profiles.a]\n'),
        ("# of a\n[profiles.a]\n", 'current = "a"\n\n# of a\n[profiles.a]\n'),
        ("# of all\n\n# of a\n[profiles.a]\n", '# of all\n\ncurrent = "a"\n\n# of a\n[profiles.a]\n'),
        ("[profiles.a]\r\n", 'current = "a"\r\n\r\n[profiles.a]\r\n'),
        ('current = "gone"\n[profiles.a]\n', 'current = "a"\n[profiles.a]\n'),
        ("profiles = { a = {} }", 'current = "a"\n\nprofiles = { a = {} }'),
    ],
)
def test_the_first_current_profile(file: Path, before: str, after: str | None) -> None:
    file.write_bytes(before.encode())
    if after is None:
        with pytest.raises(ProfileNotFound):
            use(file, "a")
    else:
        use(file, "a")
        assert file.read_bytes().decode() == after


@pytest.mark.parametrize(
    "layout",
    [
        '[profiles.a]\nsite = "x"\n[profiles.b]\nsite = "x"\n',
        '[profiles.b]\nsite = "x"\n[profiles.a]\nsite = "x"',
        '[profiles]\na = { site = "x" }\n[profiles.b]\nsite = "x"\n',
        'profiles = { a = { site = "x" }, b = { site = "x" } }\n',
        'profiles.a.site = "x"\nprofiles.b.site = "x"\n',
        '["profiles".\'a\']\nsite = "x"\n\n[ profiles . b ]\nsite = "x"\n',
        '[profiles.b]\nsite = "x"\r\n\r\n[profiles.a]\r\nsite = "x"\r\n',
        '[profiles.a] # [profiles.b]\nsite = "x"\n[profiles.b]\nsite = "x" # [profiles.a]\n',
    ],
)
def test_deleting_works_in_every_layout(file: Path, layout: str) -> None:
    file.write_bytes(layout.encode())
    delete(file, "a")
    assert load(file).by_name == {"b": Profile("b", site="x")}


def test_a_text_that_looks_like_a_profile_is_left_alone(file: Path) -> None:
    decoy = "[profiles.b]\nledger = '''/srv/\n[profiles.a]\nsite = \"x\"\n'''\n"
    file.write_text(decoy + '\n[profiles.a]\nsite = "x"\n')
    try:
        delete(file, "a")
    except InvalidConfig:
        assert file.read_text() == decoy + '\n[profiles.a]\nsite = "x"\n'
    else:
        assert load(file).by_name == {"b": Profile("b", ledger='/srv/\n[profiles.a]\nsite = "x"\n')}


def test_a_layout_that_cannot_take_another_profile_is_refused_and_kept(file: Path) -> None:
    file.write_text("profiles = { a = {} }\n")
    with pytest.raises(InvalidConfig, match="laid out in a way that rpctl cannot edit"):
        create(file, Profile("b"))
    assert file.read_text() == "profiles = { a = {} }\n"


# -- what is refused --------------------------------------------------------------------------------------


def test_a_profile_that_exists_is_not_created_again(by_hand: Path) -> None:
    with pytest.raises(ProfileExists) as caught:
        create(by_hand, Profile("shop", site="other"))
    assert caught.value.exit_status == 6
    assert by_hand.read_text("utf-8") == WRITTEN_BY_HAND


@pytest.mark.parametrize("command", [delete, use])
def test_a_profile_that_is_not_there_changes_and_makes_nothing(tmp_path: Path, command) -> None:
    with pytest.raises(ProfileNotFound):
        command(tmp_path / "rpctl" / "config.toml", "shop")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("profile", "message"),
    [
        (Profile("../x"), "A profile's name cannot be '../x'."),
        (Profile(""), "A profile's name cannot be ''."),
        (Profile("Shop"), "A profile's name cannot be 'Shop'."),
        (Profile("a\n"), "A profile's name cannot be 'a\\n'."),
        (Profile("a" * 65), f"A profile's name cannot be '{'a' * 58}…."),
        (Profile("a", backend="postgres"), "--backend cannot be 'postgres'."),
        (Profile("a", time_zone="Mars/Olympus"), "--time-zone cannot be 'Mars/Olympus'."),
        (Profile("a", site=""), "--site cannot be ''."),
        (Profile("a", ledger=""), "--ledger cannot be ''."),
        (Profile("a", ledger="\udcff.db"), "--ledger '"),
    ],
)
def test_a_typed_value_that_is_not_allowed_is_refused_before_anything_is_made(
    tmp_path: Path, profile: Profile, message: str
) -> None:
    with pytest.raises(InvalidValue) as caught:
        create(tmp_path / "rpctl" / "config.toml", profile)
    assert caught.value.message.startswith(message)
    assert caught.value.exit_status == 2
    assert list(tmp_path.iterdir()) == []


def test_a_broken_file_is_never_overwritten(file: Path) -> None:
    file.write_text("oops")
    for change in (lambda: create(file, Profile("a")), lambda: delete(file, "a"), lambda: use(file, "a")):
        with pytest.raises(InvalidConfig, match="not valid TOML"):
            change()
    assert file.read_text() == "oops"


def test_a_device_is_not_replaced_by_a_file(tmp_path: Path) -> None:
    pipe = tmp_path / "config.toml"
    pipe.symlink_to("/dev/null")
    with pytest.raises(InvalidConfig, match="is not a regular file"):
        create(pipe, Profile("a"))
    assert Path("/dev/null").is_char_device()


def test_a_file_that_a_person_protected_is_left_alone(by_hand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # what everybody but root gets for mode 0400
    with pytest.raises(InvalidConfig, match="it is read-only"):
        use(by_hand, "eu")
    assert by_hand.read_text("utf-8") == WRITTEN_BY_HAND


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with pytest.raises(InvalidConfig, match=r"cannot be written: Not a directory\.$"):
        create(tmp_path / "plain" / "config.toml", Profile("a"))


def test_a_full_disk_leaves_the_old_file_and_no_rest(by_hand: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageFull) as caught:
        use(by_hand, "eu")
    assert caught.value.exit_status == 75
    assert by_hand.read_text("utf-8") == WRITTEN_BY_HAND
    assert sorted(path.name for path in by_hand.parent.iterdir()) == [".config.toml.lock", "config.toml"]


# -- the file around the text -----------------------------------------------------------------------------


def test_a_relative_ledger_is_meant_from_where_it_was_typed(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert create(file, Profile("a", ledger="books/a.db")).ledger == str(tmp_path / "books" / "a.db")
    assert create(file, Profile("b", ledger="~/b.db")).ledger == "~/b.db"


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    kept = tmp_path / "dotfiles" / "rpctl.toml"
    kept.parent.mkdir()
    kept.write_text("# mine\n")
    link = tmp_path / "config.toml"
    link.symlink_to("dotfiles/rpctl.toml")
    create(link, Profile("a"))
    assert link.is_symlink()
    assert kept.read_text() == "# mine\n\n[profiles.a]\n"


def test_who_may_read_an_existing_file_still_may(by_hand: Path) -> None:
    by_hand.chmod(0o640)
    use(by_hand, "eu")
    assert _mode(by_hand) == 0o640


def test_a_change_that_changes_nothing_writes_nothing(by_hand: Path) -> None:
    before = by_hand.stat()
    use(by_hand, "shop")
    assert by_hand.stat().st_ino == before.st_ino


def test_two_processes_that_write_at_once_lose_nothing(by_hand: Path) -> None:
    code = """
import sys
from pathlib import Path
from rpctl.config.editing import create, delete, use
from rpctl.config.profiles import Profile
file, who = Path(sys.argv[1]), sys.argv[2]
print("ready", flush=True)
sys.stdin.readline()
for number in range(15):
    create(file, Profile(f"{who}-{number}", "ledger"))
    use(file, f"{who}-{number}")
    if number % 3 == 0:
        delete(file, f"{who}-{number}")
"""
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(by_hand), who], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for who in "ab"
    ]
    for writer in writers:
        assert writer.stdout is not None
        writer.stdout.readline()
    for writer in writers:
        writer.communicate("go\n", timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0]
    left = {f"{who}-{number}" for who in "ab" for number in range(15) if number % 3}
    assert set(load(by_hand).by_name) == {"shop", "eu"} | left
    for comment in ("# The shops of the north.", "# since 2024", "  # indented", "# Abroad", "# the end"):
        assert comment in by_hand.read_text("utf-8")


def test_a_writer_that_does_not_finish_is_not_waited_for_for_ever(
    by_hand: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "_LOCK_TIMEOUT_S", 0.05)
    with (by_hand.parent / ".config.toml.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Temporary) as caught:
            use(by_hand, "eu")
    assert caught.value.exit_status == 75
    assert by_hand.read_text("utf-8") == WRITTEN_BY_HAND
