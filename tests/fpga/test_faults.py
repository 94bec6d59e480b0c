# SPDX-License-Identifier: Apache-2.0
"""What goes wrong around the simulated accelerator is reported with its code, and a reset makes it usable again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from device.fpga import regs
from device.lowbit.descriptor import ErrorCode
from device.lowbit.program import Ring
from fpga.sim.board import IDEAL, Outcome, SimulatedBoard, Timing, Until, new_memory
from fpga.sim.build import Variant
from tests.fpga.agreement import random_timing
from tests.fpga.bench import NOP, RING, Bench

LATE_CYCLES = 3000
"""Well within the 256 fetches, 64 cycles apart, that a late descriptor gets."""
SLOW = Timing(40, 10, 9)


@pytest.fixture(params=[IDEAL, SLOW], ids=["ideal", "slow"])
def bench(simulator: Path, request: pytest.FixtureRequest) -> Bench:
    return Bench(simulator, request.param)


def entry(bench: Bench, index: int) -> np.ndarray:
    """Return the words of a ring entry, not copied."""
    start = bench.board.ring.offset + 64 * index
    words: np.ndarray = bench.memory[start : start + 64].view("<u4")
    return words


@pytest.mark.parametrize(
    ("word", "value", "code"),
    [
        (0, 0x00000000, ErrorCode.BAD_TAG),
        (0, 0xD1000009, ErrorCode.BAD_OP),
        (0, 0xD1001001, ErrorCode.BAD_FIELD),
        (1, 0x00000077, ErrorCode.BAD_SEQ),
        (4, 0x00000010, ErrorCode.BAD_ALIGN),
        (9, 0x04000400, ErrorCode.BUFFER_FULL),
        (5, 0xFFFFFFC0, ErrorCode.OUT_OF_ARENA),
    ],
)
def test_bad_descriptor_behind_a_good_one(bench: Bench, word: int, value: int, code: ErrorCode) -> None:
    bench.board.place(np.concatenate([bench.words, bench.words, NOP]))
    entry(bench, 1)[word] = value
    bench.board.write(regs.TAIL, 3)
    bench.check_halted(code, index=1)
    assert bench.board.record(0).error == ErrorCode.OK
    assert bench.board.record(2).seq == 0
    assert bench.board.read(regs.ERROR_OFFSET) == RING.offset + 64
    bench.check_alive()


@pytest.mark.parametrize("word", [0, 1], ids=["tag", "seq"])
def test_descriptor_that_arrives_late_is_fetched_again(bench: Bench, word: int) -> None:
    bench.board.place(bench.words)
    right = int(entry(bench, 0)[word])
    entry(bench, 0)[word] = 0x5A5A5A5A
    bench.board.write(regs.TAIL, 1)
    assert bench.board.run(Until.HEAD, 1, LATE_CYCLES) == Outcome.EXPIRED
    entry(bench, 0)[word] = right
    assert bench.board.wait() == ErrorCode.OK
    bench.check_layer()


@pytest.mark.parametrize("what", ["descriptor", "constants", "input", "fence"])
def test_bus_error(bench: Bench, what: str) -> None:
    d = bench.layer
    places = {"descriptor": RING.offset + 32, "constants": d.constants + 256, "input": d.src + 512}
    bench.board.fail_reads({**places, "fence": RING.records}[what], 8)
    bench.board.submit(bench.words)
    bench.check_halted(ErrorCode.BUS_ERROR)
    bench.board.fail_reads(0, 0)
    bench.check_alive()


def test_bus_stall_is_waited_for(bench: Bench) -> None:
    bench.board.submit(bench.words)
    bench.board.run(Until.CLOCKS, most_cycles=700)
    bench.board.stall(50_000)
    assert bench.board.wait() == ErrorCode.OK
    assert bench.board.record(0).cycles > 50_000
    bench.check_layer()


def test_bus_stall_beyond_the_watchdog(bench: Bench) -> None:
    words = bench.words
    words[0, 3] = 5000
    bench.board.submit(words)
    bench.board.run(Until.CLOCKS, most_cycles=700)
    bench.board.stall(50_000)
    bench.check_halted(ErrorCode.TIMEOUT)
    bench.check_alive()


@pytest.mark.parametrize("limit", [1, 60, 200, 333, 500, 1000])
def test_watchdog(bench: Bench, limit: int) -> None:
    words = bench.words
    words[0, 3] = limit
    bench.board.submit(words)
    bench.check_halted(ErrorCode.TIMEOUT)
    assert limit <= bench.board.record(0).cycles < limit + 2000
    bench.check_alive()


def test_a_limit_that_is_kept_changes_nothing(bench: Bench) -> None:
    words = bench.words
    words[0, 3] = 1_000_000
    bench.board.submit(words)
    assert bench.board.wait() == ErrorCode.OK
    bench.check_layer()


@pytest.mark.parametrize("seed", range(8))
def test_reset_in_flight(simulator: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    bench = Bench(simulator, random_timing(rng))
    for _ in range(12):
        bench.board.submit(np.concatenate([bench.words, NOP, bench.words]))
        bench.board.run(Until.CLOCKS, most_cycles=int(rng.integers(1, 6000)))
        bench.check_alive()


def test_reset_waits_for_a_stalled_bus(bench: Bench) -> None:
    bench.board.submit(bench.words)
    bench.board.run(Until.CLOCKS, most_cycles=600)
    bench.board.stall(20_000)
    bench.board.write(regs.TAIL, 0)
    bench.board.write(regs.GENERATION, 7)
    assert bench.board.run(Until.GENERATION, 7, 10_000) == Outcome.EXPIRED
    assert bench.board.read(regs.STATUS) & 4
    assert bench.board.run(Until.GENERATION, 7, 20_000) == Outcome.REACHED
    bench.check_alive()


def test_full_ring_and_overrun(bench: Bench) -> None:
    bench.board.submit(np.repeat(NOP, 8, axis=0))
    assert bench.board.wait() == ErrorCode.OK
    bench.board.place(np.repeat(NOP, 8, axis=0))
    bench.board.write(regs.TAIL, 17)
    bench.check_halted(ErrorCode.RING_OVERRUN, index=8)
    bench.check_alive()


def test_tail_that_falls_back_is_an_overrun_until_the_reset(bench: Bench) -> None:
    bench.board.submit(np.repeat(NOP, 3, axis=0))
    assert bench.board.wait() == ErrorCode.OK
    bench.board.write(regs.TAIL, 0)
    bench.board.run(Until.CLOCKS, most_cycles=200)
    assert bench.board.error == ErrorCode.RING_OVERRUN
    bench.check_alive()


def test_a_record_is_read_back(bench: Bench) -> None:
    """The fence: 8 words of descriptor and one of the record are read, two written."""
    read, written = bench.board.beats
    bench.board.submit(np.repeat(NOP, 5, axis=0))
    assert bench.board.wait() == ErrorCode.OK
    assert bench.board.beats == (read + 5 * 9, written + 5 * 2)


@pytest.mark.parametrize("log2", [1, 2, 10])
def test_ring_wraps_many_times(simulator: Path, log2: int) -> None:
    ring = Ring(0, log2, 64 << log2)
    board = SimulatedBoard(new_memory(0x20000), SLOW, simulator)
    board.reset(ring)
    room = 1 << log2
    for start in range(0, 40 * room if log2 < 10 else 3 * room, room):
        board.submit(np.repeat(NOP, room, axis=0), [start + i for i in range(room)])
        assert board.wait() == ErrorCode.OK
        assert [board.record(i).job for i in range(start, start + room)] == list(range(start, start + room))


def test_doorbell_twice_does_no_harm(bench: Bench) -> None:
    bench.board.submit(bench.words)
    for _ in range(20):
        bench.board.write(regs.TAIL, 1)
        bench.board.run(Until.CLOCKS, most_cycles=97)
    assert bench.board.wait() == ErrorCode.OK
    bench.board.write(regs.TAIL, 1)
    bench.board.run(Until.CLOCKS, most_cycles=500)
    assert bench.board.read(regs.HEAD) == 1
    bench.check_layer()


@pytest.mark.parametrize("seed", range(2))
def test_ten_thousand_random_jobs(simulator: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    board = SimulatedBoard(new_memory(0x4000), Timing([0, 40][seed], 5, 3), simulator)
    board.reset(Ring(0, 6, 0x1000))
    done, n_irq = 0, 0
    while done < 5000:
        n = int(rng.integers(1, 65 - (board.submitted - done)))
        words, jobs = np.repeat(NOP, n, axis=0), [int(v) for v in rng.integers(0, 2**32, n)]
        words[:, 0] |= rng.integers(0, 2, n).astype(np.uint32) << 8
        n_irq += int((words[:, 0] >> 8 & 1).sum())
        first = board.submitted
        board.submit(words, jobs)
        assert board.wait() == ErrorCode.OK
        done = board.submitted
        assert [board.record(first + i).job for i in range(n)] == jobs
        assert [board.record(first + i).seq for i in range(n)] == list(range(first + 1, first + n + 1))
    assert board.read(regs.IRQ_COUNT) == n_irq


def test_interrupt_is_a_level(bench: Bench) -> None:
    board = bench.board
    words = np.repeat(NOP, 2, axis=0)
    words[1, 0] |= 1 << 8
    board.submit(words)
    assert board.wait() == ErrorCode.OK
    assert not board.interrupt
    board.write(regs.IRQ_ENABLE, 1)
    assert board.run(Until.INTERRUPT, most_cycles=4) == Outcome.REACHED
    board.write(regs.IRQ_SEEN, board.read(regs.IRQ_COUNT))
    assert not board.interrupt
    board.place(NOP)
    entry(bench, 2)[0] = 0xD1000005
    board.write(regs.TAIL, 3)
    assert board.run(Until.INTERRUPT) == Outcome.REACHED
    assert board.error == ErrorCode.BAD_OP
    board.write(regs.IRQ_ENABLE, 0)
    assert not board.interrupt


@pytest.mark.parametrize("ring", [Ring(0x1FFC0, 3, 0x1F400), Ring(0x1F000, 3, 0x1FFC0), Ring(0x40000, 3, 0x1F400)])
def test_ring_outside_the_arena_is_reported_in_the_registers(bench: Bench, ring: Ring) -> None:
    board = bench.board
    board.reset(bench.board.ring)
    for register, value in ((regs.RING_OFFSET, ring.offset), (regs.RECORD_OFFSET, ring.records)):
        board.write(register, value)
    board.write(regs.GENERATION, board.generation + 1)
    assert board.run(Until.GENERATION, board.generation + 1) == Outcome.REACHED
    board.write(regs.TAIL, 8)
    outcome = board.run(Until.HEAD, 8, 100_000)
    assert outcome == Outcome.HALTED
    assert board.error in (ErrorCode.OUT_OF_ARENA, ErrorCode.BAD_TAG, ErrorCode.BAD_SEQ)
    assert board.read(regs.IRQ_COUNT) == 1
    bench.check_alive()


def test_registers(simulator: Path, variant: Variant) -> None:
    board = SimulatedBoard(new_memory(4096), IDEAL, simulator)
    assert board.read(regs.ID) == regs.ID_VALUE
    assert board.read(regs.VERSION) == regs.VERSION_VALUE
    assert board.read(regs.CAPS0) == 8 << 24 | 32 << 16 | 32 << 8 | variant.px
    assert board.read(regs.CAPS1) == 288 << 16 | 128
    assert board.read(regs.CLOCK_HZ) == 100_000_000
    rng = np.random.default_rng(0)
    writable = [v for v in range(regs.ARENA_BASE, regs.SCRATCH + 4, 4) if v not in (regs.TAIL, regs.GENERATION)]
    values = {register: int(rng.integers(2**32)) for register in writable}
    for register, value in values.items():
        board.write(register, value)
    assert {register: board.read(register) for register in writable} == values
    known = set(regs.REGISTERS.values())
    for register in range(0, regs.PAGE_BYTES, 4):
        if register not in known:
            board.write(register, 0xFFFFFFFF)
            assert board.read(register) == 0
    for register in (regs.ID, regs.HEAD, regs.CURRENT_GENERATION, regs.IRQ_COUNT):
        before = board.read(register)
        board.write(register, ~before)
        assert board.read(register) == before
