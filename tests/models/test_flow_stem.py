# SPDX-License-Identifier: Apache-2.0
"""The stem of the flow network: against loops written from its words, the C kernels, and pictures with known motion."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.lowbit.library import CpuLibrary, Displacements
from device.lowbit.machine import SHARED
from models.flow_stem import CHANNELS, LEVELS, Grey, Scores, matching_scores, pyramid, stem


@pytest.fixture(scope="module")
def library() -> CpuLibrary:
    return SHARED.open()


def noise(seed: int, height: int, width: int) -> Grey:
    return np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)


def by_loops(first: Grey, second: Grey, wanted: Displacements) -> Scores:
    """The words of `matching_scores`, pixel by pixel."""
    (height, width), side, spread = first.shape, wanted.side, wanted.spread
    ny, nx, reach = height // side, width // side, wanted.radius * wanted.step
    costs = {}
    for dy, dx in [(i, j) for i in range(-reach, reach + 1) for j in range(-reach, reach + 1)]:
        cells = np.zeros((ny, nx), int)
        for y in range(height):
            for x in range(width):
                other = second[min(max(y + dy, 0), height - 1), min(max(x + dx, 0), width - 1)]
                cells[y // side, x // side] += abs(int(first[y, x]) - int(other))
        cells = cells * 4 // side**2
        costs[dy, dx] = np.zeros((ny, nx), int)
        for y in range(ny):
            for x in range(nx):
                for i, j in [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]:
                    near = cells[min(max(y + i, 0), ny - 1), min(max(x + j, 0), nx - 1)]
                    costs[dy, dx][y, x] += (2 - abs(i)) * (2 - abs(j)) * near
    steps = range(-reach, reach + 1, wanted.step)
    pooled = []
    for dy, dx in [(i, j) for i in steps for j in steps]:
        near_by = [c for (i, j), c in costs.items() if max(abs(i - dy), abs(j - dx)) <= spread]
        pooled.append(np.min(near_by, 0))
    least = np.min(list(costs.values()) if spread else pooled, 0)
    return np.asarray(np.maximum(255 - (np.array(pooled) - least) // 2**wanted.shift, 0), np.uint8)


@pytest.mark.parametrize(
    "wanted",
    [Displacements(4, 1), Displacements(2, 2), Displacements(1, 1, step=2), Displacements(1, 2, 2, spread=1, shift=1)],
)
def test_scores_are_what_their_definition_says(wanted: Displacements) -> None:
    first, second = noise(1, 3 * wanted.side, 4 * wanted.side), noise(2, 3 * wanted.side, 4 * wanted.side)
    assert np.array_equal(matching_scores(first, second, wanted), by_loops(first, second, wanted))


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    cells=st.tuples(st.integers(1, 12), st.integers(1, 40)),
    wanted=st.builds(
        lambda side, radius, step, spread, shift: Displacements(side, radius, step, min(spread, step), shift),
        *[st.sampled_from([1, 2, 4]), st.integers(0, 3), st.integers(1, 3), st.integers(0, 2), st.integers(0, 3)],
    ),
)
def test_kernels_equal_the_definition(
    library: CpuLibrary, seed: int, cells: tuple[int, int], wanted: Displacements
) -> None:
    height, width = cells[0] * wanted.side, cells[1] * wanted.side
    first, second = noise(seed, height, width), noise(seed + 1, height, width)
    target = np.empty((wanted.n, *cells), np.uint8)
    library.match(first, second, wanted, target)
    assert np.array_equal(target, matching_scores(first, second, wanted))


@pytest.mark.parametrize("levels", [(0, 0), (255, 0), (255, 255)])
def test_the_largest_differences_do_not_overflow(library: CpuLibrary, levels: tuple[int, int]) -> None:
    first, second = (np.full((96, 128), grey, np.uint8) for grey in levels)
    second[:, 64:] = 255 - second[:, 64:]
    assert np.array_equal(stem(first, second, library), stem(first, second, None))


def test_kernels_and_definition_give_one_stem(library: CpuLibrary) -> None:
    first, second = noise(3, 96, 128), noise(4, 96, 128)
    out = stem(first, second, library)
    assert out.shape == (CHANNELS, 24, 32)
    assert np.array_equal(out, stem(first, second, None))
    assert np.array_equal(out[-32:-16, 5, 7], first[20:24, 28:32].reshape(-1))
    assert np.array_equal(out[-16:, 5, 7], second[20:24, 28:32].reshape(-1))


@pytest.mark.parametrize(("scale", "wanted"), LEVELS)
def test_the_true_displacement_scores_best(scale: int, wanted: Displacements) -> None:
    """A textured picture moves by one step of each level: the score of that step is 255, others are lower."""
    grey = np.kron(noise(5, 160 // scale, 192 // scale), np.ones((scale, scale))).astype(np.uint8)
    move_px = scale * wanted.step
    first, second = grey[32:128, 32:160], grey[32:128, 32 - move_px : 160 - move_px]
    scores = matching_scores(pyramid(first)[scale], pyramid(second)[scale], wanted)
    right = wanted.n // 2 + 1
    inner = np.s_[2:-2, 2:-12]
    assert (scores[right][inner] == 255).all()
    assert (np.delete(scores, right, 0)[:, 2:-2, 2:-12].mean((1, 2)) < 255).all()


def test_what_does_not_fit_is_refused(library: CpuLibrary) -> None:
    good = noise(6, 8, 8)
    with pytest.raises(ValueError, match="multiples of 4"):
        stem(noise(6, 7, 8), noise(6, 7, 8), None)
    with pytest.raises(ValueError, match="second"):
        stem(good, noise(6, 8, 12), library)
    for wrong in ((3, 1), (2, -1), (2, 1, 0), (2, 40), (1, 1, 1, 2), (1, 1, 1, 0, 9)):
        with pytest.raises(ValueError, match="expected"):
            Displacements(*wrong)
    with pytest.raises(ValueError, match="without gaps"):
        library.match(noise(6, 8, 16)[:, ::2], good, Displacements(2, 1), np.empty((9, 4, 4), np.uint8))
    with pytest.raises(ValueError, match="target"):
        library.match(good, good, Displacements(2, 1), np.empty((9, 4, 5), np.uint8))
