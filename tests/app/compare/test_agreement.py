# SPDX-License-Identifier: Apache-2.0
"""How far two outputs of one frame are apart."""

from __future__ import annotations

import numpy as np
import pytest

from app.compare.agreement import difference, keypoint_similarity
from app.frame import ExpressionOutput, FlowOutput, PoseOutput
from models.results import Float32, Flow, Tracks

LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
NAMES = tuple(f"k{k}" for k in range(17))


def tracks(*numbers: int) -> Tracks:
    n = len(numbers)
    ones, xyxy = np.ones(n, np.float32), np.tile(np.array([0, 0, 100, 200], np.float32), (n, 1))
    still = np.zeros((n, 2), np.float32)
    return Tracks(np.array(numbers, np.int64), xyxy, still, ones, ones, np.arange(n, dtype=np.int32))


def faces(*best: int, raw: Float32 | None = None) -> ExpressionOutput:
    prob = np.full((len(best), 7), 0.05, np.float32)
    prob[np.arange(len(best)), list(best)] = 0.7
    return ExpressionOutput(tracks(*range(1, len(best) + 1)), prob, LABELS, raw)


def flow(uv: tuple[float, float], stride: int = 4, valid: bool = True, size: int = 64) -> FlowOutput:
    cells = -(-size // stride)
    field = np.tile(np.array(uv, np.float32), (cells, cells, 1))
    found = Flow(field * valid, np.full((cells, cells), valid))
    return FlowOutput(found, stride, np.zeros((size, size, 3), np.uint8), 0, 0.1, "net")


def people(keypoints: Float32, *numbers: int) -> PoseOutput:
    return PoseOutput(tracks(*numbers), keypoints, NAMES)


def pose(shift_px: float = 0.0, score: float = 0.9) -> Float32:
    xy = np.stack([np.linspace(10, 90, 17), np.linspace(10, 190, 17)], 1) + shift_px
    return np.concatenate([xy, np.full((17, 1), score)], 1).astype(np.float32)


def test_equal_faces_agree_and_correlate() -> None:
    found = difference(faces(0, 3), faces(0, 3))
    assert (found.n, found.n_same, found.badness) == (2, 2, 0.0)
    assert found.value == pytest.approx(1.0)


def test_another_class_is_no_agreement() -> None:
    found = difference(faces(0, 3), faces(0, 4))
    assert (found.n, found.n_same) == (2, 1)
    assert found.badness == pytest.approx(0.65)
    assert found.value is not None
    assert found.value < 0.7


def test_faces_are_compared_before_smoothing() -> None:
    raw = faces(5).prob
    assert difference(faces(0, raw=raw), faces(5)).n_same == 1
    assert difference(faces(0), faces(5)).n_same == 0


@pytest.mark.parametrize("output", [faces(), flow((1, 1), valid=False), people(np.zeros((0, 17, 3), np.float32))])
def test_nothing_to_compare(output: ExpressionOutput | FlowOutput | PoseOutput) -> None:
    found = difference(output, output)
    assert (found.n, found.n_same, found.value, found.badness) == (0, 0, None, 0.0)


def test_motions_are_apart_by_their_distance_on_any_two_grids() -> None:
    for strides in ((4, 4), (2, 4), (4, 1), (1, 64)):
        found = difference(flow((3, 0), strides[0]), flow((3, 4), strides[1]))
        assert found.value == pytest.approx(4.0)
        assert found.n_same == 0
        assert found.n == (64 // max(strides)) ** 2
    near = difference(flow((3, 0)), flow((3, 0.5)))
    assert near.n_same == near.n > 0


def test_equal_poses_are_alike_and_shifted_ones_less() -> None:
    same = difference(people(pose()[None], 7), people(pose()[None], 7))
    assert (same.n, same.n_same) == (1, 1)
    assert same.value == pytest.approx(1.0)
    far = difference(people(pose()[None], 7), people(pose(60)[None], 7))
    assert far.value is not None
    assert (far.n_same, far.value < 0.2) == (0, True)


def test_people_belong_together_by_number() -> None:
    first = people(np.stack([pose(), pose(50)]), 3, 8)
    found = difference(first, people(pose(50)[None], 8))
    assert (found.n, found.n_same) == (1, 1)


def test_similarity_is_that_of_the_evaluation_tool() -> None:
    """One keypoint at a distance d: exp(-d^2 / (2 area (2 sigma)^2)), as pycocotools computes it."""
    a, b = pose(score=0.0), pose(5)
    a[0, 2] = 0.9  # the nose alone is seen
    expected = np.exp(-(2 * 5.0**2) / (2 * 0.53 * 100 * 200 * (2 * 0.026) ** 2))
    assert keypoint_similarity(a, b, np.array([0, 0, 100, 200], np.float32)) == pytest.approx(expected, rel=1e-4)


def test_a_pose_that_nobody_saw_or_a_box_without_area_has_no_similarity() -> None:
    box = np.array([0, 0, 100, 200], np.float32)
    assert keypoint_similarity(pose(score=0.1), pose(), box) is None
    assert keypoint_similarity(pose(), pose(), box * 0) is None


def test_outputs_of_two_tasks_cannot_be_compared() -> None:
    with pytest.raises(TypeError, match="no comparison of a FlowOutput with a PoseOutput"):
        difference(flow((0, 0)), people(pose()[None], 1))
