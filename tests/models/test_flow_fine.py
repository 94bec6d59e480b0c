# SPDX-License-Identifier: Apache-2.0
"""Tiles and passes around a network that is a stand-in with a known answer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from models.flow import FlowNet
from models.flow_fine import FineFlow, tile_starts, tile_window, warped_back
from models.results import Float32, Flow, Image


class HalfTheWay(FlowNet):
    """Knows the true shift of a ramp of grey levels, and gives half of it each time."""

    def __init__(self) -> None:
        self.n_tiles = 0

    def __call__(self, first_rgb: Image, second_rgb: Image) -> Flow:
        return Flow(np.full((12, 16, 2), (4, 0), np.float32), np.ones((12, 16), bool))

    def motion_of(self, first: Image, second: Image) -> Float32:
        self.n_tiles += 1
        left_px = (first[8:-8, 40:-40].astype(float) - second[8:-8, 40:-40]).mean()
        return np.full((48, 64, 2), (left_px / 2, 0), np.float32)


def ramp(shift_px: int, width: int, height: int) -> Image:
    """One grey level a pixel, moved to the right."""
    row = (np.arange(width) % 256 - shift_px).clip(0, 255).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(row[None, :, None], (height, width, 3)))


@pytest.mark.parametrize("size", [(240, 180), (100, 60)])
def test_each_pass_finds_what_the_ones_before_left(size: tuple[int, int]) -> None:
    first, second = ramp(0, *size), ramp(8, *size)
    left = []
    for passes in (1, 2, 3, 4):
        flow = FineFlow(HalfTheWay(), passes)(first, second)
        assert flow.uv.shape == (size[1], size[0], 2)
        left.append(abs(8 - float(flow.uv[20:-20, 40:-40, 0].mean())))
    assert left[0] == pytest.approx(4, abs=0.01)
    assert all(later < 0.75 * before for before, later in itertools.pairwise(left))


def test_tiles_cover_everything_and_overlap() -> None:
    for length in (96, 97, 160, 388, 480, 1080):
        starts = tile_starts(length, 96)
        assert starts[0] == 0
        assert starts[-1] + 96 == length
        assert all(b - a <= 96 - 32 for a, b in itertools.pairwise(starts))
    assert tile_starts(40, 96) == [0]
    assert len(tile_starts(480, 96)) * len(tile_starts(640, 128)) == 49
    assert tile_window().min() > 0
    assert tile_window().max() == 1


def test_a_warp_by_the_motion_gives_the_first_picture() -> None:
    first, second = (picture[..., 0].copy() for picture in (ramp(0, 200, 100), ramp(5, 200, 100)))
    back = warped_back(second, np.full((100, 200, 2), (5, 0), np.float32))
    assert np.array_equal(back[:, :190], first[:, :190])


def test_no_pass_at_all_is_refused() -> None:
    with pytest.raises(ValueError, match="passes: expected at least 1"):
        FineFlow(HalfTheWay(), 0)
