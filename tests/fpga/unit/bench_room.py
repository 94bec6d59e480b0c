# SPDX-License-Identifier: Apache-2.0
"""accel_room against its contract: a group that may begin never overflows the FIFO, and room is given back in time."""

from __future__ import annotations

from random import Random
from typing import Any

from tests.fpga.unit.clocked import bench, drive, read, tick

KEPT = 4
"""Clocks after `done_i` until the reservation is gone."""
LAST_PUSH = 2
"""Clocks after `done_i` in which the post unit may still push."""

POP_SHARES = (0.0, 1.0, 0.1, 0.5)
"""How often the reader takes an entry: not until the FIFO is full, then at once, then in between."""


class Groups:
    """Groups under way and the FIFO behind them, clock by clock."""

    def __init__(self, rng: Random, cost: int) -> None:
        self.rng, self.cost, self.clock, self.entries = rng, cost, 0, 0
        self.done: list[int] = []  # clock of every group's done_i, rising
        self.pushes: list[int] = []

    @property
    def reserved(self) -> int:
        return self.cost * sum(clock + KEPT > self.clock for clock in self.done)

    def begin(self) -> None:
        """Add a group that lasts a random time and makes up to `cost` entries in it."""
        last = max([self.clock, *self.done])
        done = last + self.cost + self.rng.choice([0, 0, 1, 3, 20])
        self.done.append(done)
        count = self.rng.choice([self.cost, self.rng.randint(0, self.cost)])
        self.pushes += self.rng.sample(range(last + 1, done + LAST_PUSH + 1), count)

    def end_clock(self, pop: bool) -> None:
        self.entries += self.pushes.count(self.clock) - pop
        self.clock += 1
        self.done = [clock for clock in self.done if clock + KEPT > self.clock]
        self.pushes = [clock for clock in self.pushes if clock >= self.clock]


async def run_groups(dut: Any, rng: Random, raw: int) -> None:
    """Begin groups wherever there is room, with a reader of changing speed."""
    depth, cost = int(dut.Depth.value), 4 * int(dut.PX.value) if raw else 1
    groups, most, refused = Groups(rng, cost), 0, 0
    drive(dut, raw_i=raw, clear_i=1, begin_i=0, done_i=0, entries_i=0)
    await tick(dut)
    drive(dut, clear_i=0)
    for step in range(700 * len(POP_SHARES)):
        pop_share = POP_SHARES[step // 700]
        room = groups.entries + groups.reserved + cost <= depth
        begin = room and rng.random() < 0.7
        pop = groups.entries > 0 and rng.random() < pop_share
        done = groups.clock in groups.done
        drive(dut, begin_i=begin, done_i=done, entries_i=groups.entries)
        await tick(dut)
        assert read(dut.room_o) == room, f"{groups.entries} entries and {groups.reserved} reserved of {depth}"
        if begin:
            groups.begin()
        groups.end_clock(pop)
        assert groups.entries <= depth, "the FIFO overflows"
        most, refused = max(most, groups.entries), refused + (not room)
    assert most >= depth - cost, "the FIFO was never full"
    assert refused > 0


@bench
async def codes(dut: Any, rng: Random) -> None:
    await run_groups(dut, rng, raw=0)


@bench
async def raw_sums(dut: Any, rng: Random) -> None:
    await run_groups(dut, rng, raw=1)


@bench
async def clear_gives_all_back(dut: Any, rng: Random) -> None:
    """After a clear nothing is reserved, and what was done just before it gives nothing back."""
    for n_begun in range(1, 6):
        drive(dut, entries_i=0)
        for _ in range(n_begun):
            drive(dut, begin_i=1, done_i=rng.random() < 0.5)
            await tick(dut)
        drive(dut, begin_i=0, done_i=0, clear_i=1)
        await tick(dut)
        depth = int(dut.Depth.value)
        for entries, room in [(depth - 1, 1), (depth, 0)] * 4:
            drive(dut, clear_i=0, entries_i=entries)
            await tick(dut)
            assert read(dut.room_o) == room, f"{entries} entries after a clear"
