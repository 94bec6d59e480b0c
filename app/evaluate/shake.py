# SPDX-License-Identifier: Apache-2.0
"""A shaken camera made from a still one: a smaller window that wanders over the pictures of a sequence or a clip.

SYNTHETIC: only the camera is invented. What the window shows are the real pictures, moved by a known similarity (shift,
turn, zoom about the middle) and cut to WINDOW of the width and height; detections and truth are moved by the same
map. Each of the four components is a sum of sines with seeded frequencies and phases, softly limited so that the
window never leaves the picture. What this leaves out of a real camera: parallax, motion blur, rolling shutter, and a
detector that sees other pictures.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from app.evaluate.motchallenge import MotSequence, Rows
from models.results import Image
from models.similarity import Affine, identity, inverse, moved_points, scale_of, then, to_pixel_index, turn_about

WINDOW = 0.7
"""Part of the picture's width and height that the window shows."""
BAND_HZ = (0.3, 4.0)
"""From the sway of a person who stands to the jolts of one who walks."""
N_SINES = 8
TURN_RAD_A_PX, LOG_ZOOM_A_PX = 0.0015, 0.001
"""So much turn and zoom (RMS) for each px of shake."""
LIMIT = np.array([0.08, 0.08, np.radians(4.0), 0.05])
"""Most shift (share of the picture's width and height), turn and log zoom; at these the window still lies inside."""
LEAST_SEEN = 0.5
"""Boxes with less of their area in the window count neither as truth nor as detections."""


@dataclass(frozen=True)
class Shake:
    """One seeded way to shake: `amplitude_px` is the RMS of the shift along x and y before the soft limit."""

    seed: int
    amplitude_px: float

    def maps(self, n_frames: int, fps: float, size_wh: tuple[int, int]) -> list[Affine]:
        """Return, for each frame, the map from px of the picture to px of the window."""
        width, height = size_wh
        limit = LIMIT * np.array([width, height, 1.0, 1.0])
        rms = self.amplitude_px * np.array([1.0, 1.0, TURN_RAD_A_PX, LOG_ZOOM_A_PX])
        path = limit * np.tanh(rms * self._sway(np.arange(n_frames) / fps) / limit)
        window_wh = window_size(size_wh)
        to_window = np.array([[1.0, 0.0, (window_wh[0] - width) / 2], [0.0, 1.0, (window_wh[1] - height) / 2]])
        middle = (width / 2, height / 2)
        return [
            then(turn_about(middle, (x, y), turn, float(np.exp(zoom))), to_window) for x, y, turn, zoom in path.tolist()
        ]

    def _sway(self, t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return four components (T, 4), each with an RMS of 1 over long times."""
        random = np.random.default_rng([self.seed, 20220614])
        low, high = np.log(BAND_HZ)
        hz = np.exp(random.uniform(low, high, (4, N_SINES)))
        phase = random.uniform(0, 2 * np.pi, (4, N_SINES))
        # Slow sways are wide and quick ones narrow: amplitude falls with the root of the frequency.
        weight = 1 / np.sqrt(hz)
        weight *= np.sqrt(2 / np.square(weight).sum(axis=1, keepdims=True))
        waves = np.sin(2 * np.pi * hz * t_s[:, None, None] + phase)
        return np.asarray((weight * waves).sum(axis=2))


def window_size(size_wh: tuple[int, int]) -> tuple[int, int]:
    """Return width and height of the window over pictures of `size_wh`."""
    return round(WINDOW * size_wh[0]), round(WINDOW * size_wh[1])


def steps(maps: list[Affine]) -> Iterator[Affine]:
    """Yield the exact camera motion from each window to the next, the identity for the first one."""
    yield identity()
    for before, now in pairwise(maps):
        yield then(inverse(before), now)


def shaken_picture(image: Image, matrix: Affine) -> Image:
    """Return what the window shows."""
    size_wh = window_size((image.shape[1], image.shape[0]))
    return np.asarray(cv2.warpAffine(image, to_pixel_index(matrix), size_wh, flags=cv2.INTER_LINEAR), np.uint8)


def shaken_sequence(sequence: MotSequence, maps: list[Affine], window_wh: tuple[int, int]) -> MotSequence:
    """Return the sequence as the window shows it: boxes moved, those mostly outside left out."""
    truth = None if sequence.truth is None else shaken_rows(sequence.truth, maps, window_wh)
    return replace(sequence, detections=shaken_rows(sequence.detections, maps, window_wh), truth=truth)


def shaken_rows(rows: Rows, maps: list[Affine], window_wh: tuple[int, int]) -> Rows:
    """Return the boxes in px of the window: the middle moved, the sides scaled, upright as before."""
    xywh = rows.xywh.copy()
    for frame, matrix in enumerate(maps, start=1):
        there = rows.frame == frame
        size = rows.xywh[there, 2:]
        moved = moved_points(matrix, rows.xywh[there, :2] + size / 2)
        xywh[there] = np.concatenate([moved - size / 2 * scale_of(matrix), size * scale_of(matrix)], axis=1)
    seen_wh = np.minimum(xywh[:, :2] + xywh[:, 2:], window_wh) - np.maximum(xywh[:, :2], 0.0)
    seen = np.clip(seen_wh, 0.0, None).prod(axis=1) >= LEAST_SEEN * xywh[:, 2:].prod(axis=1)
    return replace(rows, xywh=xywh).take(seen & (rows.frame <= len(maps)))
