# SPDX-License-Identifier: Apache-2.0
"""Motion of the camera between two pictures: the shift, turn and zoom that most of the still things follow.

Found from corners (Lucas-Kanade there and back) or from a dense flow, by RANSAC (Fischler & Bolles 1981) over
similarities, as BoT-SORT does it (Aharon, Orfaig & Bobrovsky, "BoT-SORT: Robust Associations Multi-Pedestrian
Tracking", 2022, arXiv:2206.14651, section 3.2). Where too little of the picture agrees, the answer is "not known" and
the map is the identity. OpenCV's RANSAC starts from a fixed seed, so the same pictures give the same map.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from device.array import expect_array
from models.classical_flow import Grey, follow_corners, to_grey
from models.results import Float32, Flow, Image
from models.similarity import Affine, identity, moved_points, scale_of

WORK_WIDTH_PX = 320
"""Wider pictures are followed at this width: a quarter of the time at 640, and the fit averages the error away."""
TOLERANCE_SHARE = 0.003
"""A point supports a map that misses it by at most this part of the picture's width: 1 px at the working width."""
LEAST_TOLERANCE_PX = 0.5
LEAST_POINTS = 12
LEAST_SUPPORT_SHARE = 0.3
"""Of the points: two surfaces that move differently leave less than this for either, or it is noise."""
N_CELLS, LEAST_CELLS = 4, 4
"""Support must lie in 4 of the picture's 4x4 cells: what moves in one place only is an object, not the camera."""
MOST_SCALE = 1.5
"""Between two frames no lens zooms further; such a map comes from mismatches."""
STILL_SHARE = 0.0005
"""Of the picture's width. What is found before a camera that stands still (TUD-Stadtmitte, 640 px wide) moves a corner
by 0.27 px at most, 0.07 px in the median."""
RANSAC_ROUNDS, RANSAC_CONFIDENCE = 500, 0.995
N_FLOW_POINTS = 1500


@dataclass(frozen=True, eq=False)
class CameraMotion:
    """How the picture moved: `matrix` takes px of the first picture to px of the second one."""

    matrix: Affine = field(default_factory=identity)  # (2, 3) float64
    n_points: int = 0  # that were followed outside the objects
    n_support: int = 0  # of these, that move as `matrix` says

    def __post_init__(self) -> None:
        expect_array("CameraMotion.matrix", self.matrix, (2, 3), "float64")

    @property
    def is_known(self) -> bool:
        """Whether enough of the picture agreed; else `matrix` is the identity."""
        return self.n_support > 0

    def beyond_noise(self, size_wh: tuple[int, int]) -> Affine:
        """Return `matrix`, or the identity where it moves no corner of the picture by more than STILL_SHARE.

        For a tracker: before a camera that stands still it then gives what it gives without any camera motion.
        """
        corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1]]) * size_wh
        farthest_px = np.linalg.norm(moved_points(self.matrix, corners) - corners, axis=1).max()
        return self.matrix if farthest_px > STILL_SHARE * size_wh[0] else identity()


class CornerCamera:
    """Camera motion from picture to picture, by corners. Keeps the last picture (small, grey); one thread at a time."""

    def __init__(self) -> None:
        self._last: Grey | None = None
        self._size_wh = (0, 0)

    def __call__(self, image: Image, objects_xyxy: Float32 | None = None) -> CameraMotion:
        """Return the motion from the picture given before to `image`; not known for the first one or a new size.

        `objects_xyxy` (N, 4) px are boxes in the picture before of what moves by itself: nothing in them counts.
        """
        last, size_wh = self._last, self._size_wh
        self._last, self._size_wh = small_grey(image), (image.shape[1], image.shape[0])
        if last is None or size_wh != self._size_wh:
            return CameraMotion()
        return motion_of_greys(last, self._last, size_wh, objects_xyxy)

    def forget(self) -> None:
        """Begin anew with the next picture."""
        self._last = None


def motion_between(first_rgb: Image, second_rgb: Image, objects_xyxy: Float32 | None = None) -> CameraMotion:
    """Return the motion between two pictures, by corners; raises ValueError for pictures of two sizes."""
    if first_rgb.shape != second_rgb.shape:
        raise ValueError(f"expected two pictures of one size, got {first_rgb.shape} and {second_rgb.shape}")
    size_wh = (first_rgb.shape[1], first_rgb.shape[0])
    return motion_of_greys(small_grey(first_rgb), small_grey(second_rgb), size_wh, objects_xyxy)


def motion_of_greys(
    first: Grey, second: Grey, size_wh: tuple[int, int], objects_xyxy: Float32 | None = None
) -> CameraMotion:
    """Return the motion, in px of pictures of `size_wh`, of what `small_grey` made of them."""
    start, end = follow_corners(first, second)
    px = size_wh[0] / min(size_wh[0], WORK_WIDTH_PX)
    start, end = (start + np.float32(0.5)) * np.float32(px), (end + np.float32(0.5)) * np.float32(px)
    return motion_of_points(start, end, size_wh, objects_xyxy)


def motion_of_flow(flow: Flow, size_wh: tuple[int, int], objects_xyxy: Float32 | None = None) -> CameraMotion:
    """Return the motion that a dense flow shows.

    The field may be coarser than the picture of `size_wh` (one vector for a block of it); its vectors are px of the
    picture. Vectors that are not valid or not finite do not count.
    """
    height, width = flow.valid.shape
    if not height or not width:
        return CameraMotion()
    step = max(1, int(np.sqrt(height * width / N_FLOW_POINTS)))
    y, x = np.mgrid[step // 2 : height : step, step // 2 : width : step]
    uv = flow.uv[y, x].reshape(-1, 2)
    known = flow.valid[y, x].reshape(-1) & np.isfinite(uv).all(axis=1)
    block_px = np.array([size_wh[0] / width, size_wh[1] / height])
    start = ((np.stack([x, y], axis=-1).reshape(-1, 2) + 0.5) * block_px).astype(np.float32)
    return motion_of_points(start[known], (start + uv)[known], size_wh, objects_xyxy)


def motion_of_points(
    start: Float32, end: Float32, size_wh: tuple[int, int], objects_xyxy: Float32 | None = None
) -> CameraMotion:
    """Return the similarity that most of the points (N, 2) px follow, those that start in a box left out."""
    if objects_xyxy is not None and len(objects_xyxy) and len(start):
        free = ~is_inside(start, objects_xyxy)
        start, end = start[free], end[free]
    n = len(start)
    if n < LEAST_POINTS:
        return CameraMotion(n_points=n)
    tolerance_px = max(LEAST_TOLERANCE_PX, TOLERANCE_SHARE * size_wh[0])
    found, agrees = cv2.estimateAffinePartial2D(
        start,
        end,
        method=cv2.RANSAC,
        ransacReprojThreshold=tolerance_px,
        maxIters=RANSAC_ROUNDS,
        confidence=RANSAC_CONFIDENCE,
    )
    # OpenCV gives None where no two points make a map; its types do not say so.
    if found is None or not np.isfinite(found).all():
        return CameraMotion(n_points=n)
    matrix, support = np.asarray(found, np.float64), np.asarray(agrees).reshape(-1) > 0
    n_support = int(support.sum())
    is_backed = n_support >= max(LEAST_POINTS, LEAST_SUPPORT_SHARE * n)
    if not is_backed or n_cells(start[support], size_wh) < LEAST_CELLS:
        return CameraMotion(n_points=n)
    if not 1 / MOST_SCALE < scale_of(matrix) < MOST_SCALE:
        return CameraMotion(n_points=n)
    return CameraMotion(matrix, n, n_support)


def is_inside(xy: Float32, xyxy: Float32) -> NDArray[np.bool_]:
    """Return which points (N, 2) lie in any of the boxes (M, 4)."""
    inside = (xyxy[:, None, :2] <= xy) & (xy < xyxy[:, None, 2:])
    return np.asarray(inside.all(axis=2).any(axis=0), np.bool_)


def n_cells(xy: Float32, size_wh: tuple[int, int]) -> int:
    """Return in how many of the picture's N_CELLS x N_CELLS cells there are points."""
    cell = np.clip(np.floor(xy * N_CELLS / np.array(size_wh)), 0, N_CELLS - 1).astype(int)
    return len(np.unique(cell[:, 1] * N_CELLS + cell[:, 0]))


def small_grey(rgb: Image) -> Grey:
    """Return the picture in grey, at most WORK_WIDTH_PX wide."""
    height, width = rgb.shape[:2]
    if width > WORK_WIDTH_PX:
        small_wh = (WORK_WIDTH_PX, max(1, round(height * WORK_WIDTH_PX / width)))
        rgb = np.asarray(cv2.resize(rgb, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
    return to_grey(rgb)
