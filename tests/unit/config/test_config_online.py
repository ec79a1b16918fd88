"""Profiles that work on a service: where it is, who one is there, and what keeps the two worlds apart."""

from pathlib import Path
from typing import Any

import pytest

from rpctl.config import allowed
from rpctl.config.editing import create
from rpctl.config.profiles import Profile, load
from rpctl.config.settings import Service, Settings, resolve
from rpctl.errors import InvalidConfig, InvalidValue, UsageError

LIVE = '[profiles.live]\nbackend = "emporix"\ntenant = "acme"\nclient_id = "kLm3"\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "config.toml"
    file.write_text(f'current = "live"\n{LIVE}[profiles.books]\n')
    return file


def settings(file: Path, environ: dict[str, str] | None = None, **flags: object) -> Settings:
    return resolve(flags, {"HOME": str(file.parent), "RPCTL_CONFIG": str(file), **(environ or {})})


# -- the URL ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.emporix.io", "https://api.emporix.io"),
        ("https://api.emporix.io/", "https://api.emporix.io"),
        ("HTTPS://Api.Emporix.IO:8443/Way/", "https://api.emporix.io:8443/Way"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://127.0.0.1:1", "http://127.0.0.1:1"),
        ("http://127.8.9.10", "http://127.8.9.10"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_a_url_is_taken_without_a_slash_at_its_end(text: str, url: str) -> None:
    assert allowed.url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "http://api.emporix.io",
        "http://10.0.0.1",
        "http://127.0.0.1.example",
        "http://localhost.example",
        "http://[::2]",
    ],
)
def test_plain_http_is_for_this_machine_only(text: str) -> None:
    with pytest.raises(allowed.NotAllowed, match="everybody on the way reads the secrets"):
        allowed.url(text)


@pytest.mark.parametrize(
    "value",
    [
        "", "api.emporix.io", "ftp://api.emporix.io", "https://", "https:///way", "https://a b", "https://a\n.example",
        "https://a\\b", "https://:443", "https://a:0", "https://a:65536", "https://a:x", "https://[::1", "https://ü.example",
        " https://a", 5, None,
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_service_is_refused(value: object) -> None:
    with pytest.raises(allowed.NotAllowed, match="a URL such as"):
        allowed.url(value)


@pytest.mark.parametrize(
    "url", ["https://me:hunter2@a.example", "https://hunter2@a.example", "https://a/?key=hunter2", "https://a/#hunter2"]
)
def test_a_secret_in_a_url_is_refused_without_being_shown(file: Path, url: str) -> None:
    with pytest.raises(InvalidConfig, match="RPCTL_URL cannot be a URL with a ") as by_variable:
        settings(file, {"RPCTL_URL": url})
    with pytest.raises(InvalidValue, match="--url cannot be a URL with a ") as typed:
        create(file, Profile("new", "emporix", url=url, tenant="acme"))
    file.write_text(f'[profiles.live]\nurl = "{url}"')
    with pytest.raises(InvalidConfig, match=r"url of profile 'live' in .* cannot be a URL with a ") as in_file:
        load(file)

    for caught in (by_variable, typed, in_file):
        assert "hunter2" not in f"{caught.value.message}{caught.value.hint}{caught.value.details}"


# -- the other keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("tenant", ["abc", "acme2", "a23456789012345", "a234567890123456"])
def test_a_tenant_is_a_short_name(tenant: str) -> None:
    assert allowed.tenant(tenant) == tenant


@pytest.mark.parametrize("tenant", ["", "ab", "a2345678901234567", "Acme", "2acme", "ac-me", "acme\n", "a/../b", 5])
def test_what_is_no_tenant_is_refused(tenant: object) -> None:
    with pytest.raises(allowed.NotAllowed, match="3 to 16 characters of a-z and 0-9"):
        allowed.tenant(tenant)


@pytest.mark.parametrize("client_id", ["", "a b", "a\n", "ü", "x" * 257, 5])
def test_what_is_no_client_id_is_refused(client_id: object) -> None:
    with pytest.raises(allowed.NotAllowed, match="1 to 256 visible ASCII characters"):
        allowed.client_id(client_id)


@pytest.mark.parametrize(("value", "number"), [("0.1", 0.1), (600, 600.0), ("60", 60.0), (2.5, 2.5)])
def test_a_timeout_is_a_number_of_seconds(value: object, number: float) -> None:
    assert allowed.timeout_s(value) == number


@pytest.mark.parametrize("value", ["0", "0.09", "600.1", "-1", "1e2", "inf", "nan", " 1", "1s", "", True, float("nan")])
def test_what_is_no_timeout_is_refused(value: object) -> None:
    with pytest.raises(allowed.NotAllowed, match=r"a number of seconds from 0\.1 to 600"):
        allowed.timeout_s(value)


def test_nothing_has_to_settle_where_the_time_for_it_is_0(file: Path) -> None:
    assert settings(file, {"RPCTL_SETTLE_S": "0"}).settle_s == 0.0


# -- worlds -----------------------------------------------------------------------------------------------


def test_a_service_is_where_everybody_finds_it_unless_someone_says_otherwise(file: Path) -> None:
    assert settings(file).online() == Service("https://api.emporix.io", "acme", "kLm3")
    assert str(settings(file).sources["url"]) == "default"
    assert settings(file, {"RPCTL_URL": "http://localhost:9/"}).online().url == "http://localhost:9"
    assert settings(file, profile="books").url is None


def test_the_variables_alone_make_an_online_world(tmp_path: Path) -> None:
    environ = {"RPCTL_BACKEND": "emporix", "RPCTL_TENANT": "acme", "RPCTL_CLIENT_ID": "kLm3"}

    found = settings(tmp_path / "none.toml", environ)

    assert found.is_online
    assert found.online() == Service("https://api.emporix.io", "acme", "kLm3")


@pytest.mark.parametrize(
    ("flags", "online"), [({}, True), ({"offline": True}, False), ({"profile": "books"}, False)], ids=str
)
def test_who_works_online(file: Path, flags: dict[str, Any], online: bool) -> None:
    assert settings(file, **flags).is_online == online


def test_a_typed_ledger_is_no_way_to_the_service(file: Path) -> None:
    with pytest.raises(UsageError) as caught:
        settings(file, ledger="till.db").check_world()

    assert caught.value.message == ("--ledger names a local ledger, but profile live works on https://api.emporix.io.")
    assert "--offline" in str(caught.value.hint)


def test_a_ledger_with_offline_or_of_the_surroundings_is_no_contradiction(file: Path) -> None:
    settings(file, ledger="till.db", offline=True).check_world()
    settings(file, ledger="till.db", profile="books").check_world()
    settings(file, {"RPCTL_LEDGER": "till.db"}).check_world()
    settings(file).check_world()


def test_without_a_tenant_the_place_for_it_is_named(file: Path, tmp_path: Path) -> None:
    file.write_text('[profiles.live]\nbackend = "emporix"\n')
    with pytest.raises(InvalidConfig) as in_profile:
        settings(file, profile="live").online()
    with pytest.raises(InvalidConfig) as by_variable:
        settings(tmp_path / "none.toml", {"RPCTL_BACKEND": "emporix"}).online()

    assert in_profile.value.message == "Profile live names no tenant of https://api.emporix.io."
    assert in_profile.value.hint == f"Set tenant in [profiles.live] of {file}, or RPCTL_TENANT."
    assert by_variable.value.message == "The backend emporix names no tenant of https://api.emporix.io."
    assert by_variable.value.hint == "Set RPCTL_TENANT."


def test_a_ledger_is_no_service(file: Path) -> None:
    with pytest.raises(UsageError, match="Profile books works on a local ledger, not on a service"):
        settings(file, profile="books").online()
