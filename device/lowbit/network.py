# SPDX-License-Identifier: Apache-2.0
"""What a low-bit network is before it has addresses: inputs, and layers in the order they run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.array import expect_array
from device.lowbit.descriptor import MAX_DIGITS, Store
from device.lowbit.layout import THRESHOLD_MAX, THRESHOLD_MIN, can_copy


@dataclass(frozen=True)
class InputTensor:
    """(C, H, W) unsigned values below 4**digits.

    The first layer sees `copies` of each channel beside each other: its 1-bit weights for them add up to finer ones.
    """

    name: str
    shape: tuple[int, int, int]
    digits: int = MAX_DIGITS
    copies: int = 1

    def __post_init__(self) -> None:
        if len(self.shape) != 3 or min(self.shape) < 1 or not 1 <= self.digits <= MAX_DIGITS:
            raise ValueError(f"input {self.name}: expected (C, H, W) and 1..4 digits, got {self.shape}, {self.digits}")
        if not can_copy(self.shape[0], self.copies):
            raise ValueError(f"input {self.name}: {self.copies} copies of {self.shape[0]} channels do not fit a block")


@dataclass(frozen=True, eq=False)
class Layer:
    """One convolution of stride 1.

    `sources` names inputs and earlier layers; several are concatenated by channel in this order. `weights` (O, I, k, k)
    of -1 and +1. Codes: `thresholds` (O, 3) int32 rising. Raw: `thresholds` None, real = scale * acc + bias, (O,) each.
    `pads` are rows and columns of zeros (top, bottom, left, right), 0 or 1. After a space-to-depth store a reader sees
    the channels in the order (row parity, column parity, channel).
    """

    name: str
    sources: tuple[str, ...]
    weights: NDArray[np.int8]
    thresholds: NDArray[np.int32] | None = None
    scale: NDArray[np.float32] | None = None
    bias: NDArray[np.float32] | None = None
    store: Store = Store.PLAIN
    pads: tuple[int, int, int, int] | None = None

    def __post_init__(self) -> None:
        expect_array(f"{self.name}.weights", self.weights, (None, None, self.k, self.k), np.int8)
        if self.k not in (1, 3) or not np.isin(self.weights, (-1, 1)).all():
            raise ValueError(f"{self.name}.weights: expected 1x1 or 3x3 of -1 and +1, got k = {self.k}")
        n_out = self.weights.shape[0]
        if self.thresholds is not None:
            expect_array(f"{self.name}.thresholds", self.thresholds, (n_out, 3), np.int32)
            if self.thresholds.min() < THRESHOLD_MIN or self.thresholds.max() > THRESHOLD_MAX:
                raise ValueError(f"{self.name}.thresholds: expected {THRESHOLD_MIN}..{THRESHOLD_MAX}")
            if (np.diff(self.thresholds, axis=1) < 0).any():
                raise ValueError(f"{self.name}.thresholds: expected t1 <= t2 <= t3 for every channel")
        elif self.scale is None or self.bias is None or self.store != Store.PLAIN:
            raise ValueError(f"{self.name}: a raw layer needs scale, bias and the plain store")
        else:
            expect_array(f"{self.name}.scale", self.scale, (n_out,), np.float32)
            expect_array(f"{self.name}.bias", self.bias, (n_out,), np.float32)

    @property
    def k(self) -> int:
        return int(self.weights.shape[-1])

    @property
    def is_raw(self) -> bool:
        return self.thresholds is None

    @property
    def zero_pads(self) -> tuple[int, int, int, int]:
        """Pads as given, else those that keep the size."""
        return self.pads if self.pads is not None else (self.k // 2,) * 4


@dataclass(frozen=True, eq=False)
class Network:
    """Layers in the order they run; `outputs` names the layers whose tensors leave the network."""

    name: str
    inputs: tuple[InputTensor, ...]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]

    def __post_init__(self) -> None:
        known = {tensor.name for tensor in self.inputs}
        if len(known) != len(self.inputs):
            raise ValueError(f"network {self.name}: two inputs have one name")
        raw = set()
        for layer in self.layers:
            for source in layer.sources:
                if source not in known or source in raw:
                    raise ValueError(f"{layer.name}: source {source} is not an input or an earlier layer of codes")
            if layer.name in known or not layer.sources:
                raise ValueError(f"{layer.name}: expected a new name and at least one source")
            known.add(layer.name)
            raw |= {layer.name} if layer.is_raw else set()
        names = {layer.name for layer in self.layers}
        read = {source for layer in self.layers for source in layer.sources}
        if not self.outputs or not set(self.outputs) <= names or len(set(self.outputs)) != len(self.outputs):
            raise ValueError(f"network {self.name}: outputs {self.outputs} are not different layers of it")
        unused = sorted(names - read - set(self.outputs)) + sorted({t.name for t in self.inputs} - read)
        if unused:
            raise ValueError(f"network {self.name}: nothing reads {', '.join(unused)}")
