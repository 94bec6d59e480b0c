# SPDX-License-Identifier: Apache-2.0
"""The simulated accelerator as a process behind a file, without a driver: registers are words, memory is bytes."""

from __future__ import annotations

import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from device.fpga import regs
from device.lowbit import emulator
from device.lowbit.descriptor import Descriptor, ErrorCode
from device.lowbit.program import Ring
from fpga.sim.build import Variant
from tests.device.lowbit.cases import make_case, random_shape
from tests.fpga.bench import NOP

REGS, ARENA, SIZE = 0x1000, 0x10_0000, 0x10000
RING = Ring(0xE000, 3, 0xE800)
CLOCKS, STOP = 4 * 1020, 4 * 1023


class Process:
    """A running simulator and both mappings of its file."""

    def __init__(self, program: Path, folder: Path, options: tuple[str, ...] = ()) -> None:
        path = folder / "memory"
        with path.open("wb") as file:
            file.truncate(ARENA + SIZE)
        with path.open("r+b") as file:
            self.page = np.frombuffer(mmap.mmap(file.fileno(), 4096, offset=REGS), np.uint32)
            self.memory = np.frombuffer(mmap.mmap(file.fileno(), SIZE, offset=ARENA), np.uint8)
        command = [str(program), str(path), hex(REGS), hex(ARENA), hex(SIZE), *options]
        self.child = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.wait(lambda: self.read(regs.ID) == regs.ID_VALUE)

    def read(self, register: int) -> int:
        return int(self.page[register // 4])

    def write(self, register: int, value: int) -> None:
        self.page[register // 4] = value

    def wait(self, condition: Callable[[], bool], timeout_s: float = 20.0) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert self.child.poll() is None, self.child.stderr and self.child.stderr.read()
            assert time.monotonic() < end, f"HEAD={self.read(regs.HEAD)} STATUS=0x{self.read(regs.STATUS):08x}"
            os.sched_yield()

    def reset(self) -> None:
        self.memory[RING.records : RING.records + 128] = 0
        generation = (self.read(regs.CURRENT_GENERATION) + 1) & 0xFFFFFFFF
        self.write(regs.TAIL, 0)
        for register, value in (
            (regs.ARENA_BASE, ARENA),
            (regs.ARENA_SIZE, SIZE),
            (regs.RING_OFFSET, RING.offset),
            (regs.RING_LOG2, RING.log2),
            (regs.RECORD_OFFSET, RING.records),
            (regs.GENERATION, generation),
        ):
            self.write(register, value)
        self.wait(lambda: self.read(regs.CURRENT_GENERATION) == generation)
        assert self.read(regs.HEAD) == 0

    def submit(self, words: np.ndarray, index: int) -> None:
        entry = words.copy()
        entry[1] = index + 1
        start = RING.offset + index % 8 * 64
        self.memory[start : start + 64] = entry.view(np.uint8)
        self.write(regs.TAIL, index + 1)

    def stop(self) -> int:
        self.write(STOP, 0xDEAD)
        return self.child.wait(timeout=10)


@pytest.fixture(scope="module")
def program(simulator: Path, variant: Variant) -> Path:
    assert simulator.is_file()
    return variant.program


@pytest.fixture
def process(program: Path, tmp_path: Path) -> Iterator[Process]:
    running = Process(program, tmp_path, ("--waitrequest", "20", "--latency", "5", "--seed", "3"))
    yield running
    running.child.kill()
    running.child.communicate()


def test_layers_through_the_file(process: Process) -> None:
    rng = np.random.default_rng(0)
    process.reset()
    for index in range(20):
        case = make_case(rng, random_shape(rng, 6, 2))
        process.memory[: case.arena.size] = case.arena
        assert emulator.run(case.arena, case.words) == ErrorCode.OK
        process.submit(case.words[0], index)
        process.wait(lambda: process.read(regs.HEAD) == index + 1)  # noqa: B023
        assert np.array_equal(process.memory[: case.arena.size], case.arena)
    assert process.stop() == 0


def test_error_and_reset(process: Process) -> None:
    for _ in range(3):
        process.reset()
        process.submit(Descriptor(op=9).encode(), 0)
        process.wait(lambda: bool(process.read(regs.STATUS) & 2))
        process.wait(lambda: process.read(regs.IRQ_COUNT) == 1)
        assert regs.STATUS_CODE.of(process.read(regs.STATUS)) == ErrorCode.BAD_OP
        assert process.read(regs.ERROR_SEQ) == 1
    process.reset()
    process.submit(NOP[0], 0)
    process.wait(lambda: process.read(regs.HEAD) == 1)


def test_idle_time_costs_nothing_and_does_not_count(process: Process) -> None:
    process.reset()
    process.submit(NOP[0], 0)
    process.wait(lambda: process.read(regs.HEAD) == 1)
    time.sleep(0.2)
    clocks, used = process.read(CLOCKS), processor_s(process.child.pid)
    time.sleep(1.0)
    assert process.read(CLOCKS) == clocks > 0
    assert processor_s(process.child.pid) - used < 0.2
    process.submit(NOP[0], 1)
    process.wait(lambda: process.read(regs.HEAD) == 2)


def processor_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_ends_with_its_parent(program: Path, tmp_path: Path) -> None:
    path = tmp_path / "memory"
    with path.open("wb") as file:
        file.truncate(ARENA + SIZE)
    command = [str(program), str(path), hex(REGS), hex(ARENA), hex(SIZE)]
    code = f"import subprocess, time; p = subprocess.Popen({command}); print(p.pid, flush=True); time.sleep(0.5)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    proc, end = Path(f"/proc/{int(done.stdout)}"), time.monotonic() + 10
    while proc.exists() and "Z" not in (proc / "stat").read_text().rsplit(") ", 1)[1][:1]:
        assert time.monotonic() < end, "the simulator outlived its parent"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "expected four arguments"),
        (("nowhere", "0x1000", "0x100000", "0x10000"), "No such file"),
        (("FILE", "0x1000", "0x100000", "0x20000"), "ends before byte"),
        (("FILE", "0x1004", "0x100000", "0x10000"), "multiples of 4096"),
        (("FILE", "0x1000", "0x100000", "0x10000", "--latency", "fast"), "not a number"),
        (("FILE", "0x1000", "0x100000", "0x10000", "--speed", "1"), "--speed"),
    ],
)
def test_wrong_arguments_are_refused(program: Path, tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    path = tmp_path / "memory"
    with path.open("wb") as file:
        file.truncate(ARENA + SIZE)
    command = [str(program), *(str(path) if value == "FILE" else value for value in arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=20)
    assert done.returncode != 0
    assert said in done.stderr
