# SPDX-License-Identifier: Apache-2.0
"""One owner at a time, named by pid; the kernel frees the lock of a process that dies."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from device.errors import BackendUnavailable
from device.fpga.lock import DeviceLock
from tests.device.fpga.conftest import start_python

HOLD = """
import sys, time
from pathlib import Path
from device.fpga.lock import DeviceLock
lock = DeviceLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_the_second_opener_is_told_the_pid(tmp_path: Path) -> None:
    first = DeviceLock(tmp_path / "lock")
    with pytest.raises(
        BackendUnavailable, match=rf"in use by pid {os.getpid()} \(it holds .*lock\); end that program first"
    ):
        DeviceLock(tmp_path / "lock")
    first.close()
    first.close()
    DeviceLock(tmp_path / "lock").close()


def test_a_killed_owner_leaves_the_lock_free(tmp_path: Path) -> None:
    owner = start_python(HOLD, str(tmp_path / "lock"))
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(BackendUnavailable, match=f"in use by pid {owner.pid} "):
            DeviceLock(tmp_path / "lock")
    finally:
        owner.kill()
        owner.communicate()
    DeviceLock(tmp_path / "lock").close()


def test_the_pid_stands_where_it_is_wanted_and_nothing_else_changes(tmp_path: Path) -> None:
    path = tmp_path / "board"
    path.write_bytes(b"x" * 64)
    lock = DeviceLock(path, pid_offset=32, create=False)
    assert path.read_bytes() == b"x" * 32 + f"{os.getpid()}\n".encode().ljust(16, b"\0") + b"x" * 16
    lock.close()


def test_a_holder_that_left_no_pid_is_unknown(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    lock = DeviceLock(path)
    path.write_bytes(b"not a number")
    with pytest.raises(BackendUnavailable, match="in use by pid unknown"):
        DeviceLock(path)
    lock.close()


def test_places_that_cannot_hold_a_lock_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"the lock .*nowhere/lock cannot be made \(No such file"):
        DeviceLock(tmp_path / "nowhere/lock")
    with pytest.raises(BackendUnavailable, match=r"^no .*board"):
        DeviceLock(tmp_path / "board", create=False)
    with pytest.raises(BackendUnavailable, match="Is a directory"):
        DeviceLock(tmp_path)


def test_no_permission_is_told(as_nobody: Callable[[], None]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        lock = Path(folder) / "lock"
        lock.touch(0o600)
        as_nobody()
        with pytest.raises(BackendUnavailable, match="lock may not be read and written by this user"):
            DeviceLock(lock)
        with pytest.raises(BackendUnavailable, match=r"other cannot be made \(Permission denied\)"):
            DeviceLock(Path(folder) / "other")
        os.seteuid(os.getuid())
