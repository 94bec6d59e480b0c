# SPDX-License-Identifier: Apache-2.0
"""A score against a known truth: what is found, what is wrong, who changes his number."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from app.frame import ExpressionOutput, FrameResult, PoseOutput, Truth
from app.runtime.truth_score import Score, TruthScore
from models.results import N_KEYPOINTS, Float32, Tracks
from tests.app.compare.test_agreement import flow
from tests.app.runtime.scripted import frame

S = 1_000_000_000
Boxes = dict[int, tuple[float, float, float, float]]
A, B, FAR = (0.0, 0.0, 10.0, 10.0), (50.0, 0.0, 60.0, 10.0), (90.0, 90.0, 99.0, 99.0)


def rows_of(boxes: Boxes) -> Float32:
    return np.array(list(boxes.values()), np.float32).reshape(-1, 4)


def result(true: Boxes, shown: Boxes) -> FrameResult[ExpressionOutput]:
    n = len(shown)
    ones, still = np.ones(n, np.float32), np.zeros((n, 2), np.float32)
    tracks = Tracks(np.array(list(shown), np.int64), rows_of(shown), still, ones, ones, np.arange(n, dtype=np.int32))
    output = ExpressionOutput(tracks, np.full((n, 7), 1 / 7, np.float32), tuple("abcdefg"))
    truth = Truth(np.array(list(true), np.int64), rows_of(true))
    return FrameResult(dataclasses.replace(frame(0), truth=truth), output, {}, "cpu", "float")


def test_boxes_found_missed_and_wrong() -> None:
    score = TruthScore()
    score.add(result({1: A, 2: B}, {7: A, 8: FAR}), 0)
    assert score.recent(0) == Score(0.5, 0.5, 0, None)
    score.add(result({1: A}, {7: A}), S)
    assert score.recent(S).recall == score.recent(S).precision == pytest.approx(2 / 3)


def test_an_object_under_another_number_is_a_switch_also_after_a_gap() -> None:
    score = TruthScore()
    shown: list[Boxes] = [{7: A}, {}, {9: A}, {9: A}, {7: A}]
    for k, boxes in enumerate(shown):
        score.add(result({1: A}, boxes), k)
    assert score.recent(0).id_switches == 2
    assert score.whole().recall == pytest.approx(4 / 5)


def test_two_objects_that_swap_numbers_are_two_switches() -> None:
    score = TruthScore()
    score.add(result({1: A, 2: B}, {7: A, 8: B}), 0)
    score.add(result({1: A, 2: B}, {8: A, 7: B}), 1)
    assert score.whole() == Score(1.0, 1.0, 2, None)


def test_recent_forgets_and_whole_does_not() -> None:
    score = TruthScore()
    score.add(result({1: A}, {}), 0)
    score.add(result({1: A}, {7: A}), 6 * S)
    assert (score.recent(6 * S).recall, score.whole().recall) == (1.0, 0.5)
    assert score.recent(12 * S) == Score()


def test_an_empty_scene_and_a_frame_without_truth_say_nothing() -> None:
    score = TruthScore()
    score.add(result({}, {}), 0)
    score.add(dataclasses.replace(result({1: A}, {7: A}), frame=frame(1)), 0)
    assert score.whole() == Score()
    assert not score.whole().is_known
    score.add(result({}, {7: A}), 0)
    assert (score.whole().recall, score.whole().precision) == (None, 0.0)


def test_the_error_of_a_flow_is_its_mean() -> None:
    score = TruthScore()
    known = dataclasses.replace(frame(0), truth=Truth(np.zeros(0, np.int64), np.zeros((0, 4), np.float32)))
    for epe_px in (1.0, None, 2.0):
        output = dataclasses.replace(flow((0, 0)), epe_px=epe_px)
        score.add(FrameResult(known, output, {}, "cpu", "float"), 0)
    assert score.recent(0).epe_px == score.whole().epe_px == 1.5


def people(true: Boxes, shown: Boxes, of_people: bool) -> FrameResult[PoseOutput]:
    """Return the same of task pose."""
    of_faces = result(true, shown)
    assert of_faces.frame.truth is not None
    truth = dataclasses.replace(of_faces.frame.truth, of_people=of_people)
    keypoints = np.zeros((len(shown), N_KEYPOINTS, 3), np.float32)
    output = PoseOutput(of_faces.output.tracks, keypoints, tuple(str(k) for k in range(N_KEYPOINTS)))
    return FrameResult(dataclasses.replace(of_faces.frame, truth=truth), output, {}, "cpu", "float")


def test_people_are_not_judged_by_where_faces_are_nor_faces_by_people() -> None:
    score = TruthScore()
    score.add(people({1: A}, {7: FAR}, of_people=False), 0)
    faces = result({1: A}, {7: FAR})
    assert faces.frame.truth is not None
    truth = dataclasses.replace(faces.frame.truth, of_people=True)
    score.add(dataclasses.replace(faces, frame=dataclasses.replace(faces.frame, truth=truth)), 0)
    assert not score.whole().is_known
    score.add(people({1: A}, {7: A}, of_people=True), 0)
    assert score.whole() == Score(1.0, 1.0, 0, None)
