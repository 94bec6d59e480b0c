# SPDX-License-Identifier: Apache-2.0
"""A steady preview: each picture is shifted, turned and zoomed so that the camera seems to move smoothly.

Causal: a picture depends on itself and earlier ones, nothing is delayed. The path of the camera (x, y, turn, log of
the zoom) is smoothed by the fading-memory filter of first degree (Morrison, "Introduction to Sequential Smoothing and
Prediction", 1969; Brookner, "Tracking and Kalman Filtering Made Easy", 1998, section 1.2.6). With t = exp(-dt / T) and
residual r of a component, position += (1 - t^2) r and velocity += (1 - t)^2 / dt r. It has a velocity, so a steady pan
is followed with no lag in the long run, where simple exponential smoothing would trail behind and lean on the margin.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.camera_motion import CameraMotion, CornerCamera
from models.results import Float32, Image
from models.similarity import Affine, inverse, moved_points, scale_of, then, to_pixel_index, turn_about, turn_of

LONGEST_GAP_S = 0.5
"""After a longer pause between two pictures nothing is known of the path."""
THUMBNAIL_WH = (16, 12)
CUT_GREY_LEVELS = 20.0
"""Mean difference of two thumbnails from here on is a cut, if no motion explains it either."""
N_HALVINGS = 10


@dataclass(frozen=True, eq=False)
class Stabilised:
    """A steadied picture; `matrix` takes px of the picture given to px of this one (for boxes: `moved_boxes`)."""

    image: Image  # (H, W, 3), as large as the picture given
    matrix: Affine  # (2, 3) float64
    camera: CameraMotion  # from the picture before to the one given
    is_restart: bool  # first picture, cut, pause or new size: the path begins here


class Stabiliser:
    """Steadies one stream of pictures. One thread at a time."""

    def __init__(self, smoothing_s: float = 1.0, margin: float = 0.1) -> None:
        """`smoothing_s`: longer = steadier and slower to follow; `margin`: part of each side to move in, 0..0.4."""
        if not smoothing_s > 0 or not 0 <= margin <= 0.4:
            raise ValueError(f"expected smoothing_s above 0 and a margin of 0 to 0.4, got {smoothing_s} and {margin}")
        self._smoothing_s, self._zoom = smoothing_s, 1 / (1 - 2 * margin)
        self._camera = CornerCamera()
        self._thumbnail: NDArray[np.float32] | None = None
        self._size_wh = (0, 0)
        self._t_ns = 0
        # Smoothed path minus path of the camera, and the speed of the smoothed path: x, y in px, rad, log of the zoom.
        self._offset = np.zeros(4)
        self._speed = np.zeros(4)

    def __call__(self, image: Image, t_ns: int, objects_xyxy: Float32 | None = None) -> Stabilised:
        """Return the picture shown at `t_ns`, steadied.

        `objects_xyxy` (N, 4) px: boxes of what moved by itself in the picture before, which then cannot be mistaken
        for the camera.
        """
        dt_s, self._t_ns = (t_ns - self._t_ns) * 1e-9, t_ns
        size_wh, self._size_wh = self._size_wh, (image.shape[1], image.shape[0])
        camera = self._camera(image, objects_xyxy)
        is_restart = self._is_cut(image, camera) or size_wh != self._size_wh or not 0 <= dt_s <= LONGEST_GAP_S
        if is_restart:
            self._offset, self._speed, camera = np.zeros(4), np.zeros(4), CameraMotion()
        else:
            self._follow(moved_by(camera.matrix, self._size_wh), dt_s)
        self._keep_inside()
        matrix = self._matrix(self._offset)
        steady = cv2.warpAffine(image, to_pixel_index(matrix), self._size_wh, borderMode=cv2.BORDER_REPLICATE)
        return Stabilised(np.asarray(steady, np.uint8), matrix, camera, is_restart)

    def _is_cut(self, image: Image, camera: CameraMotion) -> bool:
        """Whether this picture has nothing to do with the one before; keeps it to compare the next one with."""
        small = cv2.resize(image, THUMBNAIL_WH, interpolation=cv2.INTER_AREA)
        before, self._thumbnail = self._thumbnail, np.asarray(small, np.float32)
        if before is None:
            return True
        return not camera.is_known and float(np.abs(self._thumbnail - before).mean()) > CUT_GREY_LEVELS

    def _follow(self, moved: NDArray[np.float64], dt_s: float) -> None:
        """Move the camera's path on by `moved` and let the smoothed one follow."""
        self._offset = self._offset + self._speed * dt_s - moved
        if dt_s > 0:
            kept = math.exp(-dt_s / self._smoothing_s)
            residual = -self._offset
            self._offset = self._offset + (1 - kept**2) * residual
            self._speed = self._speed + (1 - kept) ** 2 / dt_s * residual

    def _keep_inside(self) -> None:
        """Shorten the offset until nothing beyond the picture's edge would be seen."""
        if self._shows_inside(1.0):
            return
        low, high = 0.0, 1.0
        for _ in range(N_HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if self._shows_inside(middle) else (low, middle)
        self._offset = low * self._offset

    def _shows_inside(self, part: float) -> bool:
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * self._size_wh
        seen = moved_points(inverse(self._matrix(part * self._offset)), corners)
        slack_px = 1e-6
        return bool((seen >= -slack_px).all() and (seen <= np.array(self._size_wh) + slack_px).all())

    def _matrix(self, offset: NDArray[np.float64]) -> Affine:
        """Return the map for one offset of the smoothed path from the camera's, with the zoom that hides the edges."""
        middle = (self._size_wh[0] / 2, self._size_wh[1] / 2)
        x, y, turn_rad, log_scale = offset.tolist()
        steadied = turn_about(middle, (x, y), turn_rad, math.exp(log_scale))
        return then(steadied, turn_about(middle, (0, 0), scale=self._zoom))


def moved_by(matrix: Affine, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Return what a map does at the picture's middle: x, y in px, turn in rad, log of the zoom (4,)."""
    middle = np.array(size_wh) / 2
    shift = moved_points(matrix, middle[None])[0] - middle
    return np.array([*shift, turn_of(matrix), math.log(scale_of(matrix))])
