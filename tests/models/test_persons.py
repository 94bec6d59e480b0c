# SPDX-License-Identifier: Apache-2.0
"""The rows of MultiPose decoded by hand, and what comes of strange pictures and broken rows."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.build import Networks
from models.fetch import FetchError, fetched
from models.geometry import iou
from models.persons import PersonDetector, decode, fitted, known_keypoints
from models.results import N_KEYPOINTS, Float32, Image, Poses
from tests.models.bodies import Answering, card, row

SIZE_WH = 384, 288


def rows(*given: list[float]) -> Float32:
    return np.array(given, np.float32).reshape(-1, 56)


def detector(answer: Float32, score_threshold: float = 0.1) -> tuple[PersonDetector, Answering]:
    backend = Answering((1, 288, 384, 3), answer[None])
    return PersonDetector(
        card("person detection", {"size": SIZE_WH}, score_threshold=score_threshold), backend
    ), backend


def test_a_row_by_hand() -> None:
    found = decode(rows(row((0.25, 0.5, 0.75, 0.75), 0.8)), SIZE_WH, 0.1)
    np.testing.assert_allclose(found.xyxy, [[192, 72, 288, 216]])
    np.testing.assert_allclose(found.keypoints[0, [0, 8, 16]], [[192, 72, 0.5], [240, 144, 0.5], [288, 216, 0.5]])
    assert found.score.tolist() == [np.float32(0.8)]


def test_weak_rows_and_second_boxes_of_a_person_are_left_out_and_the_rest_falls_by_score() -> None:
    given = rows(
        row((0.1, 0.1, 0.5, 0.2), 0.3),
        row((0.1, 0.6, 0.9, 0.9), 0.9),
        row((0.1, 0.62, 0.9, 0.9), 0.5),  # IoU 0.93 with the one before
        row((0.5, 0.1, 0.9, 0.2), 0.09),
    )
    found = decode(given, SIZE_WH, 0.1)
    assert found.score.tolist() == pytest.approx([0.9, 0.3])


@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf])
def test_rows_whose_box_is_no_number_are_nobody(broken: float) -> None:
    given = rows(*[row((0.1, 0.1, 0.5, 0.2), 0.3)] * 5, row((0.1, 0.6, 0.9, 0.9), 0.9))
    given[range(5), range(51, 56)] = broken
    assert decode(given, SIZE_WH, 0.1).score.tolist() == pytest.approx([0.9])
    assert len(decode(np.full((12, 56), broken, np.float32), SIZE_WH, 0.1)) == 0


def test_a_box_turned_inside_out_is_nobody() -> None:
    assert len(decode(rows(row((0.5, 0.1, 0.1, 0.2), 0.9), row((0.1, 0.2, 0.5, 0.2), 0.9)), SIZE_WH, 0.1)) == 0


def test_a_keypoint_that_is_no_number_stands_in_the_middle_with_score_0() -> None:
    keypoints = np.full((1, N_KEYPOINTS, 3), 0.5, np.float32)
    keypoints[0, 3, 1], keypoints[0, 4, 2], keypoints[0, 5, 2] = np.nan, np.inf, 7.0
    known = known_keypoints(keypoints, np.array([[10, 20, 30, 60]], np.float32))
    assert known[0, 3].tolist() == known[0, 4].tolist() == [20, 40, 0]
    assert known[0, 5].tolist() == [0.5, 0.5, 1.0]
    assert (known[0, 6:] == 0.5).all()


@settings(max_examples=60, deadline=None)
@given(data=st.binary(min_size=12 * 56, max_size=12 * 56), threshold=st.floats(0.01, 0.9))
def test_whatever_the_rows_the_people_are_whole(data: bytes, threshold: float) -> None:
    """Each byte is a value from -1 to 1.5, some not finite."""
    values = np.frombuffer(data, np.uint8).astype(np.float32) / 100 - 1
    values[values > 1.5] = np.nan
    found = decode(values.astype(np.float32).reshape(12, 56), SIZE_WH, threshold)
    assert np.isfinite(found.keypoints).all()
    assert np.isfinite(found.xyxy).all()
    assert (found.score >= np.float32(threshold)).all()
    assert (np.diff(found.score) <= 0).all()
    assert (found.xyxy[:, :2] < found.xyxy[:, 2:]).all()
    assert ((found.keypoints[..., 2] >= 0) & (found.keypoints[..., 2] <= 1)).all()
    for k in range(len(found)):
        assert (iou(found.xyxy[k], found.xyxy[k + 1 :]) <= 0.6).all()


def test_two_hundred_people_are_found() -> None:
    grid = [(y / 10, x / 20, y / 10 + 0.08, x / 20 + 0.04) for y in range(10) for x in range(20)]
    assert len(decode(rows(*[row(box, 0.5) for box in grid]), SIZE_WH, 0.1)) == 200


@pytest.mark.parametrize("size_wh", [(384, 288), (640, 480), (1280, 720), (300, 900), (97, 61)])
def test_a_mark_is_where_the_letterbox_says(size_wh: tuple[int, int]) -> None:
    width, height = size_wh
    image = np.zeros((height, width, 3), np.uint8)
    x, y, side = int(width * 0.7), int(height * 0.2), max(8, max(size_wh) // 12)
    image[y : y + side, x : x + side] = 255
    canvas = np.zeros((288, 384, 3), np.uint8)
    place = fitted(image, canvas)
    found = np.argwhere(canvas[..., 0] > 127)
    centre = (found.mean(axis=0)[::-1] + 0.5).astype(np.float32)
    np.testing.assert_allclose(place.to_image(centre), [x + side / 2, y + side / 2], atol=0.75 / place.scale)
    corners = place.to_image(np.array([[place.left, place.top], [384 - place.left, 288 - place.top]], np.float32))
    np.testing.assert_allclose(corners, [[0, 0], [width, height]], atol=1e-2)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 2000, 3), (2000, 1, 3), (4320, 7680, 3)])
def test_pictures_of_any_size(shape: tuple[int, int, int]) -> None:
    find, backend = detector(rows(row((0.0, 0.0, 1.0, 1.0), 0.9)))
    found = find(np.full(shape, 200, np.uint8))
    assert len(found) == 1
    assert np.isfinite(found.xyxy).all()
    seen = backend.given[0]
    assert seen.max() <= 200
    if min(shape[:2]) > 1:  # nothing is left of a line a px thin
        assert (seen[0, 100] == 200).all()
    assert (found.xyxy[0, 2] - found.xyxy[0, 0]) == pytest.approx(max(shape[1], shape[0] * 4 / 3), rel=1e-3)


def test_nobody_is_no_error() -> None:
    find, _ = detector(rows())
    poses = find.poses(np.zeros((48, 64, 3), np.uint8))
    assert len(poses) == len(poses.detections()) == len(Poses.empty()) == 0


def astronaut() -> Image:
    try:
        bgr = cv2.imread(str(fetched("astronaut.png")))
    except FetchError as error:
        pytest.skip(str(error))
    return np.asarray(bgr, np.uint8)[:, :, ::-1].copy()


def test_the_network_finds_the_astronaut_and_nobody_in_noise() -> None:
    with Networks() as networks:
        find = networks.person_detector()
        assert networks.person_detector() is find
        picture = astronaut()
        found = find.poses(picture)
        assert len(found) == 1
        assert iou(found.xyxy[0], np.array([[25, 0, 420, 512]], np.float32))[0] > 0.7
        np.testing.assert_allclose(found.keypoints[0, 0, :2], [220, 125], atol=15)  # the nose
        noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
        assert len(find(noise)) == 0
