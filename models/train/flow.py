# SPDX-License-Identifier: Apache-2.0
"""The recipe of the flow network: generated scenes (models.train.flow_scenes), other photos in validation."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from models.flow_stem import CELL_PX, CHANNELS, HEIGHT_PX, WIDTH_PX, open_kernels, stem
from models.lowbit.modules import Precision
from models.nets.flow import PLANES, UNIT_PX, FlowNet
from models.results import Image
from models.train import training
from models.train.flow_scenes import scenes

N_VALIDATION, VALIDATION_SEED = 500, 1
N_MEASURED_QUICKLY, N_MEASURED = 512, 4096
"""Training pairs that measure the batch norms for a line of the log, and at the end."""
PAIRS_AT_ONCE = 64
NEAR_0 = 1e-4
"""Under the root of the loss, (units)^2: the slope stays finite where the error is 0."""
GAIN, OFFSET, NOISE = 0.05, 5.0, 3.0
"""Most that half of the pairs are changed by: the second picture's gain and offset, both pictures' noise (levels)."""


@dataclass(frozen=True)
class Recipe(training.Recipe):
    """The recipe of the flow network; `width` is that of the first layer, `pairs` are drawn anew with each seed.

    `planes` of the last layer at low bits; 0 gives it float weights.
    """

    epochs: int = 8
    batch: int = 16
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    warmup_epochs: float = 0.25
    clip_norm: float = 1.0
    width: int = 64
    planes: int = PLANES
    pairs: int = 26_000


RECIPES = {
    Precision.FLOAT: Recipe(),
    Precision.W1A2: Recipe(precision=Precision.W1A2, weight_decay=0.0),
}
"""A w1a2 network starts from the weights of its float twin."""


@dataclass(frozen=True, eq=False)
class FlowPairs:
    """Grey pictures (N, 2, 96, 128) uint8 and the motion (N, 2, 96, 128) px of the first one's pixels."""

    grey: Tensor
    uv: Tensor  # float16


def draw_pairs(photos: list[Image], n: int, seed: int) -> FlowPairs:
    """Return `n` generated pairs, about 200 a second."""
    grey = torch.empty((n, 2, HEIGHT_PX, WIDTH_PX), dtype=torch.uint8)
    uv = torch.empty((n, 2, HEIGHT_PX, WIDTH_PX), dtype=torch.float16)
    for k, pair in enumerate(itertools.islice(scenes(photos, (WIDTH_PX, HEIGHT_PX), seed), n)):
        for j, rgb in enumerate((pair.first_rgb, pair.second_rgb)):
            grey[k, j] = torch.from_numpy(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))
        uv[k] = torch.from_numpy(pair.uv).permute(2, 0, 1)
    return FlowPairs(grey, uv)


def to_input(grey: Tensor) -> Tensor:
    """Return (N, 300, 24, 32) float32 in 0..1 of (N, 2, 96, 128) uint8: the stem of each pair."""
    scores = torch.empty((len(grey), CHANNELS, HEIGHT_PX // CELL_PX, WIDTH_PX // CELL_PX), dtype=torch.uint8)
    kernels = open_kernels()
    for target, (first, second) in zip(scores.numpy(), grey.numpy(), strict=True):
        target[:] = stem(np.ascontiguousarray(first), np.ascontiguousarray(second), kernels)
    return scores.float().div_(255)


def to_parts(uv: Tensor) -> Tensor:
    """Return what the network should give, (N, 8, 24, 32), for motions (N, 2, 96, 128) px: means over 2x2 pixels."""
    halves = functional.avg_pool2d(uv.float(), 2) / UNIT_PX
    n, _, height, width = halves.shape
    parts = halves.reshape(n, 2, height // 2, 2, width // 2, 2).permute(0, 3, 5, 1, 2, 4)
    return parts.reshape(n, 8, height // 2, width // 2)


def to_motion(parts: Tensor) -> Tensor:
    """Return motions (N, 2, 96, 128) px of the network's output, between its 48x64 places linearly."""
    n, _, height, width = parts.shape
    halves = parts.reshape(n, 2, 2, 2, height, width).permute(0, 3, 4, 1, 5, 2).reshape(n, 2, 2 * height, 2 * width)
    return functional.interpolate(halves * UNIT_PX, scale_factor=2, mode="bilinear", align_corners=False)


def augment(grey: Tensor, uv: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror each pair at random in both directions; change light and add noise to half of them."""
    grey, uv = grey.clone(), uv.clone()
    for axis, dim in ((0, -1), (1, -2)):
        chosen = torch.rand(len(grey)) < 0.5
        grey[chosen], uv[chosen] = grey[chosen].flip(dim), uv[chosen].flip(dim)
        uv[chosen, axis] *= -1
    chosen = torch.rand(len(grey)) < 0.5
    n = int(chosen.sum())
    changed = grey[chosen].float()
    gain, offset = (most * (2 * torch.rand(n, 1, 1) - 1) for most in (GAIN, OFFSET))
    changed[:, 1] = changed[:, 1] * (1 + gain) + offset
    changed += torch.randn(changed.shape) * NOISE * torch.rand(n, 1, 1, 1)
    grey[chosen] = changed.round().clamp(0, 255).byte()
    return grey, uv


class Training(training.Training):
    """A run on generated pairs; see the base class."""

    recipe: Recipe

    def __init__(self, recipe: Recipe, net: FlowNet, folder: Path, pairs: FlowPairs, validation: FlowPairs) -> None:
        self.pairs, self.validation = pairs, validation
        super().__init__(recipe, net, folder, len(pairs.grey))

    def loss(self, rows: Tensor) -> Tensor:
        """Return the mean end-point error in units, over all 48x64 places, hidden ones too."""
        grey, uv = augment(self.pairs.grey[rows], self.pairs.uv[rows])
        x = to_input(grey).to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, torch.bfloat16):
            parts = self.net(x)
        error = (parts.float() - to_parts(uv).to(self.device)).unflatten(1, (-1, 2))
        return (error.square().sum(2) + NEAR_0).sqrt().mean()

    def measure(self, net: nn.Module, is_last: bool) -> None:
        n = N_MEASURED if is_last else N_MEASURED_QUICKLY
        training.measure_norms(net, (to_input(part) for part in self.pairs.grey[:n].split(PAIRS_AT_ONCE)))

    def figures(self, net: nn.Module) -> dict[str, float]:
        return {"epe_px": round(end_point_error(net, self.validation), 4)}


def end_point_error(net: nn.Module, pairs: FlowPairs) -> float:
    """Return the mean distance (px of 96x128) between found and true motion over all pixels, hidden ones too."""
    return float(np.mean(list(end_point_errors(net, pairs))))


def end_point_errors(net: nn.Module, pairs: FlowPairs) -> Iterator[float]:
    net.eval()
    device = next(net.parameters()).device
    with torch.inference_mode():
        for grey, uv in zip(pairs.grey.split(PAIRS_AT_ONCE), pairs.uv.split(PAIRS_AT_ONCE), strict=True):
            found = to_motion(net(to_input(grey).to(device)).float().cpu())
            yield from (found - uv.float()).square().sum(1).sqrt().mean((1, 2)).tolist()
