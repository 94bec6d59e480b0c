# SPDX-License-Identifier: Apache-2.0
"""What every tracker offers."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.results import Detections, Tracks


class Tracker(Protocol):
    """Gives the boxes of consecutive frames stable numbers; keeps state, one thread at a time."""

    def update(self, detections: Detections, t_ns: int) -> Tracks:
        """Take the detections of the frame shown at `t_ns` and return the tracks seen in it, by rising number."""


class MovingTracker(Tracker, Protocol):
    """A tracker whose camera may move."""

    def move(self, last_to_next: NDArray[np.float64]) -> None:
        """Take the map (2, 3) from px of the last frame to px of the next one, before that one's `update`."""
