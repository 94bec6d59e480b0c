# SPDX-License-Identifier: Apache-2.0
"""How long a network of the explorer takes here, one face on one thread, each part on the backend it needs."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from torch import Tensor, nn

from device.lowbit.compiler import compile_network
from device.lowbit.library import open_library
from device.lowbit.linker import link
from device.lowbit.network import InputTensor, Network
from device.tflite import TfliteBackend
from models.convert.tflite import Deployed, to_float
from models.lowbit.fold import fold
from models.lowbit.modules import Precision
from models.nets.expression import ExpressionNet

REPEATS = 100


class First(nn.Module):
    """The first layer alone, ending in a ReLU."""

    def __init__(self, net: ExpressionNet) -> None:
        super().__init__()
        block = net.features[0]
        self.convolution, self.norm = block.convolution, block.norm

    def forward(self, image: Tensor) -> Tensor:
        return nn.functional.relu(self.norm(self.convolution(image)))


class Last(nn.Module):
    """The class head alone."""

    def __init__(self, net: ExpressionNet) -> None:
        super().__init__()
        self.classes = net.classes

    def forward(self, features: Tensor) -> Tensor:
        return nn.functional.softmax(self.classes(features).flatten(1), 1)


def latency_ms(net: ExpressionNet) -> float:
    """Return the median ms of one face: LiteRT for float layers, the C kernels for the others.

    Leaves out the turning of float activations into codes between the two. A second weight bit doubles the popcounts:
    it is given the time of the program twice, since the machine has no such layers.
    """
    net = net.eval()
    if net.precision == Precision.FLOAT:
        return tflite_ms(Deployed(net), (1, 48, 48, 1))
    first, last = (layer.precision == Precision.FLOAT for layer in (net.features[0].convolution, net.classes))
    ms = (2 if net.precision == Precision.W2A2 else 1) * program_ms(without_ends(fold(net), first, last))
    ms += tflite_ms(First(net), (1, 48, 48, 1), (0,)) if first else 0
    ms += tflite_ms(Last(net), (1, 6, 6, net.classes.in_channels)) if last else 0
    return ms


def without_ends(network: Network, first: bool, last: bool) -> Network:
    """Return the network without its first layer, its last layer, or both."""
    layers, inputs = network.layers, network.inputs
    if first:
        shape = (layers[1].weights.shape[1], inputs[0].shape[1], inputs[0].shape[2])
        inputs, layers = (InputTensor(layers[0].name, shape, digits=1),), layers[1:]
    layers = layers[:-1] if last else layers
    return Network(network.name, inputs, layers, (layers[-1].name,))


def program_ms(network: Network) -> float:
    """Return the median ms of the compiled network on an arena of zeros."""
    bundle = link([compile_network(network)])
    words = bundle.words(bundle.programs[network.name])
    arena = np.zeros(bundle.arena_bytes, np.uint8)
    arena[: bundle.image.size] = bundle.image
    library = open_library()
    return median_ms(lambda: library.run(arena, words))


def tflite_ms(part: nn.Module, shape_nhwc: tuple[int, int, int, int], image_outputs: tuple[int, ...] = ()) -> float:
    """Return the median ms of `part` as a float file in LiteRT."""
    with tempfile.TemporaryDirectory() as folder:
        to_float(part.eval(), shape_nhwc, Path(folder) / "part.tflite", image_outputs)
        backend = TfliteBackend(Path(folder) / "part.tflite")
        values = {backend.inputs[0].name: np.random.default_rng(0).random(shape_nhwc, np.float32)}
        return median_ms(lambda: backend.run(values))


def median_ms(call: Callable[[], object]) -> float:
    for _ in range(10):
        call()
    times = []
    for _ in range(REPEATS):
        start_ns = time.perf_counter_ns()
        call()
        times.append((time.perf_counter_ns() - start_ns) / 1e6)
    return statistics.median(times)
