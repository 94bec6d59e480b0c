# SPDX-License-Identifier: Apache-2.0
"""What the cards of all networks that are trained here share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

BACKEND = {"float": "cpu", "int8": "cpu", "w1a2": "lowbit"}
"""What measures each file."""
TFLITE_BITS: dict[str, dict[str, int | str]] = {
    "float": {"weights": 32, "activations": 32, "first layer": 32, "last layer": 32},
    "int8": {"weights": 8, "activations": 8, "first layer": 8, "last layer": 8},
}
"""What the .tflite files compute with."""


def multiply_adds(net: nn.Module, x: Tensor) -> int:
    """Return those of the convolutions of `net`, in eval mode, for the input `x`."""
    macs = 0

    def add(layer: Any, _inputs: Any, output: Any) -> None:
        nonlocal macs
        macs += layer.weight[0].numel() * output.numel()

    hooks = [m.register_forward_hook(add) for m in net.modules() if isinstance(m, nn.Conv2d)]
    with torch.inference_mode():
        net(x)
    for hook in hooks:
        hook.remove()
    return macs
