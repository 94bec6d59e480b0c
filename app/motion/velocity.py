# SPDX-License-Identifier: Apache-2.0
"""A flow as velocities: vectors in picture widths a second, so that neither frame rate nor resolution matters.

A field may be coarser than its picture: `uv` (h, w, 2) are px of the picture, one vector for each of h x w equal
blocks of it. Nothing here keeps state.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.results import Float32, Flow

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

N_VECTORS = 20_000
"""About so many, evenly spread, stand for a field: 160 x 120. No hand is smaller than a few of them."""


def velocity_of(flow: Flow, dt_s: float, size_wh: tuple[int, int]) -> tuple[Float32, Mask] | None:
    """Return velocities (h, w, 2) in picture widths a second, 0 where not known, and what is known (h, w).

    A field finer than N_VECTORS is thinned, so (h, w) may be less than the flow's. None where the flow says nothing:
    no vector that is valid and finite, or no time passed between its pictures.
    """
    if not (math.isfinite(dt_s) and dt_s > 0.0 and size_wh[0] > 0):
        return None
    uv, valid = thinned(flow)
    known = valid & np.isfinite(uv).all(axis=2)
    if not known.any():
        return None
    velocity = np.where(known[..., None], uv, np.float32(0)) * np.float32(1 / (dt_s * size_wh[0]))
    return velocity, known


def thinned(flow: Flow) -> tuple[Float32, Mask]:
    """Return every so many-th vector and whether it is valid."""
    height, width = flow.valid.shape
    step = min(math.ceil(math.sqrt(max(1, height * width) / N_VECTORS)), max(1, min(height, width)))
    every = slice(step // 2, None, step)
    return flow.uv[every, every], flow.valid[every, every]


def middle_velocity(velocity: Float32, known: Mask) -> Float32:
    """Return the median velocity (2,), each component for itself: what the camera does while half the picture rests."""
    return np.asarray(np.median(velocity[known], axis=0), np.float32)


def camera_velocity(matrix: Float64, shape: tuple[int, int], dt_s: float, size_wh: tuple[int, int]) -> Float32:
    """Return the velocities (h, w, 2), in widths a second, that a camera motion gives to what stands still.

    `matrix` (2, 3) takes px of the first picture to px of the second one (models.camera_motion); `shape` is (h, w).
    """
    x, y = block_middles(shape)
    xy = np.stack(np.broadcast_arrays(x * size_wh[0], y * size_wh[1]), axis=-1)
    moved = xy @ matrix[:, :2].T + matrix[:, 2] - xy
    return np.asarray(moved / (dt_s * size_wh[0]), np.float32)


def block_middles(shape: tuple[int, int]) -> tuple[Float64, Float64]:
    """Return x (1, w) and y (h, 1) of the middle of each block, in shares of the picture."""
    height, width = shape
    return ((np.arange(width) + 0.5) / width)[None, :], ((np.arange(height) + 0.5) / height)[:, None]


def direction_deg(velocity: Float32 | Float64) -> float:
    """Return the direction of a vector (2,): 0 = right, 90 = down, 180 = left, 270 = up; 0 <= direction < 360."""
    angle = math.degrees(math.atan2(float(velocity[1]), float(velocity[0]))) % 360.0
    return 0.0 if angle == 360.0 else angle


def apart_deg(a_deg: float, b_deg: float) -> float:
    """Return the angle between two directions, 0..180."""
    return abs((a_deg - b_deg + 180.0) % 360.0 - 180.0)
