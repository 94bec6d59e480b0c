# SPDX-License-Identifier: Apache-2.0
"""The photos that flow scenes are cut from: what the data folder holds, split into training and validation."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from models.results import Image
from models.train.fer2013 import DataError
from models.train.flow_scenes import shrunk

FOLDERS = ("pose_coco/images", "faces_dlib", "lfw", "mot/TUD-Campus/img1", "mot/TUD-Stadtmitte/img1")
MOST_OF_A_FOLDER = 160
"""Pictures taken of one folder, evenly spread over its names: the frames of a sequence look alike."""
FRAMES_OF_A_CLIP = 6
VALIDATION_STRIDE = 6
"""One photo in six is only seen in validation."""


def load_photos(folder: Path) -> tuple[list[Image], list[Image]]:
    """Return training and validation photos, RGB, of a data folder; raises DataError where there is none."""
    photos = [shrunk(rgb) for name in FOLDERS for rgb in pictures(folder / name)]
    photos += [shrunk(rgb) for path in sorted((folder / "videos").glob("*.*")) for rgb in frames(path)]
    if len(photos) < VALIDATION_STRIDE:
        raise DataError(f"{folder}: expected photos in {', '.join(FOLDERS)} or clips in videos, found {len(photos)}")
    held_out = photos[::VALIDATION_STRIDE]
    return [photo for k, photo in enumerate(photos) if k % VALIDATION_STRIDE], held_out


def pictures(folder: Path) -> list[Image]:
    """Return up to MOST_OF_A_FOLDER of the JPEG pictures below `folder`, none where it is missing."""
    paths = sorted(folder.rglob("*.jpg"))
    paths = paths[:: max(1, -(-len(paths) // MOST_OF_A_FOLDER))]
    loaded = [cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths]
    return [np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8) for bgr in loaded if bgr is not None]


def frames(clip: Path) -> list[Image]:
    """Return FRAMES_OF_A_CLIP frames, evenly spread; fewer of a clip that ends early."""
    capture = cv2.VideoCapture(str(clip))
    n_frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    found = []
    for k in range(FRAMES_OF_A_CLIP):
        capture.set(cv2.CAP_PROP_POS_FRAMES, k * n_frames // FRAMES_OF_A_CLIP)
        is_read, bgr = capture.read()
        if is_read:
            found.append(np.ascontiguousarray(bgr[..., ::-1]).astype(np.uint8))
    capture.release()
    return found
