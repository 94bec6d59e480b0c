# SPDX-License-Identifier: Apache-2.0
"""What all unit benches share: the clock, the reset, and one look at the signals a clock.

A bench reads and drives right after the rising edge: what it reads are the values before the edge, inputs and outputs
of one and the same clock, and what it drives is there in the next clock.
"""

from __future__ import annotations

import functools
import random
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

PERIOD_NS = 10
MOST_CLOCKS = 200_000

Bench = Callable[[Any, random.Random], Awaitable[None]]


def bench(function: Bench) -> Any:
    """Make a cocotb test of `function(dut, rng)`: the clock runs, all inputs are 0, and the reset is over."""

    @functools.wraps(function)
    async def run(dut: Any) -> None:
        Clock(dut.clk_i, PERIOD_NS, unit="ns").start()
        for port in inputs(dut):
            port.value = 0
        await reset(dut)
        await function(dut, random.Random(f"{cocotb.RANDOM_SEED} {function.__name__}"))

    return cocotb.test(timeout_time=PERIOD_NS * MOST_CLOCKS, timeout_unit="ns")(run)


def inputs(dut: Any) -> Iterator[Any]:
    """Return the input ports, without clock and reset."""
    return (port for port in dut if port._name.endswith("_i") and port._name != "clk_i")


async def reset(dut: Any, n_clocks: int = 2) -> None:
    """Hold the reset, where the module has one."""
    if hasattr(dut, "rst_ni"):
        dut.rst_ni.value = 0
        for _ in range(n_clocks):
            await tick(dut)
        dut.rst_ni.value = 1
    await tick(dut)


async def tick(dut: Any) -> None:
    """Let one clock end; reads give its values until the next await."""
    await RisingEdge(dut.clk_i)


def drive(dut: Any, **values: int) -> None:
    """Set inputs for the next clock."""
    for name, value in values.items():
        getattr(dut, name).value = value


def read(handle: Any) -> int:
    """Return a signal as an unsigned number; raises ValueError where a bit is unknown."""
    return int(handle.value)


def words(value: int, width: int, count: int) -> list[int]:
    """Split a packed array into its elements, element 0 first."""
    return [value >> width * i & ((1 << width) - 1) for i in range(count)]


def joined(values: list[int], width: int) -> int:
    """Pack elements, element 0 lowest; negative ones as two's complement."""
    return sum((value & ((1 << width) - 1)) << width * i for i, value in enumerate(values))
