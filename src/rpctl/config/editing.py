"""Changes the configuration file: a profile more, one less, another current one.

A person's comments, order and spacing stay. Writers take turns under a lock and read the file anew when it is
theirs, so nobody's change is lost; the new file takes the old one's place in one step, so a reader sees the
one or the other. Every edit is read back before it is kept: a layout that cannot be edited without changing
something else is refused. Only commands that write load this module: tomlkit is slow to import.
"""

from __future__ import annotations

import fcntl
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from pathlib import Path
from stat import S_IMODE
from typing import Any, Final

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from rpctl.config import allowed
from rpctl.config.profiles import KEYS, Profile, Profiles, load, parse, read
from rpctl.errors import InvalidConfig, InvalidValue, ProfileExists, StorageFull, Temporary

_LOCK_TIMEOUT_S: Final = 5.0
_LOCK_PAUSE_S: Final = 0.02
_OTHER_FILE: Final = "RPCTL_CONFIG names another configuration file."
# Comments at the top, with a blank line after them, speak of the whole file.
_PREFACE: Final = re.compile(r"(?:[ \t]*#[^\n]*\n)+(?:[ \t]*\r?\n)+")


def create(file: Path, profile: Profile) -> Profile:
    """Add a profile, and return it as it is written; `Profile` keys that are ``None`` are left out.

    The values are what was typed: a relative ``ledger`` is taken from the working directory and written as an
    absolute path. The file and its directory are made where they are missing (0600 in 0700). The new profile
    does not become the current one.

    Raises `InvalidValue` for a value that is not allowed, `ProfileExists`, `InvalidConfig` for a file that
    cannot be read, written or edited, `Temporary` where another writer does not finish, `StorageFull`.
    """
    profile = _checked(profile)

    def add(before: Profiles, text: str) -> tuple[Profiles, str]:
        if profile.name in before.by_name:
            raise ProfileExists(f"There is a profile {profile.name!r} in {file} already.", profile=profile.name)
        after = before._replace(by_name={**before.by_name, profile.name: profile})
        return after, _with_profile(text, profile)

    _edit(file, add)
    return profile


def delete(file: Path, name: str) -> Profile:
    """Take a profile out and return it; where it was the current one, none is current afterwards.

    Its ledger file stays where it is. Raises `ProfileNotFound`, and what `create` raises about the file.
    """
    removed = load(file).get(name)

    def take(before: Profiles, text: str) -> tuple[Profiles, str]:
        nonlocal removed
        removed = before.get(name)
        by_name = {key: profile for key, profile in before.by_name.items() if key != name}
        current = None if before.current == name else before.current
        return Profiles(file, current, by_name), _without_profile(text, name, clear_current=current != before.current)

    _edit(file, take)
    return removed


def use(file: Path, name: str) -> Profile:
    """Make a profile the current one and return it.

    Raises `ProfileNotFound`, and what `create` raises about the file.
    """
    chosen = load(file).get(name)

    def point(before: Profiles, text: str) -> tuple[Profiles, str]:
        nonlocal chosen
        chosen = before.get(name)
        return before._replace(current=name), _with_current(text, name)

    _edit(file, point)
    return chosen


def _checked(profile: Profile) -> Profile:
    values: dict[str, Any] = {}
    for key in ("name", *KEYS):
        value = getattr(profile, key)
        check = {"name": allowed.profile_name, "time_zone": allowed.time_zone}.get(key) or KEYS[key]
        try:
            values[key] = value if value is None and key != "name" else check(value)
        except allowed.NotAllowed as wrong:
            what = "A profile's name" if key == "name" else f"--{key.replace('_', '-')}"
            told = wrong.told or allowed.shown(value)
            raise InvalidValue(f"{what} cannot be {told}.", f"Allowed: {wrong.allowed}.") from None
    ledger = values["ledger"]
    if ledger and ledger != "~" and not ledger.startswith("~/"):
        values["ledger"] = str(Path(ledger).absolute())
        try:
            values["ledger"].encode()
        except UnicodeEncodeError:
            raise InvalidValue(
                f"--ledger {ledger!r} is not UTF-8, so the configuration file cannot hold it.",
                "Rename the file, or name it with RPCTL_LEDGER.",
            ) from None
    return Profile(**values)


# -- the text ---------------------------------------------------------------------------------------------


def _with_profile(text: str, profile: Profile) -> str:
    lines = tomlkit.dumps({key: value for key in KEYS if (value := getattr(profile, key)) is not None})
    gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
    return text + _ends_as_in(text, f"{gap}[profiles.{profile.name}]\n{lines}")


def _with_current(text: str, name: str) -> str:
    document = tomlkit.parse(text)
    if "current" in document:
        document["current"] = name
        return tomlkit.dumps(document)
    # tomlkit would put it right above the first table, between this and the comment that belongs to it.
    preface = _PREFACE.match(text)
    start = preface.end() if preface else 0
    gap = "\n" if text[start:].strip() else ""
    return text[:start] + _ends_as_in(text, f'current = "{name}"\n{gap}') + text[start:]


def _without_profile(text: str, name: str, *, clear_current: bool) -> str:
    document = tomlkit.parse(text)
    profiles: Any = document["profiles"]
    table = profiles[name]
    cut = _cut_table(text, name, table) if isinstance(table, Table) else None
    if cut is None:
        del profiles[name]
    else:
        document = tomlkit.parse(cut)
    if clear_current:
        del document["current"]
    return tomlkit.dumps(document)


def _cut_table(text: str, name: str, table: Table) -> str | None:
    """The text without ``[profiles.NAME]`` and its keys, or ``None`` where the table has no such header.

    Comments below the last key stay: most often they are the heading of the next profile, which tomlkit counts
    as part of this one and would take away with it.
    """
    items = table.value.body
    last = max((place for place, (key, _) in enumerate(items) if key is not None), default=-1)
    kept = "".join(item.as_string() for _, item in items[last + 1 :])
    quoted = rf"[\"']?{re.escape(name)}[\"']?"
    header = rf"^[ \t]*\[[ \t]*[\"']?profiles[\"']?[ \t]*\.[ \t]*{quoted}[ \t]*\][^\n]*\n?"
    match = re.search(header + re.escape(table.as_string()), text, re.MULTILINE)
    if not match:
        return None
    before, after = text[: match.start()], text[match.end() :]
    if not kept.strip() or not before.strip():
        kept = kept.lstrip("\r\n")
    return before + kept + after


def _ends_as_in(text: str, added: str) -> str:
    return added.replace("\n", "\r\n") if "\r\n" in text else added


# -- the file ---------------------------------------------------------------------------------------------


def _edit(file: Path, change: Callable[[Profiles, str], tuple[Profiles, str]]) -> None:
    """Replace the file by what ``change`` makes of it: from what it says and its text to both afterwards."""
    # Where a person keeps the file elsewhere and links to it, the link stays and the file behind it changes.
    target = Path(os.path.realpath(file))
    try:
        _refuse_what_is_not_ours_to_write(file, target)
        _make_directory(target.parent)
        with _lock(file, target):
            text = read(file) or ""
            edited = _edited(file, text, change)
            if edited != text:
                _replace(target, edited.encode())
    except OSError as error:
        if error.errno in (ENOSPC, EDQUOT):
            raise StorageFull(f"{file} cannot be written: the disk is full.") from error
        reason = error.strerror or error
        raise InvalidConfig(f"{file} cannot be written: {reason}.", _OTHER_FILE, file=str(file)) from error


def _edited(file: Path, text: str, change: Callable[[Profiles, str], tuple[Profiles, str]]) -> str:
    before = parse(text, file)
    with suppress(TOMLKitError, InvalidConfig, ValueError):
        expected, edited = change(before, text)
        if parse(edited, file) == expected:
            return edited
    raise InvalidConfig(
        f"{file} is laid out in a way that rpctl cannot edit; nothing was written.",
        "Write each profile as [profiles.NAME] with a line for each key, or edit the file by hand.",
        file=str(file),
    )


def _refuse_what_is_not_ours_to_write(file: Path, target: Path) -> None:
    # Replacing needs the directory's permission only: without this, a device such as /dev/null would become a
    # file, and a file that a person protected would be changed all the same.
    if not target.exists():
        return
    if not target.is_file():
        raise InvalidConfig(f"{file} is not a regular file, so it cannot be written.", _OTHER_FILE, file=str(file))
    if not os.access(target, os.W_OK):
        raise InvalidConfig(f"{file} cannot be written: it is read-only.", _OTHER_FILE, file=str(file))


def _make_directory(directory: Path) -> None:
    missing = [part for part in (directory, *directory.parents) if not part.exists()]
    for part in reversed(missing):
        part.mkdir(mode=0o700, exist_ok=True)


@contextmanager
def _lock(file: Path, target: Path) -> Iterator[None]:
    # A file beside it, for the configuration file itself is another one after each change; never removed, or
    # two writers could each hold the lock on a file of their own.
    descriptor = os.open(target.with_name(f".{target.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        give_up = time.monotonic() + _LOCK_TIMEOUT_S
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise Temporary(
                        f"Another process has kept {file} locked for {_LOCK_TIMEOUT_S:g} seconds.",
                        "Try the same command again; nothing of it was written.",
                    ) from None
                time.sleep(_LOCK_PAUSE_S)
        yield
    finally:
        os.close(descriptor)


def _replace(target: Path, content: bytes) -> None:
    old = target.stat() if target.exists() else None
    descriptor, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".new")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            # A file that others may read, or that sudo edits for its owner, stays readable for them.
            if old is not None:
                with suppress(PermissionError):
                    os.fchown(descriptor, old.st_uid, old.st_gid)
                os.fchmod(descriptor, S_IMODE(old.st_mode))
            os.fsync(descriptor)
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    directory = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
