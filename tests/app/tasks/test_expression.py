# SPDX-License-Identifier: Apache-2.0
"""Smoothing by its formula, and the task with networks that say what the test tells them."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from app.frame import ExpressionOutput, Frame
from app.tasks.expression import SMOOTHING_S, ExpressionTask, Smoothing
from app.tasks.faces import FaceFinder
from app.tracking.sort import Sort, SortSettings
from device.backend import Cycles
from models.expression import ExpressionClassifier
from models.results import ClassScores, Detections, Float32, Image, Tracks

MS = 1_000_000
LABELS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")


def sure(*classes: int) -> Float32:
    """Return rows that are sure of one class each."""
    rows = np.zeros((len(classes), 7), np.float32)
    rows[np.arange(len(classes)), list(classes)] = 1
    return rows


def test_first_row_of_a_track_is_taken_as_it_is() -> None:
    rows = np.random.default_rng(0).dirichlet(np.ones(7), 3).astype(np.float32)
    np.testing.assert_array_equal(Smoothing()([4, 7, 9], rows, 10**15), rows)


@pytest.mark.parametrize("dt_ms", [1, 33, 120, 900])
def test_formula(dt_ms: int) -> None:
    """keep = exp(-dt / time constant); row = keep * before + (1 - keep) * new."""
    smoothing = Smoothing()
    smoothing([1], sure(3), 0)
    keep = math.exp(-dt_ms / 1000 / SMOOTHING_S)
    np.testing.assert_allclose(smoothing([1], sure(0), dt_ms * MS), keep * sure(3) + (1 - keep) * sure(0), atol=1e-6)


def test_result_depends_on_time_not_on_the_frame_rate() -> None:
    fast, slow = Smoothing(), Smoothing()
    for smoothing, step_ms in ((fast, 5), (slow, 50)):
        smoothing([1], sure(3), 0)
        for t_ms in range(step_ms, 201, step_ms):
            row = smoothing([1], sure(0), t_ms * MS)
        np.testing.assert_allclose(row[0, 3], math.exp(-0.2 / SMOOTHING_S), atol=1e-5)


def test_label_switches_after_the_time_constant_times_ln_2() -> None:
    smoothing = Smoothing()
    smoothing([1], sure(3), 0)
    labels = {t_ms: int(smoothing([1], sure(0), t_ms * MS)[0].argmax()) for t_ms in range(1, 300)}
    first = min(t_ms for t_ms, label in labels.items() if label == 0)
    assert first == math.ceil(1000 * SMOOTHING_S * math.log(2))  # 84 ms: shown within 0.2 s
    assert labels[40] == 3  # one odd frame flips nothing


def test_rows_follow_their_track_whatever_the_order() -> None:
    smoothing = Smoothing()
    smoothing([1, 2], sure(3, 5), 0)
    rows = smoothing([2, 1], sure(5, 3), 33 * MS)
    assert rows.argmax(1).tolist() == [5, 3]
    np.testing.assert_allclose(rows, sure(5, 3), atol=1e-6)


def test_track_that_was_gone_starts_anew() -> None:
    smoothing = Smoothing()
    smoothing([1, 2], sure(3, 3), 0)
    smoothing([2], sure(3), 10 * MS)
    rows = smoothing([1, 2], sure(0, 0), 20 * MS)
    np.testing.assert_array_equal(rows[0], sure(0)[0])
    assert rows[1, 3] > 0.8


def test_nobody_is_no_row_and_forgets_everybody() -> None:
    smoothing = Smoothing()
    smoothing([1], sure(3), 0)
    assert smoothing([], np.zeros((0, 7), np.float32), 10 * MS).shape == (0, 7)
    np.testing.assert_array_equal(smoothing([1], sure(0), 20 * MS), sure(0))


def test_time_that_goes_back_keeps_the_row() -> None:
    smoothing = Smoothing()
    smoothing([1], sure(3), 100 * MS)
    np.testing.assert_array_equal(smoothing([1], sure(0), 0), sure(3))
    assert smoothing([1], sure(0), 500 * MS)[0].argmax() == 0


class FakeFaces:
    """Finds the faces it is given in every frame."""

    def __init__(self, xyxy: Float32) -> None:
        self._xyxy = xyxy
        self._tracker = Sort(SortSettings(n_init=1))

    def detect(self, frame: Frame) -> Detections:
        n = len(self._xyxy)
        return Detections(self._xyxy, np.ones(n, np.float32), np.zeros(n, np.int32), np.zeros((n, 6, 2), np.float32))

    def track(self, detections: Detections, t_ns: int) -> Tracks:
        return self._tracker.update(detections, t_ns)


class FakeNetwork:
    """Sees one class in every face; `last_cycles` is what a test says its device counts."""

    last_cycles: Cycles | None = None

    def __init__(self, seen: int, file: str) -> None:
        self.card, self._seen = SimpleNamespace(file=file), seen
        self.n_calls = 0

    def __call__(self, image: Image, xyxy: Float32) -> ClassScores:
        self.n_calls += 1
        return ClassScores(sure(*[self._seen] * len(xyxy)), LABELS)


def new_task(n_faces: int, network: FakeNetwork) -> ExpressionTask:
    grid = [[20.0 * (k % 10), 20.0 * (k // 10), 20.0 * (k % 10) + 15, 20.0 * (k // 10) + 15] for k in range(n_faces)]
    faces = FakeFaces(np.array(grid, np.float32).reshape(-1, 4))
    return ExpressionTask(cast(FaceFinder, faces), cast(ExpressionClassifier, network), "cpu", "float")


def run(task: ExpressionTask, t_ms: int) -> ExpressionOutput:
    return task(Frame(np.zeros((120, 220, 3), np.uint8), t_ms, 0, t_ms * MS))


@pytest.mark.parametrize("n_faces", [0, 1, 50])
def test_one_row_a_face(n_faces: int) -> None:
    task = new_task(n_faces, FakeNetwork(3, "a.tflite"))
    for t_ms in (0, 33, 66):
        output = run(task, t_ms)
        assert len(output.tracks) == n_faces
        assert output.prob.shape == (n_faces, 7)
        assert (output.prob.argmax(1) == 3).all()
        np.testing.assert_allclose(output.prob.sum(1), 1, atol=1e-5)
    assert output.labels == LABELS
    assert output.tracks.track_id.tolist() == list(range(1, n_faces + 1))


def test_stages_are_timed_a_frame_each() -> None:
    task = new_task(1, FakeNetwork(3, "a.tflite"))
    run(task, 0)
    assert [span.name for span in task.times.take()] == ["detect", "track", "expression", "smooth"]
    assert task.times.take() == ()


def test_select_takes_effect_at_the_next_frame() -> None:
    first, second = FakeNetwork(3, "folder/a.tflite"), FakeNetwork(0, "folder/b.tflite")
    task = new_task(2, first)
    assert (task.in_use.precision, task.in_use.models["expression"]) == ("float", "a.tflite")
    run(task, 0)
    task.select(cast(ExpressionClassifier, second), "cpu", "int8")
    assert task.in_use.precision == "float"  # of the frame that was done
    output = run(task, 33)
    assert (task.in_use.backend, task.in_use.precision) == ("cpu", "int8")
    assert task.in_use.models["expression"] == "b.tflite"
    assert (first.n_calls, second.n_calls) == (1, 1)
    assert output.tracks.track_id.tolist() == [1, 2]  # tracks and smoothing go on
    assert (output.prob.argmax(1) == 3).all()
    assert (run(task, 500).prob.argmax(1) == 0).all()


def test_last_of_several_choices_counts() -> None:
    first, second, third = (FakeNetwork(k, f"{k}.tflite") for k in range(3))
    task = new_task(1, first)
    task.select(cast(ExpressionClassifier, second), "cpu", "int8")
    task.select(cast(ExpressionClassifier, third), "cpu", "float")
    assert run(task, 0).prob[0].argmax() == 2
    assert task.in_use.models["expression"] == "2.tflite"
    assert (first.n_calls, second.n_calls) == (0, 0)


def test_a_frame_carries_the_cycles_of_its_last_face_and_another_network_drops_them() -> None:
    counting, plain = FakeNetwork(3, "a.json"), FakeNetwork(3, "b.tflite")
    task = new_task(1, counting)
    run(task, 0)
    assert task.in_use.cycles is None
    counting.last_cycles = Cycles(40_000, 100_000_000)
    run(task, 33)
    assert task.in_use.cycles == counting.last_cycles
    task.select(cast(ExpressionClassifier, plain), "cpu", "float")
    run(task, 66)
    assert task.in_use.cycles is None
