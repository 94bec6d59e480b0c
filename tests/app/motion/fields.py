# SPDX-License-Identifier: Apache-2.0
"""Flows whose motion is known."""

from __future__ import annotations

import numpy as np

from models.results import Flow

SIZE_WH = (320, 240)
FRAME_NS = 40_000_000
DT_S = 0.04


def flow_of(velocity_xy: tuple[float, float], box: tuple[float, float, float, float], stride: int = 4) -> Flow:
    """A field of SIZE_WH at `stride` whose `box` (shares x0, y0, x1, y1) moves, in widths a second, over DT_S."""
    width, height = SIZE_WH[0] // stride, SIZE_WH[1] // stride
    uv = np.zeros((height, width, 2), np.float32)
    x0, y0, x1, y1 = box
    rows = slice(round(y0 * height), round(y1 * height))
    uv[rows, round(x0 * width) : round(x1 * width)] = np.array(velocity_xy) * SIZE_WH[0] * DT_S
    return Flow(uv, np.ones((height, width), bool))


def rest(stride: int = 4) -> Flow:
    return flow_of((0.0, 0.0), (0.0, 0.0, 0.0, 0.0), stride)


def unknown() -> Flow:
    """What a task gives where nothing leads to a frame."""
    return Flow(np.zeros((1, 1, 2), np.float32), np.zeros((1, 1), bool))


def empty() -> Flow:
    return Flow(np.zeros((0, 0, 2), np.float32), np.zeros((0, 0), bool))
