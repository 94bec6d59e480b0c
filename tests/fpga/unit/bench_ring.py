# SPDX-License-Identifier: Apache-2.0
"""accel_ring between a memory, a checker and a layer of random speed: records, fences, HEAD, errors, resets."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Any

from device.lowbit.descriptor import Descriptor, ErrorCode
from tests.fpga.unit.avalon import OpenReads
from tests.fpga.unit.clocked import bench, drive, joined, read, tick
from tests.fpga.unit.structs import pack, unpack

RING, RECORDS = 0x4000, 0x9000
MOST_CLOCKS = 3000


@dataclass
class Plan:
    """What the bench lets happen to the descriptors that come."""

    check_error: int = 0
    fault_at: str = ""  # descriptor, run or fence
    outside_at: str = ""
    layer_clocks: int = 40


class Side:
    """All that stands around the ring; looks at its ports in every clock."""

    def __init__(self, dut: Any, rng: Random) -> None:
        self.dut, self.rng, self.plan = dut, rng, Plan()
        self.memory: dict[int, int] = {}  # offset -> 64-bit word
        self.reads, self.late = OpenReads(rng), deque[tuple[int, int, int]]()  # clock, offset, data
        self.reads.pace = rng.choice([0.3, 1.0])
        self.ready_share = rng.choice([0.3, 1.0])
        self.tail = self.generation = self.log2 = self.clock = self.clears = 0
        self.layer_open = 0  # clocks until the accesses of the layer are over
        self.began = -1  # clock of the descriptor's first fetch
        self.checked_in = self.done_in = -1
        self.starts, self.asks, self.records = 0, 0, [0, 0]
        self.fetching, self.was_idle, self.is_stopped = "", True, False
        self.counts = [0, 0, 0]
        self.state: dict[str, int] = {}

    @property
    def is_idle(self) -> bool:
        return not self.reads and not self.late and self.layer_open == 0

    # ---- what software does ----

    async def reset(self, log2: int) -> None:
        """Ask for a new generation with TAIL 0 and wait for it."""
        self.log2, self.tail, self.generation, self.starts = log2, 0, self.generation + 1, 0
        self.plan = Plan()
        await self.until(lambda: self.state["current_generation"] == self.generation)
        assert self.state["head"] == self.state["irq_count"] == self.state["status"] & 0xFFFF == 0
        assert not any(self.state[name] for name in ("error_seq", "error_offset"))

    def put(self, index: int, d: Descriptor) -> None:
        """Write a descriptor into its place of the ring."""
        for i, word in enumerate(d.encode().view("<u8")):
            self.memory[RING + index % (1 << self.log2) * 64 + 8 * i] = int(word)

    def record(self, index: int) -> tuple[int, ...]:
        """Return seq, error, op, generation, cycles and job of a record in the memory."""
        at = RECORDS + index % (1 << self.log2) * 16
        low, high = self.memory.get(at, 0), self.memory.get(at + 8, 0)
        state = low >> 32
        assert state >> 16 & 0xFF == 0
        return low & 0xFFFFFFFF, state & 0xFF, state >> 8 & 0xFF, state >> 24, high & 0xFFFFFFFF, high >> 32

    async def until(self, reached: Any, most_clocks: int = MOST_CLOCKS) -> None:
        for _ in range(most_clocks):
            await self.tick()
            if reached():
                return
        raise AssertionError(f"not reached in {most_clocks} clocks: {self.state}")

    # ---- a clock ----

    async def tick(self) -> None:
        """Drive all inputs, let the clock end, look at all outputs."""
        rng, plan, dut, beat = self.rng, self.plan, self.dut, self.reads.beat()
        while self.late and self.late[0][0] <= self.clock:
            _, at, data = self.late.popleft()
            self.memory[at] = data
        record_ready, fetch_ready = (rng.random() < self.ready_share for _ in range(2))
        fault = beat is not None and plan.fault_at == self.fetching
        fault |= plan.fault_at == "run" and self.done_in > 0
        outside = plan.outside_at == "run" and self.done_in == 1
        self.checked_in -= 1
        self.done_in -= self.done_in > 0  # done holds until the next start
        is_running = self.done_in > 0 and not self.is_stopped
        self.layer_open = rng.randint(0, 15) if is_running else max(self.layer_open - 1, 0)
        busy = [rng.random() < 0.3 for _ in range(3)]
        config = pack(
            "config_t", ring_offset=RING, record_offset=RECORDS, ring_log2=self.log2, arena_size=self.generation
        )
        drive(dut, config_i=config, tail_i=self.tail, generation_i=self.generation)
        drive(
            dut, record_ready_i=record_ready, fetch_ready_i=fetch_ready, fetch_beat_i=beat is not None, beat_i=beat or 0
        )
        drive(dut, bus_idle_i=self.is_idle and beat is None, bus_outside_i=outside, bus_fault_i=fault)
        drive(dut, checked_i=self.checked_in == 0, check_error_i=plan.check_error, layer_done_i=self.done_in == 0)
        drive(dut, busy_i=busy[0], wait_load_i=busy[1], wait_store_i=busy[2])
        idle_before = self.is_idle and beat is None
        await tick(dut)
        if fault and self.fetching == "fence":
            self.records = [0, 0]  # written anew, with the error
        self.look(record_ready, fetch_ready, idle_before)
        self.counts = [count + more for count, more in zip(self.counts, busy, strict=True)]
        self.clock += 1

    def look(self, record_ready: bool, fetch_ready: bool, was_idle: bool) -> None:
        dut, before = self.dut, self.state
        self.state = unpack("state_t", read(dut.state_o))
        fetches, records = read(dut.fetch_valid_o), read(dut.record_valid_o)
        assert not (fetches and records)
        assert not read(dut.stop_o) or not (fetches or records), "an access while nothing may begin"
        assert not read(dut.clear_o) or (read(dut.stop_o) and was_idle), "a layer is forgotten with accesses open"
        self.is_stopped = bool(read(dut.stop_o))
        if read(dut.clear_o):
            self.clears, self.done_in = self.clears + 1, -1
        if fetches and self.began < 0:
            self.began = self.clock
        if fetches and fetch_ready:
            self.fetch()
        if records and record_ready:
            self.write()
        if read(dut.check_o):
            self.checked_in = self.rng.randint(1, 30)
            head = self.state["head"]
            slot = [self.memory[self.entry(head) + 8 * i] for i in range(8)]
            assert read(dut.descriptor_o) == joined(slot, 64)
        if read(dut.start_o):
            self.starts, self.done_in = self.starts + 1, self.plan.layer_clocks
        if before and self.state["head"] == before["head"] + 1:
            assert self.record(before["head"])[0] == self.state["head"], "HEAD moved before the record was in memory"
            self.records, self.began = [0, 0], -1
        if before and self.state["current_generation"] != before["current_generation"]:
            assert self.state["current_generation"] == self.generation
            assert self.was_idle, "a reset did not wait for open accesses"
            self.counts, self.records, self.began = [0, 0, 0], [0, 0], -1
        self.was_idle = was_idle
        self.check_config()

    def check_config(self) -> None:
        """The configuration is that of the last reset, counters count from there."""
        if self.state["current_generation"]:
            size = unpack("config_t", read(self.dut.config_o))["arena_size"]
            assert size == self.state["current_generation"]
            assert [self.state[name] for name in ("busy", "read_stall", "write_stall")] == self.counts

    def entry(self, index: int) -> int:
        return RING + index % (1 << self.log2) * 64

    def fetch(self) -> None:
        """Take the read of a descriptor, or of the record that was just written."""
        offset, beats = read(self.dut.fetch_offset_o), read(self.dut.fetch_beats_o)
        head = self.state["head"]
        self.asks += 1
        if beats == 8:
            assert offset == self.entry(head)
            assert self.records == [0, 0]
            self.fetching = "descriptor"
        else:
            assert (offset, beats) == (RECORDS + head % (1 << self.log2) * 16, 1)
            assert self.records == [1, 1], "a fence without a record"
            self.fetching = "fence"
        self.reads.ask([self.memory.get(offset + 8 * i, 0) for i in range(beats)])

    def write(self) -> None:
        """Take half a record, the one with seq last; it is in the memory some clocks later."""
        offset, data = read(self.dut.record_offset_o), read(self.dut.record_data_o)
        at = RECORDS + self.state["head"] % (1 << self.log2) * 16
        half = int(offset == at)
        assert offset in (at, at + 8)
        assert self.records == [0, 0] if half == 0 else self.records == [1, 0], "halves of the record out of order"
        self.records[half] = 1
        assert half == 1 or self.began < 0 or data & 0xFFFFFFFF == self.clock - self.began, "wrong number of cycles"
        due = max([self.clock + self.rng.randint(1, 12), *(clock for clock, *_ in self.late)])
        self.late.append((due, offset, data))


def some(rng: Random, **fields: int) -> Descriptor:
    op = rng.randint(0, 1)
    return Descriptor(**({"op": op, "irq": rng.randint(0, 1), "job": rng.getrandbits(32)} | fields))


async def halted(side: Side, error: ErrorCode, op: int = 1, has_record: bool = True, aborts: bool = False) -> None:
    """Wait for an error; look at its registers and record, and that nothing goes on."""
    head, irq, clears = side.state["head"], side.state["irq_count"], side.clears
    await side.until(lambda: side.state["status"] & 3 == 2)
    state = side.state
    assert (state["status"] >> 8 & 0xFF, state["error_seq"], state["irq_count"]) == (error, head + 1, irq + 1)
    assert (state["head"], state["error_offset"]) == (head, side.entry(head))
    await side.until(lambda: side.is_idle)
    if has_record:
        seq, code, shown_op, generation, _, _ = side.record(head)
        assert (seq, code, generation) == (head + 1, error, side.generation & 0xFF)
        assert error == ErrorCode.RING_OVERRUN or shown_op == op
    assert (side.clears > clears) == aborts
    asks = side.asks
    side.tail += 1
    for _ in range(150):
        await side.tick()
    assert (side.asks, side.state["head"]) == (asks, head)
    await side.reset(2)


@bench
async def descriptors_in_order(dut: Any, rng: Random) -> None:
    """NOPs and layers through rings of 2, 4 and 8 entries, some written after the doorbell; every record is right."""
    side = Side(dut, rng)
    for log2 in (1, 2, 3):
        side.reads.pace, side.ready_share = rng.choice([0.3, 1.0]), rng.choice([0.3, 1.0])
        await side.reset(log2)
        irqs, starts = 0, 0
        for _ in range(8):
            first, count = side.tail, rng.randint(1, 1 << log2)
            batch = [some(rng, seq=first + i + 1) for i in range(count)]
            side.tail += count
            for i, d in enumerate(batch):
                for _ in range(rng.choice([0, 0, 0, 40, 150])):
                    await side.tick()
                side.put(first + i, d)
                side.plan.layer_clocks = rng.randint(2, 60)
            await side.until(lambda: side.state["head"] == side.tail, 20 * MOST_CLOCKS)
            irqs, starts = irqs + sum(d.irq for d in batch), starts + sum(d.op for d in batch)
            for i, d in enumerate(batch):
                seq, error, op, generation, _, job = side.record(first + i)
                assert (seq, error, op, job) == (first + i + 1, 0, d.op, d.job)
                assert generation == side.generation & 0xFF
            assert (side.state["irq_count"], side.starts) == (irqs, starts)


@bench
async def errors_halt(dut: Any, rng: Random) -> None:
    """Every way to fail but the tag: the code, the record, no HEAD; a new generation goes on."""
    side = Side(dut, rng)
    await side.reset(2)
    cases: list[tuple[ErrorCode, Plan, dict[str, int]]] = [
        (ErrorCode.BAD_FIELD, Plan(check_error=ErrorCode.BAD_FIELD), {}),
        (ErrorCode.OUT_OF_ARENA, Plan(check_error=ErrorCode.OUT_OF_ARENA), {}),
        (ErrorCode.BUS_ERROR, Plan(fault_at="descriptor"), {}),
        (ErrorCode.BUS_ERROR, Plan(fault_at="run"), {}),
        (ErrorCode.BUS_ERROR, Plan(fault_at="fence"), {}),
        (ErrorCode.TIMEOUT, Plan(layer_clocks=500), {"limit": 200}),
        (ErrorCode.OUT_OF_ARENA, Plan(outside_at="run"), {}),
    ]
    for n_before, (error, plan, fields) in enumerate(cases):
        for i in range(n_before % 4):
            side.put(i, some(rng, seq=i + 1))
        side.tail = n_before % 4
        await side.until(lambda: side.state["head"] == side.tail)
        side.put(side.tail, some(rng, seq=side.tail + 1, op=1, **fields))
        side.plan, side.tail = plan, side.tail + 1
        aborts = plan.fault_at == "run" or bool(fields)
        await halted(side, error, has_record=not plan.outside_at, aborts=aborts)
    side.tail = (1 << side.log2) + 1
    await halted(side, ErrorCode.RING_OVERRUN)
    side.put(0, some(rng, op=0, seq=1))
    side.tail = 1
    await side.until(lambda: side.state["head"] == 1)


@bench
async def a_sequence_number_that_never_comes(dut: Any, rng: Random) -> None:
    """256 more fetches, 64 clocks of pause before each, then BAD_SEQ."""
    side = Side(dut, rng)
    await side.reset(2)
    side.tail = 1
    drive(dut, tail_i=1, busy_i=0, wait_load_i=0, wait_store_i=0, record_ready_i=0, bus_fault_i=0)
    drive(dut, fetch_ready_i=1, fetch_beat_i=1, beat_i=Descriptor().tag << 24)  # in each of the 8 beats
    fetches = []
    for clock in range(30_000):
        await tick(dut)
        if read(dut.record_valid_o):
            break
        fetches += [clock] if read(dut.fetch_valid_o) else []
    assert len(fetches) == 1 + 256
    assert {after - before for before, after in pairwise(fetches)} == {1 + 8 + 1 + 64}
    await halted(side, ErrorCode.BAD_SEQ, op=0)


@bench
async def reset_at_any_clock(dut: Any, rng: Random) -> None:
    """A generation asked for at any clock waits for open accesses, and the ring runs from its start."""
    side = Side(dut, rng)
    await side.reset(2)
    for _ in range(40):
        for i in range(4):
            side.put(i, some(rng, seq=i + 1))
        side.tail = rng.randint(1, 4)
        side.plan.layer_clocks = rng.choice([5, 200])
        for _ in range(rng.randint(1, 120)):
            await side.tick()
        await side.reset(rng.randint(1, 3))
