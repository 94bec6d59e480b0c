# SPDX-License-Identifier: Apache-2.0
"""Pairs of pictures with the true flow between them, in folders like Middlebury's or KITTI's."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from app.evaluate.expression import DataError
from models.flow_file import read_flow
from models.results import Flow, Image

PICTURES = (".png", ".jpg", ".jpeg", ".ppm", ".bmp")
KITTI_TRUTH = ("flow_occ", "flow_noc")
KITTI_PICTURES = ("image_2", "image_0", "colored_0")
FIRST, SECOND = "_10.png", "_11.png"
"""How the names of KITTI's pictures of a pair end."""


@dataclass(frozen=True)
class Pair:
    """Two pictures, and the file with the flow from the first to the second."""

    name: str
    first: Path
    second: Path
    truth: Path

    def load(self) -> tuple[Image, Image, Flow]:
        """Return both pictures in RGB and the truth; raises AppError."""
        first, second, truth = read_picture(self.first), read_picture(self.second), read_flow(self.truth)
        shapes = (first.shape[:2], second.shape[:2], truth.valid.shape)
        if len(set(shapes)) > 1:
            sizes = ", ".join(f"{width}x{height}" for height, width in shapes)
            raise DataError(f"{self.truth}: expected both pictures and the flow in one size, found {sizes}")
        return first, second, truth


def find_pairs(folder: Path) -> list[Pair]:
    """Return the pairs in `folder` itself, in its folders, or in KITTI's layout; raises DataError."""
    if not folder.is_dir():
        raise DataError(f"{folder} is no folder; expected folders with two pictures and a .flo file each")
    pairs = kitti_pairs(folder)
    for place in [folder, *sorted(path for path in folder.iterdir() if path.is_dir())]:
        pairs += [middlebury_pair(place, truth) for truth in sorted(place.glob("*.flo"))]
    if not pairs:
        raise DataError(f"{folder} has no pair: expected folders with two pictures and a .flo file, or KITTI's layout")
    return pairs


def middlebury_pair(folder: Path, truth: Path) -> Pair:
    """Return the pair of "flow10.flo": pictures 10 and 11, or the only two pictures of the folder."""
    pictures = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    number = re.search(r"\d+", truth.stem)
    if len(pictures) != 2 and number is not None:
        wanted = (int(number[0]), int(number[0]) + 1)
        pictures = [path for path in pictures if last_number(path) in wanted]
    if len(pictures) != 2:
        raise DataError(f"{truth}: expected two pictures beside it, found {len(pictures)}")
    first, second = pictures
    return Pair(folder.name, first, second, truth)


def last_number(path: Path) -> int | None:
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else None


def kitti_pairs(folder: Path) -> list[Pair]:
    """Return the pairs of a KITTI folder, empty where it is none; all occluded pixels count where they are known."""
    truths = next((folder / name for name in KITTI_TRUTH if (folder / name).is_dir()), None)
    pictures = next((folder / name for name in KITTI_PICTURES if (folder / name).is_dir()), None)
    if truths is None or pictures is None:
        return []
    names = [path.name.removesuffix(FIRST) for path in sorted(truths.glob(f"*{FIRST}"))]
    return [Pair(n, pictures / f"{n}{FIRST}", pictures / f"{n}{SECOND}", truths / f"{n}{FIRST}") for n in names]


def read_picture(path: Path) -> Image:
    """Return a picture in RGB; raises DataError."""
    bgr = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if bgr is None:
        raise DataError(f"{path} is not a picture that can be read; fetch it again")
    return np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8)
