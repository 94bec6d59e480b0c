# SPDX-License-Identifier: Apache-2.0
"""Arrays in the memory that the accelerator sees, and who has which part of it."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from device.errors import BackendError
from device.fpga.mmio import Octets

ALIGNMENT_BYTES = 64


class Allocator:
    """Hands out byte ranges between `start` and `end`, first fit, whole units of 64 bytes."""

    def __init__(self, start: int, end: int) -> None:
        self.start = -(-start // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        self.end = end // ALIGNMENT_BYTES * ALIGNMENT_BYTES
        self._taken: list[tuple[int, int]] = []

    @property
    def taken(self) -> list[tuple[int, int]]:
        """The (start, end) of all ranges handed out, rising."""
        return list(self._taken)

    def take(self, n_bytes: int) -> int:
        """Return the offset of a free range; raises BackendError with the largest one when there is none."""
        size = max(1, -(-n_bytes // ALIGNMENT_BYTES)) * ALIGNMENT_BYTES
        at, largest = self.start, 0
        for start, end in [*self._taken, (self.end, self.end)]:
            if at + size <= start:
                insort(self._taken, (at, at + size))
                return at
            largest, at = max(largest, start - at), max(at, end)
        raise BackendError(
            f"no {n_bytes} bytes are free in the accelerator's memory, the largest free part has {largest}; "
            "close a buffer, or reserve more memory"
        )

    def give_back(self, offset: int) -> None:
        """Free the range that begins at `offset`."""
        self._taken = [span for span in self._taken if span[0] != offset]


class Home(NamedTuple):
    """Where the memory of buffers lies: in this process, in the arena, and for the device."""

    pointer: int
    n_bytes: int
    arena_base: int
    barrier: Callable[[], None]


class Buffer(np.ndarray[Any, Any]):
    """An array in the arena; a slice of it knows its own address. Use it in a `with` block, or close it."""

    _home: Home | None = None
    _release: Callable[[], None] | None = None

    @classmethod
    def place(
        cls, octets: Octets, shape: tuple[int, ...], dtype: DTypeLike, home: Home, release: Callable[[], None]
    ) -> Buffer:
        """Return the array over `octets`, zeroed; `release` runs once, when it is closed."""
        n_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        buffer = octets[:n_bytes].view(dtype).reshape(shape).view(cls)
        buffer[...] = 0
        buffer._home, buffer._release = home, release
        return buffer

    def __array_finalize__(self, origin: Any) -> None:
        self._home = getattr(origin, "_home", None)

    @property
    def offset(self) -> int:
        """Byte of the arena where this array begins; raises ValueError for a result that lies elsewhere."""
        at = -1 if self._home is None else self.ctypes.data - self._home.pointer
        if self._home is None or not 0 <= at < self._home.n_bytes:
            raise ValueError("this array was computed and lies in ordinary memory; copy it into a buffer first")
        return at

    @property
    def device_address(self) -> int:
        """Physical address of the first byte."""
        offset = self.offset
        assert self._home is not None
        return self._home.arena_base + offset

    def flush(self) -> None:
        """Make what was written visible to the device; the mapping is not cached, so a barrier is all it takes."""
        if self._home is not None:
            self._home.barrier()

    def invalidate(self) -> None:
        """Make what the device wrote visible here."""
        self.flush()

    def close(self) -> None:
        """Give the memory back; may be called twice. The array must not be used afterwards."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Buffer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
