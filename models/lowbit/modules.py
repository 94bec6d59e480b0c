# SPDX-License-Identifier: Apache-2.0
"""The layers of networks that the low-bit machine can run, in float or with 1-bit weights and 2-bit activations."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from models.lowbit.quantizers import binary_weight, four_level_weight, two_bit


class Precision(StrEnum):
    """How a layer computes: 32-bit floats, or weights of 1 or 2 bits and activations of 2 bits."""

    FLOAT = "float"
    W1A2 = "w1a2"
    W2A2 = "w2a2"
    """Only to explore what a second weight bit would gain: the machine has one."""


WEIGHTS: dict[Precision, Callable[[Tensor], Tensor]] = {
    Precision.FLOAT: lambda weight: weight,
    Precision.W1A2: binary_weight,
    Precision.W2A2: four_level_weight,
}


class Convolution(nn.Conv2d):
    """A convolution without bias, or with it as a raw last layer; (N, I, H, W) -> (N, O, H', W').

    Only forms that the machine has are legal. `kernel_size` 1 or 3 with stride 1; 2 or 6 with stride 2, which are
    a space-to-depth by 2 and then 1x1 or 3x3; 6 with stride 1 without padding on 6x6 pixels, a space-to-depth and
    then 3x3 without padding. The middle ones cost no multiplication more, and no pixel is moved on the processor.
    """

    LEGAL = ((1, 1, 0), (3, 1, 1), (2, 2, 0), (6, 2, 2), (6, 1, 0))

    def __init__(
        self, inputs: int, outputs: int, kernel: int, stride: int = 1, *, bias: bool, precision: Precision
    ) -> None:
        padding = {1: 0, 2: 0, 3: 1, 6: 2 if stride == 2 else 0}.get(kernel, -1)
        if (kernel, stride, padding) not in self.LEGAL:
            raise ValueError(
                f"convolution: expected one of (kernel, stride, padding) {self.LEGAL}, got {kernel, stride}"
            )
        super().__init__(inputs, outputs, kernel, stride, padding, bias=bias)
        self.precision = precision

    def forward(self, x: Tensor) -> Tensor:
        weight = WEIGHTS[self.precision](self.weight)
        return self._conv_forward(x, weight, self.bias)


class Activation(nn.Module):
    """ReLU, or its 2-bit form."""

    def __init__(self, precision: Precision) -> None:
        super().__init__()
        self.precision = precision

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(x, inplace=True) if self.precision == Precision.FLOAT else two_bit(x)


class Block(nn.Module):
    """Convolution, batch norm, activation: on the machine one layer, the last two folded into its thresholds.

    `weights` is the precision of the convolution when it is another one.
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        stride: int = 1,
        *,
        precision: Precision,
        weights: Precision | None = None,
    ) -> None:
        super().__init__()
        self.convolution = Convolution(
            inputs, outputs, kernel, stride, bias=False, precision=precision if weights is None else weights
        )
        self.norm = nn.BatchNorm2d(outputs)
        self.activation = Activation(precision)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.activation(self.norm(self.convolution(x))))
