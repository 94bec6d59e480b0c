# SPDX-License-Identifier: Apache-2.0
"""Another picture of the same scene: without the bend of a fisheye lens, turned, and cut to a region.

Points are px of a picture, continuous: pixel (i, j) covers i to i + 1, its centre is at i + 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from device.errors import AppError
from models.results import Image

Points = NDArray[np.float64]
LEAST_FOCAL, MOST_FOCAL = 0.05, 10.0
"""Widths of the picture: no lens is beyond."""
QUARTER_DEG = 90.0
ROWS_AT_ONCE = 256
"""Of the map of a large picture: what is computed for it in between stays small."""


class GeometryError(AppError):
    """A rotation, lens or region that cannot be: names the value and what is allowed."""


@dataclass(frozen=True)
class Fisheye:
    """An equidistant lens, r = f theta (Kannala and Brandt, "A Generic Camera Model...", PAMI 2006, equation 2).

    What is seen at the angle theta from the axis is at r = f theta px from the centre, in a plain picture of the same
    scale in the middle at r = f tan(theta). Raises GeometryError.
    """

    focal: float  # f, in widths of the picture
    centre: tuple[float, float] = (0.5, 0.5)  # x, y of the axis, in shares of width and height

    def __post_init__(self) -> None:
        if not LEAST_FOCAL <= self.focal <= MOST_FOCAL:
            raise GeometryError(
                f"--fisheye: the focal length is {self.focal:g}, expected {LEAST_FOCAL} to {MOST_FOCAL} widths of the "
                "picture; half the width of the picture circle over the angle it shows, in rad, is a good guess"
            )
        if not all(0.0 <= at <= 1.0 for at in self.centre):
            raise GeometryError(f"--fisheye: the centre is {self.centre}, expected shares from 0 to 1; correct it")


@dataclass(frozen=True)
class Geometry:
    """What is done to a picture, in this order: the lens, the turn, the cut. Raises GeometryError."""

    rotate_deg: float = 0.0  # clockwise as seen; the turned picture is large enough to lose nothing
    fisheye: Fisheye | None = None
    roi: tuple[float, float, float, float] | None = None  # left, top, width, height in shares of the turned picture

    def __post_init__(self) -> None:
        if not -360.0 <= self.rotate_deg <= 360.0:
            raise GeometryError(f"--rotate: {self.rotate_deg:g} is no turn, expected -360 to 360 degrees; correct it")
        if self.roi is not None:
            x, y, width, height = self.roi
            is_inside = x >= 0 and y >= 0 and x + width <= 1 + 1e-9 and y + height <= 1 + 1e-9
            if not (is_inside and width > 0 and height > 0):
                raise GeometryError(
                    f"--roi: {x:g},{y:g},{width:g},{height:g} is no part of the picture, expected left, top, width and "
                    "height in shares of it, from 0 to 1; correct it"
                )

    @property
    def is_plain(self) -> bool:
        """Whether the picture stays as it is."""
        return self.rotate_deg % 360.0 == 0.0 and self.fisheye is None and self.roi in (None, (0.0, 0.0, 1.0, 1.0))

    @staticmethod
    def parsed(rotate_deg: float, fisheye: str, roi: str) -> Geometry:
        """Return the geometry of settings: "F" or "F,CX,CY", and "X,Y,W,H", "" = none. Raises GeometryError."""
        lens, part = numbers("--fisheye", fisheye, (1, 3)), numbers("--roi", roi, (4,))
        centre = (lens[1], lens[2]) if len(lens) > 1 else (0.5, 0.5)
        return Geometry(
            rotate_deg,
            Fisheye(lens[0], centre) if lens else None,
            (part[0], part[1], part[2], part[3]) if part else None,
        )


def numbers(flag: str, text: str, counts: tuple[int, ...]) -> tuple[float, ...]:
    """Return the numbers of `text`, as many as one of `counts`, none for ""; raises GeometryError."""
    if not text:
        return ()
    try:
        found = tuple(float(part) for part in text.split(","))
    except ValueError:
        found = ()
    if len(found) not in counts or not all(math.isfinite(number) for number in found):
        wanted = " or ".join(str(count) for count in counts)
        raise GeometryError(f"{flag}: expected {wanted} numbers with commas between them, got {text!r}; correct it")
    return found


class PictureGeometry:
    """A geometry at work. What depends on the size of the pictures is kept until that changes; one thread at a time."""

    def __init__(self, geometry: Geometry) -> None:
        self.geometry = geometry
        self._maps: tuple[NDArray[np.int16], NDArray[np.uint16]] | None = None
        self._maps_of = (0, 0)

    def __call__(self, image: Image) -> Image:
        """Return the picture (H, W, 3) RGB changed; black where nothing was seen."""
        height, width = image.shape[:2]
        size_wh = (width, height)
        left, top, right, bottom = self._cut(size_wh)
        if self.geometry.fisheye is not None:
            first, second = self._remap(size_wh)
            return np.asarray(cv2.remap(image, first, second, cv2.INTER_LINEAR), np.uint8)
        if self._n_quarters is not None:
            turned = np.rot90(image, -self._n_quarters)
            return np.ascontiguousarray(turned[top:bottom, left:right])
        # Pixel centres are at whole numbers for the warp, at halves here.
        ends = self.to_source(np.array([[0.5, 0.5], [1.5, 0.5], [0.5, 1.5]]), size_wh) - 0.5
        matrix = np.column_stack([ends[1] - ends[0], ends[2] - ends[0], ends[0]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        return np.asarray(cv2.warpAffine(image, matrix, (right - left, bottom - top), flags=flags), np.uint8)

    def size_wh(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        """Return the size of the picture made of one of `size_wh` px."""
        left, top, right, bottom = self._cut(size_wh)
        return right - left, bottom - top

    def to_source(self, xy: Points, size_wh: tuple[int, int]) -> Points:
        """Return where points (..., 2) of the changed picture were in the picture of `size_wh` px it was made of."""
        left, top, _, _ = self._cut(size_wh)
        middle, turned_middle = np.array(size_wh) / 2, np.array(self._turned_wh(size_wh)) / 2
        turn = self._turn()
        plain = (xy + np.array([left, top]) - turned_middle) @ turn + middle
        return self._bent(plain, size_wh)

    def from_source(self, xy: Points, size_wh: tuple[int, int]) -> Points:
        """Return where points (..., 2) of the picture of `size_wh` px are in the changed one; NaN = beyond the lens."""
        left, top, _, _ = self._cut(size_wh)
        middle, turned_middle = np.array(size_wh) / 2, np.array(self._turned_wh(size_wh)) / 2
        plain = self._unbent(np.asarray(xy, np.float64), size_wh)
        return np.asarray((plain - middle) @ self._turn().T + turned_middle - np.array([left, top]), np.float64)

    @property
    def _n_quarters(self) -> int | None:
        """Quarter turns clockwise, None where it is another turn."""
        n, rest = divmod(self.geometry.rotate_deg, QUARTER_DEG)
        return int(n) % 4 if rest == 0.0 else None

    def _turn(self) -> Points:
        """Return the matrix (2, 2) that turns a column (x right, y down) clockwise."""
        if self._n_quarters is not None:
            cos, sin = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[self._n_quarters]
        else:
            cos = math.cos(math.radians(self.geometry.rotate_deg))
            sin = math.sin(math.radians(self.geometry.rotate_deg))
        return np.array([[cos, -sin], [sin, cos]])

    def _turned_wh(self, size_wh: tuple[int, int]) -> tuple[int, int]:
        width, height = np.abs(self._turn()) @ np.array(size_wh, np.float64)
        return math.ceil(width - 1e-6), math.ceil(height - 1e-6)

    def _cut(self, size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
        """Return left, top, right and bottom px of the turned picture, at least one pixel."""
        width, height = self._turned_wh(size_wh)
        x, y, w, h = self.geometry.roi or (0.0, 0.0, 1.0, 1.0)
        left, top = min(round(x * width), width - 1), min(round(y * height), height - 1)
        right, bottom = max(min(round((x + w) * width), width), left + 1), min(round((y + h) * height), height)
        return left, top, right, max(bottom, top + 1)

    def _bent(self, plain: Points, size_wh: tuple[int, int]) -> Points:
        """Return where points of the picture without the lens' bend are in the one with it."""
        lens = self.geometry.fisheye
        if lens is None:
            return plain
        focal_px, centre = lens.focal * size_wh[0], np.array(lens.centre) * np.array(size_wh)
        away = plain - centre
        radius = np.hypot(away[..., 0], away[..., 1]) / focal_px
        ratio = np.where(radius > 1e-9, np.arctan(radius) / np.maximum(radius, 1e-9), 1.0)
        return np.asarray(centre + away * ratio[..., None], np.float64)

    def _unbent(self, bent: Points, size_wh: tuple[int, int]) -> Points:
        lens = self.geometry.fisheye
        if lens is None:
            return bent
        focal_px, centre = lens.focal * size_wh[0], np.array(lens.centre) * np.array(size_wh)
        away = bent - centre
        theta = np.hypot(away[..., 0], away[..., 1]) / focal_px
        tangent = np.where(theta < math.pi / 2 - 1e-6, np.tan(np.minimum(theta, math.pi / 2 - 1e-6)), np.nan)
        ratio = np.where(theta > 1e-9, tangent / np.maximum(theta, 1e-9), 1.0)
        return np.asarray(centre + away * ratio[..., None], np.float64)

    def _remap(self, size_wh: tuple[int, int]) -> tuple[NDArray[np.int16], NDArray[np.uint16]]:
        """Return the maps of pictures of `size_wh` px, in the fixed-point form that is the fastest to use."""
        if self._maps is None or self._maps_of != size_wh:
            width, height = self.size_wh(size_wh)
            first, second = np.empty((height, width, 2), np.int16), np.empty((height, width), np.uint16)
            for top in range(0, height, ROWS_AT_ONCE):
                rows = slice(top, min(top + ROWS_AT_ONCE, height))
                y, x = np.mgrid[rows, 0:width] + 0.5
                source = self.to_source(np.stack([x, y], axis=-1), size_wh) - 0.5
                source = np.clip(source, -2.0, np.array(size_wh) + 2.0).astype(
                    np.float32
                )  # for int16, and beyond it black
                x_map, y_map = (np.ascontiguousarray(source[..., k]) for k in (0, 1))
                first[rows], second[rows] = cv2.convertMaps(x_map, y_map, cv2.CV_16SC2)
            self._maps, self._maps_of = (first, second), size_wh
        return self._maps
