# SPDX-License-Identifier: Apache-2.0
"""The colours of motion: eight directions, speed, what is unknown, and the legend."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest
from numpy.typing import NDArray

from app.ui.flow_colours import STRENGTH, Argb, flow_argb, flow_rgb, hues, legend_argb
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


def channels(argb: Argb) -> NDArray[np.int64]:
    """Return (..., 4): alpha, red, green, blue."""
    return np.asarray((argb[..., None].astype(np.int64) >> np.array([24, 16, 8, 0])) & 255, np.int64)


def scattered() -> tuple[Float32, NDArray[np.bool_]]:
    """Return motions of every direction, from none to three times a scale of 4 px, and which of them are known."""
    random = np.random.default_rng(5)
    angle, speed = random.uniform(0, 2 * np.pi, (60, 80)), random.uniform(0, 12, (60, 80))
    uv = np.stack([speed * np.cos(angle), speed * np.sin(angle)], -1).astype(np.float32)
    return uv, random.uniform(size=(60, 80)) > 0.1


def test_the_table_has_the_colours_of_the_wheel() -> None:
    uv, valid = scattered()
    found, wanted = channels(flow_argb(uv, valid, 4.0, is_over=False)), flow_rgb(uv, valid, 4.0)
    assert (found[..., 0] == 255).all()
    speed = np.hypot(uv[..., 0], uv[..., 1])
    sure = np.abs(speed - 4) > 0.1  # there the brightness jumps
    assert np.abs(found[..., 1:] - wanted)[sure].max() <= 9
    assert np.abs(found[..., 1:] - wanted)[sure].mean() < 1.5


@pytest.mark.parametrize("under", [0, 120, 255])
def test_over_a_picture_it_takes_the_place_of_white(under: int) -> None:
    uv, valid = scattered()
    argb = channels(flow_argb(uv, valid, 4.0, is_over=True))
    assert (argb[..., 1:] <= argb[..., :1]).all()  # multiplied by alpha
    seen = argb[..., 1:] + under * (255 - argb[..., :1]) / 255
    strong = STRENGTH * np.minimum(np.hypot(uv[..., 0], uv[..., 1]) / 4, 1)[..., None]
    unit = uv / np.maximum(np.hypot(uv[..., 0], uv[..., 1])[..., None], 1e-6) * 0.9999
    hue = flow_rgb(unit.astype(np.float32), valid, 1.0)
    slow = valid & (np.hypot(uv[..., 0], uv[..., 1]) < 3.9)
    assert np.abs(seen - (strong * hue + (1 - strong) * under))[slow].max() < 9
    assert (seen[~valid] == under).all()


def test_far_beyond_the_table_the_direction_holds() -> None:
    uv: Float32 = np.array([[[1e6, 2e5], [-3e5, 1e6], [1.2, 0.24]]], np.float32)
    for is_over in (False, True):
        found = channels(flow_argb(uv, np.ones((1, 3), bool), 1.0, is_over))
        assert np.abs(found[0, 0] - found[0, 2]).max() <= 3
        assert np.abs(found[0, 1] - found[0, 0]).max() > 50


@pytest.mark.parametrize("is_over", [False, True])
def test_the_legend_shows_each_motion_where_it_goes(is_over: bool) -> None:
    picture = channels(legend_argb(101, is_over))
    alpha = round(255 * (STRENGTH if is_over else 1))
    for (u, v), rgb in EIGHT.items():
        x, y = (round(50 + 47 * part / np.hypot(u, v)) for part in (u, v))
        wanted = np.array(rgb) * alpha / 255
        assert picture[y, x, 1:].tolist() == pytest.approx(wanted.tolist(), abs=22)
    assert picture[50, 50].tolist() == pytest.approx([0] * 4 if is_over else [255] * 4, abs=5)
    assert not picture[0, 0].any()
    assert len(hues()) == 55
