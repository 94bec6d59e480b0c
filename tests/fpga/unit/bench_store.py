# SPDX-License-Identifier: Apache-2.0
"""accel_store against the emulator: the arena after its bursts, for every row end and store mode."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.lowbit.descriptor import Descriptor
from device.lowbit.emulator import write_planes, write_raw
from tests.device.lowbit.cases import FILL
from tests.fpga.unit.clocked import bench, drive, joined, read, reset, tick
from tests.fpga.unit.layers import layer_number, shapes

MOST_BEATS = 8


class Store:
    """One layer: the entries that the post unit makes, and the arena that the bursts change."""

    def __init__(self, dut: Any, rng: Random, d: Descriptor) -> None:
        self.dut, self.rng, self.descriptor = dut, rng, d
        self.random = np.random.default_rng(rng.getrandbits(32))
        self.arena = np.full(d.dst_planes()[-1][1] + 64, FILL, np.uint8)
        self.expected = self.arena.copy()
        self.entries = deque(self.raw_entries() if d.raw else self.code_entries())
        self.ready_share, self.entry_share = rng.choice([(1.0, 1.0), (0.5, 1.0), (1.0, 0.3), (0.5, 0.5)])
        self.offered = False
        self.burst = (0, 0)
        self.beat, self.clocks = 0, 0

    def code_entries(self) -> list[int]:
        """Words of 4 columns, row by row and block by block; columns that do not exist are random."""
        d, (height, width) = self.descriptor, self.descriptor.out_hw
        padded = self.random.integers(0, 1 << 64, (d.cb_out, height, -(-width // 4) * 4), np.uint64)
        write_planes(self.expected, d, padded[:, :, :width])
        return [joined([int(word) for word in entry], 64) for entry in padded.reshape(-1, 4)]

    def raw_entries(self) -> list[int]:
        """Four times 8 sums of every pixel."""
        d = self.descriptor
        acc = self.random.integers(-(1 << 23), 1 << 23, (32 * d.cb_out, *d.out_hw)).astype(np.int32)
        write_raw(self.expected, d, acc)
        by_pixel: NDArray[np.int32] = acc.reshape(d.cb_out, 32, *d.out_hw).transpose(0, 2, 3, 1)
        return [joined([int(v) for v in part], 32) for part in by_pixel.reshape(-1, 8)]

    async def start(self) -> None:
        drive(self.dut, layer_i=layer_number(self.descriptor), start_i=1, entry_valid_i=0, beat_ready_i=0)
        await tick(self.dut)
        drive(self.dut, start_i=0)

    async def tick(self, stop: bool = False) -> None:
        """Let a clock end; an entry, once offered, stays."""
        rng, dut = self.rng, self.dut
        self.offered = bool(self.entries) and (self.offered or rng.random() < self.entry_share)
        ready = rng.random() < self.ready_share
        entry = self.entries[0] if self.offered else rng.getrandbits(256)
        drive(dut, entry_valid_i=self.offered, entry_i=entry, beat_ready_i=ready, stop_i=stop)
        await tick(dut)
        self.clocks += 1
        valid = read(dut.beat_valid_o)
        assert valid == (self.offered and not (stop and self.beat == 0))
        if valid and ready:
            self.take()
        else:
            assert not read(dut.entry_pop_o)

    def take(self) -> None:
        """Write the beat of this clock."""
        dut = self.dut
        if self.beat == 0:
            self.burst = read(dut.offset_o), read(dut.beats_o)
            assert 1 <= self.burst[1] <= MOST_BEATS
        assert read(dut.beat_first_o) == (self.beat == 0)
        assert (read(dut.offset_o), read(dut.beats_o)) == self.burst, "the burst changed on its way"
        at = self.burst[0] + 8 * self.beat
        assert self.arena.size >= at + 8, f"byte {at} is beyond the planes"
        self.arena[at : at + 8].view("<u8")[:] = read(dut.beat_o)
        self.beat = (self.beat + 1) % self.burst[1]
        if read(dut.entry_pop_o):
            self.entries.popleft()
            self.offered = False

    async def run(self) -> None:
        """Store all entries; done comes after the last beat and stays."""
        most = 1000 + 40 * len(self.entries)
        while self.entries:
            assert self.clocks < most, f"{len(self.entries)} entries are left after {most} clocks"
            await self.tick()
            assert not read(self.dut.done_o)
        for _ in range(3):
            await self.tick()
            assert read(self.dut.done_o)
        wrong = np.flatnonzero(self.arena != self.expected)
        assert not wrong.size, f"byte {wrong[0]} and {wrong.size - 1} more of {self.descriptor}"


@bench
async def every_row_end_and_mode(dut: Any, rng: Random) -> None:
    """Outputs of 1 to 9 columns, random rows, blocks and pitches, ready and entries at random."""
    for d in shapes(rng):
        store = Store(dut, rng, d)
        await store.start()
        await store.run()


@bench
async def no_clock_between_entries(dut: Any, rng: Random) -> None:
    """With a ready bus every clock has a beat."""
    for d in shapes(rng)[:8]:
        store = Store(dut, rng, d)
        store.ready_share, store.entry_share = 1.0, 1.0
        await store.start()
        while store.entries:
            await store.tick()
            assert read(dut.beat_valid_o)


@bench
async def stopped_in_flight(dut: Any, rng: Random) -> None:
    """A stop finishes the burst and begins none; clear or reset forget the layer, and the next one is right."""
    for n, d in enumerate(shapes(rng)):
        store = Store(dut, rng, d)
        await store.start()
        for _ in range(rng.randint(1, 30)):
            if store.entries:
                await store.tick()
        while store.beat:
            await store.tick(stop=True)
        for _ in range(5):
            await store.tick(stop=True)
            assert not read(dut.beat_valid_o)
        drive(dut, stop_i=1, clear_i=n % 2)
        await (tick(dut) if n % 2 else reset(dut))
        drive(dut, stop_i=0, clear_i=0, entry_valid_i=1)
        for _ in range(5):
            await tick(dut)
            assert (read(dut.beat_valid_o), read(dut.done_o)) == (0, 0)
    store = Store(dut, rng, shapes(rng)[0])
    await store.start()
    await store.run()
