# SPDX-License-Identifier: Apache-2.0
"""Skeletons are where the keypoints are, tell left from right, and hide neither the unsure nor the person."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PySide6.QtGui import QColor, QImage, QPainter

from app.frame import Frame, FrameResult, PoseOutput
from app.ui.overlay import Annotator, Overlays
from app.ui.pose_overlay import LIMBS, SURE, UNSEEN, side_colour, side_of, strength_of
from app.ui.track_marks import track_colour
from models.results import MISSED, N_KEYPOINTS, Float32, Image, Tracks
from tests.models.bodies import LABELS

annotate = Annotator()
GREY = 90


def standing(centre_x: float = 150.0, top: float = 60.0, height: float = 200.0, score: float = 0.9) -> Float32:
    """Return a person seen from the front: the own left is on the right of the picture."""
    half = [0, 4, -4, 8, -8, 20, -20, 30, -30, 34, -34, 14, -14, 16, -16, 18, -18]
    high = [0, -4, -4, 0, 0, 30, 30, 60, 60, 95, 95, 100, 100, 150, 150, 195, 195]
    xy = np.array([[centre_x + x * height / 200, top + y * height / 200] for x, y in zip(half, high, strict=True)])
    return np.concatenate([xy, np.full((N_KEYPOINTS, 1), score)], axis=1).astype(np.float32)


def people(*keypoints: Float32, size_wh: tuple[int, int] = (300, 300), index: int = 0) -> FrameResult[PoseOutput]:
    n = len(keypoints)
    rows = np.stack(keypoints) if n else np.zeros((0, N_KEYPOINTS, 3), np.float32)
    xyxy = np.array([[40, 50, 260, 260]] * n, np.float32).reshape(-1, 4)
    ones = np.ones(n, np.float32)
    tracks = Tracks(np.arange(1, n + 1), xyxy, np.zeros((n, 2), np.float32), ones, ones, np.full(n, index, np.int32))
    frame = Frame(np.full((size_wh[1], size_wh[0], 3), GREY, np.uint8), 0, 0, 0)
    return FrameResult(frame, PoseOutput(tracks, rows, LABELS), {}, "cpu", "float")


def changed(picture: Image) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray((picture != GREY).any(axis=2), bool)


def rgb(colour: QColor) -> tuple[int, int, int]:
    return colour.red(), colour.green(), colour.blue()


@pytest.mark.usefixtures("qapp")
def test_limbs_are_drawn_between_their_keypoints_in_the_colour_of_the_track_and_its_side() -> None:
    picture = annotate(people(standing()))
    middle_of = {(a, b): (standing()[a, :2] + standing()[b, :2]) / 2 for a, b, _ in LIMBS}
    for a, b, side in LIMBS[6:]:
        x, y = middle_of[a, b]
        near = picture[int(y) - 1 : int(y) + 2, int(x) - 2 : int(x) + 3].reshape(-1, 3).astype(int)
        wanted = np.array(rgb(side_colour(track_colour(1), side)))
        assert np.abs(near - wanted).max(axis=1).min() < 60, (a, b)
    assert rgb(side_colour(track_colour(1), "left")) != rgb(side_colour(track_colour(1), "right"))


def test_sides_are_those_of_coco() -> None:
    assert [side_of(k) for k in range(5)] == ["middle", "left", "right", "left", "right"]
    for a, b, side in LIMBS:
        assert side == ("middle" if {side_of(a), side_of(b)} == {"left", "right"} else side_of(max(a, b)))
    assert {k for a, b, _ in LIMBS for k in (a, b)} == set(range(N_KEYPOINTS))


@pytest.mark.usefixtures("qapp")
def test_a_skeleton_is_thin() -> None:
    """Of a person 200 px high it covers less than a tenth of the box."""
    drawn = changed(annotate(people(standing())))[60:255, 100:200]
    assert 0.02 < drawn.mean() < 0.15


@pytest.mark.usefixtures("qapp")
def test_what_is_not_seen_is_not_drawn() -> None:
    hidden = standing()
    hidden[13:, 2] = UNSEEN - 0.01  # knees and ankles
    drawn = changed(annotate(people(hidden)))
    assert drawn[:170, 100:200].any()
    assert not drawn[180:258, 100:200].any()


@pytest.mark.usefixtures("qapp")
def test_of_a_person_without_a_keypoint_the_box_is_drawn() -> None:
    drawn = changed(annotate(people(standing(score=0.0))))
    assert drawn[100:200, 40].all()
    assert not drawn[100:200, 60:240].any()


@pytest.mark.parametrize(
    ("score", "strength"), [(0.0, 0.0), (UNSEEN - 1e-6, 0.0), (UNSEEN, 0.35), (SURE, 1.0), (1.0, 1.0)]
)
def test_the_surer_the_clearer(score: float, strength: float) -> None:
    assert strength_of(score, is_predicted=False) == pytest.approx(strength, abs=1e-5)
    assert strength_of(score, is_predicted=True) == pytest.approx(min(strength, 0.35), abs=1e-5)
    assert strength_of(float("nan"), is_predicted=False) == 0.0


@pytest.mark.usefixtures("qapp")
def test_a_person_who_is_predicted_is_fainter() -> None:
    away = [np.abs(annotate(people(standing(), index=i)).astype(int) - GREY).sum() for i in (0, MISSED)]
    assert away[1] < 0.75 * away[0]


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("broken", [np.nan, np.inf, -np.inf, 1e30])
def test_places_that_cannot_be_drawn_are_no_error(broken: float) -> None:
    keypoints = standing()
    keypoints[5, :2] = broken
    assert changed(annotate(people(keypoints))).any()


@pytest.mark.usefixtures("qapp")
@pytest.mark.parametrize("size_wh", [(1, 1), (64, 48), (640, 480)])
@pytest.mark.parametrize("n", [0, 1, 200])
def test_any_number_of_people_in_any_picture(n: int, size_wh: tuple[int, int]) -> None:
    given = people(*[standing(20.0 + 3 * k, 20.0) for k in range(n)], size_wh=size_wh)
    picture = annotate(given)
    assert picture.shape == given.frame.image.shape
    assert (given.frame.image == GREY).all()
    if size_wh != (1, 1):
        assert changed(picture).any() == (n > 0)


@pytest.mark.usefixtures("qapp")
def test_a_mirrored_picture_has_its_skeleton_mirrored_and_its_number_readable() -> None:
    overlays = Overlays()
    plain, mirrored = (QImage(300, 300, QImage.Format.Format_RGB888) for _ in range(2))
    for target, is_mirrored in ((plain, False), (mirrored, True)):
        target.fill(QColor(GREY, GREY, GREY))
        with QPainter(target) as painter:
            if is_mirrored:
                painter.translate(300, 0)
                painter.scale(-1, 1)
            overlays.paint(painter, people(standing(100.0)))
    drawn = [
        np.array(each.constBits(), np.uint8).reshape(300, each.bytesPerLine())[:, :900] for each in (plain, mirrored)
    ]
    columns = [np.flatnonzero((d.reshape(300, 300, 3) != GREY).any(axis=2)[100:250].any(axis=0)) for d in drawn]
    assert (columns[0].mean(), columns[1].mean()) == (pytest.approx(100, abs=3), pytest.approx(200, abs=3))


@pytest.mark.usefixtures("qapp")
def test_five_skeletons_cost_little() -> None:
    given = people(*[standing(60.0 + 100 * k) for k in range(5)], size_wh=(640, 480))
    annotate(given)
    start_s = time.process_time()
    for _ in range(10):
        annotate(given)
    assert (time.process_time() - start_s) / 10 < 0.02
