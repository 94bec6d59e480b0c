# SPDX-License-Identifier: Apache-2.0
"""A residual expression network that teaches the one that is shipped; it needs no machine but PyTorch."""

from __future__ import annotations

from torch import Tensor, nn

from models.nets.expression import CLASSES, N_VOTES


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
        out: Tensor = self.activation(x + self.body(x))
        return out


class ExpressionTeacher(nn.Module):
    """About 0.7 M parameters and 72 M multiply-adds, with residual adds, max pooling and a depthwise layer.

    The first layer is a space-to-depth (24x24x4), the last spatial layer a depthwise 6x6 convolution that weighs every
    place of an aligned face by itself (MobileFaceNet, Chen et al. 2018) instead of averaging them.
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
        """Return class logits (N, 7) of `image` (N, 1, 48, 48), grey levels scaled to 0..1."""
        return self.both_heads(image)[0]

    def both_heads(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Return class logits (N, 7) and FER+ vote logits (N, 10)."""
        features = self.features(image * 2 - 1)
        return self.classes(features), self.votes(features)
