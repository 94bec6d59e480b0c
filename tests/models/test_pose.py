# SPDX-License-Identifier: Apache-2.0
"""One person's square: what the network is shown, and where its answer is in the picture."""

from __future__ import annotations

import numpy as np
import pytest

from app.build import Networks
from device.errors import BackendUnavailable
from models.pose import PoseEstimator
from models.results import N_KEYPOINTS, Float32
from tests.models.bodies import Answering, card
from tests.models.test_persons import astronaut

SIZE = 64


def estimator(answer: Float32) -> tuple[PoseEstimator, Answering]:
    backend = Answering((1, SIZE, SIZE, 3), answer.reshape(1, 1, N_KEYPOINTS, 3))
    return PoseEstimator(card("pose", {"size": SIZE}), backend), backend


def answer(y: float, x: float, score: float = 0.5) -> Float32:
    return np.tile(np.array([y, x, score], np.float32), (N_KEYPOINTS, 1))


def boxes(*given: tuple[float, float, float, float]) -> Float32:
    return np.array(given, np.float32).reshape(-1, 4)


def test_an_answer_by_hand() -> None:
    """The box is 40 wide and 80 high, so the square is 80 px at (80, 100) to (160, 180)."""
    look, _ = estimator(answer(0.25, 0.75))
    found = look(np.zeros((240, 320, 3), np.uint8), boxes((100, 100, 140, 180)))
    np.testing.assert_allclose(found.keypoints[0], np.tile([140, 120, 0.5], (N_KEYPOINTS, 1)))
    assert (found.score.tolist(), found.xyxy.tolist()) == ([0.5], [[100, 100, 140, 180]])


def test_the_network_sees_the_square_of_the_box() -> None:
    image = np.zeros((240, 320, 3), np.uint8)
    image[100:180, 80:120], image[100:180, 120:160] = (250, 0, 0), (0, 250, 0)
    look, backend = estimator(answer(0.5, 0.5))
    look(image, boxes((100, 100, 140, 180)))
    seen = backend.given[0][0]
    assert (seen[2:-2, 2:30] == (250, 0, 0)).all()
    assert (seen[2:-2, 34:-2] == (0, 250, 0)).all()


@pytest.mark.parametrize("n", [0, 1, 200])
def test_any_number_of_people_row_by_row(n: int) -> None:
    look, backend = estimator(answer(0.5, 0.5))
    xyxy = boxes(*[(float(k), 10.0, float(k) + 20, 60.0) for k in range(n)])
    found = look(np.zeros((100, 300, 3), np.uint8), xyxy)
    assert len(backend.given) == len(found) == n
    np.testing.assert_allclose(found.keypoints[:, 0, 0], np.arange(n) + 10.0)


@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_a_keypoint_not_seen(broken: float) -> None:
    look, _ = estimator(np.full((N_KEYPOINTS, 3), broken, np.float32))
    found = look(np.zeros((100, 100, 3), np.uint8), boxes((10, 20, 30, 60)))
    np.testing.assert_array_equal(found.keypoints[0], np.tile([20, 40, 0], (N_KEYPOINTS, 1)))
    assert found.score.tolist() == [0]


@pytest.mark.parametrize("shape", [(1, 1, 3), (4320, 7680, 3)])
@pytest.mark.parametrize("box", [(0, 0, 1, 1), (0, 0, 7680, 4320), (-500, -500, -400, -300), (20, 20, 20, 20)])
def test_boxes_of_any_size_and_place(shape: tuple[int, int, int], box: tuple[float, float, float, float]) -> None:
    look, backend = estimator(answer(0.5, 0.5))
    found = look(np.full(shape, 99, np.uint8), boxes(box))
    assert (backend.given[0] == 99).all()
    np.testing.assert_allclose(found.keypoints[0, 0, :2], [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])


def test_both_precisions_see_the_same_astronaut() -> None:
    with Networks() as networks:
        picture, xyxy = astronaut(), boxes((25, 0, 420, 512))
        found = {p: networks.choose_pose("auto", p)(picture, xyxy) for p in ("float", "int8")}
        assert [networks.pose("cpu", p).card.precision for p in found] == ["float", "int8"]
        np.testing.assert_allclose(found["float"].keypoints[0, 0, :2], [220, 125], atol=10)
        seen = found["float"].keypoints[0, :, 2] > 0.5
        assert seen.sum() >= 5
        away = np.linalg.norm(found["float"].keypoints[0, :, :2] - found["int8"].keypoints[0, :, :2], axis=1)
        assert away[seen].max() < 25  # px of 395
        assert (found["float"].keypoints != found["int8"].keypoints).any()
        facts = networks.facts("pose", "cpu", "int8")
        assert facts is not None
        assert (facts.bits["weights"], facts.bits["activations"]) == (8, 8)


def test_a_precision_without_a_network_is_refused_with_its_reason() -> None:
    with Networks() as networks, pytest.raises(BackendUnavailable, match="there is no card pose_w1a2"):
        networks.choose_pose("auto", "w1a2")
