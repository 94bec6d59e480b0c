# SPDX-License-Identifier: Apache-2.0
"""accel_regs against the driver's register map: what is read, what is kept, what goes on to the unit, the interrupt."""

from __future__ import annotations

from random import Random
from typing import Any

from device.fpga import regs
from fpga.registers import ROOT, SOURCE, read_map
from tests.fpga.unit.clocked import bench, drive, read, reset, tick
from tests.fpga.unit.structs import pack, structs, unpack

REGISTERS = read_map((ROOT / SOURCE).read_text("utf-8"))
WRITTEN = [register.name for register in REGISTERS.registers if register.access == "rw"]
SHOWN = [register.name for register in REGISTERS.registers if register.name.lower() in structs()["state_t"]]


class Page:
    """The registers as software sees them."""

    def __init__(self, px: int, clock_hz: int) -> None:
        self.values = dict.fromkeys(regs.REGISTERS, 0)
        self.values |= {"ID": 0x41434331, "VERSION": 0x00010000, "CLOCK_HZ": clock_hz}
        self.values |= {"CAPS0": 8 << 24 | 32 << 16 | 32 << 8 | px, "CAPS1": 288 << 16 | 128}
        self.names = {offset // 4: name for name, offset in regs.REGISTERS.items()}

    def load(self, address: int) -> int:
        return self.values[self.names[address]] if address in self.names else 0

    def store(self, address: int, value: int) -> None:
        if self.names.get(address) in WRITTEN:
            self.values[self.names[address]] = value

    def reset(self) -> None:
        self.values |= dict.fromkeys(WRITTEN, 0)


def check_outputs(dut: Any, page: Page) -> None:
    """Compare what goes to the unit and to the processor."""
    config = unpack("config_t", read(dut.config_o))
    ring_log2 = config.pop("ring_log2")
    assert config == {name: page.values[name.upper()] for name in config}
    assert ring_log2 == page.values["RING_LOG2"] & 15
    assert (read(dut.tail_o), read(dut.generation_o)) == (page.values["TAIL"], page.values["GENERATION"])
    enabled, differs = page.values["IRQ_ENABLE"] & 1, page.values["IRQ_COUNT"] != page.values["IRQ_SEEN"]
    assert read(dut.irq_o) == (enabled and differs)


@bench
async def reads_writes_and_levels(dut: Any, rng: Random) -> None:
    """Random accesses to all addresses, more to those that are used; the unit changes its state all the time."""
    page, shown, interrupts = Page(int(dut.PX.value), int(dut.ClockHz.value)), None, set[bool]()
    used = list(page.names)
    for clock in range(5000):
        address = rng.choice([rng.choice(used), rng.choice(used) ^ 1 << rng.randrange(10), rng.randrange(1024)])
        is_read, is_write = rng.random() < 0.5, rng.random() < 0.5
        value = rng.choice([rng.getrandbits(32), rng.randint(0, 3), page.values["IRQ_COUNT"]])
        page.values |= {name: rng.choice([rng.getrandbits(32), rng.randint(0, 3)]) for name in SHOWN}
        state = pack("state_t", **{name.lower(): page.values[name] for name in SHOWN})
        drive(dut, address_i=address, read_i=is_read, write_i=is_write, writedata_i=value, state_i=state)
        await tick(dut)
        if shown is not None:
            assert read(dut.readdata_o) == shown, f"clock {clock}"
        check_outputs(dut, page)
        interrupts.add(bool(read(dut.irq_o)))
        if is_read:
            shown = page.load(address)
        if is_write:
            page.store(address, value)
        if rng.random() < 0.002:
            drive(dut, read_i=0, write_i=0)
            await reset(dut)
            page.reset()
    assert interrupts == {False, True}
