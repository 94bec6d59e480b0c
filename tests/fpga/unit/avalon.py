# SPDX-License-Identifier: Apache-2.0
"""A memory behind an Avalon-MM pipelined burst port, and the beats of open reads; both take random times."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.fpga.unit.clocked import drive, read

BEAT_BYTES = 8
MOST_BEATS = 32
COMMAND = ("mem_read_o", "mem_write_o", "mem_address_o", "mem_burstcount_o", "mem_writedata_o", "mem_byteenable_o")


class OpenReads:
    """Bursts that were asked for: their beats come in order, after a random latency and with random gaps."""

    def __init__(self, rng: Random, most_latency: int = 20) -> None:
        self.rng, self.most_latency = rng, most_latency
        self.pace = 0.5
        self._bursts: deque[tuple[int, deque[int]]] = deque()  # first clock, beats
        self._clock = 0

    def __len__(self) -> int:
        return len(self._bursts)

    def ask(self, beats: Sequence[int]) -> None:
        self._bursts.append((self._clock + self.rng.randint(0, self.most_latency), deque(beats)))

    def beat(self) -> int | None:
        """Return the beat of this clock, or None; the burst ends with its last one."""
        self._clock += 1
        if not self._bursts or self._bursts[0][0] > self._clock or self.rng.random() > self.pace:
            return None
        beats = self._bursts[0][1]
        value = beats.popleft()
        if not beats:
            self._bursts.popleft()
        return value


class AvalonMemory:
    """The slave of accel_bus; asserts the rules of the port and keeps what was taken, in order."""

    def __init__(self, dut: Any, rng: Random) -> None:
        self.dut, self.rng = dut, rng
        self.reads = OpenReads(rng)
        self.wait_share = 0.3
        self.taken: list[tuple[str, int, int, int]] = []  # kind, address, beats, data
        self.held: list[int] | None = None  # the command that was told to wait
        self.left = 0  # beats of the write burst that are still to come
        self.burst = (0, 0)
        self.waits, self.response = False, 0
        self.beat: int | None = None

    def drive(self) -> None:
        """Choose what the memory does in the next clock."""
        self.waits = self.rng.random() < self.wait_share
        self.beat = self.reads.beat()
        self.response = self.rng.choice([0] * 9 + [2]) if self.beat is not None else 3
        data = self.rng.getrandbits(64) if self.beat is None else self.beat
        drive(self.dut, mem_waitrequest_i=self.waits, mem_readdatavalid_i=self.beat is not None)
        drive(self.dut, mem_readdata_i=data, mem_response_i=self.response)

    def look(self) -> None:
        """Check the command of this clock and take it unless it has to wait."""
        is_read, is_write = read(self.dut.mem_read_o), read(self.dut.mem_write_o)
        if not (is_read or is_write):
            assert self.held is None, "a command went away while it was told to wait"
            return
        command = [read(getattr(self.dut, name)) for name in COMMAND]
        assert self.held in (None, command), "a command changed while it was told to wait"
        self.held = command if self.waits else None
        if not self.waits:
            self._take(*command)

    def _take(self, is_read: int, is_write: int, address: int, beats: int, data: int, enabled: int) -> None:
        assert not (is_read and is_write), "read and write at once"
        assert enabled == 0xFF
        assert address % BEAT_BYTES == 0
        assert 1 <= beats <= MOST_BEATS, f"a burst of {beats} beats"
        if is_read:
            assert self.left == 0, "a read within a write burst"
            self.taken.append(("read", address, beats, 0))
            self.reads.ask([stored(address + BEAT_BYTES * i) for i in range(beats)])
            return
        if self.left == 0:
            self.left, self.burst = beats, (address, beats)
        assert self.burst == (address, beats), "address or length changed within a write burst"
        self.left -= 1
        self.taken.append(("write", address, beats, data))


def stored(address: int) -> int:
    """Return what the memory holds at an address: never twice the same."""
    return address * 0x9E3779B97F4A7C15 & (1 << 64) - 1
