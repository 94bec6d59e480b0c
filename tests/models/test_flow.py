# SPDX-License-Identifier: Apache-2.0
"""What stands around the flow network: sizes, strides, types of tensors; with backends whose answer is known."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.backend import Tensors, TensorSpec
from models.card import Card
from models.flow import FlowNet, enlarged, flow_stride, joined_parts
from models.flow_stem import CHANNELS
from models.results import Float32, Flow, Image

UV = (3.0, -2.0)
"""The motion that every stand-in finds, px of 128x96."""


class Answer:
    """A backend that keeps what it was given and finds one motion everywhere."""

    name = "cpu"
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]

    def __init__(self, source: TensorSpec, target: TensorSpec) -> None:
        self.inputs, self.outputs = (source,), (target,)
        self.given: list[np.ndarray[Any, Any]] = []

    def run(self, inputs: Tensors) -> Tensors:
        (values,) = inputs.values()
        self.given.append(values)
        target = self.outputs[0]
        motion = np.tile(np.array(UV, np.float32), 4)
        if len(target.shape) == 3:  # planes that add up
            planes = target.shape[0] // 8
            raw = np.broadcast_to(np.tile(motion / planes, planes)[:, None, None], target.shape)
        else:
            raw = np.broadcast_to(motion, target.shape)
        return {target.name: target.stored(cast("Float32", raw))}

    def close(self) -> None: ...


def lite(dtype: str) -> Answer:
    scale, zero = (0.5, 3) if dtype == "int8" else (0.0, 0)
    into = (1 / 255, -128) if dtype == "int8" else (0.0, 0)
    return Answer(
        TensorSpec("args_0", (1, 24, 32, CHANNELS), dtype, *into), TensorSpec("out", (1, 24, 32, 8), dtype, scale, zero)
    )


def low() -> Answer:
    return Answer(TensorSpec("pair", (CHANNELS, 24, 32), "uint8"), TensorSpec("motion", (32, 24, 32), "float32"))


def net(backend: Answer) -> FlowNet:
    limits = [0, 255] if backend.inputs[0].dtype == "uint8" else [0, 1]
    card = Card("flow", "flow.tflite", "0", "flow", "float", (), {"range": limits}, {})
    return FlowNet(card, backend)


def picture(seed: int, height: int = 480, width: int = 640) -> Image:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("kind", ["float32", "int8", "lowbit"])
def test_every_kind_of_file_sees_the_stem_and_answers_in_px_of_the_picture(kind: str) -> None:
    backend = low() if kind == "lowbit" else lite(kind)
    flow = net(backend)(picture(1), picture(2))
    assert flow.uv.shape == (96, 128, 2)
    assert np.allclose(flow.uv, np.array(UV) * 5, atol=1e-4)
    assert flow.valid.all()
    other = low()
    net(other)(picture(1), picture(2))
    stem = other.given[0]
    given = backend.given[0]
    if kind == "float32":
        given = np.rint(given[0].transpose(2, 0, 1) * 255)
    elif kind == "int8":
        given = given[0].transpose(2, 0, 1).astype(int) + 128
    assert np.array_equal(given, stem)


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 700), width=st.integers(1, 900))
def test_any_size_gives_a_flow_of_whole_squares(height: int, width: int) -> None:
    rgb = np.zeros((height, width, 3), np.uint8)
    flow = net(low())(rgb, rgb)
    stride = flow_stride(width, height)
    assert flow.valid.shape == (-(-height // stride), -(-width // stride))
    assert np.allclose(flow.uv, (UV[0] * width / 128, UV[1] * height / 96), rtol=1e-4)


def test_the_newest_picture_is_reduced_once() -> None:
    backend = low()
    flow_net = net(backend)
    one, two, three = picture(1), picture(2), picture(3)
    flow_net(one, two)
    flow_net(two, three)
    fresh = low()
    net(fresh)(two, three)
    assert np.array_equal(backend.given[1], fresh.given[0])
    assert not np.array_equal(backend.given[0], backend.given[1])


def test_pictures_of_two_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="two pictures of one size"):
        net(low())(picture(1), picture(2, 240, 320))


def test_quarters_of_cells_lie_where_they_belong() -> None:
    parts = np.arange(8 * 2 * 3, dtype=np.float32).reshape(8, 2, 3)
    joined = joined_parts(parts)
    assert joined.shape == (4, 6, 2)
    for y, x, axis in np.ndindex(4, 6, 2):
        assert joined[y, x, axis] == parts[2 * (2 * (y % 2) + x % 2) + axis, y // 2, x // 2]


def test_enlarging_keeps_the_motion_and_what_is_known() -> None:
    small = Flow(np.full((4, 6, 2), UV, np.float32), np.ones((4, 6), bool))
    small.valid[0, 0] = False
    large = enlarged(small, 60, 40)
    assert np.allclose(large.uv, UV)
    assert not large.valid[:10, :10].any()
    assert large.valid.sum() == 2400 - 100
    assert enlarged(small, 6, 4) is small
