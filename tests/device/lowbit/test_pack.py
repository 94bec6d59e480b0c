# SPDX-License-Identifier: Apache-2.0
"""The C packer writes the tensor of `layout.pack_codes`, and nothing around it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.lowbit.layout import pack_codes, tensor_bytes
from device.lowbit.library import KERNELS, CpuLibrary
from device.lowbit.network import InputTensor

SIDES = st.integers(1, 9)
GUARD = 64


def packed(library: CpuLibrary, values: np.ndarray, digits: int) -> np.ndarray:
    """Return what the packer wrote; the bytes around it must keep their pattern."""
    n_bytes = tensor_bytes(values.shape, digits)
    framed = np.full(n_bytes + 2 * GUARD, 0xA5, np.uint8)
    library.pack(values, digits, framed[GUARD:-GUARD])
    assert (framed[:GUARD] == 0xA5).all()
    assert (framed[-GUARD:] == 0xA5).all()
    return framed[GUARD:-GUARD]


@settings(max_examples=120, deadline=None)
@given(channels=st.integers(1, 70), height=SIDES, width=SIDES, digits=st.integers(1, 4), seed=st.integers(0, 2**32 - 1))
def test_equals_the_layout(library: CpuLibrary, channels: int, height: int, width: int, digits: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 4**digits, (channels, height, width)).astype(np.uint8)
    assert np.array_equal(packed(library, values, digits), pack_codes(values, digits).view(np.uint8).reshape(-1))


@settings(max_examples=60, deadline=None)
@given(channels=st.integers(1, 8), height=SIDES, width=SIDES, digits=st.integers(1, 4), data=st.data())
def test_copies_stand_beside_each_other(
    library: CpuLibrary, channels: int, height: int, width: int, digits: int, data: st.DataObject
) -> None:
    copies = data.draw(st.integers(1, 32 // channels))
    values = np.random.default_rng(copies).integers(0, 4**digits, (channels, height, width)).astype(np.uint8)
    target = np.zeros(tensor_bytes((channels * copies, height, width), digits), np.uint8)
    library.packer((channels, height, width), digits, target, copies)(values)
    assert np.array_equal(target, pack_codes(values.repeat(copies, 0), digits).view(np.uint8).reshape(-1))


@pytest.mark.parametrize(("channels", "copies"), [(4, 9), (9, 2), (1, 33), (1, 0), (1, -1)])
def test_copies_that_do_not_fit_a_block_are_refused(library: CpuLibrary, channels: int, copies: int) -> None:
    with pytest.raises(ValueError, match=f"got {copies} of {channels} channels"):
        library.packer((channels, 1, 1), 1, np.zeros(32, np.uint8), copies)
    with pytest.raises(ValueError, match=f"{copies} copies of {channels} channels do not fit a block"):
        InputTensor("face", (channels, 1, 1), copies=copies)


@pytest.mark.parametrize("width", [31, 32, 33, 63, 64, 65, 1024])
def test_rows_longer_than_a_piece(library: CpuLibrary, width: int) -> None:
    values = np.random.default_rng(width).integers(0, 256, (33, 2, width)).astype(np.uint8)
    assert np.array_equal(packed(library, values, 4), pack_codes(values, 4).view(np.uint8).reshape(-1))


def test_views_of_any_order_are_packed(library: CpuLibrary) -> None:
    values = np.random.default_rng(0).integers(0, 256, (9, 7, 5)).astype(np.uint8).transpose(2, 0, 1)[:, ::2]
    assert np.array_equal(packed(library, values, 4), pack_codes(values, 4).view(np.uint8).reshape(-1))


@pytest.mark.parametrize("digits", [1, 2, 3])
def test_value_that_needs_another_digit_is_refused(library: CpuLibrary, digits: int) -> None:
    values, target = np.zeros((3, 5, 7), np.uint8), np.zeros(tensor_bytes((3, 5, 7), digits), np.uint8)
    values[2, 4, 6] = 4**digits
    with pytest.raises(ValueError, match=rf"values: expected 0\.\.{4**digits - 1}, got 0\.\.{4**digits}"):
        library.pack(values, digits, target)


def test_refused_values_leave_no_trace(library: CpuLibrary) -> None:
    target = np.full(tensor_bytes((1, 1, 3)), 0xA5, np.uint8)
    with pytest.raises(ValueError, match="values: expected"):
        library.pack(np.array([[[1, 2, 4]]], np.uint8), 1, target)
    assert not target.any()


def test_arrays_that_do_not_fit_are_refused(library: CpuLibrary) -> None:
    values, target = np.zeros((3, 5, 7), np.uint8), np.zeros(tensor_bytes((3, 5, 7)), np.uint8)
    frozen = target.copy()
    frozen.flags.writeable = False
    inputs: list[tuple[Any, int, str]] = [
        (values[0], 1, r"values: expected \(channels, rows, columns\), got \(5, 7\)"),
        (values.astype(np.int16), 1, r"values: expected \(3, 5, 7\) uint8, got \(3, 5, 7\) int16"),
        (values[:, :, :0], 1, r"values: expected \(C, H, W\) of 1\.\.4 digits, got \(3, 5, 0\) of 1"),
        (values, 0, r"values: expected \(C, H, W\) of 1\.\.4 digits, got \(3, 5, 7\) of 0"),
        (values, 5, r"values: expected \(C, H, W\) of 1\.\.4 digits, got \(3, 5, 7\) of 5"),
    ]
    for wrong, digits, message in inputs:
        with pytest.raises(ValueError, match=message):
            library.pack(wrong, digits, target)
    targets: list[Any] = [target[:-8], target.view(np.int8), np.zeros(2 * target.size, np.uint8)[::2], frozen]
    for wrong in targets:
        with pytest.raises(ValueError, match=r"target: expected writable \(320\) uint8"):
            library.pack(values, 1, wrong)
    with pytest.raises(ValueError, match=r"values: expected \(3, 5, 7\) uint8, got \(3, 5, 6\) uint8"):
        library.packer((3, 5, 7), 1, target)(values[:, :, :6])


def test_barrier_returns(library: CpuLibrary) -> None:
    """What it orders only another bus master sees; here it must exist and return nothing."""
    returned: object = library.barrier()  # type: ignore[func-returns-value]
    assert returned is None


@pytest.mark.parametrize(("driver", "low", "high"), [("pack_driver.c", 50, 200), ("match_driver.c", 399, 401)])
@pytest.mark.usefixtures("library")
def test_random_calls_pass_the_sanitizers(tmp_path: Path, driver: str, low: int, high: int) -> None:
    """Of the packed tensors half have values of 8 bits, a quarter of those fits; of the matched pictures all do."""
    program = tmp_path / "driver"
    checks = ["-O1", "-g", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    sources = [str(Path(__file__).with_name(driver)), str(KERNELS / "accel_cpu.c")]
    command = [os.environ.get("CC", "cc"), *checks, "-I", str(KERNELS), *sources, "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if built.returncode != 0 and "san" in built.stderr:
        pytest.skip("this compiler has no sanitizer libraries")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program, "400"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert low < int(done.stdout) < high
