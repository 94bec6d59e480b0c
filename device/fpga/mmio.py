# SPDX-License-Identifier: Apache-2.0
"""Mapped memory: device nodes and plain files behind one class, the only one in the project that maps anything."""

from __future__ import annotations

import errno
import mmap
import os
import stat
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from device.errors import BackendError, BackendUnavailable

WORD_BYTES = 4
PAGE_BYTES = mmap.PAGESIZE

Octets = NDArray[np.uint8]


class Window:
    """`size` bytes of `path` from byte `offset` on, shared with whatever is behind it; 32-bit little-endian words.

    Serves /dev/uioN (offset = map number * page), /dev/udmabufN, /dev/mem and a plain file. A mapping lives until the
    last array made by `view` is gone, so that nobody ever reads memory that is not there.
    """

    def __init__(self, path: Path, offset: int, size: int) -> None:
        """Raises BackendUnavailable with the reason in words. `offset` and `size` are multiples of the page size."""
        self.path, self.offset, self.size = path, offset, size
        if offset < 0 or size <= 0 or offset % PAGE_BYTES or size % PAGE_BYTES:
            raise BackendUnavailable(
                f"{path}: expected an offset and a size of whole pages of {PAGE_BYTES} bytes, "
                f"got {offset:#x} and {size:#x}"
            )
        mapped = open_mapping(path, offset, size)
        self._octets: Octets | None = np.frombuffer(mapped, np.uint8)
        self._words: NDArray[np.uint32] | None = self._octets.view("<u4")

    def read(self, offset: int) -> int:
        """Return the word at byte `offset`: one aligned 32-bit access."""
        return int(self._all_words()[self._index(offset)])

    def write(self, offset: int, value: int) -> None:
        """Store the word at byte `offset`: one aligned 32-bit access."""
        self._all_words()[self._index(offset)] = value

    def copy_in(self, offset: int, octets: Octets) -> None:
        """Store whole words from byte `offset` on."""
        place = self._span(offset, octets.size)
        copy_words(place, np.ascontiguousarray(octets).view("<u4"))

    def copy_out(self, offset: int, n_bytes: int, target: Octets | None = None) -> Octets:
        """Return whole words from byte `offset` on, in `target` where it is given."""
        place = self._span(offset, n_bytes)
        found = np.empty(n_bytes, np.uint8) if target is None else target
        copy_words(found.view("<u4"), place)
        return found

    def zero(self, offset: int, n_bytes: int) -> None:
        self.copy_in(offset, np.zeros(n_bytes, np.uint8))

    def view(self, offset: int, n_bytes: int) -> Octets:
        """Return the bytes themselves, not copied."""
        if offset < 0 or n_bytes < 0 or offset + n_bytes > self.size:
            raise ValueError(f"{self.path}: bytes {offset} to {offset + n_bytes} are outside {self.size}")
        self._all_words()
        assert self._octets is not None
        return self._octets[offset : offset + n_bytes]

    def close(self) -> None:
        """Give up the mapping; may be called twice."""
        self._octets = self._words = None

    def _all_words(self) -> NDArray[np.uint32]:
        if self._words is None:
            raise BackendError(f"the mapping of {self.path} was closed; open the accelerator again")
        return self._words

    def _index(self, offset: int) -> int:
        if offset % WORD_BYTES or not 0 <= offset < self.size:
            raise ValueError(f"{self.path}: expected a multiple of 4 below {self.size}, got {offset}")
        return offset // WORD_BYTES

    def _span(self, offset: int, n_bytes: int) -> NDArray[np.uint32]:
        if offset % WORD_BYTES or n_bytes % WORD_BYTES or offset < 0 or offset + n_bytes > self.size:
            raise ValueError(f"{self.path}: expected whole words below {self.size}, got {n_bytes} bytes at {offset}")
        return self._all_words()[offset // WORD_BYTES : (offset + n_bytes) // WORD_BYTES]


def copy_words(target: NDArray[np.uint32], source: NDArray[np.uint32]) -> None:
    """Copy word by word: strongly ordered memory (/dev/mem) faults at the unaligned or wide accesses of a memcpy.

    NumPy copies with a step by one aligned access an element, and without a step by memcpy.
    """
    target[0::2] = source[0::2]
    target[1::2] = source[1::2]


def open_mapping(path: Path, offset: int, size: int) -> mmap.mmap:
    """Return the shared mapping, uncached where the node knows a choice; raises BackendUnavailable."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_SYNC | os.O_CLOEXEC)
    except OSError as error:
        raise BackendUnavailable(refusal(path, error)) from error
    try:
        check_length(path, os.fstat(descriptor), offset + size)
        return mmap.mmap(descriptor, size, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=offset)
    except (OSError, ValueError, OverflowError) as error:
        reason = (error.strerror if isinstance(error, OSError) else str(error)) or str(error)
        raise BackendUnavailable(
            f"{size} bytes of {path} at {offset:#x} cannot be mapped ({reason}); is the region the device's own?"
        ) from error
    finally:
        os.close(descriptor)


def refusal(path: Path, error: OSError) -> str:
    """Return the sentence for a path that cannot be opened."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENXIO, errno.ENODEV):
        return f"no {path} ({error.strerror})"
    if error.errno in (errno.EACCES, errno.EPERM):
        return (
            f"{path} may not be read and written by this user ({error.strerror}); "
            "run as root, or give the user the device with a udev rule"
        )
    return f"{path} cannot be opened for reading and writing ({error.strerror})"


def check_length(path: Path, found: os.stat_result, n_bytes: int) -> None:
    """Refuse what cannot be mapped, and a file that ends too early: touching its missing pages kills a process."""
    if stat.S_ISREG(found.st_mode) and found.st_size < n_bytes:
        raise BackendUnavailable(f"{path} ends at byte {found.st_size}, expected at least {n_bytes} bytes")
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISCHR(found.st_mode)):
        raise BackendUnavailable(f"{path} is neither a device node nor a plain file")
