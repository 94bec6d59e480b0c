# SPDX-License-Identifier: Apache-2.0
"""MoveNet SinglePose on the box of each person: a closer look, which finds keypoints better than MultiPose alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from device.backend import Backend, Counted, Cycles
from models.card import Card
from models.geometry import crop_square
from models.persons import known_keypoints
from models.results import N_KEYPOINTS, Float32, Image, Poses

SIDE_PER_BOX = 1.0
"""Side of the square that is looked at, in longer sides of the box: the best of 0.9 to 1.8, see the card."""
LEAST_SIDE_PX = 8.0


class PoseEstimator:
    """One person's square in, 17 keypoints out, at any precision; the file rounds inside, its tensors are the same.

    One thread at a time.
    """

    def __init__(self, card: Card, backend: Backend) -> None:
        self.card, self._backend = card, backend
        self._counted = backend if isinstance(backend, Counted) else None
        self._size = int(card.input["size"])

    @property
    def backend_name(self) -> str:
        return self._backend.name

    @property
    def last_cycles(self) -> Cycles | None:
        """Return the cycles of the last person, None where the device counts none."""
        return None if self._counted is None else self._counted.last_cycles

    def __call__(self, image: Image, xyxy: Float32, turn_rad: NDArray[np.float64] | None = None) -> Poses:
        """Return the pose in each box (N, 4), px of `image`, row by row; the score is the mean of the keypoints'.

        `turn_rad` (N,) says for each person where his up is, clockwise from the picture's; None = all stand upright.
        """
        keypoints = np.zeros((len(xyxy), N_KEYPOINTS, 3), np.float32)
        for row, box in enumerate(xyxy):
            keypoints[row] = self._look(image, box, 0.0 if turn_rad is None else float(turn_rad[row]))
        keypoints = known_keypoints(keypoints, xyxy)
        return Poses(keypoints, xyxy, keypoints[..., 2].mean(axis=1))

    def _look(self, image: Image, box: Float32, turn_rad: float) -> Float32:
        """Return the keypoints (17, 3) of one box; the network gives (1, 1, 17, 3): y, x, score, 0..1 of the crop."""
        centre_xy = float(box[0] + box[2]) / 2, float(box[1] + box[3]) / 2
        side = SIDE_PER_BOX * max(float(box[2] - box[0]), float(box[3] - box[1]), LEAST_SIDE_PX)
        crop = crop_square(image, centre_xy, side, self._size, turn_rad)
        raw = self._backend.run({self._backend.inputs[0].name: crop[None].astype(np.int32)})
        yx_score = raw[self._backend.outputs[0].name].reshape(N_KEYPOINTS, 3)
        away = (yx_score[:, 1::-1] - 0.5) * side
        if turn_rad:
            cos, sin = math.cos(turn_rad), math.sin(turn_rad)
            away = away @ np.array([[cos, sin], [-sin, cos]])
        xy = away + np.array(centre_xy)
        return np.concatenate([xy, yx_score[:, 2:]], axis=1).astype(np.float32)

    def close(self) -> None:
        self._backend.close()
