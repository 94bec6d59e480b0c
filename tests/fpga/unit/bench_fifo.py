# SPDX-License-Identifier: Apache-2.0
"""accel_fifo against a queue: order, count, and the clock in which an entry shows."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

from tests.fpga.unit.clocked import bench, drive, read, tick

SHOWN_AFTER = 2
"""Clocks from the push of an entry to its place at the output, at the least."""


@bench
async def order_and_count(dut: Any, rng: Random) -> None:
    """Random pushes and pops, mostly filling, mostly draining, and clears in between."""
    depth = int(dut.Depth.value)
    queue: deque[tuple[int, int]] = deque()  # data, clock of the push
    seen = set[int]()
    push_share, pop_share = 0.5, 0.5
    for clock in range(6000):
        if clock % 50 == 0:
            push_share, pop_share = rng.choice([(1.0, 0.1), (0.1, 1.0), (1.0, 1.0), (0.5, 0.5), (0.9, 0.0)])
        shows = bool(queue) and queue[0][1] + SHOWN_AFTER <= clock
        data = rng.getrandbits(16)
        push = len(queue) < depth and rng.random() < push_share
        pop = shows and rng.random() < pop_share
        clear = rng.random() < 0.005
        drive(dut, push_i=push, data_i=data, pop_i=pop, clear_i=clear)
        await tick(dut)
        assert read(dut.count_o) == len(queue), f"clock {clock}"
        assert read(dut.valid_o) == shows, f"clock {clock}: {len(queue)} entries"
        if shows:
            assert read(dut.data_o) == queue[0][0], f"clock {clock}"
        seen.add(len(queue))
        if pop:
            queue.popleft()
        if push:
            queue.append((data, clock))
        if clear:
            queue.clear()
    assert seen == set(range(depth + 1)), "a fill level was never reached"


@bench
async def one_entry_a_clock(dut: Any, rng: Random) -> None:
    """Pushes without a gap come out without a gap."""
    data = [rng.getrandbits(16) for _ in range(40)]
    for clock in range(len(data) + SHOWN_AFTER):
        fresh, old = clock < len(data), clock >= SHOWN_AFTER
        drive(dut, push_i=fresh, data_i=data[clock] if fresh else 0, pop_i=old)
        await tick(dut)
        assert read(dut.valid_o) == old
        if old:
            assert read(dut.data_o) == data[clock - SHOWN_AFTER]
