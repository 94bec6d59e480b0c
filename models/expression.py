# SPDX-License-Identifier: Apache-2.0
"""The expression network at any precision: face boxes in, seven class probabilities out."""

from __future__ import annotations

import cv2
import numpy as np

from device.backend import Backend, Counted, Cycles
from models.card import Card
from models.geometry import crop_square
from models.results import ClassScores, Float32, Image

SIZE = 48
SIDE_PER_BOX = 1.17
SHIFT_UP_PER_BOX = 0.085
"""Where FER2013's crop lies relative to BlazeFace's box (medians over 2,840 of 3,000 Training faces in which the short
range network found a face): its side is 1.17 times the longer side of the box, its centre lies 0.085 sides higher."""


def grey_crop(image: Image, xyxy: Float32) -> Image:
    """Return the (48, 48) grey crop of one face box in px, framed like the training pictures."""
    side = max(float(xyxy[2] - xyxy[0]), float(xyxy[3] - xyxy[1]), 1.0)
    centre_x, centre_y = float(xyxy[0] + xyxy[2]) / 2, float(xyxy[1] + xyxy[3]) / 2 - SHIFT_UP_PER_BOX * side
    crop = crop_square(image, (centre_x, centre_y), SIDE_PER_BOX * side, SIZE)
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8)


def quarters(grey: Image) -> Image:
    """Return (H, W) as (4, H / 2, W / 2): space-to-depth by 2 in the order (row parity, column parity)."""
    height, width = grey.shape
    by_parity = grey.reshape(height // 2, 2, width // 2, 2).transpose(1, 3, 0, 2)
    return by_parity.reshape(4, height // 2, width // 2)


class ExpressionClassifier:
    """One grey face in, seven class probabilities out, at any precision.

    A .tflite network takes (1, 48, 48, 1), float32 or int8 by its tensors' scales, and ends in a softmax. A low-bit
    program takes the four quarters of the face (4, 24, 24) uint8 and ends in planes of scores (7 * planes, 1, 1), which
    are added up.
    """

    def __init__(self, card: Card, backend: Backend) -> None:
        self.card, self._backend = card, backend
        self._counted = backend if isinstance(backend, Counted) else None
        self._source, self._target = backend.inputs[0], backend.outputs[0]
        low, high = card.input["range"]
        # A grey level has 256 values: its network input, whatever the type, is a table look-up.
        self._input_of_grey = self._source.stored(np.arange(256, dtype=np.float32) * (high - low) / 255 + low)
        self._takes_quarters = self._source.shape == (4, SIZE // 2, SIZE // 2)
        self._gives_scores = len(self._target.shape) == 3

    @property
    def labels(self) -> tuple[str, ...]:
        return self.card.labels

    @property
    def backend_name(self) -> str:
        return self._backend.name

    @property
    def last_cycles(self) -> Cycles | None:
        """Return the cycles of the last face, None where the device counts none."""
        return None if self._counted is None else self._counted.last_cycles

    def __call__(self, image: Image, xyxy: Float32) -> ClassScores:
        """Return the probabilities (N, 7) of the faces in boxes (N, 4), px of `image`."""
        prob = np.zeros((len(xyxy), len(self.labels)), np.float32)
        for row, box in enumerate(xyxy):
            prob[row] = self.classify_grey(grey_crop(image, box))
        return ClassScores(prob, self.labels)

    def classify_grey(self, grey: Image) -> Float32:
        """Return the probabilities (7,) of one (48, 48) uint8 face; they sum to 1."""
        stored = self._input_of_grey[quarters(grey) if self._takes_quarters else grey[None, :, :, None]]
        raw = self._target.real(self._backend.run({self._source.name: stored})[self._target.name]).reshape(-1)
        if self._gives_scores:
            raw = raw.reshape(-1, len(self.labels)).sum(0)
            raw = np.exp(raw - raw.max())
        return np.asarray(raw / raw.sum(), np.float32)

    def close(self) -> None:
        self._backend.close()
