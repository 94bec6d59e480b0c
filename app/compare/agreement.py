# SPDX-License-Identifier: Apache-2.0
"""How far two outputs of one frame are apart, by task."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.frame import ExpressionOutput, FlowOutput, PoseOutput
from models.results import Float32

MEASURES = {"expression": "probability_correlation", "flow": "end_point_difference_px", "pose": "oks"}
"""What `Difference.value` is: Pearson's correlation of the class probabilities of a frame's faces, the mean distance of
the two motions of a point, and the object keypoint similarity of a person's two poses."""
SAME_MOTION_PX = 1.0
SAME_POSE_OKS = 0.75
"""A point moves alike up to that distance, a person stands alike from that similarity on (COCO's strict threshold)."""
SEEN_SCORE = 0.2
"""Keypoints below that score in the first path were guessed, not seen: they are not compared."""
COCO_SIGMA = np.array(
    [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89], np.float32
) / np.float32(1000)  # fmt: skip
"""Spread of each keypoint among annotators, of the object's size (cocodataset.org, keypoints evaluation)."""
BOX_AREA_SHARE = 0.53
"""COCO's areas are of the segmented body: about that share of its box."""


@dataclass(frozen=True)
class Difference:
    """Of one frame. `value` is the task's measure, None where there was nothing to compare."""

    n: int  # faces, people, or points with a motion in both
    n_same: int  # of these: with the same class, an OKS of 0.75, or less than 1 px apart
    value: float | None
    badness: float  # orders frames by disagreement, the larger the worse


def difference(first: Any, second: Any) -> Difference:
    """Return how far two outputs of the same frame and task are apart."""
    if isinstance(first, ExpressionOutput) and isinstance(second, ExpressionOutput):
        return _of_faces(first, second)
    if isinstance(first, FlowOutput) and isinstance(second, FlowOutput):
        return _of_motion(first, second)
    if isinstance(first, PoseOutput) and isinstance(second, PoseOutput):
        return _of_people(first, second)
    raise TypeError(f"no comparison of a {type(first).__name__} with a {type(second).__name__}")


def _of_faces(first: ExpressionOutput, second: ExpressionOutput) -> Difference:
    """Rows are the same faces; compared before smoothing, as far as both have that."""
    a, b = (output.prob if output.raw is None else output.raw for output in (first, second))
    if len(a) == 0:
        return Difference(0, 0, None, 0.0)
    n_same = int((a.argmax(1) == b.argmax(1)).sum())
    spread = float(a.std() * b.std())
    centred = float(((a - a.mean()) * (b - b.mean())).mean())
    return Difference(len(a), n_same, centred / spread if spread > 0 else None, float(np.abs(a - b).sum(1).max()) / 2)


def _of_motion(first: FlowOutput, second: FlowOutput) -> Difference:
    """Compared on the coarser of the two grids."""
    stride = max(first.stride, second.stride)
    a, b = (_on_grid(output, stride) for output in (first, second))
    rows, columns = min(a.shape[0], b.shape[0]), min(a.shape[1], b.shape[1])
    apart = np.hypot(*np.moveaxis(a[:rows, :columns] - b[:rows, :columns], -1, 0))
    apart = apart[np.isfinite(apart)]
    if apart.size == 0:
        return Difference(0, 0, None, 0.0)
    mean = float(apart.mean(dtype=np.float64))
    return Difference(apart.size, int((apart < SAME_MOTION_PX).sum()), mean, mean)


def _on_grid(output: FlowOutput, stride: int) -> Float32:
    """Return the motion at every `stride` px, NaN where it is not known."""
    step = max(1, round(stride / output.stride))
    uv = np.where(output.flow.valid[..., None], output.flow.uv, np.float32(math.nan))
    return np.asarray(uv[step // 2 :: step, step // 2 :: step], np.float32)


def _of_people(first: PoseOutput, second: PoseOutput) -> Difference:
    """Rows are people; they belong together by track number, for the second path may look at fewer."""
    row_of = {number: k for k, number in enumerate(second.tracks.track_id.tolist())}
    pairs = [(k, row_of[n]) for k, n in enumerate(first.tracks.track_id.tolist()) if n in row_of]
    found = [keypoint_similarity(first.keypoints[a], second.keypoints[b], first.tracks.xyxy[a]) for a, b in pairs]
    oks = [value for value in found if value is not None]
    if not oks:
        return Difference(0, 0, None, 0.0)
    return Difference(len(oks), sum(v >= SAME_POSE_OKS for v in oks), sum(oks) / len(oks), 1 - min(oks))


def keypoint_similarity(a: Float32, b: Float32, xyxy: Float32) -> float | None:
    """Return the OKS of two poses (17, 3) of a person in a box, 0..1, over what the first one sees; None = nothing.

    OKS = mean of exp(-d^2 / (2 area (2 sigma)^2)) (cocodataset.org, keypoints evaluation).
    """
    seen = a[:, 2] >= SEEN_SCORE
    area = BOX_AREA_SHARE * float((xyxy[2] - xyxy[0]) * (xyxy[3] - xyxy[1]))
    if not seen.any() or not area > 0:
        return None
    squared = np.square(a[seen, :2] - b[seen, :2]).sum(1)
    return float(np.exp(-squared / (2 * area * np.square(2 * COCO_SIGMA[seen]))).mean())
