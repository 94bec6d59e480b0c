# SPDX-License-Identifier: Apache-2.0
"""The closed forms against filterpy's matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.tracking.kalman import KalmanFilters
from app.tracking.sort import FIRST_VARIANCE, MEASURED_NOISE, MOTION_NOISE


def oracle(measured: NDArray[np.float64]) -> Any:
    """One filterpy filter with SORT's matrices, started at `measured` (4,)."""
    kalman = pytest.importorskip("filterpy.kalman")
    one = kalman.KalmanFilter(dim_x=7, dim_z=4)
    one.F = np.eye(7) + np.diag(np.ones(3), 4)
    one.H = np.eye(4, 7)
    one.P, one.Q, one.R = np.diag(FIRST_VARIANCE), np.diag(MOTION_NOISE), np.diag(MEASURED_NOISE)
    one.x[:4, 0] = measured
    return one


def assert_equal(filters: KalmanFilters, oracles: list[Any]) -> None:
    np.testing.assert_allclose(filters.mean, [one.x[:, 0] for one in oracles], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(filters.covariance, [one.P for one in oracles], rtol=1e-9, atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 6), steps=st.integers(1, 25))
def test_equals_filterpy_on_random_sequences(seed: int, n: int, steps: int) -> None:
    random = np.random.default_rng(seed)
    first = random.uniform([0, 0, 100, 0.2], [1920, 1080, 50_000, 3.0], (n, 4))
    filters = KalmanFilters()
    filters.add(first, FIRST_VARIANCE)
    oracles = [oracle(row) for row in first]
    for _ in range(steps):
        filters.predict(1.0, MOTION_NOISE)
        for one in oracles:
            one.predict()
        seen = np.flatnonzero(random.random(n) < 0.7)
        measured = first[seen] + random.normal(0.0, [5, 5, 200, 0.05], (len(seen), 4))
        filters.update(seen, measured, MEASURED_NOISE)
        for row, value in zip(seen, measured, strict=True):
            oracles[row].update(value)
        assert_equal(filters, oracles)


def test_other_time_step_equals_filterpy_with_that_step_in_the_matrix() -> None:
    first = np.array([[100.0, 50.0, 2000.0, 0.5]])
    filters, one = KalmanFilters(), oracle(first[0])
    filters.add(first, FIRST_VARIANCE)
    for dt in (0.4, 2.5, 1.0):
        one.F = np.eye(7) + np.diag(np.full(3, dt), 4)
        one.Q = np.diag(MOTION_NOISE * dt)
        one.predict()
        one.update(first[0] + 3.0 * dt)
        filters.predict(dt, MOTION_NOISE * dt)
        filters.update(np.array([0]), first + 3.0 * dt, MEASURED_NOISE)
        assert_equal(filters, [one])


def test_learns_a_constant_velocity() -> None:
    filters = KalmanFilters()
    filters.add(np.array([[0.0, 0.0, 900.0, 1.0]]), FIRST_VARIANCE)
    for step in range(1, 30):
        filters.predict(1.0, MOTION_NOISE)
        filters.update(np.array([0]), np.array([[4.0 * step, -2.0 * step, 900.0, 1.0]]), MEASURED_NOISE)
    np.testing.assert_allclose(filters.mean[0, 4:], [4.0, -2.0, 0.0], atol=1e-3)


def test_keep_and_add_leave_the_other_rows_alone() -> None:
    filters = KalmanFilters()
    filters.add(np.arange(12.0).reshape(3, 4), FIRST_VARIANCE)
    filters.predict(1.0, MOTION_NOISE)
    before = filters.covariance[[0, 2]]
    filters.keep(np.array([True, False, True]))
    filters.add(np.full((1, 4), 7.0), FIRST_VARIANCE)
    assert len(filters) == 3
    np.testing.assert_array_equal(filters.mean[:, 0], [0.0, 8.0, 7.0])
    np.testing.assert_array_equal(filters.covariance[:2], before)
    np.testing.assert_array_equal(filters.covariance[2], np.diag(FIRST_VARIANCE))
