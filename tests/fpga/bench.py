# SPDX-License-Identifier: Apache-2.0
"""A board with one layer in its memory, for tests that break something and then look whether it still works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.fpga import regs
from device.lowbit import emulator
from device.lowbit.descriptor import Descriptor, ErrorCode, encode_all
from device.lowbit.program import Ring
from fpga.sim.board import IDEAL, SimulatedBoard, Timing, new_memory
from tests.device.lowbit.cases import make_case

MEMORY_BYTES = 1 << 17
RING = Ring(0x1F000, 3, 0x1F400)
LAYER = Descriptor(w=16, h=16, cb_in=2, cb_out=2, digits=2, k=3, pad_top=1, pad_bottom=1, pad_left=1, pad_right=1)
NOP = encode_all([Descriptor(op=0)])


class Bench:
    """A board after its first reset, and the bytes that the layer must leave."""

    def __init__(self, simulator: Path, timing: Timing = IDEAL, ring: Ring = RING, seed: int = 0) -> None:
        case = make_case(np.random.default_rng(seed), LAYER)
        self.layer = case.descriptor
        self.memory = new_memory(MEMORY_BYTES)
        self._before = case.arena.copy()
        emulator.run(case.arena, case.words)
        self._after = case.arena
        self.board = SimulatedBoard(self.memory, timing, simulator)
        self.fill()
        self.board.reset(ring)

    @property
    def words(self) -> NDArray[np.uint32]:
        return encode_all([self.layer])

    def fill(self) -> None:
        """Put constants and input back."""
        self.memory[: self._before.size] = self._before

    def check_layer(self) -> None:
        assert np.array_equal(self.memory[: self._after.size], self._after)

    def check_alive(self) -> None:
        """Assert that a reset and the layer work, whatever came before."""
        self.fill()
        self.board.reset(self.board.ring)
        assert self.board.read(regs.HEAD) == self.board.read(regs.IRQ_COUNT) == 0
        assert self.board.read(regs.STATUS) & 0xFFFF == 0
        self.board.submit(self.words)
        assert self.board.wait() == ErrorCode.OK
        self.check_layer()

    def check_halted(self, code: ErrorCode, index: int = 0) -> None:
        """Assert that descriptor `index` failed with `code`: record, registers, HEAD, and that nothing goes on."""
        board = self.board
        assert board.wait() == code
        record, status = board.record(index), board.read(regs.STATUS)
        assert (record.seq, record.error, record.generation) == (index + 1, code, board.generation & 0xFF)
        assert status & 7 == 2, f"expected error and neither busy nor resetting, STATUS=0x{status:08x}"
        assert board.read(regs.ERROR_SEQ) == index + 1
        assert board.read(regs.HEAD) == index
        assert board.read(regs.IRQ_COUNT) == 1
        beats = board.beats
        board.write(regs.TAIL, board.read(regs.TAIL) + 1)
        for _ in range(200):
            board.read(regs.STATUS)
        assert board.beats == beats
        assert board.read(regs.HEAD) == index
