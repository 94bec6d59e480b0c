# SPDX-License-Identifier: Apache-2.0
"""Who walks through the synthetic room seen from its ceiling, when and where: smooth functions of time, no drawing."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

N_WALKERS = 6
REACH_M = 5.2
"""From the middle of the room: there everybody enters and leaves, out of sight."""
STAY_S = (11.0, 13.0, 12.0, 15.0, 14.0, 16.0)
START = (0.5, 0.3, 0.65, 0.45, 0.2, 0.58)
"""Shares of their way that the first ones have behind them at time 0, so that the room does not begin empty."""
STEPS_HZ = 0.9

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Step:
    """Where a walker is: metres on the floor from below the camera, x right and y down in the picture."""

    x_m: float
    y_m: float
    facing_rad: float  # 0 = to the right, clockwise
    swing: float  # of the legs, -1 to 1


@dataclass(frozen=True)
class Walker:
    """One person from entering to leaving. Who comes back later gets a new number, as trackers count."""

    track_id: int
    entered_s: float
    stay_s: float
    course_rad: float  # the way he goes
    aside_m: float  # by how much he passes the middle of the room
    bend_m: float
    phase: float
    height_m: float
    shirt: Colour
    trousers: Colour
    hair: Colour
    skin: Colour

    def step(self, time_s: float) -> Step:
        """Return where he is at `time_s`; before and after his stay he is out of sight."""
        share = (time_s - self.entered_s) / self.stay_s
        turn = 2 * math.pi * share
        # He slows down to a fifth of his speed in the middle of his way: people stop and look.
        along = REACH_M * (2 * (share + 0.13 * math.sin(turn)) - 1)
        pace = REACH_M * 2 * (1 + 0.13 * 2 * math.pi * math.cos(turn))
        aside = self.aside_m + self.bend_m * math.sin(turn)
        drift = self.bend_m * 2 * math.pi * math.cos(turn)
        cos, sin = math.cos(self.course_rad), math.sin(self.course_rad)
        return Step(
            cos * along - sin * aside,
            sin * along + cos * aside,
            self.course_rad + math.atan2(drift, pace),
            math.sin(2 * math.pi * STEPS_HZ * (time_s - self.entered_s) + self.phase),
        )


def walker_at(seed: int, slot: int, time_s: float) -> Walker:
    """Return the walker of `slot` at `time_s`; one enters when the last has left."""
    return _walker(seed, slot, math.floor(time_s / STAY_S[slot] + START[slot]))


@lru_cache(maxsize=8 * N_WALKERS)
def _walker(seed: int, slot: int, number: int) -> Walker:
    rng = np.random.default_rng([seed, 5, slot, number])

    def colour(low: int, high: int) -> Colour:
        red, green, blue = (int(level) for level in rng.integers(low, high, 3))
        return red, green, blue

    # Ways lie side by side in lanes, turned by a slot's angle, so that people pass but seldom walk through each other.
    return Walker(
        track_id=1 + slot + N_WALKERS * number,
        entered_s=(number - START[slot]) * STAY_S[slot],
        stay_s=STAY_S[slot],
        course_rad=2 * math.pi * slot / N_WALKERS + float(rng.uniform(-0.35, 0.35)),
        aside_m=float(rng.choice((-1, 1)) * rng.uniform(0.5, 1.9)),
        bend_m=float(rng.uniform(-0.3, 0.3)),
        phase=float(rng.uniform(0, 2 * math.pi)),
        height_m=float(rng.uniform(1.58, 1.88)),
        shirt=colour(40, 225),
        trousers=colour(20, 110),
        hair=colour(15, 80),
        skin=((222, 184, 155), (205, 160, 130), (150, 105, 80), (105, 72, 55))[int(rng.integers(4))],
    )
