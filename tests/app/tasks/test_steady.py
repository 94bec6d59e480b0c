# SPDX-License-Identifier: Apache-2.0
"""The steadied picture as a stage: nothing while it is off, and a picture that shakes less while it is on."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from app.frame import FlowOutput, Frame, Steady
from app.runtime.meters import StageTimes
from app.tasks import steady
from app.tasks.steady import SteadyPicture, moving_boxes
from models.results import Flow, Image
from models.similarity import moved_points
from tests.app.ui.fakes import faces

SIZE_WH = (320, 240)
MS = 1_000_000


def wall() -> Image:
    small = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    return np.asarray(cv2.resize(small, (400, 320), interpolation=cv2.INTER_CUBIC), np.uint8)


def shaken(n_frames: int) -> tuple[list[Frame], list[tuple[int, int]]]:
    """Return frames of a wall as a shaking hand films it, and where the wall's corner is in each, px."""
    random, whole = np.random.default_rng(2), wall()
    corners = [(int(x), int(y)) for x, y in random.integers(-12, 13, (n_frames, 2))]
    frames = []
    for seq, (x, y) in enumerate(corners):
        image = whole[40 - y : 280 - y, 40 - x : 360 - x].copy()
        frames.append(Frame(image, seq, 0, seq * 33 * MS))
    return frames, corners


def test_off_it_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(steady, "Stabiliser", None)  # calling it would fail
    times, picture = StageTimes(), SteadyPicture()
    assert [picture(frame, None, times) for frame in shaken(3)[0]] == [None] * 3
    assert times.take() == ()


def test_on_the_wall_shakes_less_and_the_map_says_where_it_is() -> None:
    times, picture = StageTimes(), SteadyPicture(is_on=True)
    frames, corners = shaken(60)
    found = []
    for frame in frames:
        result = picture(frame, None, times)
        assert [span.name for span in times.take()] == ["stabilise"]
        assert result is not None
        found.append(result)
    places = [moved_points(one.matrix, np.array([c], np.float32))[0] for one, c in zip(found, corners, strict=True)]
    before = np.abs(np.diff(np.array(corners), axis=0)).mean()
    assert np.abs(np.diff(np.array(places[20:]), axis=0)).mean() < 0.35 * before
    assert all(one.image.shape == (240, 320, 3) for one in found)


def test_switched_on_again_it_begins_anew() -> None:
    times, picture = StageTimes(), SteadyPicture(is_on=True)
    frames, _ = shaken(12)
    first, *_, moved = [picture(frame, None, times) for frame in frames[:6]]
    picture.switch(False)
    assert picture(frames[6], None, times) is None
    picture.switch(True)
    again = picture(frames[7], None, times)
    assert first is not None
    assert moved is not None
    assert again is not None
    assert np.abs(moved.matrix - first.matrix).max() > 0.01
    assert again.matrix == pytest.approx(first.matrix)


def test_what_the_task_follows_is_no_camera() -> None:
    output = faces(2, SIZE_WH)
    assert moving_boxes(output) is output.tracks.xyxy
    nothing = Flow(np.zeros((1, 1, 2), np.float32), np.zeros((1, 1), bool))
    assert moving_boxes(FlowOutput(nothing, 320, np.zeros((240, 320, 3), np.uint8), 0, 0.0, "dis")) is None


def test_a_steady_picture_is_checked_where_it_is_born() -> None:
    image = np.zeros((4, 4, 3), np.uint8)
    with pytest.raises(ValueError, match=r"Steady\.matrix: expected \(2, 3\) float64"):
        Steady(image, np.eye(3))
    with pytest.raises(ValueError, match=r"Steady\.image: expected"):
        Steady(image[..., 0], np.eye(2, 3))
