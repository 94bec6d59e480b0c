# SPDX-License-Identifier: Apache-2.0
"""Pairs of pictures with exact flow, made on the fly: photos cut to random shapes that move over a moving photo.

In the spirit of FlyingChairs (Dosovitskiy et al., "FlowNet", ICCV 2015): every layer moves by an affine map, so that
the flow of a pixel is the map of the layer that owns it, exactly. What is no photo is a procedural texture.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.results import Float32, Image

Affine = NDArray[np.float64]
"""(3, 3), acts on (x, y, 1) with whole numbers at pixel centres."""
CANVAS_PX = 96
"""Side of a shape before it is placed."""


@dataclass(frozen=True)
class Spread:
    """A distribution with many small and few large values: |g|^power with g's sign, g normal; sometimes exactly 0."""

    sigma: float
    power: float
    most: float
    share: float = 1.0  # how often it is not 0

    def draw(self, rng: np.random.Generator) -> float:
        if rng.random() >= self.share:
            return 0.0
        value = rng.normal(0, self.sigma)
        return float(np.clip(math.copysign(abs(value) ** self.power, value), -self.most, self.most))


@dataclass(frozen=True)
class Motion:
    """How a layer moves between the two pictures: shares of the width, degrees, change of size."""

    shift: Spread
    turn_deg: Spread
    growth: Spread

    def draw(self, rng: np.random.Generator, centre_xy: tuple[float, float], width: int) -> Affine:
        """Return a map that turns and scales about `centre_xy` and then shifts."""
        shift_px = (self.shift.draw(rng) * width, self.shift.draw(rng) * width)
        return about(centre_xy, math.radians(self.turn_deg.draw(rng)), 1 + self.growth.draw(rng), shift_px)


# The form of these distributions, mostly small and rarely large, is that of the FlowNet paper's supplement.
BACKGROUND = Motion(Spread(0.2, 3, 0.12), Spread(1.3, 2, 10, 0.3), Spread(0.03, 1, 0.07, 0.6))
FOREGROUND = Motion(Spread(0.36, 2.6, 0.25), Spread(2.3, 2, 30, 0.7), Spread(0.09, 1, 0.2, 0.7))
"""Relative to the background."""
MOST_SHAPES = 8
PHOTO_PX = 288
"""Shorter side of a photo: a background of 128x96 takes half of it or more."""


@dataclass(frozen=True, eq=False)
class FlowPair:
    """Two pictures, the motion of the first one's pixels, and which of them the second one shows."""

    first_rgb: Image  # (H, W, 3)
    second_rgb: Image  # (H, W, 3)
    uv: Float32  # (H, W, 2) px
    visible: NDArray[np.bool_]  # (H, W)


@dataclass(frozen=True, eq=False)
class Layer:
    """A texture with its coverage, placed in the first picture, and its motion to the second one."""

    texture: Image  # (h, w, 3)
    coverage: Float32 | None  # (h, w) 0..1; None covers everything
    place: Affine  # texture -> first picture
    motion: Affine  # first picture -> second picture


def shrunk(rgb: Image) -> Image:
    """Return a photo no larger than the scenes need: the pieces of large ones would be scaled down for every scene."""
    height, width = rgb.shape[:2]
    scale = min(1.0, PHOTO_PX / min(height, width))
    size_wh = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(rgb, size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def scenes(photos: Sequence[Image], size_wh: tuple[int, int], seed: int) -> Iterator[FlowPair]:
    """Yield pairs for ever; `photos` are RGB pictures of any size, empty for procedural textures only."""
    rng = np.random.default_rng(seed)
    while True:
        yield draw_pair(rng, photos, size_wh)


def draw_pair(rng: np.random.Generator, photos: Sequence[Image], size_wh: tuple[int, int]) -> FlowPair:
    return compose(draw_layers(rng, photos, size_wh), size_wh)


def draw_layers(rng: np.random.Generator, photos: Sequence[Image], size_wh: tuple[int, int]) -> list[Layer]:
    """Return a background and one to MOST_SHAPES shapes above it."""
    width, height = size_wh
    camera = BACKGROUND.draw(rng, (width / 2, height / 2), width)
    texture = draw_texture(rng, photos, (width * 3 // 2, height * 3 // 2))
    layers = [Layer(texture, None, about((0, 0), 0, 1, (-width / 4, -height / 4)), camera)]
    for _ in range(int(rng.integers(1, MOST_SHAPES + 1))):
        side_px = width * float(np.exp(rng.uniform(math.log(0.15), math.log(0.7))))
        centre = (float(rng.uniform(0, width)), float(rng.uniform(0, height)))
        scale, angle = side_px / CANVAS_PX, float(rng.uniform(0, 2 * math.pi))
        middle = (CANVAS_PX - 1) / 2
        place = about((middle, middle), angle, scale, (centre[0] - middle, centre[1] - middle))
        own = FOREGROUND.draw(rng, centre, width)
        texture = draw_texture(rng, photos, (CANVAS_PX, CANVAS_PX))
        layers.append(Layer(texture, draw_shape(rng), place, camera @ own))
    return layers


def about(centre_xy: tuple[float, float], angle: float, scale: float, shift_xy: tuple[float, float]) -> Affine:
    """Return the map that turns by `angle` (rad) and scales about a centre, then shifts."""
    c, s, (x, y) = scale * math.cos(angle), scale * math.sin(angle), centre_xy
    return np.array([[c, -s, x - c * x + s * y + shift_xy[0]], [s, c, y - s * x - c * y + shift_xy[1]], [0, 0, 1]])


def compose(layers: Sequence[Layer], size_wh: tuple[int, int]) -> FlowPair:
    """Paint the layers, the last one on top, and follow every pixel of the first picture."""
    first, owner = paint(layers, [layer.place for layer in layers], size_wh)
    second, owner_then = paint(layers, [layer.motion @ layer.place for layer in layers], size_wh)
    width, height = size_wh
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    m = np.stack([layer.motion[:2] for layer in layers]).astype(np.float32)[owner]
    end = m[..., 0] * x[..., None] + m[..., 1] * y[..., None] + m[..., 2]
    column, row = np.rint(end).astype(np.int32).transpose(2, 0, 1)
    inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    found = owner_then[row.clip(0, height - 1), column.clip(0, width - 1)]
    uv = end - np.stack([x, y], -1)
    return FlowPair(first, second, uv, inside & (found == owner))


def paint(
    layers: Sequence[Layer], places: Sequence[Affine], size_wh: tuple[int, int]
) -> tuple[Image, NDArray[np.int32]]:
    """Return the picture and which layer owns each pixel: the uppermost one that covers half of it."""
    width, height = size_wh
    picture = np.zeros((height, width, 3), np.uint8)
    owner = np.zeros((height, width), np.int32)
    for k, (layer, place) in enumerate(zip(layers, places, strict=True)):
        if layer.coverage is None:
            cv2.warpAffine(layer.texture, place[:2], size_wh, picture, borderMode=cv2.BORDER_REFLECT_101)
            continue
        x0, y0, x1, y1 = bounds(place, size_wh)
        if x0 >= x1 or y0 >= y1:
            continue
        local = about((0, 0), 0, 1, (-x0, -y0)) @ place
        texture = cv2.warpAffine(layer.texture, local[:2], (x1 - x0, y1 - y0), borderMode=cv2.BORDER_REPLICATE)
        coverage = cv2.warpAffine(layer.coverage, local[:2], (x1 - x0, y1 - y0))
        part = np.s_[y0:y1, x0:x1]
        picture[part] = cv2.blendLinear(texture, np.ascontiguousarray(picture[part]), coverage, 1 - coverage)
        owner[part][coverage >= 0.5] = k
    return picture, owner


def bounds(place: Affine, size_wh: tuple[int, int]) -> tuple[int, int, int, int]:
    """Return the part (x0, y0, x1, y1) of the picture that a placed shape can reach, empty or reversed for none."""
    corners = place[:2] @ np.array([[-1, CANVAS_PX, -1, CANVAS_PX], [-1, -1, CANVAS_PX, CANVAS_PX], [1, 1, 1, 1]])
    low, high = np.floor(corners.min(1)).astype(int), np.ceil(corners.max(1)).astype(int) + 1
    return max(int(low[0]), 0), max(int(low[1]), 0), min(int(high[0]), size_wh[0]), min(int(high[1]), size_wh[1])


def draw_texture(rng: np.random.Generator, photos: Sequence[Image], size_wh: tuple[int, int]) -> Image:
    """Return a piece of a photo, mirrored at random, or (one in eight) a procedural texture."""
    if not photos or rng.random() < 0.125:
        return procedural(rng, size_wh)
    photo = photos[int(rng.integers(len(photos)))]
    height, width = photo.shape[:2]
    share = float(rng.uniform(0.5, 1.0))
    ratio = size_wh[0] / size_wh[1]
    w = max(1, int(share * min(width, height * ratio)))
    h = max(1, min(height, int(w / ratio)))
    x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    piece = photo[y : y + h, x : x + w]
    if rng.random() < 0.5:
        piece = piece[:, ::-1]
    shrinks = w > size_wh[0]
    return np.asarray(
        cv2.resize(piece, size_wh, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR), np.uint8
    )


def procedural(rng: np.random.Generator, size_wh: tuple[int, int]) -> Image:
    """Return noise of several grain sizes between two colours."""
    width, height = size_wh
    mix = np.zeros((height, width), np.float32)
    for grain in (4, 8, 16, 32):
        noise = rng.random((height // grain + 2, width // grain + 2), np.float32)
        mix += float(rng.random()) * cv2.resize(noise, size_wh, interpolation=cv2.INTER_CUBIC)
    mix = (mix - mix.min()) / max(float(mix.max() - mix.min()), 1e-6)
    dark, light = rng.uniform(0, 255, (2, 3)).astype(np.float32)
    return np.asarray((dark + mix[..., None] * (light - dark)).clip(0, 255), np.uint8)


def draw_shape(rng: np.random.Generator) -> Float32:
    """Return the coverage (CANVAS_PX, CANVAS_PX) of a blob, a polygon or a bar, sometimes with holes."""
    shape = np.zeros((CANVAS_PX, CANVAS_PX), np.uint8)
    fill(rng, shape, 1.0, 255)
    for _ in range(int(rng.integers(0, 3)) if rng.random() < 0.3 else 0):
        fill(rng, shape, 0.35, 0)
    return shape.astype(np.float32) / np.float32(255)


def fill(rng: np.random.Generator, shape: NDArray[np.uint8], size: float, level: int) -> None:
    """Draw a closed outline with random radii around a point: few corners give a polygon, many a blob."""
    n = int(rng.choice([3, 4, 5, 7, 24, 48]))
    angle = np.sort(rng.uniform(0, 2 * math.pi, n)) if n < 24 else np.arange(n) * (2 * math.pi / n)
    if n < 24:
        radius = rng.uniform(0.5, 1.0, n)
    else:
        waves = [rng.normal(0, 0.35 / k) * np.cos(k * angle + rng.uniform(0, 2 * math.pi)) for k in (2, 3, 4, 5)]
        radius = np.clip(0.65 + np.sum(waves, 0), 0.15, 1.0)
    narrow = float(rng.uniform(0.25, 1.0))
    middle, reach = (CANVAS_PX - 1) / 2, size * (CANVAS_PX / 2 - 2)
    offset = (1 - size) * rng.uniform(-0.6, 0.6, 2) * CANVAS_PX / 2
    x = middle + offset[0] + reach * radius * np.cos(angle)
    y = middle + offset[1] + reach * radius * np.sin(angle) * narrow
    cv2.fillPoly(shape, [np.stack([x, y], -1).round().astype(np.int32)], level, cv2.LINE_AA)
