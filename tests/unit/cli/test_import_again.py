"""The same rows a second time: from another file they are refused, and --again means them anew."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HEADER = "customer_id,points\n"


def file(folder: Path, name: str, *rows: str) -> str:
    path = folder / name
    path.write_text(HEADER + "".join(f"{row}\n" for row in rows))
    return str(path)


def report(rpctl: Any, *words: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(rpctl.ok("points", "import", *words, "-o", "json"))
    return document


def balance(rpctl: Any, customer: str) -> int:
    return int(rpctl.ok("points", "balance", customer))


@pytest.mark.parametrize("dry_run", [False, True])
def test_a_file_to_which_a_row_was_added_is_refused_and_nothing_is_changed(
    rpctl: Any, tmp_path: Path, dry_run: bool
) -> None:
    report(rpctl, file(tmp_path, "monday.csv", "C1,5", "C2,7"))
    longer = file(tmp_path, "tuesday.csv", "C1,5", "C2,7", "C3,9")
    status, out, err = rpctl("points", "import", longer, *(["--dry-run"] if dry_run else []))
    assert (status, out) == (6, "")
    assert "67% of the rows" in err
    assert "--again" in err
    assert (balance(rpctl, "C1"), rpctl("points", "balance", "C3").status) == (5, 5)


def test_half_of_the_rows_is_not_most_of_them(rpctl: Any, tmp_path: Path) -> None:
    report(rpctl, file(tmp_path, "one.csv", "C1,5", "C2,7"))
    assert report(rpctl, file(tmp_path, "two.csv", "C1,5", "C3,9"))["applied"] == 2


def test_rows_with_keys_of_their_own_are_told_apart_by_them(rpctl: Any, tmp_path: Path) -> None:
    for name, rows in (("a.csv", "C1,5,k1\nC2,7,k2\n"), ("b.csv", "C1,5,k1\nC2,7,k2\nC3,9,k3\n")):
        (tmp_path / name).write_text("customer_id,points,key\n" + rows)
    assert report(rpctl, str(tmp_path / "a.csv"))["applied"] == 2
    longer = report(rpctl, str(tmp_path / "b.csv"))
    assert (longer["applied"], longer["alreadyApplied"]) == (1, 2)


def test_rows_of_a_run_that_applied_nothing_count_for_nothing(rpctl: Any, tmp_path: Path) -> None:
    assert rpctl("points", "import", file(tmp_path, "bad.csv", "C1,-5", "C2,-7")).status == 3
    good = file(tmp_path, "good.csv", "C1,-5", "C2,-7", "C1,20")
    assert rpctl("points", "import", good).status == 3
    assert balance(rpctl, "C1") == 20


def test_again_takes_another_files_rows_for_new_changes(rpctl: Any, tmp_path: Path) -> None:
    report(rpctl, file(tmp_path, "monday.csv", "C1,5", "C2,7"))
    assert report(rpctl, file(tmp_path, "tuesday.csv", "C1,5", "C2,7", "C3,9"), "--again")["applied"] == 3
    assert balance(rpctl, "C1") == 10


def test_again_counts_the_very_same_file_anew_and_without_it_nothing(rpctl: Any, tmp_path: Path) -> None:
    same = file(tmp_path, "bonus.csv", "C1,5", "C2,7")
    counts = [
        (done["applied"], done["alreadyApplied"])
        for done in (report(rpctl, same, *words) for words in ((), (), ("--again",), (), ("--again",), ()))
    ]
    assert counts == [(2, 0), (0, 2), (2, 0), (0, 2), (2, 0), (0, 2)]
    assert balance(rpctl, "C1") == 15


def test_a_stopped_run_is_gone_on_with_before_anything_counts_anew(rpctl: Any, tmp_path: Path) -> None:
    rows = ["C1,5", "C9,-1", "C2,7", "C9,-1"]
    same = file(tmp_path, "stops.csv", *rows)
    assert rpctl("points", "import", same, "--max-errors", "1").status == 3
    (tmp_path / "stops.rejected.csv").unlink()
    assert rpctl("points", "import", same, "--again").status == 3
    assert (balance(rpctl, "C1"), balance(rpctl, "C2")) == (5, 7)
