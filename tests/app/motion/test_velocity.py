# SPDX-License-Identifier: Apache-2.0
"""Velocities do not depend on resolution or frame rate, and nothing that is unknown becomes motion."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.motion.velocity import (
    N_VECTORS,
    apart_deg,
    camera_velocity,
    direction_deg,
    middle_velocity,
    thinned,
    velocity_of,
)
from models.results import Flow
from models.similarity import turn_about
from tests.app.motion.fields import DT_S, SIZE_WH, empty, flow_of, unknown


@pytest.mark.parametrize("stride", [1, 4, 16])
def test_widths_a_second_at_any_stride(stride: int) -> None:
    found = velocity_of(flow_of((0.5, -0.25), (0, 0, 1, 1), stride), DT_S, SIZE_WH)
    assert found is not None
    np.testing.assert_allclose(found[0].reshape(-1, 2).mean(axis=0), [0.5, -0.25], rtol=1e-5)


@pytest.mark.parametrize("dt_s", [0.0, -0.04, math.nan, math.inf])
def test_no_time_is_no_velocity(dt_s: float) -> None:
    assert velocity_of(flow_of((0.5, 0), (0, 0, 1, 1)), dt_s, SIZE_WH) is None


@pytest.mark.parametrize("flow", [unknown(), empty()])
def test_nothing_known_is_no_velocity(flow: Flow) -> None:
    assert velocity_of(flow, DT_S, SIZE_WH) is None


def test_what_is_no_number_is_not_known() -> None:
    flow = flow_of((0.5, 0), (0, 0, 1, 1))
    assert flow.valid.size < N_VECTORS
    flow.uv[0, 0, 1], flow.uv[3, 5, 0] = np.nan, np.inf
    found = velocity_of(flow, DT_S, SIZE_WH)
    assert found is not None
    velocity, known = found
    assert np.isfinite(velocity).all()
    assert (known.size - known.sum(), bool(known[0, 0]), bool(known[3, 5])) == (2, False, False)


def test_middle_velocity_is_that_of_the_larger_part() -> None:
    found = velocity_of(flow_of((0.5, 0.1), (0, 0, 0.6, 1), 1), DT_S, SIZE_WH)
    assert found is not None
    np.testing.assert_allclose(middle_velocity(*found), [0.5, 0.1], rtol=1e-5)


@pytest.mark.parametrize("shape", [(480, 640), (1080, 1920), (1, 100_000), (100_000, 1), (120, 160), (1, 1)])
def test_a_fine_field_is_thinned_evenly(shape: tuple[int, int]) -> None:
    """The left half moves; so does half of what stands for it."""
    uv = np.zeros((*shape, 2), np.float32)
    uv[:, : shape[1] // 2, 0] = 1.0
    some, valid = thinned(Flow(uv, np.ones(shape, bool)))
    assert 0 < valid.size <= max(N_VECTORS * 1.05, max(shape) if 1 in shape else 0)
    assert some[..., 0].mean() == pytest.approx(uv[..., 0].mean(), abs=0.02)


def test_camera_velocity_of_a_turn_is_zero_in_the_middle_and_grows_outwards() -> None:
    turn = turn_about((160.0, 120.0), (0.0, 0.0), 0.01)
    velocity = camera_velocity(turn, (240, 320), DT_S, SIZE_WH)
    np.testing.assert_allclose(velocity[119:121, 159:161].mean(axis=(0, 1)), 0.0, atol=1e-6)
    right = velocity[120, 319] * DT_S * SIZE_WH[0]
    np.testing.assert_allclose(right, [0.0, 0.01 * 159.5], atol=0.02)


@pytest.mark.parametrize(("xy", "wanted"), [((1, 0), 0), ((0, 1), 90), ((-1, 0), 180), ((0, -1), 270), ((1, -1), 315)])
def test_directions(xy: tuple[float, float], wanted: float) -> None:
    assert direction_deg(np.array(xy, np.float64)) == pytest.approx(wanted)


@pytest.mark.parametrize(("a", "b", "wanted"), [(350, 10, 20), (10, 350, 20), (0, 180, 180), (90, 90, 0), (270, 0, 90)])
def test_angles_apart(a: float, b: float, wanted: float) -> None:
    assert apart_deg(a, b) == pytest.approx(wanted)
