# SPDX-License-Identifier: Apache-2.0
"""The definition against plain loops over int64, on whole arenas."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from device.lowbit.descriptor import Descriptor, ErrorCode, Store, encode_all
from device.lowbit.emulator import run
from tests.device.lowbit.cases import make_case, naive_arena, random_shape
from tests.device.lowbit.illegal import LEGAL, NOP

PADS = [f"{bits:04b}" for bits in range(16)]


@pytest.mark.parametrize("seed", range(24))
def test_random_layers_equal_plain_loops(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(4):
        spare = (32 * int(rng.integers(0, 3)), 32 * int(rng.integers(0, 3)))
        case = make_case(rng, random_shape(rng), spare)
        expected = naive_arena(case)
        assert run(case.arena, case.words) == ErrorCode.OK
        assert np.array_equal(case.arena, expected), case.descriptor


@pytest.mark.parametrize("pads", PADS)
@pytest.mark.parametrize("store", [0, 1, 2, None], ids=["plain", "space-to-depth", "upsample", "raw"])
def test_every_padding_with_every_store(pads: str, store: int | None) -> None:
    top, bottom, left, right = (int(bit) for bit in pads)
    h, w = (4 + 2 * 4 - top - bottom) % 7 + 2, 7 - left - right  # both even after the convolution where needed
    if store == Store.SPACE_TO_DEPTH:
        h, w = 4 + (top + bottom) % 2, 4 + (left + right) % 2
    shape = Descriptor(w=w, h=h, cb_in=2, cb_out=1, digits=2, k=3, store=store or 0, raw=int(store is None))
    shape = replace(shape, pad_top=top, pad_bottom=bottom, pad_left=left, pad_right=right)
    case = make_case(np.random.default_rng(int(pads, 2)), shape)
    expected = naive_arena(case)
    assert run(case.arena, case.words) == ErrorCode.OK
    assert np.array_equal(case.arena, expected)


def test_largest_sum_is_exact() -> None:
    shape = Descriptor(w=3, h=3, cb_in=32, cb_out=1, digits=4, k=3, raw=1)
    case = make_case(np.random.default_rng(0), shape)
    d = case.descriptor
    case.arena[: d.constants_bytes] = 0xFF
    case.arena[d.src : d.dst] = 0xFF
    assert run(case.arena, case.words) == ErrorCode.OK
    assert (case.arena[d.dst : d.dst + 128].view("<i4") == 9 * 1024 * 255).all()
    case.arena[: d.constants_bytes] = 0
    assert run(case.arena, case.words) == ErrorCode.OK
    assert (case.arena[d.dst : d.dst + 128].view("<i4") == -9 * 1024 * 255).all()


def test_row_padding_of_the_input_never_matters() -> None:
    rng = np.random.default_rng(3)
    shape = Descriptor(w=5, h=3, cb_in=1, cb_out=2, digits=2, k=3, pad_right=1, pad_left=1)
    case = make_case(rng, shape)
    other = case.arena.copy()
    d = case.descriptor
    for start, end in d.src_planes():
        other[start:end].view("<u8").reshape(d.h, 8)[:, d.w :] = rng.integers(0, 2**63, (d.h, 3))
    run(case.arena, case.words)
    run(other, case.words)
    assert np.array_equal(case.arena[d.dst :], other[d.dst :])


@pytest.mark.parametrize("seed", range(12))
def test_bands_of_rows_equal_the_unsplit_layer(seed: int) -> None:
    rng = np.random.default_rng(seed)
    store = seed % 4
    shape = Descriptor(w=6, h=8, cb_in=2, cb_out=2, digits=1 + seed % 2, k=3, store=store % 3, raw=int(store == 3))
    shape = replace(shape, pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)
    case = make_case(rng, shape)
    d, whole = case.descriptor, case.arena.copy()
    run(whole, case.words)
    cut = 2 * int(rng.integers(1, 4))
    bands = []
    row = d.dst_plane_bytes // d.stored_hw[0]
    for y0, y1 in ((0, cut), (cut, 8)):
        top, bottom = min(1, y0), min(1, 8 - y1)
        to = {Store.PLAIN: y0, Store.SPACE_TO_DEPTH: y0 // 2, Store.UPSAMPLE: 2 * y0}[Store(d.store)]
        bands.append(
            replace(
                d,
                src=d.src + (y0 - top) * 64,
                dst=d.dst + to * row,
                h=y1 - y0 + top + bottom,
                pad_top=1 - top,
                pad_bottom=1 - bottom,
            )
        )
    assert run(case.arena, encode_all(bands)) == ErrorCode.OK
    assert np.array_equal(case.arena, whole)


def test_an_error_stops_the_program_behind_what_ran() -> None:
    case = make_case(np.random.default_rng(5), Descriptor(w=4, h=4, cb_in=1, cb_out=1, digits=1, k=1))
    expected = naive_arena(case)
    bad = NOP.copy()
    bad[15] = 1
    moved = replace(case.descriptor, dst=0).encode()
    assert run(case.arena, np.stack([NOP, case.words[0], bad, moved])) == ErrorCode.BAD_FIELD
    assert np.array_equal(case.arena, expected)


def test_an_empty_program_succeeds() -> None:
    assert run(np.zeros(0, np.uint8), encode_all([])) == ErrorCode.OK


def test_wrong_arrays_are_refused() -> None:
    words = LEGAL[None]
    with pytest.raises(ValueError, match="arena: expected writable"):
        run(np.zeros(8, np.int8), words)
    frozen = np.zeros(8, np.uint8)
    frozen.flags.writeable = False
    with pytest.raises(ValueError, match="arena: expected writable"):
        run(frozen, words)
    with pytest.raises(ValueError, match="descriptors: expected"):
        run(np.zeros(8, np.uint8), LEGAL)
