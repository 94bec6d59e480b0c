# SPDX-License-Identifier: Apache-2.0
"""Pages turn one at a time, stay in the deck, and follow what the user sees."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.motion.pages import Deck
from app.motion.swipes import ANGLE_DEG, Direction


@pytest.mark.parametrize(
    ("swiped", "is_mirrored", "page"),
    [
        ("left", False, 3),
        ("right", False, 1),
        ("left", True, 1),
        ("right", True, 3),
        ("up", True, 2),
        ("down", False, 2),
    ],
)
def test_a_swipe_turns(swiped: Direction, is_mirrored: bool, page: int) -> None:
    assert Deck(5, 2).turned(swiped, is_mirrored) == Deck(5, page)


@given(st.integers(1, 9), st.lists(st.tuples(st.sampled_from(list(ANGLE_DEG)), st.booleans())))
def test_the_page_stays_in_the_deck_and_moves_by_one(n_pages: int, swipes: list[tuple[Direction, bool]]) -> None:
    deck = Deck(n_pages)
    for swiped, is_mirrored in swipes:
        before, deck = deck, deck.turned(swiped, is_mirrored)
        assert 1 <= deck.page <= n_pages
        assert abs(deck.page - before.page) <= 1


@pytest.mark.parametrize(("n_pages", "page"), [(0, 1), (3, 0), (3, 4)])
def test_a_page_outside_is_refused(n_pages: int, page: int) -> None:
    with pytest.raises(ValueError, match="expected a page from 1"):
        Deck(n_pages, page)
