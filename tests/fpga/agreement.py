# SPDX-License-Identifier: Apache-2.0
"""Runs descriptors on the emulator and on the simulated accelerator and compares all bytes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.lowbit import emulator
from device.lowbit.descriptor import ErrorCode
from device.lowbit.emulator import Arena
from device.lowbit.program import RECORD_BYTES, Ring
from fpga.sim.board import IDEAL, Run, Timing, run


def random_timing(rng: np.random.Generator) -> Timing:
    """Return a memory of any speed the accelerator may meet."""
    return Timing(int(rng.choice([0, 40, 90])), int(rng.integers(1, 31)), int(rng.integers(1, 2**31)))


def check_equal(
    simulator: Path,
    arena: Arena,
    words: NDArray[np.uint32],
    timing: Timing = IDEAL,
    most_cycles: int = 4_000_000,
) -> Run:
    """Run both machines on `arena`, which keeps the result; assert equal bytes, equal codes and whole records."""
    expected = arena.copy()
    code = emulator.run(expected, words)
    result = run(arena, words, timing, library=simulator, most_cycles=most_cycles)
    assert result.code == code, (result.code, code, timing)
    wrong = np.flatnonzero(arena != expected)
    assert wrong.size == 0, f"{wrong.size} bytes differ, the first at {wrong[:4]}, {timing}"
    check_records(result, len(words))
    check_ring(result, words)
    return result


def check_records(result: Run, n_words: int) -> None:
    """Assert that the records name every descriptor in order, with plausible cycles."""
    assert result.code != ErrorCode.OK or len(result.records) == n_words
    for i, record in enumerate(result.records):
        assert record.seq == i + 1
        assert record.generation == result.board.generation & 0xFF
        assert record.cycles > 0
        assert record.error == (result.code if i + 1 == len(result.records) else ErrorCode.OK)


def check_ring(result: Run, words: NDArray[np.uint32]) -> None:
    """Assert that nothing but the records was written behind the arena."""
    board, ring = result.board, result.board.ring
    entries = board.memory[ring.offset : ring.offset + 64 * len(words)].view("<u4").reshape(-1, 16).copy()
    assert (entries[:, 1] == np.arange(1, len(words) + 1)).all()
    entries[:, 1:3] = words[:, 1:3]
    assert np.array_equal(entries, words)
    assert not board.memory[records_end(ring) :].any()


def records_end(ring: Ring) -> int:
    return ring.records + (RECORD_BYTES << ring.log2)
