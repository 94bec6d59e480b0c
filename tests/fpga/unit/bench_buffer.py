# SPDX-License-Identifier: Apache-2.0
"""accel_buffer against an array of words: the window that comes for any column, row and image edge."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

from tests.fpga.unit.clocked import bench, drive, read, tick, words
from tests.fpga.unit.structs import pack, structs

LATENCY = 2
ROWS, COLUMNS = 4096, 1024
WEIGHT_WORDS = 2 * 288
BITS12 = (1 << 12) - 1


class Buffers:
    """What was loaded, and the windows that were asked for."""

    def __init__(self, dut: Any, rng: Random) -> None:
        self.dut, self.rng, self.px = dut, rng, int(dut.PX.value)
        self.words: dict[int, int] = {}
        self.weights: dict[int, int] = {}
        self.due: deque[tuple[int, list[int], int | None]] = deque()  # step, pixels, weights

    def load(self, at: int, weight_at: int | None = None) -> None:
        """Write a word, and a row of weights, in the next clock."""
        self.words[at] = self.rng.getrandbits(64)
        drive(self.dut, word_write_i=1, word_at_i=at, word_i=self.words[at], weight_write_i=weight_at is not None)
        if weight_at is not None:
            self.weights[weight_at] = self.rng.getrandbits(1024)
            drive(self.dut, weight_at_i=weight_at, weight_i=self.weights[weight_at])

    def ask(self, row: int, column: int, width: int, inside: bool, weight_row: int) -> None:
        """Ask for PX pixels from `column` on, -1 or more, of the row that begins in bank row `row`."""
        step = self.rng.getrandbits(sum(structs()["step_t"].values()))
        drive(self.dut, step_i=step, row_i=row, column_i=column & BITS12, inside_i=inside, width_i=width)
        drive(self.dut, weight_row_i=weight_row)
        pixels = []
        for at in range(column, column + self.px):
            exists = inside and 0 <= at < width
            pixels.append(self.words[(row + at // 4) % ROWS * 4 + at % 4] if exists else 0)
        self.due.append((step, pixels, self.weights.get(weight_row)))

    async def tick(self) -> None:
        await tick(self.dut)
        if len(self.due) > LATENCY:
            step, pixels, weights = self.due.popleft()
            assert read(self.dut.step_o) == step
            assert words(read(self.dut.word_o), 64, self.px) == pixels
            assert weights is None or read(self.dut.weight_o) == weights


async def fill(buffers: Buffers, rows: list[int], weight_rows: list[int]) -> None:
    """Load all columns of some bank rows and some rows of weights."""
    left = deque(weight_rows)
    for row in rows:
        for column in range(4):
            buffers.load(row * 4 + column, left.popleft() if left else None)
            await tick(buffers.dut)
    drive(buffers.dut, word_write_i=0, weight_write_i=0)


@bench
async def windows(dut: Any, rng: Random) -> None:
    """Images of 1 to 40 columns anywhere in the buffer, its end included, while other rows are loaded."""
    buffers = Buffers(dut, rng)
    starts = [0, 100, 2047, ROWS - 10]
    rows = [start + i for start in starts for i in range(10)]
    weight_rows = [0, 287, 288, WEIGHT_WORDS - 1, *rng.sample(range(1, 287), 20)]
    await fill(buffers, rows, weight_rows)
    for _ in range(2500):
        width = rng.choice([rng.randint(1, 9), rng.randint(1, 40)])
        column = rng.choice([-1, 0, width - 1, rng.randint(-1, width)])
        buffers.ask(rng.choice(starts), column, width, rng.random() < 0.9, rng.choice(weight_rows))
        drive(dut, word_write_i=0, weight_write_i=0)
        if rng.random() < 0.5:
            fresh = rng.randrange(200, 210)
            buffers.load(fresh * 4 + rng.randrange(4), rng.choice([None, 290 + rng.randrange(9)]))
        await buffers.tick()


@bench
async def far_columns(dut: Any, rng: Random) -> None:
    """The last columns of the widest image, and rows above it: a bank row before 0 is asked for and masked."""
    buffers = Buffers(dut, rng)
    await fill(buffers, [*range(254, 256), *range(4)], [])
    for _ in range(200):
        column = rng.randint(COLUMNS - 8, COLUMNS)
        buffers.ask(0, column, COLUMNS, True, 0)
        await buffers.tick()
        buffers.ask(rng.randint(ROWS - 8, ROWS - 1), rng.randint(-1, 6), 9, False, 0)
        await buffers.tick()


@bench
async def reset_in_flight(dut: Any, rng: Random) -> None:
    """A reset makes steps invalid that are under way; what was loaded stays."""
    buffers = Buffers(dut, rng)
    await fill(buffers, [7, 8, 9], [5])
    for _ in range(10):
        drive(dut, step_i=pack("step_t", valid=1))
        for _ in range(rng.randint(1, 4)):
            await tick(dut)
        drive(dut, rst_ni=0)
        await tick(dut)
        drive(dut, rst_ni=1, step_i=0)
        await tick(dut)
        for _ in range(LATENCY + 1):
            await tick(dut)
            assert not read(dut.step_o) & pack("step_t", valid=1)
        buffers.due.clear()
        for _ in range(6):
            buffers.ask(7, rng.randint(-1, 9), 9, True, 5)
            await buffers.tick()
