# SPDX-License-Identifier: Apache-2.0
"""Where the tracker's evaluation gets the motion of the camera from: the pictures of a MOTChallenge sequence."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from device.errors import AppError
from models.camera_motion import CameraMotion, CornerCamera, motion_of_flow
from models.classical_flow import Dis
from models.results import Float32, Image

PICTURES = "img1"


class Camera(Protocol):
    """Finds how the camera moved since the picture before; keeps state."""

    def __call__(self, image: Image, objects_xyxy: Float32 | None = None) -> CameraMotion:
        """Return the motion to `image`; `objects_xyxy` (N, 4) px: what moved by itself in the picture before."""


class FlowCamera:
    """Camera motion from a dense flow, by DIS on the whole picture."""

    def __init__(self) -> None:
        self._flow_between = Dis("fast")
        self._last: Image | None = None

    def __call__(self, image: Image, objects_xyxy: Float32 | None = None) -> CameraMotion:
        last, self._last = self._last, image
        if last is None or last.shape != image.shape:
            return CameraMotion()
        return motion_of_flow(self._flow_between(last, image), (image.shape[1], image.shape[0]), objects_xyxy)


CAMERAS: dict[str, Callable[[], Camera]] = {"lk": CornerCamera, "flow": FlowCamera}
CAMERA_MOTIONS = ("none", *CAMERAS)


def pictures(folder: Path, n_frames: int) -> Iterator[Image]:
    """Yield the pictures of a sequence folder in order, one a frame; raises AppError naming the first one missing."""
    for frame in range(1, n_frames + 1):
        path = folder / PICTURES / f"{frame:06}.jpg"
        is_there = path.is_file()  # OpenCV would write about it to stderr
        bgr = cv2.imread(str(path)) if is_there else None
        if bgr is None:
            found = "no readable picture" if is_there else "nothing"
            raise AppError(
                f"camera motion needs a picture of every frame: expected {path}, found {found};"
                " track this sequence with --camera-motion none"
            )
        yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)


def sequence_folder(data: Path, name: str) -> Path:
    """Return the folder of the sequence `name` where `data` is it or holds it."""
    return data if data.resolve().name == name else data / name
