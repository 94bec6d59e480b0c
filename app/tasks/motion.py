# SPDX-License-Identifier: Apache-2.0
"""What task `flow` makes of its flow besides the picture: motion in the user's zones, and swipes."""

from __future__ import annotations

from collections.abc import Sequence

from app.frame import FlowOutput, Motion
from app.motion.swipes import Swipe, SwipeReader
from app.motion.zones import Zone, ZoneWatch, expect_names


class MotionWatch:
    """Reads one stream of flows, in the inference thread; `watch` may be called from any thread."""

    def __init__(self) -> None:
        self._wanted: tuple[Zone, ...] = ()
        self._zones = ZoneWatch(())
        self._swipes = SwipeReader()
        self._last: Swipe | None = None

    def watch(self, zones: Sequence[Zone]) -> None:
        """Watch these zones from the next frame on; raises ZoneError where two have one name."""
        expect_names(zones)  # here, where whoever asked hears of it
        self._wanted = tuple(zones)

    def __call__(self, output: FlowOutput, t_ns: int) -> Motion:
        """Return what moves in the frame of `t_ns`; called for every frame, also for one without a flow."""
        wanted = self._wanted
        gone = self._zones.use(wanted) if wanted != self._zones.zones else []
        height, width = output.previous.shape[:2]
        events = self._zones.update(output.flow, output.dt_s, t_ns, (width, height))
        swipe = self._swipes.update(output.flow, output.dt_s, t_ns, (width, height))
        if swipe is not None or (self._last is not None and t_ns < self._last.t_ns):  # time runs back: a new clip
            self._last = swipe
        return Motion(self._zones.states(), (*gone, *events), swipe, self._last)
