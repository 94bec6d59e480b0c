# SPDX-License-Identifier: Apache-2.0
"""Who is in the synthetic scene, when, where, and with what expression: smooth functions of time, no drawing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from app.sources.face_sprite import EXPRESSIONS

N_SLOTS = 4
"""People at once. A slot is a distance from the camera; slot 0 is the farthest."""
N_LOOKS = 2 * N_SLOTS
HALF_HEIGHTS = (0.105, 0.12, 0.14, 0.165)
"""Half the face's height by slot, as a share of the picture's height."""
STAY_S = (13.0, 16.0, 14.0, 18.0)
# Shares of their stay that the first four have behind them at time 0, so that the scene does not begin empty.
START = (0.3, 0.62, 0.42, 0.8)
# A torso is 1.75 face units wide to each side; the rest is for the sway.
MARGIN = 2.1
EXPRESSION_S = 2.4
FADE_S = 0.4


@dataclass(frozen=True, eq=False)
class Pose:
    """Where a person is in the picture, px and rad clockwise."""

    half_height_px: float
    head_px: NDArray[np.float64]  # (2,) the middle of the face
    torso_px: NDArray[np.float64]  # (2,) where the middle of the face would be on a rigid body
    tilt_rad: float
    lean_rad: float


@dataclass(frozen=True, eq=False)
class Visit:
    """One person from entering to leaving. Who comes back later gets a new number, as trackers count."""

    track_id: int
    look: int
    entered_s: float
    stay_s: float
    half_height: float
    direction: int  # 1 = walks to the right, -1 = to the left
    at_y: float  # of the face, as a share of the picture's height
    phase: NDArray[np.float64]  # (5,) rad
    expressions: NDArray[np.int64]  # (8,) indices of EXPRESSIONS, shown in turn

    def pose(self, time_s: float, size_wh: tuple[int, int], scale_px: float) -> Pose:
        """Return the pose at `time_s`; before and after the visit it is outside the picture."""
        age_s = time_s - self.entered_s
        share = age_s / self.stay_s
        width, height = size_wh
        half_height_px = self.half_height * scale_px * (1 + 0.05 * np.sin(0.7 * age_s + self.phase[0]))
        reach = width / 2 + MARGIN * self.half_height * scale_px
        # The second term slows the walk to a tenth of its mean speed twice: people stop and look.
        along = 2 * (share + 0.07 * np.sin(4 * np.pi * share)) - 1
        x = width / 2 + self.direction * reach * along
        y = height * (self.at_y + 0.02 * np.sin(1.3 * age_s + self.phase[1]))
        torso_px = np.array([x, y])
        nod = np.array([0.07 * np.sin(0.9 * age_s + self.phase[2]), 0.04 * np.sin(1.7 * age_s + self.phase[3])])
        tilt_rad = 0.2 * np.sin(0.8 * age_s + self.phase[4])
        lean_rad = 0.03 * np.sin(0.6 * age_s + self.phase[2])
        return Pose(half_height_px, torso_px + half_height_px * nod, torso_px, tilt_rad, lean_rad)

    def expression(self, time_s: float) -> tuple[int, int, float]:
        """Return the expression shown, the next one, and the share 0..1 of the next one."""
        turn, rest_s = divmod(time_s - self.entered_s, EXPRESSION_S)
        n = len(self.expressions)
        first, second = (int(self.expressions[int(turn + k) % n]) for k in (0, 1))
        t = min(max((rest_s - (EXPRESSION_S - FADE_S)) / FADE_S, 0.0), 1.0)
        return first, second, t * t * (3 - 2 * t)


def visit_at(seed: int, slot: int, time_s: float) -> Visit:
    """Return the visit of `slot` that goes on at `time_s`; one begins when the last has ended."""
    return _visit(seed, slot, int(np.floor(time_s / STAY_S[slot] + START[slot])))


@lru_cache(maxsize=8 * N_SLOTS)
def _visit(seed: int, slot: int, number: int) -> Visit:
    rng = np.random.default_rng([seed, 2, slot, number])
    return Visit(
        track_id=1 + slot + N_SLOTS * number,
        look=2 * slot + number % 2,
        entered_s=(number - START[slot]) * STAY_S[slot],
        stay_s=STAY_S[slot],
        half_height=HALF_HEIGHTS[slot],
        direction=int(rng.choice((-1, 1))),
        at_y=float(rng.uniform(0.3, 0.36) + 0.04 * slot),
        phase=rng.uniform(0, 2 * np.pi, 5),
        expressions=rng.integers(0, len(EXPRESSIONS), 8),
    )
