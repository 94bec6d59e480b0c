# SPDX-License-Identifier: Apache-2.0
"""The expression network: a 48x48 grey face in, seven class scores out (PyTorch definition)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from models.lowbit.modules import Block, Convolution, Precision

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The classes in FER2013's order."""

N_VOTES = 10
"""Columns of the FER+ votes: eight emotions, "unknown" and "not a face" (Barsoum et al., ICMI 2016)."""

Shape = tuple[tuple[int, int, int], ...]
"""(channels, kernel, stride) of each block."""

SHAPE: Shape = (
    *((32, 6, 2), (64, 3, 1), (64, 3, 1)),  # 24x24 pixels
    *((96, 2, 2), (96, 3, 1), (96, 3, 1), (96, 3, 1)),  # 12x12
    *((160, 2, 2), (160, 3, 1), (128, 3, 1)),  # 6x6
)


class ExpressionNet(nn.Module):
    """About 0.9 M weights and 90 M multiply-adds, the same shape at every precision.

    The head is one 6x6 convolution over the last 6x6 pixels: every place of an aligned face has weights of its own.
    `votes` is a second head on the FER+ votes; it only serves training and is not exported.
    """

    def __init__(
        self,
        precision: Precision = Precision.FLOAT,
        shape: Shape = SHAPE,
        dropout: float = 0.3,
        first: Precision | None = None,
        last: Precision | None = None,
    ) -> None:
        """`first` and `last`: precision of the weights of the first layer and of the heads, when it is another one."""
        super().__init__()
        self.precision, self.shape = precision, shape
        inputs = (1, *(channels for channels, _, _ in shape))
        weights = [first or precision, *[precision] * (len(shape) - 1)]
        blocks = [
            Block(i, *form, precision=precision, weights=kind)
            for i, form, kind in zip(inputs, shape, weights, strict=False)
        ]
        self.features = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.classes = Convolution(inputs[-1], len(CLASSES), 6, bias=True, precision=last or precision)
        self.votes = Convolution(inputs[-1], N_VOTES, 6, bias=True, precision=last or precision)

    def forward(self, image: Tensor) -> Tensor:
        """Return class logits (N, 7) of `image` (N, 1, 48, 48), grey levels scaled to 0..1."""
        return cast(Tensor, self.classes(self.dropout(self.features(image)))).flatten(1)

    def both_heads(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (N, 7) and FER+ vote logits (N, 10)."""
        features = self.dropout(self.features(image))
        return self.classes(features).flatten(1), self.votes(features).flatten(1)
