# SPDX-License-Identifier: Apache-2.0
"""The flow network at any precision: two pictures in, the motion of the first one's pixels out."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from device.backend import Backend, Counted, Cycles
from models.card import Card
from models.flow_stem import HEIGHT_PX, WIDTH_PX, Grey, Scores, open_kernels, stem
from models.results import Float32, Flow, Image

AXES = 2
PART_SIDE = 2
"""The network says how each cell's 2x2 quarters move."""


class FlowNet:
    """Two RGB pictures of one size in; their motion, smaller by a whole number, out. One thread at a time.

    A .tflite network takes the stem's values as (1, 24, 32, 300), float32 or int8 by its tensors' scales, and gives
    (1, 24, 32, 8). A low-bit program takes them as (300, 24, 32) uint8 and gives planes of motions (8 planes, 24, 32),
    which are added up. Motions are in px of the 128x96 pictures that the stem compares.
    """

    def __init__(self, card: Card, backend: Backend) -> None:
        self.card, self._backend = card, backend
        self._counted = backend if isinstance(backend, Counted) else None
        self._source, self._target = backend.inputs[0], backend.outputs[0]
        self._is_planar = len(self._source.shape) == 3
        low, high = card.input["range"]
        # A value of the stem has 256 levels: its network input, whatever the type, is a table look-up.
        self._input_of_score = self._source.stored(np.arange(256, dtype=np.float32) * (high - low) / 255 + low)
        self._kernels = open_kernels()
        self._last: tuple[Image, Grey] | None = None

    @property
    def backend_name(self) -> str:
        return self._backend.name

    @property
    def last_cycles(self) -> Cycles | None:
        """Return the cycles of the last pair, None where the device counts none."""
        return None if self._counted is None else self._counted.last_cycles

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        """Return the motion in px of the pictures, on squares of `stride` px; raises ValueError for unequal sizes.

        Height and width of the flow are those of the pictures over the stride, rounded up: about 96x128.
        """
        if first_rgb.shape != second_rgb.shape or first_rgb.ndim != 3:
            raise ValueError(f"expected two pictures of one size, got {first_rgb.shape} and {second_rgb.shape}")
        small_uv = self.motion_of(self._small(first_rgb), self._small(second_rgb))
        height, width = first_rgb.shape[:2]
        stride = flow_stride(width, height)
        size_wh = (-(-width // stride), -(-height // stride))
        uv = np.asarray(cv2.resize(small_uv, size_wh, interpolation=cv2.INTER_LINEAR), np.float32)
        uv *= np.array([width / WIDTH_PX, height / HEIGHT_PX], np.float32)
        return Flow(uv, np.ones(uv.shape[:2], bool))

    def motion_of(self, first: Grey, second: Grey) -> Float32:
        """Return the motion (48, 64, 2) between two grey pictures (96, 128), in px of these."""
        return joined_parts(self.infer(stem(first, second, self._kernels)))

    def infer(self, scores: Scores) -> Float32:
        """Return what the network gives for the stem's values (300, 24, 32): (8, 24, 32), channel 2 part + axis."""
        stored: NDArray[Any] = scores
        if not self._is_planar:  # OpenCV turns and looks up three times as fast as NumPy
            by_cell = cv2.transpose(scores.reshape(len(scores), -1))
            stored = cv2.LUT(by_cell, self._input_of_score).reshape(self._source.shape)
        raw = self._target.real(self._backend.run({self._source.name: stored})[self._target.name])
        if not self._is_planar:
            return np.asarray(raw[0].transpose(2, 0, 1), np.float32)
        planes = raw.reshape(-1, AXES * PART_SIDE**2, *raw.shape[1:])
        return np.asarray(sum(planes[1:], start=planes[0]), np.float32)  # a fifth of the time of a sum over an axis

    def _small(self, rgb: Image) -> Grey:
        """Return a picture in grey at the stem's size; the newest one is kept, for it is the next pair's first."""
        if self._last is not None and self._last[0] is rgb:
            return self._last[1]
        whole = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        grey = np.asarray(cv2.resize(whole, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)
        self._last = rgb, grey
        return grey


def flow_stride(width: int, height: int) -> int:
    """Return the side of the squares that a picture's flow is given for: 5 px at 640x480, 1 below 192x144."""
    return max(1, round(math.sqrt(width * height / (WIDTH_PX * HEIGHT_PX))))


def joined_parts(parts: Float32) -> Float32:
    """Return (8, h, w) motions of cells' quarters as (2 h, 2 w, 2): quarters lie row by row, each a pair (x, y)."""
    _, height, width = parts.shape
    split = parts.reshape(PART_SIDE, PART_SIDE, AXES, height, width).transpose(3, 0, 4, 1, 2)
    return np.ascontiguousarray(split.reshape(PART_SIDE * height, PART_SIDE * width, AXES))


def enlarged(flow: Flow, width: int, height: int) -> Flow:
    """Return a flow that is smaller than its picture at the picture's size, linearly between its points."""
    if flow.valid.shape == (height, width):
        return flow
    uv = np.asarray(cv2.resize(flow.uv, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)
    valid = cv2.resize(flow.valid.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST) > 0
    return Flow(uv, valid)
