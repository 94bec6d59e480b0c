# SPDX-License-Identifier: Apache-2.0
"""The cycle model of the hardware (accelerator specification, section 12): MODEL figures, not measurements."""

from __future__ import annotations

from collections.abc import Iterable

from device.lowbit.descriptor import Descriptor, Op, Store
from device.lowbit.layout import LANES, code_row_bytes, raw_row_bytes

PIXELS = 4
"""Pixels the array works on at a time (PX)."""
OVERHEAD_CYCLES = 200
BUS_BYTES = 8
BUS_EFFICIENCY = 0.75
SUSTAINED_BYTES_PER_S = 1.2e9
"""Assumptions: no public measurement of this memory port was found."""
CLOCK_HZ = 100e6


def stored_bytes(d: Descriptor) -> int:
    """Return the bytes that the bus moves for the output; whole groups of 4 pixels, masked ones included."""
    height, width = d.out_hw
    if d.raw:
        return d.cb_out * height * raw_row_bytes(width)
    if d.store == Store.UPSAMPLE:
        return d.cb_out * 2 * height * code_row_bytes(2 * width)
    return d.cb_out * height * code_row_bytes(width)


def descriptor_cycles(d: Descriptor, clock_hz: float = CLOCK_HZ) -> float:
    """Return T = max(array, memory) + 200 + k*k*cb_in*128/8 of one CONV; a NOP costs the overhead alone."""
    if d.op == Op.NOP:
        return OVERHEAD_CYCLES
    height, width = d.out_hw
    steps = d.k * d.k * d.cb_in
    group = max(steps * d.digits, PIXELS * LANES * 4 // BUS_BYTES if d.raw else PIXELS)
    array = d.cb_out * height * -(-width // PIXELS) * group
    moved = d.src_plane_bytes * d.n_src_planes + d.constants_bytes + stored_bytes(d)
    memory = moved / min(BUS_EFFICIENCY * BUS_BYTES, SUSTAINED_BYTES_PER_S / clock_hz)
    return max(array, memory) + OVERHEAD_CYCLES + steps * LANES * 4 / BUS_BYTES


def model_cycles(descriptors: Iterable[Descriptor], clock_hz: float = CLOCK_HZ) -> int:
    """Return the cycles of a program at an assumed clock."""
    return round(sum(descriptor_cycles(d, clock_hz) for d in descriptors))
