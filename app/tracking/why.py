# SPDX-License-Identifier: Apache-2.0
"""Why a track has its number: what spoke for it, and for the next best one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

Decision = Literal["new", "appearance", "found_again"]
"""What gave a track its number.

new: first seen, and followed by its place alone since; appearance: in doubt it was looked at, and place and looks
together spoke for this number; found_again: a lost person, known by his looks where he can have come to.
"""


class Place(NamedTuple):
    """How well the place of a box in this frame fits a track."""

    overlap: float  # IoU of the boxes (enlarged, as they are matched)
    heading: float | None  # 1 = straight ahead on the way of the track, -1 = behind it; None = it did not count

    @classmethod
    def of(cls, overlap: float, heading: float) -> Place:
        """Round the numbers to what is shown and written; a heading of NaN did not count."""
        return cls(round(float(overlap), 4), None if np.isnan(heading) else round(float(heading), 3))


@dataclass(frozen=True)
class Candidate:
    """One number that a person might have; None = not looked at."""

    track_id: int  # 0 = a new track without a number yet
    appearance: float | None = None  # scalar product with the most similar vector of his gallery, 1 = equal
    motion: float | None = None  # Mahalanobis distance from where he was expected, 0 = exactly there
    overlap: float | None = None  # both as of `Place`, in this frame
    heading: float | None = None


@dataclass(frozen=True)
class Why:
    """The last decision about a track's number, with the overlaps of this frame."""

    track_id: int
    decision: Decision
    t_ns: int  # of the frame in which it was decided
    winner: Candidate
    runner_up: Candidate | None = None  # None = there was no other
