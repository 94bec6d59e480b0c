# SPDX-License-Identifier: Apache-2.0
"""Maps of the plane as (2, 3) matrices: x' = A x + t, for shift, turn and zoom of a whole picture.

Points are px, x right, y down, with the first pixel's middle at (0.5, 0.5), as box edges are counted. OpenCV counts
pixel middles from 0; `to_pixel_index` is the one place that knows both. No OpenCV here: boxes are moved without it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from models.results import Float32

Float64 = NDArray[np.float64]
Affine = Float64
"""(2, 3) from px of one picture to px of another."""


def identity() -> Affine:
    """Return the map that moves nothing."""
    return np.eye(2, 3)


def turn_about(
    centre_xy: tuple[float, float], shift_xy: tuple[float, float], turn_rad: float = 0.0, scale: float = 1.0
) -> Affine:
    """Return the map that turns (from x towards y) and scales about `centre_xy` and then shifts by `shift_xy` px."""
    cosine, sine = scale * math.cos(turn_rad), scale * math.sin(turn_rad)
    linear = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array(centre_xy, np.float64)
    return np.column_stack([linear, centre + shift_xy - linear @ centre])


def then(first: Affine, second: Affine) -> Affine:
    """Return the map that does `first` and then `second`."""
    linear = second[:, :2] @ first[:, :2]
    return np.column_stack([linear, second[:, :2] @ first[:, 2] + second[:, 2]])


def inverse(matrix: Affine) -> Affine:
    """Return the map back; raises numpy's LinAlgError where `matrix` flattens the plane."""
    linear = np.linalg.inv(matrix[:, :2])
    return np.column_stack([linear, -linear @ matrix[:, 2]])


def scale_of(matrix: Affine) -> float:
    """Return by how much lengths grow: the square root of the determinant, which is above 0 for any similarity."""
    return math.sqrt(abs(float(np.linalg.det(matrix[:, :2]))))


def turn_of(matrix: Affine) -> float:
    """Return the turn in rad, from x towards y, -pi..pi."""
    return math.atan2(matrix[1, 0] - matrix[0, 1], matrix[0, 0] + matrix[1, 1])


def moved_points(matrix: Affine, xy: Float32 | Float64) -> Float64:
    """Return the points (N, 2) px where the map takes them."""
    return np.asarray(xy, np.float64) @ matrix[:, :2].T + matrix[:, 2]


def moved_boxes(matrix: Affine, xyxy: Float32) -> Float32:
    """Return upright boxes (N, 4) px: the middle goes where the map takes it, the sides grow by its scale.

    The bounds of the four moved corners would grow with every turn, to and fro, though what they hold does not.
    """
    low, high = xyxy[:, :2].astype(np.float64), xyxy[:, 2:].astype(np.float64)
    middle, half = moved_points(matrix, (low + high) / 2), (high - low) / 2 * scale_of(matrix)
    return np.concatenate([middle - half, middle + half], axis=1).astype(np.float32)


def to_pixel_index(matrix: Affine) -> Affine:
    """Return the same map between pixel indices, whose middles are at whole numbers: what OpenCV's warps take."""
    half = np.full(2, 0.5)
    return np.column_stack([matrix[:, :2], matrix[:, :2] @ half + matrix[:, 2] - half])
