# SPDX-License-Identifier: Apache-2.0
"""Maps of the plane: composition, inverse, boxes, and OpenCV's way to count pixels."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.similarity import (
    Affine,
    identity,
    inverse,
    moved_boxes,
    moved_points,
    scale_of,
    then,
    to_pixel_index,
    turn_about,
    turn_of,
)

SHIFT = st.floats(-100, 100)
MAPS = st.builds(turn_about, st.tuples(SHIFT, SHIFT), st.tuples(SHIFT, SHIFT), st.floats(-3, 3), st.floats(0.5, 2.0))
BOXES = np.array([[10, 20, 50, 100], [-30, 0, 700, 1]], np.float32)


def test_the_identity_moves_no_box() -> None:
    np.testing.assert_array_equal(moved_boxes(identity(), BOXES), BOXES)
    assert moved_boxes(identity(), BOXES[:0]).shape == (0, 4)


def test_a_shift_moves_boxes_right_and_down() -> None:
    np.testing.assert_allclose(moved_boxes(turn_about((0, 0), (7, 3)), BOXES), BOXES + np.array([7, 3, 7, 3]))


def test_a_zoom_about_the_middle_of_a_box_grows_it_in_place() -> None:
    np.testing.assert_allclose(moved_boxes(turn_about((30, 60), (0, 0), scale=2.0), BOXES[:1]), [[-10, -20, 70, 140]])


def test_a_quarter_turn_takes_right_to_down() -> None:
    turn = turn_about((100, 100), (0, 0), math.pi / 2)
    np.testing.assert_allclose(moved_points(turn, np.array([[110.0, 100.0]])), [[100, 110]], atol=1e-12)


@given(MAPS, MAPS)
def test_then_and_inverse(first: Affine, second: Affine) -> None:
    xy = np.array([[0.0, 0.0], [640.0, 480.0], [-3.0, 7.0]])
    np.testing.assert_allclose(
        moved_points(then(first, second), xy), moved_points(second, moved_points(first, xy)), atol=1e-8
    )
    np.testing.assert_allclose(then(first, inverse(first)), identity(), atol=1e-9)
    assert scale_of(then(first, second)) == pytest.approx(scale_of(first) * scale_of(second))


@given(st.floats(-3, 3), st.floats(0.5, 2.0))
def test_turn_and_scale_are_read_back(turn: float, scale: float) -> None:
    matrix = turn_about((5, 6), (7, 8), turn, scale)
    assert turn_of(matrix) == pytest.approx(turn)
    assert scale_of(matrix) == pytest.approx(scale)


def test_opencv_warps_pixels_to_where_points_go() -> None:
    """A zoom by 3 about the corner: the first pixel becomes the first 3x3 pixels, its middle goes to (1.5, 1.5)."""
    picture = np.zeros((4, 4), np.uint8)
    picture[0, 0] = 90
    matrix = to_pixel_index(turn_about((0, 0), (0, 0), scale=3.0))
    big = cv2.warpAffine(picture, matrix, (12, 12), flags=cv2.INTER_NEAREST)
    assert np.argwhere(big).tolist() == [[y, x] for y in range(3) for x in range(3)]
