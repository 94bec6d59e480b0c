# SPDX-License-Identifier: Apache-2.0
"""Tiles: what is found in one is where it is in the picture, once; turned ones go round and look outwards."""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import pytest

from models.persons import PersonDetector
from models.persons_tiled import (
    N_DIRECTIONS,
    TiledPersons,
    TopPersons,
    directions,
    found_in,
    merged,
    middle_tile,
    person_search,
    turned_tiles,
    upright_tiles,
)
from models.results import N_KEYPOINTS, Float32, Image, Poses
from tests.models.bodies import card

SIZES = [(640, 480), (1280, 720), (480, 640), (7680, 4320), (1, 1), (3, 700)]


class Spots:
    """Finds the one white spot of a picture, an upright person of 20x60 px around it."""

    card = card("person detection", {})

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def poses(self, image: Image) -> Poses:
        self.shapes.append(image.shape)
        y, x = np.nonzero(image[..., 0] > 100)
        if not len(x):
            return Poses.empty()
        return people(np.array([[x.mean() + 0.5, y.mean() + 0.5]]))


def people(middles: Float32 | np.ndarray[tuple[int, ...], np.dtype[np.float64]], score: float = 0.5) -> Poses:
    half = np.array([10.0, 30.0])
    xyxy = np.concatenate([middles - half, middles + half], axis=1).astype(np.float32)
    keypoints = np.repeat(np.concatenate([middles, np.ones((len(middles), 1))], axis=1)[:, None], N_KEYPOINTS, axis=1)
    return Poses(keypoints.astype(np.float32), xyxy, np.full(len(middles), score, np.float32))


def spot(xy: tuple[float, float], size_wh: tuple[int, int] = (640, 480)) -> Image:
    image = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    image[int(xy[1]) - 2 : int(xy[1]) + 3, int(xy[0]) - 2 : int(xy[0]) + 3] = 255
    return image


def spots() -> PersonDetector:
    return cast(PersonDetector, Spots())


@pytest.mark.parametrize("size_wh", SIZES)
def test_upright_tiles_cover_the_picture(size_wh: tuple[int, int]) -> None:
    tiles = upright_tiles(size_wh)
    covered = np.zeros((size_wh[1] // 8 + 1, size_wh[0] // 8 + 1), bool)
    for tile in tiles:
        left, top = (int(at) for at in tile.to_image[:, 2])
        covered[
            -(-top // 8) if top else 0 : (top + tile.size_wh[1]) // 8 + 1, left // 8 : (left + tile.size_wh[0]) // 8 + 1
        ] = True
        assert min(tile.size_wh) >= 1
    assert covered.all()
    assert len(tiles) <= 12
    assert len(upright_tiles((384, 288))) == 1


@pytest.mark.parametrize("xy", [(100, 80), (500, 400), (320, 240), (30, 240), (600, 50)])
def test_what_a_tile_finds_is_where_it_is_and_there_once(xy: tuple[float, float]) -> None:
    middle = np.array(xy) + 0.5
    upright = TiledPersons(spots())(spot(xy))
    assert len(upright) == 1
    assert (upright.xyxy[0, :2] + upright.xyxy[0, 2:]) / 2 == pytest.approx(middle, abs=0.6)
    top = TopPersons(spots()).poses(spot(xy))
    assert (top.xyxy[0, :2] + top.xyxy[0, 2:]) / 2 == pytest.approx(middle, abs=1.0)
    assert top.keypoints[0, 0, :2] == pytest.approx(middle, abs=1.0)
    if xy != (320, 240):  # in the middle boxes of every direction lie crosswise
        assert len(top) <= 2


def test_a_turned_box_lies_along_its_radius() -> None:
    image = spot((600, 240))
    right = next(tile for tile in turned_tiles((640, 480), 4) if tile.direction_rad == pytest.approx(math.pi / 2))
    found = found_in(spots(), image, right)
    width, height = found.xyxy[0, 2:] - found.xyxy[0, :2]
    assert (width, height) == pytest.approx((60, 20), abs=0.5)
    left = next(tile for tile in turned_tiles((640, 480), 4) if tile.direction_rad == pytest.approx(3 * math.pi / 2))
    assert len(found_in(spots(), image, left)) == 0


def test_up_in_a_turned_tile_is_outwards() -> None:
    for tile in turned_tiles((640, 480), 8):
        assert tile.direction_rad is not None
        up = tile.to_image[:, :2] @ np.array([0.0, -1.0])
        assert up == pytest.approx([math.sin(tile.direction_rad), -math.cos(tile.direction_rad)], abs=1e-9)


def test_directions_are_clockwise_from_up() -> None:
    boxes = people(np.array([[100.0, 10.0], [190.0, 100.0], [100.0, 190.0], [10.0, 100.0]])).xyxy
    assert directions(boxes, (200, 200)) == pytest.approx([0, math.pi / 2, math.pi, -math.pi / 2])


def test_one_person_in_several_tiles_is_one() -> None:
    near = people(np.array([[100.0, 100.0], [300.0, 100.0]]), 0.4)
    again = people(np.array([[103.0, 102.0]]), 0.9)
    both = merged([near, again, Poses.empty()])
    assert both.score == pytest.approx([0.9, 0.4])
    assert both.xyxy[0] == pytest.approx(again.xyxy[0])
    cut = Poses(near.keypoints[:1], np.array([[90, 100, 110, 130]], np.float32), np.array([0.2], np.float32))
    assert len(merged([near, cut])) == 2  # the lower half of the first one, cut by a tile's edge
    assert len(merged([])) == 0
    assert len(merged([Poses.empty()])) == 0


@pytest.mark.parametrize("view", ["eye", "high", "top"])
@pytest.mark.parametrize("size_wh", [(1, 1), (2, 9), (7680, 4320)])
def test_any_size_is_searched(view: str, size_wh: tuple[int, int]) -> None:
    detector = Spots()
    search = person_search(cast(PersonDetector, detector), view)
    assert len(search.poses(np.zeros((size_wh[1], size_wh[0], 3), np.uint8))) == 0
    assert all(min(shape[:2]) >= 1 for shape in detector.shapes)
    if view == "top":
        assert len(detector.shapes) == N_DIRECTIONS + 1


def test_the_middle_tile_is_in_the_middle() -> None:
    tile = middle_tile((640, 480))
    assert tile.size_wh == (320, 240)
    assert tile.to_image[:, 2].tolist() == [160, 120]
