# SPDX-License-Identifier: Apache-2.0
"""A small painter with soft masks, in face units: the origin is the middle of a face, one unit is half its height
(chin at v = 1), u right, v down.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.results import Float32


@dataclass(frozen=True, eq=False)
class Sprite:
    """A picture with transparency. `unit_px` px are one face unit; the face's middle is at `origin_px`."""

    rgba: NDArray[np.uint8]  # (H, W, 4), colours already multiplied by alpha; the outermost px are clear
    origin_px: tuple[float, float]
    unit_px: float


@dataclass(frozen=True, eq=False)
class Canvas:
    """Colours and coverage under construction; every operation paints in place."""

    unit_px: float
    origin_px: tuple[float, float]
    u: Float32  # (H, W) face units
    v: Float32  # (H, W) face units
    rgb: Float32  # (H, W, 3) 0..255, multiplied by alpha
    alpha: Float32  # (H, W) 0..1

    @staticmethod
    def blank(centre_v: float, half_uv: tuple[float, float], unit_px: float) -> Canvas:
        """Return a clear canvas that reaches `half_uv` face units to each side of (0, `centre_v`)."""
        width, height = (2 * int(np.ceil(half * unit_px)) for half in half_uv)
        origin_px = (width / 2 - 0.5, height / 2 - 0.5 - centre_v * unit_px)
        x, y = np.meshgrid(np.arange(width), np.arange(height))
        u, v = (((at - origin) / unit_px).astype(np.float32) for at, origin in zip((x, y), origin_px, strict=True))
        rgb = np.zeros((height, width, 3), np.float32)
        return Canvas(unit_px, origin_px, u, v, rgb, np.zeros((height, width), np.float32))

    def copy(self) -> Canvas:
        """Return a canvas of the same content in its own memory."""
        return Canvas(self.unit_px, self.origin_px, self.u, self.v, self.rgb.copy(), self.alpha.copy())

    def window(self, centre_uv: tuple[float, float], half_uv: tuple[float, float]) -> Canvas:
        """Return a part of this canvas that shares its memory, so that small features cost little to paint."""
        columns, rows = (
            slice(
                max(0, int(origin + (centre - half) * self.unit_px)),
                max(0, int(origin + (centre + half) * self.unit_px) + 2),
            )
            for origin, centre, half in zip(self.origin_px, centre_uv, half_uv, strict=True)
        )
        at = (rows, columns)
        return Canvas(self.unit_px, self.origin_px, self.u[at], self.v[at], self.rgb[at], self.alpha[at])

    def ellipse(
        self, centre_uv: tuple[float, float], half_uv: tuple[float, float], soft: float, tilt: float = 0.0
    ) -> Float32:
        """Return a mask 0..1 of an ellipse turned by `tilt` rad; its edge is `soft` of its radius wide to each side."""
        u, v = self.u - np.float32(centre_uv[0]), self.v - np.float32(centre_uv[1])
        cos, sin = np.float32(np.cos(tilt)), np.float32(np.sin(tilt))
        radius = np.hypot((u * cos + v * sin) / np.float32(half_uv[0]), (v * cos - u * sin) / np.float32(half_uv[1]))
        return step(radius, 1.0, soft)

    def paint(self, colour: Float32, mask: Float32) -> None:
        """Lay `colour`, (3,) or (H, W, 3), over what is there."""
        self.rgb[...] += (colour - self.rgb) * mask[..., None]
        self.alpha[...] += (1 - self.alpha) * mask

    def tint(self, factor: float | Float32, mask: Float32) -> None:
        """Multiply what is there by `factor`, one or (3,), where `mask` is 1; coverage stays."""
        self.rgb[...] *= 1 + (factor - 1) * mask[..., None]

    def sprite(self) -> Sprite:
        """Return the finished picture, blurred a little as by a lens."""
        rgba = np.dstack([self.rgb, self.alpha * 255])
        rgba = cv2.GaussianBlur(rgba, (0, 0), self.unit_px * 0.012 + 0.3)
        rgba[[0, -1]] = 0
        rgba[:, [0, -1]] = 0
        return Sprite(np.clip(rgba + 0.5, 0, 255).astype(np.uint8), self.origin_px, self.unit_px)


def step(field: Float32, threshold: float, soft: float) -> Float32:
    """Return 1 where `field` < threshold, 0 where it is above, with a smooth edge `soft` wide to each side."""
    t = np.clip((np.float32(threshold + soft) - field) / np.float32(2 * soft), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


def colour(*rgb: float) -> Float32:
    """Return an RGB colour as an array."""
    return np.array(rgb, np.float32)
