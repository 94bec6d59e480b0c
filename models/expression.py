# SPDX-License-Identifier: Apache-2.0
"""The expression network at any precision: face boxes in, seven class probabilities out."""

from __future__ import annotations

import cv2
import numpy as np

from device.backend import Backend
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


class ExpressionClassifier:
    """Batch 1 network: (1, 48, 48, 1) grey in -1..1 -> (1, 7) probabilities, float32 or int8 by its tensors' scales."""

    def __init__(self, card: Card, backend: Backend) -> None:
        self.card, self._backend = card, backend
        self._source, self._target = backend.inputs[0], backend.outputs[0]
        # A grey level has 256 values: its network input, whatever the type, is a table look-up.
        self._input_of_grey = self._quantise(np.arange(256, dtype=np.float32) / 127.5 - 1)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.card.labels

    def __call__(self, image: Image, xyxy: Float32) -> ClassScores:
        """Return the probabilities (N, 7) of the faces in boxes (N, 4), px of `image`."""
        prob = np.zeros((len(xyxy), len(self.labels)), np.float32)
        for row, box in enumerate(xyxy):
            prob[row] = self.classify_grey(grey_crop(image, box))
        return ClassScores(prob, self.labels)

    def classify_grey(self, grey: Image) -> Float32:
        """Return the probabilities (7,) of one (48, 48) uint8 face; they sum to 1."""
        raw = self._backend.run({self._source.name: self._input_of_grey[grey][None, :, :, None]})[self._target.name][0]
        if self._target.scale:
            raw = (raw.astype(np.float32) - self._target.zero_point) * np.float32(self._target.scale)
        return np.asarray(raw / raw.sum(), np.float32)

    def close(self) -> None:
        self._backend.close()

    def _quantise(self, real: Float32) -> np.ndarray:
        if not self._source.scale:
            return real
        stored = np.round(real / self._source.scale + self._source.zero_point)
        limits = np.iinfo(self._source.dtype)
        return np.clip(stored, limits.min, limits.max).astype(self._source.dtype)
