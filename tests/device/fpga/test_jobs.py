# SPDX-License-Identifier: Apache-2.0
"""The order in which jobs leave the queue, and the arithmetic of counters that run over."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.fpga import regs
from device.fpga.engine import Engine, Patience
from device.fpga.jobs import Job, JobQueue
from device.fpga.mmio import Window
from device.fpga.ring import CommandRing, Record, code_name, distance, seq_of
from device.lowbit.program import Program, Ring

PROGRAM = Program("net", 0, 1, (), (), 0, 0)
WORDS = np.zeros((1, 16), np.uint32)


@given(steps=st.lists(st.one_of(st.none(), st.integers(-3, 3)), max_size=80), limit=st.integers(1, 20))
def test_most_urgent_first_then_the_oldest(steps: list[int | None], limit: int) -> None:
    queue, waiting = JobQueue(limit), list[Job]()
    for number, priority in enumerate(steps):
        if priority is not None:
            if queue.is_full:
                assert len(waiting) >= limit
                continue
            waiting.append(Job(number, PROGRAM, 0, priority, WORDS, 0))
            queue.put(waiting[-1])
        elif waiting:
            best = min(waiting, key=lambda job: (-job.priority, job.number))
            assert queue.first() is best
            assert queue.take() is best
            waiting.remove(best)
        assert len(queue) == len(waiting)
    returned = [queue.take() for _ in range(len(queue))]
    for job in reversed(returned):  # as after a reset
        queue.put(job)
    assert [queue.take() for _ in range(len(queue))] == returned
    assert queue.first() is None


@given(index=st.integers(0, 2**40), step=st.integers(0, 2**31))
def test_counters_run_over(index: int, step: int) -> None:
    assert distance(index + step, index) == step
    assert distance((index + step) & 0xFFFFFFFF, index & 0xFFFFFFFF) == step
    assert seq_of(index) == (index + 1) % 2**32
    assert seq_of(index & 0xFFFFFFFF) == seq_of(index)


@pytest.fixture
def ring(tmp_path: Path) -> CommandRing:
    """A ring of 16 places over a file with nothing behind it."""
    path = tmp_path / "board"
    path.write_bytes(bytes(4 * 4096))
    ring = CommandRing(Window(path, 0, 4096), Window(path, 4096, 3 * 4096), 4096, lambda: None)
    ring.place = Ring(0, 4, 4096)
    return ring


def test_offers_and_records_pass_two_to_the_32(ring: CommandRing) -> None:
    """A reset sets the counters to 0, so that only arithmetic can be watched here."""
    ring.offered = 2**32 - 3
    ring.registers.write(regs.HEAD, 2**32 - 5)
    assert ring.room() == 14
    words = np.arange(5 * 16, dtype=np.uint32).reshape(5, 16)
    first = ring.offer(words, job=2**32 + 9)
    assert (first, ring.offered, ring.registers.read(regs.TAIL)) == (2**32 - 3, 2, 2)
    assert ring.room() == 16 - 7
    for i, seq in enumerate((2**32 - 2, 2**32 - 1, 0, 1, 2)):
        entry = ring.arena.copy_out((2**32 - 3 + i) % 16 * 64, 64).view("<u4")
        assert (int(entry[1]), int(entry[2]), int(entry[3]), int(entry[15])) == (seq, 9, 16 * i + 3, 16 * i + 15)
        at = 4096 + (2**32 - 3 + i) % 16 * 16
        ring.arena.copy_in(at, np.array([seq, i, 100 + i, 9], "<u4").view(np.uint8))
        assert ring.record(first + i) == Record(seq, i, 100 + i, 9)
    assert np.array_equal(words, np.arange(5 * 16).reshape(5, 16))  # the program's own words stay


def test_a_record_counts_with_its_seq_and_generation_only(ring: CommandRing) -> None:
    ring._generation = 0x1FE
    ring.arena.copy_in(4096, np.array([1, 0xFE000100, 55, 3], "<u4").view(np.uint8))
    assert ring.record(0) == Record(1, 0, 55, 3)
    assert ring.record(16) is None
    ring._generation = 0x1FF
    assert ring.record(0) is None


def put_records(ring: CommandRing, first: int, last: int) -> None:
    for index in range(first, last):
        octets = np.array([index + 1, 0x100, 50, 1], "<u4").view(np.uint8)
        ring.arena.copy_in(4096 + index % 16 * 16, octets)


def test_a_job_waits_for_head_and_for_records_that_nobody_read(ring: CommandRing) -> None:
    """Either may lag: an entry is free when HEAD has passed it, its record when it was read."""
    engine = Engine(ring, 1e6, Patience(job_s=60), lambda: None, ring_jobs=9)
    jobs = [Job(number, PROGRAM, 0, 0, np.zeros((6, 16), "<u4"), 0) for number in range(4)]
    for job in jobs[:3]:
        engine.put(job)
    assert ring.registers.read(regs.TAIL) == 12
    ring.registers.write(regs.HEAD, 12)
    engine.advance()
    assert ring.registers.read(regs.TAIL) == 12
    put_records(ring, 0, 12)
    engine.advance()
    assert ring.registers.read(regs.TAIL) == 18
    assert [job.is_done for job in jobs[:3]] == [True, True, False]
    put_records(ring, 12, 18)
    ring.registers.write(regs.HEAD, 7)
    engine.put(jobs[3])
    assert jobs[2].is_done
    assert ring.registers.read(regs.TAIL) == 18
    ring.registers.write(regs.HEAD, 8)
    engine.advance()
    assert ring.registers.read(regs.TAIL) == 24


def test_error_codes_have_names() -> None:
    assert code_name(7) == "OUT_OF_ARENA"
    assert code_name(200) == "unknown error 200"
