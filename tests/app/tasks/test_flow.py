# SPDX-License-Identifier: Apache-2.0
"""The flow task: which frames it joins, what it makes of bad answers, the truth, and a switch between two frames."""

from __future__ import annotations

import math
from collections.abc import Callable

import cv2
import numpy as np
import pytest

from app.frame import FlowOutput, Frame, Truth
from app.runtime.meters import stage_ms
from app.runtime.pipeline import NetworkChoice
from app.sources.synthetic import Synthetic
from app.tasks.flow import FlowMethod, FlowTask, end_point_error
from device.backend import Cycles
from models.classical_flow import Dis, Farneback, LucasKanade, Reduced
from models.results import Float32, Flow, Image

MS = 1_000_000
CPU = NetworkChoice("cpu", "float")
CLASSICAL: dict[str, Callable[[], FlowMethod]] = {"dis": Dis, "farneback": Farneback, "lk": LucasKanade}


class FakeMethod:
    """Answers with one motion everywhere, and remembers what it was asked."""

    def __init__(self, uv: tuple[float, float] = (3, -2), stride: int = 1) -> None:
        self._uv, self._stride = uv, stride
        self.asked: list[tuple[Image, Image]] = []

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        self.asked.append((first_rgb, second_rgb))
        shape = tuple(-(-side // self._stride) for side in first_rgb.shape[:2])
        return Flow(np.full((*shape, 2), self._uv, np.float32), np.ones(shape, bool))


class FakeNetwork(FakeMethod):
    """A method that runs on a device which counts."""

    last_cycles: Cycles | None = None


def frame(
    seq: int, t_ms: float | None = None, size_wh: tuple[int, int] = (64, 48), flow_uv: Float32 | None = None
) -> Frame:
    t_ns = round((33 * seq if t_ms is None else t_ms) * MS)
    truth = None if flow_uv is None else Truth(np.zeros(0, np.int64), np.zeros((0, 4), np.float32), flow_uv)
    return Frame(np.full((size_wh[1], size_wh[0], 3), seq, np.uint8), seq, 0, t_ns, truth)


def has_no_flow(output: FlowOutput, of: Frame) -> bool:
    is_empty = not output.flow.valid.any() and output.mean_uv() is None and output.max_px() is None
    return is_empty and (output.dt_s, output.seq_from) == (0, of.seq) and output.previous is of.image


def test_the_first_frame_has_no_flow_and_the_next_one_has() -> None:
    method = FakeMethod()
    task, first, second = FlowTask(method, "dis", CPU), frame(0), frame(1)
    assert has_no_flow(task(first), first)
    output = task(second)
    assert (output.previous is first.image, output.seq_from, output.method) == (True, 0, "dis")
    assert output.dt_s == pytest.approx(0.033)
    assert output.mean_uv() == (3, -2)
    assert output.max_px() == pytest.approx(math.hypot(3, 2))
    assert [(a is first.image, b is second.image) for a, b in method.asked] == [(True, True)]
    assert output.epe_px is None


@pytest.mark.parametrize(
    "second",
    [frame(1, size_wh=(48, 64)), frame(1, t_ms=0), frame(1, t_ms=-0.5), frame(1, t_ms=1001), frame(1, t_ms=1e9)],
    ids=["another size", "the same time", "time goes back", "just too late", "days later"],
)
def test_frames_that_nothing_joins_begin_anew(second: Frame) -> None:
    method = FakeMethod()
    task = FlowTask(method, "dis", CPU)
    task(frame(0, t_ms=0))
    assert has_no_flow(task(second), second)
    assert method.asked == []
    third = Frame(second.image, 2, 0, second.t_ns + 1000 * MS)  # a second is not too much
    assert task(third).mean_uv() == (3, -2)


def test_dropped_frames_are_bridged_and_the_number_says_so() -> None:
    task = FlowTask(FakeMethod(), "dis", CPU)
    task(frame(3))
    output = task(frame(8))
    assert (output.seq_from, output.mean_uv()) == (3, (3, -2))
    assert output.dt_s == pytest.approx(0.165)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, 1e30])
def test_motions_that_are_no_numbers_are_not_known(bad: float) -> None:
    class Broken(FakeMethod):
        def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
            flow = super().__call__(first_rgb, second_rgb)
            flow.uv[2, 3, 0] = flow.uv[5, 6, 1] = bad
            return flow

    task = FlowTask(Broken(), "net", CPU)
    task(frame(0))
    output = task(frame(1))
    assert np.argwhere(~output.flow.valid).tolist() == [[2, 3], [5, 6]]
    assert (output.flow.uv[~output.flow.valid] == 0).all()
    assert output.mean_uv() == (3, -2)


@pytest.mark.parametrize("size_wh", [(1, 1), (7, 5), (641, 359), (640, 480)])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_a_flow_may_be_smaller_by_a_whole_number(size_wh: tuple[int, int], stride: int) -> None:
    task = FlowTask(FakeMethod(stride=stride), "dis", CPU)
    task(frame(0, size_wh=size_wh))
    output = task(frame(1, size_wh=size_wh))
    assert output.flow.valid.shape == tuple(-(-side // output.stride) for side in (size_wh[1], size_wh[0]))
    assert output.stride == stride or size_wh[1] < 10


def test_a_flow_of_a_foreign_size_is_a_bug_of_its_method() -> None:
    nothing = Flow(np.zeros((20, 64, 2), np.float32), np.zeros((20, 64), bool))
    task = FlowTask(lambda first_rgb, second_rgb: nothing, "net", CPU)
    task(frame(0))
    with pytest.raises(ValueError, match=r"FlowOutput\.flow\.valid: expected \(16, 22\) bool, got \(20, 64\)"):
        task(frame(1))


def test_select_takes_effect_at_the_next_frame_and_keeps_the_frame_before() -> None:
    first, second = FakeMethod(), FakeMethod((0, 1))
    task = FlowTask(first, "dis", CPU)
    task(frame(0))
    int8 = NetworkChoice("cpu", "int8", {"flow": "flow_int8.tflite"})
    task.select(second, "net", int8)
    assert task.in_use == CPU  # of the frame that was done
    output = task(frame(1))
    assert (output.mean_uv(), output.method, task.in_use) == ((0, 1), "net", int8)
    assert (len(first.asked), len(second.asked)) == (0, 1)


def test_stages_and_cycles_are_those_of_the_frame() -> None:
    network = FakeNetwork()
    task = FlowTask(network, "net", NetworkChoice("fpga", "w1a2"))
    task(frame(0))
    assert list(stage_ms(task.times.take())) == ["motion"]
    task(frame(1))
    assert (list(stage_ms(task.times.take())), task.in_use.cycles) == (["flow", "motion"], None)
    network.last_cycles = Cycles(5, 100)
    task(frame(2, flow_uv=np.zeros((48, 64, 2), np.float32)))
    assert (list(stage_ms(task.times.take())), task.in_use.cycles) == (["flow", "compare", "motion"], Cycles(5, 100))


@pytest.mark.parametrize("seq", [2, 3])
def test_the_error_is_taken_only_from_one_frame_to_the_next(seq: int) -> None:
    task = FlowTask(FakeMethod((3, -2)), "dis", CPU)
    truth: Float32 = np.full((48, 64, 2), (0, 2), np.float32)
    task(frame(1, flow_uv=truth))
    assert task(frame(seq, flow_uv=truth)).epe_px == (pytest.approx(5) if seq == 2 else None)


def test_the_error_is_taken_where_each_point_came_from() -> None:
    """A square of 16 px moves 8 to the right; the flow has that at its old place, the truth at its new one."""
    flow, truth = Flow(np.zeros((48, 64, 2), np.float32), np.ones((48, 64), bool)), np.zeros((48, 64, 2), np.float32)
    flow.uv[10:26, 20:36, 0] = 8
    truth[10:26, 28:44, 0] = 8
    output = FlowOutput(flow, 1, np.zeros((48, 64, 3), np.uint8), 0, 0.03, "dis")
    error = end_point_error(output, truth)
    # What comes into sight where the square was, 8 columns of 16, was behind it before.
    assert error == pytest.approx(8 * 8 * 16 / (48 * 64))
    assert end_point_error(output, np.full_like(truth, 100)) is None  # all of it came from outside
    flow.valid[:] = False
    assert end_point_error(output, truth) is None


@pytest.mark.parametrize("method", CLASSICAL)
def test_methods_without_a_network_follow_the_synthetic_scene(method: str) -> None:
    source = Synthetic(1, (320, 240), pace="max", n_frames=4, with_flow=True)
    task = FlowTask(Reduced(CLASSICAL[method]()), method, CPU)
    errors = [task(source.read()).epe_px for _ in range(4)]
    source.close()
    assert errors[0] is None
    assert all(error is not None and error < 0.45 for error in errors[1:])  # no motion at all: 0.63


def noise(shape: tuple[int, int]) -> Image:
    small = np.random.default_rng(4).integers(0, 256, (shape[0] // 4 + 1, shape[1] // 4 + 1, 3), np.uint8)
    return np.asarray(cv2.resize(small, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC), np.uint8)


@pytest.mark.parametrize("method", CLASSICAL)
@pytest.mark.parametrize("level", [0, 255])
def test_black_and_saturated_frames_and_cuts_between_them(method: str, level: int) -> None:
    task = FlowTask(Reduced(CLASSICAL[method]()), method, CPU)
    flat, rich = np.full((480, 640, 3), level, np.uint8), noise((480, 640))
    outputs = [task(Frame(image, k, 0, k * 33 * MS)) for k, image in enumerate((flat, flat.copy(), rich, flat.copy()))]
    assert outputs[1].max_px() == (None if method == "lk" else 0)
    assert all(np.isfinite(output.flow.uv).all() for output in outputs)
    assert all(output.stride == 2 for output in outputs[1:])


@pytest.mark.parametrize("method", CLASSICAL)
def test_a_picture_of_one_pixel_has_a_flow(method: str) -> None:
    task = FlowTask(Reduced(CLASSICAL[method]()), method, CPU)
    outputs = [task(frame(seq, size_wh=(1, 1))) for seq in range(3)]
    assert [output.flow.valid.shape for output in outputs] == [(1, 1)] * 3
    assert [output.max_px() or 0.0 for output in outputs] == pytest.approx([0, 0, 0], abs=0.5)


@pytest.mark.parametrize(
    ("stride", "dt_s", "message"),
    [
        (0, 0.1, "expected a stride >= 1 and dt_s >= 0, got stride 0"),
        (1, -0.1, "got stride 1, dt_s -0.1"),
        (2, 0.1, r"FlowOutput\.flow\.valid: expected \(24, 32\) bool, got \(48, 64\)"),
    ],
)
def test_an_output_is_checked_where_it_is_born(stride: int, dt_s: float, message: str) -> None:
    flow = Flow(np.zeros((48, 64, 2), np.float32), np.zeros((48, 64), bool))
    previous = np.zeros((48, 64, 3), np.uint8)
    FlowOutput(flow, 1, previous, 0, 0.1, "dis")
    with pytest.raises(ValueError, match=message):
        FlowOutput(flow, stride, previous, 0, dt_s, "dis")
