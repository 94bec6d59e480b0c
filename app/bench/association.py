# SPDX-License-Identifier: Apache-2.0
"""Speed of the association update (predict, match, correct) against the number of objects in view."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from app.tracking.assignment import iou_matrix
from app.tracking.sort import FIRST_VARIANCE, MEASURED_NOISE, MOTION_NOISE, Sort
from device.errors import AppError
from models.results import Detections

OBJECT_COUNTS = (10, 50, 200)
FPS = 30.0
SIZE_WH = (1920.0, 1080.0)
MISS_RATE = 0.1
NOISE = 0.02
"""Standard deviation of each box edge, as a part of the box size."""
LEAST_IOU = 0.3
"""Of a match, in the peer."""
N_WARM = 10
"""Frames not counted: until then most objects have no track."""


def measure_association(n_frames: int = 300, peer: bool = False) -> list[dict[str, Any]]:
    """Time `Sort.update` with 10, 50 and 200 objects over `n_frames`, at least 11; one row each.

    Rows hold `objects`, `hz_median` and `hz_p5` (the rate that 95 % of the updates reach). With `peer` they also hold
    `peer_hz_median` and `ratio_vs_peer` of one filterpy filter an object in a Python loop with the same assignment.
    """
    if n_frames <= N_WARM:
        raise ValueError(f"n_frames: expected more than {N_WARM}, got {n_frames}")
    return [_row(n_objects, n_frames, peer) for n_objects in OBJECT_COUNTS]


def _row(n_objects: int, n_frames: int, peer: bool) -> dict[str, Any]:
    scene = synthetic_scene(n_objects, n_frames)
    tracker = Sort()
    rate = 1.0 / _seconds(scene, tracker.update)[N_WARM:]
    row: dict[str, Any] = {"objects": n_objects, "hz_median": _median(rate), "hz_p5": float(np.percentile(rate, 5))}
    if peer:
        row["peer_hz_median"] = _median(1.0 / _seconds(scene, FilterpyLoop().update)[N_WARM:])
        row["ratio_vs_peer"] = row["hz_median"] / row["peer_hz_median"]
    return row


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values))


def _seconds(scene: list[Detections], update: Callable[[Detections, int], object]) -> NDArray[np.float64]:
    seconds = np.empty(len(scene))
    for frame, found in enumerate(scene):
        start = time.perf_counter()
        update(found, round(frame * 1e9 / FPS))
        seconds[frame] = time.perf_counter() - start
    return seconds


def synthetic_scene(n_objects: int, n_frames: int, seed: int = 0) -> list[Detections]:
    """Detections of objects that cross a full HD picture and bounce at its edges; one in ten is missed each frame."""
    random = np.random.default_rng(seed)
    place = random.uniform(0.0, SIZE_WH, (n_objects, 2))
    speed = random.normal(0.0, 120.0 / FPS, (n_objects, 2))
    size = random.uniform(30.0, 90.0, (n_objects, 1)) * np.array([1.0, 1.5])
    scene = []
    for _ in range(n_frames):
        place += speed
        speed = np.where((place < 0.0) | (place > SIZE_WH), -speed, speed)
        xyxy = np.concatenate([place - size / 2, place + size / 2], axis=1)
        xyxy += random.normal(0.0, NOISE, xyxy.shape) * np.tile(size, 2)
        scene.append(_seen(xyxy[random.random(n_objects) >= MISS_RATE], random))
    return scene


def _seen(xyxy: NDArray[np.float64], random: np.random.Generator) -> Detections:
    n = len(xyxy)
    score = np.sort(random.uniform(0.5, 1.0, n))[::-1].astype(np.float32)
    return Detections(xyxy.astype(np.float32), score, np.zeros(n, np.int32), np.zeros((n, 0, 2), np.float32))


class FilterpyLoop:
    """The peer: SORT as it is usually written, one filterpy filter an object, on the same boxes and noise."""

    def __init__(self) -> None:
        try:
            from filterpy.kalman import KalmanFilter
        except ImportError as error:
            raise AppError("the tracker's peer needs the package filterpy: run `make setup`") from error
        self._new_filter: Callable[..., Any] = KalmanFilter
        self._filters: list[Any] = []
        self._missed: list[int] = []

    def update(self, detections: Detections, _t_ns: int) -> None:
        """Predict every object, match by IoU, correct; start the unmatched, give up after a second."""
        xyxy = detections.xyxy.astype(np.float64)
        measured = _measured(xyxy)
        for one in self._filters:
            one.predict()
        state = np.array([one.x[:4, 0] for one in self._filters]).reshape(-1, 4)
        overlap = iou_matrix(_boxes(state), xyxy)
        rows, columns = linear_sum_assignment(overlap, maximize=True)
        good = overlap[rows, columns] >= LEAST_IOU
        self._missed = [n + 1 for n in self._missed]
        for row, column in zip(rows[good], columns[good], strict=True):
            self._filters[row].update(measured[column])
            self._missed[row] = 0
        alive = [row for row, n in enumerate(self._missed) if n <= FPS]
        started = np.setdiff1d(np.arange(len(xyxy)), columns[good])
        self._filters = [self._filters[row] for row in alive] + [self._begin(measured[new]) for new in started]
        self._missed = [self._missed[row] for row in alive] + [0] * len(started)

    def _begin(self, measured: NDArray[np.float64]) -> Any:
        one = self._new_filter(dim_x=7, dim_z=4)
        one.F = np.eye(7) + np.diag(np.ones(3), 4)
        one.H = np.eye(4, 7)
        one.P, one.Q, one.R = np.diag(FIRST_VARIANCE), np.diag(MOTION_NOISE), np.diag(MEASURED_NOISE)
        one.x[:4, 0] = measured
        return one


def _measured(xyxy: NDArray[np.float64]) -> NDArray[np.float64]:
    side = xyxy[:, 2:] - xyxy[:, :2]
    return np.column_stack([(xyxy[:, :2] + xyxy[:, 2:]) / 2, side.prod(axis=1), side[:, 0] / side[:, 1]])


def _boxes(measured: NDArray[np.float64]) -> NDArray[np.float64]:
    width = np.sqrt(np.maximum(measured[:, 2] * measured[:, 3], 1e-9))
    half = np.column_stack([width, np.maximum(measured[:, 2], 1e-9) / width]) / 2
    return np.concatenate([measured[:, :2] - half, measured[:, :2] + half], axis=1)
