# SPDX-License-Identifier: Apache-2.0
"""Quantisers of weights and activations, and their straight-through gradients (Bengio et al. 2013)."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function

STEP = 0.538
"""Distance of two activation codes: the best uniform 2-bit quantiser of a rectified unit normal, which is what batch
norm puts in front of it (half-wave Gaussian quantisation, Cai et al., CVPR 2017, table 1)."""

MAX_CODE = 3


class Sign(Function):
    """w -> -1 or +1 (0 counts as +1); the gradient passes unchanged."""

    @staticmethod
    def forward(context: Any, weight: Tensor) -> Tensor:
        return torch.where(weight >= 0, 1.0, -1.0).to(weight.dtype)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> Tensor:
        return gradient


class Code(Function):
    """v -> step * clip(floor(v / step + 1/2), 0, 3), half up as the thresholds do; the gradient passes where
    0 < v < 3 step. In place where it can be: activations are large, and each pass over them costs as much as a ReLU."""

    @staticmethod
    def forward(context: Any, value: Tensor, step: float) -> Tensor:
        context.save_for_backward(value)
        context.step = step
        return (value / step).add_(0.5).floor_().clamp_(0, MAX_CODE).mul_(step)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        (value,) = context.saved_tensors
        return torch.ops.aten.hardtanh_backward(gradient, value, 0.0, MAX_CODE * context.step), None


def weight_scale(weight: Tensor) -> Tensor:
    """Return alpha (O, 1, 1, 1) = mean |w| over a channel, the least-squares scale of its signs.

    Rastegari et al., XNOR-Net, ECCV 2016, equation 6.
    """
    return weight.abs().mean((1, 2, 3), keepdim=True)


def binary_weight(weight: Tensor) -> Tensor:
    """Return alpha * sign(w) of (O, I, k, k) weights."""
    return cast(Tensor, Sign.apply(weight)) * weight_scale(weight)


def copies_of(weight: Tensor, n: int) -> Tensor:
    """Return (O, n I, k, k) weights whose signs add up to the nearest of n + 1 levels of (O, I, k, k).

    Best for a normal distribution: 8 levels are 0.586 deviations apart (Max 1960, table II).
    """
    step = 0.586 * 8 / (n + 1) * weight.std((1, 2, 3), keepdim=True)
    return torch.cat([weight - step * (k - (n - 1) / 2) for k in range(n)], 1)


def planes_of(weight: Tensor, n: int) -> Tensor:
    """Return (n O, I, k, k) weights, plane by plane: each is what the binary weights before it leave of `weight`.

    Residual binarisation (Lin et al., "Towards Accurate Binary Convolutional Neural Network", NeurIPS 2017).
    """
    left, planes = weight, []
    for _ in range(n):
        planes.append(left)
        left = left - binary_weight(left)
    return torch.cat(planes)


def four_level_weight(weight: Tensor) -> Tensor:
    """Return (O, I, k, k) weights at the nearest of -1.5, -0.5, 0.5, 1.5 standard deviations of their channel.

    A uniform quantiser of four levels for a normal distribution has steps of 0.996 deviations (Max 1960, table II).
    """
    deviation = weight.std((1, 2, 3), keepdim=True)
    nearest = ((weight / deviation).floor() + 0.5).clamp(-1.5, 1.5) * deviation
    return weight + (nearest - weight).detach()


def two_bit(value: Tensor, step: float = STEP) -> Tensor:
    """Return step * code, code = clip(floor(value / step + 1/2), 0, 3), of any shape."""
    return cast(Tensor, Code.apply(value, step))
