# SPDX-License-Identifier: Apache-2.0
"""People where one look at the whole picture does not do: tiles for small ones, turned tiles for a view from above.

The detector knows upright people. A ceiling camera sees them lie along the radii of its picture, head outwards: so the
picture is turned about its middle until a radius points up, searched around that radius, and what is found turned back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from models.card import Card
from models.persons import PersonDetector
from models.results import N_KEYPOINTS, Detections, Float32, Image, Poses

Affine = NDArray[np.float64]
TILE_WH = (384, 288)
"""Px of the picture in one tile, at least: the detector's own input, larger tiles lose the small people again."""
MOST_TILES = (4, 3)
OVERLAP = 0.2
"""Of a tile's side that the next one sees too."""
N_DIRECTIONS = 4
"""Turned tiles around the middle of the picture. On the drawn room 4 and a tile of the middle are as good as 8."""
MIDDLE = 0.5
"""Of the picture's sides: the upright tile in its middle, where people stand below the camera in any direction."""
BEYOND_MIDDLE = 0.25
"""Of its radius that a turned tile reaches past the middle of the picture."""
SECTOR = 1.0
"""A find counts within so many steps of the direction of its tile: twice what would do, tiles help each other."""
CENTRAL = 0.15
"""Within this part of the picture's shorter side from its middle people have no direction: every find counts."""
SAME_IOU, SAME_SHARE = 0.45, 0.7
"""Two finds are one person where they overlap by so much of their union, or of the smaller one: a tile's edge cuts."""


class PersonSearch(Protocol):
    """What finds the people of a picture, each with a first guess of his keypoints, by falling score."""

    card: Card

    def poses(self, image: Image) -> Poses: ...


@dataclass(frozen=True, eq=False)
class Tile:
    """A part of the picture, perhaps turned."""

    size_wh: tuple[int, int]
    to_image: Affine  # (2, 3), points of the tile to points of the picture, pixel corners at whole numbers
    direction_rad: float | None = None  # clockwise from up: the radius it is turned to


class TiledPersons:
    """Searches upright tiles: people who are small in a large picture. As many runs of the network as tiles."""

    def __init__(self, detector: PersonDetector) -> None:
        self.card, self._detector = detector.card, detector

    def __call__(self, image: Image) -> Detections:
        """Return the people of `image` (H, W, 3)."""
        return self.poses(image).detections()

    def poses(self, image: Image) -> Poses:
        """Return the same with the network's own keypoints, by falling score."""
        height, width = image.shape[:2]
        return merged([found_in(self._detector, image, tile) for tile in self.tiles((width, height))])

    def tiles(self, size_wh: tuple[int, int]) -> list[Tile]:
        """Return where is searched in pictures of `size_wh` px."""
        return upright_tiles(size_wh)


class TopPersons(TiledPersons):
    """Searches tiles turned about the middle of the picture: people below a ceiling camera that looks straight down."""

    def tiles(self, size_wh: tuple[int, int]) -> list[Tile]:
        return [*turned_tiles(size_wh, N_DIRECTIONS), middle_tile(size_wh)]


def person_search(detector: PersonDetector, view: str) -> PersonSearch:
    """Return what finds people seen from `view`: "eye" level, "high" and aslant, or straight down from the "top"."""
    kinds: dict[str, type[TiledPersons]] = {"high": TiledPersons, "top": TopPersons}
    return kinds[view](detector) if view in kinds else detector


def upright_tiles(size_wh: tuple[int, int]) -> list[Tile]:
    """Return tiles that cover the picture; one where it is not larger than a tile."""
    counts = [
        min(math.ceil(side / least), most) for side, least, most in zip(size_wh, TILE_WH, MOST_TILES, strict=True)
    ]
    sides = [side / (n * (1 - OVERLAP) + OVERLAP) for side, n in zip(size_wh, counts, strict=True)]
    starts = [[round(k * part * (1 - OVERLAP)) for k in range(n)] for part, n in zip(sides, counts, strict=True)]
    width, height = (max(round(part), 1) for part in sides)
    return [
        Tile((width, height), np.array([[1.0, 0.0, left], [0.0, 1.0, top]])) for top in starts[1] for left in starts[0]
    ]


def turned_tiles(size_wh: tuple[int, int], n: int) -> list[Tile]:
    """Return `n` tiles of the picture turned so that each of `n` radii points up."""
    tiles = []
    for k in range(n):
        angle = 2 * math.pi * k / n
        cos, sin = math.cos(angle), math.sin(angle)
        radius = (abs(sin) * size_wh[0] + abs(cos) * size_wh[1]) / 2  # of the turned picture, from the middle up
        height = max(round(radius * (1 + BEYOND_MIDDLE)), 1)
        width = max(round(height * TILE_WH[0] / TILE_WH[1]), 1)
        turn = np.array([[cos, -sin], [sin, cos]])  # up in the tile is the radius in the picture
        start = np.array(size_wh) / 2 - turn @ np.array([width / 2, radius])
        tiles.append(Tile((width, height), np.column_stack([turn, start]), angle))
    return tiles


def middle_tile(size_wh: tuple[int, int]) -> Tile:
    """Return an upright tile in the middle of the picture."""
    width, height = (max(round(MIDDLE * side), 1) for side in size_wh)
    return Tile(
        (width, height), np.array([[1.0, 0.0, (size_wh[0] - width) // 2], [0.0, 1.0, (size_wh[1] - height) // 2]])
    )


def found_in(detector: PersonDetector, image: Image, tile: Tile) -> Poses:
    """Return the people found in one tile, in px of the picture."""
    width, height = tile.size_wh
    if tile.direction_rad is None:
        left, top = (int(at) for at in tile.to_image[:, 2])
        part = np.ascontiguousarray(image[top : top + height, left : left + width])
    else:
        matrix = tile.to_image.copy()
        matrix[:, 2] += matrix[:, :2] @ np.array([0.5, 0.5]) - 0.5  # the warp has pixel centres at whole numbers
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        part = np.asarray(cv2.warpAffine(image, matrix, (width, height), flags=flags), np.uint8)
    found = moved(detector.poses(part), tile.to_image)
    return found if tile.direction_rad is None else found.take(in_sector(found, tile.direction_rad, image))


def moved(poses: Poses, to_image: Affine) -> Poses:
    """Return people of a tile in px of the picture. A turned box becomes the bounds of the ellipse that it holds."""
    linear, shift = to_image[:, :2], to_image[:, 2]
    middle = (poses.xyxy[:, :2] + poses.xyxy[:, 2:]) / 2 @ linear.T + shift
    half = np.sqrt(np.square((poses.xyxy[:, 2:] - poses.xyxy[:, :2]) / 2) @ np.square(linear).T)
    xy = poses.keypoints[..., :2] @ linear.T + shift
    keypoints = np.concatenate([xy, poses.keypoints[..., 2:]], axis=2).astype(np.float32)
    return Poses(keypoints, np.concatenate([middle - half, middle + half], axis=1).astype(np.float32), poses.score)


def directions(xyxy: Float32, size_wh: tuple[int, int]) -> NDArray[np.float64]:
    """Return the angle (N,) in rad, clockwise from up, of the radius on which each box (N, 4) lies."""
    away = (xyxy[:, :2] + xyxy[:, 2:]) / 2 - np.array(size_wh) / 2
    return np.asarray(np.arctan2(away[:, 0], -away[:, 1]), np.float64)


def in_sector(found: Poses, direction_rad: float, image: Image) -> NDArray[np.bool_]:
    """Return which finds lie near the radius at which their tile looks, or in the middle of the picture."""
    height, width = image.shape[:2]
    away = (found.xyxy[:, :2] + found.xyxy[:, 2:]) / 2 - np.array([width, height]) / 2
    off = np.abs((directions(found.xyxy, (width, height)) - direction_rad + math.pi) % (2 * math.pi) - math.pi)
    is_central = np.hypot(away[:, 0], away[:, 1]) <= CENTRAL * min(width, height)
    return np.asarray(is_central | (off <= SECTOR * 2 * math.pi / N_DIRECTIONS), bool)


def merged(parts: Sequence[Poses]) -> Poses:
    """Return the people of all parts, each once, by falling score."""
    keypoints = np.concatenate([part.keypoints for part in parts] or [np.zeros((0, N_KEYPOINTS, 3), np.float32)])
    xyxy = np.concatenate([part.xyxy for part in parts] or [np.zeros((0, 4), np.float32)])
    score = np.concatenate([part.score for part in parts] or [np.zeros(0, np.float32)])
    order, kept = np.argsort(-score, kind="stable"), list[int]()
    for row in order.tolist():
        if not any_same(xyxy[row], xyxy[kept]):
            kept.append(row)
    index = np.array(kept, np.intp)
    return Poses(keypoints[index], xyxy[index], score[index])


def any_same(box: Float32, others: Float32) -> bool:
    """Whether one of the `others` (N, 4) is the person of `box` (4,)."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=1)
    area, areas = (box[2:] - box[:2]).prod(), (others[:, 2:] - others[:, :2]).prod(axis=1)
    is_same = (overlap > SAME_IOU * (area + areas - overlap)) | (overlap > SAME_SHARE * np.minimum(area, areas))
    return bool(is_same.any())
