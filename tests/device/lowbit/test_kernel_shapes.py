# SPDX-License-Identifier: Apache-2.0
"""Layers that the kernels take apart in different ways: many blocks, odd numbers of them, channels not used."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.lowbit.descriptor import Descriptor, Store, encode_all
from device.lowbit.layout import LANES
from device.lowbit.library import KERNELS, CpuLibrary
from tests.device.lowbit.cases import Case, make_case
from tests.device.lowbit.test_kernels import check_equal

MANY = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
SEEDS = st.integers(0, 2**32 - 1)


@st.composite
def windows(draw: st.DrawFn) -> Descriptor:
    """Codes from 3x3 windows of codes, of up to 8 by 7 blocks."""
    top, bottom, left, right = (draw(st.integers(0, 1)) for _ in range(4))
    h, w = draw(st.integers(3 - top - bottom, 8)), draw(st.integers(3 - left - right, 14))
    cb_in, cb_out = draw(st.integers(1, 8)), draw(st.integers(1, 7))
    pads = {"pad_top": top, "pad_bottom": bottom, "pad_left": left, "pad_right": right}
    shape = replace(Descriptor(w=w, h=h, cb_in=cb_in, cb_out=cb_out, digits=1, k=3), **pads)
    height, width = shape.out_hw
    stores = [Store.PLAIN, Store.UPSAMPLE] + [Store.SPACE_TO_DEPTH] * (height % 2 == width % 2 == 0)
    return replace(shape, store=draw(st.sampled_from(stores)))


@MANY
@given(shape=windows(), seed=SEEDS)
def test_many_blocks_equal_the_emulator(kernels: CpuLibrary, shape: Descriptor, seed: int) -> None:
    check_equal(kernels, make_case(np.random.default_rng(seed), shape))


def with_channels(case: Case, used: list[bool]) -> Case:
    """Return `case` with zeros in all input channels of a block that are not `used`."""
    mask = np.uint64(sum(1 << lane for lane in range(LANES) if used[lane]) * (1 + 2**32))
    for start, end in case.descriptor.src_planes():
        case.arena[start:end].view("<u8")[:] &= mask
    return case


@MANY
@given(
    used=st.lists(st.booleans(), min_size=LANES, max_size=LANES)
    | st.integers(0, 8).map(lambda n: [lane < n for lane in range(LANES)]),
    k=st.sampled_from([1, 3]),
    digits=st.integers(1, 4),
    blocks=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    raw=st.integers(0, 1),
    seed=SEEDS,
)
def test_channels_that_are_zero_everywhere_change_nothing(
    kernels: CpuLibrary, used: list[bool], k: int, digits: int, blocks: tuple[int, int], raw: int, seed: int
) -> None:
    shape = Descriptor(w=7, h=4, cb_in=blocks[0], cb_out=blocks[1], digits=digits, k=k, raw=raw)
    check_equal(kernels, with_channels(make_case(np.random.default_rng(seed), shape), used))


@pytest.mark.parametrize("value", [0x00, 0xFF])
@pytest.mark.parametrize("digits", [1, 4])
@pytest.mark.parametrize("blocks", [(1, 1), (3, 3), (32, 2)])
def test_largest_sums_are_compared_like_the_emulators(
    kernels: CpuLibrary, value: int, digits: int, blocks: tuple[int, int]
) -> None:
    rng = np.random.default_rng(digits)
    case = make_case(rng, Descriptor(w=6, h=3, cb_in=blocks[0], cb_out=blocks[1], digits=digits, k=3))
    d = case.descriptor
    most = 9 * LANES * d.cb_in * (4**digits - 1)
    stream = case.arena[: d.constants_bytes].reshape(d.cb_out, -1)
    stream[:, :-512] = value
    near = np.array(
        [-(2**31), -(2**23), -most - 1, -most, -most + 1, 0, most - 1, most, most + 1, 2**23 - 1, 2**31 - 1]
    )
    stream[:, -512:] = rng.choice(near, (d.cb_out, 128)).astype("<i4").view(np.uint8)
    case.arena[d.src : d.dst] = 0xFF
    check_equal(kernels, case)


def test_planes_that_overlap_are_written_block_by_block(kernels: CpuLibrary) -> None:
    case = make_case(np.random.default_rng(3), Descriptor(w=8, h=4, cb_in=2, cb_out=5, digits=1, k=3))
    for dst_pitch in (0, 32):
        d = replace(case.descriptor, dst_pitch=dst_pitch)
        check_equal(kernels, replace(case, descriptor=d, arena=case.arena.copy()))
        assert int(encode_all([d])[0, 8]) == dst_pitch


def test_only_the_functions_of_the_header_are_public(library: CpuLibrary) -> None:
    try:
        done = subprocess.run(["nm", "-D", "--defined-only", library.path], capture_output=True, text=True, check=True)
    except OSError:
        pytest.skip("this machine has no nm")
    names = {line.split()[-1] for line in done.stdout.splitlines() if line.split()[-2] in "TBDRVW"}
    public = {"accel_barrier", "accel_cpu_force", "accel_cpu_match", "accel_cpu_pack", "accel_cpu_run"}
    assert names - {"_init", "_fini"} == public


@pytest.mark.parametrize("level", ["-O0", "-O1", "-O3"])
@pytest.mark.usefixtures("library")
def test_sources_build_without_a_warning(level: str, tmp_path: Path) -> None:
    command = [
        os.environ.get("CC", "cc"),
        level,
        "-std=gnu11",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-c",
        "-o",
        str(tmp_path / "kernels.o"),
    ]
    done = subprocess.run([*command, KERNELS / "accel_cpu.c"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
