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
from collections.abc import Callable
from dataclasses import astuple, dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from device.array import expect_array
from device.errors import BackendError, BackendUnavailable
from device.lowbit.descriptor import ErrorCode
from device.lowbit.emulator import Arena, check_arena
from device.lowbit.layout import MAX_DIGITS, can_copy, tensor_bytes

KERNELS = Path(__file__).parent / "kernels"
MAIN = "accel_cpu.c"
"""The one file to compile: it includes the others."""
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


@dataclass(frozen=True)
class Displacements:
    """Displacements of -radius..radius times `step` pixels each way, for cells of side x side pixels.

    With `spread` a displacement counts as the best of those up to so many pixels from it, within the largest one.
    Scores fall by 1 for every 2**shift that the cost of a cell rises.
    """

    side: int
    radius: int
    step: int = 1
    spread: int = 0
    shift: int = 0

    def __post_init__(self) -> None:
        if self.side not in (1, 2, 4) or not (0 <= self.radius <= 16 and 1 <= self.step <= 4):
            raise ValueError(f"expected cells of 1, 2 or 4 pixels, radius 0..16, step 1..4, got {self}")
        if not (0 <= self.spread <= self.step and 0 <= self.shift <= 8):
            raise ValueError(f"expected a spread up to the step and a shift 0..8, got {self}")

    @property
    def n(self) -> int:
        """How many displacements there are."""
        return (2 * self.radius + 1) ** 2


class CpuLibrary:
    """The loaded kernels. `run` may be called by several threads on different arenas."""

    def __init__(self, path: Path) -> None:
        """Raises BackendUnavailable when `path` is not a library this process can load."""
        self.path = path
        try:
            self._library: Any = ctypes.CDLL(str(path))
            self._run = self._library.accel_cpu_run
            self._force = self._library.accel_cpu_force
            self._pack = self._library.accel_cpu_pack
            self._match = self._library.accel_cpu_match
            self._barrier = self._library.accel_barrier
        except (OSError, AttributeError) as error:
            raise BackendUnavailable(f"the low-bit kernels {path} cannot be loaded ({error})") from error
        self._run.argtypes = (ctypes.c_void_p, ctypes.c_uint32, ctypes.c_void_p, ctypes.c_uint32)
        self._pack.argtypes = (ctypes.c_void_p, *[ctypes.c_uint32] * 5, ctypes.c_void_p)
        self._match.argtypes = (*[ctypes.c_void_p] * 2, *[ctypes.c_uint32] * 2, *[ctypes.c_void_p] * 2)
        self._barrier.restype = None

    def run(self, arena: Arena, descriptors: NDArray[np.uint32]) -> ErrorCode:
        """Execute (n, 16) descriptor words on `arena` in place, as `emulator.run` does; frees the interpreter lock."""
        return self.runner(arena, descriptors)()

    def runner(self, arena: Arena, descriptors: NDArray[np.uint32]) -> Callable[[], ErrorCode]:
        """Return the call that does the same again and again: all checks and addresses are done once."""
        check_arena(arena, descriptors)
        if arena.size > 0xFFFFFFFF:
            raise ValueError(f"arena: expected below 4 GiB, got {arena.size} bytes")
        words = np.ascontiguousarray(descriptors)
        given = arena.ctypes.data, arena.size, words.ctypes.data, len(words)
        kept = arena, words  # the addresses hold as long as this call lives

        def run() -> ErrorCode:
            code = self._run(*given)
            if code == NO_MEMORY:
                raise BackendError(f"the low-bit kernels found no memory to run {len(kept[1])} layers")
            return ErrorCode(code)

        return run

    def pack(self, values: NDArray[np.uint8], digits: int, target: Arena) -> None:
        """Write (C, H, W) `values` below 4**digits to `target`, as `layout.pack_codes` does; thirty times as fast.

        Raises ValueError for values that do not fit their digits; `target` is then zero.
        """
        if values.ndim != 3:
            raise ValueError(f"values: expected (channels, rows, columns), got {values.shape}")
        channels, height, width = values.shape
        self.packer((channels, height, width), digits, target)(values)

    def packer(
        self, shape: tuple[int, int, int], digits: int, target: Arena, copies: int = 1
    ) -> Callable[[NDArray[np.uint8]], None]:
        """Return the call that packs values of one shape to one place, `copies` of each channel beside each other."""
        channels, height, width = shape
        if not can_copy(channels, copies):
            raise ValueError(f"values: expected copies that fit a block, got {copies} of {channels} channels")
        n_bytes = tensor_bytes((channels * copies, height, width), digits)
        if not 1 <= digits <= MAX_DIGITS or min(shape) < 1:
            raise ValueError(f"values: expected (C, H, W) of 1..{MAX_DIGITS} digits, got {shape} of {digits}")
        if target.dtype != np.uint8 or target.shape != (n_bytes,) or not target.flags.carray:
            raise ValueError(f"target: expected writable ({n_bytes}) uint8, got {target.shape} {target.dtype}")
        kept, address = target, target.ctypes.data

        def pack(values: NDArray[np.uint8]) -> None:
            expect_array("values", values, shape, np.uint8)
            planes = np.ascontiguousarray(values)
            if self._pack(planes.ctypes.data, *shape, digits, copies, address):
                kept[:] = 0
                raise ValueError(f"values: expected 0..{4**digits - 1}, got {values.min()}..{values.max()}")

        return pack

    def match(
        self,
        first: NDArray[np.uint8],
        second: NDArray[np.uint8],
        displacements: Displacements,
        target: NDArray[np.uint8],
    ) -> None:
        """Write the scores (n, H / side, W / side) of two pictures (H, W) to `target`, which all lie without gaps.

        As `models.flow_stem.matching_scores` does. Raises ValueError for what does not fit.
        """
        height, width, side = *first.shape, displacements.side
        if height % side or width % side or not first.size:
            raise ValueError(f"first: expected sides that are multiples of {side}, got {first.shape}")
        shape = (displacements.n, height // side, width // side)
        for name, array, wanted in (
            ("first", first, first.shape),
            ("second", second, first.shape),
            ("target", target, shape),
        ):
            expect_array(name, array, wanted, np.uint8)
            if not array.flags.c_contiguous:
                raise ValueError(f"{name}: expected an array without gaps")
        words = (ctypes.c_uint32 * 5)(*astuple(displacements))
        if self._match(first.ctypes.data, second.ctypes.data, width, height, words, target.ctypes.data):
            raise BackendError(f"the low-bit kernels found no memory to match two pictures of {width}x{height}")

    def barrier(self) -> None:
        """Return when every store before it can be seen by other bus masters."""
        self._barrier()

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
    for source in sorted(KERNELS.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
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
            "install gcc, name one in CC, or set EDGE_LOWBIT=emulator, which is slow"
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
            call([*compiler, *FLAGS, *MACHINE_FLAGS, str(KERNELS / MAIN), "-o", str(made)])
            made.replace(path)
    except OSError as error:
        raise BackendUnavailable(
            f"the low-bit kernels cannot be stored in {path.parent} ({error.strerror}); "
            "name a writable folder in XDG_CACHE_HOME"
        ) from error
