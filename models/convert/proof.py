# SPDX-License-Identifier: Apache-2.0
"""`python -m models.convert.proof`: PyTorch, QONNX and the low-bit machine give the same integers, layer by layer.

The three share the trained parameters and no arithmetic: PyTorch runs the network as it is trained, in float64; the
`qonnx` package runs an export of the parameters; the emulator runs the folded, compiled and linked program. Compared
are the codes 0..3 of every layer, the raw sums of the last one, and the class. Prints JSON; exit code 1 if they differ.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from torch import Tensor

from device.errors import AppError
from device.lowbit.compiler import compile_network
from device.lowbit.descriptor import ErrorCode, Store
from device.lowbit.emulator import Arena, run
from device.lowbit.layout import LANES, blocks, pack_codes, unpack_codes, unpack_raw, up4
from device.lowbit.linker import link
from device.lowbit.network import Layer, Network
from device.lowbit.program import Port
from models.card import WEIGHTS
from models.convert.qonnx_export import INPUT, OUTPUT, export_qonnx
from models.lowbit.fold import fold
from models.lowbit.quantizers import MAX_CODE, STEP, weight_scale
from models.lowbit.trained import load_trained
from models.nets.expression import CLASSES, ExpressionNet
from models.train.fer2013 import load_faces

Grey = NDArray[np.uint8]
"""(N, 48, 48) grey levels."""

BATCH = 50
"""Faces at a time: 50 need about 150 MB."""

WHOLE = 1e-6
"""How far from a whole number a float64 result may lie that stands for one."""


class ProofError(AppError):
    """A computation whose results are not the integers that are to be compared."""


@dataclass(frozen=True, eq=False)
class Trace:
    """What one implementation computed of N faces.

    `values` by layer: codes (N, C, H, W), in the last layer raw sums (N, 7 * planes, 1, 1). `scores` (N, 7) real.
    `margin`: the smallest distance of an activation to where its code changes, in steps, where it is known.
    """

    values: dict[str, NDArray[np.integer[Any]]]
    scores: NDArray[np.floating[Any]]
    margin: float = np.inf


class Trained:
    """The PyTorch network in eval mode and float64."""

    def __init__(self, net: ExpressionNet) -> None:
        self.net = copy.deepcopy(net).double().eval()
        self._seen: dict[str, Tensor] = {}
        self._margins: list[float] = []
        for number, block in enumerate(self.net.features, 1):
            block.register_forward_hook(self._keep(f"conv{number}"))
            block.activation.register_forward_pre_hook(self._measure)
        self.net.classes.register_forward_hook(self._keep("score"))

    def __call__(self, grey: Grey) -> Trace:
        self._seen.clear()
        self._margins.clear()
        with torch.inference_mode():
            scores = self.net(torch.from_numpy(grey).double()[:, None] / 255).numpy()
            head = self.net.classes
            assert head.bias is not None
            result = self._seen.pop("score")
            values = {name: whole(name, value / STEP) for name, value in self._seen.items()}
            sums = (result - head.bias[:, None, None]) / (weight_scale(head.weight)[:, 0] * STEP)
        return Trace({**values, "score": whole("score", sums)}, scores, min(self._margins))

    def _keep(self, name: str) -> Any:
        def hook(_module: Any, _inputs: Any, output: Tensor) -> None:
            self._seen[name] = output

        return hook

    def _measure(self, _module: Any, inputs: tuple[Tensor]) -> None:
        position = inputs[0] / STEP + 0.5
        self._margins.append(float((position - position.round().clamp(1, MAX_CODE)).abs().min()))


class Exported:
    """The QONNX file of a network, executed by the `qonnx` package; its batch is fixed, so faces are filled up."""

    def __init__(self, net: ExpressionNet, batch: int = BATCH) -> None:
        self.batch = batch
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "net.onnx"
            export_qonnx(net, path, batch)
            self.model = ModelWrapper(str(path))
        self.codes = [f"conv{number}" for number in range(1, len(net.features) + 1)]

    def __call__(self, grey: Grey) -> Trace:
        face = np.zeros((self.batch, 1, *grey.shape[1:]), np.float32)
        face[: len(grey), 0] = grey
        found = execute_onnx(self.model, {INPUT: face}, return_full_exec_context=True)
        values = {name: whole(name, torch.from_numpy(found[name])) for name in self.codes}
        values["score"] = whole("score", torch.from_numpy(found["score.sum"]))
        return Trace({name: value[: len(grey)] for name, value in values.items()}, found[OUTPUT][: len(grey)])


class Emulated:
    """The emulator on the compiled program, every layer made an output so that it can be read."""

    def __init__(self, network: Network) -> None:
        self.layers = network.layers
        everything = replace(network, outputs=tuple(layer.name for layer in network.layers))
        bundle = link([compile_network(everything)])
        self.program = bundle.programs[network.name]
        self.words, self.arena = bundle.words(self.program), bundle.new_arena()

    def __call__(self, grey: Grey) -> Trace:
        rows = [self._run(image) for image in grey]
        values = {layer.name: np.stack([row[layer.name] for row in rows]) for layer in self.layers}
        last = self.layers[-1]
        assert last.scale is not None
        assert last.bias is not None
        planes = values[last.name][:, :, 0, 0] * last.scale + last.bias
        return Trace(values, planes.reshape(len(grey), -1, len(CLASSES)).sum(1))

    def _run(self, image: NDArray[np.uint8]) -> dict[str, NDArray[np.integer[Any]]]:
        quarters = np.stack([image[dy::2, dx::2] for dy in (0, 1) for dx in (0, 1)])
        (port,) = self.program.inputs
        copies = quarters.repeat(port.copies, axis=0)
        self.arena[port.offset : port.offset + port.n_bytes] = (
            pack_codes(copies, port.digits).view(np.uint8).reshape(-1)
        )
        code = run(self.arena, self.words)
        if code != ErrorCode.OK:
            raise ProofError(f"the emulator answered {code.name}, expected OK; check the compiled program")
        ports = zip(self.layers, self.program.outputs, strict=True)
        return {layer.name: read_layer(self.arena, layer, port) for layer, port in ports}


def read_layer(arena: Arena, layer: Layer, port: Port) -> NDArray[np.integer[Any]]:
    """Return what `layer` stored as (C, H, W), the four quarters of a space-to-depth store put together again."""
    stored, (_, height, width) = arena[port.offset : port.offset + port.n_bytes], port.shape
    channels = layer.weights.shape[0]
    if port.raw:
        # A copy: of one pixel unpack_raw returns a view of the arena, which the next face overwrites.
        return unpack_raw(stored.view("<i4").reshape(-1, height, up4(width), LANES), width)[:channels].copy()
    codes = unpack_codes(stored.view("<u8").reshape(-1, 1, height, up4(width)), width)
    if layer.store != Store.SPACE_TO_DEPTH:
        return codes[:channels]
    quarters = codes.reshape(2, 2, blocks(channels) * LANES, height, width)[:, :, :channels]
    return quarters.transpose(2, 3, 0, 4, 1).reshape(channels, 2 * height, 2 * width)


def whole(name: str, value: Tensor) -> NDArray[np.int32]:
    """Return the whole numbers that `value` stands for; raises ProofError when one lies off."""
    near = value.round()
    off = float((value - near).abs().max())
    if not off < WHOLE:  # NaN too
        raise ProofError(f"{name}: expected whole numbers, found one that is {off:.3g} off; check the export")
    return near.to(torch.int32).numpy()


@dataclass
class Tally:
    """Differences of one implementation to the machine, summed over batches."""

    mismatches: dict[str, int] = field(default_factory=dict)
    same_class: int = 0
    seconds: float = 0.0

    def add(self, found: Trace, expected: Trace) -> None:
        if found.values.keys() != expected.values.keys():
            raise ProofError(f"expected the layers {', '.join(expected.values)}, found {', '.join(found.values)}")
        for name, value in expected.values.items():
            if found.values[name].shape != value.shape:
                raise ProofError(f"{name}: expected the shape {value.shape}, found {found.values[name].shape}")
            self.mismatches[name] = self.mismatches.get(name, 0) + int((found.values[name] != value).sum())
        self.same_class += int((found.scores.argmax(1) == expected.scores.argmax(1)).sum())


def batches(grey: Grey, size: int) -> Iterator[Grey]:
    """Yield `grey` in parts of at most `size` faces."""
    yield from (grey[start : start + size] for start in range(0, len(grey), size))


def prove(net: ExpressionNet, grey: Grey, network: Network | None = None, batch: int = BATCH) -> dict[str, Any]:
    """Return the report of comparing the folded `net` (or `network` in its place) with `net` by PyTorch and QONNX."""
    network = network if network is not None else fold(net)
    machine = Emulated(network)
    others: dict[str, Callable[[Grey], Trace]] = {"pytorch": Trained(net), "qonnx": Exported(net, batch)}
    tallies = {name: Tally() for name in others}
    share, margin, machine_s = np.zeros(MAX_CODE + 1), np.inf, 0.0
    for part in batches(grey, batch):
        start = time.perf_counter()
        expected = machine(part)
        machine_s += time.perf_counter() - start
        for layer in network.layers[:-1]:
            share += np.bincount(expected.values[layer.name].ravel(), minlength=MAX_CODE + 1)
        for name, other in others.items():
            start = time.perf_counter()
            found = other(part)
            tallies[name].seconds += time.perf_counter() - start
            tallies[name].add(found, expected)
            margin = min(margin, found.margin)
    seconds = {"machine": machine_s, **{name: tally.seconds for name, tally in tallies.items()}}
    return {
        "faces": len(grey),
        "layers": len(network.layers),
        "values": int(share.sum()) + len(grey) * len(network.layers[-1].weights),
        "codes": [round(float(part), 3) for part in share / share.sum()],
        "mismatches": {name: tally.mismatches for name, tally in tallies.items()},
        "same_class": {name: tally.same_class / len(grey) for name, tally in tallies.items()},
        "margin_steps": margin,
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "versions": {name: version(name) for name in ("torch", "qonnx", "onnxruntime")},
    }


def is_equal(report: dict[str, Any]) -> bool:
    """Tell whether every value and every class is the same."""
    n_wrong = sum(sum(layers.values()) for layers in report["mismatches"].values())
    return n_wrong == 0 and all(share == 1 for share in report["same_class"].values())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m models.convert.proof", description=__doc__)
    parser.add_argument("--weights", type=Path, default=WEIGHTS / "expression_w1a2.npz", help="or weights.pt of a run")
    parser.add_argument("--data", type=Path, help="train_public.npz (default: $EDGE_DATA/fer2013/train_public.npz)")
    parser.add_argument("--faces", type=int, default=500, help="PublicTest faces, evenly spread")
    arguments = parser.parse_args()
    data = arguments.data or Path(os.environ.get("EDGE_DATA", "../shared/data")) / "fer2013/train_public.npz"
    if arguments.faces < 1:
        parser.error(f"--faces: expected 1 or more, got {arguments.faces}")
    for path in (arguments.weights, data):
        if not path.exists():
            parser.error(f"{path} is not here; train first (python -m models.train), or set EDGE_DATA")
    try:
        image = load_faces(data)[1].image.numpy()
        rows = np.linspace(0, len(image) - 1, min(arguments.faces, len(image))).astype(int)
        report = prove(load_trained(arguments.weights), image[rows])
    except AppError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(report, indent=2))
    return 0 if is_equal(report) else 1


if __name__ == "__main__":
    sys.exit(main())
