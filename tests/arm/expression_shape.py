# SPDX-License-Identifier: Apache-2.0
"""The expression network's layers with random numbers: at low bits and, with equal multiplications, in float."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.lowbit.compiler import compile_network
from device.lowbit.descriptor import Store
from device.lowbit.layout import pack_codes
from device.lowbit.linker import link
from device.lowbit.network import InputTensor, Layer, Network
from device.lowbit.program import Bundle

N_CLASSES, COPIES, PLANES = 7, 7, 4
CODE_MEAN, CODE_DEVIATION = 1.5, 1.118
"""Of codes that are spread evenly over 0..3; `thresholds` keeps them so from layer to layer."""
QUARTILE = 0.6745
"""Of a normal distribution, in deviations from its mean."""

Array = NDArray[np.float32]

LOW_BIT_FORMS = (  # kernel, inputs, outputs, store
    (3, 4 * COPIES, 32, Store.PLAIN),
    (3, 32, 64, Store.PLAIN),
    (3, 64, 64, Store.SPACE_TO_DEPTH),
    (1, 256, 96, Store.PLAIN),
    (3, 96, 96, Store.PLAIN),
    (3, 96, 96, Store.PLAIN),
    (3, 96, 96, Store.SPACE_TO_DEPTH),
    (1, 384, 160, Store.PLAIN),
    (3, 160, 160, Store.PLAIN),
    (3, 160, 128, Store.SPACE_TO_DEPTH),
)


def low_bit_network(seed: int = 0) -> Network:
    """Return the network; its input is a 48x48 picture of 8 bits, space-to-depth while packing."""
    rng = np.random.default_rng(seed)
    layers, source, mean, deviation = [], "face", 127.5, 73.9
    for number, (k, n_in, n_out, store) in enumerate(LOW_BIT_FORMS, 1):
        weights = rng.choice(np.array([-1, 1], np.int8), (n_out, n_in, k, k))
        layer = Layer(f"conv{number}", (source,), weights, thresholds(weights, mean, deviation), store=store)
        layers.append(layer)
        source, mean, deviation = layer.name, CODE_MEAN, CODE_DEVIATION
    n_out = PLANES * N_CLASSES
    weights = rng.choice(np.array([-1, 1], np.int8), (n_out, 512, 3, 3))
    scale, bias = np.ones(n_out, np.float32), np.zeros(n_out, np.float32)
    layers.append(Layer("score", (source,), weights, scale=scale, bias=bias, pads=(0, 0, 0, 0)))
    return Network("expression", (InputTensor("face", (4, 24, 24), 4, COPIES),), tuple(layers), ("score",))


def thresholds(weights: NDArray[np.int8], mean: float, deviation: float) -> NDArray[np.int32]:
    """Return the quartiles of the sums over independent inputs of this mean and deviation."""
    centre = mean * weights.sum((1, 2, 3), dtype=np.float64)
    width = deviation * np.sqrt(weights[0].size)
    quartiles: NDArray[np.float64] = centre[:, None] + width * np.array([-QUARTILE, 0, QUARTILE])
    return np.round(quartiles).astype(np.int32)


def loaded_arena(network: Network, seed: int = 0) -> tuple[Bundle, NDArray[np.uint8], NDArray[np.uint32]]:
    """Return the linked network, an arena with a random input in it, and the descriptor words."""
    bundle = link([compile_network(network)])
    program = bundle.programs[network.name]
    arena = bundle.new_arena()
    rng = np.random.default_rng(seed)
    for port in program.inputs:
        values = rng.integers(0, 4**port.digits, port.shape)
        arena[port.offset : port.offset + port.n_bytes] = (
            pack_codes(values.repeat(port.copies, 0), port.digits).view(np.uint8).reshape(-1)
        )
    return bundle, arena, bundle.words(program)


@dataclass(frozen=True, eq=False)
class FloatLayer:
    """A float convolution: `weights` (O, I, k, k), `bias` (O,), rows and columns of its input."""

    name: str
    weights: Array
    bias: Array
    stride: int
    pad: int
    in_hw: tuple[int, int]
    is_relu: bool = True

    @property
    def out_hw(self) -> tuple[int, int]:
        height, width = ((n + 2 * self.pad - int(self.weights.shape[-1])) // self.stride + 1 for n in self.in_hw)
        return height, width

    @property
    def macs(self) -> int:
        return int(self.weights.size) * self.out_hw[0] * self.out_hw[1]


FLOAT_FORMS = (  # kernel, stride, pad, inputs, outputs
    (6, 2, 2, 1, 32),
    (3, 1, 1, 32, 64),
    (3, 1, 1, 64, 64),
    (2, 2, 0, 64, 96),
    (3, 1, 1, 96, 96),
    (3, 1, 1, 96, 96),
    (3, 1, 1, 96, 96),
    (2, 2, 0, 96, 160),
    (3, 1, 1, 160, 160),
    (3, 1, 1, 160, 128),
    (6, 1, 0, 128, N_CLASSES),
)


def float_layers(seed: int = 0) -> tuple[FloatLayer, ...]:
    """Return the float twin; its input is a 48x48 picture."""
    rng = np.random.default_rng(seed)
    layers: list[FloatLayer] = []
    for number, form in enumerate(FLOAT_FORMS, 1):
        is_last = number == len(FLOAT_FORMS)
        in_hw = layers[-1].out_hw if layers else (48, 48)
        layers.append(float_layer(rng, "score" if is_last else f"conv{number}", form, in_hw, not is_last))
    return tuple(layers)


def float_layer(
    rng: np.random.Generator,
    name: str,
    form: tuple[int, int, int, int, int],
    in_hw: tuple[int, int],
    is_relu: bool = True,
) -> FloatLayer:
    """Return a layer of (kernel, stride, pad, inputs, outputs) with random numbers."""
    k, stride, pad, n_in, n_out = form
    weights = (rng.standard_normal((n_out, n_in, k, k)) * np.sqrt(2 / (n_in * k * k))).astype(np.float32)
    bias = (rng.standard_normal(n_out) * 0.1).astype(np.float32)
    return FloatLayer(name, weights, bias, stride, pad, in_hw, is_relu)


def float_input(layer: FloatLayer, seed: int = 0) -> Array:
    """Return a random (C, H, W) input of `layer`."""
    return np.random.default_rng(seed).random((int(layer.weights.shape[1]), *layer.in_hw)).astype(np.float32)


def evaluate_float(layers: Sequence[FloatLayer], x: Array) -> NDArray[np.float64]:
    """Return the (C, H, W) output in float64, tap by tap."""
    known = x.astype(np.float64)
    for layer in layers:
        padded = np.pad(known, ((0, 0), (layer.pad,) * 2, (layer.pad,) * 2))
        k, (height, width) = int(layer.weights.shape[-1]), layer.out_hw
        known = np.broadcast_to(layer.bias.astype(np.float64)[:, None, None], (len(layer.bias), height, width))
        for ky in range(k):
            for kx in range(k):
                window = padded[:, ky :: layer.stride, kx :: layer.stride][:, :height, :width]
                known = known + np.einsum("oi,ihw->ohw", layer.weights[:, :, ky, kx].astype(np.float64), window)
        known = np.maximum(known, 0) if layer.is_relu else known
    return known
