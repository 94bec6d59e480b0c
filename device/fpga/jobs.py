# SPDX-License-Identifier: Apache-2.0
"""Runs of programs that wait for the ring, the most urgent first."""

from __future__ import annotations

import heapq
import time
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from device.errors import BackendError
from device.lowbit.program import Program

QUEUE_JOBS = 256
"""Above any frame we can imagine; a caller that only submits is told."""


@dataclass(eq=False)
class Job:
    """One run of a program: `cycles` holds what each of its descriptors took, fetch to record, once it is done."""

    number: int
    program: Program
    slot: int
    priority: int
    words: NDArray[np.uint32]
    model_cycles: int
    cycles: list[int] = field(default_factory=list)
    is_done: bool = False
    error: BackendError | None = None
    attempts: int = 0
    first_index: int = 0  # in the ring, of the first descriptor
    submitted_s: float = field(default_factory=time.monotonic)

    @property
    def next_index(self) -> int:
        """Ring index of the descriptor whose record comes next."""
        return self.first_index + len(self.cycles)

    @property
    def place(self) -> str:
        """Where in the program the unit is, for messages."""
        index = min(len(self.cycles), len(self.words) - 1)
        return f"program {self.program.name}, slot {self.slot}, layer {index}"

    def finish(self, error: BackendError | None = None) -> None:
        self.is_done, self.error = True, error


class JobQueue:
    """Bounded; the highest priority first, among equals the one submitted first, also after a second `put`."""

    def __init__(self, limit: int = QUEUE_JOBS) -> None:
        self.limit = limit
        self._heap: list[tuple[int, int, Job]] = []

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def is_full(self) -> bool:
        return len(self._heap) >= self.limit

    def put(self, job: Job) -> None:
        """Add a job; one that comes back from the ring is taken even where the queue is full."""
        heapq.heappush(self._heap, (-job.priority, job.number, job))

    def first(self) -> Job | None:
        """Return the job that is next, which stays."""
        return self._heap[0][2] if self._heap else None

    def take(self) -> Job:
        return heapq.heappop(self._heap)[2]
