# SPDX-License-Identifier: Apache-2.0
"""A backend that answers with the tensor of the test, and cards to go with it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.backend import Tensors, TensorSpec
from models.card import Card
from models.results import N_KEYPOINTS, Float32

LABELS = tuple(f"keypoint {k}" for k in range(N_KEYPOINTS))


def card(task: str, given: dict[str, Any], **fields: Any) -> Card:
    return Card(f"{task}_toy", "toy.tflite", "", task, "float", LABELS, given, fields)


class Answering:
    """Keeps what it was given; answers with `answer`, or with what a function makes of the input."""

    name = "cpu"

    def __init__(self, input_shape: tuple[int, ...], answer: Float32) -> None:
        self.inputs: tuple[TensorSpec, ...] = (TensorSpec("picture", input_shape, "int32", 0.0, 0),)
        self.outputs: tuple[TensorSpec, ...] = (TensorSpec("answer", answer.shape, "float32", 0.0, 0),)
        self.answer = answer
        self.given: list[NDArray[np.int32]] = []

    def run(self, inputs: Tensors) -> Tensors:
        assert inputs["picture"].shape == self.inputs[0].shape
        assert inputs["picture"].dtype == np.int32
        self.given.append(inputs["picture"].copy())
        return {"answer": self.answer}

    def close(self) -> None:
        """Nothing is held."""


def row(box_yxyx: tuple[float, float, float, float], score: float, keypoint_score: float = 0.5) -> list[float]:
    """Return a row of MultiPose: keypoint k at a place k / 16 of the way from the box's first corner to the other."""
    ymin, xmin, ymax, xmax = box_yxyx
    along = [k / (N_KEYPOINTS - 1) for k in range(N_KEYPOINTS)]
    points = [v for t in along for v in (ymin + t * (ymax - ymin), xmin + t * (xmax - xmin), keypoint_score)]
    return [*points, *box_yxyx, score]
