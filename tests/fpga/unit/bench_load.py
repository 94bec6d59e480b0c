# SPDX-License-Identifier: Apache-2.0
"""accel_load against the layouts: what it asks for and when, and what it writes into the buffers and where."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import numpy as np

from device.lowbit.descriptor import WEIGHT_STEPS, Descriptor
from device.lowbit.layout import code_row_bytes
from tests.fpga.unit.avalon import OpenReads
from tests.fpga.unit.clocked import bench, drive, read, reset, tick
from tests.fpga.unit.layers import layer_number, shapes

MOST_BEATS = 32
THRESHOLD_BEATS = 64
Part = tuple[str, int, int, int]
"""What (rows, weights or thresholds), row or block, offset in the arena, bytes."""


def parts_of(d: Descriptor) -> list[Part]:
    """Return what is fetched, in order: bursts do not reach across the end of a part."""
    n_weights, row = d.k * d.k * d.cb_in * 128, code_row_bytes(d.w)
    block_bytes = d.constants_bytes // d.cb_out

    def constants(block: int) -> list[Part]:
        at = d.constants + block * block_bytes
        limits: list[Part] = [] if d.raw else [("thresholds", block, at + n_weights, 8 * THRESHOLD_BEATS)]
        return [("weights", block, at, n_weights), *limits]

    starts = [start for start, _ in d.src_planes()]
    rows: list[Part] = [("rows", y, start + y * row, row) for y in range(d.h) for start in starts]
    return constants(0) + rows + [part for block in range(1, d.cb_out) for part in constants(block)]


class Load:
    """One layer: the arena it lies in, what is still to be asked for, and what must be written."""

    def __init__(self, dut: Any, rng: Random, d: Descriptor) -> None:
        self.dut, self.rng, self.descriptor = dut, rng, d
        end = max(d.src_planes()[-1][1], d.constants + d.constants_bytes)
        self.arena = np.random.default_rng(rng.getrandbits(32)).integers(0, 256, end, np.uint8)
        self.reads, self.left = OpenReads(rng), deque(parts_of(d))
        self.reads.pace = rng.choice([0.4, 0.8, 1.0])
        self.ready_share = rng.choice([0.2, 0.7, 1.0])
        self.asked = 0  # bytes of the first part that is left
        self.words = deque(self.expected("rows"))
        self.weights = deque(self.expected("weights"))
        self.thresholds = deque(self.expected("thresholds"))
        self.rows = self.blocks = self.block = self.taken = 0  # in the buffers; at work; taken by the post unit
        self.held: tuple[int, int] | None = None

    def expected(self, kind: str) -> list[tuple[int, int]]:
        """Return (address, value) of all writes to a buffer."""
        found: list[tuple[int, int]] = []
        size = 128 if kind == "weights" else 8
        parts = [part for part in parts_of(self.descriptor) if part[0] == kind]
        for _, number, at, n_bytes in parts:
            for i in range(n_bytes // size):
                value = int.from_bytes(self.arena[at + i * size : at + (i + 1) * size].tobytes(), "little")
                address = {"rows": len(found), "weights": number % 2 * WEIGHT_STEPS + i, "thresholds": i}[kind]
                found.append((address, value))
        return found

    async def start(self) -> None:
        drive(self.dut, layer_i=layer_number(self.descriptor), start_i=1, ask_ready_i=0, beat_valid_i=0, stop_i=0)
        drive(self.dut, block_i=0, blocks_taken_i=0)
        await tick(self.dut)
        drive(self.dut, start_i=0)

    async def tick(self, stop: bool = False) -> None:
        """Let a clock end: the bus takes, beats come back, the array goes on; look at all outputs."""
        dut, beat = self.dut, self.reads.beat()
        ready = self.rng.random() < self.ready_share
        drive(dut, ask_ready_i=ready, beat_valid_i=beat is not None, stop_i=stop)
        drive(dut, beat_i=self.rng.getrandbits(64) if beat is None else beat)
        drive(dut, block_i=self.block, blocks_taken_i=self.taken)
        await tick(dut)
        self.check_progress()
        self.check_writes()
        self.check_ask(ready, stop)
        self.go_on()

    def check_progress(self) -> None:
        """Rows and blocks count only what has been written in earlier clocks."""
        d = self.descriptor
        row_words = d.n_src_planes * code_row_bytes(d.w) // 8
        self.rows, self.blocks = read(self.dut.rows_o), read(self.dut.blocks_o)
        written = d.h * row_words - len(self.words)
        assert self.rows <= written // row_words
        taps = d.k * d.k * d.cb_in
        full = [(d.cb_out * taps - len(self.weights)) // taps]
        if not d.raw:
            full.append((d.cb_out * THRESHOLD_BEATS - len(self.thresholds)) // THRESHOLD_BEATS)
        assert self.blocks <= min(full)

    def check_writes(self) -> None:
        dut = self.dut
        for name, expected in (("word", self.words), ("weight", self.weights), ("threshold", self.thresholds)):
            if read(getattr(dut, f"{name}_write_o")):
                assert expected, f"a {name} too many"
                shown = read(getattr(dut, f"{name}_at_o")), read(getattr(dut, f"{name}_o"))
                assert shown == expected[0], f"{name}: expected {expected[0]}, got {shown}"
                expected.popleft()

    def check_ask(self, ready: bool, stop: bool) -> None:
        """The next burst of the order, at once when it may be asked for, never before."""
        dut = self.dut
        kind, number, at, n_bytes = self.left[0] if self.left else ("", 0, 0, 0)
        allowed = {"rows": True, "weights": self.block + 1 >= number, "thresholds": self.taken >= number, "": False}
        valid = read(dut.ask_valid_o)
        assert valid == (allowed[kind] and not stop), f"{kind} {number}"
        if not valid:
            return
        burst = at + self.asked, min(n_bytes - self.asked, 8 * MOST_BEATS) // 8
        assert (read(dut.ask_offset_o), read(dut.ask_beats_o)) == burst, f"{kind} {number}"
        if ready:
            beats = self.arena[burst[0] : burst[0] + 8 * burst[1]].view("<u8")
            self.reads.ask([int(beat) for beat in beats])
            self.asked += 8 * burst[1]
            if self.asked == n_bytes:
                self.left.popleft()
                self.asked = 0

    def go_on(self) -> None:
        """Let the array begin with a block, and the post unit take its thresholds, some time after they are there."""
        if self.taken < self.blocks and self.rows == self.descriptor.h and self.rng.random() < 0.02:
            self.block = self.taken
            self.taken += 1

    async def run(self) -> None:
        d = self.descriptor
        for _ in range(60 * (d.constants_bytes + d.n_src_planes * d.src_plane_bytes) // 8 + 1000):
            await self.tick()
            if (self.rows, self.blocks) == (d.h, d.cb_out):
                break
        left = [len(queue) for queue in (self.words, self.weights, self.thresholds, self.left)]
        assert left == [0, 0, 0, 0], f"not all was fetched: {d}"
        assert (self.rows, self.blocks) == (d.h, d.cb_out)


@bench
async def layers(dut: Any, rng: Random) -> None:
    """Rows of 1 to 11 columns, 1 to 12 planes, raw and not, with a bus of random speed."""
    for d in shapes(rng)[:8]:
        load = Load(dut, rng, d)
        await load.start()
        await load.run()


@bench
async def stopped_in_flight(dut: Any, rng: Random) -> None:
    """A stop asks for nothing more; when the last beats have come, the next layer is right."""
    for n, d in enumerate(shapes(rng)[:10]):
        load = Load(dut, rng, d)
        await load.start()
        for _ in range(rng.choice([rng.randint(1, 100), rng.randint(1, 800)])):
            await load.tick()
        while len(load.reads):
            await load.tick(stop=True)
        if n % 2:
            drive(dut, beat_valid_i=0)
            await reset(dut)
        else:
            await load.tick(stop=True)
    load = Load(dut, rng, shapes(rng)[0])
    await load.start()
    await load.run()
