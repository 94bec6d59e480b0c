# SPDX-License-Identifier: Apache-2.0
"""What people look like: the same at any size, different in other clothes, nothing where there is nothing."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.appearance import N_DIMENSIONS, StripeHistograms
from models.results import Float32, Image

EMBED = StripeHistograms()


def person(shirt: tuple[int, int, int], trousers: tuple[int, int, int], height: int = 128) -> Image:
    """A person on grey, half as wide as high, with a head."""
    image = np.full((height, height // 2, 3), 128, np.uint8)
    image[: height // 8] = (200, 160, 130)
    image[height // 8 : height // 2] = shirt
    image[height // 2 :] = trousers
    return image


def whole(image: Image) -> Float32:
    height, width = image.shape[:2]
    return np.array([[0, 0, width, height]], np.float32)


RED, BLUE, GREEN, BLACK = (200, 20, 20), (20, 20, 200), (20, 160, 40), (10, 10, 10)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_vectors_have_length_one_and_no_negative_value(seed: int) -> None:
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (120, 160, 3), np.uint8)
    low = random.uniform(-40, 140, (6, 2))
    boxes = np.concatenate([low, low + random.uniform(1, 90, (6, 2))], axis=1).astype(np.float32)
    vectors = EMBED(image, boxes)
    assert vectors.shape == (6, N_DIMENSIONS)
    assert vectors.dtype == np.float32
    assert (vectors >= 0.0).all()
    lengths = np.linalg.norm(vectors, axis=1)
    seen = (boxes[:, :2] < [160, 120]).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1)
    np.testing.assert_allclose(lengths[seen], 1.0, atol=1e-5)
    np.testing.assert_array_equal(lengths[~seen], 0.0)


@pytest.mark.parametrize("height", [64, 256, 1000])
def test_a_person_is_the_same_at_any_size(height: int) -> None:
    small, large = person(RED, BLUE), person(RED, BLUE, height)
    assert float(EMBED(small, whole(small))[0] @ EMBED(large, whole(large))[0]) > 0.97


def test_clothes_and_their_order_tell_people_apart() -> None:
    ways = [person(RED, BLUE), person(BLUE, RED), person(GREEN, BLACK), person(RED, GREEN)]
    vectors = np.concatenate([EMBED(image, whole(image)) for image in ways])
    likeness = vectors @ vectors.T
    np.testing.assert_allclose(likeness.diagonal(), 1.0, atol=1e-5)
    assert likeness[~np.eye(4, dtype=bool)].max() < 0.9
    assert likeness[0, 3] > likeness[0, 2]  # one shirt in common


def test_a_person_is_found_by_his_box_in_a_picture() -> None:
    image = np.full((300, 400, 3), 90, np.uint8)
    image[100:228, 50:114], image[80:208, 250:314] = person(RED, BLUE), person(GREEN, BLACK)
    boxes = np.array([[50, 100, 114, 228], [250, 80, 314, 208]], np.float32)
    alone = np.concatenate([EMBED(each, whole(each)) for each in (person(RED, BLUE), person(GREEN, BLACK))])
    np.testing.assert_allclose(EMBED(image, boxes), alone, atol=1e-6)


@pytest.mark.parametrize(
    "box",
    [
        [500, 10, 540, 90],
        [10, 10, 10, 90],
        [30, 10, 20, 90],
        [math.nan, 0, 10, 10],
        [0, 0, math.inf, 10],
        [-90, -90, -10, -10],
    ],
)
def test_a_box_with_nothing_in_it_is_like_nothing(box: list[float]) -> None:
    image = np.full((100, 100, 3), 90, np.uint8)
    assert not EMBED(image, np.array([box], np.float32)).any()


@pytest.mark.parametrize("size", [(1, 1), (4320, 7680)])
def test_one_pixel_and_8k(size: tuple[int, int]) -> None:
    image = np.full((*size, 3), 77, np.uint8)
    vector = EMBED(image, whole(image))[0]
    assert float(np.linalg.norm(vector)) == pytest.approx(1.0, abs=1e-5)


def test_no_box_gives_no_vector() -> None:
    assert EMBED(np.zeros((5, 5, 3), np.uint8), np.zeros((0, 4), np.float32)).shape == (0, N_DIMENSIONS)
