# SPDX-License-Identifier: Apache-2.0
"""Letterbox, overlap, suppression and crops: what must hold for every shape and place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.geometry import Letterbox, crop_square, iou, letterbox, shrunk, weighted_groups
from models.results import Float32, Image

SIDES = st.integers(1, 8000)
BOXES = st.integers(0, 12).flatmap(
    lambda n: arrays(np.float32, (n, 4), elements=st.floats(-50, 150, width=32, allow_subnormal=False))
)


def ordered(boxes: Float32) -> Float32:
    """Return boxes with left <= right and top <= bottom."""
    return np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)


def noise(height: int, width: int, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def placed(width: int, height: int, size: int) -> Letterbox:
    """Return where a picture of one colour lies (thin pictures take no memory to speak of)."""
    return letterbox(np.zeros((height, width, 3), np.uint8), size, np.zeros((size, size, 3), np.uint8))


@settings(max_examples=40, deadline=None)
@given(width=SIDES, height=st.integers(1, 300), is_tall=st.booleans(), size=st.sampled_from([128, 192]))
def test_letterbox_corners_and_inverse(width: int, height: int, is_tall: bool, size: int) -> None:
    if is_tall:
        width, height = height, width
    place = placed(width, height, size)
    low = np.array([place.left, place.top])
    high = size - low
    np.testing.assert_allclose(place.to_image(low), [0, 0], atol=1e-3)
    np.testing.assert_allclose(place.to_image(high), [width, height], atol=1e-3)
    assert (high - low).max() == pytest.approx(size)
    image_xy = (np.random.default_rng(0).uniform(0, 1, (20, 2)) * [width, height]).astype(np.float32)
    square_xy = (image_xy * place.scale + low).astype(np.float32)
    np.testing.assert_allclose(place.to_image(square_xy), image_xy, atol=1e-3)


def test_letterbox_draws_the_picture_where_it_says_and_black_elsewhere() -> None:
    square = np.full((64, 64, 3), 7, np.uint8)
    place = letterbox(np.full((50, 100, 3), 200, np.uint8), 64, square)
    assert (place.left, place.top, place.scale) == (0.0, 16.0, 0.64)
    assert (square[:15] == 0).all()
    assert (square[49:] == 0).all()
    assert (square[17:47, 1:-1] == 200).all()


@settings(max_examples=100, deadline=None)
@given(boxes=BOXES)
def test_iou_is_symmetric_and_a_ratio(boxes: Float32) -> None:
    boxes = ordered(boxes)
    table = np.stack([iou(box, boxes) for box in boxes]) if len(boxes) else np.zeros((0, 0), np.float32)
    assert table.dtype == np.float32
    np.testing.assert_array_equal(table, table.T)
    assert ((table >= 0) & (table <= 1)).all()
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    np.testing.assert_allclose(np.diag(table)[area > 1e-6], 1.0)


def test_iou_by_hand() -> None:
    box = np.array([0, 0, 10, 10], np.float32)
    others = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [10, 0, 20, 10], [2, 2, 4, 4], [3, 3, 3, 9]], np.float32)
    np.testing.assert_allclose(iou(box, others), [1, 1 / 3, 0, 0.04, 0])
    assert iou(others[4], others[4:]).tolist() == [0.0]


@settings(max_examples=100, deadline=None)
@given(boxes=BOXES, seed=st.integers(0, 99), threshold=st.sampled_from([0.0, 0.3, 0.9]))
def test_groups_hold_every_box_once(boxes: Float32, seed: int, threshold: float) -> None:
    boxes = ordered(boxes)
    score = np.random.default_rng(seed).uniform(0.01, 1, len(boxes)).astype(np.float32)
    groups = list(weighted_groups(boxes, score, threshold))
    members = [int(k) for _, group, _ in groups for k in group]
    assert sorted(members) == list(range(len(boxes)))
    best = [float(score[first]) for first, _, _ in groups]
    assert best == sorted(best, reverse=True)
    for first, group, weight in groups:
        assert score[first] == score[group].max()
        assert weight.sum() == pytest.approx(1, abs=1e-5)
        assert (iou(boxes[first], boxes[group[1:]]) > threshold).all()


@pytest.mark.parametrize(("shape", "size"), [((30, 40), 8), ((48, 48), 48), ((400, 300), 48), ((400, 300), 7)])
def test_crop_of_whole_pixels_is_the_slice(shape: tuple[int, int], size: int) -> None:
    image, (height, width) = noise(*shape), shape
    for left, top in [(0, 0), (width - size, height - size), ((width - size) // 3, (height - size) // 2)]:
        crop = crop_square(image, (left + size / 2, top + size / 2), size, size)
        np.testing.assert_array_equal(crop, image[top : top + size, left : left + size])


@pytest.mark.parametrize("factor", [3, 7])
def test_shrunk_crop_is_the_mean_of_whole_blocks(factor: int) -> None:
    image, size = noise(200, 200), 16
    side = factor * size
    crop = crop_square(image, (20 + side / 2, 10 + side / 2), side, size)
    blocks = image[10 : 10 + side, 20 : 20 + side].reshape(size, factor, size, factor, 3).mean(axis=(1, 3))
    assert np.abs(crop - blocks).max() <= 0.5 + 1e-6


@pytest.mark.parametrize("side", [8.0, 40.0])
def test_border_is_repeated_outside(side: float) -> None:
    image = np.zeros((100, 100, 3), np.uint8)
    image[:, 0] = 200  # the left column goes on to the left
    crop = crop_square(image, (-side, 50), side, 8)
    np.testing.assert_array_equal(crop, np.full((8, 8, 3), 200))


@pytest.mark.parametrize("side", [4.0, 30.0, 3000.0])
@pytest.mark.parametrize("centre", [(-9e3, -9e3), (9e3, -9e3), (-9e3, 9e3), (9e3, 9e3)])
def test_crop_far_outside_is_the_nearest_corner(centre: tuple[float, float], side: float) -> None:
    image = noise(20, 30)
    corner = image[0 if centre[1] < 0 else -1, 0 if centre[0] < 0 else -1]
    np.testing.assert_array_equal(crop_square(image, centre, side, 10), np.broadcast_to(corner, (10, 10, 3)))


@pytest.mark.parametrize("side", [0.5, 1.0, 3.0, 500.0, 1e5])
def test_one_pixel_fills_every_crop(side: float) -> None:
    image = np.array([[[10, 20, 30]]], np.uint8)
    crop = crop_square(image, (0.5, 0.5), side, 12)
    np.testing.assert_array_equal(crop, np.broadcast_to([10, 20, 30], (12, 12, 3)))


@pytest.mark.parametrize("side", [3000.0, 9000.0, 20_000.0])
def test_large_crop_keeps_the_middle(side: float) -> None:
    """A picture of 640x480 in a square of `side` px: left half dark, right half bright, borders repeated."""
    image = np.zeros((480, 640, 3), np.uint8)
    image[:, 320:] = 240
    crop = crop_square(image, (320, 240), side, 48)
    assert (crop[:, :23] == 0).all()
    assert (crop[:, 25:] == 240).all()


@pytest.mark.parametrize("side", [1e6, 1e9])
def test_huge_crop_takes_little_memory(side: float) -> None:
    """Padding it whole would take 3 TB or more."""
    crop = crop_square(np.full((480, 640, 3), 90, np.uint8), (320, 240), side, 48)
    np.testing.assert_array_equal(crop, np.full((48, 48, 3), 90))


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    centre=st.tuples(st.floats(-200, 200), st.floats(-200, 200)),
    side=st.floats(0.3, 2000),
)
def test_crop_has_only_levels_of_the_picture(shape: tuple[int, int], centre: tuple[float, float], side: float) -> None:
    image = noise(*shape)
    crop = crop_square(image, centre, side, 24)
    assert crop.shape == (24, 24, 3)
    assert crop.dtype == np.uint8
    assert crop.min() >= image.min()
    assert crop.max() <= image.max()


@pytest.mark.parametrize(
    ("shape", "wanted"),
    [
        ((3, 7), (3, 7)),
        ((256, 10), (256, 10)),
        ((600, 300), (256, 128)),
        ((4320, 7680), (144, 256)),
        ((9000, 40), (256, 1)),
    ],
)
def test_shrunk_keeps_the_ratio_and_the_mean(shape: tuple[int, int], wanted: tuple[int, int]) -> None:
    image = np.zeros((*shape, 3), np.uint8)
    image[: -(-shape[0] // 2)] = 200
    small = shrunk(image, 256)
    assert small.shape == (*wanted, 3)
    assert small is not image
    assert small.mean() == pytest.approx(image.mean(), rel=0.05)
