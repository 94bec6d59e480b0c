# SPDX-License-Identifier: Apache-2.0
"""The C kernels change the same bytes as the emulator and answer the same codes, at every level of this CPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.lowbit import emulator
from device.lowbit.descriptor import Descriptor, ErrorCode, encode_all
from device.lowbit.library import CpuLibrary, Level
from tests.device.lowbit.cases import Case, make_case, random_shape
from tests.device.lowbit.illegal import ARENA_BYTES, LEGAL, illegal

GUARD = 4096


def check_equal(library: CpuLibrary, case: Case) -> None:
    """Run both machines; compare all bytes, those around the arena of the kernels included."""
    framed = np.full(case.arena.size + 2 * GUARD, 0x5A, np.uint8)
    inner = framed[GUARD:-GUARD]
    inner[:] = case.arena
    assert library.run(inner, case.words) == ErrorCode.OK
    assert emulator.run(case.arena, case.words) == ErrorCode.OK
    assert np.array_equal(inner, case.arena), case.descriptor
    assert (framed[:GUARD] == 0x5A).all()
    assert (framed[-GUARD:] == 0x5A).all()


@pytest.mark.parametrize("seed", range(10))
def test_random_layers_equal_the_emulator(kernels: CpuLibrary, seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    for _ in range(25):
        spare = (32 * int(rng.integers(0, 3)), 32 * int(rng.integers(0, 3)))
        check_equal(kernels, make_case(rng, random_shape(rng), spare))


@pytest.mark.parametrize(
    ("w", "h", "cb_in", "digits", "k"),
    [(1024, 1, 1, 1, 3), (1, 1024, 1, 1, 3), (3, 3, 32, 4, 3), (4, 4, 32, 1, 3), (64, 64, 1, 4, 1), (31, 17, 7, 2, 3)],
)
def test_layers_at_the_limits_equal_the_emulator(
    kernels: CpuLibrary, w: int, h: int, cb_in: int, digits: int, k: int
) -> None:
    rng = np.random.default_rng(w + h)
    shape = Descriptor(w=w, h=h, cb_in=cb_in, cb_out=2, digits=digits, k=k)
    pad = int(k == 3)
    shape = replace(shape, pad_top=pad, pad_bottom=pad, pad_left=pad, pad_right=pad)
    for raw in (0, 1):
        check_equal(kernels, make_case(rng, replace(shape, raw=raw)))


@pytest.mark.parametrize("value", [0x00, 0xFF])
def test_largest_sums_equal_the_emulator(kernels: CpuLibrary, value: int) -> None:
    shape = Descriptor(w=4, h=4, cb_in=32, cb_out=1, digits=4, k=3, raw=1)
    case = make_case(np.random.default_rng(0), shape)
    case.arena[: case.descriptor.constants_bytes] = value
    case.arena[case.descriptor.src : case.descriptor.dst] = 0xFF
    check_equal(kernels, case)


def test_thresholds_that_are_not_sorted_count_all_the_same(kernels: CpuLibrary) -> None:
    rng = np.random.default_rng(8)
    case = make_case(rng, Descriptor(w=5, h=5, cb_in=1, cb_out=1, digits=1, k=1))
    limits = case.arena[128:640].view("<i4")
    limits[:] = rng.integers(-20, 20, limits.size)
    limits[::7] = 2**31 - 1
    limits[::9] = -(2**31)
    check_equal(kernels, case)


@pytest.mark.parametrize("name", illegal())
def test_illegal_descriptor_gets_its_code(kernels: CpuLibrary, name: str) -> None:
    words, code = illegal()[name]
    arena = np.full(ARENA_BYTES, 0xA5, np.uint8)
    assert kernels.run(arena, np.stack([words, LEGAL])) == code
    assert (arena == 0xA5).all()


def test_random_words_get_the_code_of_the_emulator(library: CpuLibrary) -> None:
    rng = np.random.default_rng(9)
    legal = [make_case(rng, random_shape(rng)).words[0] for _ in range(20)]
    seen = set()
    for _ in range(600):
        words = legal[int(rng.integers(len(legal)))].copy()
        for _ in range(int(rng.integers(1, 3))):
            words[int(rng.integers(16))] ^= np.uint32(1 << int(rng.integers(32)))
        small = np.zeros(int(rng.integers(0, 300)) * 32, np.uint8)
        code = emulator.run(small.copy(), words[None])
        assert library.run(small, words[None]) == code
        seen.add(code)
    assert seen >= {ErrorCode.BAD_TAG, ErrorCode.BAD_OP, ErrorCode.BAD_FIELD, ErrorCode.BAD_ALIGN}
    assert ErrorCode.OUT_OF_ARENA in seen


def test_several_descriptors_run_in_order(kernels: CpuLibrary) -> None:
    rng = np.random.default_rng(11)
    case = make_case(rng, Descriptor(w=6, h=6, cb_in=1, cb_out=1, digits=1, k=1))
    d = case.descriptor
    arena = np.concatenate([case.arena, np.zeros(d.dst_plane_bytes, np.uint8)])
    words = encode_all([d, Descriptor(op=0), replace(d, src=d.dst, dst=d.dst + d.dst_plane_bytes)])
    other = arena.copy()
    assert kernels.run(arena, words) == emulator.run(other, words) == ErrorCode.OK
    assert np.array_equal(arena, other)
    words[1, 15] = 1
    assert kernels.run(arena, words) == ErrorCode.BAD_FIELD


def test_auto_takes_the_fastest_kernel(library: CpuLibrary) -> None:
    levels = library.levels()
    assert levels[0] == Level.PLAIN
    assert library.force(Level.AUTO) == levels[-1]


def test_arena_that_is_not_one_piece_is_refused(library: CpuLibrary) -> None:
    with pytest.raises(ValueError, match="arena: expected writable"):
        library.run(np.zeros(64, np.uint8)[::2], LEGAL[None])
