# SPDX-License-Identifier: Apache-2.0
"""The arrows over a flow: one for each square of a grid, along the mean motion of what is known there."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QLineF
from PySide6.QtGui import QTransform

from app.frame import FlowOutput
from models.results import Float32

LONGEST = 1.4
"""Of the grid's step; a motion of the scale is as long as 0.9 steps."""
LEAST = 0.06
"""A shorter arrow, of the grid's step, is not drawn."""
HEAD_SHARE, HEAD_RAD = 0.35, 0.5


def grid(uv: Float32, valid: NDArray[np.bool_], side: int) -> tuple[Float32, Float32]:
    """Return centres (N, 2), in cells, and mean motions (N, 2) of squares of `side` cells that know any."""
    rows, columns = max(valid.shape[0] // side, 1), max(valid.shape[1] // side, 1)
    cut = (slice(0, rows * side), slice(0, columns * side))
    known = valid[cut].astype(np.float32)
    edges = tuple(np.arange(n) * side for n in (rows, columns))
    count = np.add.reduceat(np.add.reduceat(known, edges[0], 0), edges[1], 1)
    total = np.add.reduceat(np.add.reduceat(uv[cut] * known[..., None], edges[0], 0), edges[1], 1)
    row, column = np.nonzero(count)
    centres = np.stack([column + 0.5, row + 0.5], -1).astype(np.float32) * side
    return centres, np.asarray(total[row, column] / count[row, column, None], np.float32)


def arrow_lines(output: FlowOutput, to_screen: QTransform, step_px: float, scale_px: float) -> list[QLineF]:
    """Return shafts and heads in px of the target, about `step_px` of it apart; `scale_px` is that of the colours."""
    linear = np.array([[to_screen.m11(), to_screen.m12()], [to_screen.m21(), to_screen.m22()]])
    zoom = math.sqrt(abs(to_screen.determinant()))
    cell_px = output.stride * zoom
    side = max(1, round(step_px / cell_px)) if cell_px > 0 else 1
    centres, motions = grid(output.flow.uv, output.flow.valid, side)
    start = centres * output.stride @ linear + (to_screen.dx(), to_screen.dy())
    along = motions @ linear * (0.9 * step_px / max(zoom * scale_px, 1e-6))
    length = np.hypot(along[:, 0], along[:, 1])
    along *= np.minimum(1, LONGEST * step_px / np.maximum(length, 1e-6))[:, None]
    drawn = length > LEAST * step_px
    start, along = start[drawn], along[drawn]
    tip = start + along
    ends = [(start, tip), *((tip, tip - HEAD_SHARE * turned(along, angle)) for angle in (HEAD_RAD, -HEAD_RAD))]
    rows = np.concatenate([np.concatenate(pair, axis=1) for pair in ends])
    return [QLineF(*row) for row in rows.tolist()]


def turned(along: NDArray[np.float64], angle_rad: float) -> NDArray[np.float64]:
    cos, sin = np.cos(angle_rad), np.sin(angle_rad)
    return np.asarray(along @ np.array([[cos, sin], [-sin, cos]]))
