# SPDX-License-Identifier: Apache-2.0
"""A small deck of pages that swipes turn. Nothing is drawn here."""

from __future__ import annotations

from dataclasses import dataclass, replace

from app.motion.swipes import Direction

MIRRORED: dict[Direction, Direction] = {"left": "right", "right": "left", "up": "up", "down": "down"}
STEP: dict[Direction, int] = {"left": 1, "right": -1, "up": 0, "down": 0}
"""As on a touch screen: a page pushed to the left makes room for the next one."""


@dataclass(frozen=True)
class Deck:
    """Page `page` (from 1) of `n_pages` is shown. Raises ValueError."""

    n_pages: int
    page: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.page <= self.n_pages:
            raise ValueError(f"Deck: expected a page from 1 to {self.n_pages}, got {self.page}")

    def turned(self, swiped: Direction, is_mirrored: bool) -> Deck:
        """Return the deck after a swipe: to the left as the user sees it = next, to the right = the one before.

        `swiped` is the direction in the picture (Swipe.direction); `is_mirrored`: whether the view shows the picture
        mirrored, so that the user sees left and right exchanged. At the first and last page, and for up and down,
        nothing changes.
        """
        seen = MIRRORED[swiped] if is_mirrored else swiped
        return replace(self, page=min(max(self.page + STEP[seen], 1), self.n_pages))
