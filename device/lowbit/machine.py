# SPDX-License-Identifier: Apache-2.0
"""What runs low-bit programs on this computer: the C kernels, or by explicit choice the NumPy emulator.

EDGE_LOWBIT=auto|avx512|avx2|neon|plain|emulator chooses; auto takes the fastest kernels of this CPU. `python -m
device.lowbit.machine` builds the kernels ahead of their first use and names them.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from device.errors import BackendUnavailable
from device.lowbit import emulator
from device.lowbit.descriptor import ErrorCode
from device.lowbit.emulator import Arena
from device.lowbit.layout import pack_codes
from device.lowbit.library import CpuLibrary, Level, open_library

log = logging.getLogger(__name__)

VARIABLE = "EDGE_LOWBIT"
EMULATOR = "emulator"
LEVELS = {
    "auto": Level.AUTO,
    "avx512": Level.AVX512,
    "avx2": Level.AVX2,
    "neon": Level.NEON,
    "plain": Level.PLAIN,
}
SHOWN = {Level.AVX512: "AVX-512", Level.AVX2: "AVX2", Level.NEON: "NEON", Level.PLAIN: "plain C"}


class Machine(Protocol):
    """Makes the calls that run a program in an arena of host memory; checks and addresses are done once, here.

    Several threads may use one machine on different arenas.
    """

    name: str

    def runner(self, arena: Arena, descriptors: NDArray[np.uint32]) -> Callable[[], ErrorCode]:
        """Return the call that executes (n, 16) descriptor words in order, in place; it stops at the first error."""

    def packer(
        self, shape: tuple[int, int, int], digits: int, target: Arena, copies: int = 1
    ) -> Callable[[NDArray[np.uint8]], None]:
        """Return the call that writes (C, H, W) values as a digit tensor; it raises ValueError for too large ones.

        With `copies`, so many of each channel stand beside each other.
        """


class Kernels:
    """The C kernels at one level."""

    def __init__(self, library: CpuLibrary, level: Level) -> None:
        self.name = f"{SHOWN[level]} kernels"
        self.packer = library.packer
        self._library, self._level = library, level

    def runner(self, arena: Arena, descriptors: NDArray[np.uint32]) -> Callable[[], ErrorCode]:
        run = self._library.runner(arena, descriptors)

        def run_at_level() -> ErrorCode:
            self._library.force(self._level)  # the C code keeps one level a process: another machine may have set its
            return run()

        return run_at_level


class Emulator:
    """The definition of the arithmetic: the same results, hundreds of times slower than the kernels."""

    name = "NumPy emulator"

    def runner(self, arena: Arena, descriptors: NDArray[np.uint32]) -> Callable[[], ErrorCode]:
        return lambda: emulator.run(arena, descriptors)

    def packer(
        self, shape: tuple[int, int, int], digits: int, target: Arena, copies: int = 1
    ) -> Callable[[NDArray[np.uint8]], None]:
        def pack(values: NDArray[np.uint8]) -> None:
            target[:] = pack_codes(values.repeat(copies, 0), digits).view(np.uint8).reshape(-1)

        return pack


class SharedLibrary:
    """The kernels of this process: built and loaded once. Any thread may ask."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: CpuLibrary | None = None

    def open(self, wait: bool = True) -> CpuLibrary:
        """Return the kernels; raises BackendUnavailable, also while another thread builds them unless `wait`.

        A failure is tried again at the next call.
        """
        if not self._lock.acquire(blocking=wait):
            raise BackendUnavailable("the low-bit kernels are being built; try again in a few seconds")
        try:
            self._library = self._library or open_library()
            return self._library
        finally:
            self._lock.release()

    def prepare(self) -> None:
        """Begin to build and load the kernels in a thread of its own, unless they are here: nobody need wait for it."""
        if self._library is None:
            threading.Thread(target=self._try, name="kernels").start()

    def _try(self) -> None:
        try:
            self.open()
        except BackendUnavailable as error:
            log.info("%s", error)


SHARED = SharedLibrary()


def open_machine(choice: str | None = None, wait: bool = True) -> Machine:
    """Return the machine that `choice` (None: EDGE_LOWBIT) names; raises BackendUnavailable with the reason.

    The first call on a computer builds the kernels, which takes a second or two; see `SharedLibrary.open` for `wait`.
    """
    wanted = os.environ.get(VARIABLE, "") or "auto" if choice is None else choice
    if wanted == EMULATOR:
        return Emulator()
    if wanted not in LEVELS:
        raise BackendUnavailable(f"{VARIABLE}={wanted}: expected {', '.join([*LEVELS, EMULATOR])}; set one of these")
    library = SHARED.open(wait)
    used = library.force(LEVELS[wanted])
    if used is None:
        known = [name for name, level in LEVELS.items() if level in library.levels()]
        raise BackendUnavailable(
            f"{VARIABLE}={wanted}: this CPU does not have these kernels; it has {', '.join(known)}"
        )
    return Kernels(library, used)


if __name__ == "__main__":
    try:
        print(f"low-bit networks run on the {open_machine().name}")
    except BackendUnavailable as error:
        print(error, file=sys.stderr)
        sys.exit(1)
