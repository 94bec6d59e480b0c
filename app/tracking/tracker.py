# SPDX-License-Identifier: Apache-2.0
"""What every tracker offers."""

from __future__ import annotations

from typing import Protocol

from models.results import Detections, Tracks


class Tracker(Protocol):
    """Gives the boxes of consecutive frames stable numbers; keeps state, one thread at a time."""

    def update(self, detections: Detections, t_ns: int) -> Tracks:
        """Take the detections of the frame shown at `t_ns` and return the tracks seen in it, by rising number."""
