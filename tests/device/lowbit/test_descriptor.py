# SPDX-License-Identifier: Apache-2.0
"""The descriptor's bits come back, and each illegal one gets its code."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from device.lowbit.descriptor import FIELDS, RESERVED, Descriptor, ErrorCode, check_words
from device.lowbit.emulator import run
from tests.device.lowbit.illegal import ARENA_BYTES, LEGAL, NOP, illegal


def test_fields_round_trip_with_every_bit() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        values = {name: int(rng.integers(0, 1 << width)) for name, (_, _, width) in FIELDS.items()}
        assert Descriptor.decode(Descriptor(**values).encode()) == Descriptor(**values)
    assert {field.name for field in fields(Descriptor)} == set(FIELDS)


def test_reserved_bits_are_those_of_section_4() -> None:
    assert RESERVED[0] == 0x00FFF000
    assert RESERVED[9] == 0xF800F800
    assert RESERVED[10] == 0xF008C0C0
    assert RESERVED[1:9] == (0,) * 8
    assert RESERVED[11:] == (0xFFFFFFFF,) * 5


def test_a_value_that_does_not_fit_its_field_is_refused() -> None:
    with pytest.raises(ValueError, match=r"field cb_in: expected 0\.\.63, got 64"):
        Descriptor(cb_in=64).encode()
    with pytest.raises(ValueError, match=r"field src: expected 0\.\.4294967295, got -32"):
        Descriptor(src=-32).check(0)


def test_legal_descriptors_pass() -> None:
    assert check_words(LEGAL.tolist(), ARENA_BYTES) == ErrorCode.OK
    assert check_words(NOP.tolist(), 0) == ErrorCode.OK
    free = replace(Descriptor.decode(NOP), irq=1, seq=7, job=9, limit=11)
    assert free.check(0) == ErrorCode.OK


def test_the_last_byte_of_the_arena_can_be_used() -> None:
    d = Descriptor.decode(LEGAL)
    assert d.dst_plane_bytes == 64
    assert replace(d, dst=ARENA_BYTES - 64).check(ARENA_BYTES) == ErrorCode.OK
    assert replace(d, constants=ARENA_BYTES - 1664).check(ARENA_BYTES) == ErrorCode.OK
    assert replace(d, src=ARENA_BYTES - 128).check(ARENA_BYTES) == ErrorCode.OK
    full = replace(d, w=128, h=128, src=0, dst=0x20000, constants=0x80000)
    assert full.check(1 << 20) == ErrorCode.OK


@pytest.mark.parametrize("name", illegal())
def test_illegal_descriptor_gets_its_code(name: str) -> None:
    words, code = illegal()[name]
    arena = np.full(ARENA_BYTES, 0xA5, np.uint8)
    assert run(arena, np.stack([words, LEGAL])) == code
    assert (arena == 0xA5).all()
