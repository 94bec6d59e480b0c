# SPDX-License-Identifier: Apache-2.0
"""accel_dot against a count of bits, a new sum every clock."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fpga.unit.clocked import bench, drive, read, tick

LATENCY = 3
FULL = 0xFFFFFFFF


def mask(rng: Random) -> int:
    """Return 32 bits: few, many, half of them, one, or a run."""
    return rng.choice(
        [
            0,
            FULL,
            1 << rng.randrange(32),
            FULL ^ 1 << rng.randrange(32),
            rng.getrandbits(32),
            rng.getrandbits(32) & rng.getrandbits(32),
            rng.getrandbits(32) | rng.getrandbits(32),
            FULL >> rng.randrange(32),
        ]
    )


@bench
async def sums(dut: Any, rng: Random) -> None:
    """The ends of the range, every lane alone, then random words."""
    lanes = [(1 << i, 0, FULL) for i in range(32)] + [(0, 1 << i, 1 << i) for i in range(32)]
    vectors = [(FULL, FULL, FULL), (FULL, FULL, 0), (0, 0, FULL), *lanes]
    vectors += [(mask(rng), mask(rng), mask(rng)) for _ in range(2000)]
    for clock, (plane0, plane1, weight) in enumerate(vectors + [(0, 0, 0)] * LATENCY):
        drive(dut, plane0_i=plane0, plane1_i=plane1, weight_i=weight)
        await tick(dut)
        if clock >= LATENCY:
            p0, p1, w = vectors[clock - LATENCY]
            assert read(dut.sum_o) == (p0 & w).bit_count() + 2 * (p1 & w).bit_count(), f"{p0:x} {p1:x} {w:x}"
