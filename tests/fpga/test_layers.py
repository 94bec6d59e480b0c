# SPDX-License-Identifier: Apache-2.0
"""Whole layers on the simulated accelerator change the same bytes as the emulator and answer the same codes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from device.lowbit import emulator
from device.lowbit.descriptor import Descriptor, ErrorCode, Store, encode_all
from device.lowbit.emulator import Arena
from device.lowbit.program import Ring
from fpga.sim.board import IDEAL, Timing, run
from tests.device.lowbit import golden
from tests.device.lowbit.cases import Case, make_case, random_shape
from tests.device.lowbit.illegal import ARENA_BYTES, LEGAL, illegal
from tests.fpga.agreement import check_equal, random_timing

RECORDED, _ = golden.load()
FOUND_BY_CHANCE = {
    ErrorCode.BAD_TAG,
    ErrorCode.BAD_OP,
    ErrorCode.BAD_FIELD,
    ErrorCode.BAD_ALIGN,
    ErrorCode.OUT_OF_ARENA,
}
INSIDE = Ring(0x8000, 3, 0x8400)
"""A ring in bytes that no descriptor of `illegal` uses."""


@pytest.mark.parametrize("seed", range(40))
def test_random_layers(simulator: Path, seed: int) -> None:
    rng = np.random.default_rng(1000 + seed)
    for _ in range(10):
        spare = (32 * int(rng.integers(0, 3)), 32 * int(rng.integers(0, 3)))
        case = make_case(rng, random_shape(rng), spare)
        check_equal(simulator, case.arena, case.words, random_timing(rng))


@pytest.mark.parametrize("seed", range(20))
def test_layers_behind_each_other(simulator: Path, seed: int) -> None:
    """The faster the memory, the earlier a layer begins behind the one before."""
    rng = np.random.default_rng(2000 + seed)
    for latency in (1, 2, 3, 6, 12):
        arena, words = joined([make_case(rng, random_shape(rng, 9, 2)) for _ in range(5)])
        check_equal(simulator, arena, words, Timing(0, latency))


def joined(cases: list[Case]) -> tuple[Arena, NDArray[np.uint32]]:
    """Return one arena with all cases in it and their descriptors."""
    arenas, descriptors, at = [], [], 0
    for case in cases:
        d = case.descriptor
        descriptors.append(replace(d, src=d.src + at, dst=d.dst + at, constants=d.constants + at))
        arenas.append(np.pad(case.arena, (0, -case.arena.size % 64)))
        at += arenas[-1].size
    return np.concatenate(arenas), encode_all(descriptors)


@pytest.mark.parametrize("store", [0, 1, 2, None], ids=["plain", "space-to-depth", "upsample", "raw"])
def test_every_padding(simulator: Path, store: int | None) -> None:
    rng = np.random.default_rng(store or 7)
    for bits in range(16):
        top, bottom, left, right = (bits >> i & 1 for i in range(4))
        h, w = 7 - top - bottom, 9 - left - right
        if store == Store.SPACE_TO_DEPTH:
            h, w = 4 + (top + bottom) % 2, 6 + (left + right) % 2
        shape = Descriptor(w=w, h=h, cb_in=2, cb_out=1, digits=2, k=3, store=store or 0, raw=int(store is None))
        shape = replace(shape, pad_top=top, pad_bottom=bottom, pad_left=left, pad_right=right)
        case = make_case(rng, shape)
        check_equal(simulator, case.arena, case.words, random_timing(rng))


@pytest.mark.parametrize("h", range(1, 10))
def test_every_small_size(simulator: Path, h: int) -> None:
    rng = np.random.default_rng(h)
    for w in range(1, 10):
        pads = {"pad_top": 1, "pad_bottom": 1, "pad_left": 1, "pad_right": 1}
        shape = Descriptor(w=w, h=h, cb_in=int(rng.integers(1, 3)), cb_out=2, digits=1, k=3, **pads)
        store = int(rng.choice([0, 2]))
        for chosen in (replace(shape, store=store), replace(shape, raw=1)):
            case = make_case(rng, chosen)
            check_equal(simulator, case.arena, case.words, random_timing(rng))


@pytest.mark.parametrize("raw", [0, 1], ids=["codes", "raw"])
@pytest.mark.parametrize(
    ("w", "h", "cb_in", "digits", "k"),
    [
        (1024, 1, 1, 1, 3),
        (1, 1024, 1, 1, 3),
        (3, 3, 32, 4, 3),
        (4, 4, 32, 1, 3),
        (64, 64, 1, 4, 1),
        (1024, 16, 1, 1, 1),
        (4, 128, 32, 1, 1),
        (31, 17, 7, 2, 3),
    ],
)
def test_layers_at_the_limits(simulator: Path, w: int, h: int, cb_in: int, digits: int, k: int, raw: int) -> None:
    rng = np.random.default_rng(w + h)
    pad = int(k == 3)
    shape = Descriptor(w=w, h=h, cb_in=cb_in, cb_out=2, digits=digits, k=k, raw=raw)
    shape = replace(shape, pad_top=pad, pad_bottom=pad, pad_left=pad, pad_right=pad)
    case = make_case(rng, shape)
    check_equal(simulator, case.arena, case.words, Timing(25, 20, 5))


def test_most_output_blocks(simulator: Path) -> None:
    rng = np.random.default_rng(32)
    shape = Descriptor(w=2, h=2, cb_in=1, cb_out=32, digits=1, k=1)
    for chosen in (shape, replace(shape, raw=1), replace(shape, store=1), replace(shape, store=2)):
        case = make_case(rng, chosen)
        check_equal(simulator, case.arena, case.words, random_timing(rng))


@pytest.mark.parametrize("value", [0x00, 0xFF])
def test_largest_sums(simulator: Path, value: int) -> None:
    shape = Descriptor(w=4, h=4, cb_in=32, cb_out=1, digits=4, k=3, raw=1)
    case = make_case(np.random.default_rng(0), shape)
    case.arena[: case.descriptor.constants_bytes] = value
    case.arena[case.descriptor.src : case.descriptor.dst] = 0xFF
    check_equal(simulator, case.arena, case.words)


@pytest.mark.parametrize("record", RECORDED, ids=lambda record: record.name.replace(" ", "-"))
@pytest.mark.parametrize("timing", [IDEAL, Timing(40, 15, 2)], ids=["ideal", "slow"])
def test_golden_arenas(simulator: Path, record: golden.Legal, timing: Timing) -> None:
    arena = record.arena.copy()
    check_equal(simulator, arena, record.words, timing)


@pytest.mark.parametrize("seed", range(12))
def test_bands_of_rows_equal_the_unsplit_layer(simulator: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = seed % 4
    pads = {"pad_top": 1, "pad_bottom": 1, "pad_left": 1, "pad_right": 1}
    shape = Descriptor(w=6, h=8, cb_in=2, cb_out=2, digits=1 + seed % 2, k=3, store=store % 3, raw=int(store == 3))
    case = make_case(rng, replace(shape, **pads))
    d, whole = case.descriptor, case.arena.copy()
    check_equal(simulator, whole, case.words, random_timing(rng))
    cut = 2 * int(rng.integers(1, 4))
    row = d.dst_plane_bytes // d.stored_hw[0]
    bands = []
    for y0, y1 in ((0, cut), (cut, 8)):
        top, bottom = min(1, y0), min(1, 8 - y1)
        to = {Store.PLAIN: y0, Store.SPACE_TO_DEPTH: y0 // 2, Store.UPSAMPLE: 2 * y0}[Store(d.store)]
        band = replace(d, src=d.src + (y0 - top) * 64, dst=d.dst + to * row, h=y1 - y0 + top + bottom)
        bands.append(replace(band, pad_top=1 - top, pad_bottom=1 - bottom))
    check_equal(simulator, case.arena, encode_all(bands), random_timing(rng))
    assert np.array_equal(case.arena, whole)


@pytest.mark.parametrize("name", illegal())
def test_illegal_descriptor_gets_its_code(simulator: Path, name: str) -> None:
    words, code = illegal()[name]
    arena = np.full(ARENA_BYTES, 0xA5, np.uint8)
    result = run(arena, np.stack([words, LEGAL]), ring=INSIDE, library=simulator)
    assert result.code == code
    assert len(result.records) == 1
    assert result.records[0].error == code
    outside = np.ones(arena.size, np.bool_)
    outside[INSIDE.offset : INSIDE.records + 128] = False
    assert (arena[outside] == 0xA5).all()


@pytest.mark.parametrize("seed", range(8))
def test_random_words_get_the_code_of_the_emulator(simulator: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ring, seen = Ring(0, 1, 128), set[ErrorCode]()
    while not seen >= FOUND_BY_CHANCE:
        words = make_case(rng, random_shape(rng)).words[0].copy()
        for _ in range(int(rng.integers(1, 3))):
            words[int(rng.choice([0, *range(4, 16)]))] ^= np.uint32(1 << int(rng.integers(32)))
        arena = np.zeros(int(rng.integers(1, 4)) * 4096, np.uint8)
        code = emulator.run(arena.copy(), words[None])
        if code != ErrorCode.OK:  # a legal one could write over the ring
            assert run(arena, words[None], random_timing(rng), ring, simulator).code == code
            seen.add(code)
