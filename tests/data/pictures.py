# SPDX-License-Identifier: Apache-2.0
"""The fetched pictures that golden values are recorded on."""

from __future__ import annotations

import cv2
import numpy as np

from models.fetch import DEMO_CLIP, fetched
from models.results import Image

DEMO_FRAMES = (0, 60, 120, 180, 240, 300, 360, 420, 470)


def golden_pictures() -> dict[str, Image]:
    """Return by name the astronaut, whole, small and off-centre, and frames of the demo clip, RGB."""
    astronaut = np.asarray(cv2.imread(str(fetched("astronaut.png"))), np.uint8)[:, :, ::-1].copy()
    found = {
        "astronaut": astronaut,
        "astronaut_small": np.asarray(cv2.resize(astronaut, (200, 200), interpolation=cv2.INTER_AREA), np.uint8),
        "astronaut_wide": np.asarray(cv2.copyMakeBorder(astronaut[:400], 0, 0, 100, 300, cv2.BORDER_REFLECT), np.uint8),
        "astronaut_tall": astronaut[:, 120:330].copy(),
    }
    clip = cv2.VideoCapture(str(fetched(DEMO_CLIP)))
    for index in range(max(DEMO_FRAMES) + 1):
        is_read, bgr = clip.read()
        if is_read and index in DEMO_FRAMES:
            found[f"demo_{index}"] = np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    return found
