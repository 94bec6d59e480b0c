# SPDX-License-Identifier: Apache-2.0
"""Keeps the ring full, collects what is done, and gets the unit going again after an error or silence.

The owner holds one lock around every call. Errors go to the jobs; only `mend` and `restart` raise.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from device.errors import BackendError, DeviceTimeout
from device.fpga.jobs import Job, JobQueue
from device.fpga.ring import CommandRing, Record, distance, seq_of
from device.lowbit.descriptor import ErrorCode
from device.lowbit.program import Ring

log = logging.getLogger(__name__)

RING_JOBS = 4
"""Jobs in the ring at a time: enough that the unit never waits, few enough that an urgent job is soon at work."""
MODEL_FACTOR = 4
"""A job may take this many times what the cycle model says."""
TRANSIENT = (ErrorCode.BAD_TAG, ErrorCode.BAD_SEQ, ErrorCode.TIMEOUT, ErrorCode.RING_OVERRUN, ErrorCode.BUS_ERROR)
"""Errors of the transport, not of the descriptor: tried once more."""


@dataclass(frozen=True)
class Patience:
    """How long to wait: a reset, a job beyond its cycles at `cycles_per_s` (None: the unit's clock), a look."""

    reset_s: float = 0.010
    job_s: float = 0.100
    cycles_per_s: float | None = None
    poll_s: float = 50e-6


HARDWARE = Patience()


class Engine:
    """The jobs that wait and those in the ring, oldest first."""

    def __init__(
        self,
        ring: CommandRing,
        cycles_per_s: float,
        patience: Patience,
        check_alive: Callable[[], None],
        ring_jobs: int,
    ) -> None:
        """`cycles_per_s` is how fast the unit gets on with the work of the cycle model."""
        self._ring, self._patience, self._check_alive, self._ring_jobs = ring, patience, check_alive, ring_jobs
        self._cycles_per_s = patience.cycles_per_s or cycles_per_s
        self._queue, self._in_ring = JobQueue(), deque[Job]()
        self._is_broken, self._progress_s = False, time.monotonic()

    @property
    def n_unfinished(self) -> int:
        return len(self._queue) + len(self._in_ring)

    @property
    def is_full(self) -> bool:
        return self._queue.is_full

    def put(self, job: Job) -> None:
        self._queue.put(job)
        self.advance()

    def advance(self) -> None:
        """Collect what is done, act on an error or on silence, fill the ring."""
        if self._collect() or not self._in_ring:
            self._progress_s = time.monotonic()
        else:
            self._look_for_trouble(self._in_ring[0])
        self._feed()

    def _collect(self) -> bool:
        """Return whether records were found."""
        has_found = False
        while self._in_ring:
            job = self._in_ring[0]
            record = self._ring.record(job.next_index)
            if record is None:
                break
            has_found = True
            if record.code != ErrorCode.OK:
                self._fail(job, record)
                break
            job.cycles.append(record.cycles)
            if len(job.cycles) == len(job.words):
                self._in_ring.popleft()
                job.finish()
        return has_found

    def _feed(self) -> None:
        """Offer waiting jobs, whole ones: neither TAIL - HEAD nor the records not read yet pass the ring's length."""
        while len(self._in_ring) < self._ring_jobs and (job := self._queue.first()) is not None:
            oldest = self._in_ring[0].next_index if self._in_ring else self._ring.offered
            unread = distance(self._ring.offered, oldest)
            if min(self._ring.room(), self._ring.capacity - unread) < len(job.words):
                return
            self._queue.take()
            job.cycles.clear()
            job.first_index = self._ring.offer(job.words, job.number)
            self._in_ring.append(job)

    def _look_for_trouble(self, job: Job) -> None:
        """Act on a unit that halted without a record, is gone, or stands still."""
        seq = seq_of(job.next_index)
        code = self._ring.halted(seq)
        if code:
            self._fail(job, Record(seq, code, 0, job.number))
            return
        try:
            self._check_alive()
        except BackendError as error:
            self._break(error)
            return
        limit_s = self._patience.job_s + MODEL_FACTOR * job.model_cycles / self._cycles_per_s
        if time.monotonic() - self._progress_s > limit_s:
            message = f"record {seq} of {job.place}: {limit_s * 1e3:.0f} ms passed, {self._ring.state()}"
            self._try_again(job, DeviceTimeout(message))

    def _fail(self, job: Job, record: Record) -> None:
        """Act on an error that the unit reported at the front job."""
        end = time.monotonic() + self._patience.reset_s
        while not self._ring.halted(record.seq) and time.monotonic() < end:
            time.sleep(self._patience.poll_s)  # the record may be here before the registers
        message = (
            f"{job.place}: the accelerator stopped with {record.error} at seq {record.seq}, "
            f"arena offset {self._ring.error_offset():#x}, {self._ring.state()}"
        )
        error = (DeviceTimeout if record.code == ErrorCode.TIMEOUT else BackendError)(message)
        if record.code in TRANSIENT:
            self._try_again(job, error)
        else:
            self._give_up(job, error)

    def _try_again(self, job: Job, error: BackendError) -> None:
        """Reset and run `job` once more; the second time it fails."""
        job.attempts += 1
        if job.attempts > 1:
            self._give_up(job, error)
        else:
            log.warning("%s; reset and tried again", error)
            self._begin_again()

    def _give_up(self, job: Job, error: BackendError) -> None:
        self._in_ring.remove(job)
        job.finish(error)
        self._begin_again()

    def _begin_again(self) -> None:
        try:
            self.restart()
        except DeviceTimeout as error:  # the jobs have it, and the next submit tries again and raises it
            log.warning("%s", error)

    def restart(self, place: Ring | None = None) -> None:
        """Begin a new generation, with the ring at `place`; what was in the ring waits again, in its order.

        Raises DeviceTimeout when the unit does not answer; all jobs have failed then.
        """
        for job in self._in_ring:
            self._queue.put(job)
        self._in_ring.clear()
        try:
            self._ring.reset(place or self._ring.place, self._patience.reset_s)
        except DeviceTimeout as error:
            self._break(error)
            raise
        self._is_broken, self._progress_s = False, time.monotonic()

    def mend(self) -> None:
        """Try a reset where the last one failed; raises BackendError when the unit is still not there."""
        if self._is_broken:
            self._check_alive()
            self.restart()

    def _break(self, error: BackendError) -> None:
        self._is_broken = True
        self.abandon(error)

    def abandon(self, error: BackendError) -> None:
        """Fail every job that is not done."""
        jobs = list(self._in_ring)
        self._in_ring.clear()
        while len(self._queue):
            jobs.append(self._queue.take())
        for job in jobs:
            job.finish(error)

    def stop(self) -> None:
        """Make the unit leave memory alone, as far as it listens, and fail what is not done."""
        if self._in_ring:
            self._begin_again()
        self.abandon(BackendError("the accelerator was closed before this job was done"))
