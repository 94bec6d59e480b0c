# SPDX-License-Identifier: Apache-2.0
"""The simulated accelerator on a board of this process: registers, memory, and what a bus can do wrong.

Every clock is simulated by the library that `fpga.sim.build` makes; nothing happens between two calls. For tests and
cycle counts: a program talks to the accelerator through `device.fpga`.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.fpga import regs
from device.lowbit.descriptor import N_WORDS, ErrorCode
from device.lowbit.emulator import Arena, check_arena
from device.lowbit.program import DESCRIPTOR_BYTES, MAX_RING_LOG2, PAGE_BYTES, RECORD_BYTES, Ring
from fpga.sim.build import Variant
from fpga.sim.coverage import new_tally

BASE = 0x3C00_0000
"""Where the memory lies for the accelerator."""
MOST_CYCLES = 4_000_000


class BusViolation(Exception):
    """The accelerator broke the protocol of its memory port; the simulation cannot go on."""


class BoardTimeout(Exception):
    """What a caller waited for did not happen in the clocks it granted."""


class Until(IntEnum):
    """What `SimulatedBoard.run` waits for; HEAD ends at an error too."""

    HEAD = 0
    GENERATION = 1
    INTERRUPT = 2
    CLOCKS = 3


class Outcome(IntEnum):
    REACHED = 0
    EXPIRED = 1
    HALTED = 2
    VIOLATED = 3


@dataclass(frozen=True)
class Timing:
    """How the memory answers. 0 % is the ideal one: never busy, data come after exactly `latency_cycles`.

    Else commands and data are each held back in that share of the clocks, and the latency varies up to its double.
    """

    waitrequest_percent: int = 0
    latency_cycles: int = 8
    seed: int = 1


IDEAL = Timing()


@dataclass(frozen=True)
class Record:
    """What the accelerator says about one descriptor."""

    seq: int
    generation: int
    op: int
    error: ErrorCode
    cycles: int
    job: int


@cache
def load_library(path: Path) -> Any:
    """Return the C functions of `path` with their types; raises OSError."""
    library = ctypes.CDLL(str(path))
    u32, u64, handle = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
    functions = {
        "new": ((handle, u32, u32, u32, u32, u64), handle),
        "free": ((handle,), None),
        "write": ((handle, u32, u32), ctypes.c_int),
        "read": ((handle, u32, ctypes.POINTER(u32)), ctypes.c_int),
        "run": ((handle, u64, ctypes.c_int, u32), ctypes.c_int),
        "coverage": ((handle, ctypes.c_char_p), ctypes.c_int),
        "fail": ((handle, u32, u32), None),
        "stall": ((handle, u64), None),
        "interrupt": ((handle,), ctypes.c_int),
        "clock": ((handle,), u64),
        "beats": ((handle, ctypes.c_int), u64),
        "violation": ((handle,), ctypes.c_char_p),
    }
    for name, (arguments, result) in functions.items():
        function = getattr(library, f"board_{name}")
        function.argtypes, function.restype = arguments, result
    return library


def new_memory(n_bytes: int) -> Arena:
    """Return zeros, aligned as the memory of a board must be."""
    return np.zeros(-(-n_bytes // 8), np.uint64).view(np.uint8)[:n_bytes]


TALLY = new_tally()


def release(library: Any, handle: int) -> None:
    """Free a board, with its counts kept where EDGE_COVERAGE asks for them."""
    if TALLY is not None and library.board_coverage(handle, str(TALLY.board_file()).encode()) == Outcome.REACHED:
        TALLY.add()
    library.board_free(handle)


class SimulatedBoard:
    """One accelerator and its memory. Methods raise BusViolation when the accelerator breaks the bus protocol."""

    def __init__(self, memory: Arena, timing: Timing = IDEAL, library: Path | None = None) -> None:
        """`memory` is what the accelerator sees from BASE on, used in place; `library` None is that of 4 pixels."""
        if memory.ctypes.data % 8 or memory.size % 8 or not memory.flags.carray:
            raise ValueError(f"memory: expected aligned words of 8 bytes, got {memory.size} bytes")
        self.memory = memory
        self.ring = Ring()
        self.generation = 0
        self.submitted = 0
        self._library = load_library(library or Variant().library)
        wait, latency, seed = timing.waitrequest_percent, timing.latency_cycles, timing.seed
        self._handle = self._library.board_new(memory.ctypes.data, BASE, memory.size, wait, latency, seed)
        weakref.finalize(self, release, self._library, self._handle)

    def write(self, register: int, value: int) -> None:
        """Write a register (byte offset); one clock."""
        self._outcome(self._library.board_write(self._handle, register, value & 0xFFFFFFFF))

    def read(self, register: int) -> int:
        """Return a register (byte offset); one clock."""
        value = ctypes.c_uint32()
        self._outcome(self._library.board_read(self._handle, register, ctypes.byref(value)))
        return value.value

    def run(self, until: Until, value: int = 0, most_cycles: int = MOST_CYCLES) -> Outcome:
        """Simulate until `value` is reached, an error, or the end of the clocks granted."""
        return self._outcome(self._library.board_run(self._handle, most_cycles, int(until), value & 0xFFFFFFFF))

    def _outcome(self, code: int) -> Outcome:
        if code == Outcome.VIOLATED:
            raise BusViolation(self._library.board_violation(self._handle).decode())
        return Outcome(code)

    @property
    def clock(self) -> int:
        """Clocks since the board was made."""
        return int(self._library.board_clock(self._handle))

    @property
    def beats(self) -> tuple[int, int]:
        """Words of 8 bytes read and written."""
        return int(self._library.board_beats(self._handle, 0)), int(self._library.board_beats(self._handle, 1))

    @property
    def interrupt(self) -> bool:
        return bool(self._library.board_interrupt(self._handle))

    @property
    def error(self) -> ErrorCode:
        """The code in STATUS."""
        return ErrorCode(regs.STATUS_CODE.of(self.read(regs.STATUS)))

    def fail_reads(self, offset: int, n_bytes: int) -> None:
        """Answer reads of these bytes with a bus error from now on."""
        self._library.board_fail(self._handle, BASE + offset, BASE + offset + n_bytes)

    def stall(self, n_cycles: int) -> None:
        """Hold all commands and data back for the next clocks."""
        self._library.board_stall(self._handle, n_cycles)

    def write_coverage(self, path: Path) -> None:
        """Write what this board executed; the library must be one with coverage."""
        self._outcome(self._library.board_coverage(self._handle, str(path).encode()))

    def reset(self, ring: Ring, arena_bytes: int | None = None, most_cycles: int = MOST_CYCLES) -> None:
        """Reset by generation, as a driver does; raises BoardTimeout."""
        self.ring, self.submitted = ring, 0
        self.memory[ring.records : ring.records + (RECORD_BYTES << ring.log2)] = 0
        self.generation = (self.read(regs.CURRENT_GENERATION) + 1) & 0xFFFFFFFF
        self.write(regs.TAIL, 0)
        size = self.memory.size if arena_bytes is None else arena_bytes
        for register, value in (
            (regs.ARENA_BASE, BASE),
            (regs.ARENA_SIZE, size),
            (regs.RING_OFFSET, ring.offset),
            (regs.RING_LOG2, ring.log2),
            (regs.RECORD_OFFSET, ring.records),
            (regs.GENERATION, self.generation),
        ):
            self.write(register, value)
        if self.run(Until.GENERATION, self.generation, most_cycles) != Outcome.REACHED:
            raise BoardTimeout(f"reset: STATUS=0x{self.read(regs.STATUS):08x}")

    def place(self, words: NDArray[np.uint32], jobs: Sequence[int] | None = None) -> None:
        """Put (n, 16) descriptors into the ring with their seq, without the doorbell."""
        for i, row in enumerate(words):
            entry = row.copy()
            entry[1] = (self.submitted + 1) & 0xFFFFFFFF
            entry[2] = entry[2] if jobs is None else jobs[i]
            start = self.ring.offset + self.submitted % (1 << self.ring.log2) * DESCRIPTOR_BYTES
            self.memory[start : start + DESCRIPTOR_BYTES] = entry.view(np.uint8)
            self.submitted += 1

    def submit(self, words: NDArray[np.uint32], jobs: Sequence[int] | None = None) -> None:
        """Put descriptors into the ring and ring the doorbell. The caller knows that there is room."""
        self.place(words, jobs)
        self.write(regs.TAIL, self.submitted)

    def wait(self, count: int | None = None, most_cycles: int = MOST_CYCLES) -> ErrorCode:
        """Simulate until `count` (None: all) descriptors are done or one failed; raises BoardTimeout."""
        wanted = self.submitted if count is None else count
        outcome = self.run(Until.HEAD, wanted, most_cycles)
        if outcome == Outcome.EXPIRED:
            head, status = self.read(regs.HEAD), self.read(regs.STATUS)
            raise BoardTimeout(f"HEAD={head} of {wanted} after {most_cycles} clocks, STATUS=0x{status:08x}")
        return self.error if outcome == Outcome.HALTED else ErrorCode.OK

    def record(self, index: int) -> Record:
        """Return the record of the descriptor with ring index `index`, counted since the reset."""
        start = self.ring.records + index % (1 << self.ring.log2) * RECORD_BYTES
        seq, state, cycles, job = (int(word) for word in self.memory[start : start + RECORD_BYTES].view("<u4"))
        return Record(seq, state >> 24, state >> 8 & 0xFF, ErrorCode(state & 0xFF), cycles, job)


@dataclass(frozen=True, eq=False)
class Run:
    """What came of a list of descriptors."""

    code: ErrorCode
    records: tuple[Record, ...]
    board: SimulatedBoard

    @property
    def cycles(self) -> list[int]:
        """Cycles of every descriptor, from its fetch to its record."""
        return [record.cycles for record in self.records]


def run(
    arena: Arena,
    descriptors: NDArray[np.uint32],
    timing: Timing = IDEAL,
    ring: Ring | None = None,
    library: Path | None = None,
    most_cycles: int = MOST_CYCLES,
) -> Run:
    """Execute (n, 16) descriptor words on `arena` in place, as `device.lowbit.emulator.run` does.

    Ring and records lie behind the arena unless `ring` names free bytes of it: behind it they make the arena that the
    accelerator sees a little larger, which OUT_OF_ARENA can tell.
    """
    check_arena(arena, descriptors)
    chosen, n_bytes = place_ring(arena.size, len(descriptors)) if ring is None else (ring, arena.size)
    memory = new_memory(n_bytes)
    memory[: arena.size] = arena
    board = SimulatedBoard(memory, timing, library)
    board.reset(chosen)
    code = feed(board, descriptors, most_cycles)
    n_done = board.read(regs.HEAD) + (code != ErrorCode.OK)
    kept = range(max(0, n_done - (1 << chosen.log2)), n_done)
    arena[:] = memory[: arena.size]
    return Run(code, tuple(board.record(i) for i in kept), board)


def place_ring(arena_bytes: int, n_descriptors: int) -> tuple[Ring, int]:
    """Return a ring behind an arena and the bytes of both."""
    log2 = min(MAX_RING_LOG2, max(1, (max(n_descriptors, 1) - 1).bit_length()))
    start = -(-arena_bytes // DESCRIPTOR_BYTES) * DESCRIPTOR_BYTES
    ring = Ring(start, log2, start + (DESCRIPTOR_BYTES << log2))
    return ring, -(-(ring.records + (RECORD_BYTES << log2)) // PAGE_BYTES) * PAGE_BYTES


def feed(board: SimulatedBoard, descriptors: NDArray[np.uint32], most_cycles: int) -> ErrorCode:
    """Offer the descriptors as the ring has room for them; return the first error."""
    room = 1 << board.ring.log2
    for start in range(0, len(descriptors), room):
        board.submit(descriptors[start : start + room].reshape(-1, N_WORDS))
        code = board.wait(most_cycles=most_cycles)
        if code != ErrorCode.OK:
            return code
    return ErrorCode.OK
