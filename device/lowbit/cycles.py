# SPDX-License-Identifier: Apache-2.0
"""The cycle model of the hardware: MODEL figures, not measurements.

Finer than section 12 of the specification, whose one maximum a layer is up to 20 % off where memory and array are busy
in turns: the simulated unit is held to within 5 % of this one.
"""

from __future__ import annotations

from collections.abc import Iterable

from device.lowbit.descriptor import Descriptor, Op, Store
from device.lowbit.layout import LANES, code_row_bytes, raw_row_bytes

PIXELS = 4
"""Pixels the array works on at a time (PX)."""
OVERHEAD_CYCLES, NOP_CYCLES = 85, 21
"""Fetch, checks, the way through the array, record; as the simulated unit needs with a memory that answers after 8
clocks (fpga/README.md). The specification allows 200."""
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


def beat_cycles(clock_hz: float) -> float:
    """Return the clocks that 8 bytes need on the memory port, which reads and writes share."""
    return BUS_BYTES / min(BUS_EFFICIENCY * BUS_BYTES, SUSTAINED_BYTES_PER_S / clock_hz)


def descriptor_cycles(d: Descriptor, clock_hz: float = CLOCK_HZ) -> float:
    """Return the clocks from the fetch of a descriptor to its record, walking through a CONV block by block.

    The first block of outputs waits for its constants and the rows under the first window, then for each next row; the
    others for their constants, which come while the array works on the block before. Memory bounds the whole.
    """
    if d.op == Op.NOP:
        return NOP_CYCLES
    height, width = d.out_hw
    steps = d.k * d.k * d.cb_in
    beat = beat_cycles(clock_hz)
    row = -(-width // PIXELS) * max(steps * d.digits, PIXELS * LANES * 4 // BUS_BYTES if d.raw else PIXELS)
    constants = d.constants_bytes / d.cb_out / BUS_BYTES * beat
    input_row = d.src_plane_bytes * d.n_src_planes / d.h / BUS_BYTES * beat
    loaded = constants + d.h * input_row
    first_rows = min(d.h, d.k - d.pad_top)
    end = max(constants + first_rows * input_row + height * row, loaded + row)
    begin = constants
    for _ in range(1, d.cb_out):
        loaded = max(loaded, begin) + constants
        begin = max(end, loaded)
        end = begin + height * row
    moved = d.src_plane_bytes * d.n_src_planes + d.constants_bytes + stored_bytes(d)
    return max(end, moved / BUS_BYTES * beat) + OVERHEAD_CYCLES


def model_cycles(descriptors: Iterable[Descriptor], clock_hz: float = CLOCK_HZ) -> int:
    """Return the cycles of a program at an assumed clock."""
    return round(sum(descriptor_cycles(d, clock_hz) for d in descriptors))
