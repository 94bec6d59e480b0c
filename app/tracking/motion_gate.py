# SPDX-License-Identifier: Apache-2.0
"""Whether a person can have come from where a lost track is expected to be by now."""

from __future__ import annotations

import numpy as np

from app.tracking.assignment import Float64
from app.tracking.kalman import KalmanFilters
from app.tracking.sort import state_to_xyxy

POSITION_SD = 0.06
"""Standard deviation of a detection's centre, in heights of the person: the unit of SORT's variances of place."""
HEIGHT_SD = 0.2
"""The same of the logarithm of its height; people who come nearer or go away change by about that in a second."""
FASTEST_HPS = 2.5
"""No person moves by more heights a second: a runner's 4 m/s."""
NEAR_HEIGHTS = 0.5
"""How far, in heights, a box may lie from a person who stands still: half hidden, it is somewhere else."""
MEASURED_VARIANCE = 1.0
GATE = 4.0
"""Largest distance that passes: 0.1 % of true matches lie beyond it (chi-square, 3 degrees of freedom: 16.3)."""


def motion_distances(filters: KalmanFilters, missed_s: Float64, xyxy: Float64) -> Float64:
    """Return the Mahalanobis distances (N, M) of boxes (M, 4) px from N predicted tracks; inf = cannot be.

    d^2 = |c - c'|^2 / (s^2 (P + 1)) + (ln h/h' / HEIGHT_SD)^2 with the centres c, the heights h, the variance P of the
    filter's centre (as of Wojke et al., "Simple Online and Realtime Tracking with a Deep Association Metric", 2017,
    arXiv:1703.07402, equation 1) and s = POSITION_SD h'. `missed_s` (N,): for how long each was not seen.
    """
    expected = state_to_xyxy(filters.mean)
    height, found_height = expected[:, 3] - expected[:, 1], xyxy[:, 3] - xyxy[:, 1]
    away = (xyxy[None, :, :2] + xyxy[None, :, 2:]) / 2 - filters.mean[:, None, :2]
    variance = (filters.var[:, :2] + MEASURED_VARIANCE) * np.square(POSITION_SD * height)[:, None]
    growth = np.log(found_height[None] / height[:, None]) / HEIGHT_SD
    distance = np.sqrt((np.square(away) / variance[:, None]).sum(axis=2) + np.square(growth))
    reach = (NEAR_HEIGHTS + FASTEST_HPS * missed_s) * height
    is_possible = (np.linalg.norm(away, axis=2) <= reach[:, None]) & (distance <= GATE)
    return np.where(is_possible, distance, np.inf)
