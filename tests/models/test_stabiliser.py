# SPDX-License-Identifier: Apache-2.0
"""The stabiliser on a textured wall and cameras whose path is known."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from models.results import Image
from models.similarity import Affine, identity, inverse, moved_points, then, to_pixel_index, turn_about
from models.stabiliser import Stabilised, Stabiliser

SIZE_WH = (320, 240)
MIDDLE = np.array([[160.0, 120.0]])
FRAME_NS = 40_000_000
FPS = 25


def wall(seed: int = 5, width: int = 1000) -> Image:
    random = np.random.default_rng(seed)
    total = np.zeros((400, width, 3), np.float32)
    for cell_px in (5, 16, 50):
        noise = random.normal(0, 30, (400 // cell_px + 2, width // cell_px + 2, 3)).astype(np.float32)
        total += cv2.resize(noise, (width, 400), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(total + 128, 0, 255), np.uint8)


WALL = wall()


def view(matrix: Affine, of: Image = WALL) -> Image:
    """What the camera sees; `matrix` takes px of the wall, counted from its (80, 80), to px of the picture."""
    from_wall = np.array([[1.0, 0, -80], [0, 1, -80]])
    return np.asarray(cv2.warpAffine(of, to_pixel_index(then(from_wall, matrix)), SIZE_WH), np.uint8)


def shake(n: int, seed: int = 0) -> list[Affine]:
    """Jolts of 3 to 6 Hz: 4 px, 0.006 rad, 0.4 % RMS."""
    random, t_s = np.random.default_rng(seed), np.arange(n) / FPS
    hz, phase = random.uniform(3, 6, (4, 4)), random.uniform(0, 2 * np.pi, (4, 4))
    sway = np.sin(2 * np.pi * hz * t_s[:, None, None] + phase).sum(axis=2) / np.sqrt(2)
    path = sway * [4.0, 4.0, 0.006, 0.004]
    return [turn_about((160, 120), (x, y), turn, float(np.exp(zoom))) for x, y, turn, zoom in path]


def steps_px(maps: list[Affine]) -> NDArray[np.float64]:
    """How the wall in the middle of the picture moves from frame to frame, (N - 1, 2)."""
    return np.concatenate([moved_points(then(inverse(a), b), MIDDLE) - MIDDLE for a, b in pairwise(maps)])


def steadied(maps: list[Affine], stabiliser: Stabiliser) -> list[Stabilised]:
    return [stabiliser(view(matrix), number * FRAME_NS) for number, matrix in enumerate(maps)]


def seen(maps: list[Affine], results: list[Stabilised]) -> list[Affine]:
    return [then(matrix, result.matrix) for matrix, result in zip(maps, results, strict=True)]


def test_jitter_of_a_still_picture_falls_to_a_quarter() -> None:
    """Stated: by a factor of 4 or more, from 3 Hz on, after the first second."""
    maps = shake(100)
    after = steps_px(seen(maps, steadied(maps, Stabiliser())))[FPS:]
    before = steps_px(maps)[FPS:]
    assert np.linalg.norm(before, axis=1).mean() > 2.0
    assert np.linalg.norm(before, axis=1).mean() > 4 * np.linalg.norm(after, axis=1).mean()


def test_the_picture_is_what_the_map_says() -> None:
    maps = shake(30)
    result = steadied(maps, Stabiliser())[-1]
    wanted = cv2.warpAffine(view(maps[-1]), to_pixel_index(result.matrix), SIZE_WH, borderMode=cv2.BORDER_REPLICATE)
    np.testing.assert_array_equal(result.image, wanted)
    assert result.image.shape == (240, 320, 3)


def test_a_steady_pan_is_followed() -> None:
    """100 px a second with jolts: in the long run the view goes on at that speed and comes back to the middle."""
    jolts = shake(120)
    maps = [then(jolt, turn_about((0, 0), (-4.0 * i, 0))) for i, jolt in enumerate(jolts)]
    results = steadied(maps, Stabiliser())
    zoom = 1 / 0.8
    last = steps_px(seen(maps, results))[-FPS:]
    np.testing.assert_allclose(last.mean(axis=0), [-4.0 * zoom, 0.0], atol=0.4)
    assert last.std(axis=0).max() < steps_px(maps)[-FPS:].std(axis=0).max() / 2
    moved = moved_points(results[-1].matrix, MIDDLE) - MIDDLE
    assert np.linalg.norm(moved) < 15.0  # a filter without velocity would trail by 100 px/s * 1 s


def test_nothing_beyond_the_edge_is_ever_seen() -> None:
    random = np.random.default_rng(1)
    maps = [
        turn_about((160, 120), (40 * x, 40 * y), 0.1 * a) for x, y, a in np.cumsum(random.normal(0, 0.2, (60, 3)), 0)
    ]
    for result in steadied(maps, Stabiliser(margin=0.05)):
        corners = moved_points(inverse(result.matrix), np.array([[0.0, 0], [320, 0], [0, 240], [320, 240]]))
        assert (corners >= -1e-3).all()
        assert (corners <= np.array(SIZE_WH) + 1e-3).all()


def zoom_only(margin: float = 0.1) -> Affine:
    return turn_about((160, 120), (0, 0), scale=1 / (1 - 2 * margin))


def test_a_camera_that_stands_still_is_only_cropped() -> None:
    for result in steadied([identity()] * 5, Stabiliser()):
        np.testing.assert_allclose(result.matrix, zoom_only(), atol=0.01)


def test_a_cut_a_pause_time_that_runs_back_and_a_new_size_begin_anew() -> None:
    maps, other = shake(20), wall(6)[:, ::-1].copy()
    other[...] = np.clip(other.astype(int) + 60, 0, 255)
    for image, t_ns in (
        (view(maps[-1], other), 20 * FRAME_NS),
        (view(maps[-1]), 10**12),
        (view(maps[-1]), 0),
        (view(maps[-1])[:200], 20 * FRAME_NS),
    ):
        stabiliser = Stabiliser()
        results = steadied(maps, stabiliser)
        assert [result.is_restart for result in results] == [True] + [False] * 19
        assert np.abs(results[-1].matrix - zoom_only()).max() > 1.0
        result = stabiliser(image, t_ns)
        assert result.is_restart
        assert result.image.shape == image.shape
        middle = (160.0, image.shape[0] / 2)
        np.testing.assert_allclose(result.matrix, turn_about(middle, (0, 0), scale=1.25), atol=1e-9)


def test_a_covered_lens_begins_anew_and_is_no_motion() -> None:
    stabiliser, black = Stabiliser(), np.zeros((240, 320, 3), np.uint8)
    steadied(shake(20), stabiliser)
    for number in range(20, 24):
        result = stabiliser(black, number * FRAME_NS)
        assert not result.camera.is_known
        assert not result.image.any()
    np.testing.assert_allclose(result.matrix, zoom_only(), atol=1e-9)


def test_the_same_time_twice_is_no_error() -> None:
    stabiliser = Stabiliser()
    for matrix in shake(5):
        result = stabiliser(view(matrix), 7)
    assert np.isfinite(result.matrix).all()


@pytest.mark.parametrize(("smoothing_s", "margin"), [(0.0, 0.1), (1.0, -0.1), (1.0, 0.5), (float("nan"), 0.1)])
def test_settings_that_cannot_be_are_named(smoothing_s: float, margin: float) -> None:
    with pytest.raises(ValueError, match="expected smoothing_s above 0"):
        Stabiliser(smoothing_s, margin)
