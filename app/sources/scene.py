# SPDX-License-Identifier: Apache-2.0
"""A procedural scene: people walk in, look about, pass before each other and leave, before a slowly panning wall.

Every picture is a pure function of (seed, size, time), so frames can be skipped; what is where is known exactly.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from app.frame import Truth
from app.sources.backdrop import Backdrop
from app.sources.canvas import Sprite
from app.sources.face_sprite import BOX_CENTRE_V, BOX_HALF_UV, Look, draw_heads, draw_torso
from app.sources.visit import HALF_HEIGHTS, N_LOOKS, N_SLOTS, Visit, visit_at
from models.results import Float32, Image

Affine = NDArray[np.float64]
"""(2, 3) from px of one picture to px of another; pixel centres are at whole numbers."""

MIN_VISIBLE = 0.6
"""Share of a face that must be inside the picture and not hidden to be in the truth."""
# The largest face is drawn at about the size it is shown, so that sprites are only ever made smaller.
HEAD_UNIT = 0.165
TORSO_UNIT = 0.11
NOISE_SIGMA = 1.5
NOISE_SPARE_PX = 64


@dataclass(frozen=True, eq=False)
class Layer:
    """A sprite placed in the picture."""

    label: int
    sprite: Sprite
    to_screen: Affine  # from the sprite's px


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The scene at one time."""

    time_s: float
    image: Image
    label: NDArray[np.uint8]  # (H, W): 0 = backdrop, 1 + 2 * slot = a torso, 2 + 2 * slot = a head
    visits: tuple[Visit, ...]  # by slot, far to near
    truth: Truth  # without flow


class Scene:
    """Draws the scene of one seed at one size; holds nothing that a picture changes."""

    def __init__(self, seed: int, size_wh: tuple[int, int]) -> None:
        self.seed = seed
        self.size_wh = size_wh
        self.scale_px = min(size_wh[0] / 4 * 3, size_wh[1])  # the height of a 4:3 picture that fits
        rng = np.random.default_rng([seed, 0])
        self._backdrop = Backdrop(rng, size_wh)
        looks = [Look.draw_lot(rng) for _ in range(N_LOOKS)]
        self._heads = [draw_heads(look, max(2.0, HEAD_UNIT * self.scale_px), rng) for look in looks]
        # The smallest torso of the highest head must reach below the picture.
        bottom_v = 0.8 * size_wh[1] / (HALF_HEIGHTS[0] * self.scale_px)
        self._torsos = [draw_torso(look, max(2.0, TORSO_UNIT * self.scale_px), bottom_v, rng) for look in looks]
        shape = (size_wh[1] + NOISE_SPARE_PX, size_wh[0] + NOISE_SPARE_PX, 3)
        self._noise = np.rint(rng.normal(0, NOISE_SIGMA, shape)).astype(np.int16)

    def snapshot(self, time_s: float) -> Snapshot:
        """Draw the scene as it is `time_s` after its start."""
        image = self._backdrop.view(time_s)
        label = np.zeros(image.shape[:2], np.uint8)
        visits = tuple(visit_at(self.seed, slot, time_s) for slot in range(N_SLOTS))
        heads = []
        for slot, visit in enumerate(visits):
            torso, head = self.layers(slot, visit, time_s)
            draw_layer(image, label, torso)
            draw_layer(image, label, head)
            heads.append(head)
        return Snapshot(time_s, self._add_noise(image, time_s), label, visits, truth_of(visits, heads, label))

    def layers(self, slot: int, visit: Visit, time_s: float) -> tuple[Layer, Layer]:
        """Return the torso and the head of a visit as they are placed at `time_s`."""
        pose = visit.pose(time_s, self.size_wh, self.scale_px)
        torso = self._torsos[visit.look]
        first, second, share = visit.expression(time_s)
        heads = self._heads[visit.look]
        head = fade(heads[first], heads[second], share)
        return (
            Layer(1 + 2 * slot, torso, place(torso, pose.torso_px, pose.half_height_px, pose.lean_rad)),
            Layer(2 + 2 * slot, head, place(head, pose.head_px, pose.half_height_px, pose.tilt_rad)),
        )

    def flow_uv(self, now: Snapshot, before_s: float) -> Float32:
        """Return the exact flow (H, W, 2) px from `before_s` to `now`.

        For each pixel p of `now`, the surface point seen there was at p - uv(p) before, be it hidden or outside then.
        A changing expression counts as paint on the moving head; a mix at a soft edge has the flow of its larger part.
        """
        uv = np.empty((*now.label.shape, 2), np.float32)
        uv[...] = self._backdrop.shift_px(before_s, now.time_s)
        for slot, visit in enumerate(now.visits):
            layers = zip(self.layers(slot, visit, now.time_s), self.layers(slot, visit, before_s), strict=True)
            for layer, before in layers:
                fill_flow(uv, now.label, layer, before)
        return uv

    def _add_noise(self, image: Image, time_s: float) -> Image:
        """Add the sensor's noise: one field, cut out at a place that depends on the time."""
        rng = np.random.default_rng([self.seed, 1, round(time_s * 1e6)])
        x, y = rng.integers(0, NOISE_SPARE_PX, 2)
        noise = self._noise[y : y + image.shape[0], x : x + image.shape[1]]
        return np.asarray(cv2.add(image, noise, dtype=cv2.CV_8U), np.uint8)


def truth_of(visits: tuple[Visit, ...], heads: list[Layer], label: NDArray[np.uint8]) -> Truth:
    """Return the faces that can be seen in the picture of `label`, by slot."""
    track_id: list[int] = []
    xyxy: list[NDArray[np.float64]] = []
    for visit, head in zip(visits, heads, strict=True):
        centre, axes = face_ellipse(head)
        if visible_share(label, head.label, centre, axes) >= MIN_VISIBLE:
            half = np.sqrt((axes**2).sum(axis=1))
            track_id.append(visit.track_id)
            # + 0.5: pixel centres are at whole numbers, box edges are continuous.
            xyxy.append(np.concatenate([centre - half, centre + half]) + 0.5)
    return Truth(np.array(track_id, np.int64), np.array(xyxy, np.float32).reshape(-1, 4))


def place(sprite: Sprite, at_px: NDArray[np.float64], half_height_px: float, turn_rad: float) -> Affine:
    """Return the map that puts the sprite's origin at `at_px`, turned clockwise, a face unit `half_height_px` long."""
    scale = half_height_px / sprite.unit_px
    cos, sin = scale * np.cos(turn_rad), scale * np.sin(turn_rad)
    linear = np.array([[cos, -sin], [sin, cos]])
    return np.column_stack([linear, at_px - linear @ np.array(sprite.origin_px)])


def fade(first: Sprite, second: Sprite, share: float) -> Sprite:
    """Return `first` with `share` of `second` mixed in; the two have the same shape."""
    if share == 0:
        return first
    rgba = cv2.addWeighted(first.rgba, 1 - share, second.rgba, share, 0)
    return Sprite(np.asarray(rgba, np.uint8), first.origin_px, first.unit_px)


def covered(layer: Layer, shape: tuple[int, ...]) -> tuple[slice, slice] | None:
    """Return the rows and columns of a picture of `shape` that the layer may touch; None = it is outside."""
    height, width = layer.sprite.rgba.shape[:2]
    corners = np.array([[0, 0, 1], [width, 0, 1], [0, height, 1], [width, height, 1]]) @ layer.to_screen.T
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, (shape[1], shape[0]))
    return (slice(top, bottom), slice(left, right)) if left < right and top < bottom else None


def draw_layer(image: Image, label: NDArray[np.uint8], layer: Layer) -> None:
    """Draw the layer over `image` and, where it is more than half opaque, its number over `label`."""
    part = covered(layer, label.shape)
    if part is None:
        return
    rows, columns = part
    to_part = layer.to_screen - np.array([[0, 0, columns.start], [0, 0, rows.start]])
    size_wh = (columns.stop - columns.start, rows.stop - rows.start)
    rgba = cv2.warpAffine(layer.sprite.rgba, to_part, size_wh, flags=cv2.INTER_LINEAR)
    alpha = cv2.extractChannel(rgba, 3)
    clear = cv2.cvtColor(cv2.bitwise_not(alpha), cv2.COLOR_GRAY2RGB)
    behind = cv2.multiply(image[part], clear, scale=1 / 255)
    image[part] = cv2.add(behind, cv2.cvtColor(rgba, cv2.COLOR_RGBA2RGB))
    label[part][alpha > 127] = layer.label


def fill_flow(uv: Float32, label: NDArray[np.uint8], layer: Layer, before: Layer) -> None:
    """Write the motion from `before` to `layer`, the same sprite placed twice, into the pixels that show it."""
    part = covered(layer, label.shape)
    if part is None:
        return
    rows, columns = part
    to_sprite = cv2.invertAffineTransform(layer.to_screen)
    back = before.to_screen[:, :2] @ to_sprite
    back[:, 2] += before.to_screen[:, 2]
    y, x = np.mgrid[rows, columns]
    shown = label[part] == layer.label
    here = np.stack([x[shown], y[shown]], axis=1)
    uv[part][shown] = here - (here @ back[:, :2].T + back[:, 2])


def face_ellipse(head: Layer) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the centre (2,) px of the head's face and (2, 2) px, whose columns are the half axes."""
    unit_px = head.sprite.unit_px
    linear = head.to_screen[:, :2]
    centre = np.array(head.sprite.origin_px) + np.array([0, BOX_CENTRE_V * unit_px])
    return linear @ centre + head.to_screen[:, 2], linear @ np.diag(BOX_HALF_UV) * unit_px


def visible_share(
    label: NDArray[np.uint8], head_label: int, centre: NDArray[np.float64], axes: NDArray[np.float64]
) -> float:
    """Return the share of the ellipse's px that are in the picture and show `head_label`; every other px is counted."""
    half = np.sqrt((axes**2).sum(axis=1))
    left, top = np.maximum(np.floor(centre - half).astype(int), 0)
    right, bottom = np.minimum(np.ceil(centre + half).astype(int) + 1, label.shape[::-1])
    if left >= right or top >= bottom:
        return 0.0
    y, x = np.mgrid[top:bottom:2, left:right:2]
    inverse = np.linalg.inv(axes)
    a, b = (row[0] * (x - centre[0]) + row[1] * (y - centre[1]) for row in inverse)
    n_seen = np.count_nonzero((a * a + b * b <= 1) & (label[top:bottom:2, left:right:2] == head_label))
    return float(4 * n_seen / (np.pi * abs(np.linalg.det(axes))))
