# SPDX-License-Identifier: Apache-2.0
"""The generator of flow scenes: exact when warped back and by hand, repeatable, and with the motion it states."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
import pytest

from models.results import Image
from models.train.flow_scenes import FlowPair, Layer, about, compose, procedural, scenes, shrunk

SIZE_WH = (128, 96)


def photo(seed: int) -> Image:
    return procedural(np.random.default_rng(seed), (300, 220))


def warped_back(pair: FlowPair) -> Image:
    """Return the second picture, looked up where each pixel of the first one goes."""
    height, width = pair.visible.shape
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    return np.asarray(cv2.remap(pair.second_rgb, x + pair.uv[..., 0], y + pair.uv[..., 1], cv2.INTER_LINEAR), np.uint8)


@pytest.mark.parametrize("seed", range(12))
def test_the_second_picture_warped_back_is_the_first_where_visible(seed: int) -> None:
    for pair in itertools.islice(scenes([photo(seed)], SIZE_WH, seed), 4):
        inner = cv2.erode(pair.visible.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
        error = np.abs(warped_back(pair).astype(int) - pair.first_rgb).mean(-1)
        still = np.abs(pair.second_rgb.astype(int) - pair.first_rgb).mean(-1)
        assert error[inner].mean() < 3
        assert error[inner].mean() <= still[inner].mean() + 1


def test_one_shape_by_hand() -> None:
    """A white square of 10 px moves 7 to the right over a still grey background: it hides and uncovers 7 columns."""
    grey, white = np.full((96, 128, 3), 100, np.uint8), np.full((96, 96, 3), 255, np.uint8)
    square = np.zeros((96, 96), np.float32)
    square[:10, :10] = 1
    layers = [
        Layer(grey, None, np.eye(3), np.eye(3)),
        Layer(white, square, about((0, 0), 0, 1, (30, 40)), about((0, 0), 0, 1, (7, 0))),
    ]
    pair = compose(layers, SIZE_WH)
    expected_uv = np.zeros((96, 128, 2), np.float32)
    expected_uv[40:50, 30:40] = (7, 0)
    expected_visible = np.ones((96, 128), bool)
    expected_visible[40:50, 40:47] = False
    assert np.array_equal(pair.uv, expected_uv)
    assert np.array_equal(pair.visible, expected_visible)
    assert pair.first_rgb[45, 35].tolist() == pair.second_rgb[45, 44].tolist() == [255, 255, 255]
    assert pair.first_rgb[45, 44].tolist() == pair.second_rgb[45, 35].tolist() == [100, 100, 100]


def test_what_leaves_the_picture_is_not_visible() -> None:
    grey = np.full((96, 128, 3), 100, np.uint8)
    pair = compose([Layer(grey, None, np.eye(3), about((0, 0), 0, 1, (-5, 3)))], SIZE_WH)
    assert not pair.visible[:, :5].any()
    assert not pair.visible[-3:].any()
    assert pair.visible[:-3, 5:].all()


def test_a_turn_about_a_centre() -> None:
    """A quarter turn about (10, 20) takes (13, 20) to (10, 23): x right, y down, so clockwise on the screen."""
    end = about((10, 20), np.pi / 2, 1, (0, 0)) @ (13, 20, 1)
    assert end == pytest.approx((10, 23, 1))


def test_a_seed_gives_the_same_scenes_again() -> None:
    first, again, other = (list(itertools.islice(scenes([photo(1)], SIZE_WH, seed), 5)) for seed in (7, 7, 8))
    for a, b in zip(first, again, strict=True):
        assert np.array_equal(a.first_rgb, b.first_rgb)
        assert np.array_equal(a.second_rgb, b.second_rgb)
        assert np.array_equal(a.uv, b.uv)
    assert not np.array_equal(first[0].first_rgb, other[0].first_rgb)


def test_motion_is_mostly_small_and_reaches_a_quarter_of_the_width() -> None:
    """As in the set it imitates: half of the pixels move little, a few very far."""
    pairs = itertools.islice(scenes([], SIZE_WH, 0), 150)
    px = np.concatenate([np.linalg.norm(pair.uv, axis=-1).ravel() for pair in pairs])
    quartiles = np.percentile(px, [50, 90, 99])
    assert 0.3 < quartiles[0] < 3
    assert 4 < quartiles[1] < 16
    assert 20 < quartiles[2] < 45


@pytest.mark.parametrize("size_wh", [(16, 16), (256, 192), (33, 65)])
def test_other_sizes(size_wh: tuple[int, int]) -> None:
    pair = next(scenes([photo(2)], size_wh, 3))
    assert pair.first_rgb.shape == (size_wh[1], size_wh[0], 3)
    assert pair.uv.dtype == np.float32
    assert np.isfinite(pair.uv).all()


def test_odd_photos_serve_too() -> None:
    photos = [np.zeros((1, 1, 3), np.uint8), np.full((5, 900, 3), 200, np.uint8), photo(4)]
    photos = [shrunk(rgb) for rgb in photos]
    for pair in itertools.islice(scenes(photos, SIZE_WH, 1), 20):
        assert pair.visible.shape == (96, 128)
