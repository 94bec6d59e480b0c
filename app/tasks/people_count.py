# SPDX-License-Identifier: Apache-2.0
"""What task `pose` makes of its tracks besides skeletons: counts at the user's lines and in his zones."""

from __future__ import annotations

from collections.abc import Sequence

from app.frame import Counting
from app.motion.counting import Anchor, Count, Counter
from app.motion.lines import Mark
from app.motion.zones import expect_names
from models.results import Tracks


class PeopleCount:
    """Counts one stream of tracks, in the inference thread; `watch` and `counts` may be called from any thread."""

    def __init__(self, anchor: Anchor = "foot") -> None:
        """`anchor`: which point of a box stands for its person; "centre" where the camera looks down."""
        self.counts: tuple[Count, ...] = ()
        """As of the newest frame."""
        self._wanted: tuple[Mark, ...] = ()
        self._counter = Counter((), anchor)

    def watch(self, marks: Sequence[Mark]) -> None:
        """Count over these marks from the next frame on; raises ZoneError where two have one name."""
        expect_names(marks)  # here, where whoever asked hears of it
        self._wanted = tuple(marks)

    def __call__(self, tracks: Tracks, t_ns: int, size_wh: tuple[int, int]) -> Counting:
        """Return what happened in the frame of `t_ns` and the counts so far; called for every frame."""
        wanted = self._wanted
        if wanted != self._counter.marks:
            self._counter.use(wanted)
        events = self._counter.update(tracks, t_ns, size_wh)
        self.counts = self._counter.counts()
        return Counting(self.counts, tuple(events))
