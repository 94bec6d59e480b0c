# SPDX-License-Identifier: Apache-2.0
"""The C kernels, built once into a cache of the test run; a CPU without NEON runs that path on portable intrinsics."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.errors import BackendUnavailable
from device.lowbit.library import FLAGS, KERNELS, CpuLibrary, Level, open_library

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> CpuLibrary:
    """The kernels, or a skip when this machine has no compiler."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        try:
            return open_library()
        except BackendUnavailable as error:
            pytest.skip(str(error))


@pytest.fixture(scope="session")
def neon_library(library: CpuLibrary, tmp_path_factory: pytest.TempPathFactory) -> CpuLibrary:
    """The library with the NEON kernel, on the portable header unless the CPU has it."""
    if Level.NEON in library.levels():
        return library
    path = tmp_path_factory.mktemp("neon") / "neon.so"
    portable = ["-D__ARM_NEON", "-I", str(HERE / "neon")]
    command = [os.environ.get("CC", "cc"), *FLAGS, *portable, str(KERNELS / "accel_cpu.c"), "-o", str(path)]
    subprocess.run(command, check=True, timeout=60)
    return CpuLibrary(path)


@pytest.fixture(params=[Level.PLAIN, Level.AVX2, Level.AVX512, Level.NEON], ids=lambda level: level.name.lower())
def kernels(request: pytest.FixtureRequest, library: CpuLibrary, neon_library: CpuLibrary) -> Iterator[CpuLibrary]:
    """A library with each kernel in turn; those this CPU lacks are skipped."""
    chosen = neon_library if request.param == Level.NEON else library
    if chosen.force(request.param) is None:
        pytest.skip(f"this CPU does not have the {request.param.name} kernel")
    yield chosen
    chosen.force(Level.AUTO)
