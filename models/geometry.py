# SPDX-License-Identifier: Apache-2.0
"""Letterbox, overlap and crops: boxes are xyxy in px of the image, edges continuous (right and bottom exclusive)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from models.results import Float32, Image

# Capture, inference and recording each have a thread; OpenCV's own pool on top makes them wait for each other's cores.
cv2.setNumThreads(1)

LARGEST_PADDED = 4096
"""A crop that leaves the image and is larger (px a side; 50 MB) is cut from a smaller copy of the image."""


@dataclass(frozen=True)
class Letterbox:
    """Where an image lies in the square it was scaled into: `image_px = (square_px - (left, top)) / scale`."""

    scale: float
    left: float
    top: float

    def to_image(self, xy: Float32) -> Float32:
        """Return points (..., 2) of the square as points of the image."""
        points: Float32 = ((xy - np.array([self.left, self.top])) / self.scale).astype(np.float32)
        return points


def letterbox(image: Image, size: int, square: Image) -> Letterbox:
    """Scale `image` to fit `square` (size, size, 3), centred on black; `square` is overwritten.

    Sampled as MediaPipe samples it (bilinear, no averaging, pixel corners aligned instead of pixel centres): with
    other rules the same network gives points up to a tenth of the face away and other scores.
    """
    height, width = image.shape[:2]
    scale = size / max(height, width)
    place = Letterbox(scale, (size - width * scale) / 2, (size - height * scale) / 2)
    matrix = np.array([[1 / scale, 0, -place.left / scale], [0, 1 / scale, -place.top / scale]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    cv2.warpAffine(image, matrix, (size, size), dst=square, flags=flags, borderMode=cv2.BORDER_CONSTANT)
    return place


def iou(box: Float32, others: Float32) -> Float32:
    """Return the intersection over union (N,) of one box (4,) with `others` (N, 4); 0 for boxes without area."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=1)
    area = np.clip(others[:, 2:] - others[:, :2], 0, None).prod(axis=1) + np.clip(box[2:] - box[:2], 0, None).prod()
    ratio: Float32 = (overlap / np.maximum(area - overlap, 1e-9)).astype(np.float32)
    return ratio


def weighted_groups(
    xyxy: Float32, score: Float32, iou_threshold: float
) -> Iterator[tuple[np.intp, np.ndarray, Float32]]:
    """Weighted non-maximum suppression (BlazeFace, Bazarevsky et al. 2019, section 3.4).

    Yield, by falling score, (index of the best box, indices of its group, weights of the group that sum to 1): the
    boxes that overlap the best by more than `iou_threshold` are to be averaged by score instead of thrown away.
    """
    order = np.argsort(-score, kind="stable")
    while len(order):
        best = order[0]
        same = iou(xyxy[best], xyxy[order]) > iou_threshold
        same[0] = True  # a box without area does not overlap even itself
        group = order[same]
        yield best, group, score[group] / score[group].sum()
        order = order[~same]


def shrunk(image: Image, largest_side: int) -> Image:
    """Return a copy of an image whose longer side is at most `largest_side` px; smaller ones stay as they are.

    Averaged, and where it is more than four times as large, thinned out before: 8K takes no longer than it must.
    """
    longest = max(image.shape[:2])
    if longest <= largest_side:
        return image.copy()
    step = max(1, longest // (4 * largest_side))
    size_wh = [max(1, round(side * largest_side / longest)) for side in image.shape[1::-1]]
    return np.asarray(cv2.resize(image[::step, ::step], size_wh, interpolation=cv2.INTER_AREA), np.uint8)


def crop_square(image: Image, centre_xy: tuple[float, float], side: float, size: int, turn_rad: float = 0.0) -> Image:
    """Cut the square of `side` px around `centre_xy` and scale it to (size, size); outside, the border is repeated.

    `turn_rad` is the direction, clockwise from the picture's up, that is up in the square.
    """
    scale = size / side
    left, top = centre_xy[0] - side / 2, centre_xy[1] - side / 2
    if turn_rad:
        return _crop_turned(image, centre_xy, side, size, turn_rad)
    if scale < 0.5:  # shrink by averaging first, or the warp would skip pixels
        return _crop_shrunk(image, left, top, side, size)
    # Pixel centres: crop px u shows image px left + (u + 0.5) / scale - 0.5.
    matrix = np.array([[1 / scale, 0, left + 0.5 / scale - 0.5], [0, 1 / scale, top + 0.5 / scale - 0.5]])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(image, matrix, (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )


def _crop_turned(image: Image, centre_xy: tuple[float, float], side: float, size: int, turn_rad: float) -> Image:
    """Cut a turned square; where it shrinks, at a whole multiple of `size` first, and then averaged."""
    n = min(max(1, round(side / size)), LARGEST_PADDED // size) * size
    cos, sin = np.cos(turn_rad) * side / n, np.sin(turn_rad) * side / n
    linear = np.array([[cos, -sin], [sin, cos]])
    shift = np.array(centre_xy) - linear @ np.array([n / 2, n / 2]) + linear @ np.array([0.5, 0.5]) - 0.5
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([linear, shift])
    square = cv2.warpAffine(image, matrix, (n, n), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(square if n == size else cv2.resize(square, (size, size), interpolation=cv2.INTER_AREA), np.uint8)


def _crop_shrunk(image: Image, left: float, top: float, side: float, size: int) -> Image:
    """Average a square of whole pixels; only the part that lies outside the image is padded."""
    height, width = image.shape[:2]
    is_inside = left >= 0 and top >= 0 and left + side <= width and top + side <= height
    if side > LARGEST_PADDED and not is_inside:
        factor = side / LARGEST_PADDED
        small_wh = max(1, round(width / factor)), max(1, round(height / factor))
        image = np.asarray(cv2.resize(image, small_wh, interpolation=cv2.INTER_AREA), np.uint8)
        return _crop_shrunk(image, left / factor, top / factor, LARGEST_PADDED, size)
    n = max(1, round(side))
    x, y = (int(np.clip(round(v), 1 - n, limit - 1)) for v, limit in ((left, width), (top, height)))
    inside = image[max(0, y) : y + n, max(0, x) : x + n]
    if inside.shape[:2] != (n, n):
        pads = max(0, -y), max(0, y + n - height), max(0, -x), max(0, x + n - width)
        inside = np.asarray(cv2.copyMakeBorder(inside, *pads, cv2.BORDER_REPLICATE), np.uint8)
    return np.asarray(cv2.resize(inside, (size, size), interpolation=cv2.INTER_AREA), np.uint8)
