# SPDX-License-Identifier: Apache-2.0
"""Building the kernels: two processes at once, no compiler, no cache; and the C code under the sanitizers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from device.errors import BackendUnavailable
from device.lowbit.library import KERNELS, CpuLibrary, Level, cache_folder, open_library

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
OPEN = "from device.lowbit.library import open_library; print(open_library().path)"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "edge-vision"


@pytest.mark.usefixtures("library")
def test_two_processes_build_at_once(cache: Path) -> None:
    command = [sys.executable, "-c", OPEN]
    racers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = {racer.communicate(timeout=100)[0] for racer in racers}
    assert [racer.returncode for racer in racers] == [0, 0]
    assert len(printed) == 1
    assert [path.name for path in cache.iterdir()] == [Path(printed.pop().strip()).name]


def test_library_is_built_once(cache: Path, library: CpuLibrary) -> None:
    cache.mkdir()
    shutil.copy(library.path, cache)
    before = (cache / library.path.name).stat().st_mtime_ns
    assert open_library().path == cache / library.path.name
    assert (cache / library.path.name).stat().st_mtime_ns == before


def test_no_compiler_is_said_in_words(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -m64")
    with pytest.raises(BackendUnavailable, match="need a C compiler, and no-such-compiler cannot be started"):
        open_library()
    assert not cache.exists()


@pytest.mark.usefixtures("library")
def test_a_compiler_that_fails_is_quoted(cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    compiler = tmp_path / "broken-cc"
    compiler.write_text('#!/bin/sh\n[ "$1" = --version ] && echo broken 1 && exit 0\necho out of order >&2\nexit 3\n')
    compiler.chmod(0o755)
    monkeypatch.setenv("CC", str(compiler))
    with pytest.raises(BackendUnavailable, match=r"broken-cc could not build the low-bit kernels \(out of order\)"):
        open_library()
    assert not list(cache.iterdir())


@pytest.mark.usefixtures("library")
def test_a_cache_that_cannot_be_written_is_named(cache: Path) -> None:
    cache.write_text("a file, not a folder")
    with pytest.raises(BackendUnavailable, match=r"cannot be stored in .*edge-vision .*XDG_CACHE_HOME"):
        open_library()


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "lowbit.so"
    path.write_bytes(b"not a library")
    with pytest.raises(BackendUnavailable, match=r"lowbit\.so cannot be loaded"):
        CpuLibrary(path)


def test_cache_is_in_the_home_folder_without_a_setting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in ("", "relative/folder"):
        monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert cache_folder() == tmp_path / ".cache" / "edge-vision"


def test_forcing_a_kernel(library: CpuLibrary) -> None:
    assert library.force(Level.PLAIN) == Level.PLAIN
    missing = set(Level) - {Level.AUTO} - set(library.levels())
    assert missing
    library.force(Level.PLAIN)
    for level in missing:
        assert library.force(level) is None
    assert library.force(Level.AUTO) == library.levels()[-1]


@pytest.mark.parametrize("neon", [False, True], ids=["cpu", "neon"])
@pytest.mark.usefixtures("library")
def test_random_descriptors_pass_the_sanitizers(tmp_path: Path, neon: bool) -> None:
    program = tmp_path / "fuzz"
    checks = ["-O1", "-g", "-std=gnu11", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    portable = ["-D__ARM_NEON", "-I", str(HERE / "neon")] if neon else []
    sources = [str(HERE / "fuzz_driver.c"), str(KERNELS / "accel_cpu.c")]
    command = [os.environ.get("CC", "cc"), *checks, *portable, "-I", str(KERNELS), *sources, "-o", str(program)]
    built = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if built.returncode != 0 and "san" in built.stderr:
        pytest.skip("this compiler has no sanitizer libraries")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([program, "2000"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    seen = [int(count) for count in done.stdout.split()]
    assert seen[0] == 0  # memory never ran out
    assert seen[1] > 500  # half of them were legal
    assert all(seen[code + 1] > 0 for code in (1, 3, 4, 5, 7))
