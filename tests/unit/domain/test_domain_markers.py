"""What a change is known by at a service."""

from __future__ import annotations

from uuid import UUID, uuid5

import pytest

from rpctl.domain.markers import marker_id, marker_token, split_token, with_token

TARGET = "https://api.emporix.io shop"


def test_the_id_is_a_uuid_of_version_5_and_the_same_on_every_machine() -> None:
    namespace = UUID("6f1d2f6e-0f6c-5c0f-9a7e-52c8f1a4b7d3")

    assert marker_id(TARGET, "order-9") == str(uuid5(namespace, f"{TARGET}\x1forder-9"))
    assert marker_id(TARGET, "order-9") == "67701998-0611-5e10-9974-99ae15ecd2ba"
    assert marker_token(TARGET, "order-9") == "rp-88f47a16acb4"


def test_markers_differ_by_key_and_by_books() -> None:
    pairs = [(TARGET, "k1"), (TARGET, "k2"), ("https://api.emporix.io other", "k1"), ("https://b.example shop", "k1")]

    assert len({marker_id(*pair) for pair in pairs}) == len({marker_token(*pair) for pair in pairs}) == 4


@pytest.mark.parametrize("description", ["late parcel", "", None, "ends with [brackets]", "[rp-0123456789ab] inside"])
def test_a_token_is_taken_off_again(description: str | None) -> None:
    assert split_token(with_token(description, "rp-0123456789ab")) == (description or "", "rp-0123456789ab")


@pytest.mark.parametrize(
    "description", ["", "late", "[rp-0123456789AB]", "[rp-0123]", "x[rp-0123456789ab]", "[rp-0123456789ab] and on"]
)
def test_what_is_no_token_stays(description: str) -> None:
    assert split_token(description) == (description, None)
