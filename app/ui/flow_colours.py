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
STRENGTH = 0.75
"""How much of the picture below a motion of full hue covers, where colours lie over a picture."""
STEPS, REACH = 96, 2
"""The table of colours has so many steps to the scale, and reaches so many scales each way: what is faster than that is
looked up on its edge, in its own direction."""
SIDE = 2 * STEPS * REACH + 1

Argb = NDArray[np.uint32]
"""(H, W) 0xAARRGGBB, colours multiplied by alpha: what Qt calls ARGB32_Premultiplied."""


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
def colour_table(is_over: bool) -> Argb:
    """Return the colours (SIDE * SIDE,) of motions by row and column in steps; see `flow_argb`."""
    axis = np.arange(-STEPS * REACH, STEPS * REACH + 1, dtype=np.float32) / STEPS
    uv = np.stack(np.meshgrid(axis, axis), -1).astype(np.float32)
    speed = np.hypot(uv[..., 0], uv[..., 1])[..., None]
    if is_over:
        along = np.asarray(uv / np.maximum(speed, 1e-6) * 0.99999, np.float32)
        full = flow_rgb(along, speed[..., 0] > 0, 1.0).astype(np.float32)
        alpha = STRENGTH * np.minimum(speed, 1)
        rgb = full * np.where(speed <= 1, alpha, STRENGTH * FASTER_THAN_SCALE)
    else:
        rgb, alpha = flow_rgb(uv, np.ones(speed.shape[:2], bool), 1.0).astype(np.float32), np.ones_like(speed)
    channels = np.rint(np.concatenate([alpha * 255, rgb], -1)).astype(np.uint32).reshape(-1, 4)
    return np.asarray(channels @ np.array([1 << 24, 1 << 16, 1 << 8, 1], np.uint32), np.uint32)


def flow_argb(uv: Float32, valid: NDArray[np.bool_], scale_px: float, is_over: bool) -> Argb:
    """Return the colours of motions (H, W, 2) in px, finite, by a table: fast enough for each frame.

    As `flow_rgb` has them; with `is_over` the picture below takes the place of white, and shows through where nothing
    moves or is known.
    """
    place = uv * np.float32(1 / max(scale_px, 1e-6))
    u, v = place[..., 0], place[..., 1]
    shrink = np.float32(STEPS) / np.maximum(np.maximum(np.abs(u), np.abs(v)) / REACH, 1)
    column = np.rint(u * shrink).astype(np.int32)
    row = np.rint(v * shrink).astype(np.int32)
    argb: Argb = colour_table(is_over)[(row + STEPS * REACH) * SIDE + (column + STEPS * REACH)]
    if not valid.all():
        argb[~valid] = 0 if is_over else 0xFF000000
    return argb


@cache
def legend_argb(side_px: int, is_over: bool) -> Argb:
    """Return the wheel itself (side, side): the colour of each motion at the place it goes to, clear outside."""
    axis = (np.arange(side_px, dtype=np.float32) + 0.5) / side_px * 2 - 1
    uv = np.stack(np.meshgrid(axis, axis), -1).astype(np.float32)
    distance_px = (1 - np.hypot(uv[..., 0], uv[..., 1])) * side_px / 2
    edge = np.clip(distance_px + 0.5, 0, 1)[..., None]  # soft over a pixel
    argb = flow_argb(uv * 0.999, np.ones(edge.shape[:2], bool), 1.0, is_over)
    channels = argb[..., None] >> np.array([24, 16, 8, 0], np.uint32) & 255
    soft = np.rint(channels * edge).astype(np.uint32)
    picture = np.asarray(soft @ np.array([1 << 24, 1 << 16, 1 << 8, 1], np.uint32), np.uint32)
    picture.flags.writeable = False
    return picture
