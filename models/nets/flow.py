# SPDX-License-Identifier: Apache-2.0
"""The flow network: matching scores of two 96x128 pictures in, the motion of the first one's pixels out (PyTorch)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.flow_stem import CHANNELS
from models.lowbit.modules import Block, Convolution, Precision
from models.lowbit.quantizers import planes_of

WIDTH = 64
"""Channels of the first layer; the others are 1, 1.5 and 2 times as many."""
PARTS = 4
"""Motions of a cell: its quarters, in the order (row parity, column parity)."""
PLANES = 4
"""At low bits a motion is the sum of 4 outputs with weights of one bit; on 32 lanes they cost nothing."""
UNIT_PX = 8.0
"""What an output of 1 means."""


class FlowNet(nn.Module):
    """An encoder-decoder over 24x32 cells, the same shape at every precision; about 200 M multiply-adds at width 64.

    Down by a space-to-depth, up by the nearest neighbour, joined by concatenation (Dosovitskiy et al., "FlowNet", ICCV
    2015; Ronneberger et al., "U-Net", 2015).
    """

    def __init__(
        self,
        precision: Precision = Precision.FLOAT,
        width: int = WIDTH,
        planes: int = PLANES,
    ) -> None:
        """`planes` of the last layer at low bits; 0 gives it float weights, to see what they would gain."""
        super().__init__()
        near, middle, far = width, width * 3 // 2, width * 2
        self.precision, self.width = precision, width
        last = Precision.FLOAT if planes == 0 else precision
        self.planes = 1 if last == Precision.FLOAT else planes
        self.cells = Block(CHANNELS, near, 1, precision=precision)
        self.near = Block(near, near, 3, precision=precision)
        self.near_down = Block(near, near // 2, 3, precision=precision)
        self.to_middle = Block(near // 2, middle, 2, 2, precision=precision)
        self.middle = Block(middle, middle, 3, precision=precision)
        self.middle_down = Block(middle, near, 3, precision=precision)
        self.to_far = Block(near, far, 2, 2, precision=precision)
        self.far = Block(far, far, 3, precision=precision)
        self.far_up = Block(far, middle, 3, precision=precision)
        self.both_middle = Block(2 * middle, middle, 3, precision=precision)
        self.middle_up = Block(middle, near, 3, precision=precision)
        self.both_near = Block(2 * near, near, 3, precision=precision)
        self.last = Block(near, near, 3, precision=precision)
        self.motion = Convolution(near, self.planes * 2 * PARTS, 3, bias=True, precision=last)

    def forward(self, scores: Tensor) -> Tensor:
        """Return motions (N, 8, 24, 32) in UNIT_PX, channel 2 part + axis, of the stem's (N, 300, 24, 32), 0..1."""
        near = self.near(self.cells(scores))
        middle = self.middle(self.to_middle(self.near_down(near)))
        far = self.far_up(self.far(self.to_far(self.middle_down(middle))))
        middle = self.middle_up(self.both_middle(torch.cat([doubled(far), middle], 1)))
        near = self.last(self.both_near(torch.cat([doubled(middle), near], 1)))
        motion = cast(Tensor, self.motion(near))
        return motion if self.planes == 1 else motion.unflatten(1, (self.planes, -1)).sum(1)

    def start_from(self, state: dict[str, Tensor]) -> None:
        """Take the weights of a network of this shape, whose last layer may lack planes."""
        own = {}
        if len(state["motion.bias"]) != len(self.motion.weight):
            own["motion.weight"] = planes_of(state["motion.weight"], self.planes)
            own["motion.bias"] = state["motion.bias"].repeat(self.planes) / self.planes
        self.load_state_dict({**state, **own})

    def blocks(self) -> list[Block]:
        return [module for module in self.modules() if isinstance(module, Block)]


def doubled(x: Tensor) -> Tensor:
    """Return each pixel as 2x2 pixels."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")
