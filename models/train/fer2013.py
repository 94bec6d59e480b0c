# SPDX-License-Identifier: Apache-2.0
"""FER2013 faces with the FER+ votes, and how they are varied while training."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from device.errors import AppError


class DataError(AppError):
    """A training file that is not what the recipe reads."""


@dataclass(frozen=True, eq=False)
class Faces:
    """`image` (N, 48, 48) uint8, `label` (N,) int64, `votes` (N, 10) float32 rows that sum to 1 (or 0: no votes)."""

    image: Tensor
    label: Tensor
    votes: Tensor


def load_faces(path: Path) -> tuple[Faces, Faces, Tensor]:
    """Return the Training rows, the PublicTest rows, and which PublicTest rows are `clean` (N,) bool.

    Raises DataError for a file that is not such a set: wrong arrays, or NaN and infinity among the numbers.
    """
    try:
        with path.open("rb") as opened, np.load(opened) as file:
            image, label, usage = file["X"], file["y"], file["usage"]
            votes, clean = file["ferplus_votes"], file["clean"][usage == 1]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path} is not a file of FER2013 faces ({error}); expected train_public.npz") from error
    if image.dtype != np.uint8 or image.shape[1:] != (48, 48) or not len(image) == len(label) == len(votes):
        raise DataError(f"{path}: expected X (N, 48, 48) uint8, got {image.shape} {image.dtype}")
    for name, array in (("y", label), ("ferplus_votes", votes)):
        if not np.isfinite(array).all():
            raise DataError(
                f"{path}: {name} holds NaN or infinity in row {int(np.argwhere(~np.isfinite(array))[0][0])}"
            )
    if label.min() < 0 or label.max() > 6:
        raise DataError(f"{path}: expected labels 0..6, got {label.min()}..{label.max()}")
    counts = np.clip(votes.astype(np.float32), 0, None)
    shares = torch.from_numpy(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))
    images, labels = torch.from_numpy(image), torch.from_numpy(label.astype(np.int64))
    train, public = (Faces(images[usage == part], labels[usage == part], shares[usage == part]) for part in (0, 1))
    return train, public, torch.from_numpy(clean)


def to_input(image: Tensor) -> Tensor:
    """Return (N, 1, 48, 48) float32 in 0..1 of (N, 48, 48) uint8."""
    return image.float().div(255)[:, None]


def augment(x: Tensor) -> Tensor:
    """Flip, turn (15 degrees), scale (15 %), shift (12 %), light, and a grey patch: what a tracked box does."""
    n = len(x)
    angle, scale = (torch.rand(n) - 0.5) * 0.52, 1 + (torch.rand(n) - 0.5) * 0.3
    flip = (torch.rand(n) < 0.5).float() * 2 - 1
    affine = torch.zeros(n, 2, 3)
    affine[:, 0, 0], affine[:, 0, 1] = torch.cos(angle) * scale * flip, -torch.sin(angle) * scale
    affine[:, 1, 0], affine[:, 1, 1] = torch.sin(angle) * scale * flip, torch.cos(angle) * scale
    affine[:, :, 2] = (torch.rand(n, 2) - 0.5) * 0.24
    grid = functional.affine_grid(affine, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, padding_mode="border", align_corners=False)
    contrast, light = 1 + (torch.rand(n, 1, 1, 1) - 0.5) * 0.5, (torch.rand(n, 1, 1, 1) - 0.5) * 0.2
    return erase(((x - 0.5) * contrast + 0.5 + light).clamp(0, 1))


def erase(x: Tensor, probability: float = 0.3) -> Tensor:
    """Put one grey rectangle of 6..20 px a side on some images (random erasing, Zhong et al. 2017)."""
    n, size = len(x), x.shape[-1]
    at = torch.arange(size)[None]
    low, length = torch.rand(2, n, 1) * size, 6 + torch.rand(2, n, 1) * 14
    rows = (at >= low[0] - length[0] / 2) & (at < low[0] + length[0] / 2)
    columns = (at >= low[1] - length[1] / 2) & (at < low[1] + length[1] / 2)
    hidden = rows[:, None, :, None] & columns[:, None, None, :] & (torch.rand(n, 1, 1, 1) < probability)
    return torch.where(hidden, torch.rand(n, 1, 1, 1), x)
