# SPDX-License-Identifier: Apache-2.0
"""Camera motion: known maps are found, what moves by itself is not followed, and nothing to see is no motion."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from models.camera_motion import CameraMotion, CornerCamera, motion_between, motion_of_flow, motion_of_points
from models.classical_flow import Dis
from models.results import Flow, Image
from models.similarity import Affine, identity, moved_points, to_pixel_index, turn_about

SIZE_WH = (640, 480)
MIDDLE = (320.0, 240.0)
MOTIONS = [
    turn_about(MIDDLE, (6.0, -4.0)),
    turn_about(MIDDLE, (-12.5, 3.25), 0.02, 1.01),
    turn_about(MIDDLE, (0.0, 0.0), -0.03, 0.97),
    identity(),
]


def wall(seed: int = 3) -> Image:
    """A texture with corners at several scales, larger than the picture."""
    random = np.random.default_rng(seed)
    total = np.zeros((640, 800, 3), np.float32)
    for cell_px in (6, 20, 70):
        noise = random.normal(0, 30, (640 // cell_px + 2, 800 // cell_px + 2, 3)).astype(np.float32)
        total += cv2.resize(noise, (800, 640), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(total + 128, 0, 255), np.uint8)


def view(matrix: Affine, seed: int = 3) -> Image:
    """The wall as seen after the camera's motion `matrix`, in px of the picture."""
    from_wall = np.array([[1.0, 0, -80], [0, 1, -80]])
    linear = matrix[:, :2]
    whole = np.column_stack([linear, linear @ from_wall[:, 2] + matrix[:, 2]])
    return np.asarray(cv2.warpAffine(wall(seed), to_pixel_index(whole), SIZE_WH), np.uint8)


def farthest_px(found: Affine, true: Affine) -> float:
    """How far apart the two maps take a corner of the picture."""
    corners = np.array([[0.0, 0.0], [640, 0], [0, 480], [640, 480]])
    return float(np.linalg.norm(moved_points(found, corners) - moved_points(true, corners), axis=1).max())


@pytest.mark.parametrize("true", MOTIONS)
def test_corners_find_a_known_motion(true: Affine) -> None:
    found = motion_between(view(identity()), view(true))
    assert found.is_known
    assert found.n_support > 0.8 * found.n_points
    assert farthest_px(found.matrix, true) < 0.3


@pytest.mark.parametrize("true", MOTIONS)
def test_a_dense_flow_shows_a_known_motion(true: Affine) -> None:
    found = motion_of_flow(Dis("fast")(view(identity()), view(true)), SIZE_WH)
    assert found.is_known
    assert farthest_px(found.matrix, true) < 0.5


@pytest.mark.parametrize("stride", [1, 2, 8, 16])
def test_a_coarse_field_means_the_same(stride: int) -> None:
    true = MOTIONS[1]
    x, y = np.meshgrid(np.arange(0, 640, stride) + stride / 2, np.arange(0, 480, stride) + stride / 2)
    xy = np.stack([x, y], axis=-1)
    uv = (moved_points(true, xy.reshape(-1, 2)).reshape(xy.shape) - xy).astype(np.float32)
    found = motion_of_flow(Flow(uv, np.ones(uv.shape[:2], bool)), SIZE_WH)
    assert farthest_px(found.matrix, true) < 0.01


def with_walker(picture: Image, x: int) -> Image:
    """A textured body over two fifths of the picture."""
    picture = picture.copy()
    picture[60:460, x : x + 300] = wall(9)[:400, :300]
    return picture


def test_a_body_that_moves_by_itself_is_not_followed() -> None:
    true = turn_about(MIDDLE, (5.0, 2.0))
    first, second = with_walker(view(identity()), 100), with_walker(view(true), 88)
    for body in (None, np.array([[100, 60, 400, 460]], np.float32)):
        found = motion_between(first, second, body)
        assert farthest_px(found.matrix, true) < 0.5
        found = motion_of_flow(Dis("fast")(first, second), SIZE_WH, body)
        assert farthest_px(found.matrix, true) < 0.5


def test_points_in_boxes_do_not_count() -> None:
    """More points lie on the body than on the wall: only the box tells which of the two is the camera."""
    random = np.random.default_rng(0)
    body, still = random.uniform([200, 100], [400, 400], (300, 2)), random.uniform([0, 0], [640, 90], (100, 2))
    still = np.concatenate([still, random.uniform([0, 410], [640, 480], (60, 2))])
    start = np.concatenate([body, still]).astype(np.float32)
    end = start + np.where(np.arange(len(start)) < 300, 9, 0)[:, None] * np.array([1, 0], np.float32)
    np.testing.assert_allclose(motion_of_points(start, end, SIZE_WH).matrix[:, 2], [9, 0], atol=1e-3)
    box = np.array([[200, 100, 400, 400]], np.float32)
    found = motion_of_points(start, end, SIZE_WH, box)
    np.testing.assert_allclose(found.matrix, identity(), atol=1e-5)
    assert (found.n_points, found.n_support) == (160, 160)


def assert_unknown(found: CameraMotion) -> None:
    assert not found.is_known
    np.testing.assert_array_equal(found.matrix, identity())


@pytest.mark.parametrize("level", [0, 128, 255])
def test_nothing_to_see_is_not_known(level: int) -> None:
    flat = np.full((480, 640, 3), level, np.uint8)
    assert_unknown(motion_between(flat, flat))
    assert_unknown(motion_between(view(identity()), flat))


def test_another_scene_is_not_known() -> None:
    assert_unknown(motion_between(view(identity(), 3), view(identity(), 4)))


def test_what_moves_in_one_place_only_is_not_the_camera() -> None:
    flat = np.full((480, 640, 3), 90, np.uint8)
    first, second = flat.copy(), flat.copy()
    first[20:100, 20:140] = second[20:100, 26:146] = wall()[:80, :120]
    assert_unknown(motion_between(first, second))


def test_noise_and_a_mad_zoom_are_not_known() -> None:
    random = np.random.default_rng(1)
    start = random.uniform([0, 0], SIZE_WH, (400, 2)).astype(np.float32)
    assert_unknown(motion_of_points(start, random.permutation(start), SIZE_WH))
    assert_unknown(motion_of_points(start, start * np.float32(1.8), SIZE_WH))
    assert_unknown(motion_of_points(start, np.zeros_like(start), SIZE_WH))
    assert_unknown(motion_of_points(start[:0], start[:0], SIZE_WH))


def test_a_few_points_that_agree_among_many_are_not_the_camera() -> None:
    random = np.random.default_rng(2)
    start = random.uniform([0, 0], SIZE_WH, (300, 2)).astype(np.float32)
    end = random.uniform([0, 0], SIZE_WH, (300, 2)).astype(np.float32)
    end[:150] = start[:150] + 5
    found = motion_of_points(start, end, SIZE_WH)
    assert found.is_known
    np.testing.assert_allclose(found.matrix[:, 2], [5, 5], atol=0.5)
    end[60:150] = end[150:240]  # 60 of 300 are left, all over the picture
    assert_unknown(motion_of_points(start, end, SIZE_WH))


def test_flows_that_say_nothing_are_not_known() -> None:
    uv = np.full((60, 80, 2), 3.0, np.float32)
    assert_unknown(motion_of_flow(Flow(uv, np.zeros((60, 80), bool)), SIZE_WH))
    assert_unknown(motion_of_flow(Flow(uv * np.float32(np.nan), np.ones((60, 80), bool)), SIZE_WH))
    assert_unknown(motion_of_flow(Flow(uv[:0], np.ones((0, 80), bool)), SIZE_WH))
    uv[::2] = np.nan
    np.testing.assert_allclose(
        motion_of_flow(Flow(uv, np.ones((60, 80), bool)), SIZE_WH).matrix[:, 2], [3, 3], atol=1e-3
    )


def test_the_same_pictures_give_the_same_bits() -> None:
    first, second = with_walker(view(identity()), 100), with_walker(view(MOTIONS[1]), 88)
    once = motion_between(first, second)
    for seed in (1, 2):
        cv2.setRNGSeed(seed)
        again = motion_between(first, second)
        np.testing.assert_array_equal(again.matrix, once.matrix)
        assert (again.n_points, again.n_support) == (once.n_points, once.n_support)


def test_from_picture_to_picture() -> None:
    camera = CornerCamera()
    assert_unknown(camera(view(identity())))
    assert farthest_px(camera(view(MOTIONS[0])).matrix, MOTIONS[0]) < 0.3
    assert_unknown(camera(view(identity())[:400]))  # another size
    camera.forget()
    assert_unknown(camera(view(identity())[:400]))
    assert camera(view(identity())[:400]).is_known


def test_motion_in_the_noise_is_none_for_a_tracker() -> None:
    still, slow, turning = (
        CameraMotion(turn_about(MIDDLE, shift, turn), 50, 50)
        for shift, turn in (((0.2, 0.2), 0.0), ((0.4, 0.0), 0.0), ((0.0, 0.0), 0.001))
    )
    np.testing.assert_array_equal(still.beyond_noise(SIZE_WH), identity())
    np.testing.assert_array_equal(slow.beyond_noise(SIZE_WH), slow.matrix)
    np.testing.assert_array_equal(turning.beyond_noise(SIZE_WH), turning.matrix)


def test_small_pictures_are_no_error() -> None:
    for shape in ((1, 1, 3), (7, 300, 3), (31, 33, 3)):
        motion_between(np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8))


def test_two_sizes_are_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match="one size"):
        motion_between(view(identity()), view(identity())[:400])
