"""The keyring, which may be absent, locked or silent, and the file that takes its place where a person agrees."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from token_service import MemoryKeyring

from rpctl.auth.account import Account
from rpctl.auth.credentials import Credentials
from rpctl.auth.secrets import Kind, Secret
from rpctl.auth.store import Keyring, Store, system_keyring
from rpctl.errors import CredentialsMissing, InvalidConfig, StorageFull, Temporary

Make = Callable[..., Credentials]
ACCOUNT = Account("https://a.example", "acme", "k")
SECRET = Secret("abc", "a test")


class Broken:
    """A keyring that answers every question in one way."""

    def __init__(self, answer: Callable[[], Any]) -> None:
        self.answer = answer
        self.questions = 0

    def get_password(self, *_: str) -> Any:
        self.questions += 1
        return self.answer()

    set_password = delete_password = get_password


class KeyringLocked(Exception):
    """As the library calls it."""


def fail(error: Exception) -> Callable[[], Any]:
    def answer() -> Any:
        raise error

    return answer


def store(tmp_path: Path, backend: Any, **environ: str) -> Store:
    return Store(ACCOUNT, tmp_path / "credentials", Keyring(environ, lambda: backend))


# -- the keyring ------------------------------------------------------------------------------------------


def test_a_keyring_that_never_answers_is_given_up(tmp_path: Path) -> None:
    silent = Broken(threading.Event().wait)
    kept = store(tmp_path, silent, RPCTL_KEYRING_TIMEOUT_S="0.3")
    started = time.monotonic()

    assert kept.absence(Kind.CLIENT_SECRET) == "it did not answer within 0.3 seconds"
    assert kept.absence(Kind.CLIENT_SECRET) == "it did not answer within 0.3 seconds"

    assert time.monotonic() - started < 2
    assert silent.questions == 1  # nobody waits twice


def test_a_library_that_never_loads_is_given_up(tmp_path: Path) -> None:
    kept = Store(ACCOUNT, tmp_path, Keyring({"RPCTL_KEYRING_TIMEOUT_S": "0.2"}, lambda: threading.Event().wait()))

    assert kept.absence(Kind.CLIENT_SECRET) == "it did not answer within 0.2 seconds"


@pytest.mark.parametrize(
    ("error", "why"), [(KeyringLocked("hunter2"), "it is locked"), (RuntimeError("hunter2"), "RuntimeError")]
)
def test_why_a_keyring_fails_is_told_without_its_words(tmp_path: Path, error: Exception, why: str) -> None:
    assert store(tmp_path, Broken(fail(error))).absence(Kind.CLIENT_SECRET) == why


def test_a_secret_that_the_keyring_does_not_take_is_not_recorded(tmp_path: Path) -> None:
    for backend in (Broken(lambda: None), Broken(fail(KeyringLocked()))):
        kept = store(tmp_path, backend)
        with pytest.raises(Temporary, match="The keyring does not take the client secret: it "):
            kept.put(Kind.CLIENT_SECRET, SECRET, in_file=False)
        assert not kept.file(Kind.CLIENT_SECRET).exists()


def test_a_failing_keyring_is_named_among_the_places_that_were_looked_at(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rpctl.auth.store.system_keyring", lambda: Broken(fail(KeyringLocked())))

    with pytest.raises(CredentialsMissing, match=r"the keyring \(it is locked\)"):
        make(RPCTL_KEYRING="").client_secret()


@pytest.mark.parametrize("word", ["off", "OFF", "0", "no", "false"])
def test_the_keyring_can_be_switched_off(tmp_path: Path, word: str) -> None:
    backend = MemoryKeyring()

    assert store(tmp_path, backend, RPCTL_KEYRING=word).absence(Kind.CLIENT_SECRET) == "RPCTL_KEYRING turns it off"
    assert backend.questions == 0


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("RPCTL_KEYRING", "maybe"),
        ("RPCTL_KEYRING_TIMEOUT_S", "0"),
        ("RPCTL_KEYRING_TIMEOUT_S", "soon"),
        ("RPCTL_KEYRING_TIMEOUT_S", "nan"),
    ],
)
def test_a_wrong_variable_is_named(tmp_path: Path, variable: str, value: str) -> None:
    with pytest.raises(InvalidConfig, match=f"{variable} is n"):
        store(tmp_path, MemoryKeyring(), **{variable: value}).absence(Kind.CLIENT_SECRET)


def test_a_ready_token_that_was_never_stored_costs_no_question(make: Make, keyring: MemoryKeyring) -> None:
    assert make(RPCTL_KEYRING="").ready_token() is None
    assert keyring.questions == 0


def test_each_account_and_kind_has_its_own(tmp_path: Path) -> None:
    backend = MemoryKeyring()
    for account in (ACCOUNT, ACCOUNT._replace(tenant="other"), ACCOUNT._replace(client_id=None)):
        for kind in Kind:
            Store(account, tmp_path, Keyring({}, lambda: backend)).put(kind, SECRET, in_file=False)

    assert len(backend.kept) == len(list(tmp_path.iterdir())) == 9


# -- the machine's ----------------------------------------------------------------------------------------

_SYSTEM = """
import sys
sys.path.insert(0, sys.argv[1])
from rpctl.auth.store import NoKeyring, system_keyring
try:
    print(type(system_keyring()).__module__)
except NoKeyring as why:
    print("none:", why)
"""

_PLAIN_TEXT = """
from keyring.backend import KeyringBackend
class PlaintextKeyring(KeyringBackend):
    priority = 1
    def get_password(self, service, username): return None
    def set_password(self, service, username, password): pass
    def delete_password(self, service, username): pass
"""


@pytest.fixture
def alternatives(tmp_path: Path) -> Path:
    """A folder with a package of the name under which keyrings that protect nothing are known."""
    for name in ("keyrings/alt", "mine"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "file.py").write_text(_PLAIN_TEXT)
    return tmp_path


@pytest.mark.parametrize(
    ("backend", "chosen"),
    [
        ("keyring.backends.fail.Keyring", "none: this machine has none"),
        ("keyring.backends.null.Keyring", "none: this machine has none"),
        ("keyrings.alt.file.PlaintextKeyring", "none: this machine has none"),
        ("mine.file.PlaintextKeyring", "mine.file"),
        (None, "none: this machine has none"),
    ],
)
def test_a_keyring_that_protects_nothing_is_none(alternatives: Path, backend: str | None, chosen: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name != "PYTHON_KEYRING_BACKEND"}
    if backend:
        environ["PYTHON_KEYRING_BACKEND"] = backend

    done = subprocess.run(
        [sys.executable, "-c", _SYSTEM, str(alternatives)], env=environ, capture_output=True, text=True, check=True
    )

    assert (done.stdout, done.stderr) == (f"{chosen}\n", "")


def test_a_chain_of_keyrings_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    import keyring
    from keyring.backends.null import Keyring as Nothing

    good = MemoryKeyring()
    monkeypatch.setattr(keyring, "get_keyring", type("Chain", (), {"backends": [Nothing(), good]}))

    assert system_keyring() is good


# -- the file ---------------------------------------------------------------------------------------------


def test_the_file_is_the_owners_only_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        where = store(tmp_path, None).put(Kind.CLIENT_SECRET, SECRET, in_file=True)
    finally:
        os.umask(old)

    assert stat.S_IMODE(Path(where).stat().st_mode) == 0o600
    assert stat.S_IMODE(Path(where).parent.stat().st_mode) == 0o700
    assert [path.name for path in Path(where).parent.iterdir()] == [Path(where).name]


def test_a_record_of_what_the_keyring_holds_holds_no_secret(tmp_path: Path) -> None:
    kept = store(tmp_path, MemoryKeyring())

    kept.put(Kind.CLIENT_SECRET, SECRET, in_file=False)

    record = json.loads(kept.file(Kind.CLIENT_SECRET).read_text())
    assert record["in"] == "keyring"
    assert "abc" not in record.values()


def test_the_keyring_takes_the_place_of_the_file(tmp_path: Path) -> None:
    kept = store(tmp_path, MemoryKeyring())
    kept.put(Kind.CLIENT_SECRET, SECRET, in_file=True)

    kept.put(Kind.CLIENT_SECRET, SECRET, in_file=False)

    assert "abc" not in kept.file(Kind.CLIENT_SECRET).read_text()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused(tmp_path: Path, mode: int, make: Make) -> None:
    credentials = make()
    file = Path(credentials.store.put(Kind.CLIENT_SECRET, SECRET, in_file=True))
    file.chmod(mode)

    with pytest.raises(InvalidConfig, match="other users may read it") as caught:
        credentials.client_secret()

    assert f"chmod 600 {file}" in str(caught.value.hint)


@pytest.mark.parametrize("content", [b"{", b"\xff", b"[" * 60_000, b"x" * 100_000])
def test_a_damaged_file_is_named(make: Make, content: bytes) -> None:
    credentials = make()
    file = Path(credentials.store.put(Kind.CLIENT_SECRET, SECRET, in_file=True))
    file.write_bytes(content)

    with pytest.raises(InvalidConfig, match="cannot be read: it is damaged"):
        credentials.client_secret()
    credentials.store.remove(Kind.CLIENT_SECRET)
    assert not file.exists()


@pytest.mark.parametrize("content", [b"[]", b"null", b'{"secret": 5}', b'{"secret": ""}', b"{}"])
def test_a_file_without_a_secret_has_none(make: Make, content: bytes) -> None:
    credentials = make()
    Path(credentials.store.put(Kind.CLIENT_SECRET, SECRET, in_file=True)).write_bytes(content)

    with pytest.raises(CredentialsMissing):
        credentials.client_secret()


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "credentials").touch()
    with pytest.raises(InvalidConfig, match="cannot be written"):
        store(tmp_path, None).put(Kind.CLIENT_SECRET, SECRET, in_file=True)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rpctl.auth.store.write_private", full)
    with pytest.raises(StorageFull, match="the disk is full"):
        store(tmp_path, None).put(Kind.CLIENT_SECRET, SECRET, in_file=True)


def test_without_a_home_nothing_can_be_stored() -> None:
    kept = Store(ACCOUNT, None, Keyring({"RPCTL_KEYRING": "off"}))

    assert len(kept.places(Kind.CLIENT_SECRET)) == 1
    assert kept.remove(Kind.CLIENT_SECRET) == []
    with pytest.raises(InvalidConfig, match="There is no home directory"):
        kept.put(Kind.CLIENT_SECRET, SECRET, in_file=True)


# -- removing ---------------------------------------------------------------------------------------------


def test_what_is_in_a_keyring_that_is_gone_is_not_forgotten(tmp_path: Path) -> None:
    kept = store(tmp_path, MemoryKeyring())
    kept.put(Kind.CUSTOMER_TOKEN, SECRET, in_file=False)
    locked = store(tmp_path, Broken(fail(KeyringLocked())))

    with pytest.raises(Temporary, match="The customer token is still in the keyring: it is locked"):
        locked.remove(Kind.CUSTOMER_TOKEN)

    assert kept.file(Kind.CUSTOMER_TOKEN).exists()
    assert kept.remove(Kind.CUSTOMER_TOKEN) == ["the keyring"]


def test_a_secret_in_the_keyring_without_a_record_is_found_and_removed(tmp_path: Path) -> None:
    kept = store(tmp_path, MemoryKeyring())
    kept.put(Kind.CLIENT_SECRET, SECRET, in_file=False)
    kept.file(Kind.CLIENT_SECRET).unlink()

    found = next(place.look() for place in kept.places(Kind.CLIENT_SECRET))
    assert found is not None
    assert found.reveal() == "abc"
    assert kept.remove(Kind.CLIENT_SECRET) == ["the keyring"]
