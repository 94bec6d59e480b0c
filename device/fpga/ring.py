# SPDX-License-Identifier: Apache-2.0
"""The ring of descriptors in memory, its completion records, and the reset by generation (specification, section 6).

Nothing here waits for a job: `driver` does.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from device.errors import DeviceTimeout
from device.fpga import regs
from device.fpga.mmio import Window
from device.lowbit.descriptor import ErrorCode
from device.lowbit.program import DESCRIPTOR_BYTES, RECORD_BYTES, Ring

COUNT_MASK = 0xFFFFFFFF
"""TAIL, HEAD, seq and GENERATION are 32-bit numbers that run over."""
SEQ_WORD, JOB_WORD = 1, 2
RESET_POLL_S = 20e-6
STILL = (1 << regs.STATUS_ERROR.low) | (1 << regs.STATUS_RESETTING.low)
"""Bits of STATUS that are clear after a reset."""


def distance(later: int, earlier: int) -> int:
    """Return how many steps `later` lies behind `earlier` on the 32-bit circle."""
    return (later - earlier) & COUNT_MASK


def seq_of(index: int) -> int:
    """Return the seq of ring index `index`, which counts from 0 since the reset."""
    return (index + 1) & COUNT_MASK


@dataclass(frozen=True)
class Record:
    """What the unit writes when a descriptor is done or has failed."""

    seq: int
    code: int
    cycles: int
    job: int

    @property
    def error(self) -> str:
        """The name of the error code."""
        return code_name(self.code)


def code_name(code: int) -> str:
    return ErrorCode(code).name if code in tuple(ErrorCode) else f"unknown error {code}"


class CommandRing:
    """Offers descriptors and reads records; `offered` counts those offered since the last reset."""

    def __init__(self, registers: Window, arena: Window, arena_base: int, barrier: Callable[[], None]) -> None:
        self.registers, self.arena = registers, arena
        self._arena_base, self._barrier = arena_base, barrier
        self.place, self.offered, self._generation = Ring(), 0, 0

    @property
    def capacity(self) -> int:
        return 1 << self.place.log2

    def reset(self, place: Ring, timeout_s: float) -> None:
        """Stop the unit, clear its error and start with an empty ring at `place`.

        Raises DeviceTimeout when the unit does not finish its accesses: its bus hangs.
        """
        self.arena.zero(place.records, RECORD_BYTES << place.log2)
        self._barrier()
        self.place, self.offered = place, 0
        values = {
            regs.TAIL: 0,
            regs.ARENA_BASE: self._arena_base,
            regs.ARENA_SIZE: self.arena.size,
            regs.RING_OFFSET: place.offset,
            regs.RING_LOG2: place.log2,
            regs.RECORD_OFFSET: place.records,
            regs.IRQ_ENABLE: 0,
            regs.IRQ_SEEN: 0,
        }
        for offset, value in values.items():
            self.registers.write(offset, value)
        self._generation = (self.registers.read(regs.CURRENT_GENERATION) + 1) & COUNT_MASK
        self._barrier()
        self.registers.write(regs.GENERATION, self._generation)
        self._wait_for_reset(timeout_s)

    def _wait_for_reset(self, timeout_s: float) -> None:
        end = time.monotonic() + timeout_s
        while not self._is_reset():
            if time.monotonic() > end and not self._is_reset():
                raise DeviceTimeout(
                    f"wait for generation {self._generation}: {timeout_s * 1e3:.0f} ms passed, {self.state()}; "
                    "the accelerator's bus hangs, reload the bitstream"
                )
            time.sleep(RESET_POLL_S)

    def _is_reset(self) -> bool:
        read = self.registers.read
        is_current = read(regs.CURRENT_GENERATION) == self._generation
        return is_current and read(regs.HEAD) == 0 and not read(regs.STATUS) & STILL

    def room(self) -> int:
        """Return how many descriptors may be offered now: TAIL - HEAD never passes the length of the ring."""
        return self.capacity - distance(self.offered, self.registers.read(regs.HEAD))

    def offer(self, words: NDArray[np.uint32], job: int) -> int:
        """Hand over (n, 16) descriptors, n <= `room()`; return the ring index of the first.

        Order: descriptors (inputs were written before), the last word read back, barrier, doorbell.
        """
        first, at = self.offered, 0
        for row in words:
            entry = row.copy()
            entry[SEQ_WORD], entry[JOB_WORD] = seq_of(self.offered), job & COUNT_MASK
            at = self.place.offset + (self.offered & (self.capacity - 1)) * DESCRIPTOR_BYTES
            self.arena.copy_in(at, entry.view(np.uint8))
            self.offered = (self.offered + 1) & COUNT_MASK
        self.arena.read(at + DESCRIPTOR_BYTES - 4)
        self._barrier()
        self.registers.write(regs.TAIL, self.offered)
        return first

    def record(self, index: int) -> Record | None:
        """Return the record of ring index `index`, None while it is not there; one of an older generation is none."""
        at = self.place.records + (index & (self.capacity - 1)) * RECORD_BYTES
        if self.arena.read(at) != seq_of(index):
            return None
        self._barrier()
        state = self.arena.read(at + 4)
        if state >> 24 != self._generation & 0xFF:
            return None
        return Record(seq_of(index), state & 0xFF, self.arena.read(at + 8), self.arena.read(at + 12))

    def halted(self, seq: int) -> int:
        """Return the error code with which the unit stands still at `seq`, 0 while it does not."""
        status = self.registers.read(regs.STATUS)
        is_here = regs.STATUS_ERROR.of(status) and self.registers.read(regs.ERROR_SEQ) == seq
        return regs.STATUS_CODE.of(status) if is_here else 0

    def error_offset(self) -> int:
        return self.registers.read(regs.ERROR_OFFSET)

    def state(self) -> str:
        """Return the registers that a message shows."""
        read = self.registers.read
        return f"STATUS={read(regs.STATUS):#010x} HEAD={read(regs.HEAD)} TAIL={read(regs.TAIL)}"
