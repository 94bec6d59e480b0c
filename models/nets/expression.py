# SPDX-License-Identifier: Apache-2.0
"""The expression network: a 48x48 grey face in, seven class scores out (PyTorch definition)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

from models.lowbit.modules import Block, Convolution, Precision
from models.lowbit.quantizers import copies_of, planes_of

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


COPIES, PLANES = 7, 4
"""At low bits the first layer sees the face 7 times and the head gives 4 sums a class, all with weights of one bit.

The copies' weights add up to one of eight levels, the planes' to one of sixteen. On a machine that works on 32 inputs
and 32 outputs at a time both are free: a face has 4 quarters to see, and there are 7 classes.
"""


class ExpressionNet(nn.Module):
    """About 0.9 M weights and 90 M multiply-adds, the same shape at every precision.

    The head is one 6x6 convolution over the last 6x6 pixels: every place of an aligned face has weights of its own.
    With weights of few bits the first layer sees `copies` of the face, and the head has `planes` times the outputs: a
    class score is the sum over its planes.
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
        self.copies = 1 if (first or precision) == Precision.FLOAT else COPIES
        inputs = (self.copies, *(channels for channels, _, _ in shape))
        weights = [first or precision, *[precision] * (len(shape) - 1)]
        blocks = [
            Block(i, *form, precision=precision, weights=kind)
            for i, form, kind in zip(inputs, shape, weights, strict=False)
        ]
        self.features = nn.Sequential(*blocks)
        self.dropout = nn.Dropout(dropout)
        self.planes = 1 if (last or precision) == Precision.FLOAT else PLANES
        self.classes = Convolution(inputs[-1], self.planes * len(CLASSES), 6, bias=True, precision=last or precision)
        self.votes = Convolution(inputs[-1], N_VOTES, 6, bias=True, precision=last or precision)

    def forward(self, image: Tensor) -> Tensor:
        """Return class logits (N, 7) of `image` (N, 1, 48, 48), grey levels scaled to 0..1."""
        return self._scores(self._seen(image))

    def both_heads(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (N, 7) and FER+ vote logits (N, 10)."""
        features = self._seen(image)
        return self._scores(features), self.votes(features).flatten(1)

    def _seen(self, image: Tensor) -> Tensor:
        return cast(Tensor, self.dropout(self.features(image.expand(-1, self.copies, -1, -1))))

    def _scores(self, features: Tensor) -> Tensor:
        """Return the classes' sums over the planes of the head, (N, 7)."""
        return cast(Tensor, self.classes(features)).flatten(1).unflatten(1, (self.planes, -1)).sum(1)

    def start_from(self, state: dict[str, Tensor]) -> None:
        """Take the weights of a network of this shape, whose first and last layer may lack copies and planes."""
        first, head, bias = "features.0.convolution.weight", "classes.weight", "classes.bias"
        own = {}
        if state[first].shape[1] != self.copies:
            own[first] = copies_of(state[first], self.copies)
        if len(state[bias]) != len(self.classes.weight):
            own[head] = planes_of(state[head], self.planes)
            own[bias] = state[bias].repeat(self.planes) / self.planes
        self.load_state_dict({**state, **own})
