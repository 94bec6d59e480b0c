# SPDX-License-Identifier: Apache-2.0
"""Optical flow without a network, by OpenCV: DIS and Farneback (dense), pyramidal Lucas-Kanade (sparse).

Each takes two RGB pictures of one size and returns the motion of the first one's pixels to the second one; `Reduced`
lets one of them work on smaller copies.
Kroeger et al. 2016 (DIS), Farneback 2003, Bouguet 2000 with the forward-backward check of Kalal et al. 2010.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from models.results import Float32, Flow, Image

Grey = NDArray[np.uint8]
DIS_PRESETS = {
    "ultrafast": cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    "fast": cv2.DISOPTICAL_FLOW_PRESET_FAST,
    "medium": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
}
NO_START: Any = None
"""OpenCV takes None for "no first guess", its types do not say so."""
LEAST_SIDE_PX = 32
"""OpenCV's methods refuse or misread smaller pictures, so these are continued at their edges."""
N_POINTS, POINT_QUALITY, POINT_DISTANCE_PX = 800, 0.01, 6
LK: dict[str, Any] = {"winSize": (21, 21), "maxLevel": 4}
WORKING_PX = 320 * 240
"""About how many pixels `Reduced` leaves. On the synthetic scene at 640x480, one core: DIS takes 9 instead of 34 ms and
its mean error rises from 0.22 to 0.26 px; Farneback takes 12 instead of 63 ms and its error falls from 0.73 to 0.54."""
ROUND_TRIP_PX = 0.5
"""A point that does not come back this near to where it started is not reported."""


class Dis:
    """Dense inverse search. One thread at a time."""

    def __init__(self, preset: str = "medium") -> None:
        self._method = cv2.DISOpticalFlow.create(DIS_PRESETS[preset])

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        return dense(lambda first, second: self._method.calc(first, second, NO_START), first_rgb, second_rgb)


class Farneback:
    """Polynomial expansion with the values of the Middlebury figures: scale 0.5, 3 levels, window 15, 3 rounds."""

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        return dense(farneback, first_rgb, second_rgb)


class LucasKanade:
    """Corners followed there and back; `valid` only at these."""

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        first, second = both_grey(first_rgb, second_rgb)
        height, width = first_rgb.shape[:2]
        uv, valid = np.zeros((height, width, 2), np.float32), np.zeros((height, width), bool)
        start, end = follow_corners(first, second)
        x, y = np.floor(start).astype(int).T
        inside = (x < width) & (y < height)
        uv[y[inside], x[inside]], valid[y[inside], x[inside]] = (end - start)[inside], True
        return Flow(uv, valid)


class Reduced:
    """Another method on pictures reduced by a whole number, so that a live view keeps up with it.

    The flow is as much smaller: uv[i, j], in px of the pictures given, belongs to their square of `stride` px that
    begins at (j * stride, i * stride); height and width are those of the pictures over the stride, rounded up.
    """

    def __init__(self, method: Callable[[Image, Image], Flow]) -> None:
        self._method = method

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        if first_rgb.shape != second_rgb.shape or first_rgb.ndim != 3:
            raise ValueError(f"expected two pictures of one size, got {first_rgb.shape} and {second_rgb.shape}")
        stride = working_stride(first_rgb.shape[1], first_rgb.shape[0])
        small = self._method(reduce(first_rgb, stride), reduce(second_rgb, stride))
        return Flow(small.uv * np.float32(stride), small.valid)


def working_stride(width: int, height: int) -> int:
    """Return by how much the sides are divided to leave about WORKING_PX: 2 at 640x480, 3 at 1280x720, 1 at 400x300."""
    return max(1, round(math.sqrt(width * height / WORKING_PX)))


def reduce(rgb: Image, stride: int) -> Image:
    """Return the means of squares of `stride` px; a picture that is no multiple of it is continued at its edges."""
    if stride == 1:
        return rgb
    height, width = rgb.shape[:2]
    rows, columns = -(-height // stride), -(-width // stride)
    bottom, right = rows * stride - height, columns * stride - width
    if bottom or right:
        rgb = np.asarray(cv2.copyMakeBorder(rgb, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return np.asarray(cv2.resize(rgb, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def follow_corners(first: Grey, second: Grey) -> tuple[Float32, Float32]:
    """Return corners of the first picture and where they are in the second one: (N, 2) px each."""
    none = np.zeros((0, 2), np.float32)
    corners = cv2.goodFeaturesToTrack(first, N_POINTS, POINT_QUALITY, POINT_DISTANCE_PX)
    if corners is None:  # nothing to hold on to: a black picture, a wall
        return none, none
    start = np.asarray(corners, np.float32).reshape(-1, 1, 2)
    end, found, _ = cv2.calcOpticalFlowPyrLK(first, second, start, NO_START, **LK)
    back, returned, _ = cv2.calcOpticalFlowPyrLK(second, first, end, NO_START, **LK)
    error_px = np.linalg.norm(back - start, axis=-1)
    good = ((found > 0) & (returned > 0) & (error_px < ROUND_TRIP_PX)).reshape(-1)
    return start[good, 0], end[good, 0]


def farneback(first: Grey, second: Grey) -> NDArray[Any]:
    return cv2.calcOpticalFlowFarneback(first, second, NO_START, 0.5, 3, 15, 3, 5, 1.2, 0)


def dense(method: Callable[[Grey, Grey], NDArray[Any]], first_rgb: Image, second_rgb: Image) -> Flow:
    """Return the field that `method` finds on grey pictures of a size it can take."""
    height, width = first_rgb.shape[:2]
    uv = np.asarray(method(*both_grey(first_rgb, second_rgb)), np.float32)[:height, :width]
    return Flow(np.nan_to_num(uv), np.ones((height, width), bool))


def both_grey(first_rgb: Image, second_rgb: Image) -> tuple[Grey, Grey]:
    """Return both pictures in grey, continued at right and bottom to the least size; raises ValueError."""
    if first_rgb.shape != second_rgb.shape or first_rgb.ndim != 3:
        raise ValueError(f"expected two pictures of one size, got {first_rgb.shape} and {second_rgb.shape}")
    return to_grey(first_rgb), to_grey(second_rgb)


def to_grey(rgb: Image) -> Grey:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    right, bottom = max(LEAST_SIDE_PX - width, 0), max(LEAST_SIDE_PX - height, 0)
    if right or bottom:
        grey = cv2.copyMakeBorder(grey, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
    return np.asarray(grey, np.uint8)
