# SPDX-License-Identifier: Apache-2.0
"""The window over a plain file: single words, copies, limits, and every reason why something cannot be mapped."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from device.errors import BackendError, BackendUnavailable
from device.fpga.mmio import PAGE_BYTES, Window


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of four pages."""
    file = tmp_path / "memory"
    file.write_bytes(bytes(4 * PAGE_BYTES))
    return file


@pytest.fixture
def public_folder() -> Iterator[Path]:
    """A folder that every user may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_words_are_shared_with_the_file(path: Path) -> None:
    window = Window(path, PAGE_BYTES, 2 * PAGE_BYTES)
    window.write(8, 0xDEADBEEF)
    window.write(2 * PAGE_BYTES - 4, 7)
    assert window.read(8) == 0xDEADBEEF
    stored = path.read_bytes()
    assert stored[PAGE_BYTES + 8 : PAGE_BYTES + 12] == bytes.fromhex("efbeadde")
    assert stored[3 * PAGE_BYTES - 4] == 7
    assert Window(path, 2 * PAGE_BYTES, PAGE_BYTES).read(PAGE_BYTES - 4) == 7


@pytest.mark.parametrize("n_words", [0, 1, 2, 7, 16, 1000])
def test_copies_are_whole_words_in_their_order(path: Path, n_words: int) -> None:
    window = Window(path, 0, 4 * PAGE_BYTES)
    octets = np.random.default_rng(n_words).integers(0, 256, 4 * n_words).astype(np.uint8)
    window.copy_in(12, octets)
    assert np.array_equal(window.copy_out(12, octets.size), octets)
    assert np.array_equal(window.view(12, octets.size), octets)
    assert path.read_bytes()[12 : 12 + octets.size] == octets.tobytes()
    window.zero(0, 4 * PAGE_BYTES)
    assert not any(path.read_bytes())


def test_nothing_outside_the_window_can_be_reached(path: Path) -> None:
    window = Window(path, 0, PAGE_BYTES)
    for offset in (-4, 2, PAGE_BYTES, PAGE_BYTES + 4):
        with pytest.raises(ValueError, match=f"expected a multiple of 4 below {PAGE_BYTES}, got {offset}"):
            window.read(offset)
        with pytest.raises(ValueError, match="expected a multiple of 4"):
            window.write(offset, 0)
    for offset, n_bytes in ((-4, 8), (PAGE_BYTES - 4, 8), (2, 4), (0, 6)):
        with pytest.raises(
            ValueError, match=f"expected whole words below {PAGE_BYTES}, got {n_bytes} bytes at {offset}"
        ):
            window.copy_in(offset, np.zeros(n_bytes, np.uint8))
        with pytest.raises(ValueError, match="expected whole words"):
            window.copy_out(offset, n_bytes)
    with pytest.raises(ValueError, match="are outside"):
        window.view(0, PAGE_BYTES + 1)


def test_closed_twice_then_used_is_an_error_and_views_live_on(path: Path) -> None:
    window = Window(path, 0, PAGE_BYTES)
    window.write(0, 5)
    view = window.view(0, 4)
    window.close()
    window.close()
    assert view[0] == 5
    for call in (lambda: window.read(0), lambda: window.write(0, 1), lambda: window.view(0, 4)):
        with pytest.raises(BackendError, match="memory was closed; open the accelerator again"):
            call()


@pytest.mark.parametrize(("offset", "size"), [(12, PAGE_BYTES), (0, 100), (-PAGE_BYTES, PAGE_BYTES), (0, 0)])
def test_places_that_are_not_whole_pages_are_refused(path: Path, offset: int, size: int) -> None:
    with pytest.raises(BackendUnavailable, match=f"expected an offset and a size of whole pages of {PAGE_BYTES} bytes"):
        Window(path, offset, size)


def test_missing_file_and_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BackendUnavailable, match=r"^no .*nowhere \(No such file"):
        Window(tmp_path / "nowhere", 0, PAGE_BYTES)
    with pytest.raises(BackendUnavailable, match=r"cannot be opened for reading and writing \(Is a directory\)"):
        Window(tmp_path, 0, PAGE_BYTES)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BackendUnavailable, match="pipe is neither a device node nor a plain file"):
        Window(tmp_path / "pipe", 0, PAGE_BYTES)


def test_a_truncated_file_is_refused_before_it_is_touched(path: Path) -> None:
    os.truncate(path, 2 * PAGE_BYTES + 1)
    with pytest.raises(
        BackendUnavailable, match=rf"ends at byte {2 * PAGE_BYTES + 1}, expected at least {3 * PAGE_BYTES} bytes"
    ):
        Window(path, PAGE_BYTES, 2 * PAGE_BYTES)


def test_memory_that_fails_to_map_is_refused() -> None:
    with pytest.raises(BackendUnavailable, match=r"4096 bytes of /dev/null at 0x0 cannot be mapped \(No such device\)"):
        Window(Path("/dev/null"), 0, 4096)


@pytest.mark.parametrize("mode", [0o000, 0o444], ids=["no permission", "read-only"])
def test_no_permission_says_what_to_do(public_folder: Path, as_nobody: Callable[[], None], mode: int) -> None:
    path = public_folder / "uio0"
    path.write_bytes(bytes(PAGE_BYTES))
    path.chmod(mode)
    as_nobody()
    with pytest.raises(
        BackendUnavailable,
        match=r"uio0 may not be read and written by this user \(Permission denied\); run as root, or give .* udev rule",
    ):
        Window(path, 0, PAGE_BYTES)
