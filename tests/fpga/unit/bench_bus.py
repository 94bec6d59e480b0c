# SPDX-License-Identifier: Apache-2.0
"""accel_bus between four requesters and a memory: who is served, what reaches the memory, who gets the beats."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.fpga.unit.avalon import AvalonMemory, stored
from tests.fpga.unit.clocked import bench, drive, read, reset, tick

BASE, SIZE = 0x3C00_0000, 0x8000
OPEN = 8
RECORD, FETCH, LOAD = "record", "fetch", "load"


@dataclass
class Request:
    """One access of a requester: beats of a store, or a read of `n_beats`."""

    offset: int
    n_beats: int
    data: deque[int] = field(default_factory=deque)

    @property
    def is_outside(self) -> bool:
        return self.offset + 8 * self.n_beats > SIZE

    @property
    def is_first(self) -> bool:
        return len(self.data) == self.n_beats


class Requesters:
    """Store, record, fetch and load, each with one access at a time."""

    def __init__(self, dut: Any, rng: Random) -> None:
        self.dut, self.rng = dut, rng
        self.current: dict[str, Request | None] = dict.fromkeys(("store", RECORD, FETCH, LOAD))
        self.shares = dict.fromkeys(self.current, 0.3)
        self.valid: dict[str, bool] = {}

    def change_pace(self) -> None:
        self.shares = {name: self.rng.choice([0.0, 0.05, 0.3, 1.0]) for name in self.current}

    def request(self, name: str) -> Request:
        rng = self.rng
        most = {"store": 8, RECORD: 1, FETCH: 8, LOAD: 32}[name]
        n_beats = rng.randint(1, most)
        inside, end = 8 * rng.randrange(SIZE // 8 - most), SIZE - 8 * n_beats
        far = rng.choice([SIZE, 8 * rng.randrange(1 << 29), (1 << 32) - 8, (1 << 32) - 8 * n_beats])
        offset = rng.choice([inside] * 12 + [end, end, end + 8, far])
        return Request(offset, n_beats, deque(rng.getrandbits(64) for _ in range(n_beats)))

    def drive(self) -> None:
        """Go on with accesses, begin some; a store may pause within its burst."""
        for name, current in self.current.items():
            if current is None and self.rng.random() < self.shares[name]:
                self.current[name] = self.request(name)
        store = self.current["store"]
        self.valid = {name: current is not None for name, current in self.current.items()}
        if store and not store.is_first and self.rng.random() < 0.2:
            self.valid["store"] = False
        for name, current in self.current.items():
            shown = current or self.request(name)
            drive(self.dut, **{f"{name}_valid_i": self.valid[name], f"{name}_offset_i": shown.offset})
            if name != RECORD:
                drive(self.dut, **{f"{name}_beats_i": shown.n_beats})
            if name in ("store", RECORD):
                drive(self.dut, **{f"{name}_data_i": shown.data[0]})
        if store:
            drive(self.dut, store_first_i=store.is_first)


class Bus:
    """What the bus must do in every clock."""

    def __init__(self, dut: Any, rng: Random) -> None:
        self.dut, self.rng = dut, rng
        self.memory, self.asked = AvalonMemory(dut, rng), Requesters(dut, rng)
        self.port: tuple[str, int, int, int] | None = None  # what stands at the port in this clock
        self.open: deque[tuple[str, deque[int]]] = deque()  # who, the beats that come
        self.left, self.outside, self.most_open = 0, False, 0

    async def tick(self) -> None:
        self.memory.drive()
        self.asked.drive()
        await tick(self.dut)
        self.check_port()
        self.check_beats(self.grant())
        self.memory.look()

    def check_port(self) -> None:
        dut = self.dut
        shown = "read" if read(dut.mem_read_o) else "write" if read(dut.mem_write_o) else None
        assert shown == (self.port and self.port[0])
        if self.port:
            _, address, beats, data = self.port
            assert (read(dut.mem_address_o), read(dut.mem_burstcount_o)) == (address, beats)
            assert shown == "read" or read(dut.mem_writedata_o) == data
        assert read(dut.outside_o) == self.outside
        assert read(dut.idle_o) == (not self.port and not self.left and not self.open)

    def grant(self) -> tuple[str, Request] | None:
        """Compare who is served in this clock; return a read that begins, for its beats."""
        valid, free = self.asked.valid, not self.port or not self.memory.waits
        others = () if self.left else (RECORD, FETCH, LOAD)
        chosen = next((name for name in ("store", *others) if valid[name]), "")
        full = len(self.open) == OPEN
        served = chosen if free and not (full and chosen in (FETCH, LOAD)) else ""
        assert not valid["store"] or read(self.dut.store_ready_o) == (served == "store")
        for name in (RECORD, FETCH, LOAD):
            assert read(getattr(self.dut, f"{name}_ready_o")) == (served == name), (
                f"{name}, served is {served or 'none'}"
            )
        request = self.asked.current[served] if served else None
        self.outside = bool(request and request.is_outside)
        if free:
            self.port = None
        if request is None:
            return None
        data = request.data.popleft() if served in ("store", RECORD) else 0
        if not request.data or served in (FETCH, LOAD):
            self.asked.current[served] = None
        if self.outside:
            return None
        is_read = served in (FETCH, LOAD)
        self.port = ("read" if is_read else "write", BASE + request.offset, request.n_beats, data)
        self.left = len(request.data) if served == "store" else self.left
        return (served, request) if is_read else None

    def check_beats(self, begun: tuple[str, Request] | None) -> None:
        """Compare who gets the beat of this clock; then add a read that has begun."""
        memory, dut = self.memory, self.dut
        who = self.open[0][0] if memory.beat is not None else ""
        assert (read(dut.fetch_beat_o), read(dut.load_beat_o)) == (who == FETCH, who == LOAD)
        assert read(dut.fault_o) == (bool(who) and memory.response != 0)
        if who:
            assert read(dut.beat_o) == self.open[0][1].popleft()
            if not self.open[0][1]:
                self.open.popleft()
        if begun:
            first = BASE + begun[1].offset
            self.open.append((begun[0], deque(stored(first + 8 * i) for i in range(begun[1].n_beats))))
        self.most_open = max(self.most_open, len(self.open))


@bench
async def random_traffic(dut: Any, rng: Random) -> None:
    """All requesters at changing pace, the memory too; every port in every clock."""
    drive(dut, arena_base_i=BASE, arena_size_i=SIZE)
    bus = Bus(dut, rng)
    for clock in range(6000):
        if clock % 100 == 0:
            bus.asked.change_pace()
            bus.memory.wait_share = rng.choice([0.0, 0.0, 0.3, 0.9])
            bus.memory.reads.pace = rng.choice([0.1, 0.5, 1.0])
        await bus.tick()
    assert bus.most_open == OPEN, "the queue of open reads was never full"
    assert {kind for kind, *_ in bus.memory.taken} == {"read", "write"}
    assert all(at >= BASE and at + 8 * beats <= BASE + SIZE for _, at, beats, _ in bus.memory.taken)


@bench
async def reset_in_flight(dut: Any, rng: Random) -> None:
    """A reset of bus and memory at any clock leaves nothing behind."""
    drive(dut, arena_base_i=BASE, arena_size_i=SIZE)
    for _ in range(30):
        bus = Bus(dut, rng)
        bus.asked.change_pace()
        for _ in range(rng.randint(1, 60)):
            await bus.tick()
        drive(dut, mem_readdatavalid_i=0, **{f"{name}_valid_i": 0 for name in bus.asked.current})
        await reset(dut)
        assert read(dut.idle_o) == 1
