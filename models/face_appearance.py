# SPDX-License-Identifier: Apache-2.0
"""What a face looks like, as a vector: patterns of its grey levels cell by cell, so that two pictures can be compared.

Ahonen, Hadid, Pietikainen, "Face Description with Local Binary Patterns", IEEE PAMI 28(12), 2006: each pixel is coded
by which of its eight neighbours are not darker, the uniform codes are counted in a grid of cells. Counts are replaced
by square roots, so that the scalar product of two vectors is the mean Bhattacharyya coefficient of their cells. No
network and no learned weights beside the detector that finds face and eyes. It tells people of one recording apart,
which is what a tracker asks; over years, cameras and light it does not (figures: `app.evaluate.face_pairs`).
"""

from __future__ import annotations

import math
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.geometry import crop_square
from models.results import Detections, Float32, Image

SIZE = 48
"""Px a side that every face is scaled to."""
N_CELLS = 6
N_CODES = 59
"""The 58 codes of eight neighbours whose ring changes at most twice, and one for all others."""
N_DIMENSIONS = N_CELLS * N_CELLS * N_CODES
"""Length of a vector."""
SIDE_IN_EYES, SIDE_IN_HEIGHTS = 2.6, 2.4
"""Side of the face's square in distances between the eyes, or from the eyes to the mouth: the larger, because a head
that turns brings the eyes together."""
MOUTH_SHARE = 0.4
"""Where its middle lies on the way from the eyes to the mouth."""
LEAST_SIDE_PX = 36.0
"""Of that square: enlarged more than a third, a face has no patterns of its own."""
LEAST_SCORE = 0.75
"""Of a face: below, the short range network takes hands and backs of heads for faces (app.tasks.faces)."""
HEAD_SIDE = 1.2
"""Side of the square in which a face is looked for, in widths of the person, at the upper edge of the box."""
HEAD_ABOVE = 0.1
"""How much of that square lies above the box."""

RIGHT_EYE, LEFT_EYE, MOUTH, N_POINTS = 0, 1, 3, 6  # points of BlazeFace, the person's own right and left


class FaceSearch(Protocol):
    """Finds faces in a square of a picture: `models.blazeface.FaceDetector`."""

    def in_square(self, image: Image, centre_xy: tuple[float, float], side: float) -> Detections:
        """Return the faces there, in px of `image`, with the six points of BlazeFace."""


class FacePatterns:
    """The embedder: see `__call__`. One thread at a time, as its detector."""

    def __init__(self, detector: FaceSearch) -> None:
        self._detector = detector

    def __call__(self, image: Image, xyxy: Float32) -> Float32:
        """Return a vector (N, 2124) of length 1 for the face of each person's box (N, 4) px of `image` (H, W, 3).

        No value is below 0. Zeros where no face is seen well enough, or the box has no area or is not finite.
        """
        vectors = np.zeros((len(xyxy), N_DIMENSIONS), np.float32)
        for k, box in enumerate(np.asarray(xyxy, np.float64)):
            face = self.face_of(image, box)
            if face is not None:
                vectors[k] = described(face)
        return vectors

    def face_of(self, image: Image, box: NDArray[np.float64]) -> Image | None:
        """Return the face (48, 48, 3) of a person's box (4,) px, upright; None where there is none to be seen."""
        faces = self.search(image, box)
        if not len(faces):
            return None
        return upright(image, faces.points[int((faces.xyxy[:, 2] - faces.xyxy[:, 0]).argmax())])

    def search(self, image: Image, box: NDArray[np.float64]) -> Detections:
        """Return the faces at the top of a person's box (4,) px, px of `image`."""
        width, height = box[2:] - box[:2]
        if not (np.isfinite(box).all() and min(width, height) > 0.0) or max(width, height) < LEAST_SIDE_PX:
            return Detections.empty(N_POINTS)
        side = HEAD_SIDE * width
        centre = (float(box[0] + box[2]) / 2, float(box[1] + (0.5 - HEAD_ABOVE) * side))
        faces = self._detector.in_square(image, centre, float(side))
        return faces.take(faces.score >= LEAST_SCORE)


def upright(image: Image, points: Float32) -> Image | None:
    """Return the face (48, 48, 3) with the points (6, 2) px of BlazeFace, upright; None where it is too small."""
    across = np.asarray(points[LEFT_EYE] - points[RIGHT_EYE], np.float64)
    eyes = np.asarray(points[RIGHT_EYE] + points[LEFT_EYE], np.float64) / 2
    down = np.asarray(points[MOUTH], np.float64) - eyes
    side = max(SIDE_IN_EYES * math.hypot(*across), SIDE_IN_HEIGHTS * math.hypot(*down))
    if not LEAST_SIDE_PX <= side < math.inf:
        return None
    x, y = (eyes + MOUTH_SHARE * down).tolist()
    return crop_square(image, (x, y), side, SIZE, math.atan2(across[1], across[0]))


def described(face: Image) -> Float32:
    """Return the vector (2124,) of a face (48, 48, 3)."""
    grey = np.asarray(cv2.cvtColor(face, cv2.COLOR_RGB2GRAY), np.uint8)
    bins: NDArray[np.intp] = CELL * N_CODES + UNIFORM[codes(grey).ravel()]
    counts = np.bincount(bins, minlength=N_DIMENSIONS)
    vector = np.sqrt(counts / counts.sum())
    return np.asarray(vector, np.float32)


def codes(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the code (H - 2, W - 2) of each pixel of (H, W) with eight neighbours: a bit for each not darker."""
    height, width = grey.shape
    middle, out = grey[1:-1, 1:-1], np.zeros((height - 2, width - 2), np.uint8)
    for bit, (down, right) in enumerate(RING):
        is_set = grey[1 + down : height - 1 + down, 1 + right : width - 1 + right] >= middle
        out |= is_set.astype(np.uint8) << np.uint8(bit)
    return out


def uniform_codes() -> NDArray[np.intp]:
    """Return the number (256,) of each code: those with at most two changes around the ring count from 0."""
    ring = (np.arange(256)[:, None] >> np.arange(8)) & 1
    n_changes = (ring != np.roll(ring, 1, axis=1)).sum(axis=1)
    numbers = np.full(256, N_CODES - 1, np.intp)
    numbers[n_changes <= 2] = np.arange(N_CODES - 1)
    return numbers


def cells() -> NDArray[np.intp]:
    """Return the cell of each coded pixel, row by row."""
    place = np.arange(SIZE - 2) * N_CELLS // (SIZE - 2)
    return (place[:, None] * N_CELLS + place[None]).ravel()


RING = ((-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1))
"""The neighbours in turn, (down, right)."""
UNIFORM = uniform_codes()
CELL = cells()
