# SPDX-License-Identifier: Apache-2.0
"""accel_array against NumPy: sums of groups of any length, with steps that do not count in between."""

from __future__ import annotations

from collections import deque
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.fpga.unit.clocked import bench, drive, joined, read, reset, tick, words
from tests.fpga.unit.structs import pack, unpack

LANES, ACC_BITS = 32, 24
LATENCY = 6
FULL = (1 << 32) - 1


def bits(word: int, count: int) -> NDArray[np.int64]:
    return np.array([word >> i & 1 for i in range(count)], np.int64)


class Array:
    """The module and the sums that it holds after each step."""

    def __init__(self, dut: Any, rng: Random) -> None:
        self.dut, self.rng, self.px = dut, rng, int(dut.PX.value)
        self.sums = np.zeros((self.px, LANES), np.int64)
        self.due: deque[tuple[int, NDArray[np.int64] | None]] = deque()  # step, sums after it

    async def tick(self, step: int, pixels: list[int], weights: list[int]) -> None:
        """Let a clock end with a step; compare the one of LATENCY clocks ago."""
        drive(self.dut, step_i=step, word_i=joined(pixels, 64), weight_i=joined(weights, 32))
        self.due.append((step, self.after(unpack("step_t", step), pixels, weights)))
        await tick(self.dut)
        if len(self.due) > LATENCY:
            old, sums = self.due.popleft()
            assert read(self.dut.step_o) == old
            if sums is not None:
                shown = words(read(self.dut.acc_o), ACC_BITS, self.px * LANES)
                signed = [value - (value >> ACC_BITS - 1 << ACC_BITS) for value in shown]
                assert signed == sums.reshape(-1).tolist()

    def after(self, step: dict[str, int], pixels: list[int], weights: list[int]) -> NDArray[np.int64] | None:
        """Return the (pixel, output) sums after a step, None where it is not the last of a group."""
        if not step["valid"]:
            return None
        activations = np.array([bits(p & FULL, LANES) + 2 * bits(p >> 32, LANES) for p in pixels])
        signs = np.array([2 * bits(w, LANES) - 1 for w in weights])
        product = (activations @ signs.T) << 2 * step["digit"]
        self.sums = product if step["first"] else self.sums + product
        return self.sums if step["last"] else None

    async def group(self, n_steps: int, density: float, gaps: float) -> None:
        """Send the steps of one group; `density` is the share of steps that have all bits set alike."""
        rng = self.rng
        for i in range(n_steps):
            while rng.random() < gaps:
                noise = {name: rng.randint(0, 1) for name in ("first", "last", "digit")}
                await self.tick(pack("step_t", **noise), self.pixels(0.5), self.weights(0.5))
            flags = {"first": int(i == 0), "last": int(i == n_steps - 1), "digit": rng.randint(0, 3)}
            group = {"x": rng.randint(0, 3), "pixels": rng.randint(1, self.px), "row_last": rng.randint(0, 1)}
            await self.tick(pack("step_t", valid=1, **flags, **group), self.pixels(density), self.weights(density))

    def pixels(self, density: float) -> list[int]:
        rng = self.rng
        return [
            rng.choice([0, FULL << 32 | FULL]) if rng.random() < density else rng.getrandbits(64)
            for _ in range(self.px)
        ]

    def weights(self, density: float) -> list[int]:
        rng = self.rng
        return [rng.choice([0, FULL]) if rng.random() < density else rng.getrandbits(32) for _ in range(LANES)]

    async def drain(self) -> None:
        for _ in range(LATENCY + 1):
            await self.tick(0, [0] * self.px, [0] * LANES)


@bench
async def groups(dut: Any, rng: Random) -> None:
    """Groups of 1 to 20 steps behind each other, and with gaps."""
    array = Array(dut, rng)
    for n_steps in (1, 1, 2, 1, 3, 9, 20, *(rng.randint(1, 12) for _ in range(6))):
        await array.group(n_steps, rng.choice([0.1, 0.9]), rng.choice([0.0, 0.0, 0.4]))
    await array.drain()


@bench
async def largest_sums(dut: Any, rng: Random) -> None:
    """A layer of full words: the sums with all weights +1 and all -1, as far as 24 bits are needed here."""
    array = Array(dut, rng)
    n_steps = 400 // array.px
    for i in range(n_steps):
        flags = {"first": int(i == 0), "last": int(i == n_steps - 1), "digit": 3}
        full = [(FULL << 32 | FULL)] * array.px
        await array.tick(pack("step_t", valid=1, **flags), full, [FULL] * 16 + [0] * 16)
    await array.drain()


@bench
async def reset_in_flight(dut: Any, rng: Random) -> None:
    """Steps under way are forgotten; the next group begins anew."""
    array = Array(dut, rng)
    for _ in range(3):
        await array.group(rng.randint(1, 4), 0.1, 0.0)
        drive(dut, step_i=0)
        await reset(dut, n_clocks=1)
        for _ in range(LATENCY):
            assert not read(dut.step_o)
            await tick(dut)
        array.due.clear()
        await array.group(rng.randint(1, 4), 0.1, 0.0)
        await array.drain()
