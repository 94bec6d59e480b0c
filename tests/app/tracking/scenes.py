# SPDX-License-Identifier: Apache-2.0
"""Small scenes for the tracker's tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.tracking.sort import Sort
from models.results import Detections, Tracks

FRAME_NS = 40_000_000
"""25 frames a second."""


def detections(boxes: Sequence[Sequence[float]] | NDArray[Any], score: float | Sequence[float] = 0.9) -> Detections:
    """Boxes (N, 4) xyxy with one score for all or one each."""
    xyxy = np.array(boxes, np.float32).reshape(-1, 4)
    n = len(xyxy)
    scores = np.broadcast_to(np.array(score, np.float32), (n,)).copy()
    return Detections(xyxy, scores, np.zeros(n, np.int32), np.zeros((n, 0, 2), np.float32))


def box(center_x: float, center_y: float = 100.0, width: float = 40.0, height: float = 80.0) -> list[float]:
    """One box by its centre."""
    return [center_x - width / 2, center_y - height / 2, center_x + width / 2, center_y + height / 2]


def track(tracker: Sort, frames: Sequence[Detections], step_ns: int = FRAME_NS) -> list[Tracks]:
    """Feed consecutive frames."""
    return [tracker.update(found, frame * step_ns) for frame, found in enumerate(frames)]


def random_frames(seed: int, n_objects: int, n_frames: int, scale: float = 1.0) -> list[Detections]:
    """Wandering objects with misses, noise, false boxes and scores of all sizes; `scale` enlarges everything."""
    random = np.random.default_rng(seed)
    place = random.uniform(0, 600, (n_objects, 2))
    speed = random.normal(0, 4, (n_objects, 2))
    frames = []
    for _ in range(n_frames):
        place += speed
        low = np.concatenate([place[random.random(n_objects) < 0.8], random.uniform(0, 600, (random.poisson(1), 2))])
        size = random.uniform(35, 45, (len(low), 2)) * [1, 2]
        xyxy = np.concatenate([low, low + size], axis=1).astype(np.float32) * np.float32(scale)
        frames.append(detections(xyxy, random.uniform(0.3, 1.0, len(low)).tolist()))
    return frames
