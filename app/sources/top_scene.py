# SPDX-License-Identifier: Apache-2.0
"""The synthetic room from its ceiling: people as stacks of discs, seen by a camera that looks straight down.

A pinhole of focal length f at height h sees the floor point (x, y) metres from below it, z above the floor, at
f (x, y) / (h - z) px from the middle of its picture: so people lean outwards along the radii, head first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.frame import Truth
from app.sources.top_walk import N_WALKERS, Colour, Step, Walker, walker_at
from models.results import Image

CAMERA_M = 3.2
FOCAL = 0.45
"""Of the picture's width."""
MIN_VISIBLE = 0.5
"""Share of a person that must be inside the picture and not hidden to be in the truth."""
FLOOR = (150, 140, 128)
GRAIN_SIGMA = 6.0
SHOE: Colour = (25, 25, 25)
SPARE = 0.5
"""Of the picture's larger side: so far people are drawn beyond its edges, to know how much of them is inside."""
SHIFT = 4  # cv2 takes coordinates in sixteenths of a px


@dataclass(frozen=True)
class Disc:
    """A level ellipse of a person, metres; the first half axis points where he faces."""

    x: float
    y: float
    z: float
    ahead: float
    aside: float
    colour: Colour


class TopScene:
    """Draws the room of one seed at one size; holds nothing that a picture changes."""

    def __init__(self, seed: int, size_wh: tuple[int, int]) -> None:
        self.seed, self.size_wh = seed, size_wh
        self._focal_px = FOCAL * size_wh[0]
        self._spare = math.ceil(SPARE * max(size_wh))
        rng = np.random.default_rng([seed, 6])
        grain = rng.normal(0, GRAIN_SIGMA, (size_wh[1], size_wh[0], 1))
        self._floor = np.clip(np.array(FLOOR) + grain, 0, 255).astype(np.uint8)

    def snapshot(self, time_s: float) -> tuple[Image, Truth]:
        """Return the picture `time_s` after the start, and everybody of whom at least half can be seen.

        Truth.xyxy bounds the whole person, also what is hidden or beyond the picture.
        """
        image = self._floor.copy()
        label = np.zeros(image.shape[:2], np.uint8)
        walkers = [walker_at(self.seed, slot, time_s) for slot in range(N_WALKERS)]
        steps = [walker.step(time_s) for walker in walkers]
        # Who is nearer to the point below the camera hides who is behind him.
        order = sorted(range(N_WALKERS), key=lambda k: -math.hypot(steps[k].x_m, steps[k].y_m))
        drawn: dict[int, tuple[float, NDArray[np.float32]]] = {}
        for k in order:
            found = self._draw(image, label, 1 + k, discs_of(walkers[k], steps[k]), steps[k].facing_rad)
            if found is not None:
                drawn[k] = found
        area = np.bincount(label.ravel(), minlength=N_WALKERS + 1)
        seen = [k for k in sorted(drawn) if area[1 + k] >= MIN_VISIBLE * drawn[k][0]]
        track_id = np.array([walkers[k].track_id for k in seen], np.int64)
        return image, Truth(track_id, np.array([drawn[k][1] for k in seen], np.float32).reshape(-1, 4), of_people=True)

    def _draw(
        self, image: Image, label: NDArray[np.uint8], number: int, discs: list[Disc], facing_rad: float
    ) -> tuple[float, NDArray[np.float32]] | None:
        """Draw one person and `number` into `label`; return his whole area in px and his box, None = out of sight."""
        height, width = label.shape
        ellipses = [self._ellipse(disc) for disc in discs]
        outer = np.array([[x - r, y - r, x + r, y + r] for x, y, a, b in ellipses for r in (max(a, b),)])
        low, high = outer[:, :2].min(axis=0), outer[:, 2:].max(axis=0)
        if (high < 0).any() or (low > (width, height)).any() or (low < -self._spare).any():
            return None
        if (high > (width + self._spare, height + self._spare)).any():
            return None
        left, top = (math.floor(at) - 2 for at in low)
        mask = np.zeros((math.ceil(high[1]) + 2 - top, math.ceil(high[0]) + 2 - left), np.uint8)
        degrees = math.degrees(facing_rad)
        for disc, (x, y, ahead, aside) in zip(discs, ellipses, strict=True):
            half = fixed(ahead), fixed(aside)
            cv2.ellipse(image, (fixed(x), fixed(y)), half, degrees, 0, 360, disc.colour, -1, cv2.LINE_AA, SHIFT)
            cv2.ellipse(mask, (fixed(x - left), fixed(y - top)), half, degrees, 0, 360, 255, -1, cv2.LINE_8, SHIFT)
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + mask.shape[1], width), min(top + mask.shape[0], height)
        if x0 < x1 and y0 < y1:
            label[y0:y1, x0:x1][mask[y0 - top : y1 - top, x0 - left : x1 - left] > 0] = number
        box = [left + columns[0], top + rows[0], left + columns[-1] + 1, top + rows[-1] + 1]
        return float(np.count_nonzero(mask)), np.array(box, np.float32)

    def _ellipse(self, disc: Disc) -> tuple[float, float, float, float]:
        """Return the middle of a disc and its half axes in px, pixel centres at whole numbers."""
        scale = self._focal_px / (CAMERA_M - disc.z)
        x, y = self.size_wh[0] / 2 + disc.x * scale - 0.5, self.size_wh[1] / 2 + disc.y * scale - 0.5
        return x, y, disc.ahead * scale, disc.aside * scale


def fixed(px: float) -> int:
    return round(px * (1 << SHIFT))


def discs_of(walker: Walker, step: Step) -> list[Disc]:
    """Return the discs of a person, from the floor up."""
    k = walker.height_m / 1.76
    cos, sin = math.cos(step.facing_rad), math.sin(step.facing_rad)

    def disc(ahead_m: float, aside_m: float, z: float, ahead: float, aside: float, colour: Colour) -> Disc:
        x, y = step.x_m + cos * ahead_m - sin * aside_m, step.y_m + sin * ahead_m + cos * aside_m
        return Disc(x, y, z * k, ahead, aside, colour)

    discs = []
    for side in (-1, 1):
        stride = 0.2 * step.swing * side
        discs.append(disc(stride + 0.05, 0.1 * side, 0.03, 0.13, 0.05, SHOE))
        discs += [
            disc(stride * (1 - z / 0.85), 0.1 * side, z, 0.09, 0.075, walker.trousers)
            for z in np.arange(0.06, 0.85, 0.03)
        ]
    sleeve = shaded(walker.shirt, 0.85)
    for side in (-1, 1):
        reach = -0.25 * step.swing * side
        discs += [
            disc(reach * (1.35 - z), 0.24 * side, z, 0.055, 0.05, sleeve if z > 0.95 else walker.skin)
            for z in np.arange(0.8, 1.35, 0.03)
        ]
    for z in np.arange(0.8, 1.45, 0.03):
        slope = 1.0 if z < 1.3 else 1 - 2 * (z - 1.3)
        shirt = shaded(walker.shirt, 0.8 + 0.2 * (z - 0.8) / 0.65)
        discs.append(disc(0, 0, z, 0.13 * slope, (0.17 + 0.12 * (z - 0.8)) * slope, shirt))
    discs += [disc(0, 0, z, 0.06, 0.06, walker.skin) for z in (1.45, 1.48, 1.51)]
    for z in np.arange(1.52, 1.78, 0.02):
        round_ = math.sqrt(max(0.0, 1 - ((z - 1.64) / 0.14) ** 2))
        discs.append(disc(0, 0, z, 0.105 * round_, 0.085 * round_, walker.skin if z < 1.6 else walker.hair))
        if 1.54 < z < 1.68:  # the face, under the hair
            discs.append(disc(0.06 * round_, 0, z, 0.05 * round_, 0.06 * round_, walker.skin))
    return discs


def shaded(colour: Colour, share: float) -> Colour:
    red, green, blue = (int(level * share) for level in colour)
    return red, green, blue
