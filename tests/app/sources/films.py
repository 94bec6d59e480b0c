# SPDX-License-Identifier: Apache-2.0
"""Small clips and pictures whose frames tell their own index."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.results import Image

LEVEL_STEP = 8


def frame_bgr(index: int, size_wh: tuple[int, int] = (64, 48)) -> Image:
    """Return a picture of one blue level; `index_of` reads it back, also after lossy coding."""
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    image[..., 0] = 16 + LEVEL_STEP * index
    return image


def index_of(rgb: Image) -> int:
    """Return the index of a frame written by `write_film`."""
    return round((float(rgb[..., 2].mean()) - 16) / LEVEL_STEP)


def write_film(path: Path, n_frames: int = 10, fps: float = 30.0, codec: str = "MJPG") -> Path:
    """Write a clip of `n_frames` (at most 28) 64x48 frames."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*codec), fps, (64, 48))
    assert writer.isOpened()
    for index in range(n_frames):
        writer.write(frame_bgr(index))
    writer.release()
    return path
