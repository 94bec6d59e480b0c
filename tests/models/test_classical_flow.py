# SPDX-License-Identifier: Apache-2.0
"""OpenCV's flow methods: known motion, and pictures that hold nothing or are very small."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest

from models.classical_flow import DIS_PRESETS, WORKING_PX, Dis, Farneback, LucasKanade, Reduced, reduce, working_stride
from models.results import Flow, Image

Method = Callable[[Image, Image], Flow]
METHODS: list[Callable[[], Method]] = [*(lambda p=p: Dis(p) for p in DIS_PRESETS), Farneback, LucasKanade]
IDS = [*DIS_PRESETS, "farneback", "lk"]


def texture(height: int, width: int) -> Image:
    noise = np.random.default_rng(3).integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), np.uint8)
    smooth = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.uint8)


@pytest.mark.parametrize(("new", "bound_px"), list(zip(METHODS, (0.6, 0.4, 0.2, 0.2, 0.2), strict=True)), ids=IDS)
@pytest.mark.parametrize(("u", "v"), [(3, -2), (-5, 4), (0, 0)])
def test_a_shift_is_found(new: Callable[[], Method], bound_px: float, u: int, v: int) -> None:
    big = texture(200, 260)
    first, second = big[20:180, 20:240], big[20 - v : 180 - v, 20 - u : 240 - u]
    flow = new()(first, second)
    inner = np.zeros_like(flow.valid)
    inner[16:-16, 16:-16] = True
    found = flow.uv[flow.valid & inner]
    assert len(found) > 100
    assert np.linalg.norm(found - (u, v), axis=-1).mean() < bound_px


@pytest.mark.parametrize("new", METHODS, ids=IDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 300), (7, 5), (31, 33)])
def test_small_pictures_have_flow_too(new: Callable[[], Method], shape: tuple[int, int]) -> None:
    flow = new()(texture(*shape), texture(*shape))
    assert flow.valid.shape == shape
    assert np.isfinite(flow.uv).all()
    assert np.abs(flow.uv).max() < 0.5


@pytest.mark.parametrize("new", METHODS, ids=IDS)
@pytest.mark.parametrize("level", [0, 255])
def test_nothing_to_see_is_no_motion(new: Callable[[], Method], level: int) -> None:
    flat = np.full((60, 80, 3), level, np.uint8)
    flow = new()(flat, flat)
    assert np.abs(flow.uv).max() == 0
    if new is LucasKanade:
        assert not flow.valid.any()


@pytest.mark.parametrize("new", METHODS, ids=IDS)
def test_two_sizes_are_a_bug_of_the_caller(new: Callable[[], Method]) -> None:
    with pytest.raises(ValueError, match="one size"):
        new()(texture(60, 80), texture(80, 60))


@pytest.mark.parametrize(
    ("size_wh", "stride"),
    [
        ((640, 480), 2),
        ((480, 640), 2),
        ((1280, 720), 3),
        ((1920, 1080), 5),
        ((400, 300), 1),
        ((1, 1), 1),
        ((320, 240), 1),
    ],
)
def test_large_pictures_are_reduced_to_about_one_size(size_wh: tuple[int, int], stride: int) -> None:
    assert working_stride(*size_wh) == stride
    n_px = size_wh[0] * size_wh[1] / stride**2
    assert n_px < 2.25 * WORKING_PX
    assert stride == 1 or n_px > WORKING_PX / 2


@pytest.mark.parametrize(("height", "width"), [(480, 640), (479, 641), (700, 500)])
@pytest.mark.parametrize("new", [Dis, Farneback, LucasKanade], ids=["dis", "farneback", "lk"])
def test_a_reduced_flow_is_in_px_of_the_picture(new: Callable[[], Method], height: int, width: int) -> None:
    big = texture(height + 40, width + 40)
    first, second = big[20:-20, 20:-20], big[26:-14, 12:-28]
    flow = Reduced(new())(first, second)
    assert flow.valid.shape == (-(-height // 2), -(-width // 2))
    inner = np.zeros_like(flow.valid)
    inner[16:-16, 16:-16] = True
    found = flow.uv[flow.valid & inner]
    assert len(found) > 100
    assert np.linalg.norm(np.median(found, axis=0) - (8, -6)) < 0.4


def test_reduced_pixels_are_means_and_edges_go_on() -> None:
    rgb = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    small = reduce(rgb, 2)
    assert small.shape == (3, 4, 3)
    assert small[0, 0].tolist() == pytest.approx(rgb[:2, :2].reshape(4, 3).mean(axis=0).tolist(), abs=0.51)
    assert small[2, 3].tolist() == rgb[4, 6].tolist()
    assert reduce(rgb, 1) is rgb


def test_two_sizes_are_refused_before_they_are_reduced() -> None:
    with pytest.raises(ValueError, match="one size"):
        Reduced(Dis())(texture(480, 640), texture(480, 638))
