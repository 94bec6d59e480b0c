# SPDX-License-Identifier: Apache-2.0
"""The stem of the flow network: two small grey pictures become matching scores and pixels, 300 values for each cell.

A convolution of few bits cannot compare two pictures; so for each cell of 4x4 pixels the stem says how well it is found
at 268 displacements of the second picture (a cost volume as in Dosovitskiy et al., "FlowNet", ICCV 2015, of absolute
differences instead of learned features). Integers only, equal at every precision and on every machine.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from device.array import expect_array
from device.errors import BackendUnavailable
from device.lowbit.library import CpuLibrary, Displacements
from device.lowbit.machine import SHARED

Grey = NDArray[np.uint8]
"""(H, W)."""
Scores = NDArray[np.uint8]
"""(C, H / 4, W / 4), 0..255."""
WIDTH_PX, HEIGHT_PX = 128, 96
CELL_PX = 4
BEST_SCORE = 255
LEVELS = (
    (1, Displacements(side=4, radius=2)),
    (2, Displacements(side=2, radius=4)),
    (4, Displacements(side=1, radius=4)),
    (4, Displacements(side=1, radius=4, step=2, spread=1)),
)
"""How many times smaller the pictures are, and what is compared in them: up to 2, 8, 16 and 32 px of the whole picture.

Near ones finely, far ones coarsely; the last spread keeps a motion between two steps from falling through."""
CHANNELS = sum(displacements.n for _, displacements in LEVELS) + 2 * CELL_PX**2


def stem(first: Grey, second: Grey, library: CpuLibrary | None) -> Scores:
    """Return (300, H / 4, W / 4) of two (H, W) pictures: the levels' scores, then each picture's 16 pixels a cell.

    Sides are multiples of 4. `library` None computes by NumPy, 15 times as slowly and with the same result.
    """
    height, width = first.shape
    if height % CELL_PX or width % CELL_PX or not first.size:
        raise ValueError(f"first: expected sides that are multiples of {CELL_PX}, got {first.shape}")
    expect_array("first", first, (height, width), np.uint8)
    expect_array("second", second, (height, width), np.uint8)
    out = np.empty((CHANNELS, height // CELL_PX, width // CELL_PX), np.uint8)
    pyramids = [pyramid(picture) for picture in (first, second)]
    at = 0
    for scale, displacements in LEVELS:
        a, b = (pictures[scale] for pictures in pyramids)
        target = out[at : at + displacements.n]
        if library is None:
            target[:] = matching_scores(a, b, displacements)
        else:
            library.match(a, b, displacements, target)
        at += displacements.n
    for picture in (first, second):
        pixels = picture.reshape(height // CELL_PX, CELL_PX, width // CELL_PX, CELL_PX).transpose(1, 3, 0, 2)
        out[at : at + CELL_PX**2] = pixels.reshape(CELL_PX**2, *out.shape[1:])
        at += CELL_PX**2
    return out


def open_kernels() -> CpuLibrary | None:
    """Return the C kernels, None on a computer where they cannot be built: the stem is then NumPy's."""
    try:
        return SHARED.open()
    except BackendUnavailable:
        return None


def pyramid(picture: Grey) -> dict[int, Grey]:
    """Return the picture at 1, 1/2 and 1/4 of its size, by its scale; means of 2x2 pixels, rounded half up."""
    half = halved(picture)
    return {1: np.ascontiguousarray(picture), 2: half, 4: halved(half)}


def halved(picture: Grey) -> Grey:
    wide = picture.astype(np.uint16)
    four = wide[::2, ::2] + wide[::2, 1::2] + wide[1::2, ::2] + wide[1::2, 1::2]
    return np.asarray((four + 2) >> 2, np.uint8)


def matching_scores(first: Grey, second: Grey, displacements: Displacements) -> Scores:
    """Return (n, H / side, W / side): 255 where a displacement is the best of its cell, less the worse it is.

    The cost of a displacement is the sum of absolute differences of a cell of side x side pixels, weighted with those
    of its eight neighbours by 1 2 1 in both directions; displacements row by row. The edges of all are continued.
    """
    height, width = first.shape
    side, step, spread = displacements.side, displacements.step, displacements.spread
    reach = displacements.radius * step
    wide = np.pad(second, reach, mode="edge").astype(np.int32)
    n = 2 * reach + 1
    costs = np.empty((n, n, height // side, width // side), np.int32)
    for dy, dx in np.ndindex(n, n):
        difference = np.abs(wide[dy : dy + height, dx : dx + width] - first)
        sums = difference.reshape(height // side, side, width // side, side).sum((1, 3))
        costs[dy, dx] = binomial(sums * 4 // (side * side))
    chosen = costs[::step, ::step]
    least = (costs if spread else chosen).min((0, 1))
    if spread:
        near = np.pad(costs, ((spread, spread), (spread, spread), (0, 0), (0, 0)), mode="edge")
        shifts = range(2 * spread + 1)
        chosen = np.minimum.reduce([near[i : i + n, j : j + n] for i in shifts for j in shifts])[::step, ::step]
    worse = (chosen - least).reshape(-1, *least.shape) >> displacements.shift
    return np.asarray(BEST_SCORE - np.minimum(worse, BEST_SCORE), np.uint8)


def binomial(cells: NDArray[np.int32]) -> NDArray[np.int32]:
    """Return each cell weighted with its neighbours by 1 2 1 in both directions, 16 times as large."""
    wide = np.pad(cells, 1, mode="edge")
    rows = wide[:-2] + 2 * wide[1:-1] + wide[2:]
    return np.asarray(rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:], np.int32)
