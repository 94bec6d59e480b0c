# SPDX-License-Identifier: Apache-2.0
"""Task `flow`: how every point of the picture moves, from the frame processed before to the newest one."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from app.frame import FlowOutput, Frame
from app.motion.zones import Zone
from app.runtime.meters import StageTimes
from app.runtime.pipeline import NetworkChoice
from app.tasks.motion import MotionWatch
from models.results import Float32, Flow, Image

LONGEST_GAP_S = 1.0
"""Frames that are further apart show other things: no flow joins them."""
FARTHEST_PX = 1e6
"""A longer motion is a fault of its method, as one that is no number."""
EPE_POINTS = 20_000
"""About so many points, on a grid, are compared with the truth: at 640x480 a quarter of those that DIS answers for."""


class FlowMethod(Protocol):
    """Two RGB pictures of one size in; the motion of the first one's pixels, in px of the pictures, out.

    The flow may be smaller by a whole number (models.classical_flow.Reduced). One thread at a time.
    """

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow: ...


class FlowTask:
    """Runs in the inference thread; `select` and `watch` may come from any thread and hold from the next frame on."""

    def __init__(self, flow_between: FlowMethod, method: str, choice: NetworkChoice) -> None:
        self.times = StageTimes()
        self.in_use = choice
        self._motion = MotionWatch()
        self._before: Frame | None = None
        self.select(flow_between, method, choice)

    def select(self, flow_between: FlowMethod, method: str, choice: NetworkChoice) -> None:
        """Use another method, or another network, from the next frame on; the frame before stays known."""
        self._next = flow_between, method, choice

    def watch(self, zones: Sequence[Zone]) -> None:
        """Watch these zones from the next frame on; raises ZoneError where two have one name."""
        self._motion.watch(zones)

    def __call__(self, frame: Frame) -> FlowOutput:
        flow_between, method, self.in_use = self._next
        before, self._before = self._before, frame
        if before is None or not is_followed(before, frame):
            output = no_flow(frame, method)
        else:
            output = self._compare(before, frame, flow_between, method)
        with self.times.stage("motion"):
            return dataclasses.replace(output, motion=self._motion(output, frame.t_ns))

    def _compare(self, before: Frame, frame: Frame, flow_between: FlowMethod, method: str) -> FlowOutput:
        """Return the flow from one frame to the next, with its error where that can be known."""
        with self.times.stage("flow"):
            flow = known_part(flow_between(before.image, frame.image))
        self.in_use = self.in_use.after(flow_between)
        stride, dt_s = stride_of(frame.image, flow), (frame.t_ns - before.t_ns) / 1e9
        output = FlowOutput(flow, stride, before.image, before.seq, dt_s, method)
        if frame.truth is None or frame.truth.flow_uv is None or frame.seq != before.seq + 1:
            return output
        with self.times.stage("compare"):
            return dataclasses.replace(output, epe_px=end_point_error(output, frame.truth.flow_uv))


def is_followed(before: Frame, frame: Frame) -> bool:
    """Whether a flow joins two frames: one size, and time that goes on by no more than a second."""
    gap_s = (frame.t_ns - before.t_ns) / 1e9
    return before.image.shape == frame.image.shape and 0 < gap_s <= LONGEST_GAP_S


def no_flow(frame: Frame, method: str) -> FlowOutput:
    """Return the output of a frame that nothing leads to."""
    nothing = Flow(np.zeros((1, 1, 2), np.float32), np.zeros((1, 1), bool))
    return FlowOutput(nothing, max(frame.image.shape[:2]), frame.image, frame.seq, 0.0, method)


def known_part(flow: Flow) -> Flow:
    """Return the flow without motions that are no numbers, or longer than any."""
    size = np.abs(flow.uv)
    is_good = (size[..., 0] < FARTHEST_PX) & (size[..., 1] < FARTHEST_PX)  # False for NaN too
    if is_good.all():
        return flow
    return Flow(np.where(is_good[..., None], flow.uv, np.float32(0)), flow.valid & is_good)


def stride_of(image: Image, flow: Flow) -> int:
    """Return by how much the flow is smaller; FlowOutput checks that it is a whole number."""
    (height, width), (rows, columns) = image.shape[:2], flow.valid.shape
    return int(max(-(-height // rows), -(-width // columns)))


def end_point_error(output: FlowOutput, truth_uv: Float32) -> float | None:
    """Return the mean distance in px from the true motion, None where no point is known by both.

    The truth (H, W, 2) belongs to the pixels of the newest frame: what is seen at p was at p - truth(p) in the frame
    before, where `output` has its motion. Points that come from outside do not count; those that were hidden do.
    """
    stride, valid = output.stride, output.flow.valid
    step = max(1, math.ceil(math.sqrt(valid.size / EPE_POINTS)))
    rows, columns = np.mgrid[: valid.shape[0] : step, : valid.shape[1] : step]
    height, width = truth_uv.shape[:2]
    y = np.minimum(rows * stride + stride // 2, height - 1)
    x = np.minimum(columns * stride + stride // 2, width - 1)
    true = truth_uv[y, x]
    row = np.floor((y + 0.5 - true[..., 1]) / stride).astype(np.int64)
    column = np.floor((x + 0.5 - true[..., 0]) / stride).astype(np.int64)
    inside = (row >= 0) & (row < valid.shape[0]) & (column >= 0) & (column < valid.shape[1])
    row, column, true = row[inside], column[inside], true[inside]
    known = valid[row, column]
    error = output.flow.uv[row, column][known] - true[known]
    return float(np.hypot(error[:, 0], error[:, 1]).mean(dtype=np.float64)) if len(error) else None
