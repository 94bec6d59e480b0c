# SPDX-License-Identifier: Apache-2.0
"""Two small networks with every store mode, a concatenation and bands of rows, and their arithmetic by channel."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.lowbit.descriptor import Store
from device.lowbit.layout import pack_codes, unpack_codes, unpack_raw, up4
from device.lowbit.network import InputTensor, Layer, Network
from device.lowbit.program import Bundle, Port, Program

Values = NDArray[np.int64]


def codes(
    rng: np.random.Generator, name: str, sources: tuple[str, ...], io: tuple[int, int], k: int = 3, **more: Any
) -> Layer:
    """Return a layer of `io` = (inputs, outputs) channels with random numbers."""
    n_in, n_out = io
    weights = rng.choice(np.array([-1, 1], np.int8), (n_out, n_in, k, k))
    spread = more.pop("spread", 2) * k * max(1, int(np.sqrt(n_in)))
    thresholds = np.sort(rng.integers(-spread, spread + 1, (n_out, 3)), axis=1).astype(np.int32)
    return Layer(name, sources, weights, thresholds, **more)


def raw(rng: np.random.Generator, name: str, sources: tuple[str, ...], io: tuple[int, int], k: int = 1) -> Layer:
    n_in, n_out = io
    weights = rng.choice(np.array([-1, 1], np.int8), (n_out, n_in, k, k))
    scale, bias = rng.random(n_out).astype(np.float32), rng.random(n_out).astype(np.float32)
    return Layer(name, sources, weights, scale=scale, bias=bias)


def pyramid(seed: int = 0) -> Network:
    """Down, down, up, concatenate, two outputs; no channel count is a multiple of 32."""
    rng = np.random.default_rng(seed)
    layers = (
        codes(rng, "conv1", ("image",), (3, 20), spread=100, store=Store.SPACE_TO_DEPTH),
        codes(rng, "conv2", ("conv1",), (80, 33)),
        codes(rng, "conv3", ("conv2",), (33, 40), store=Store.SPACE_TO_DEPTH),
        codes(rng, "up", ("conv3",), (160, 5), k=1, store=Store.UPSAMPLE),
        codes(rng, "fuse", ("conv2", "up"), (38, 12)),
        raw(rng, "score", ("fuse",), (12, 7)),
    )
    return Network("pyramid", (InputTensor("image", (3, 12, 20), 4),), layers, ("score", "fuse"))


def tall(seed: int = 1) -> Network:
    """One layer of each kind on an image that does not fit the machine: bands of rows."""
    rng = np.random.default_rng(seed)
    layers = (
        codes(rng, "conv1", ("image",), (2, 8), spread=100, pads=(1, 1, 0, 1)),
        codes(rng, "half", ("image",), (2, 9), spread=100, store=Store.SPACE_TO_DEPTH),
        codes(rng, "twice", ("image",), (2, 3), k=1, spread=100, store=Store.UPSAMPLE),
        raw(rng, "sums", ("image",), (2, 4), k=3),
        raw(rng, "mean", ("conv1",), (8, 2), k=3),
        raw(rng, "small", ("half",), (36, 1)),
    )
    return Network("tall", (InputTensor("image", (2, 150, 60), 4),), layers, ("twice", "sums", "mean", "small"))


def evaluate(network: Network, inputs: dict[str, Values]) -> dict[str, Values]:
    """Return the tensor of every layer by channel: codes after the store mode, or raw sums."""
    known = dict(inputs)
    for layer in network.layers:
        top, bottom, left, right = layer.zero_pads
        x = np.concatenate([known[name] for name in layer.sources])
        x = np.pad(x, ((0, 0), (top, bottom), (left, right)))
        height, width = x.shape[1] - layer.k + 1, x.shape[2] - layer.k + 1
        acc = np.zeros((layer.weights.shape[0], height, width), np.int64)
        for ky in range(layer.k):
            for kx in range(layer.k):
                window = x[:, ky : ky + height, kx : kx + width].astype(np.int64)
                acc += np.einsum("oi,ihw->ohw", layer.weights[:, :, ky, kx].astype(np.int64), window)
        if layer.thresholds is None:
            known[layer.name] = acc
            continue
        code = (acc[:, None] >= layer.thresholds[:, :, None, None]).sum(1)
        if layer.store == Store.SPACE_TO_DEPTH:
            code = np.concatenate([code[:, dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)])
        elif layer.store == Store.UPSAMPLE:
            code = code.repeat(2, 1).repeat(2, 2)
        known[layer.name] = code
    return known


def random_inputs(network: Network, seed: int) -> dict[str, Values]:
    rng = np.random.default_rng(seed)
    return {tensor.name: rng.integers(0, 4**tensor.digits, tensor.shape) for tensor in network.inputs}


def write_inputs(arena: NDArray[np.uint8], program: Program, inputs: dict[str, Values], slot: int = 0) -> None:
    for port in program.inputs:
        start = port.offset + slot * port.slot_pitch
        arena[start : start + port.n_bytes] = pack_codes(inputs[port.name], port.digits).view(np.uint8).reshape(-1)


def read_output(arena: NDArray[np.uint8], port: Port, slot: int = 0) -> NDArray[Any]:
    start = port.offset + slot * port.slot_pitch
    stored = arena[start : start + port.n_bytes]
    channels, height, width = port.shape
    if port.raw:
        return unpack_raw(stored.view("<i4").reshape(-1, height, up4(width), 32), width)[:channels]
    return unpack_codes(stored.view("<u8").reshape(-1, 1, height, up4(width)), width)[:channels]


def check_program(bundle: Bundle, network: Network, arena: NDArray[np.uint8], inputs: dict[str, Values]) -> None:
    """Assert that all outputs in slot 0 are those of the arithmetic by channel."""
    expected = evaluate(network, inputs)
    for port in bundle.programs[network.name].outputs:
        assert np.array_equal(read_output(arena, port), expected[port.name]), port.name
