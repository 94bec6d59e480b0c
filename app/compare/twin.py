# SPDX-License-Identifier: Apache-2.0
"""A task's network on another backend or at another precision, shown what the first path's network was shown.

Boxes, track numbers and pairs of frames are those of the first path: only the network's answer differs. One thread.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Protocol

import numpy as np

from app.frame import ExpressionOutput, FlowOutput, FrameResult, PoseOutput
from app.runtime.meters import StageTimes
from app.runtime.pipeline import NetworkChoice
from app.tasks.expression import Smoothing
from app.tasks.flow import FlowMethod, end_point_error, known_part, stride_of
from models.expression import ExpressionClassifier
from models.persons_tiled import directions
from models.pose import PoseEstimator
from models.results import MISSED

MOST_PEOPLE = 2
"""Looked at in a frame, as the first path does; the largest."""


class Twin(Protocol):
    """What the second path runs; `times` has the network's time of the last call under the name of the task."""

    task: str
    times: StageTimes
    in_use: NetworkChoice

    def __call__(self, first: FrameResult[Any]) -> Any:
        """Return the output for the frame of `first`, of the same kind as its own."""


class ExpressionTwin:
    """The same faces, read by another network."""

    task = "expression"

    def __init__(self, network: ExpressionClassifier, choice: NetworkChoice) -> None:
        self.times, self.in_use = StageTimes(), choice
        self._network, self._smoothing = network, Smoothing()

    def __call__(self, first: FrameResult[ExpressionOutput]) -> ExpressionOutput:
        tracks = first.output.tracks
        with self.times.stage(self.task):
            scores = self._network(first.frame.image, tracks.xyxy)
        prob = self._smoothing(tracks.track_id.tolist(), scores.prob, first.frame.t_ns)
        self.in_use = self.in_use.after(self._network)
        return ExpressionOutput(tracks, prob, scores.labels, scores.prob)


class FlowTwin:
    """The same two frames, joined by another network."""

    task = "flow"

    def __init__(self, method: FlowMethod, choice: NetworkChoice) -> None:
        self.times, self.in_use = StageTimes(), choice
        self._method = method

    def __call__(self, first: FrameResult[FlowOutput]) -> FlowOutput:
        given, image = first.output, first.frame.image
        if given.dt_s == 0:  # nothing leads to this frame
            return dataclasses.replace(given, method="net")
        with self.times.stage(self.task):
            flow = known_part(self._method(given.previous, image))
        self.in_use = self.in_use.after(self._method)
        output = FlowOutput(flow, stride_of(image, flow), given.previous, given.seq_from, given.dt_s, "net")
        truth = first.frame.truth
        if given.epe_px is None or truth is None or truth.flow_uv is None:
            return output
        return dataclasses.replace(output, epe_px=end_point_error(output, truth.flow_uv))


class PoseTwin:
    """The same people, those with the largest boxes, looked at by another network; its keypoints are not smoothed."""

    task = "pose"

    def __init__(self, network: PoseEstimator, choice: NetworkChoice, view: str = "eye") -> None:
        self.times, self.in_use = StageTimes(), choice
        self._network, self._is_top = network, view == "top"

    def __call__(self, first: FrameResult[PoseOutput]) -> PoseOutput:
        tracks = first.output.tracks
        sides = tracks.xyxy[:, 2:] - tracks.xyxy[:, :2]
        area = np.where(tracks.detection_index == MISSED, -1.0, sides.prod(axis=1))
        rows = np.sort(np.argsort(-area, kind="stable")[:MOST_PEOPLE])
        tracks = tracks.take(np.isin(np.arange(len(tracks)), rows))
        with self.times.stage(self.task):
            height, width = first.frame.image.shape[:2]
            turn_rad = directions(tracks.xyxy, (width, height)) if self._is_top else None
            poses = self._network(first.frame.image, tracks.xyxy, turn_rad)
        self.in_use = self.in_use.after(self._network)
        return PoseOutput(tracks, poses.keypoints, first.output.labels)
