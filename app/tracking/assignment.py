# SPDX-License-Identifier: Apache-2.0
"""Who is who: overlap of boxes, and the assignment that makes the sum of affinities largest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Float64 = NDArray[np.float64]
Index = NDArray[np.intp]


def iou_matrix(a_xyxy: Float64, b_xyxy: Float64) -> Float64:
    """Return intersection over union of every box of `a` (N, 4) with every box of `b` (M, 4), as (N, M).

    Boxes without area overlap with nothing.
    """
    ax1, ay1, ax2, ay2 = a_xyxy.T[:, :, None]
    bx1, by1, bx2, by2 = b_xyxy.T[:, None, :]
    shared = _shared_length(ax1, ax2, bx1, bx2)
    shared *= _shared_length(ay1, ay2, by1, by2)
    union = (ax2 - ax1) * (ay2 - ay1) + (bx2 - bx1) * (by2 - by1)
    union -= shared
    shared /= np.maximum(union, np.finfo(np.float64).tiny, out=union)
    return shared


def _shared_length(a_low: Float64, a_high: Float64, b_low: Float64, b_high: Float64) -> Float64:
    # In place: with 200 boxes a new array for each step costs more than the arithmetic.
    length: Float64 = np.minimum(a_high, b_high)
    length -= np.maximum(a_low, b_low)
    return np.maximum(length, 0.0, out=length)


def assign(affinity: Float64, possible: NDArray[np.bool_]) -> tuple[Index, Index]:
    """Return rows and columns of the one-to-one assignment with the largest sum over the `possible` pairs.

    Both arrays are (N, M); affinities of possible pairs are above 0. A pair that is the only possible one in its row
    and its column is in every best assignment, so only the other rows and columns are searched.
    """
    rows, columns = np.nonzero(possible)
    n_row, n_column = np.bincount(rows), np.bincount(columns)
    alone = (n_row[rows] == 1) & (n_column[columns] == 1)
    if alone.all():
        return rows, columns
    contested = np.unique(rows[~alone]), np.unique(columns[~alone])
    grid = np.ix_(*contested)
    i, j = linear_sum_assignment(np.where(possible[grid], affinity[grid], 0.0), maximize=True)
    i, j = contested[0][i], contested[1][j]
    chosen = possible[i, j]
    return np.concatenate([rows[alone], i[chosen]]), np.concatenate([columns[alone], j[chosen]])
