# SPDX-License-Identifier: Apache-2.0
"""Motion as colour: the wheel of the Middlebury flow benchmark. Direction is the hue, speed how strong it is.

Baker et al., "A Database and Evaluation Methodology for Optical Flow" (IJCV 2011), figure 6 and its colour code: from a
motion to the right the hue runs red, yellow, green, cyan, blue, magenta with the hands of a clock.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from models.results import Float32, Image

SEGMENTS = ((0, 1, 15, True), (1, 0, 6, False), (1, 2, 4, True), (2, 1, 11, False), (2, 0, 13, True), (0, 2, 6, False))
"""Of the wheel: the channel that is full, the one that changes, over how many hues, and whether it rises.

There are more hues where the eye tells more of them apart."""
FASTER_THAN_SCALE = 0.75
"""Brightness of what is faster than the scale, in its full hue."""
UNKNOWN = 0
"""Grey level of pixels without a motion."""


@cache
def hues() -> Float32:
    """Return the wheel (55, 3), 0..1, from a motion to the right on with the hands of a clock."""
    parts = []
    for full, changing, n, rises in SEGMENTS:
        ramp = np.arange(n, dtype=np.float32) / n
        part = np.zeros((n, 3), np.float32)
        part[:, full], part[:, changing] = 1, ramp if rises else 1 - ramp
        parts.append(part)
    return np.concatenate(parts)


def flow_rgb(uv: Float32, valid: NDArray[np.bool_], scale_px: float) -> Image:
    """Return the colours (H, W, 3) of motions (H, W, 2) in px; white stands still, `scale_px` has its full hue."""
    speed = np.hypot(uv[..., 0], uv[..., 1]) / max(scale_px, 1e-6)
    turn = np.arctan2(uv[..., 1], uv[..., 0]) / (2 * np.pi) % 1
    place = turn * len(hues())
    below = place.astype(np.int32)
    share = (place - below)[..., None].astype(np.float32)
    wheel = np.concatenate([hues(), hues()[:2]])  # closes the circle
    hue = wheel[below] * (1 - share) + wheel[below + 1] * share
    strong = np.minimum(speed, 1)[..., None].astype(np.float32)
    rgb = np.where(speed[..., None] <= 1, 1 - strong * (1 - hue), FASTER_THAN_SCALE * hue)
    rgb = np.where(valid[..., None], rgb * 255, UNKNOWN)
    return np.rint(rgb).astype(np.uint8)


@cache
def legend_rgb(side_px: int) -> Image:
    """Return the wheel itself (side, side, 3): the colour of each motion at the place it goes to, grey outside."""
    axis = (np.arange(side_px, dtype=np.float32) + 0.5) / side_px * 2 - 1
    x, y = np.meshgrid(axis, axis)
    uv = np.stack([x, y], -1).astype(np.float32)
    picture = flow_rgb(uv, np.hypot(x, y) <= 1, 1.0)
    picture.flags.writeable = False
    return picture
