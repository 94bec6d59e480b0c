# SPDX-License-Identifier: Apache-2.0
"""Ranges of the arena are handed out apart and come back; arrays in it know their address."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.errors import BackendError
from device.fpga.buffers import ALIGNMENT_BYTES, Allocator, Buffer
from device.fpga.driver import Accelerator
from tests.device.fpga.conftest import ARENA_AT


@settings(max_examples=100, deadline=None)
@given(
    start=st.integers(0, 500),
    end=st.integers(1000, 6000),
    steps=st.lists(st.tuples(st.booleans(), st.integers(0, 900)), max_size=60),
)
def test_ranges_are_aligned_apart_and_inside(start: int, end: int, steps: list[tuple[bool, int]]) -> None:
    allocator, mine = Allocator(start, end), dict[int, int]()
    for is_take, number in steps:
        if is_take or not mine:
            try:
                offset = allocator.take(number)
            except BackendError:
                free = [b[0] - a[1] for a, b in pairwise([(0, allocator.start), *allocator.taken, (allocator.end, 0)])]
                assert max(free) < max(1, number)
                continue
            assert offset not in mine
            mine[offset] = number
        else:
            offset = sorted(mine)[number % len(mine)]
            del mine[offset]
            allocator.give_back(offset)
        spans = allocator.taken
        assert [span[0] for span in spans] == sorted(mine)
        assert all(a[1] <= b[0] for a, b in pairwise([(0, start), *spans, (end, end)]))
        assert all(span[0] % ALIGNMENT_BYTES == 0 and span[1] - span[0] >= mine[span[0]] for span in spans)
    for offset in mine:
        allocator.give_back(offset)
    assert allocator.take(allocator.end - allocator.start) == allocator.start


def test_a_buffer_is_an_array_in_the_arena(accelerator: Accelerator) -> None:
    with accelerator.allocate((3, 5), np.int16) as buffer:
        buffer[...] = np.arange(15).reshape(3, 5)
        assert (buffer.shape, buffer.dtype) == ((3, 5), np.int16)
        assert buffer.offset % ALIGNMENT_BYTES == 0
        assert buffer.device_address == ARENA_AT + buffer.offset
        part, computed = buffer[2, 1:], buffer + 1
        assert isinstance(part, Buffer)
        assert part.device_address == buffer.device_address + 2 * 11
        found = np.zeros(32, np.uint8)
        accelerator.read(buffer.offset, found)
        assert found[:30].view("<i2").tolist() == list(range(15))
        buffer.flush()
        buffer.invalidate()
        assert isinstance(computed, Buffer)
        with pytest.raises(ValueError, match="this array was computed and lies in ordinary memory"):
            _ = computed.device_address


def test_closed_buffers_can_be_had_again(accelerator: Accelerator) -> None:
    first = accelerator.allocate((1000,), np.uint8)
    place = first.offset
    second = accelerator.allocate((1000,), np.uint8)
    assert second.offset >= place + 1000
    first.close()
    first.close()
    third = accelerator.allocate((10,), np.uint64)
    assert third.offset == place
    assert not third.any()
    with pytest.raises(BackendError, match=r"no 99999999 bytes are free in the accelerator's memory, the largest free"):
        accelerator.allocate((99_999_999,), np.uint8)


def test_a_bundle_and_buffers_keep_apart(accelerator: Accelerator, bundle_path: Path) -> None:
    low = accelerator.allocate((16,), np.uint8)
    with pytest.raises(BackendError, match=r"a buffer lies in the \d+ bytes that the bundle needs; close it before"):
        accelerator.load(bundle_path)
    low.close()
    accelerator.load(bundle_path)
    high = accelerator.allocate((16,), np.uint8)
    assert accelerator._bundle is not None
    assert high.offset >= accelerator._bundle.arena_bytes
    accelerator.load(bundle_path)


def test_a_buffer_outlives_the_accelerator(accelerator: Accelerator) -> None:
    buffer = accelerator.allocate((4,), np.uint32)
    accelerator.close()
    buffer[...] = 3
    assert buffer.sum() == 12
    buffer.close()
    with pytest.raises(BackendError, match="was closed"):
        accelerator.allocate((4,), np.uint32)
