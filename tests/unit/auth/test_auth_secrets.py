"""Where a secret comes from: the order of places, what each may hold, and files that others can read."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from token_service import MemoryKeyring

from rpctl.auth.credentials import Credentials
from rpctl.auth.secrets import Kind, Secret, all_held, places
from rpctl.errors import CredentialsMissing, InvalidConfig

Make = Callable[..., Credentials]


def secret_file(path: Path, content: str | bytes, mode: int = 0o600) -> str:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return str(path)


@pytest.fixture
def everywhere(tmp_path: Path, make: Make, keyring: MemoryKeyring) -> dict[str, str]:
    """A secret in every place; the variables that name the first three."""
    credentials = make(RPCTL_KEYRING="")
    credentials.store.put(Kind.CLIENT_SECRET, Secret("by-file", "a test"), in_file=True)
    keyring.set_password("rpctl", credentials.account.named("client secret"), "by-keyring")
    secret_file(tmp_path / "systemd" / "rpctl-client-secret", "by-systemd")
    return {
        "RPCTL_CLIENT_SECRET_FILE": secret_file(tmp_path / "secret", "by-named-file"),
        "CREDENTIALS_DIRECTORY": str(tmp_path / "systemd"),
        "RPCTL_CLIENT_SECRET": "by-variable",
        "RPCTL_KEYRING": "",
    }


def test_the_first_place_that_has_something_wins(
    everywhere: dict[str, str], make: Make, keyring: MemoryKeyring
) -> None:
    found = []
    for variable in ("RPCTL_CLIENT_SECRET_FILE", "CREDENTIALS_DIRECTORY", "RPCTL_CLIENT_SECRET", None, None):
        secret = make(**everywhere).client_secret()
        found.append((secret.reveal(), secret.source.rpartition("/")[2][:24]))
        if variable:
            del everywhere[variable]
        else:
            keyring.kept.clear()

    assert [value for value, _ in found] == ["by-named-file", "by-systemd", "by-variable", "by-keyring", "by-file"]
    assert [source for _, source in found][:4] == [
        "RPCTL_CLIENT_SECRET_FILE",
        "rpctl-client-secret",
        "RPCTL_CLIENT_SECRET",
        "the keyring",
    ]


def test_what_is_shadowed_is_known_in_the_order_in_which_it_would_win(everywhere: dict[str, str], make: Make) -> None:
    credentials = make(**everywhere)
    kind = Kind.CLIENT_SECRET

    held = [one.source for one in all_held(kind, places(kind, everywhere, credentials.store))]

    assert held == [
        "RPCTL_CLIENT_SECRET_FILE",
        "$CREDENTIALS_DIRECTORY/rpctl-client-secret",
        "RPCTL_CLIENT_SECRET",
        "the keyring",
        str(credentials.store.file(kind)),
    ]


def test_an_empty_place_is_passed_over(tmp_path: Path, make: Make) -> None:
    environ = {
        "RPCTL_CLIENT_SECRET_FILE": secret_file(tmp_path / "empty", "\n"),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "RPCTL_CLIENT_SECRET": "",
    }
    with pytest.raises(CredentialsMissing):
        make(**environ).client_secret()


@pytest.mark.parametrize("content", ["abc", "abc\n", "abc\r\n", "\ufeffabc\n"])
def test_a_line_end_is_no_part_of_a_secret(tmp_path: Path, make: Make, content: str) -> None:
    file = secret_file(tmp_path / "secret", content)

    assert make(RPCTL_CLIENT_SECRET_FILE=file).client_secret().reveal() == "abc"


def test_a_secret_keeps_its_spaces_and_letters(tmp_path: Path, make: Make) -> None:
    file = secret_file(tmp_path / "secret", " pässwörd +&=% \n")

    assert make(RPCTL_CLIENT_SECRET_FILE=file).client_secret().reveal() == " pässwörd +&=% "


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("hunter2\nhunter3\n", "holds a line break"),
        ("hunter2\x1b[2J", "holds a line break or another control character"),
        (b"\xffhunter2", "is not UTF-8 text"),
        (b"hunter2" * 10_000, "is longer than 65536 bytes"),
    ],
)
def test_what_is_no_secret_is_refused_unseen(tmp_path: Path, make: Make, content: str | bytes, what: str) -> None:
    file = secret_file(tmp_path / "secret", content)

    with pytest.raises(InvalidConfig, match=what) as caught:
        make(RPCTL_CLIENT_SECRET_FILE=file).client_secret()

    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}{caught.value.details}"


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o666, 0o444])
def test_a_secret_that_everybody_can_read_is_refused(tmp_path: Path, make: Make, mode: int) -> None:
    file = secret_file(tmp_path / "the secret", "abc", mode)

    with pytest.raises(InvalidConfig, match="Every user of this machine may read the file that") as caught:
        make(RPCTL_CLIENT_SECRET_FILE=file).client_secret()

    assert f"chmod o= '{file}'" in str(caught.value.hint)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o640, 0o440])
def test_a_secret_that_a_group_shares_is_taken(tmp_path: Path, make: Make, mode: int) -> None:
    file = secret_file(tmp_path / "secret", "abc", mode)

    assert make(RPCTL_CLIENT_SECRET_FILE=file).client_secret().reveal() == "abc"


@pytest.mark.parametrize("path", ["/nowhere/secret", "/", "hunter2", "hunter2\0"])
def test_a_file_that_cannot_be_read_is_an_error_and_no_silence(make: Make, path: str) -> None:
    with pytest.raises(InvalidConfig, match="The file that RPCTL_CLIENT_SECRET_FILE names cannot be read") as caught:
        make(RPCTL_CLIENT_SECRET_FILE=path, RPCTL_CLIENT_SECRET="other").client_secret()

    assert "hunter2" not in f"{caught.value.message}{caught.value.hint}"


def test_a_pipe_is_read(make: Make) -> None:
    reader, writer = os.pipe()
    os.write(writer, b"abc\n")
    os.close(writer)
    try:
        assert make(RPCTL_CLIENT_SECRET_FILE=f"/dev/fd/{reader}").client_secret().reveal() == "abc"
    finally:
        os.close(reader)


def test_other_credentials_of_a_unit_are_not_ours(tmp_path: Path, make: Make) -> None:
    secret_file(tmp_path / "systemd" / "database-password", "abc")

    with pytest.raises(CredentialsMissing):
        make(CREDENTIALS_DIRECTORY=str(tmp_path / "systemd")).client_secret()


def test_a_secret_cannot_be_written_by_accident() -> None:
    secret = Secret("hunter2", "a test")

    assert "hunter2" not in f"{secret!r} {secret} {[secret]}"
    assert not hasattr(secret, "__dict__")
    with pytest.raises(TypeError):
        pickle.dumps(secret)


_ASK = """
import sys
from pathlib import Path
from rpctl.auth.credentials import Account, Credentials, Folders
environ = dict(one.split("=", 1) for one in sys.argv[2:])
folder = Path(sys.argv[1])
credentials = Credentials(Account("https://a", "acme", "k"), environ, Folders(folder, folder), lambda: 0)
credentials.ready_token()
credentials.client_secret()
print("keyring" in sys.modules)
"""


@pytest.mark.parametrize("variable", ["RPCTL_CLIENT_SECRET", "RPCTL_CLIENT_SECRET_FILE"])
def test_the_keyring_is_not_even_loaded_where_another_place_wins(tmp_path: Path, variable: str) -> None:
    value = secret_file(tmp_path / "secret", "abc")

    done = subprocess.run(
        [sys.executable, "-c", _ASK, str(tmp_path), f"{variable}={value}"], capture_output=True, text=True, check=True
    )

    assert done.stdout == "False\n"
