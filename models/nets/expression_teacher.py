# SPDX-License-Identifier: Apache-2.0
"""The expression network: a 48x48 grey face in, seven class scores out (PyTorch definition)."""

from __future__ import annotations

from typing import cast

from torch import Tensor, nn

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""The classes in FER2013's order."""

N_VOTES = 10
"""Columns of the FER+ votes: eight emotions, "unknown" and "not a face" (Barsoum et al., ICMI 2016)."""


def conv_norm_relu(inputs: int, outputs: int) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU: the only block that changes the number of channels."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
    )


class Residual(nn.Module):
    """Two 3x3 convolutions with a shortcut (He et al., CVPR 2016, the basic block)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.activation(x + self.body(x)))


class ExpressionNet(nn.Module):
    """About 0.7 M parameters and 72 M multiply-adds.

    The first layer is a space-to-depth (24x24x4), the last spatial layer a depthwise 6x6 convolution that weighs every
    place of an aligned face by itself (MobileFaceNet, Chen et al. 2018) instead of averaging them.
    `votes` is a second head on the FER+ votes; it only serves training and is not exported.
    """

    def __init__(self, widths: tuple[int, int, int] = (48, 96, 136), dropout: float = 0.3) -> None:
        super().__init__()
        narrow, middle, wide = widths
        self.features = nn.Sequential(
            nn.PixelUnshuffle(2),
            conv_norm_relu(4, narrow),
            Residual(narrow),
            nn.MaxPool2d(2),
            conv_norm_relu(narrow, middle),
            Residual(middle),
            nn.MaxPool2d(2),
            conv_norm_relu(middle, wide),
            Residual(wide),
            nn.Conv2d(wide, wide, 6, groups=wide, bias=False),
            nn.BatchNorm2d(wide),
            nn.Flatten(),
            nn.Dropout(dropout),
        )
        self.classes = nn.Linear(wide, len(CLASSES))
        self.votes = nn.Linear(wide, N_VOTES)

    def forward(self, image: Tensor) -> Tensor:
        """Return class logits (N, 7) of `image` (N, 1, 48, 48), grey levels scaled to -1..1."""
        return cast(Tensor, self.classes(self.features(image)))

    def both_heads(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (N, 7) and FER+ vote logits (N, 10)."""
        features = self.features(image)
        return self.classes(features), self.votes(features)
