# SPDX-License-Identifier: Apache-2.0
"""Packing is undone by unpacking, and gives the bytes of the worked example of the specification."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.lowbit.descriptor import Descriptor, ErrorCode, encode_all
from device.lowbit.emulator import run
from device.lowbit.layout import (
    pack_codes,
    pack_constants,
    pack_raw,
    tensor_bytes,
    unpack_codes,
    unpack_constants,
    unpack_raw,
)

SIDES = st.integers(1, 9)


def test_worked_example_of_section_3() -> None:
    x = np.array([[[1, 3]], [[2, 0]], [[3, 2]]])
    weights = np.ones((2, 3, 3, 3), np.int8)
    weights[:, :, 1, 1] = (1, -1, 1), (-1, -1, 1)
    weights[:, :, 1, 2] = (1, 1, -1), (1, -1, -1)
    weights[:, :, 1, 0] = (-1, -1, -1), (1, 1, 1)
    weights[1] *= -1  # output 1 falls at 4, 0, -3: weights and thresholds are stored negated
    stream = pack_constants(weights, np.array([[1, 3, 5], [-4, 0, 3]], np.int32))
    words = pack_codes(x)
    assert [hex(v) for v in words[0, 0, 0]] == ["0x600000005", "0x500000001", "0x0", "0x0"]
    taps = stream[:1152].view("<u4").reshape(3, 3, 32)
    assert [taps[1, kx, :2].tolist() for kx in (1, 2, 0)] == [[5, 3], [3, 6], [0, 0]]
    assert stream.size == 1664
    assert stream[1152:1184].view("<i4").tolist() == [1, 3, 5, 0, -4, 0, 3, 0]
    d = Descriptor(0, 0x800, 0x100, 32, 32, 2, 1, 1, 1, 1, 3, 1, 1, 1, 1)
    encoded = d.encode()
    shown = " ".join(f"{int(encoded[i]):08x}" for i in (0, 4, 5, 6, 7, 8, 9, 10))
    assert shown == "d1000001 00000000 00000800 00000100 00000020 00000020 00010002 0f310101"
    arena = np.zeros(4096, np.uint8)
    arena[:32] = words.view(np.uint8).reshape(-1)
    arena[0x100 : 0x100 + stream.size] = stream
    assert run(arena, encode_all([d])) == ErrorCode.OK
    assert arena[0x800:0x810].view("<u8").tolist() == [0x00000001_00000002, 0]


@settings(max_examples=60, deadline=None)
@given(channels=st.integers(1, 70), height=SIDES, width=SIDES, digits=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_codes_round_trip(channels: int, height: int, width: int, digits: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4**digits, (channels, height, width))
    words = pack_codes(values, digits)
    assert words.nbytes == tensor_bytes(values.shape, digits)
    assert not words[..., width:].any()
    back = unpack_codes(words, width)
    assert np.array_equal(back[:channels], values)
    assert not back[channels:].any()


@settings(max_examples=40, deadline=None)
@given(channels=st.integers(1, 70), height=SIDES, width=SIDES, seed=st.integers(0, 2**32 - 1))
def test_raw_round_trip(channels: int, height: int, width: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-(2**23), 2**23, (channels, height, width))
    words = pack_raw(values)
    assert words.nbytes == tensor_bytes(values.shape, raw=True)
    back = unpack_raw(words, width)
    words[...] = 0  # the next run overwrites the arena: what was read must be a copy, also of one pixel
    assert np.array_equal(back[:channels], values)


@settings(max_examples=40, deadline=None)
@given(c_out=st.integers(1, 70), c_in=st.integers(1, 70), k=st.sampled_from([1, 3]), raw=st.booleans())
def test_constants_round_trip(c_out: int, c_in: int, k: int, raw: bool) -> None:
    rng = np.random.default_rng(c_out * 71 + c_in)
    weights = rng.choice(np.array([-1, 1], np.int8), (c_out, c_in, k, k))
    thresholds = rng.integers(-(2**23), 2**23, (c_out, 3)).astype(np.int32)
    stream = pack_constants(weights, None if raw else thresholds)
    cb_in, cb_out = -(-c_in // 32), -(-c_out // 32)
    assert stream.size == cb_out * (k * k * cb_in * 128 + (0 if raw else 512))
    back, limits = unpack_constants(stream, k, cb_in, cb_out, raw)
    assert np.array_equal(back[:c_out, :c_in], weights)
    assert np.array_equal(limits[:c_out], thresholds[: 0 if raw else None])
    assert (limits[c_out:] == 2**23 - 1).all()  # channels that do not exist give code 0


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match=r"values: expected 0\.\.3, got 0\.\.4"):
        pack_codes(np.arange(5).reshape(1, 1, 5))
    with pytest.raises(ValueError, match=r"values: expected 0\.\.255, got -1"):
        pack_codes(np.full((1, 1, 1), -1), 4)
    with pytest.raises(ValueError, match=r"digits: expected 1\.\.4, got 5"):
        pack_codes(np.zeros((1, 1, 1), np.uint8), 5)
    with pytest.raises(ValueError, match="channels, rows, columns"):
        pack_codes(np.zeros((1, 0, 1), np.uint8))
