# SPDX-License-Identifier: Apache-2.0
"""accel_steps against plain loops: every step of a layer, and the clock in which each group begins."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from itertools import product
from random import Random
from typing import Any

from device.lowbit.descriptor import WEIGHT_STEPS, Descriptor
from device.lowbit.layout import up4
from tests.fpga.unit.clocked import bench, drive, read, reset, tick
from tests.fpga.unit.layers import layer_number, shapes
from tests.fpga.unit.structs import unpack

BITS12 = (1 << 12) - 1
MOST_STEPS = 700


@dataclass(frozen=True)
class Step:
    """What the sequencer says in one clock; `row` is None where the image has no such row."""

    fields: dict[str, int]
    row: int | None
    column: int
    weight_row: int


@dataclass(frozen=True)
class Group:
    """PX pixels of an output row: its steps, and what must be in the buffers."""

    block: int
    rows: int
    steps: tuple[Step, ...]


def groups_of(d: Descriptor, px: int) -> list[Group]:
    """Return the groups of a layer in order."""
    out_h, out_w = d.out_hw
    found = []
    for block, y, x in product(range(d.cb_out), range(out_h), range(0, out_w, px)):
        rows = min(y + d.k - d.pad_top, d.h)
        found.append(Group(block, rows, tuple(steps_of(d, px, block, y, x))))
    return found


def steps_of(d: Descriptor, px: int, block: int, y: int, x: int) -> list[Step]:
    """Return the steps of a group: kernel row, kernel column, input block, digit, innermost last."""
    out_w, found = d.out_hw[1], []
    order = list(product(range(d.k), range(d.k), range(d.cb_in), range(d.digits)))
    for i, (ky, kx, cb, digit) in enumerate(order):
        fields = {
            "valid": 1,
            "first": int(i == 0),
            "last": int(i == len(order) - 1),
            "digit": digit,
            "block_first": int(y == x == 0),
            "row_last": int(x + px >= out_w),
            "x": x % 4,
            "pixels": min(px, out_w - x),
        }
        image_y = y + ky - d.pad_top
        row = (image_y * d.n_src_planes + cb * d.digits + digit) * (up4(d.w) // 4)
        tap = (ky * d.k + kx) * d.cb_in + cb
        inside = 0 <= image_y < d.h
        column = (x + kx - d.pad_left) & BITS12
        found.append(Step(fields, row & BITS12 if inside else None, column, tap + block % 2 * WEIGHT_STEPS))
    return found


class Sequence:
    """What the sequencer must do in every clock of one layer."""

    def __init__(self, dut: Any, rng: Random, d: Descriptor) -> None:
        self.dut, self.rng, self.descriptor = dut, rng, d
        px = int(dut.PX.value)
        self.groups = deque(groups_of(d, px))
        self.spacing = 16 * px if d.raw else px
        self.left: deque[Step] = deque()  # of the group that has begun
        self.made: Step | None = None  # in the clock before
        self.rows = self.blocks = self.clock = 0
        self.may_begin_at = 0
        self.pace, self.room_share = rng.choice([0.05, 0.3, 1.0]), rng.choice([0.3, 0.9, 1.0])

    async def start(self) -> None:
        drive(self.dut, layer_i=layer_number(self.descriptor), start_i=1, clear_i=0, rows_i=0, blocks_i=0, room_i=0)
        await tick(self.dut)
        drive(self.dut, start_i=0)

    async def tick(self) -> None:
        rng, room = self.rng, self.rng.random() < self.room_share
        if rng.random() < self.pace:
            self.rows = min(self.rows + rng.randint(0, 2), self.descriptor.h)
        if rng.random() < self.pace / 4:
            self.blocks = min(self.blocks + 1, self.descriptor.cb_out)
        drive(self.dut, rows_i=self.rows, blocks_i=self.blocks, room_i=room)
        await tick(self.dut)
        self.check_step()
        self.check_begin(room)
        self.made = self.left.popleft() if self.left else None
        self.clock += 1

    def check_step(self) -> None:
        """Compare what was made in the clock before."""
        dut, made = self.dut, self.made
        shown = unpack("step_t", int(str(dut.step_o.value).replace("x", "0").replace("X", "0"), 2))
        assert shown["valid"] == (made is not None), f"clock {self.clock}"
        if made is None:
            return
        assert shown == made.fields
        assert (read(dut.column_o), read(dut.weight_row_o)) == (made.column, made.weight_row)
        assert read(dut.inside_o) == (made.row is not None)
        assert made.row is None or read(dut.row_o) == made.row

    def check_begin(self, room: bool) -> None:
        """Compare whether a group begins, and what is waited for."""
        dut, is_head = self.dut, not self.left and bool(self.groups)
        group = self.groups[0] if is_head else None
        is_loaded = group is not None and self.blocks > group.block and self.rows >= group.rows
        begins = is_loaded and room and self.clock >= self.may_begin_at
        assert read(dut.begin_o) == begins, f"clock {self.clock} of {self.descriptor}"
        assert read(dut.wait_load_o) == (is_head and not is_loaded)
        assert read(dut.wait_store_o) == (is_head and is_loaded and not room)
        if group:
            assert read(dut.block_o) == group.block
        if begins:
            self.left.extend(self.groups.popleft().steps)
            self.may_begin_at = self.clock + self.spacing


def small(rng: Random, d: Descriptor) -> Descriptor:
    """Return the layer with fewer planes where it would take long."""
    steps = d.out_hw[0] * d.out_hw[1] * d.cb_out * d.k * d.k * d.n_src_planes
    return d if steps < MOST_STEPS else replace(d, cb_in=rng.randint(1, 2), cb_out=rng.randint(1, 2), digits=1)


@bench
async def every_step(dut: Any, rng: Random) -> None:
    """Outputs of 1 to 9 columns with any padding; input, constants and room come at random."""
    for d in shapes(rng):
        sequence = Sequence(dut, rng, small(rng, d))
        await sequence.start()
        for _ in range(MOST_STEPS):
            await sequence.tick()
            if not sequence.groups and not sequence.left and sequence.made is None:
                break
        drive(dut, clear_i=1)
        await tick(dut)


@bench
async def cleared_in_flight(dut: Any, rng: Random) -> None:
    """After a clear or a reset no step is valid; a layer with all inputs there runs without a gap."""
    for n, d in enumerate(shapes(rng)[:12]):
        sequence = Sequence(dut, rng, small(rng, d))
        await sequence.start()
        for _ in range(rng.randint(1, 60)):
            await sequence.tick()
        drive(dut, clear_i=n % 2)
        await (tick(dut) if n % 2 else reset(dut))
        drive(dut, clear_i=0, room_i=1)
        for _ in range(4):
            await tick(dut)
            assert not unpack("step_t", read(dut.step_o))["valid"]
            assert [read(port) for port in (dut.begin_o, dut.wait_load_o, dut.wait_store_o)] == [0, 0, 0]
