# SPDX-License-Identifier: Apache-2.0
"""Overlap and assignment against answers known by hand and by exhaustive search."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from app.tracking.assignment import assign, iou_matrix


def best_sum(affinity: NDArray[np.float64], possible: NDArray[np.bool_]) -> float:
    """Largest sum over all one-to-one assignments, by trying each."""
    value = np.where(possible, affinity, 0.0)
    value = value if value.shape[0] <= value.shape[1] else value.T
    n, m = value.shape
    return max(float(value[np.arange(n), list(columns)].sum()) for columns in permutations(range(m), n))


def test_iou_by_hand() -> None:
    a = np.array([[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 2.0, 2.0]])
    b = np.array([[5.0, 0.0, 15.0, 10.0], [0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]])
    np.testing.assert_allclose(iou_matrix(a, b), [[1 / 3, 1.0, 0.0], [0.0, 0.04, 0.0]])


@pytest.mark.parametrize("box", [(5.0, 5.0, 5.0, 9.0), (5.0, 5.0, 5.0, 5.0), (9.0, 9.0, 5.0, 5.0)])
def test_box_without_area_overlaps_with_nothing(box: tuple[float, ...]) -> None:
    one = np.array([box])
    np.testing.assert_array_equal(iou_matrix(one, np.array([[0.0, 0.0, 10.0, 10.0], box])), [[0.0, 0.0]])


def test_no_boxes() -> None:
    assert iou_matrix(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)
    rows, columns = assign(np.zeros((0, 3)), np.zeros((0, 3), bool))
    assert len(rows) == len(columns) == 0


def test_sum_wins_over_the_single_best_pair() -> None:
    affinity = np.array([[0.9, 0.8], [0.8, 0.1]])
    rows, columns = assign(affinity, affinity > 0)
    assert sorted(zip(rows.tolist(), columns.tolist(), strict=True)) == [(0, 1), (1, 0)]


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), n=st.integers(1, 5), m=st.integers(1, 5), density=st.floats(0.1, 1.0))
def test_assignment_is_best_possible_and_one_to_one(seed: int, n: int, m: int, density: float) -> None:
    random = np.random.default_rng(seed)
    affinity = random.uniform(0.01, 1.0, (n, m))
    possible = random.random((n, m)) < density
    rows, columns = assign(affinity, possible)
    assert len(set(rows)) == len(rows)
    assert len(set(columns)) == len(columns)
    assert possible[rows, columns].all()
    assert affinity[rows, columns].sum() == pytest.approx(best_sum(affinity, possible), abs=1e-12)
