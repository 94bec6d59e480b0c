# SPDX-License-Identifier: Apache-2.0
"""Registers of the accelerator: byte offsets in the page, and fields.

Generated from fpga/regs.toml by `python -m fpga.registers`; do not edit.
"""

from __future__ import annotations

from typing import NamedTuple


class Field(NamedTuple):
    """Bits of a register."""

    low: int
    width: int

    def of(self, word: int) -> int:
        """Return the value of this field in `word`."""
        return word >> self.low & ((1 << self.width) - 1)


PAGE_BYTES = 4096
ID_VALUE = 0x41434331
VERSION_VALUE = 0x00010000

ID = 0x00
VERSION = 0x04
CAPS0 = 0x08
CAPS1 = 0x0C
CLOCK_HZ = 0x10
ARENA_BASE = 0x20
ARENA_SIZE = 0x24
RING_OFFSET = 0x28
RING_LOG2 = 0x2C
RECORD_OFFSET = 0x30
IRQ_ENABLE = 0x34
IRQ_SEEN = 0x38
TAIL = 0x3C
GENERATION = 0x40
SCRATCH = 0x44
CURRENT_GENERATION = 0x60
HEAD = 0x64
STATUS = 0x68
ERROR_SEQ = 0x6C
ERROR_OFFSET = 0x70
IRQ_COUNT = 0x74
BUSY = 0x78
READ_STALL = 0x7C
WRITE_STALL = 0x80

VERSION_MINOR = Field(0, 16)
VERSION_MAJOR = Field(16, 16)
CAPS0_PX = Field(0, 8)
CAPS0_LANES_IN = Field(8, 8)
CAPS0_LANES_OUT = Field(16, 8)
CAPS0_BUS_BYTES = Field(24, 8)
CAPS1_ACTIVATION_KIB = Field(0, 16)
CAPS1_WEIGHT_WORDS = Field(16, 16)
IRQ_ENABLE_ENABLE = Field(0, 1)
STATUS_BUSY = Field(0, 1)
STATUS_ERROR = Field(1, 1)
STATUS_RESETTING = Field(2, 1)
STATUS_CODE = Field(8, 8)
STATUS_STATE = Field(16, 16)

REGISTERS = {
    "ID": ID,
    "VERSION": VERSION,
    "CAPS0": CAPS0,
    "CAPS1": CAPS1,
    "CLOCK_HZ": CLOCK_HZ,
    "ARENA_BASE": ARENA_BASE,
    "ARENA_SIZE": ARENA_SIZE,
    "RING_OFFSET": RING_OFFSET,
    "RING_LOG2": RING_LOG2,
    "RECORD_OFFSET": RECORD_OFFSET,
    "IRQ_ENABLE": IRQ_ENABLE,
    "IRQ_SEEN": IRQ_SEEN,
    "TAIL": TAIL,
    "GENERATION": GENERATION,
    "SCRATCH": SCRATCH,
    "CURRENT_GENERATION": CURRENT_GENERATION,
    "HEAD": HEAD,
    "STATUS": STATUS,
    "ERROR_SEQ": ERROR_SEQ,
    "ERROR_OFFSET": ERROR_OFFSET,
    "IRQ_COUNT": IRQ_COUNT,
    "BUSY": BUSY,
    "READ_STALL": READ_STALL,
    "WRITE_STALL": WRITE_STALL,
}
"""Offsets by name; reading has no effect on any of them."""
