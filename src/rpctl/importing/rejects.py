"""The rejects file: rows that were refused, as they were, with what is wrong; ready to be corrected and imported.

It appears whole or not at all: rows are collected in a nameless temporary file and put in place when the run
has ended. It never replaces a file.
"""

from __future__ import annotations

import codecs
import csv
import errno
import io
import os
import shutil
import tempfile
from contextlib import suppress
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, Final

from rpctl.errors import InvalidFile, OutputExists, OutputLost, StorageFull
from rpctl.importing.columns import OPTIONS_COLUMN, REJECT_COLUMNS, Columns, is_of_rejects, squeeze
from rpctl.importing.products import ALIASES
from rpctl.importing.reader import DELIMITERS, Source

_ADDED: Final = {squeeze(name) for name in REJECT_COLUMNS}
_KEY, _OTHER_KEY = "key", "idempotency_key"  # the other one where ``key`` was mapped to another field
_FOUND_AS_KEY: Final = {squeeze(_KEY), squeeze(_OTHER_KEY)}
_SITE: Final = "site_code"
_MAIN_SITE: Final = "main"
_WRITES_ANYTHING: Final = "utf-8-sig"  # with a BOM, so that it is found without being named
_FOUND_WITHOUT_A_NAME: Final = {"utf-8", "utf-8-sig", "utf-16"}


def rejects_path(file: Path | None, wanted: Path | None) -> Path:
    """Where the rejects of a file go: beside it as ``STEM.rejected.csv``, or where ``wanted`` says.

    ``file`` None is the standard input; its rejects go to the working directory. Raises `InvalidFile` where
    no file can be made there, so that this is known before anything is applied.
    """
    path = wanted or (file.with_name(f"{file.stem}.rejected.csv") if file else Path("stdin.rejected.csv"))
    folder = path.parent
    if not folder.is_dir():
        raise InvalidFile(f"There is no directory {folder} for the rejected rows.", "--rejects PATH names another.")
    if not os.access(folder, os.W_OK):
        raise InvalidFile(f"Rejected rows could not be written to {folder}.", "--rejects PATH names another place.")
    return path


class RejectsFile:
    """The rejected rows of one run, in the encoding and with the delimiter of the file they come from, where these are
    found without being typed; else in UTF-8 and with commas.

    The columns are the original ones (those of an earlier rejects file aside), then ``key`` where none is found to
    be it by its name, ``line``, ``error_code`` and ``error``. The key is also in the column that was mapped to it: a
    row keeps its key whether the file is imported with that mapping or without.

    What every row was given besides its cells is in the file too, so that it means the same without the options:
    a constant is in the column that would be read as its field, or in one that is added before ``key``, and so is
    ``site_code``, the site of rows that name none, unless it is the main one. An encoding that cannot write all
    this gives way to UTF-8. ``options``: the name of a last column, which says how the cells are to be read.
    """

    def __init__(
        self, path: Path, source: Source, columns: Columns, site_code: str = _MAIN_SITE, options: str | None = None
    ) -> None:
        self.path = path
        self._width = len(columns.header)
        names = [squeeze(name.strip()) for name in columns.header]
        self._kept = [at for at, name in enumerate(names) if name not in _ADDED]
        if is_of_rejects(columns.header):
            self._kept = [at for at in self._kept if not columns.header[at].strip().startswith(OPTIONS_COLUMN)]
        self._delimiter = source.delimiter if source.delimiter in DELIMITERS else ","
        constants = _constants(columns, site_code)
        homes = {field: _homes(field, names, columns) for field in constants}
        for second in (at for found in homes.values() for at in found[1:]):
            self._kept.remove(second)  # nobody read it, and without the options it would be a second one
        self._constants_at = {self._kept.index(found[0]): constants[field] for field, found in homes.items() if found}
        added = {field: constants[field] for field, found in homes.items() if not found}
        self._added_cells = list(added.values())
        self._default_site = site_code if site_code != _MAIN_SITE else ""
        self._site_at = self._kept.index(columns.positions[_SITE]) if _SITE in columns.positions else None
        keys = [at for at in self._kept if _is_of_keys(at, names, columns)]
        self._keys_at = [self._kept.index(at) for at in keys]
        self._adds_key = not any(names[at] in _FOUND_AS_KEY for at in keys)
        self._header = [columns.header[at] for at in self._kept]
        self._header += [_free_name(field, columns.header) for field in added]
        if self._adds_key:
            self._header.append(_KEY if _KEY not in names else _OTHER_KEY)
        self._header += REJECT_COLUMNS
        self._error_at = len(self._header) - 1
        self._header += [options] if options else []
        fit = codecs.lookup(source.encoding).name in _FOUND_WITHOUT_A_NAME and _can_write(
            source.encoding, [*self._header, *constants.values(), self._default_site]
        )
        self._encoding = source.encoding if fit else _WRITES_ANYTHING
        self._binary: IO[bytes]
        self._text: io.TextIOWrapper | None = None
        self._writer: Any = None

    def write(self, line: int, row: list[str], key: str, code: str, message: str) -> None:
        """One row: its first line, its cells, the key under which it will be applied, and what is wrong.

        Raises `StorageFull`, `OutputLost`.
        """
        try:
            if self._text is None:
                self._open()
            padded = row + [""] * (self._width - len(row))
            cells = [padded[at] for at in self._kept]
            for at in self._keys_at:
                cells[at] = key
            for at, constant in self._constants_at.items():
                cells[at] = constant
            if self._site_at is not None and not cells[self._site_at].strip():
                cells[self._site_at] = self._default_site
            cells += self._added_cells
            if self._adds_key:
                cells.append(key)
            # Surplus cells stand behind the last column: nothing is lost, and the row stays a reject until they go.
            cells += [str(line), code, " ".join(message.split())]
            cells += [""] * (len(self._header) - 1 - self._error_at)
            self._writer.writerow([*cells, *row[self._width :]])
        except OSError as error:
            raise self._failure(error) from error

    def clashes(self) -> bool:
        """Whether another file is in the place where these rejects would go.

        One that holds the same rows with the same error codes is not another: it was written by the dry run
        or by an earlier run of the same file.
        """
        return self._text is not None and os.path.lexists(self.path) and not self._is_there()

    def place(self) -> Path | None:
        """Puts the file, 0600, in its place, unless it is there already; None where nothing was rejected.

        Raises `OutputExists`, `StorageFull`, `OutputLost`.
        """
        if self._text is None:
            return None
        self._flush()
        self._binary.seek(0)
        try:
            descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    shutil.copyfileobj(self._binary, file)
            except BaseException:
                self.path.unlink(missing_ok=True)  # half a rejects file would pass for a whole one
                raise
        except FileExistsError:  # asked beforehand, another run could still come in between
            if not self._is_there():
                raise self.exists() from None
        except OSError as error:
            raise self._failure(error) from error
        return self.path

    def exists(self) -> OutputExists:
        """The error for a file that is in the way."""
        return OutputExists(
            f"The rejected rows would go to {self.path}, where another file is.",
            "Nothing is ever overwritten: name another file with --rejects PATH, or move this one away.",
        )

    def close(self) -> None:
        """Forgets what was collected; what was put in place stays."""
        if self._text is not None:
            with suppress(OSError):  # what is not written yet is not wanted any more
                self._text.close()
            self._text = None

    def _is_there(self) -> bool:
        if not self.path.is_file():  # a pipe would be waited for
            return False
        assert self._text is not None
        self._flush()
        self._text.seek(0)
        try:
            with self.path.open(encoding=self._encoding, newline="") as there:
                rows = (csv.reader(text, delimiter=self._delimiter) for text in (self._text, there))
                return all(a and b and self._facts(a) == self._facts(b) for a, b in zip_longest(*rows))
        except (OSError, UnicodeError, csv.Error):
            return False
        finally:
            self._text.seek(0, os.SEEK_END)

    def _facts(self, row: list[str]) -> list[str]:
        # The error's wording tells balances, which other changes may have moved since.
        return row[: self._error_at] + row[self._error_at + 1 :]

    def _open(self) -> None:
        self._binary = tempfile.TemporaryFile(dir=self.path.parent)  # noqa: SIM115 - closed with the text
        self._text = io.TextIOWrapper(self._binary, encoding=self._encoding, errors="backslashreplace", newline="")
        self._writer = csv.writer(_Lines(self._text), delimiter=self._delimiter)
        self._writer.writerow(self._header)

    def _flush(self) -> None:
        assert self._text is not None
        try:
            self._text.flush()
        except OSError as error:
            raise self._failure(error) from error

    def _failure(self, error: OSError) -> OutputLost | StorageFull:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return StorageFull(f"The disk is full: the rejected rows do not fit into {self.path.parent}.")
        why = os.strerror(error.errno or 0)
        return OutputLost(
            f"The rejected rows cannot be written to {self.path}: {why}.",
            "Run the same command with --rejects PATH: what is in counts once, and the refused rows go there.",
        )


class _Lines:
    """Lines end with LF. The writer is told CRLF all the same: it quotes only those line breaks that it knows of."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._text = text

    def write(self, line: str) -> None:
        self._text.write(line.removesuffix("\r\n") + "\n")


def _constants(columns: Columns, site_code: str) -> dict[str, str]:
    """Field -> the cell that every row has, the site included that was not named in the file."""
    constants = dict(columns.constants)
    if site_code != _MAIN_SITE and _SITE not in columns.positions and not constants.get(_SITE, "").strip():
        constants[_SITE] = site_code
    return constants


def _is_of_keys(at: int, names: list[str], columns: Columns) -> bool:
    """Whether the row's key may be written there: a key column, unless it is read as another field too."""
    read_as = [field for field, position in columns.positions.items() if position == at]
    return read_as == ["key"] or (not read_as and names[at] == "key")


def _homes(field: str, names: list[str], columns: Columns) -> list[int]:
    """The columns that would be read as a field if it had no constant: native ones, or else the only other one.

    An ``Action`` is not one of them: as a description it is suspected to be an operation.
    """
    free = [at for at in range(len(names)) if at not in columns.positions.values()]
    native = [at for at in free if names[at] == squeeze(field)]
    others = [at for at in free if ALIASES.get(names[at]) == field and names[at] != "action"]
    return native or (others if len(others) == 1 and squeeze(field) not in names else [])


def _free_name(field: str, header: tuple[str, ...]) -> str:
    # Where --map gave the native column to another field, this one is found by another spelling; without that
    # --map there are two columns for the field, which is an error and no other meaning.
    taken = {name.strip() for name in header}
    while field in taken:
        field += "_"
    return field


def _can_write(encoding: str, cells: list[str]) -> bool:
    """Whether these cells come back as they are, and others do not end in an error (codecs such as idna's)."""
    wanted = "\n".join(cells) + "\n"
    try:
        with io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace", newline="") as text:
            text.write(wanted)
            text.write("\U0010ffff\n")
            text.flush()
            text.seek(0)
            return text.read().startswith(wanted)
    except UnicodeError:
        return False
