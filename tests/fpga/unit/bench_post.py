# SPDX-License-Identifier: Apache-2.0
"""accel_post against the definition of codes: entries, their clocks, and thresholds that take over block by block."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import product
from random import Random
from typing import Any

from tests.fpga.unit.clocked import bench, drive, joined, read, reset, tick, words
from tests.fpga.unit.structs import pack

LANES, ACC_BITS = 32, 24
LOWEST, HIGHEST = -(1 << ACC_BITS - 1), (1 << ACC_BITS - 1) - 1
PUSHED_AFTER = 2
"""Clocks after `done_o` in which the last entry of a group may come."""


def some_sum(rng: Random) -> int:
    return rng.choice([rng.randint(LOWEST, HIGHEST), rng.randint(-40, 40), LOWEST, HIGHEST, 0])


def some_thresholds(rng: Random) -> list[int]:
    """Return three rising numbers of 32 bits, some beyond the range of sums."""
    beyond = [
        -(1 << 31),
        (1 << 31) - 1,
        LOWEST,
        HIGHEST,
        LOWEST - 1,
        HIGHEST + 1,
        rng.randint(-(1 << 31), (1 << 31) - 1),
    ]
    return sorted(rng.choice([rng.randint(-40, 40), rng.randint(-40, 40), rng.choice(beyond)]) for _ in range(3))


def clamped(value: int) -> int:
    """Return the threshold that 24 bits can hold: -2^23 is always reached, 2^23-1 only by itself."""
    return min(max(value, LOWEST), HIGHEST)


@dataclass
class Post:
    """The module and what must come out of it."""

    dut: Any
    rng: Random
    raw: int
    px: int
    expected: deque[dict[int, int]] = field(default_factory=deque)  # entries: place of a 64-bit word -> word
    entry: dict[int, int] = field(default_factory=dict)
    writes: list[tuple[int, int]] = field(default_factory=list)  # beats of thresholds that are still to come
    done: deque[int] = field(default_factory=deque)  # clocks of done_o
    blocks: list[int] = field(default_factory=list)  # clocks in which blocks_o has risen
    clock: int = 0

    @property
    def spacing(self) -> int:
        """Clocks from one group to the next, at the least."""
        return self.px * (16 if self.raw else 1)

    async def tick(self, sums: list[list[int]] | None = None, **group: int) -> None:
        """Let a clock end in which a group is complete, or none; look at all outputs."""
        rng = self.rng
        noise = {"valid": rng.randint(0, 1), "pixels": rng.randint(1, self.px), "x": rng.randint(0, 3)}
        flags = {"block_first": rng.randint(0, 1), "row_last": rng.randint(0, 1), "digit": rng.randint(0, 3)}
        step = noise | flags if sums is None else group | {"valid": 1, "last": 1}
        write, at, beat = 0, rng.randrange(64), rng.getrandbits(64)
        if self.writes and rng.random() < 0.6:
            write, (at, beat) = 1, self.writes.pop()
        drive(self.dut, raw_i=self.raw, step_i=pack("step_t", **step))
        drive(self.dut, threshold_write_i=write, threshold_at_i=at, threshold_i=beat)
        if sums is not None:
            self.dut.acc_i.value = joined([joined(lanes, ACC_BITS) for lanes in sums], LANES * ACC_BITS)
        await tick(self.dut)
        self.check()
        self.clock += 1

    def check(self) -> None:
        assert read(self.dut.done_o) == (self.clock in self.done), f"clock {self.clock}: done at {self.done}"
        n_blocks = sum(clock <= self.clock for clock in self.blocks)
        assert read(self.dut.blocks_o) == n_blocks, f"clock {self.clock}: {n_blocks} blocks taken"
        if read(self.dut.push_o):
            assert self.expected, "an entry that nobody expects"
            shown = words(read_known(self.dut.entry_o), 64, 4)
            for place, word in self.expected.popleft().items():
                assert shown[place] == word, f"word {place}: expected {word:016x}, got {shown[place]:016x}"

    async def start(self) -> None:
        drive(self.dut, start_i=1, clear_i=0)
        await self.tick()
        drive(self.dut, start_i=0)
        self.blocks.clear()
        self.done.clear()

    def offer(self) -> list[list[int]]:
        """Return a block's thresholds; their 64 beats come in with the next clocks, in any order."""
        limits = [some_thresholds(self.rng) for _ in range(LANES)]
        for record, (t0, t1, t2) in enumerate(limits):
            unused = self.rng.getrandbits(32)
            self.writes += [(2 * record, joined([t0, t1], 32)), (2 * record + 1, joined([t2, unused], 32))]
        self.rng.shuffle(self.writes)
        return limits

    async def take_writes(self) -> None:
        while self.writes:
            await self.tick()

    async def group(self, limits: list[list[int]], x: int, out_w: int, is_first: bool) -> None:
        """Let the sums of the PX pixels from column `x` on be complete in one clock."""
        sums = [[some_sum(self.rng) for _ in range(LANES)] for _ in range(self.px)]
        pixels, is_last = min(self.px, out_w - x), x + self.px >= out_w
        self.done.append(self.clock + pixels * self.spacing // self.px)
        for pixel in range(pixels):
            self.expect(sums[pixel], limits, x + pixel, is_last and pixel == pixels - 1)
        self.blocks += [self.clock + 2] if is_first else []
        await self.tick(sums, block_first=is_first, row_last=is_last, x=x % 4, pixels=pixels)

    def expect(self, lanes: list[int], limits: list[list[int]], x: int, row_last: bool) -> None:
        """Add what one pixel leaves: the code word of a column, or four entries of 8 sums."""
        if self.raw:
            for part in range(4):
                entry = joined(lanes[8 * part : 8 * part + 8], 32)
                self.expected.append(dict(enumerate(words(entry, 64, 4))))
            return
        codes = [sum(acc >= clamped(t) for t in three) for acc, three in zip(lanes, limits, strict=True)]
        self.entry[x % 4] = joined([code & 1 for code in codes], 1) | joined([code >> 1 for code in codes], 1) << 32
        if x % 4 == 3 or row_last:
            self.expected.append(self.entry)
            self.entry = {}


def read_known(handle: Any) -> int:
    """Return the number a port shows, unknown bits as 0: columns that do not exist are never written."""
    return int("".join(bit if bit in "01" else "0" for bit in str(handle.value)), 2)


async def run_layer(post: Post, out_w: int, out_h: int, n_blocks: int) -> None:
    """Send a layer's groups, as close as the sequencer may and with gaps; end with the last entry and clock."""
    await post.start()
    offered = post.offer()
    for n_left in reversed(range(n_blocks)):
        await post.take_writes()
        limits, offered = offered, []
        for y, x in product(range(out_h), range(0, out_w, post.px)):
            await post.group(limits, x, out_w, is_first=x == y == 0)
            gap = post.rng.choice([0, 0, 0, 1, 5])
            for _ in range(post.spacing - 1 + gap):
                await post.tick()
            if n_left and not offered and post.clock >= post.blocks[-1]:  # as accel_load may
                offered = post.offer()
        while n_left and not offered:
            await post.tick()
            offered = post.offer()
    while post.expected or post.clock <= post.done[-1]:
        assert post.clock <= post.done[-1] + PUSHED_AFTER, f"{len(post.expected)} entries are missing"
        await post.tick()


@bench
async def layers(dut: Any, rng: Random) -> None:
    """Rows of 1 to 9 columns, codes and raw sums behind each other without a pause."""
    post = Post(dut, rng, 0, int(dut.PX.value))
    cases = [(w, raw) for w in range(1, 10) for raw in (0, 0, 1)]
    rng.shuffle(cases)
    for out_w, raw in cases:
        post.raw = raw
        await run_layer(post, out_w, rng.randint(1, 2), rng.randint(1, 3 - raw))


@bench
async def cleared_in_flight(dut: Any, rng: Random) -> None:
    """A clear or a reset at any clock: nothing is pushed any more, and the next layer is right."""
    post = Post(dut, rng, 0, int(dut.PX.value))
    for attempt in range(24):
        post.raw = attempt % 2
        await post.start()
        limits = post.offer()
        await post.take_writes()
        await post.group(limits, rng.choice([0, 8]), 9, is_first=True)
        for _ in range(rng.randrange(post.spacing)):
            await post.tick()
        drive(dut, step_i=0, threshold_write_i=0, clear_i=attempt % 3 > 0)
        await (tick(dut) if attempt % 3 else reset(dut))
        drive(dut, clear_i=0)
        post.blocks = [0] if attempt % 3 else []
        post.expected.clear()
        post.entry.clear()
        post.done.clear()
        for _ in range(8):
            await post.tick()
    await run_layer(post, 5, 1, 2)
