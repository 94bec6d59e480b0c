# SPDX-License-Identifier: Apache-2.0
"""PyTorch network -> float32 .tflite (NHWC) -> static int8 .tflite, with a lint that refuses Transpose operators."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray
from torch import Tensor, nn

from device.errors import AppError
from models.nets.expression import ExpressionNet


class ConversionError(AppError):
    """A converted network that must not be used."""


class Deployed(nn.Module):
    """The expression network as it is exported: class probabilities, without dropout and the votes."""

    def __init__(self, net: ExpressionNet) -> None:
        super().__init__()
        self.features, self.classes = net.features, net.classes

    def forward(self, image: Tensor) -> Tensor:
        return torch.softmax(self.classes(self.features(image)).flatten(1), 1)


def operators(path: Path) -> Counter[str]:
    """Count the operators of a .tflite file by name."""
    interpreter: Any = Interpreter(model_path=str(path))
    return Counter(op["op_name"] for op in interpreter._get_ops_details())


def refuse_transposes(path: Path) -> None:
    """Raise ConversionError when the graph holds a TRANSPOSE: it costs more than the layers around it."""
    n_transposes = operators(path)["TRANSPOSE"]
    if n_transposes:
        raise ConversionError(f"{path} holds {n_transposes} TRANSPOSE operators, expected none; keep the graph NHWC")


def to_float(
    net: nn.Module, shape_nhwc: tuple[int, int, int, int], path: Path, image_outputs: tuple[int, ...] = ()
) -> None:
    """Write `net` (NCHW in PyTorch) as a float32 file that takes NHWC, and gives NHWC at `image_outputs`."""
    import litert_torch  # takes seconds to import

    channels_last = litert_torch.to_channel_last_io(net.eval(), args=[0], outputs=list(image_outputs))
    litert_torch.convert(channels_last, (torch.zeros(shape_nhwc),)).export(str(path))
    refuse_transposes(path)


def to_int8(float_path: Path, samples: Iterable[NDArray[np.float32]], path: Path, percent: float = 99) -> None:
    """Quantise weights (per channel) and activations to int8 with ranges taken from `samples` (network inputs).

    The quantiser's own calibration averages the extremes of the samples, which clips half of them. Here each tensor's
    range holds the extremes of `percent` of the samples: with 99 the median change of an expression's probability fell
    from 0.025 to 0.005.
    """
    from ai_edge_quantizer import quantizer, recipe

    def job() -> Any:
        return quantizer.Quantizer(str(float_path), recipe.static_wi8_ai8())

    found = [job().calibrate({"serving_default": [{"args_0": sample}]}) for sample in samples]
    job().quantize(joint_ranges(found, percent)).export_model(str(path), overwrite=True)
    refuse_transposes(path)


def joint_ranges(found: list[dict[str, dict[str, Any]]], percent: float) -> dict[str, dict[str, Any]]:
    """Return the ranges {tensor: {"min", "max", ...}} that hold the extremes of `percent` of the samples."""
    at = {"min": 100 - percent, "max": percent}
    joint: dict[str, dict[str, Any]] = {}
    for tensor, first in found[0].items():
        joint[tensor] = dict(first)
        for name in at.keys() & first.keys():
            extremes = np.stack([ranges[tensor][name] for ranges in found])
            joint[tensor][name] = np.percentile(extremes, at[name], axis=0).astype(extremes.dtype)
    return joint
