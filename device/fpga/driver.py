# SPDX-License-Identifier: Apache-2.0
"""The driver: programs and buffers in the accelerator's memory, jobs, and their ends (specification, sections 8 to 10).

Any thread may call; one lock orders them. Nothing runs in the background: whoever submits or waits keeps the ring full.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import DTypeLike

from device.errors import BackendError, BackendUnavailable, DeviceTimeout
from device.fpga import regs
from device.fpga.buffers import Allocator, Buffer, Home
from device.fpga.engine import HARDWARE, RING_JOBS, Engine, Patience
from device.fpga.identity import identify
from device.fpga.jobs import Job
from device.fpga.mmio import PAGE_BYTES, Octets, Window
from device.fpga.ring import CommandRing
from device.lowbit import machine
from device.lowbit.bundle_file import load_bundle
from device.lowbit.cycles import PIXELS, model_cycles
from device.lowbit.descriptor import Descriptor
from device.lowbit.program import RECORD_BYTES, Bundle, Program, Ring, check_bundle

MODEL_SLEEP = 0.8
"""Share of the model's time that a waiting thread sleeps before it polls."""


class Accelerator:
    """One accelerator, its memory and the programs in it. Needs the device lock, which `open_accelerator` takes."""

    def __init__(
        self,
        registers: Window,
        arena: Window,
        arena_base: int,
        *,
        patience: Patience = HARDWARE,
        barrier: Callable[[], None] | None = None,
        check_alive: Callable[[], None] = lambda: None,
        ring_jobs: int = RING_JOBS,
    ) -> None:
        """Checks the unit and resets it; raises BitstreamMismatch, BackendUnavailable or DeviceTimeout.

        `arena_base` is the physical address of `arena`. `check_alive` raises BackendError when the device is gone.
        """
        if arena_base % PAGE_BYTES or arena_base + arena.size > 1 << 32:
            raise BackendUnavailable(
                f"{arena.path}: expected memory of whole pages below 4 GiB, got {arena.size} bytes at {arena_base:#x}"
            )
        self.identity = identify(registers)
        self._registers, self._arena, self._patience = registers, arena, patience
        self.check_alive = check_alive
        self._barrier = barrier or machine.SHARED.open().barrier
        self._home = Home(arena.view(0, arena.size).ctypes.data, arena.size, arena_base, self._barrier)
        self._ring = CommandRing(registers, arena, arena_base, self._barrier)
        work_per_s = self.clock_hz * self.identity.px / PIXELS
        self._engine = Engine(self._ring, work_per_s, patience, check_alive, ring_jobs)
        self._lock = threading.RLock()
        self._bundle: Bundle | None = None
        self._model_cycles: dict[str, int] = {}
        self._resources, self._is_closed, self._n_jobs = ExitStack(), False, 0
        place = Ring()
        self._allocator = Allocator(place.records + (RECORD_BYTES << place.log2), arena.size)
        self._engine.restart(place)

    @property
    def clock_hz(self) -> int:
        """The clock that the bitstream was built for."""
        return self.identity.clock_hz

    @property
    def arena_bytes(self) -> int:
        return self._arena.size

    def at_close(self, release: Callable[[], None]) -> None:
        """Call `release` after the windows are closed (the lock, the simulator); the last one given comes first."""
        self._resources.callback(release)

    def allocate(self, shape: tuple[int, ...], dtype: DTypeLike) -> Buffer:
        """Return a zeroed array in the free part of the arena; raises BackendError when it is full."""
        with self._lock:
            self._check_open()
            n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
            offset = self._allocator.take(n_bytes)
            octets = self._arena.view(offset, n_bytes)
            return Buffer.place(octets, shape, dtype, self._home, lambda: self._free(offset))

    def _free(self, offset: int) -> None:
        with self._lock:
            self._allocator.give_back(offset)

    def write(self, offset: int, octets: Octets) -> None:
        """Copy whole words into the arena, as an input; `submit` makes them visible to the unit."""
        self._arena.copy_in(offset, octets)

    def read(self, offset: int, target: Octets) -> None:
        """Copy whole words out of the arena, as an output of a job that is done."""
        self._barrier()
        self._arena.copy_out(offset, target.size, target)

    def load(self, path: Path) -> dict[str, Program]:
        """Put the bundle NAME.json in place of the last one; raises BundleError or BackendError."""
        return self.install(load_bundle(path, self._arena.size))

    def install(self, bundle: Bundle) -> dict[str, Program]:
        """Check `bundle`, copy its image, read it back and return the programs; the unit must have nothing to do."""
        check_bundle(bundle, self._arena.size)
        cycles = {
            name: model_cycles(map(Descriptor.decode, bundle.words(program)))
            for name, program in bundle.programs.items()
        }
        with self._lock:
            self._check_idle()
            if any(start < bundle.arena_bytes for start, _ in self._allocator.taken):
                raise BackendError(
                    f"a buffer lies in the {bundle.arena_bytes} bytes that the bundle needs; close it before loading"
                )
            self._bundle = None
            self._copy_image(bundle)
            self._allocator.start = bundle.arena_bytes
            self._engine.restart(bundle.ring)
            self._bundle, self._model_cycles = bundle, cycles
            return dict(bundle.programs)

    def _check_idle(self) -> None:
        self._check_open()
        self._engine.advance()
        if self._engine.n_unfinished:
            raise BackendError(
                f"{self._engine.n_unfinished} jobs are not done; wait for them before another bundle is loaded"
            )

    def _copy_image(self, bundle: Bundle) -> None:
        image = np.pad(bundle.image, (0, -bundle.image.size % 4))
        self._arena.copy_in(0, image)
        self._barrier()
        wrong = np.flatnonzero(self._arena.copy_out(0, image.size) != image)
        if wrong.size:
            raise BackendError(
                f"{self._arena.path}: byte {wrong[0]} of the arena does not hold what was written; "
                "is the memory reserved for the accelerator?"
            )

    def submit(self, program: Program, slot: int = 0, priority: int = 0) -> Job:
        """Queue one run with its tensors in `slot`; higher priorities enter the ring first. Raises BackendError.

        The inputs must be in the arena, and stay as they are until the job is done: it may be run twice.
        """
        with self._lock:
            self._check_open()
            if self._bundle is None or self._bundle.programs.get(program.name) is not program:
                raise BackendError(f"program {program.name} is not loaded; use the programs that the last load gave")
            words = self._bundle.slot_words(program, slot)
            self._barrier()  # another thread may ring the bell: the inputs of this one must be out by then
            self._engine.mend()
            self._engine.advance()
            if self._engine.is_full:
                raise BackendError(
                    f"{self._engine.n_unfinished} jobs wait for the accelerator already; wait for one of them first"
                )
            self._n_jobs += 1
            job = Job(self._n_jobs, program, slot, priority, words, self._model_cycles[program.name])
            self._engine.put(job)
            return job

    def wait(self, job: Job, timeout_s: float | None = None) -> None:
        """Return when `job` is done; raises BackendError with what went wrong, DeviceTimeout when nothing came.

        A unit that stands still for 4 times the model's time and 100 ms is reset and the job tried once more.
        `timeout_s` bounds this call alone: the job goes on, and may be waited for again.
        """
        end = None if timeout_s is None else time.monotonic() + timeout_s
        early = MODEL_SLEEP * job.model_cycles / self.clock_hz - (time.monotonic() - job.submitted_s)
        time.sleep(max(0.0, early if timeout_s is None else min(early, timeout_s)))
        while not self._is_done(job):
            if end is not None and time.monotonic() > end:
                raise DeviceTimeout(
                    f"wait for {job.place}: {(timeout_s or 0) * 1e3:.0f} ms passed, {self._ring.state()}"
                )
            time.sleep(self._patience.poll_s)
        if job.error is not None:
            raise job.error

    def _is_done(self, job: Job) -> bool:
        with self._lock:
            if not job.is_done:
                self._check_open()
                self._engine.advance()
            return job.is_done

    def reset(self) -> None:
        """Stop the unit and start anew; jobs that are not done are run again from their first layer.

        Raises DeviceTimeout when the unit does not answer.
        """
        with self._lock:
            self._check_open()
            self._engine.restart()
            self._engine.advance()

    def dump(self) -> dict[str, int]:
        """Return all registers by name; reading has no effect on any."""
        with self._lock:
            self._check_open()
            return {name: self._registers.read(offset) for name, offset in regs.REGISTERS.items()}

    def _check_open(self) -> None:
        if self._is_closed:
            raise BackendError("the accelerator was closed; open it again to use it")

    def close(self) -> None:
        """Stop the unit, fail the jobs that are not done, free memory and lock; may be called twice."""
        with self._lock:
            if self._is_closed:
                return
            self._is_closed = True
            self._engine.stop()
            self._registers.close()
            self._arena.close()
            self._resources.close()
