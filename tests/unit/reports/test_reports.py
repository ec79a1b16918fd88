"""What a summary tells: history with expiries between, explain with the first mismatch, the balance as of a moment."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rpctl.domain.points import AddedPoints, RedeemedPoints, Summary, Use
from rpctl.domain.values import NEVER, Instant, parse_instant
from rpctl.errors import InvalidValue
from rpctl.reports.balance import as_of
from rpctl.reports.explain import explain
from rpctl.reports.history import history


def day(text: str) -> Instant:
    return parse_instant(f"2026-{text}")


def lot(name: str, points: int, created: str, until: str | None = None, **more: object) -> AddedPoints:
    fields: dict[str, object] = {"all_points_after_creation": 0, **more}
    return AddedPoints(name, "C1", points, day(created), day(until) if until else NEVER, **fields)  # type: ignore[arg-type]


def redeemed(name: str, points: int, created: str, after: int, position: int | None = None) -> RedeemedPoints:
    return RedeemedPoints(name, "C1", points, day(created), after, position=position)


USED_30, USED_50 = (Use("r", 30),), (Use("r", 50),)
SUMMARY = Summary(
    "C1",
    45,
    added=(
        lot("a", 100, "01-01", "03-01", all_points_after_creation=100, position=1, used_points=30, used_with=USED_30),
        lot("b", 50, "01-02", "02-15", all_points_after_creation=150, position=2, used_points=50, used_with=USED_50),
        lot("c", 45, "01-03", None, all_points_after_creation=195, position=3),
        lot("d", 20, "01-04", "02-20", all_points_after_creation=135, position=5),
    ),
    redeemed=(redeemed("r", 80, "01-04", 115, position=4),),
)  # fmt: skip
EXPECTED = [
    ("added", "a", "01-01", 100, 100),
    ("added", "b", "01-02", 50, 150),
    ("added", "c", "01-03", 45, 195),
    ("redeemed", "r", "01-04", -80, 115),
    ("added", "d", "01-04", 20, 135),
    ("expired", "d", "02-20", -20, 115),
    ("expired", "a", "03-01", -70, 45),
]


def lines(summary: Summary = SUMMARY, now: str = "04-01", **how: object) -> list[tuple[str, str, str, int, int]]:
    found = history(summary, day(now), **how)  # type: ignore[arg-type]
    names = {day(when): when for _, _, when, _, _ in EXPECTED}
    return [(line.kind, line.entry.id, names[line.at], line.points, line.balance) for line in found]


# -- history ----------------------------------------------------------------------------------------------


def test_expiries_stand_where_they_fall_with_what_is_left_after_them() -> None:
    assert lines() == EXPECTED


def test_a_lot_that_was_used_up_does_not_expire() -> None:
    assert ("expired", "b") not in [(kind, name) for kind, name, *_ in lines()]


@pytest.mark.parametrize(
    ("now", "active", "expected"), [("02-19", 135, 5), ("02-20", 115, 6), ("02-28", 115, 6), ("03-01", 45, 7)]
)
def test_what_has_not_expired_yet_is_not_shown(now: str, active: int, expected: int) -> None:
    assert EXPECTED[:expected] == lines(replace(SUMMARY, active_points=active), now)


def test_the_last_balance_is_what_is_active() -> None:
    assert SUMMARY.active_points == lines()[-1][-1]


def test_a_lot_that_was_expired_on_arrival_expires_at_once() -> None:
    summary = Summary("C1", 0, (lot("a", 5, "03-01", "02-20", position=1),))

    assert lines(summary) == [("added", "a", "03-01", 5, 5), ("expired", "a", "02-20", -5, 0)]


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"kind": "redeemed"}, EXPECTED[3:4]),
        ({"kind": "expired"}, EXPECTED[5:]),
        ({"since": day("01-04")}, EXPECTED[3:]),
        ({"until": day("01-03")}, EXPECTED[:3]),
        ({"since": day("01-04"), "until": day("02-20"), "kind": "expired"}, EXPECTED[5:6]),
    ],
    ids=str,
)
def test_lines_are_chosen_by_type_and_time_and_keep_their_balances(
    how: dict[str, object], expected: list[tuple[str, str, str, int, int]]
) -> None:
    assert expected == lines(**how)


def test_an_unknown_type_names_the_known_ones() -> None:
    with pytest.raises(InvalidValue, match="spent") as raised:
        history(SUMMARY, day("04-01"), kind="spent")

    assert raised.value.hint == "Types: added, redeemed, expired, backdated, unexplained."


def test_without_positions_the_date_is_the_order() -> None:
    shuffled = replace(
        SUMMARY,
        added=tuple(replace(one, position=None) for one in reversed(SUMMARY.added)),
        redeemed=tuple(replace(one, position=None) for one in SUMMARY.redeemed),
    )

    told = history(shuffled, day("04-01"))

    assert [line.entry.id for line in told if line.kind != "unexplained"] == list("abcdrda")


# -- explain ----------------------------------------------------------------------------------------------


def test_every_lot_is_granted_used_expired_and_left() -> None:
    found = explain(SUMMARY, day("04-01"))

    assert [(one.lot.id, one.lot.points, one.used, one.expired, one.left) for one in found.lots] == [
        ("a", 100, 30, 70, 0),
        ("b", 50, 50, 0, 0),
        ("c", 45, 0, 0, 45),
        ("d", 20, 0, 20, 0),
    ]
    assert found.mismatch is None


def test_of_lots_that_are_still_valid_nothing_has_expired() -> None:
    assert [one.left for one in explain(SUMMARY, day("02-01")).lots] == [70, 0, 45, 20]


@pytest.mark.parametrize("wrong", ["a", "b", "c", "r", "d"])
def test_the_first_entry_whose_balance_is_wrong_is_named(wrong: str) -> None:
    def only(entry: object) -> object:
        return replace(entry, all_points_after_creation=7) if entry.id == wrong else entry  # type: ignore

    summary = replace(SUMMARY, added=tuple(map(only, SUMMARY.added)), redeemed=tuple(map(only, SUMMARY.redeemed)))  # type: ignore

    mismatch = explain(summary, day("04-01")).mismatch

    assert mismatch is not None
    stored = {"a": 100, "b": 150, "c": 195, "r": 115, "d": 135}
    assert (mismatch.entry.id, mismatch.stored, mismatch.expected) == (wrong, 7, stored[wrong])


@pytest.mark.parametrize(("stored", "mismatch"), [(50, None), (120, (120, 50)), (140, (140, 50))])
def test_what_had_expired_by_then_counts_no_more(stored: int, mismatch: tuple[int, int] | None) -> None:
    later = lot("e", 5, "03-02", None, all_points_after_creation=stored, position=6)
    found = explain(replace(SUMMARY, added=(*SUMMARY.added, later)), day("04-01")).mismatch

    assert mismatch == (found and (found.stored, found.expected))


def test_where_a_backend_does_not_say_how_much_each_lot_gave_nothing_is_claimed() -> None:
    vague = replace(SUMMARY.added[1], used_with=(Use("r"),))
    summary = replace(SUMMARY, added=(SUMMARY.added[0], vague, *SUMMARY.added[2:]), redeemed=(
        replace(SUMMARY.redeemed[0], all_points_after_creation=1),
    ))  # fmt: skip

    assert explain(summary, day("04-01")).mismatch is None


# -- as of (ledger.md rule 10) -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("01-01", 100),
        ("01-02", 150),
        ("01-03", 195),
        ("01-04", 135),
        ("02-19", 135),
        ("02-20", 115),
        ("03-01", 45),
        ("12-31", 45),
    ],
)
def test_the_balance_as_it_was_at_a_moment(at: str, expected: int) -> None:
    assert expected == as_of(SUMMARY, day(at))


def test_before_the_first_change_there_was_nothing() -> None:
    assert as_of(SUMMARY, parse_instant("2025-12-31")) == 0


def test_a_change_dated_later_does_not_move_what_was() -> None:
    later = replace(
        SUMMARY,
        added=(*SUMMARY.added, lot("e", 500, "03-15", None, position=6)),
        redeemed=(*SUMMARY.redeemed, redeemed("s", 5, "03-16", 540, position=7)),
    )

    assert [as_of(SUMMARY, day(at)) for at in ("01-04", "03-01", "03-14")] == [
        as_of(later, day(at)) for at in ("01-04", "03-01", "03-14")
    ]
