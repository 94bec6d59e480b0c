# SPDX-License-Identifier: Apache-2.0
"""Result types of the networks and the tracker: one type per meaning, arrays checked where they are born.

Pixels of the image given, x right, y down, box edges continuous (right and bottom exclusive). Scores 0..1.
Empty means length 0, never None.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.array import expect_array

Image = NDArray[np.uint8]
"""(H, W, 3) RGB."""
Float32 = NDArray[np.float32]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes by falling score. `points` are K landmarks a box in px (K = 0 where a network gives none)."""

    xyxy: Float32  # (N, 4) px
    score: Float32  # (N,)
    class_id: Int32  # (N,)
    points: Float32  # (N, K, 2) px

    def __post_init__(self) -> None:
        n = len(self.score)
        expect_array("Detections.xyxy", self.xyxy, (n, 4), "float32")
        expect_array("Detections.score", self.score, (n,), "float32")
        expect_array("Detections.class_id", self.class_id, (n,), "int32")
        expect_array("Detections.points", self.points, (n, None, 2), "float32")

    def __len__(self) -> int:
        return len(self.score)

    @staticmethod
    def empty(n_points: int = 0) -> Detections:
        """No detection."""
        return Detections(
            np.zeros((0, 4), np.float32),
            np.zeros(0, np.float32),
            np.zeros(0, np.int32),
            np.zeros((0, n_points, 2), np.float32),
        )

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Detections:
        """Return the rows `index` (integers or a mask)."""
        return Detections(self.xyxy[index], self.score[index], self.class_id[index], self.points[index])


MISSED = -1
"""`Tracks.detection_index` of a track that was searched and not found in this frame: its box is a prediction."""
NOT_SEARCHED = -2
"""The same where nothing was searched in this frame: its box is a prediction between two detections."""


@dataclass(frozen=True, eq=False)
class Tracks:
    """Tracked boxes; `detection_index`: which detection of this frame was matched, or MISSED, or NOT_SEARCHED."""

    track_id: Int64  # (N,)
    xyxy: Float32  # (N, 4) px
    velocity: Float32  # (N, 2) px/s of the box centre
    score: Float32  # (N,) of the last matched detection
    age_s: Float32  # (N,) since the first detection
    detection_index: Int32  # (N,)

    def __post_init__(self) -> None:
        n = len(self.track_id)
        expect_array("Tracks.track_id", self.track_id, (n,), "int64")
        expect_array("Tracks.xyxy", self.xyxy, (n, 4), "float32")
        expect_array("Tracks.velocity", self.velocity, (n, 2), "float32")
        expect_array("Tracks.score", self.score, (n,), "float32")
        expect_array("Tracks.age_s", self.age_s, (n,), "float32")
        expect_array("Tracks.detection_index", self.detection_index, (n,), "int32")

    def __len__(self) -> int:
        return len(self.track_id)

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Tracks:
        """Return the rows `index` (integers or a mask)."""
        return Tracks(
            self.track_id[index],
            self.xyxy[index],
            self.velocity[index],
            self.score[index],
            self.age_s[index],
            self.detection_index[index],
        )


@dataclass(frozen=True, eq=False)
class ClassScores:
    """Class probabilities, one row a face; rows sum to 1."""

    prob: Float32  # (N, C)
    labels: tuple[str, ...]  # C names, from the model's card

    def __post_init__(self) -> None:
        expect_array("ClassScores.prob", self.prob, (None, len(self.labels)), "float32")


N_KEYPOINTS = 17
"""The keypoints of COCO: nose, eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, each pair left first."""


@dataclass(frozen=True, eq=False)
class Poses:
    """Bodies. A keypoint that a network gave no number for has score 0 and stands in the middle of the box."""

    keypoints: Float32  # (N, 17, 3): x px, y px, score 0..1
    xyxy: Float32  # (N, 4) px
    score: Float32  # (N,)

    def __post_init__(self) -> None:
        n = len(self.score)
        expect_array("Poses.keypoints", self.keypoints, (n, N_KEYPOINTS, 3), "float32")
        expect_array("Poses.xyxy", self.xyxy, (n, 4), "float32")
        expect_array("Poses.score", self.score, (n,), "float32")

    def __len__(self) -> int:
        return len(self.score)

    @staticmethod
    def empty() -> Poses:
        """Nobody."""
        zeros = np.zeros((0, N_KEYPOINTS, 3), np.float32)
        return Poses(zeros, np.zeros((0, 4), np.float32), np.zeros(0, np.float32))

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_]) -> Poses:
        """Return the rows `index` (integers or a mask)."""
        return Poses(self.keypoints[index], self.xyxy[index], self.score[index])

    def detections(self) -> Detections:
        """Return the boxes alone."""
        n = len(self)
        return Detections(self.xyxy, self.score, np.zeros(n, np.int32), np.zeros((n, 0, 2), np.float32))


@dataclass(frozen=True, eq=False)
class Flow:
    """Motion of each pixel of a first picture to a second one of the same size; x right, y down."""

    uv: Float32  # (H, W, 2) px
    valid: NDArray[np.bool_]  # (H, W), False where nothing is known; uv is 0 there

    def __post_init__(self) -> None:
        expect_array("Flow.valid", self.valid, (None, None), "bool")
        expect_array("Flow.uv", self.uv, (*self.valid.shape, 2), "float32")
