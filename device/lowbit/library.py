# SPDX-License-Identifier: Apache-2.0
"""The C kernels: built once per source and compiler into the user's cache, loaded with ctypes."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import shlex
import subprocess
import tempfile
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.errors import BackendError, BackendUnavailable
from device.lowbit.descriptor import ErrorCode
from device.lowbit.emulator import Arena, check_arena

KERNELS = Path(__file__).parent / "kernels"
SOURCES = ("accel_cpu.c", "accel_cpu.h")
FLAGS = ("-O3", "-std=gnu11", "-fPIC", "-shared", "-Wall", "-Wextra")
# Debian's armhf compiler leaves NEON out unless told; "neon" is the first version, without the fused VFPv4 ones.
MACHINE_FLAGS = {"armv7l": ("-mfpu=neon",)}.get(platform.machine(), ())
COMPILE_TIMEOUT_S = 120.0
NO_MEMORY = -1
"""Answer of the C code when the host has no room for its working copies."""


class Level(IntEnum):
    """Kernels of the library; AUTO takes the fastest that this CPU has."""

    AUTO = -1
    PLAIN = 0
    AVX2 = 1
    AVX512 = 2
    NEON = 3


class CpuLibrary:
    """The loaded kernels. `run` may be called by several threads on different arenas."""

    def __init__(self, path: Path) -> None:
        """Raises BackendUnavailable when `path` is not a library this process can load."""
        self.path = path
        try:
            self._library: Any = ctypes.CDLL(str(path))
            self._run = self._library.accel_cpu_run
            self._force = self._library.accel_cpu_force
        except (OSError, AttributeError) as error:
            raise BackendUnavailable(f"the low-bit kernels {path} cannot be loaded ({error})") from error
        self._run.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)

    def run(self, arena: Arena, descriptors: NDArray[np.uint32]) -> ErrorCode:
        """Execute (n, 16) descriptor words on `arena` in place, as `emulator.run` does; frees the interpreter lock."""
        check_arena(arena, descriptors)
        if arena.size > 0xFFFFFFFF:
            raise ValueError(f"arena: expected below 4 GiB, got {arena.size} bytes")
        words = np.ascontiguousarray(descriptors)
        code = int(self._run(arena.ctypes.data, arena.size, words.ctypes.data, len(words)))
        if code == NO_MEMORY:
            raise BackendError("the low-bit kernels found no memory for the working copies of a layer")
        return ErrorCode(code)

    def force(self, level: Level) -> Level | None:
        """Use one kernel in the whole process; return the one in use, or None when this CPU lacks it."""
        used = int(self._force(int(level)))
        return None if used < 0 else Level(used)

    def levels(self) -> list[Level]:
        """Return the kernels that this CPU can run, slowest first; leaves AUTO behind."""
        found: list[Level] = [level for level in Level if level != Level.AUTO and self.force(level) is not None]
        self.force(Level.AUTO)
        return found


def open_library() -> CpuLibrary:
    """Return the kernels, building them when the cache has none; raises BackendUnavailable with the reason."""
    compiler = shlex.split(os.environ.get("CC", "")) or ["cc"]
    path = cache_folder() / f"lowbit-{build_key(compiler)}.so"
    if not path.exists():
        build(compiler, path)
    return CpuLibrary(path)


def cache_folder() -> Path:
    """Return the folder of built libraries in the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "edge-vision"


def build_key(compiler: list[str]) -> str:
    """Return a name for what the build depends on: sources, flags, compiler, machine."""
    digest = hashlib.sha256()
    for name in SOURCES:
        digest.update((KERNELS / name).read_bytes())
    digest.update(
        "\0".join([*compiler, *FLAGS, *MACHINE_FLAGS, platform.machine(), call([*compiler, "--version"])]).encode()
    )
    return digest.hexdigest()[:20]


def call(command: list[str]) -> str:
    """Run the compiler and return what it prints; raises BackendUnavailable with its first line of complaint."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=COMPILE_TIMEOUT_S, check=True)
    except OSError as error:
        raise BackendUnavailable(
            f"the low-bit kernels need a C compiler, and {command[0]} cannot be started ({error.strerror}); "
            "install gcc or name one in CC"
        ) from error
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or [f"exit code {error.returncode}"])[0]
        raise BackendUnavailable(f"{command[0]} could not build the low-bit kernels ({reason})") from error
    except subprocess.TimeoutExpired as error:
        raise BackendUnavailable(f"{command[0]} did not build the low-bit kernels in {error.timeout:.0f} s") from error
    return done.stdout


def build(compiler: list[str], path: Path) -> None:
    """Compile into a private folder beside `path` and move the result there in one step: processes may race."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix="build-") as folder:
            made = Path(folder) / path.name
            call([*compiler, *FLAGS, *MACHINE_FLAGS, str(KERNELS / SOURCES[0]), "-o", str(made)])
            made.replace(path)
    except OSError as error:
        raise BackendUnavailable(
            f"the low-bit kernels cannot be stored in {path.parent} ({error.strerror}); "
            "name a writable folder in XDG_CACHE_HOME"
        ) from error
