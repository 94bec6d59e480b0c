# SPDX-License-Identifier: Apache-2.0
"""One process owns an accelerator: a lock that the kernel frees when the holder dies, with the holder's pid inside."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from device.errors import BackendUnavailable
from device.fpga.mmio import refusal

PID_BYTES = 16


class DeviceLock:
    """Held from construction to `close`; the pid stands as text at byte `pid_offset` of the file."""

    def __init__(self, path: Path, pid_offset: int = 0, create: bool = True) -> None:
        """Fails at once with BackendUnavailable, "in use by pid 123" when another opener has it."""
        self.path = path
        descriptor = open_lock(path, create)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode().ljust(PID_BYTES, b"\0"), pid_offset)
        except BlockingIOError as error:
            holder = os.pread(descriptor, PID_BYTES, pid_offset).strip(b"\0\n")
            os.close(descriptor)
            pid = holder.decode("ascii") if holder.isdigit() else "unknown"
            raise BackendUnavailable(
                f"the accelerator is in use by pid {pid} (it holds {path}); end that program first"
            ) from error
        except OSError as error:
            os.close(descriptor)
            raise BackendUnavailable(f"{path} cannot be locked ({error.strerror})") from error
        self._descriptor: int | None = descriptor

    def close(self) -> None:
        """Let the next opener in; may be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def open_lock(path: Path, create: bool) -> int:
    """Return an open descriptor; the file is made where it is missing, so that every user may lock it."""
    try:
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)  # without O_CREAT: sticky folders forbid it on another's file
    except FileNotFoundError as error:
        if not create:
            raise BackendUnavailable(refusal(path, error)) from error
    except OSError as error:
        raise BackendUnavailable(refusal(path, error)) from error
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        os.fchmod(descriptor, 0o666)
    except OSError as error:
        raise BackendUnavailable(f"the lock {path} cannot be made ({error.strerror})") from error
    return descriptor
