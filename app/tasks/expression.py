# SPDX-License-Identifier: Apache-2.0
"""Task `expression`: faces, tracks, and the expression of each."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from app.frame import ExpressionOutput, Frame
from app.runtime.meters import StageTimes
from app.runtime.pipeline import NetworkChoice
from app.tasks.faces import CameraFollower, FaceFinder
from models.expression import ExpressionClassifier
from models.results import Float32

SMOOTHING_S = 0.12
"""Time constant of the smoothed probabilities: a single odd frame does not flip the label, a smile shows in 0.2 s."""


class Smoothing:
    """Exponential smoothing of the probabilities of each track over its own time."""

    def __init__(self, time_constant_s: float = SMOOTHING_S) -> None:
        self._time_constant_s = time_constant_s
        self._last: dict[int, tuple[int, Float32]] = {}

    def __call__(self, track_id: list[int], prob: Float32, t_ns: int) -> Float32:
        """Return smoothed rows (N, C); tracks that are not given any more are forgotten."""
        smooth = {}
        for number, row in zip(track_id, prob, strict=True):
            before_ns, before = self._last.get(number, (t_ns, row))
            keep = math.exp(-max(0, t_ns - before_ns) / 1e9 / self._time_constant_s)
            smooth[number] = (t_ns, keep * before + (1 - keep) * row)
        self._last = smooth
        return np.stack([smooth[n][1] for n in track_id]).astype(np.float32) if track_id else prob


class ExpressionTask:
    """Runs in the inference thread; `select` may be called from any thread and takes effect at the next frame."""

    def __init__(self, faces: FaceFinder, expression: ExpressionClassifier, backend: str, precision: str) -> None:
        self.times = StageTimes()
        self._faces, self._smoothing = faces, Smoothing()
        self._camera: CameraFollower | None = None
        self.select(expression, backend, precision)

    def select(self, expression: ExpressionClassifier, backend: str, precision: str) -> None:
        """Use another network from the next frame on; tracks and smoothing go on."""
        models = {"face": "blazeface short + full range (float)", "expression": Path(expression.card.file).name}
        self._next = expression, NetworkChoice(backend, precision, models)
        if not hasattr(self, "in_use"):
            self.in_use = self._next[1]

    def follow_camera(self, camera: CameraFollower | None) -> None:
        """Tell the tracker how the camera moves from the next frame on, None = it is taken to stand still."""
        self._camera = camera

    def __call__(self, frame: Frame) -> ExpressionOutput:
        network, self.in_use = self._next
        camera = self._camera
        if camera is not None:
            with self.times.stage("camera"):
                self._faces.follow_camera(camera, frame)
        with self.times.stage("detect"):
            faces = self._faces.detect(frame)
        with self.times.stage("track"):
            tracks = self._faces.track(faces, frame.t_ns)
        with self.times.stage("expression"):
            scores = network(frame.image, tracks.xyxy)
        self.in_use = self.in_use.after(network)
        with self.times.stage("smooth"):
            prob = self._smoothing(tracks.track_id.tolist(), scores.prob, frame.t_ns)
        return ExpressionOutput(tracks, prob, scores.labels, scores.prob)
