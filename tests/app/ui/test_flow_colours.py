# SPDX-License-Identifier: Apache-2.0
"""The colours of motion: eight directions, speed, what is unknown, and the legend."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from app.ui.flow_colours import flow_rgb, hues, legend_rgb
from models.results import Float32

EIGHT = {
    (1, 0): (255, 0, 0),
    (1, 1): (255, 117, 0),
    (0, 1): (255, 234, 0),
    (-1, 1): (16, 255, 0),
    (-1, 0): (0, 197, 255),
    (-1, -1): (0, 38, 255),
    (0, -1): (103, 0, 255),
    (1, -1): (238, 0, 255),
}
"""Screen directions (x right, y down) with the hue that the wheel's 55 steps give, by hand: step = turn * 55."""


def colour(u: float, v: float, scale_px: float = 1.0) -> tuple[int, ...]:
    uv = np.array([[[u, v]]], np.float32)
    return tuple(int(c) for c in flow_rgb(uv, np.ones((1, 1), bool), scale_px)[0, 0])


@pytest.mark.parametrize(("direction", "rgb"), EIGHT.items())
def test_eight_directions(direction: tuple[int, int], rgb: tuple[int, int, int]) -> None:
    unit = np.array(direction) / np.hypot(*direction) * 0.99999
    assert np.abs(np.array(colour(*unit)) - rgb).max() <= 2


def test_the_hue_runs_once_around_without_a_jump() -> None:
    angle = np.linspace(0, 2 * np.pi, 721)
    uv: Float32 = 0.999 * np.stack([np.cos(angle), np.sin(angle)], -1).astype(np.float32)[None]
    rgb = flow_rgb(uv, np.ones((1, 721), bool), 1.0)[0].astype(float)
    assert np.abs(np.diff(rgb, axis=0)).max() < 35
    hue = np.array([colorsys.rgb_to_hsv(*row)[0] for row in rgb / 255])
    rises = np.diff(hue)
    assert (np.abs(rises) < 0.05).sum() >= 719  # one wrap
    assert rises[np.abs(rises) < 0.05].min() > -0.01


def test_speed_is_strength() -> None:
    assert colour(0, 0) == (255, 255, 255)
    assert colour(5, 0, scale_px=10) == (255, 128, 128)
    assert colour(10, 0, scale_px=10) == (255, 0, 0)
    assert colour(30, 0, scale_px=10) == (191, 0, 0)


def test_unknown_pixels_are_black() -> None:
    uv = np.ones((2, 2, 2), np.float32)
    assert not flow_rgb(uv, np.zeros((2, 2), bool), 1.0).any()


def test_odd_scales_and_motions_give_colours() -> None:
    uv = np.array([[[1e30, -1e30], [1e-30, 0], [0, 0]]], np.float32)
    assert flow_rgb(uv, np.ones((1, 3), bool), 0.0).shape == (1, 3, 3)


def test_the_legend_shows_each_motion_where_it_goes() -> None:
    picture = legend_rgb(101)
    assert picture[50, 99].tolist() == pytest.approx([255, 0, 0], abs=12)
    assert picture[50, 50].min() > 245
    assert not picture[0, 0].any()
    assert len(hues()) == 55
