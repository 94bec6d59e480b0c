# SPDX-License-Identifier: Apache-2.0
"""The wall behind the scene: textured at every scale, larger than the picture, panning slowly to and fro."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.results import Float32, Image

PAN_SHARE = (0.11, 0.03)  # of the picture's width and height, to each side
PAN_PERIOD_S = (23.0, 17.0)


class Backdrop:
    """One wall, drawn once."""

    def __init__(self, rng: np.random.Generator, size_wh: tuple[int, int]) -> None:
        self._size_wh = size_wh
        self._pan_px = np.array(PAN_SHARE) * size_wh
        # 2 px more than the pan reaches, so that interpolation never meets the border.
        width, height = (int(side + 2 * pan + 4) for side, pan in zip(size_wh, self._pan_px, strict=True))
        self._phase = rng.uniform(0, 2 * np.pi, 2)
        # Four channels: OpenCV warps them twice as fast as three (0.55 against 1.1 ms for 640x480).
        self._wall = cv2.cvtColor(draw_wall(rng, (width, height)), cv2.COLOR_RGB2RGBA)

    def corner_px(self, time_s: float) -> NDArray[np.float64]:
        """Return where on the wall the picture's upper left pixel is."""
        swing = np.sin(2 * np.pi * time_s / np.array(PAN_PERIOD_S) + self._phase)
        return np.asarray(1 + self._pan_px * (1 + swing), np.float64)

    def shift_px(self, before_s: float, now_s: float) -> Float32:
        """Return how far (2,) the wall has moved in the picture."""
        return np.asarray(self.corner_px(before_s) - self.corner_px(now_s), np.float32)

    def view(self, time_s: float) -> Image:
        """Return the wall as seen at `time_s`, in memory of its own."""
        x, y = self.corner_px(time_s)
        picture = cv2.warpAffine(self._wall, np.array([[1, 0, -x], [0, 1, -y]]), self._size_wh, flags=cv2.INTER_LINEAR)
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGBA2RGB), np.uint8)


def draw_wall(rng: np.random.Generator, size_wh: tuple[int, int]) -> Image:
    """Return a wall with boards, pictures and plaster, lit from the upper left; RGB."""
    width, height = size_wh
    wall = np.full((height, width, 3), rng.uniform(120, 160) + rng.uniform(-15, 15, 3), np.float32)
    for _ in range(24):
        _draw_board(wall, rng)
    cv2.GaussianBlur(wall, (0, 0), 1.0, dst=wall)
    for cell_px in (3, 9, 30, 90):
        wall += _plaster(rng, size_wh, cell_px, 3.0 + 2.0 * cell_px**0.35)[..., None]
    x, y = np.linspace(0, 1, width, dtype=np.float32), np.linspace(0, 1, height, dtype=np.float32)
    wall *= (1.12 - 0.22 * x[None] - 0.18 * y[:, None])[..., None]
    return np.clip(wall, 0, 255).astype(np.uint8)


def _draw_board(wall: Float32, rng: np.random.Generator) -> None:
    height, width = wall.shape[:2]
    corner = rng.uniform((-0.1, -0.1), (1.0, 1.0)) * (width, height)
    side = rng.uniform(0.03, 0.28, 2) * (width, height)
    start, stop = np.rint(corner).astype(int).tolist(), np.rint(corner + side).astype(int).tolist()
    cv2.rectangle(wall, start, stop, (rng.uniform(60, 190) + rng.uniform(-25, 25, 3)).tolist(), -1)


def _plaster(rng: np.random.Generator, size_wh: tuple[int, int], cell_px: int, sigma: float) -> Float32:
    cells = rng.normal(0, sigma, (size_wh[1] // cell_px + 3, size_wh[0] // cell_px + 3)).astype(np.float32)
    return np.asarray(cv2.resize(cells, size_wh, interpolation=cv2.INTER_CUBIC), np.float32)
