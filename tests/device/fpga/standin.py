# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the accelerator: the same registers, ring, records and reset over a file, the emulator as its array.

Faults can be planted. `python -m tests.device.fpga.standin FILE REGS ARENA SIZE` is a process like the simulator's.
"""

from __future__ import annotations

import mmap
import os
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from device.fpga import regs
from device.lowbit import emulator
from device.lowbit.cycles import descriptor_cycles
from device.lowbit.descriptor import Descriptor, ErrorCode, check_words

ROOT = Path(__file__).parents[3]
CAPS0, CAPS1, CLOCK_HZ = 4 | 32 << 8 | 32 << 16 | 8 << 24, 128 | 288 << 16, 100_000_000
STOP_AT, STOP = 0xFFC, 0xDEAD
IDLE_S = 50e-6
REFETCHES = 256
MASK = 0xFFFFFFFF
BUSY, ERROR = 1 << regs.STATUS_BUSY.low, 1 << regs.STATUS_ERROR.low


@dataclass
class Faults:
    """What is wrong with the unit."""

    hangs: int = 0
    """So many descriptors are never answered: the unit waits for a reset."""
    codes: list[ErrorCode] = field(default_factory=list)
    """The next descriptors end so."""
    is_silent: bool = False
    """An error leaves no record."""
    stuck_reset: bool = False
    late_record: bool = False
    """After a reset a record of the generation before still arrives."""
    descriptor_s: float = 0.0
    """Every descriptor takes this long."""
    late_registers_s: float = 0.0
    """HEAD and STATUS change so long after the record."""


class StandIn:
    """Runs in a thread between `start` and `close`. `jobs` lists the job word of every descriptor that was executed."""

    def __init__(self, path: Path, regs_at: int, arena_at: int, arena_bytes: int) -> None:
        self.faults, self.jobs, self.most_outstanding = Faults(), list[int](), 0
        with path.open("r+b") as file:
            self._page = np.frombuffer(mmap.mmap(file.fileno(), regs.PAGE_BYTES, offset=regs_at), "<u4")
            self._memory = np.frombuffer(mmap.mmap(file.fileno(), arena_bytes, offset=arena_at), np.uint8)
        self._base, self._arena = arena_at, self._memory[:0]
        self._place, self._head, self._is_halted = (0, 0, 0), 0, False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self.run, name="stand-in")
        self.put(regs.VERSION, regs.VERSION_VALUE)
        self.put(regs.CAPS0, CAPS0)
        self.put(regs.CAPS1, CAPS1)
        self.put(regs.CLOCK_HZ, CLOCK_HZ)
        self.put(regs.ID, regs.ID_VALUE)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()

    def get(self, offset: int) -> int:
        return int(self._page[offset // 4])

    def put(self, offset: int, value: int) -> None:
        self._page[offset // 4] = value & MASK

    def run(self) -> None:
        parent = os.getppid()
        while not self._stop.is_set() and self.get(STOP_AT) != STOP and os.getppid() == parent:
            if self.get(regs.GENERATION) != self.get(regs.CURRENT_GENERATION) and not self.faults.stuck_reset:
                self._reset()
            elif self._is_halted or self._head == self.get(regs.TAIL):
                time.sleep(IDLE_S)
            else:
                self._step()

    def _reset(self) -> None:
        old = self.get(regs.CURRENT_GENERATION)
        generation = self.get(regs.GENERATION)
        self._place = self.get(regs.RING_OFFSET), self.get(regs.RING_LOG2), self.get(regs.RECORD_OFFSET)
        assert self.get(regs.ARENA_BASE) == self._base
        self._arena = self._memory[: self.get(regs.ARENA_SIZE)]
        self._head, self._is_halted = 0, False
        for offset in (regs.HEAD, regs.STATUS, regs.ERROR_SEQ, regs.ERROR_OFFSET, regs.IRQ_COUNT):
            self.put(offset, 0)
        if self.faults.late_record:
            self._write_record(0, 1, (old & 0xFF) << 24 | 1 << 8, 999_999, 77)
        self.put(regs.CURRENT_GENERATION, generation)

    def _write_record(self, index: int, seq: int, state: int, cycles: int, job: int) -> None:
        _, log2, records = self._place
        at = records + (index % (1 << log2)) * 16
        words = self._arena[at : at + 16].view("<u4")
        words[2], words[3] = cycles, job
        words[1] = state
        words[0] = seq

    def _fetch(self) -> tuple[list[int], ErrorCode]:
        """Return the descriptor of HEAD; a wrong one is fetched again."""
        offset, log2, _ = self._place
        at = offset + (self._head % (1 << log2)) * 64
        words: list[int] = []
        for _ in range(REFETCHES):
            words = [int(word) for word in self._arena[at : at + 64].view("<u4")]
            if words[0] >> 24 != 0xD1:
                code = ErrorCode.BAD_TAG
            elif words[1] != (self._head + 1) & MASK:
                code = ErrorCode.BAD_SEQ
            else:
                return words, ErrorCode.OK
        return words, code

    def _step(self) -> None:
        outstanding = (self.get(regs.TAIL) - self._head) & MASK
        self.most_outstanding = max(self.most_outstanding, outstanding)
        words, code = self._fetch()
        if self.faults.hangs:
            self.faults.hangs -= 1
            self._is_halted = True
            self.put(regs.STATUS, BUSY)
            return
        time.sleep(self.faults.descriptor_s)
        if outstanding > 1 << self._place[1]:
            code = ErrorCode.RING_OVERRUN
        elif self.faults.codes:
            code = self.faults.codes.pop(0)
        code = code or check_words(words, self._arena.size)
        if code == ErrorCode.OK:
            code = emulator.run(self._arena, np.array([words], "<u4"))
        self._finish(words, code)

    def _finish(self, words: list[int], code: ErrorCode) -> None:
        seq, generation = (self._head + 1) & MASK, self.get(regs.CURRENT_GENERATION)
        cycles = 0 if code else round(descriptor_cycles(Descriptor.decode(words)))
        if not (code and self.faults.is_silent):
            state = (generation & 0xFF) << 24 | (words[0] & 0xFF) << 8 | code
            self._write_record(self._head, seq, state, cycles, words[2])
        time.sleep(self.faults.late_registers_s)
        if code:
            self.put(regs.ERROR_SEQ, seq)
            self.put(regs.ERROR_OFFSET, words[4])
            self.put(regs.STATUS, ERROR | code << regs.STATUS_CODE.low)
            self.put(regs.IRQ_COUNT, self.get(regs.IRQ_COUNT) + 1)
            self._is_halted = True
            return
        self.jobs.append(words[2])
        self._head = (self._head + 1) & MASK
        self.put(regs.HEAD, self._head)


def as_program(folder: Path) -> Path:
    """Make a program of the stand-in that plays the Verilated accelerator: what EDGE_FPGA_SIM may name."""
    path = folder / "accel_sim"
    path.write_text(f'#!/bin/sh\ncd "{ROOT}" && exec "{sys.executable}" -m tests.device.fpga.standin "$@"\n', "utf-8")
    path.chmod(0o755)
    return path


if __name__ == "__main__":
    name, *places = sys.argv[1:5]
    print("stand-in: up", file=sys.stderr)
    StandIn(Path(name), *(int(place, 0) for place in places)).run()
